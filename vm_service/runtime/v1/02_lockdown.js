// Lockdown: makes the realm that the permits describe. Prices are put on, what is not permitted is removed, and everything
// that a contract can reach is frozen. Runs once, after all files; nothing here decides policy.
(function (V8VM) {
  'use strict';

  const {
    ObjectDefineProperty, ObjectFreeze, ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf, ObjectPreventExtensions, ObjectSetPrototypeOf, ObjectValues, ReflectOwnKeys, Set, TypeError,
  } = V8VM.primordials;
  const { INTRINSICS, ENGINE_ERRORS, OVERRIDABLE, DELETED_GLOBALS } = V8VM.permits;

  const prototypeOf = ObjectGetPrototypeOf;

  // The intrinsics by the names that the permits use; most have no global name.
  function collect() {
    const arrayIterator = prototypeOf([][Symbol.iterator]());
    const generatorFunction = prototypeOf(function* () {}); // eslint-disable-line no-empty-function
    const { v1 } = V8VM;
    const errors = { __proto__: null };
    for (const name of ENGINE_ERRORS) {
      errors[name] = v1.objects.engineErrors[name];
      errors[`${name}.prototype`] = V8VM.primordials[name].prototype;
    }
    return {
      __proto__: null,
      ...errors,
      'String': v1.strings.constructors.String,
      'String.prototype': String.prototype,
      'Array': v1.arrays.constructors.Array,
      'Array.prototype': Array.prototype,
      'Object': Object,
      'Object.prototype': Object.prototype,
      'Function.prototype': Function.prototype,
      'Number': v1.objects.numberConstructors.Number,
      'Number.prototype': Number.prototype,
      'Boolean': Boolean,
      'Boolean.prototype': Boolean.prototype,
      'Symbol': v1.objects.symbolFunctions.Symbol,
      'Symbol.prototype': Symbol.prototype,
      'Error': v1.objects.errorConstructors.Error,
      'Error.prototype': Error.prototype,
      'Math': Math,
      'JSON': JSON,
      'Iterator.prototype': prototypeOf(arrayIterator),
      'ArrayIterator.prototype': arrayIterator,
      'StringIterator.prototype': prototypeOf(''[Symbol.iterator]()),
      'GeneratorFunction.prototype': generatorFunction,
      'Generator.prototype': generatorFunction.prototype,
      'Console.prototype': v1.console.Console.prototype,
    };
  }

  const define = (target, key, value) => ObjectDefineProperty(target, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });

  // Functions show the names and the lengths that those of the reference have.
  function label(method, name, length) {
    ObjectDefineProperty(method, 'name', { __proto__: null, value: name, configurable: true });
    ObjectDefineProperty(method, 'length', { __proto__: null, value: length, configurable: true });
  }

  // Puts methods in the place of the engine's own, whose names and lengths they take over.
  function defineAll(target, methods, origin = target) {
    for (const key of ReflectOwnKeys(methods)) {
      const original = ObjectGetOwnPropertyDescriptor(origin, key)?.value;
      if (typeof original === 'function' && key !== 'constructor') label(methods[key], original.name, original.length);
      define(target, key, methods[key]);
    }
  }

  // The same for what the reference puts in the place of the engine's own: functions without a name, which take what they are given.
  function defineNameless(target, methods) {
    for (const key of ReflectOwnKeys(methods)) {
      label(methods[key], '', 0);
      define(target, key, methods[key]);
    }
  }

  // -- step 1: prices ----------------------------------------------------------------------------------------------

  function givePrototype(constructor, prototype) {
    if (ObjectGetOwnPropertyDescriptor(constructor, 'prototype') === undefined) define(constructor, 'prototype', prototype);
    else constructor.prototype = prototype;
  }

  // A constructor that stands for an intrinsic: it makes the same objects and carries the same constants.
  function stand(replacement, intrinsic, statics) {
    for (const key of ReflectOwnKeys(intrinsic)) {
      if (key === 'length' || key === 'name' || key === 'prototype' || key === 'caller' || key === 'arguments') continue;
      const descriptor = ObjectGetOwnPropertyDescriptor(intrinsic, key);
      if ('value' in descriptor) define(replacement, key, descriptor.value);
    }
    givePrototype(replacement, intrinsic.prototype);
    label(replacement, intrinsic.name, intrinsic.length);
    defineAll(replacement, statics, intrinsic);
    define(intrinsic.prototype, 'constructor', replacement);
  }

  // The stringifier of the reference gives primitive values a `toJSON` that `for in` finds; that of texts is then removed.
  function putToJSON() {
    const put = (prototype, value) => ObjectDefineProperty(prototype, 'toJSON', { __proto__: null, value, writable: true, enumerable: true, configurable: true });
    put(Number.prototype, Number.prototype.valueOf);
    put(Boolean.prototype, Boolean.prototype.valueOf);
    put(String.prototype, null);
  }

  function putPrices() {
    const { strings, arrays, objects, json, numbers } = V8VM.v1;
    stand(strings.constructors.String, String, strings.statics);
    givePrototype(strings.constructors.priced, String.prototype);
    define(String.prototype, 'constructor', strings.constructors.priced);
    label(strings.constructors.priced, '', 0);
    defineNameless(String.prototype, strings.methods);
    defineAll(String.prototype, strings.iteration);
    stand(arrays.constructors.Array, Array, {});
    label(arrays.constructors.Array, '', 0);
    defineNameless(Array.prototype, arrays.methods);
    putToJSON();
    stand(objects.numberConstructors.Number, Number, objects.numberStatics);
    defineAll(Number.prototype, objects.numberMethods);
    stand(objects.symbolFunctions.Symbol, Symbol, objects.symbolStatics);
    stand(objects.errorConstructors.Error, Error, objects.errorStatics);
    define(objects.errorConstructors.Error, 'stackTraceLimit', 0);
    defineAll(Symbol.prototype, objects.symbolMethods);
    defineAll(Error.prototype, objects.errorMethods);
    for (const name of ENGINE_ERRORS) {
      stand(objects.engineErrors[name], V8VM.primordials[name], {});
      ObjectSetPrototypeOf(objects.engineErrors[name], objects.errorConstructors.Error);
    }
    defineAll(Object, objects.objectStatics);
    defineAll(Object.prototype, objects.objectMethods);
    ObjectDefineProperty(Object.prototype, '__proto__', {
      ...ObjectGetOwnPropertyDescriptor(Object.prototype, '__proto__'),
      set: ObjectGetOwnPropertyDescriptor(objects.objectAccessors, '__proto__').set,
    });
    const { constructor, ...functionMethods } = objects.functionMethods;
    givePrototype(constructor, Function.prototype);
    defineAll(Function.prototype, { ...functionMethods, constructor });
    define(prototypeOf(function* () {}), 'constructor', constructor); // eslint-disable-line no-empty-function
    defineNameless(Math, objects.mathFunctions);
    defineNameless(JSON, { parse: json.parse, stringify: json.stringify });
    label(json.stringify, '', 3);
    defineAll(numbers.prototype, numbers.wrapped);
    label(numbers.BigNumber, '', 0);
  }

  // -- step 2: removal ---------------------------------------------------------------------------------------------

  const permitName = (key) => (typeof key === 'symbol' ? key.description : key);

  function remove(target, { kept = [], nulled = [], symbols = [] }) {
    const stays = new Set([...kept, ...symbols]);
    const empty = new Set(nulled);
    for (const key of ReflectOwnKeys(target)) {
      const name = permitName(key);
      if (empty.has(name)) define(target, key, null);
      else if (!stays.has(name)) delete target[key];
    }
  }

  // -- step 3: names that objects may override ---------------------------------------------------------------------

  // The value becomes an accessor whose setter gives the receiver a property of its own, as an assignment would. Returns the
  // value: a walk over properties does not find it any more.
  function makeOverridable(target, key) {
    const descriptor = ObjectGetOwnPropertyDescriptor(target, key);
    if (descriptor === undefined || !('value' in descriptor)) return undefined;
    const { value, enumerable } = descriptor;
    ObjectDefineProperty(target, key, {
      __proto__: null,
      get() {
        return value;
      },
      set(own) {
        if (this === target) throw new TypeError(`Cannot assign to read only property '${key}' of object`);
        ObjectDefineProperty(this, key, { __proto__: null, value: own, writable: true, enumerable: true, configurable: true });
      },
      enumerable,
      configurable: true,
    });
    return value;
  }

  // -- step 4: freezing --------------------------------------------------------------------------------------------

  // Object.freeze of these two, or a changed attribute of one of their properties, makes every growing array of the isolate
  // three to ten times slower (measured). Properties made anew with their final attributes do not.
  const REMADE = new Set([Array.prototype, Object.prototype]);

  function freeze(object) {
    if (!REMADE.has(object)) return ObjectFreeze(object);
    for (const key of ReflectOwnKeys(object)) {
      const descriptor = ObjectGetOwnPropertyDescriptor(object, key);
      if (descriptor.configurable) delete object[key];
      const final = 'value' in descriptor ? { ...descriptor, writable: false } : descriptor;
      ObjectDefineProperty(object, key, { ...final, configurable: false });
    }
    return ObjectPreventExtensions(object);
  }

  // Freezes everything reachable from the roots by properties, accessors and prototypes.
  function freezeAll(roots) {
    const seen = new Set();
    const waiting = [];
    const add = (value) => {
      if (((typeof value === 'object' && value !== null) || typeof value === 'function') && !seen.has(value)) waiting[waiting.length] = value;
    };
    for (const root of roots) add(root);
    while (waiting.length > 0) {
      const object = waiting[waiting.length - 1];
      waiting.length--;
      if (seen.has(object)) continue;
      seen.add(object);
      add(prototypeOf(object));
      for (const key of ReflectOwnKeys(object)) {
        const { value, get, set } = ObjectGetOwnPropertyDescriptor(object, key);
        add(value);
        add(get);
        add(set);
      }
      freeze(object);
    }
    return seen;
  }

  // Functions that only objects carry which are made while contracts run: every error has the same two for its `stack`.
  function hidden() {
    const { get, set } = ObjectGetOwnPropertyDescriptor(new V8VM.primordials.Error(''), 'stack');
    return [get, set, V8VM.v1.objects.COUNTED_STACK];
  }

  function lockdown() {
    const intrinsics = collect();
    V8VM.v1.intrinsics = () => intrinsics;
    putPrices();
    for (const name in INTRINSICS) remove(intrinsics[name], INTRINSICS[name]);
    V8VM.v1.finishLibraries();
    const overridable = [];
    for (const name in OVERRIDABLE) for (const key of OVERRIDABLE[name]) overridable[overridable.length] = makeOverridable(intrinsics[name], key);
    for (const name of DELETED_GLOBALS) delete globalThis[name];
    V8VM.v1.hardened = freezeAll([...hidden(), ...overridable, ...ObjectValues(intrinsics), ...ObjectValues(V8VM.v1.endowments.shared()), ...ObjectValues(V8VM.v1.storage.methods)]);
  }

  V8VM.lockdown = lockdown;
})(globalThis.V8VM);
