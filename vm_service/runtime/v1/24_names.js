// Names that a contract uses without having them: of the language, of other environments, of nobody.
(function (V8VM) {
  'use strict';

  const { EvalError, ObjectAssign, ObjectDefineProperty, ObjectFreeze, Proxy, ReferenceError, String, SyntaxError } = V8VM.primordials;

  const { strings: STRINGS_WORK } = V8VM.workPrices.literal;

  const NONE = ObjectFreeze({ __proto__: null }); // a sloppy global that has not been assigned yet

  const undefinedName = (_, name) => {
    throw new ReferenceError(`${String(name)} is not defined`);
  };
  const unknown = new Proxy(NONE, { __proto__: null, get: undefinedName, set: undefinedName });

  function known(current, value, name) {
    return current === NONE ? undefinedName(null, name) : value;
  }

  function refuseCode() {
    throw new EvalError('Code generation from strings disallowed for this context');
  }

  const evaluate = (source) => (typeof source === 'string' ? refuseCode() : source);

  function malformed(message) {
    throw new SyntaxError(message);
  }

  // The list of texts that a tag is given. The engine would keep one for each place of the image, whatever calls did with it; an
  // image makes its own in each call (compiler/72_expressions.js).
  function strings(cooked, raw) {
    V8VM.meter.work(STRINGS_WORK);
    ObjectDefineProperty(cooked, 'raw', { __proto__: null, value: ObjectFreeze(raw) });
    return ObjectFreeze(cooked);
  }

  ObjectAssign(V8VM.v1.helpers, { strings, unknown, known, none: NONE, eval: evaluate, malformed });
  V8VM.v1.refuseCode = refuseCode;
})(globalThis.V8VM);
