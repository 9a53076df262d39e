// Depth: what the calls of a contract hold of the native stack, counted in slots of 8 bytes. Functions of images count
// themselves; what the engine's own functions take when they call back is counted by whoever calls them. The count
// always ends a recursion, long before the stack does, so it ends at the same depth everywhere.
(function (V8VM) {
  'use strict';

  const { FunctionPrototypeCall, ObjectDefineProperty, ObjectGetOwnPropertyDescriptor, ReflectOwnKeys, SymbolIterator } = V8VM.primordials;
  const { meter } = V8VM;

  const { DEPTH_SLOTS: DEPTH_LIMIT } = V8VM.permits;
  const { slot: SLOT_GAS } = V8VM.workPrices.gas;
  const { defaultValue: DEFAULT_WORK } = V8VM.workPrices.functions;
  const { step: STEP_WORK } = V8VM.workPrices.spread;
  const STEP_SLOTS = 10000; // depth is paid in steps
  const NATIVE_SLOTS = 250; // an engine function that calls contract code back (getters, conversions), or one of the library that reads of what a contract made


  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

  function tooDeep() {
    throw meter.die('depth');
  }

  // The stack has grown over the roof: what it grows to is paid for, once, up to the limit.
  function deeper() {
    if (meter.depth > DEPTH_LIMIT) tooDeep();
    let gas = 0;
    while (meter.roof < meter.depth) {
      meter.roof += STEP_SLOTS;
      gas += STEP_SLOTS * SLOT_GAS;
    }
    meter.charge(gas);
  }

  // Counts `slots` of stack; `back` gives them back and passes a value through.
  function enter(slots) {
    const saved = meter.depth;
    if ((meter.depth += slots) > meter.roof) deeper();
    return saved;
  }

  // The same for a default value: what it calls runs before the function has charged anything.
  function enterDefault(slots) {
    meter.work(DEFAULT_WORK);
    return enter(slots);
  }

  // Counts the stack of an engine function that may call back; returns what to set `meter.depth` to afterwards.
  const enterNative = () => enter(NATIVE_SLOTS);

  // The same of a function of the library, which hands on `count` arguments: they lie on the stack once more.
  const enterLibrary = (count = 0) => enter(NATIVE_SLOTS + count);

  function back(saved, value) {
    meter.depth = saved;
    return value;
  }

  // Library methods that call what a contract may have put in their way, counted. They take one argument at most: what more is
  // given is not handed on, so that it lies on the stack once.
  function countAll(prototype) {
    for (const name of ReflectOwnKeys(prototype)) {
      const { value: method } = ObjectGetOwnPropertyDescriptor(prototype, name);
      if (name === 'constructor') continue;
      const { [name]: counted } = {
        [name](value) {
          const saved = enterLibrary();
          const result = FunctionPrototypeCall(method, this, value);
          meter.depth = saved;
          return result;
        },
      };
      ObjectDefineProperty(counted, 'length', { __proto__: null, value: method.length, configurable: true });
      ObjectDefineProperty(prototype, name, { __proto__: null, value: counted, writable: true, enumerable: false, configurable: true });
    }
  }

  // -- generators: a suspended one holds no stack ----------------------------------------------------------------------

  function yielding(slots, value) {
    meter.depth -= slots;
    return value;
  }

  function resumed(slots, value) {
    if ((meter.depth += slots) > meter.roof) deeper();
    return value;
  }

  // `yield*`: the outer generator waits on the stack while the inner one runs.
  class Delegate {
    constructor(slots, iterator) {
      this.slots = slots;
      this.iterator = iterator;
      this.inside = true; // whether the outer generator is counted at the moment
      if (typeof iterator.return !== 'function') this.return = undefined;
      if (typeof iterator.throw !== 'function') this.throw = undefined;
    }

    step(method, value) {
      meter.work(STEP_WORK + meter.toll);
      if (!this.inside && (meter.depth += this.slots) > meter.roof) deeper();
      this.inside = true;
      const result = FunctionPrototypeCall(method, this.iterator, value);
      if (isObject(result) && result.done) return result;
      this.inside = false;
      meter.depth -= this.slots;
      return result;
    }

    next(value) {
      return this.step(this.iterator.next, value);
    }

    // When the inner one is done, the outer generator ends without running any more of its text.
    return(value) {
      const result = this.step(this.iterator.return, value);
      if (this.inside) meter.depth -= this.slots;
      return result;
    }

    throw(value) {
      return this.step(this.iterator.throw, value);
    }

    [SymbolIterator]() {
      return this;
    }
  }

  const delegate = (slots, iterable) => new Delegate(slots, iterable[SymbolIterator]());

  V8VM.v1 = {
    helpers: { __proto__: null, meter, stop: meter.stop, check: meter.check, work: meter.work, deeper, enterDefault, back, yielding, resumed, delegate },
    isObject, enter, enterNative, enterLibrary, countAll, deeper, tooDeep,
  };
})(globalThis.V8VM);
