// ABI generation for contract tooling: every public method becomes an entry, typed by the comments before it.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
  const { exportedName } = V8VM.validate;

  const PARAM = [/@param\s*\{([a-zA-Z]+)\}\s*([a-zA-Z0-9_$]+)/g, /@param\s+([a-zA-Z0-9_$]+)\s*\{([a-zA-Z]+)\}/g];

  // The exported class of a program, or the error of its absence.
  function exportedClass(program) {
    const exports = program.body.find((statement) => isExport(statement));
    const name = exports === undefined ? null : exportedName(exports);
    if (name === null) throw new Error('module.exports should be assigned to an identifier');
    const declaration = program.body.find((statement) => statement.type === 'ClassDeclaration' && statement.id.name === name);
    if (declaration === undefined) throw new Error('module.exports should be assigned to an identifier');
    return declaration;
  }

  function isExport(statement) {
    const left = statement.type === 'ExpressionStatement' ? statement.expression.left : undefined;
    return left?.type === 'MemberExpression' && left.object.name === 'module' && left.property.name === 'exports';
  }

  // Types by parameter name, from the text of a comment.
  function typesIn(comment) {
    const types = new Map();
    for (const [, type, name] of comment.matchAll(PARAM[0])) types.set(name, type);
    for (const [, name, type] of comment.matchAll(PARAM[1])) types.set(name, type);
    return types;
  }

  function entryOf(method, comment) {
    const types = comment === undefined ? new Map() : typesIn(comment.value);
    const args = method.value.params.map((parameter) => {
      if (parameter.type !== 'Identifier') {
        throw new Error(`invalid method parameter type. must be Identifier, got ${parameter.type}`);
      }
      return types.get(parameter.name) ?? 'string';
    });
    return { name: method.key.name, args, amountLimit: [] };
  }

  const isPublic = ({ key }) => key.type === 'Identifier' && !key.name.startsWith('_');

  function entriesOf(declaration, comments) {
    const entries = [];
    let from = declaration.range[0];
    let hasInit = false;
    for (const method of declaration.body.body) {
      if (method.key.name === 'constructor') throw new Error("smart contract class shouldn't contain constructor method!");
      if (!isPublic(method)) continue;
      if (method.key.name === 'init') hasInit = true;
      else {
        const before = comments.filter(({ range }) => range[0] >= from && range[1] <= method.range[0]);
        entries.push(entryOf(method, before.at(-1)));
      }
      from = method.range[1];
    }
    if (!hasInit) throw new Error('init not found!');
    return entries;
  }

  // Names of the methods that an ABI may list.
  function publicMethods(program) {
    try {
      return exportedClass(program).body.body.filter(isPublic).map(({ key }) => key.name).filter((name) => name !== 'init');
    } catch {
      return [];
    }
  }

  function generateAbi(source) {
    const deep = V8VM.nesting.tooDeep(source);
    if (deep !== null) return JSON.stringify({ error: deep });
    try {
      const program = esprima.parseModule(source, { range: true, comment: true, tokens: true });
      V8VM.rewrite.checkTokens(program.tokens.filter(({ value }) => value !== 'async' && value !== 'await'));
      const abi = entriesOf(exportedClass(program), program.comments);
      return JSON.stringify({ abi: JSON.stringify({ lang: 'javascript', version: '1.0.0', abi }, null, 4) });
    } catch (error) {
      return JSON.stringify({ error: error.message });
    }
  }

  V8VM.generateAbi = generateAbi;
  V8VM.publicMethods = publicMethods;
})(globalThis.V8VM);
