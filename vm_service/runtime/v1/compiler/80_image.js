// The image: the script that runs. Its value is a function of the runtime's helpers that returns the contract's start
// function; that function takes what the contract uses of the runtime's names, one parameter each, and runs the
// contract's top level in a scope of its own. It is run again for every call, so no data outlives a call.
//
//   (function (_IOST$h) { 'use strict';
//     const _IOST$meter = _IOST$h.meter, ...;
//     return function (storage, module, ...) { let _IOST$target; ...contract... };
//   })
(function (V8VM) {
  'use strict';

  const { escodegen } = globalThis.v8vmCompiler;
  const tree = V8VM.tree;
  const { Lowering } = V8VM;
  const { GLOBALS, REDECLARED } = V8VM.permits;

  const ENDOWMENTS = new Set([...GLOBALS.kept, ...GLOBALS.removed, ...GLOBALS.libraries]);
  const PRINT = { format: { indent: { style: '' }, newline: '\n' } };

  const declaration = (kind, pairs) => ({
    type: 'VariableDeclaration',
    kind,
    declarations: pairs.map(([id, init]) => ({ type: 'VariableDeclarator', id, init })),
  });

  const functionOf = (params, body) => ({
    type: 'FunctionExpression', id: null, params, body: tree.block(body), generator: false, async: false, expression: false,
  });

  // A top-level name that the call's own scope already holds fails every call. Returns that name, or null.
  function redeclaredName(program) {
    for (const node of program.body) {
      const names = node.type === 'VariableDeclaration' ? node.declarations.map(({ id }) => id.name) : [node.id?.name];
      const clash = names.find((name) => REDECLARED.includes(name));
      if (clash !== undefined) return clash;
    }
    return null;
  }

  // Lone surrogates cannot cross into another isolate as they are.
  function escapeSurrogates(text) {
    return text.isWellFormed() ? text : text.replace(/\p{Surrogate}/gu, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
  }

  function scriptTree(lowering, body) {
    const implicit = [...lowering.implicit].map((name) => [lowering.spell(name), lowering.helper('none')]);
    if (implicit.length > 0) body.unshift(declaration('let', implicit));
    if (lowering.templates.length > 0) body.unshift(declaration('let', lowering.templates.map((name) => [name, null])));
    const start = functionOf([...lowering.needed].map(tree.identifier), [...lowering.temporaries(), ...body]);
    const source = tree.helper('h');
    const helpers = [...lowering.helpers].map((name) => [tree.helper(name), tree.member(source, name)]);
    const outer = [tree.statement(tree.literal('use strict')), ...(helpers.length > 0 ? [declaration('const', helpers)] : [])];
    const factory = functionOf([source], [...outer, { type: 'ReturnStatement', argument: start }]);
    return tree.statement(factory);
  }

  const printScript = (script) => escapeSurrogates(escodegen.generate(script, PRINT)).replace(/;\s*$/, '');
  const scriptText = (lowering, body) => printScript(scriptTree(lowering, body));

  // A contract whose every call fails while its script is compiled, before any gas is charged.
  const malformed = (message) => ({ failure: `SyntaxError: ${message}`, text: '(function () {})', endowments: [] });

  const isCharged = (layout) => (statement) => (layout.statements.get(statement)?.total ?? 0) !== 0;

  // Printed text, its tree and its layout of charges -> {script, text, endowments} or {failure, text, endowments}.
  // `Kind`: how it is lowered.
  function emitImage(printed, program, layout, Kind = Lowering) {
    const early = V8VM.earlyErrors(program, printed, isCharged(layout));
    if (early.has(program)) return malformed(early.get(program));
    const clash = redeclaredName(program);
    if (clash !== null) return malformed(`Identifier '${clash}' has already been declared`);
    const lowering = new Kind(program, layout, new V8VM.scope.Analysis(program), early, ENDOWMENTS);
    const body = [...lowering.blockFunctionNames(program), ...lowering.statements(lowering.hoistedFirst(program.body))];
    const script = scriptTree(lowering, body);
    return { script, text: printScript(script), endowments: [...lowering.needed] };
  }

  V8VM.image = { emitImage, scriptText, isCharged, ENDOWMENTS };
})(globalThis.V8VM);
