// The other built-ins: Object, Function.prototype, Number, Symbol, Error, Math. Mostly free in the reference; what grows
// with its input counts as work.
(function (V8VM) {
  'use strict';

  const P = V8VM.primordials;
  const {
    ArrayIsArray, Error, FunctionPrototypeApply, FunctionPrototypeBind, FunctionPrototypeCall, Map, Number,
    NumberIsFinite, NumberIsSafeInteger, NumberParseFloat, NumberParseInt, NumberPrototypeToExponential, NumberPrototypeToFixed, NumberPrototypeToPrecision,
    NumberPrototypeToString, Object, ObjectAssign, ObjectCreate, ObjectDefineProperties, ObjectDefineProperty, ObjectEntries, ObjectFreeze,
    ObjectGetOwnPropertyDescriptor, ObjectGetOwnPropertyDescriptors, ObjectGetOwnPropertyNames, ObjectGetOwnPropertySymbols, ObjectGetPrototypeOf,
    ObjectPrototypeHasOwnProperty, ObjectPrototypePropertyIsEnumerable, ObjectPrototypeToString,
    ObjectIsFrozen, ObjectIsSealed, ObjectKeys, ObjectSeal, ObjectSetPrototypeOf, ObjectValues, RangeError, ReflectConstruct,
    ReflectOwnKeys, String, Symbol, TypeError, WeakMap,
  } = P;
  const { meter, forms } = V8VM;
  const { linkNew, linkOld, raiseToll } = V8VM.v1.chains;
  const { number, text, isObject, nameOf, payName, scan, scanNumber, shown, madeText, SHOWN_WORK } = V8VM.v1.convert;
  const { inherited, payLength, refuseCode, enter, enterNative, enterLibrary, tooDeep } = V8VM.v1;

  const {
    copy: COPY_WORK, describe: DESCRIBE_WORK, prototype: PROTOTYPE_WORK, moved: MOVED_WORK, tableMoved: TABLE_MOVED_WORK,
    change: CHANGE_WORK, call: CALL_WORK,
  } = V8VM.workPrices.object;
  const { symbol: SYMBOL_WORK, registered: REGISTERED_WORK, error: ERROR_WORK } = V8VM.workPrices.other;
  const { readArgument: READ_WORK } = V8VM.workPrices.text;
  const { radix: RADIX_WORK, fractionRadix: FRACTION_RADIX_WORK, manyDigits: MANY_DIGITS_WORK } = V8VM.workPrices.number;
  const { bind: BIND_WORK, bound: BOUND_WORK, argument: ARGUMENT_WORK } = V8VM.workPrices.functions;
  const { tableRead: TABLE_WORK } = V8VM.workPrices.array;
  const MATH_GAS = V8VM.prices.math.call;
  const EXACT_DIGITS = 15;
  const MAX_ARGUMENTS = 60000;
  const APPLY_SLOTS = 20; // stack of `apply`, without the arguments
  const FREE_BOUND = 16;
  const MAX_BOUND_ARGUMENTS = 200; // of a bound function: every call copies them at no price

  // -- Object ------------------------------------------------------------------------------------------------------

  // Work of listing an object's properties.
  function payKeys(value, work = forms.listWork) {
    if (typeof value === 'string') meter.work(work(value.length) * forms.TEXT_FACTOR);
    else if (isObject(value)) forms.payListing(value, work);
  }

  // Work of giving an object another prototype.
  function payPrototype(target, proto) {
    linkOld(target, proto);
    meter.work(PROTOTYPE_WORK);
    if (!isObject(target)) return;
    forms.payItems(target);
    const count = ReflectOwnKeys(target).length;
    meter.work(count * (count > forms.LARGE ? TABLE_MOVED_WORK : MOVED_WORK));
  }

  const copyWork = (count) => COPY_WORK * forms.listWork(count);
  const describeWork = (count) => DESCRIBE_WORK * forms.listWork(count);

  // Runs an engine function that may call getters and conversions of the contract.
  function native(feral, ...args) {
    const saved = enterNative();
    meter.work(CALL_WORK);
    const result = feral(...args);
    meter.depth = saved;
    return result;
  }

  const counted = (feral, work) => (value) => {
    payKeys(value, work);
    return native(feral, value);
  };

  // The same for what changes how all properties are kept.
  const countedChange = (feral) => (value) => {
    meter.work(CHANGE_WORK);
    payKeys(value);
    return feral(forms.loosen(value));
  };

  // Defining the length of an array pays like assigning it, and what is defined as the prototype of a function becomes one. The
  // descriptor is read once.
  function define(target, key, descriptor) {
    const name = nameOf(key);
    meter.work(CHANGE_WORK);
    forms.loosen(target);
    const isWatched = ArrayIsArray(target) ? name === 'length' : name === 'prototype' && typeof target === 'function';
    if (!isWatched || !isObject(descriptor) || !('value' in descriptor)) return native(ObjectDefineProperty, target, name, descriptor);
    const saved = enterLibrary();
    const value = name === 'length' ? number(descriptor.value) : inherited(descriptor.value);
    if (name === 'length') payLength(target, value);
    const read = { __proto__: null, value };
    for (const field of ['writable', 'enumerable', 'configurable', 'get', 'set']) if (field in descriptor) read[field] = descriptor[field];
    meter.depth = saved;
    return native(ObjectDefineProperty, target, name, read);
  }

  // The getter that every error has for its `stack` asks it for name and message. Contracts are given one that counts.
  const { get: FERAL_STACK, set: setStack } = ObjectGetOwnPropertyDescriptor(new Error(''), 'stack');
  const stackAccessor = {
    get stack() {
      const saved = enterNative();
      meter.work(ERROR_WORK / 3);
      const stack = FunctionPrototypeCall(FERAL_STACK, this);
      if (typeof stack === 'string') scan(stack);
      meter.depth = saved;
      return stack;
    },
  };
  const COUNTED_STACK = ObjectGetOwnPropertyDescriptor(stackAccessor, 'stack').get;
  const STACK = ObjectFreeze({ __proto__: null, get: COUNTED_STACK, set: setStack, enumerable: false, configurable: true });

  function countStack(descriptor) {
    if (descriptor !== undefined && descriptor.get === FERAL_STACK) descriptor.get = COUNTED_STACK;
    return descriptor;
  }

  const objectStatics = {
    assign(target, ...sources) {
      const to = Object(target ?? FunctionPrototypeCall(refuseNull));
      for (let i = 0; i < sources.length; i++) {
        payKeys(sources[i], copyWork);
        if ((ArrayIsArray(to) || typeof to === 'function') && isObject(sources[i])) assignEach(to, sources[i]);
        else native(ObjectAssign, to, sources[i]);
      }
      return to;
    },
    create(proto, properties) {
      if (isObject(proto)) {
        meter.work(PROTOTYPE_WORK);
        linkNew(proto);
      }
      if (properties === undefined) return ObjectCreate(proto);
      payKeys(properties, describeWork);
      return native(ObjectCreate, proto, properties);
    },
    setPrototypeOf(target, proto) {
      payPrototype(target, proto);
      return ObjectSetPrototypeOf(target, proto);
    },
    defineProperty: (target, key, descriptor) => define(target, key, descriptor),
    defineProperties(target, descriptors) {
      payKeys(descriptors);
      if (!ArrayIsArray(target) && typeof target !== 'function') return native(ObjectDefineProperties, target, descriptors);
      const all = Object(descriptors);
      const saved = enterLibrary();
      for (const key of ReflectOwnKeys(all)) if (ObjectGetOwnPropertyDescriptor(all, key)?.enumerable) define(target, key, all[key]);
      meter.depth = saved;
      return target;
    },
    keys: counted(ObjectKeys),
    values: counted(ObjectValues),
    entries: counted(ObjectEntries),
    getOwnPropertyNames: counted(ObjectGetOwnPropertyNames),
    getOwnPropertySymbols: counted(ObjectGetOwnPropertySymbols),
    getOwnPropertyDescriptors(value) {
      payKeys(value, describeWork);
      const all = native(ObjectGetOwnPropertyDescriptors, value);
      countStack(all.stack);
      return all;
    },
    freeze: countedChange(ObjectFreeze),
    seal: countedChange(ObjectSeal),
    preventExtensions: countedChange(P.ObjectPreventExtensions),
    is(a, b) {
      if (typeof a === 'string' && typeof b === 'string' && a.length === b.length) scan(a);
      return P.ObjectIs(a, b);
    },
    isFrozen: counted(ObjectIsFrozen),
    isSealed: counted(ObjectIsSealed),
    getOwnPropertyDescriptor: (target, key) => {
      meter.work(CALL_WORK);
      return countStack(ObjectGetOwnPropertyDescriptor(target, nameOf(key)));
    },
  };

  function refuseNull() {
    throw new TypeError('Cannot convert undefined or null to object');
  }

  function assignEach(to, source) {
    const { setMember } = V8VM.v1.helpers;
    const saved = enterLibrary();
    for (const key of ReflectOwnKeys(source)) if (ObjectGetOwnPropertyDescriptor(source, key)?.enumerable) setMember(to, key, source[key]);
    meter.depth = saved;
  }

  // Methods of Object.prototype take keys, and may be asked for a tag by a getter.
  const objectMethods = {
    hasOwnProperty(key) {
      const name = nameOf(key);
      return native(ObjectPrototypeHasOwnProperty, this, name);
    },
    propertyIsEnumerable(key) {
      const name = nameOf(key);
      return native(ObjectPrototypePropertyIsEnumerable, this, name);
    },
    toString() {
      return madeText(native(ObjectPrototypeToString, this));
    },
    toLocaleString() {
      return native(P.ObjectPrototypeToLocaleString, this);
    },
    __defineGetter__(key, getter) {
      meter.work(CHANGE_WORK);
      return native(P.ObjectPrototype__defineGetter__, forms.loosen(this), nameOf(key), getter);
    },
    __defineSetter__(key, setter) {
      meter.work(CHANGE_WORK);
      return native(P.ObjectPrototype__defineSetter__, forms.loosen(this), nameOf(key), setter);
    },
    __lookupGetter__(key) {
      const getter = native(P.ObjectPrototype__lookupGetter__, this, nameOf(key));
      return getter === FERAL_STACK ? COUNTED_STACK : getter;
    },
    __lookupSetter__(key) {
      return native(P.ObjectPrototype__lookupSetter__, this, nameOf(key));
    },
  };

  const setProto = ObjectGetOwnPropertyDescriptor(P.Object.prototype, '__proto__').set;
  const objectAccessors = {
    set __proto__(proto) {
      payPrototype(this, proto);
      FunctionPrototypeCall(setProto, this, proto);
    },
  };

  // -- Function.prototype ------------------------------------------------------------------------------------------

  const bindings = new WeakMap(); // bound function -> {target, self, args}

  // What `direct` is, a bound function of a bound function, with the innermost function as its only target: a call or an
  // `instanceof` would go through all of them.
  function flattened(direct, { target, self, args }) {
    const bound = native(FunctionPrototypeBind, target, self, ...args);
    ObjectDefineProperty(bound, 'length', { __proto__: null, value: direct.length });
    const prototype = ObjectGetPrototypeOf(direct);
    if (ObjectGetPrototypeOf(bound) !== prototype) ObjectSetPrototypeOf(bound, prototype);
    return bound;
  }

  function argumentList(like) {
    if (like === undefined || like === null) return [];
    if (!isObject(like)) throw new TypeError('CreateListFromArrayLike called on non-object');
    const saved = enterNative(); // length and items may be accessors
    const length = number(like.length);
    if (length > MAX_ARGUMENTS) tooDeep();
    const count = length > 0 ? length | 0 : 0;
    enter(count);
    meter.work(count * (ArrayIsArray(like) && forms.isRow(like) ? ARGUMENT_WORK : ARGUMENT_WORK + TABLE_WORK + meter.toll));
    const list = [];
    for (let i = 0; i < length; i++) list[i] = like[i];
    meter.depth = saved + count;
    return list;
  }

  // Iterating calls this by itself, at a speed that no other function has there. It reads of what it walks, which may lead back to
  // it only by a bound function: that gets one that counts.
  const FERAL_NEXT = ObjectGetPrototypeOf([][P.SymbolIterator]()).next;
  const { next: COUNTED_NEXT } = {
    next() {
      return native(FunctionPrototypeCall, FERAL_NEXT, this);
    },
  };
  const bindable = (value) => (value === FERAL_NEXT ? COUNTED_NEXT : value);

  const functionMethods = {
    apply(self, args) {
      if (typeof this !== 'function') throw new TypeError(`Function.prototype.apply was called on ${shown(this)}, which is ${typeof this} and not a function`);
      const saved = enter(APPLY_SLOTS);
      const result = FunctionPrototypeApply(this, self, argumentList(args));
      meter.depth = saved;
      return result;
    },
    bind(self, ...args) {
      const inner = bindings.get(this);
      const count = args.length + (inner === undefined ? 0 : inner.args.length);
      if (count > MAX_BOUND_ARGUMENTS) tooDeep();
      meter.work(BIND_WORK + count * ARGUMENT_WORK);
      if (count > FREE_BOUND) raiseToll((count * BOUND_WORK) | 0);
      for (let i = 0; i < args.length; i++) args[i] = bindable(args[i]);
      const target = bindable(this);
      const receiver = bindable(self);
      const direct = native(FunctionPrototypeBind, target, receiver, ...args);
      const name = madeText(direct.name);
      const binding = inner === undefined ? { target, self: receiver, args } : { ...inner, args: [...inner.args, ...args] };
      const bound = inner === undefined ? direct : flattened(direct, binding);
      ObjectDefineProperty(bound, 'name', { __proto__: null, value: name }); // else it is made of all names below whenever it is read
      bindings.set(bound, binding);
      return bound;
    },
    // The text of a function is nobody's business.
    toString() {
      if (typeof this !== 'function') throw new TypeError("Function.prototype.toString requires that 'this' be a Function");
      const saved = enterLibrary();
      const { name } = this;
      meter.depth = saved;
      meter.work(SHOWN_WORK);
      return madeText(`function ${typeof name === 'string' ? name : ''}() { [native code] }`);
    },
    constructor: function Function(...args) {
      for (let i = 0; i < args.length; i++) text(args[i]); // they become text before anything is refused
      return refuseCode();
    },
  };

  // -- Number ------------------------------------------------------------------------------------------------------

  const numberConstructors = {
    Number: function Number(...args) {
      const value = args.length === 0 ? 0 : number(args[0]);
      return new.target === undefined ? value : ReflectConstruct(P.Number, [value], new.target);
    },
  };

  function parse(feral) {
    return (value, radix) => {
      const source = text(value);
      scanNumber(source);
      return radix === undefined ? feral(source) : feral(source, number(radix));
    };
  }

  const numberStatics = { parseInt: parse(NumberParseInt), parseFloat: parse(NumberParseFloat) };

  const numberMethods = {
    toString(radix) {
      const isWhole = NumberIsSafeInteger(this);
      if (radix !== undefined) meter.work(isWhole ? RADIX_WORK : FRACTION_RADIX_WORK);
      else if (!isWhole) meter.work(RADIX_WORK);
      return NumberPrototypeToString(this, radix === undefined ? undefined : number(radix));
    },
    toFixed(digits) {
      return writeDigits(NumberPrototypeToFixed, this, digits);
    },
    toExponential(digits) {
      return writeDigits(NumberPrototypeToExponential, this, digits);
    },
    toPrecision(digits) {
      return writeDigits(NumberPrototypeToPrecision, this, digits);
    },
  };

  // More digits than a number has are computed with large integers.
  function writeDigits(feral, self, digits) {
    const count = digits === undefined ? undefined : number(digits);
    meter.work(count > EXACT_DIGITS ? MANY_DIGITS_WORK : 2 * RADIX_WORK);
    return feral(self, count);
  }

  const globalFunctions = {
    isNaN(value) {
      const n = number(value);
      return n !== n;
    },
    isFinite: (value) => NumberIsFinite(number(value)),
  };

  // -- Symbol ------------------------------------------------------------------------------------------------------

  let registry = new Map(); // of the running transaction: nothing is shared between calls, not even names of symbols
  let registered = new Map();

  const symbolFunctions = {
    Symbol(...args) {
      meter.work(SYMBOL_WORK);
      return args.length === 0 || args[0] === undefined ? P.Symbol() : P.Symbol(text(args[0]));
    },
  };

  const symbolStatics = {
    for(name) {
      const key = text(name);
      payName(key);
      const entry = `@${key}`; // V8 hashes a text of digits by its number: a contract could choose names that all meet
      let symbol = registry.get(entry);
      if (symbol !== undefined) return symbol;
      meter.work(SYMBOL_WORK + REGISTERED_WORK + key.length / 8);
      symbol = P.Symbol(key);
      registry.set(entry, symbol);
      registered.set(symbol, key);
      return symbol;
    },
    keyFor(symbol) {
      if (typeof symbol !== 'symbol') throw new TypeError(`${text(symbol)} is not a symbol`);
      return registered.get(symbol);
    },
  };

  const symbolMethods = {
    toString() {
      return shown(P.SymbolPrototypeValueOf(this));
    },
  };

  function forget() {
    if (registry.size === 0) return;
    registry = new Map();
    registered = new Map();
  }

  // -- Error -------------------------------------------------------------------------------------------------------

  // The name that an error inherits; null when telling it may run code of the contract.
  function inheritedName(error) {
    for (let at = ObjectGetPrototypeOf(error); at !== null && at !== P.Error.prototype; at = ObjectGetPrototypeOf(at)) {
      const found = ObjectGetOwnPropertyDescriptor(at, 'name');
      if (found !== undefined) return typeof found.value === 'string' ? found.value : null;
    }
    return 'Error';
  }

  // Gives an error its `stack`: the title, paid by its length. Where a name runs code, the getter asks for it when it is read.
  function titled(error, isPlain, message) {
    if (V8VM.trace.isOn()) return error;
    const name = isPlain ? 'Error' : inheritedName(error);
    if (name === null) return ObjectDefineProperty(error, 'stack', STACK);
    FunctionPrototypeCall(setStack, error, madeText(message === '' ? name : name === '' ? message : `${name}: ${message}`));
    return error;
  }

  const errorConstructors = {
    Error: function Error(...args) {
      const given = args.length === 0 || args[0] === undefined ? [] : [text(args[0])];
      meter.work(ERROR_WORK);
      const made = ReflectConstruct(P.Error, given, new.target ?? errorConstructors.Error);
      return titled(made, new.target === undefined || new.target === errorConstructors.Error, given.length === 0 ? '' : given[0]);
    },
  };

  // What only the engine makes: the same with other names.
  const engineErrors = { __proto__: null };
  for (const name of V8VM.permits.ENGINE_ERRORS) {
    engineErrors[name] = function (...args) {
      const given = args.length === 0 || args[0] === undefined ? [] : [text(args[0])];
      meter.work(ERROR_WORK);
      return titled(ReflectConstruct(P[name], given, new.target ?? engineErrors[name]), false, given.length === 0 ? '' : given[0]);
    };
  }

  const errorMethods = {
    toString() {
      if (!isObject(this)) throw new TypeError('Error.prototype.toString requires that \'this\' be a JSReceiver');
      const saved = enterNative();
      meter.work(ERROR_WORK / 3);
      const { name, message } = this;
      const title = name === undefined ? 'Error' : text(name);
      const detail = message === undefined ? '' : text(message);
      meter.depth = saved;
      if (title === '') return detail;
      return detail === '' ? title : madeText(`${title}: ${detail}`);
    },
  };

  const errorStatics = {
    captureStackTrace() {}, // there is no stack to capture
  };

  // -- Math --------------------------------------------------------------------------------------------------------

  const unary = (feral) => (x) => {
    meter.charge(MATH_GAS);
    return feral(number(x));
  };

  function extreme(feral) {
    return (...values) => {
      meter.charge(MATH_GAS);
      for (let i = 0; i < values.length; i++) {
        if (typeof values[i] === 'number') continue;
        meter.work(READ_WORK);
        values[i] = number(values[i]);
      }
      if (values.length === 2) return feral(values[0], values[1]);
      return FunctionPrototypeApply(feral, null, values);
    };
  }

  const mathFunctions = {
    max: extreme(P.MathMax),
    min: extreme(P.MathMin),
    pow(base, exponent) {
      meter.charge(MATH_GAS);
      return V8VM.v1.power(number(base), number(exponent));
    },
  };
  for (const name of ['abs', 'cbrt', 'ceil', 'floor', 'log', 'log10', 'log1p', 'round', 'sqrt']) {
    mathFunctions[name] = unary(P[`Math${name[0].toUpperCase()}${name.slice(1)}`]);
  }

  V8VM.v1.objects = {
    objectStatics, objectMethods, objectAccessors, functionMethods, numberConstructors, numberStatics, numberMethods, globalFunctions, symbolFunctions,
    symbolStatics, symbolMethods, forget, errorConstructors, engineErrors, COUNTED_STACK, errorMethods, errorStatics, mathFunctions,
  };
})(globalThis.V8VM);
