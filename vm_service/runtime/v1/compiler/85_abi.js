// ABI generation for contract tooling: every public method becomes an entry, typed by the comments before it.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
  const { exportedName } = V8VM.validate;
  const { located } = V8VM.tree;

  const PARAM = [/@param\s*\{([a-zA-Z]+)\}\s*([a-zA-Z0-9_$]+)/g, /@param\s+([a-zA-Z0-9_$]+)\s*\{([a-zA-Z]+)\}/g];

  // The exported class of a program, or the error of its absence.
  function exportedClass(program) {
    const exports = program.body.find((statement) => isExport(statement));
    const name = exports === undefined ? null : exportedName(exports);
    if (name === null) throw located('module.exports should be assigned to an identifier', exports);
    const declaration = program.body.find((statement) => statement.type === 'ClassDeclaration' && statement.id.name === name);
    if (declaration === undefined) throw located('module.exports should be assigned to an identifier', exports);
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
        throw located(`invalid method parameter type. must be Identifier, got ${parameter.type}`, parameter);
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
    let at = 0; // of the first comment behind the method before
    for (const method of declaration.body.body) {
      if (method.key.name === 'constructor') throw located("smart contract class shouldn't contain constructor method!", method);
      if (!isPublic(method)) continue;
      if (method.key.name === 'init') hasInit = true;
      else {
        while (at < comments.length && comments[at].range[1] <= method.range[0]) at++;
        const before = at > 0 && comments[at - 1].range[0] >= from ? comments[at - 1] : undefined;
        entries.push(entryOf(method, before));
      }
      from = method.range[1];
    }
    if (!hasInit) throw located('init not found!', declaration);
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

  // Source text -> ABI entries; throws the first broken rule.
  function abiEntries(source) {
    const deep = V8VM.nesting.tooDeep(source);
    if (deep !== null) throw new Error(deep);
    const program = esprima.parseModule(source, { range: true, loc: true, comment: true, tokens: true });
    V8VM.rewrite.checkTokens(program.tokens.filter(({ value }) => value !== 'async' && value !== 'await'));
    return entriesOf(exportedClass(program), program.comments);
  }

  function generateAbi(source) {
    try {
      const abi = abiEntries(source);
      return JSON.stringify({ abi: JSON.stringify({ lang: 'javascript', version: '1.0.0', abi }, null, 4) });
    } catch (error) {
      return JSON.stringify({ error: error.message });
    }
  }

  V8VM.generateAbi = generateAbi;
  V8VM.abiEntries = abiEntries;
  V8VM.publicMethods = publicMethods;
})(globalThis.V8VM);
