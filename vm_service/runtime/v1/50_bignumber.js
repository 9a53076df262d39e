// BigNumber: the npm library as it is, configured and priced. Its inner calls run on the priced built-ins, so they are
// charged as in the reference. Beside the reference's prices, what grows with the limbs and digits of its operands
// counts as work.
//
// Every method of the library is wrapped. A call from outside first makes its operands clean (49_operands.js); calls of
// the library's methods by each other find them clean.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, FunctionPrototypeApply, MathLog2, ObjectAssign, ObjectGetOwnPropertyDescriptor, ReflectConstruct, ReflectOwnKeys } = V8VM.primordials;
  const { meter } = V8VM;
  const { enterLibrary } = V8VM.v1;
  const { isObject, number } = V8VM.v1.convert;
  const { FERAL_BIG_NUMBER, LIMB_WORK, clean, operand, setting, limbs, digitsOf, isNumber } = V8VM.v1.operands;

  const CONFIG = {
    __proto__: null,
    DECIMAL_PLACES: 50,
    POW_PRECISION: 50,
    ROUNDING_MODE: FERAL_BIG_NUMBER.ROUND_DOWN,
    RANGE: 1e7,
    // The library asks the object itself what it holds.
    hasOwnProperty: (name) => name !== 'hasOwnProperty' && name in CONFIG,
  };
  const GAS = V8VM.prices.number;
  const {
    make: MAKE_WORK, method: METHOD_WORK, unpriced: WRITTEN_WORK, root: ROOT_WORK, binary: POWER_WORK, quotient: QUOTIENT_WORK, product: PRODUCT_WORK,
    digit: DIGIT_WORK, otherBase: OTHER_BASE_WORK, square: BASE_WORK,
  } = V8VM.workPrices.number;
  const FEW_LIMBS = 6; // of both operands: gas pays for them
  const MAX_PLACES = 1e9; // more is an error

  const FERAL_CONFIG = FERAL_BIG_NUMBER.config;
  FERAL_CONFIG(CONFIG);

  const prototype = FERAL_BIG_NUMBER.prototype;

  // -- prices ------------------------------------------------------------------------------------------------------

  const digits = (value) => (value === undefined || value === null ? 0 : number(value.toString().length));

  const FLAT = ['absoluteValue', 'abs', 'isFinite', 'isInteger', 'isNaN', 'isNegative', 'isPositive', 'isZero', 'negated'];
  const BY_SUM = { // for each digit of both operands
    sum: ['plus', 'minus', 'dividedBy', 'div', 'dividedToIntegerBy', 'idiv', 'mod'], // `modulo` is free in the reference
    times: ['multipliedBy', 'times'],
    compare: [
      'isEqualTo', 'eq', 'isGreaterThan', 'gt', 'isGreaterThanOrEqualTo', 'gte', 'isLessThan', 'lt', 'isLessThanOrEqualTo', 'lte',
    ],
  };
  const BY_PRODUCT = ['exponentiatedBy', 'pow'];
  const BY_DIGITS = ['integerValue', 'squareRoot', 'sqrt', 'toFixed'];

  const prices = { __proto__: null };
  for (const name of FLAT) prices[name] = () => 0;
  for (const rate in BY_SUM) {
    for (const name of BY_SUM[rate]) prices[name] = (self, other) => GAS[rate] * (digits(self) + digits(other));
  }
  for (const name of BY_PRODUCT) prices[name] = (self, other) => GAS.product * digits(self) * (other === undefined || other === null ? 1 : digits(other));
  for (const name of BY_DIGITS) prices[name] = (self) => GAS.digits * digits(self);

  // -- work --------------------------------------------------------------------------------------------------------

  const places = (count) => (typeof count === 'number' && count > 0 && count <= MAX_PLACES ? count : 0);
  const payDigits = (self, count) => meter.work(DIGIT_WORK * (digitsOf(self) + places(count)));
  const payProduct = (self, [other]) => meter.work(PRODUCT_WORK * limbs(self) * limbs(other));

  // A power squares for each binary digit of the exponent, what grows with each.
  function payPower(self, [other]) {
    const digit = isObject(other) && other.c !== null ? other.c[0] : 1;
    const count = 1 + MathLog2(digit > 1 ? digit : 1);
    meter.work(POWER_WORK * count * count);
  }
  const payRoot = () => meter.work(ROOT_WORK);
  const payQuotient = () => meter.work(QUOTIENT_WORK);

  // Work of a method beside looking at its operands.
  const works = {
    __proto__: null,
    pow: payPower,
    exponentiatedBy: payPower,
    div: payQuotient,
    sqrt: payRoot,
    squareRoot: payRoot,
    dividedBy: payQuotient,
    times: payProduct,
    multipliedBy: payProduct,
    toFixed: (self, [count]) => payDigits(self, count),
    toFormat: (self, [count]) => payDigits(self, count),
    toExponential: (self, [count]) => meter.work(DIGIT_WORK * places(count)),
    toPrecision: (self, [count]) => meter.work(DIGIT_WORK * places(count)),
    toString(self, [base]) {
      if (base === undefined || base === null) return;
      const count = digitsOf(self);
      payDigits(self, 0);
      meter.work(OTHER_BASE_WORK + BASE_WORK * count * count);
    },
  };

  // -- wrapping ----------------------------------------------------------------------------------------------------

  let inside = false; // whether the library is at work: its operands are clean

  // What a method's arguments are: numbers (the second one of most is the base of the first), or settings.
  const SETTINGS = new Set([
    'decimalPlaces', 'dp', 'precision', 'sd', 'toExponential', 'toFixed', 'toFormat', 'toPrecision', 'integerValue', 'shiftedBy', 'toString',
  ]);
  const SECOND_NUMBER = new Set(['exponentiatedBy', 'pow']);

  function makeAllSettings(args) {
    for (let i = 0; i < args.length; i++) args[i] = setting(args[i]);
  }

  function makeBothNumbers(args) {
    for (let i = 0; i < args.length; i++) args[i] = operand(args[i]);
  }

  function makeNumber(args) {
    for (let i = 1; i < args.length; i++) args[i] = setting(args[i]);
    if (args.length > 0) args[0] = operand(args[0], args[1]);
  }

  function wrap(name) {
    const { value: feral } = ObjectGetOwnPropertyDescriptor(prototype, name);
    const price = prices[name];
    const work = works[name];
    const makeClean = SETTINGS.has(name) ? makeAllSettings : SECOND_NUMBER.has(name) ? makeBothNumbers : makeNumber;
    const pay = (self, args) => {
      const count = limbs(self) + (args.length > 0 ? limbs(args[0]) : 0);
      if (count > FEW_LIMBS) meter.work(count * LIMB_WORK);
      if (work !== undefined) work(self, args);
    };
    return {
      [name](...args) {
        if (inside) {
          if (price !== undefined) meter.charge(GAS.call + price(this, args[0]));
          pay(this, args);
          return FunctionPrototypeApply(feral, this, args);
        }
        meter.work(price === undefined ? METHOD_WORK + WRITTEN_WORK : METHOD_WORK);
        const saved = enterLibrary(); // fields may be accessors
        const self = clean(this);
        const isForeign = isObject(args[0]) && !isNumber(args[0]); // its `toString` is the contract's
        if (price !== undefined && isForeign) meter.charge(GAS.call + price(self, args[0]));
        makeClean(args);
        meter.depth = saved;
        inside = true;
        try {
          if (price !== undefined && !isForeign) meter.charge(GAS.call + price(self, args[0]));
          pay(self, args);
          return FunctionPrototypeApply(feral, self, args);
        } finally {
          inside = false;
        }
      },
    }[name];
  }

  const wrapped = {};
  for (const name of ReflectOwnKeys(prototype)) if (name !== 'constructor' && name !== '_isBigNumber') wrapped[name] = wrap(name);

  // -- the constructor and its functions -----------------------------------------------------------------------------

  function BigNumber(...args) {
    meter.charge(GAS.call);
    meter.work(MAKE_WORK);
    const saved = enterLibrary();
    makeNumber(args);
    const made = ReflectConstruct(FERAL_BIG_NUMBER, args, new.target ?? BigNumber);
    const isAnew = new.target === undefined && isNumber(this); // as a method of a number, it makes that number anew
    if (isAnew) ObjectAssign(this, made);
    meter.depth = saved;
    return isAnew ? undefined : made;
  }

  // `max` and the like take numbers, or one list of them.
  const extreme = (name) => {
    const feral = FERAL_BIG_NUMBER[name];
    return {
      [name](...args) {
        const list = ArrayIsArray(args[0]) ? args[0] : args;
        const { length } = list;
        meter.work(METHOD_WORK * (1 + length));
        const items = [];
        const saved = enterLibrary();
        for (let i = 0; i < length; i++) items[i] = operand(list[i]);
        meter.depth = saved;
        inside = true;
        try {
          return FunctionPrototypeApply(feral, FERAL_BIG_NUMBER, items);
        } finally {
          inside = false;
        }
      },
    }[name];
  };

  const statics = {
    isBigNumber(value) {
      const saved = enterLibrary();
      const answer = FERAL_BIG_NUMBER.isBigNumber(value);
      meter.depth = saved;
      return answer;
    },
  };
  for (const name of ['max', 'maximum', 'min', 'minimum']) statics[name] = extreme(name);

  // An operation that a stop cut short may leave the library in a state that it holds only for a while. What sets it right is
  // partly priced, and must not be stopped.
  const reset = () => meter.aside(() => FERAL_CONFIG(CONFIG));

  V8VM.v1.numbers = { BigNumber, FERAL_BIG_NUMBER, wrapped, statics, prototype, reset };
})(globalThis.V8VM);
