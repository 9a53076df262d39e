// Names and texts longer than V8 hashes: beyond MAX_NAME units its hash is the length alone, so that all texts of one length
// are compared with each other. Contracts that are published may not spell such names; the conversion of keys refuses those
// that are made while a contract runs (v1/18_conversions.js). Other long literals are put together from parts.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
  const tree = V8VM.tree;
  const { MAX_NAME } = V8VM.permits;

  // Where a literal is the name of a property: type of the node around it and its part.
  const KEYS = new Set(['Property key', 'MethodDefinition key', 'MemberExpression property', 'BinaryExpression left']);

  const isLong = (text) => typeof text === 'string' && text.length > MAX_NAME;
  const isKey = (parent, part) => KEYS.has(`${parent?.type} ${part}`) && (parent.type !== 'BinaryExpression' || parent.operator === 'in');

  // The first name that is too long, or null.
  function find(node, parent, part) {
    if (node.type === 'Identifier') return isLong(node.name) ? node : null;
    if (node.type === 'Literal') return isLong(node.value) && isKey(parent, part) ? node : null;
    let found = null;
    tree.eachChild(node, (child, key) => {
      found ??= find(child, node, key);
    });
    return found;
  }

  // Throws when a source spells a name that is too long. The place is worth a second parse only for one that does.
  function check(source, program) {
    if (source.length <= MAX_NAME || find(program, null, '') === null) return;
    const { loc } = find(esprima.parseScript(source, { loc: true }), null, '');
    const error = new RangeError(`Line ${loc.start.line}: a name has more than ${MAX_NAME} units`);
    throw Object.assign(error, { loc });
  }

  // A text as an expression: one literal, or a sum of parts each of which the engine hashes as a whole.
  function text(value) {
    if (!isLong(value)) return tree.literal(value);
    let sum = tree.literal(value.slice(0, MAX_NAME));
    for (let at = MAX_NAME; at < value.length; at += MAX_NAME) sum = tree.binary('+', sum, tree.literal(value.slice(at, at + MAX_NAME)));
    return sum;
  }

  V8VM.longNames = { check, text };
})(globalThis.V8VM);
