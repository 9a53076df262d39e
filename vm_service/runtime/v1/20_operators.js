// The helpers that images call: operators on anything but numbers, spread, templates, depth, and writes that need care.
// Prices of the reference are charged exactly; work that it leaves unpriced counts against the sandbox's free work.
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, ArrayPrototypePush, FunctionPrototypeCall, Number, ObjectFreeze, ObjectGetPrototypeOf, Proxy, ReflectOwnKeys, RangeError,
    ReferenceError, EvalError, String, SymbolIterator, SymbolToPrimitive, SyntaxError, TypeError,
  } = V8VM.primordials;
  const { meter, forms } = V8VM;

  const { run: OPERATOR_GAS, template: TEMPLATE_GAS, substitution: SUBSTITUTION_GAS } = V8VM.prices.operator;
  const { call: CONCAT_GAS, unit: CONCAT_GAS_PER_UNIT } = V8VM.prices.string;

  const DEPTH_LIMIT = 200000; // slots; compiler/71_statements.js counts functions against the same limit
  const PRIMITIVE_SLOTS = 60; // stack of a conversion
  const NATIVE_SLOTS = 250; // stack of an engine function that calls contract code back (getters, conversions)
  const CHAIN_LIMIT = 100; // prototypes above an object: every lookup of a missing name walks them all
  const MAX_SPREAD = 60000; // V8 passes at most 65,535 arguments
  const UNITS_PER_CHARACTER = 1 / 8; // work of comparing or scanning text
  const KEY_WORK = 10; // work of listing one property
  const PROTOTYPE_WORK = 40; // an object that becomes a prototype, and a map for what inherits from it
  const LONG_TEXT = 64;

  const NONE = ObjectFreeze({ __proto__: null }); // a sloppy global that has not been assigned yet

  // -- conversions -----------------------------------------------------------------------------------------------

  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

  // The primitive value of an object, as the language converts it; what it calls is contract code or priced methods.
  function primitive(value, hint) {
    const saved = enter(PRIMITIVE_SLOTS);
    const result = convert(value, hint);
    meter.depth = saved;
    return result;
  }

  function convert(value, hint) {
    const exotic = value[SymbolToPrimitive];
    if (exotic !== undefined && exotic !== null) {
      const result = FunctionPrototypeCall(exotic, value, hint);
      if (isObject(result)) throw new TypeError('Cannot convert object to primitive value');
      return result;
    }
    const order = hint === 'string' ? ['toString', 'valueOf'] : ['valueOf', 'toString'];
    for (let i = 0; i < 2; i++) {
      const method = value[order[i]];
      if (typeof method !== 'function') continue;
      const result = FunctionPrototypeCall(method, value);
      if (!isObject(result)) return result;
    }
    throw new TypeError('Cannot convert object to primitive value');
  }

  function scan(text) {
    if (text.length > LONG_TEXT) meter.work(text.length * UNITS_PER_CHARACTER);
  }

  // ToNumber.
  function number(value) {
    if (typeof value === 'number') return value;
    const plain = isObject(value) ? primitive(value, 'number') : value;
    if (typeof plain === 'string') scan(plain);
    return +plain;
  }

  // ToString.
  function text(value) {
    if (typeof value === 'string') return value;
    return isObject(value) ? `${primitive(value, 'string')}` : `${value}`;
  }

  // ToPropertyKey.
  function propertyKey(value) {
    const plain = isObject(value) ? primitive(value, 'string') : value;
    return typeof plain === 'symbol' || typeof plain === 'string' ? plain : `${plain}`;
  }

  // Length that a comparison with text pays for.
  function textLength(value) {
    if (typeof value === 'string') return value.length;
    return value === null || value === undefined ? 0 : value.toString().length;
  }

  // -- operators: `name` charges the dynamic price, `namePaid` finds it charged --------------------------------------

  function addPaid(left, right) {
    if (typeof left === 'number' && typeof right === 'number') return left + right;
    const a = isObject(left) ? primitive(left, 'default') : left;
    const b = isObject(right) ? primitive(right, 'default') : right;
    if (typeof a !== 'string' && typeof b !== 'string') return a + b;
    const joined = text(a) + text(b);
    meter.charge(joined.length);
    return joined;
  }

  function payComparison(left, right) {
    if (typeof left === 'string' || typeof right === 'string') meter.charge(textLength(left) + textLength(right));
  }

  function equalPaid(left, right) {
    payComparison(left, right);
    return left === right;
  }

  // Orders two values: pays for text, converts objects left to right, then lets `order` compare primitives.
  function comparison(order) {
    return (left, right) => {
      if (typeof left === 'number' && typeof right === 'number') return order(left, right);
      payComparison(left, right);
      const a = isObject(left) ? primitive(left, 'number') : left;
      const b = isObject(right) ? primitive(right, 'number') : right;
      if (typeof a === 'string') scan(a);
      if (typeof b === 'string') scan(b);
      return order(a, b);
    };
  }

  const numeric = (operate) => (left, right) => {
    const a = number(left);
    return operate(a, number(right));
  };

  const PAID = {
    __proto__: null,
    addPaid,
    equalPaid,
    unequalPaid: (left, right) => !equalPaid(left, right),
    belowPaid: comparison((a, b) => a < b),
    atMostPaid: comparison((a, b) => a <= b),
    abovePaid: comparison((a, b) => a > b),
    atLeastPaid: comparison((a, b) => a >= b),
    subtractPaid: numeric((a, b) => a - b),
    multiplyPaid: numeric((a, b) => a * b),
    dividePaid: numeric((a, b) => a / b),
    remainderPaid: numeric((a, b) => a % b),
    powerPaid: numeric((a, b) => V8VM.v1.power(a, b)),
    orPaid: numeric((a, b) => a | b),
    andPaid: numeric((a, b) => a & b),
    xorPaid: numeric((a, b) => a ^ b),
    shiftLeftPaid: numeric((a, b) => a << b),
    shiftRightPaid: numeric((a, b) => a >> b),
    shiftRightUnsignedPaid: numeric((a, b) => a >>> b),
  };

  // One function for each operator, with the engine's own operator for numbers: small enough to be inlined.
  const { belowPaid, atMostPaid, abovePaid, atLeastPaid, subtractPaid, multiplyPaid, dividePaid, remainderPaid } = PAID;

  const pay = () => meter.take(OPERATOR_GAS);

  function add(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a + b : addPaid(a, b);
  }
  function equal(a, b) {
    pay();
    if (typeof a !== 'string' && typeof b !== 'string') return a === b;
    if (typeof a !== 'string' || typeof b !== 'string') return equalPaid(a, b);
    meter.take(a.length + b.length);
    return a === b;
  }
  const unequal = (a, b) => !equal(a, b);
  function below(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a < b : belowPaid(a, b);
  }
  function atMost(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a <= b : atMostPaid(a, b);
  }
  function above(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a > b : abovePaid(a, b);
  }
  function atLeast(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a >= b : atLeastPaid(a, b);
  }
  function subtract(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a - b : subtractPaid(a, b);
  }
  function multiply(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a * b : multiplyPaid(a, b);
  }
  function divide(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a / b : dividePaid(a, b);
  }
  function remainder(a, b) {
    pay();
    return typeof a === 'number' && typeof b === 'number' ? a % b : remainderPaid(a, b);
  }

  const paying = (operate) => (a, b) => {
    pay();
    return operate(a, b);
  };

  const OPERATORS = {
    __proto__: null,
    ...PAID,
    add, equal, unequal, below, atMost, above, atLeast, subtract, multiply, divide, remainder,
    power: paying(PAID.powerPaid),
    or: paying(PAID.orPaid),
    and: paying(PAID.andPaid),
    xor: paying(PAID.xorPaid),
    shiftLeft: paying(PAID.shiftLeftPaid),
    shiftRight: paying(PAID.shiftRightPaid),
    shiftRightUnsigned: paying(PAID.shiftRightUnsignedPaid),
    negative: (value) => -number(value),
    complement: (value) => ~number(value),
    number,
  };

  // Joins texts and values, alternating, as the reference's template tag does: one `concat` for each text.
  function template(...parts) {
    meter.charge(TEMPLATE_GAS);
    let joined = '';
    for (let i = 0; i < parts.length; i += 2) {
      if (i + 1 < parts.length) {
        meter.charge(SUBSTITUTION_GAS);
        joined += parts[i] + text(parts[i + 1]);
      } else joined += parts[i];
      meter.charge(CONCAT_GAS + CONCAT_GAS_PER_UNIT * joined.length);
      V8VM.v1.grown(joined.length);
    }
    return joined;
  }

  // -- spread ------------------------------------------------------------------------------------------------------

  const FERAL_VALUES = Array.prototype[SymbolIterator];
  const isPlainArray = (value) => ArrayIsArray(value) && value[SymbolIterator] === FERAL_VALUES;

  // Charges for a spread value and returns something that may be iterated without running contract code uncounted.
  function items(value) {
    meter.charge(Number(value.length));
    if (isPlainArray(value) || typeof value === 'string') return value;
    const list = [];
    for (const item of value) {
      meter.work(2);
      ArrayPrototypePush(list, item);
    }
    return list;
  }

  // The same for the arguments of a call: they lie on the native stack until it returns.
  function spread(value) {
    const list = items(value);
    if (list.length > MAX_SPREAD || (meter.depth += list.length) > DEPTH_LIMIT) tooDeep();
    meter.work(list.length);
    return list;
  }

  // -- depth -------------------------------------------------------------------------------------------------------

  function tooDeep() {
    throw meter.die('depth');
  }

  // Counts `slots` of stack; `back` gives them back and passes a value through.
  function enter(slots) {
    const saved = meter.depth;
    if ((meter.depth += slots) > DEPTH_LIMIT) tooDeep();
    return saved;
  }

  // The same for a default value: what it calls runs before the function has charged anything.
  function enterDefault(slots) {
    meter.work(1);
    return enter(slots);
  }

  // Counts the stack of an engine function that may call back; returns what to set `meter.depth` to afterwards.
  const enterNative = () => enter(NATIVE_SLOTS);

  function back(saved, value) {
    meter.depth = saved;
    return value;
  }

  // -- generators: a suspended one holds no stack ----------------------------------------------------------------------

  function yielding(slots, value) {
    meter.depth -= slots;
    return value;
  }

  function resumed(slots, value) {
    if ((meter.depth += slots) > DEPTH_LIMIT) tooDeep();
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
      meter.work(1);
      if (!this.inside && (meter.depth += this.slots) > DEPTH_LIMIT) tooDeep();
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

    return(value) {
      return this.step(this.iterator.return, value);
    }

    throw(value) {
      return this.step(this.iterator.throw, value);
    }

    [SymbolIterator]() {
      return this;
    }
  }

  const delegate = (slots, iterable) => new Delegate(slots, iterable[SymbolIterator]());

  // -- objects -----------------------------------------------------------------------------------------------------

  // Refuses prototype chains that are long enough to make lookups slow.
  function checkChain(object) {
    let count = 0;
    for (let at = object; at !== null && at !== undefined; at = ObjectGetPrototypeOf(at)) if (++count > CHAIN_LIMIT) tooDeep();
    return object;
  }

  const made = (object) => {
    meter.work(PROTOTYPE_WORK); // the function may be new as well
    return checkChain(object);
  };
  const prototype = (value) => {
    if (!isObject(value)) return value;
    meter.work(PROTOTYPE_WORK);
    return checkChain(value);
  };

  function base(parent) {
    if (typeof parent === 'function') {
      checkChain(parent);
      prototype(parent.prototype);
    }
    return parent;
  }

  // What `for in` walks: its keys are all listed before the first pass.
  function keysOf(value) {
    if (typeof value === 'string') meter.work(value.length * KEY_WORK);
    else if (isObject(value)) {
      let at = value;
      while (at !== null && at !== V8VM.v1.objectPrototype) {
        meter.work(ReflectOwnKeys(at).length * KEY_WORK);
        at = ObjectGetPrototypeOf(at);
      }
    }
    return value;
  }

  // The discriminant of a switch: long texts pay for being compared with `cases` others.
  function compared(value, cases) {
    if (typeof value === 'string' && value.length > LONG_TEXT) meter.work(value.length * UNITS_PER_CHARACTER * cases);
    return value;
  }

  function payLength(array, length) {
    if (length > array.length && length >>> 0 === length) meter.work((length - array.length) * 2);
  }

  function setLength(object, value) {
    if (!ArrayIsArray(object)) return (object.length = value);
    const length = number(value);
    if (isObject(value)) number(value); // the language converts it twice
    if (length > object.length) {
      payLength(object, length);
      if (length > forms.SHORT) forms.loosen(object);
    } else forms.payCut(object);
    object.length = length;
    return value;
  }

  // Checks a computed key that is about to be written.
  function key(object, value) {
    if (typeof value === 'number') return forms.at(object, value);
    const name = propertyKey(value);
    if (!ArrayIsArray(object)) return name;
    if (name === 'length') throw new RangeError('Invalid array length');
    forms.named(object, name);
    return name;
  }

  function setMember(object, name, value) {
    const checked = propertyKey(name);
    if (checked === 'length') return setLength(object, value);
    if (ArrayIsArray(object)) forms.named(object, checked);
    return (object[checked] = value);
  }

  // `object[name]++` and the like, where the value is used. The engine converts the key for the read and for the write.
  function update(object, name, step, isPrefix) {
    const before = number(object[name]);
    setMember(object, name, before + step);
    return isPrefix ? before + step : before;
  }

  const last = (...values) => values[values.length - 1];

  const plus = (value, step) => (typeof value === 'number' ? value + step : number(value) + step);

  // -- names and code ------------------------------------------------------------------------------------------------

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

  V8VM.v1 = {
    helpers: {
      __proto__: null,
      ...OPERATORS,
      meter, stop: meter.stop, work: meter.work,
      template, items, spread, tooDeep, enterDefault, back, yielding, resumed, delegate, made, prototype, base, keysOf, compared, setLength, key,
      setMember, update, plus, last, at: forms.at, loosened: forms.loosen, name: propertyKey, unknown, known, none: NONE, eval: evaluate, malformed,
    },
    convert: { isObject, primitive, number, text, propertyKey, scan },
    checkChain, payLength, refuseCode, enterNative, DEPTH_LIMIT, tooDeep,
  };
})(globalThis.V8VM);
