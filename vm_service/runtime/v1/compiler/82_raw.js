// Raw images: a contract that an operator stored as it is, neither rewritten nor charged for its code; what it calls of the
// libraries is charged as ever. The chain never makes one of its own accord: publishing always compiles.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;
  const { GLOBALS } = V8VM.permits;

  const ENDOWMENTS = new Set([...GLOBALS.kept, ...GLOBALS.removed, ...GLOBALS.libraries]);

  // Endowments that the text may mean: every identifier of that name, wherever it stands.
  function namesUsed(source) {
    const names = new Set();
    for (const { type, value } of esprima.tokenize(source)) if (type === 'Identifier' && ENDOWMENTS.has(value)) names.add(value);
    return [...names];
  }

  function emitRaw(source) {
    const endowments = namesUsed(source);
    return { reference: source, methods: [], text: `(function () { return function (${endowments.join(', ')}) {\n${source}\n}; })`, endowments };
  }

  V8VM.emitRaw = emitRaw;
})(globalThis.V8VM);
