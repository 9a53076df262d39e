// Checks a contract against its ABI before it is compiled. Messages and their order are observable.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
  const { located } = V8VM.tree;
  const TYPES = ['string', 'bool', 'number', 'json'];
  const NAME_LIMIT = 32;

  function checkName(name) {
    if (typeof name !== 'string' || name.length <= 0 || name.length > NAME_LIMIT) {
      throw new Error(`abi name invalid. abi name length should be between 1,${NAME_LIMIT}  got ${name}`);
    }
    if (name[0] === '_') throw new Error("abi name invalid. abi name shouldn't start with _");
    for (const character of name) {
      if (!/^[A-Za-z0-9_]$/.test(character)) {
        throw new Error(`abi name invalid. abi name contains invalid character ${character}`);
      }
    }
  }

  function checkAmountLimit(limits) {
    if (limits === undefined || limits === null) return;
    if (!Array.isArray(limits)) throw new Error('abi amountLimit should be array.');
    for (const limit of limits) {
      if (limit === null || typeof limit !== 'object' || typeof limit.token !== 'string' || typeof limit.val !== 'string') {
        throw new Error('abi amountLimit invalid. token and val should be string.');
      }
    }
  }

  function checkEntry(entry, methods) {
    checkName(entry.name);
    if (entry.name === 'init') throw new Error('abi shouldn\'t contain internal function: init');
    const method = methods.get(entry.name);
    if (method === undefined) throw new Error(`abi not defined in source code: ${entry.name}`);
    const args = entry.args ?? [];
    if (!Array.isArray(args) || args.length !== method.value.params.length) throw located(`args length not match: ${entry.name}`, method);
    for (const type of args) {
      if (!TYPES.includes(type)) throw located(`args should be one of ${JSON.stringify(TYPES).replaceAll(',', ', ')}`, method);
    }
    checkAmountLimit(entry.amountLimit);
  }

  function methodsOf(declaration) {
    const methods = new Map();
    for (const method of declaration.body.body) {
      const { key } = method;
      if (key.name === 'constructor') throw located("smart contract class shouldn't contain constructor method!!", method);
      methods.set(key.name, method);
    }
    if (!methods.has('init')) throw located('init not found!', declaration);
    return methods;
  }

  // Returns the class name of `module.exports = NAME`, or null when the statement is anything else.
  function exportedName(statement) {
    const assignment = statement?.type === 'ExpressionStatement' ? statement.expression : null;
    if (assignment?.type !== 'AssignmentExpression' || assignment.operator !== '=') return null;
    const { left, right } = assignment;
    const exported = left.type === 'MemberExpression' && left.object.name === 'module' && left.property.name === 'exports';
    return exported && right.type === 'Identifier' ? right.name : null;
  }

  // Throws the first broken rule. abi is the list of ABI entries; with `loc` the parser tells places.
  function validate(source, abi, { loc = false } = {}) {
    const program = esprima.parseScript(source, { loc });
    const { body } = program;
    if (body.length <= 1) throw new Error('empty source code.');
    const last = body[body.length - 1];
    const name = exportedName(last);
    if (name === null) throw located("last expression must be 'module.exports = CLASS_IDENTIFIER;'", last);
    const declaration = body.find((statement) => statement.type === 'ClassDeclaration' && statement.id.name === name);
    if (declaration === undefined) throw located('abi not match your source code.', last);
    const methods = methodsOf(declaration);
    for (const entry of abi) checkEntry(entry, methods);
    V8VM.longNames.check(source, program);
  }

  V8VM.validate = { validate, exportedName };
})(globalThis.V8VM);
