// The compile stage's doors: text in, JSON text out. Each answers {error} or its result; an error is the text that the
// chain shows, never a stack or a path.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;

  const fail = (error) => `Error: ${error.message}`;
  const refusal = (error) => (error instanceof RangeError && error.loc ? `RangeError: ${error.message}` : fail(error)); // of a name

  // Contract text and ABI entries -> null, or the error text of the first broken rule.
  function validateError(source, abi) {
    try {
      V8VM.validate.validate(source, abi);
      return null;
    } catch (error) {
      const isSyntax = error.lineNumber !== undefined;
      return isSyntax
        ? `validate code error: Uncaught exception: ${fail(error)}\nStack tree: \n${fail(error)}, result: `
        : `validate code error: , result: ${refusal(error)}`;
    }
  }

  // Source text -> its rewritten tree, the text that is printed of it, and the tree of that.
  function firstPass(source) {
    const rewritten = V8VM.rewrite.rewriteTree(source.replaceAll('\0', '\\x00'));
    const printed = V8VM.rewrite.print(rewritten);
    return { rewritten, printed, program: esprima.parseScript(printed, { range: true }) };
  }

  function compileText(source) {
    const { printed, program } = firstPass(source);
    const layout = V8VM.points.findPoints(program);
    const reference = V8VM.reference.referenceText(printed, layout);
    const { text, endowments, failure } = V8VM.image.emitImage(printed, program, layout);
    return { reference, methods: V8VM.publicMethods(program), text, endowments, failure };
  }

  // The image for tracing: source text -> {text, endowments, failure?, positions}, or {error}.
  function compileTraced(source) {
    try {
      const { rewritten, printed, program } = firstPass(source);
      V8VM.traced.inherit(rewritten, program);
      const layout = V8VM.points.findPoints(program);
      const { script, text, endowments, failure } = V8VM.image.emitImage(printed, program, layout, V8VM.traced.TracedLowering);
      const positions = script === undefined ? [] : V8VM.traced.positionsOf(script, esprima.parseScript(text, { range: true }).body[0]);
      return JSON.stringify({ text, endowments, failure, positions });
    } catch (error) {
      return JSON.stringify({ error: `Uncaught exception: ${fail(error)}` });
    }
  }

  // abiText: JSON of the ABI document; mustValidate: 'true' checks the contract against it first; isRaw: 'true' leaves the
  // text as it is.
  function compile(source, abiText, mustValidate, isRaw) {
    const deep = V8VM.nesting.tooDeep(source);
    if (deep !== null) return JSON.stringify({ error: `Uncaught exception: Error: ${deep}` });
    if (mustValidate === 'true') {
      const error = validateError(source, JSON.parse(abiText).abi ?? []);
      if (error !== null) return JSON.stringify({ error });
    }
    try {
      return JSON.stringify(isRaw === 'true' ? V8VM.compileRaw(source) : compileText(source));
    } catch (error) {
      return JSON.stringify({ error: `Uncaught exception: ${fail(error)}` });
    }
  }

  V8VM.firstPass = firstPass;
  V8VM.compile = compile;
  V8VM.compileTraced = compileTraced;
})(globalThis.V8VM);
