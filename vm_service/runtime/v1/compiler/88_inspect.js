// What an author is told beyond what publishing answers: the place of a refusal in the source, and mistakes that publishing
// accepts because the reference does.
(function (V8VM) {
  'use strict';

  const { eachChild } = V8VM.tree;

  const MODULES = new Set(['storage', 'blockchain']); // v1/80_endowments.js: every other name gives an empty object

  // Line from 1 and column from 0 of an error, or null when it belongs to no place.
  function placeOf(error) {
    if (error.lineNumber !== undefined) return { line: error.lineNumber, column: Math.max(error.column - 1, 0) }; // of the parser
    return error.loc ? error.loc.start : null;
  }

  const problem = (message, { loc }) => ({ message, ...(loc ? loc.start : { line: 0, column: 0 }) });

  // Calls of `require` for modules that do not exist.
  function missingModules(program, references) {
    const problems = [];
    const search = (node) => {
      const { callee } = node;
      if (node.type === 'CallExpression' && callee.type === 'Identifier' && callee.name === 'require' && !references.get(callee)?.binding) {
        const [wanted] = node.arguments;
        if (wanted?.type === 'Literal' && !MODULES.has(String(wanted.value))) problems.push(problem(`module ${JSON.stringify(wanted.value)} does not exist: require gives 'storage' and 'blockchain'`, node));
      }
      eachChild(node, search);
    };
    search(program);
    return problems;
  }

  // What the engine will find wrong with a function when it is first called.
  function lateErrors(program, printed, layout) {
    const found = V8VM.earlyErrors(program, printed, V8VM.image.isCharged(layout));
    const problems = [];
    const search = (node, owner) => {
      const message = found.get(node);
      if (message !== undefined) problems.push(problem(`SyntaxError: ${message}, in this function, whenever it is called`, owner?.value === node ? owner : node));
      eachChild(node, (child) => search(child, node));
    };
    search(program, null);
    return problems;
  }

  function inspectAccepted(source) {
    const { rewritten, printed, program } = V8VM.firstPass(source);
    V8VM.traced.inherit(rewritten, program);
    const layout = V8VM.points.findPoints(program);
    const { references } = new V8VM.scope.Analysis(program);
    const problems = [...missingModules(program, references), ...lateErrors(program, printed, layout)];
    V8VM.image.emitImage(printed, program, layout, V8VM.traced.TracedLowering);
    return problems;
  }

  // Source and ABI document (empty: derived) -> {place, problems}: the place of the first refusal, or null.
  function inspect(source, abiText) {
    if (V8VM.nesting.tooDeep(source) !== null) return JSON.stringify({ place: null, problems: [] });
    try {
      if (abiText === '') V8VM.abiEntries(source);
      V8VM.validate.validate(source, abiText === '' ? [] : (JSON.parse(abiText).abi ?? []), { loc: true });
      return JSON.stringify({ place: null, problems: inspectAccepted(source) });
    } catch (error) {
      return JSON.stringify({ place: placeOf(error), problems: [] });
    }
  }

  V8VM.inspect = inspect;
})(globalThis.V8VM);
