(function (V8VM) {
  'use strict';
  V8VM.v1.power = (x, y) => V8VM.primordials.MathPow(x, y);
})(globalThis.V8VM);
