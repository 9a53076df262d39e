// BigNumber: the npm library as it is, configured and priced. Its inner calls run on the priced built-ins, so they are
// charged as in the reference.
(function (V8VM) {
  'use strict';

  const { FunctionPrototypeCall, ObjectGetOwnPropertyDescriptor, ReflectConstruct } = V8VM.primordials;
  const { meter } = V8VM;

  const FERAL_BIG_NUMBER = globalThis.BigNumber;
  const CONFIG = {
    __proto__: null,
    DECIMAL_PLACES: 50,
    POW_PRECISION: 50,
    ROUNDING_MODE: FERAL_BIG_NUMBER.ROUND_DOWN,
    RANGE: 1e7,
    // The library asks the object itself what it holds.
    hasOwnProperty: (name) => name !== 'hasOwnProperty' && name in CONFIG,
  };
  const BASE_GAS = 20;

  const FERAL_CONFIG = FERAL_BIG_NUMBER.config;
  FERAL_CONFIG(CONFIG);

  const prototype = FERAL_BIG_NUMBER.prototype;

  // -- prices ------------------------------------------------------------------------------------------------------

  const FLAT = ['absoluteValue', 'abs', 'isFinite', 'isInteger', 'isNaN', 'isNegative', 'isPositive', 'isZero', 'negated'];
  const BY_SUM = { // gas for each digit of both operands
    plus: 10, minus: 10, dividedBy: 10, div: 10, dividedToIntegerBy: 10, idiv: 10, modulo: 10, mod: 10, multipliedBy: 4, times: 4,
    isEqualTo: 2, eq: 2, isGreaterThan: 2, gt: 2, isGreaterThanOrEqualTo: 2, gte: 2, isLessThan: 2, lt: 2, isLessThanOrEqualTo: 2, lte: 2,
  };
  const BY_PRODUCT = { exponentiatedBy: 10, pow: 10 };
  const BY_DIGITS = { integerValue: 4, squareRoot: 4, sqrt: 4, toFixed: 4 };

  const digits = (value) => (value === undefined || value === null ? 0 : value.toString().length);

  const wrapped = {};

  function wrap(name, price) {
    const { value: feral } = ObjectGetOwnPropertyDescriptor(prototype, name);
    wrapped[name] = {
      [name](...args) {
        meter.charge(BASE_GAS + price(this, args[0]));
        return FunctionPrototypeCall(feral, this, ...args);
      },
    }[name];
  }

  for (const name of FLAT) wrap(name, () => 0);
  for (const name in BY_SUM) wrap(name, (self, other) => BY_SUM[name] * (digits(self) + digits(other)));
  for (const name in BY_PRODUCT) wrap(name, (self, other) => BY_PRODUCT[name] * digits(self) * digits(other));
  for (const name in BY_DIGITS) wrap(name, (self) => BY_DIGITS[name] * digits(self));

  function BigNumber(...args) {
    meter.charge(BASE_GAS);
    return ReflectConstruct(FERAL_BIG_NUMBER, args, new.target ?? BigNumber);
  }

  // An operation that a stop cut short may leave the library in a state that it holds only for a while.
  const reset = () => FERAL_CONFIG(CONFIG);

  V8VM.v1.numbers = { BigNumber, FERAL_BIG_NUMBER, wrapped, prototype, reset };
})(globalThis.V8VM);
