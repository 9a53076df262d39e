// Float64: decimals of the range of 64-bit numbers, held as a BigNumber in `number`. Int64's twin, line by line: a contract sees the
// names of both classes, the order of their methods, and that no method of one is the other's.
(function (V8VM) {
  'use strict';

  const { Error } = V8VM.primordials;
  const { meter } = V8VM;
  const { enterLibrary } = V8VM.v1;
  const { BigNumber } = V8VM.v1.numbers;

  let MAX;
  let MIN;

  class Float64 {
    constructor(n, base) {
      const saved = enterLibrary();
      this.number = new BigNumber(n, base);
      this._validate();
      meter.depth = saved;
    }

    _validate() {
      if (this.number.gt(MAX)) throw new Error(`Float64: ${this.number} overflow float64`);
      if (this.number.lt(MIN)) throw new Error(`Float64: ${this.number} underflow float64`);
    }

    _checkArgument(value) {
      if (value === undefined || value === null) throw new Error(`float64 argument: ${value} is empty`);
      const argument = value instanceof this.constructor ? value : new this.constructor(value);
      argument._validate(); // once more, as the reference does: it is priced
      return argument;
    }

    plus(value) {
      return new this.constructor(this.number.plus(this._checkArgument(value).number));
    }

    minus(value) {
      return new this.constructor(this.number.minus(this._checkArgument(value).number));
    }

    multi(value) {
      return new this.constructor(this.number.times(this._checkArgument(value).number));
    }

    div(value) {
      return new this.constructor(this.number.div(this._checkArgument(value).number));
    }

    mod(value) {
      return new this.constructor(this.number.mod(this._checkArgument(value).number));
    }

    pow(n) {
      return new this.constructor(this.number.pow(this._checkArgument(n).number));
    }

    eq(value) {
      return this.number.eq(this._checkArgument(value).number);
    }

    gt(value) {
      return this.number.gt(this._checkArgument(value).number);
    }

    gte(value) {
      return this.number.gte(this._checkArgument(value).number);
    }

    lt(value) {
      return this.number.lt(this._checkArgument(value).number);
    }

    lte(value) {
      return this.number.lte(this._checkArgument(value).number);
    }

    negated() {
      return new this.constructor(this.number.negated());
    }

    isZero() {
      return this.number.isZero();
    }

    isPositive() {
      return this.number.isPositive();
    }

    isNegative() {
      return this.number.isNegative();
    }

    toString() {
      return this.number.toString();
    }

    toFixed(n) {
      return this.number.toFixed(n);
    }

    toJSON() {
      return this.number.toJSON();
    }
  }

  V8VM.v1.countAll(Float64.prototype);
  V8VM.v1.Float64 = Float64;
  V8VM.v1.float64Limits = (max, min) => {
    MAX = max;
    MIN = min;
  };
})(globalThis.V8VM);
