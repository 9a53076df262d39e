// Int64: whole numbers of 64 bits, held as a BigNumber in `number`.
(function (V8VM) {
  'use strict';

  const { Error } = V8VM.primordials;
  const { meter } = V8VM;
  const { enterLibrary } = V8VM.v1;
  const { BigNumber } = V8VM.v1.numbers;

  let MAX;
  let MIN;

  class Int64 {
    constructor(n, base) {
      const saved = enterLibrary();
      this.number = new BigNumber(n, base);
      this._validate();
      meter.depth = saved;
    }

    _validate() {
      if (!this.number.isInteger()) throw new Error(`Int64: ${this.number} is not an integer`);
      if (this.number.gt(MAX)) throw new Error(`Int64: ${this.number} overflow int64`);
      if (this.number.lt(MIN)) throw new Error(`Int64: ${this.number} underflow int64`);
    }

    _checkArgument(value) {
      if (value === undefined || value === null) throw new Error(`Int64 argument: ${value} is empty`);
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
      return new this.constructor(this.number.idiv(this._checkArgument(value).number));
    }

    mod(value) {
      return new this.constructor(this.number.mod(this._checkArgument(value).number));
    }

    shift(n) {
      return new this.constructor(this.number.shiftedBy(n));
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

  V8VM.v1.countAll(Int64.prototype);
  V8VM.v1.Int64 = Int64;
  V8VM.v1.int64Limits = (max, min) => {
    MAX = max;
    MIN = min;
  };
})(globalThis.V8VM);
