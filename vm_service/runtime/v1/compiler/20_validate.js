// Checks a contract against its ABI before it is compiled. Messages and their order are observable.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
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
    const parameters = methods.get(entry.name);
    if (parameters === undefined) throw new Error(`abi not defined in source code: ${entry.name}`);
    const args = entry.args ?? [];
    if (!Array.isArray(args) || args.length !== parameters.length) throw new Error(`args length not match: ${entry.name}`);
    for (const type of args) {
      if (!TYPES.includes(type)) throw new Error(`args should be one of ${JSON.stringify(TYPES).replaceAll(',', ', ')}`);
    }
    checkAmountLimit(entry.amountLimit);
  }

  function methodsOf(declaration) {
    const methods = new Map();
    for (const { key, value } of declaration.body.body) {
      if (key.name === 'constructor') throw new Error("smart contract class shouldn't contain constructor method!!");
      methods.set(key.name, value.params);
    }
    if (!methods.has('init')) throw new Error('init not found!');
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

  // Throws the first broken rule. abi is the list of ABI entries.
  function validate(source, abi) {
    const { body } = esprima.parseScript(source);
    if (body.length <= 1) throw new Error('empty source code.');
    const name = exportedName(body[body.length - 1]);
    if (name === null) throw new Error("last expression must be 'module.exports = CLASS_IDENTIFIER;'");
    const declaration = body.find((statement) => statement.type === 'ClassDeclaration' && statement.id.name === name);
    if (declaration === undefined) throw new Error('abi not match your source code.');
    const methods = methodsOf(declaration);
    for (const entry of abi) checkEntry(entry, methods);
  }

  V8VM.validate = { validate, exportedName };
})(globalThis.V8VM);
