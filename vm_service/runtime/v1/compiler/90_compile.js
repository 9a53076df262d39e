// The compile stage's doors: text in, JSON text out. Each answers {error} or its result; an error is the text that the
// chain shows, never a stack or a path.
(function (V8VM) {
  'use strict';

  const { esprima } = globalThis.v8vmCompiler;

  const fail = (error) => `Error: ${error.message}`;

  // Contract text and ABI entries -> null, or the error text of the first broken rule.
  function validateError(source, abi) {
    try {
      V8VM.validate.validate(source, abi);
      return null;
    } catch (error) {
      const isSyntax = error.lineNumber !== undefined;
      return isSyntax
        ? `validate code error: Uncaught exception: ${fail(error)}\nStack tree: \n${fail(error)}, result: `
        : `validate code error: , result: ${fail(error)}`;
    }
  }

  function compileText(source) {
    const printed = V8VM.rewrite.rewriteSource(source.replaceAll('\0', '\\x00'));
    const program = esprima.parseScript(printed, { range: true });
    const layout = V8VM.points.findPoints(program);
    const reference = V8VM.reference.referenceText(printed, layout);
    const image = V8VM.image.emitImage(printed, program, layout);
    return { reference, methods: V8VM.publicMethods(program), ...image };
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

  V8VM.compile = compile;
})(globalThis.V8VM);
