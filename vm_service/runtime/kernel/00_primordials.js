// Captures every intrinsic once, before anything can change it. Later files use these names only:
// `ArrayPrototypePush(array, item)`, `StringPrototypeSlice(text, 0, 3)`, `JSONParse`, `ObjectKeys` ...
// After lockdown the methods on the prototypes are the charging ones that contracts see.
(function (V8VM) {
  'use strict';

  const { apply, bind, call } = Function.prototype;
  const uncurryThis = bind.bind(call);
  const applyBind = bind.bind(apply);
  const primordials = { __proto__: null, uncurryThis };

  const capitalized = (key) =>
    typeof key === 'symbol' ? `Symbol${key.description[7].toUpperCase()}${key.description.slice(8)}` : `${key[0].toUpperCase()}${key.slice(1)}`;

  function capture(target, prefix, isPrototype) {
    for (const key of Reflect.ownKeys(target)) {
      if (typeof key === 'symbol' && !key.description.startsWith('Symbol.')) continue;
      const { value, get } = Reflect.getOwnPropertyDescriptor(target, key);
      const name = `${prefix}${capitalized(key)}`;
      if (get !== undefined) primordials[`${prefix}Get${capitalized(key)}`] = uncurryThis(get);
      else if (typeof value === 'function' && key !== 'constructor') {
        primordials[name] = isPrototype ? uncurryThis(value) : value.bind(target);
        if (isPrototype) primordials[`${name}Apply`] = applyBind(value);
      } else if (typeof value !== 'function') primordials[name] = value;
    }
  }

  for (const name of ['JSON', 'Math', 'Reflect']) capture(globalThis[name], name, false);
  for (const name of ['Array', 'BigInt', 'Boolean', 'Error', 'Function', 'Map', 'Number', 'Object', 'RegExp', 'Set', 'String', 'Symbol', 'WeakMap']) {
    primordials[name] = globalThis[name];
    capture(globalThis[name], name, false);
    capture(globalThis[name].prototype, `${name}Prototype`, true);
  }
  for (const name of ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'EvalError', 'URIError', 'Proxy', 'Int32Array', 'Uint16Array', 'Float64Array']) {
    primordials[name] = globalThis[name];
  }
  primordials.Uint16ArrayPrototypeSubarray = uncurryThis(Uint16Array.prototype.subarray);

  V8VM.primordials = Object.freeze(primordials);
})(globalThis.V8VM);
