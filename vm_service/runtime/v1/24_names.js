// Names that a contract uses without having them: of the language, of other environments, of nobody.
(function (V8VM) {
  'use strict';

  const { EvalError, ObjectAssign, ObjectFreeze, Proxy, ReferenceError, String, SyntaxError } = V8VM.primordials;

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

  ObjectAssign(V8VM.v1.helpers, { unknown, known, none: NONE, eval: evaluate, malformed });
  V8VM.v1.refuseCode = refuseCode;
})(globalThis.V8VM);
