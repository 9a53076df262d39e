// Operands of the number library. The library trusts the fields of its numbers and turns objects into texts while it
// works; contracts can write the fields and bring the objects. So it only ever gets numbers that were looked at and
// copied, and texts: none of its loops runs on what a contract made up, and no code of a contract runs inside it.
(function (V8VM) {
  'use strict';

  const { Array, Error, MathFloor, RegExpPrototypeTest } = V8VM.primordials;
  const { meter } = V8VM;
  const { isObject, primitive, text } = V8VM.v1.convert;

  const FERAL_BIG_NUMBER = globalThis.BigNumber;
  const LIMB = 1e14; // a number is a list of limbs, most significant first
  const LIMB_DIGITS = 14;
  const MAX_EXPONENT = 1e7;
  const { limb: LIMB_WORK, textUnit: UNIT_WORK, textSquare: SQUARE_WORK } = V8VM.workPrices.number;
  const PLAIN_TEXT = 32; // units: whatever it says, quickly read

  const { isArray } = Array; // the engine's own, which it inlines
  const isWhole = (value) => typeof value === 'number' && value % 1 === 0;

  const NUMERIC = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;

  // A number of the library with these fields, made without its constructor.
  function Copy(s, e, c) {
    this.s = s;
    this.e = e;
    this.c = c;
  }
  Copy.prototype = FERAL_BIG_NUMBER.prototype;

  const isNumber = (value) => value instanceof FERAL_BIG_NUMBER;

  function malformed() {
    throw new Error('[BigNumber Error] Not a BigNumber');
  }

  function copyLimbs(c) {
    if (!isArray(c)) malformed();
    const { length } = c;
    if (length > 1) meter.work(length * LIMB_WORK);
    if (length === 0) malformed();
    const limbs = [];
    for (let i = 0; i < length; i++) {
      const limb = c[i];
      if (!isWhole(limb) || limb < 0 || limb >= LIMB) malformed();
      limbs[i] = limb;
    }
    return limbs;
  }

  // A copy of a number that a contract holds; throws when it is none. Each field is read once.
  function clean(value) {
    if (!isObject(value)) malformed();
    const { s, e, c } = value;
    if (s !== 1 && s !== -1 && s !== null) malformed();
    if (c === null && e === null) return new Copy(s, null, null);
    if (s === null || !isWhole(e) || e > MAX_EXPONENT || e < -MAX_EXPONENT) malformed();
    return new Copy(s, e, copyLimbs(c));
  }

  // Work of reading a text in some base; `base` as a contract gave it.
  function payText(value, base) {
    const { length } = value;
    const isOther = base !== undefined && base !== null && base !== 10;
    if (length <= PLAIN_TEXT && !isOther) return;
    meter.work(length * UNIT_WORK);
    if (isOther || !RegExpPrototypeTest(NUMERIC, value)) meter.work(length * length * SQUARE_WORK);
  }

  // What the library may take for a number: a clean copy, a text, or a primitive value.
  function operand(value, base) {
    if (isNumber(value)) return clean(value);
    const plain = isObject(value) ? `${primitive(value, 'default')}` : value;
    if (typeof plain === 'string') payText(plain, base);
    return plain;
  }

  // What it may take for a count, a base or a rounding mode: objects are none, and are shown in the error as texts.
  const setting = (value) => (isObject(value) ? text(value) : value);

  // Limbs of what `operand` gave.
  function limbs(value) {
    if (typeof value === 'string') return 1 + MathFloor(value.length / LIMB_DIGITS);
    return isObject(value) && value.c !== null ? value.c.length : 1;
  }

  // Digits that a number has when it is written without an exponent.
  function digitsOf({ c, e }) {
    if (c === null) return 0;
    return c.length * LIMB_DIGITS + (e < 0 ? -e : e);
  }

  V8VM.v1.operands = { FERAL_BIG_NUMBER, LIMB_WORK, clean, operand, setting, limbs, digitsOf, isNumber };
})(globalThis.V8VM);
