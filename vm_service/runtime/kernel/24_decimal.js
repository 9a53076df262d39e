// Decimal numbers as the chain keeps them: a signed 64-bit integer and a count of decimals. Never floating point.
(function (V8VM) {
  'use strict';

  const {
    BigInt, StringPrototypeCharCodeAt, StringPrototypeIndexOf, StringPrototypePadEnd, StringPrototypePadStart, StringPrototypeSlice,
  } = V8VM.primordials;

  const INT64_MAX = 2n ** 63n - 1n;
  const INT64_MIN = -(2n ** 63n);
  const MAX_DIGITS = 19;
  const POWERS = [];
  for (let i = 0, power = 1n; i <= 18; i++, power *= 10n) POWERS[i] = power;

  const fitsInt64 = (value) => value <= INT64_MAX && value >= INT64_MIN;

  // Text of `value` / 10^decimals without trailing zeros: 1230n, 3 -> "1.23".
  function format(value, decimals) {
    if (decimals === 0) return `${value}`;
    const negative = value < 0n;
    const digits = StringPrototypePadStart(`${negative ? -value : value}`, decimals + 1, '0');
    const whole = StringPrototypeSlice(digits, 0, digits.length - decimals);
    let end = digits.length;
    while (end > whole.length && digits[end - 1] === '0') end--;
    const fraction = StringPrototypeSlice(digits, whole.length, end);
    return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
  }

  // Text with exactly `decimals` digits after the point: how a decimal is stored.
  function formatFixed(value, decimals) {
    if (decimals === 0) return `${value}`;
    const negative = value < 0n;
    const digits = StringPrototypePadStart(`${negative ? -value : value}`, decimals + 1, '0');
    const cut = digits.length - decimals;
    return `${negative ? '-' : ''}${StringPrototypeSlice(digits, 0, cut)}.${StringPrototypeSlice(digits, cut)}`;
  }

  // Index of the first character that is neither a digit nor the first point, or -1.
  function badDigit(text, from) {
    let points = 0;
    for (let i = from; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (code === 46 && ++points === 1) continue;
      if (code < 48 || code > 57) return i;
    }
    return -1;
  }

  // Number of digits after leading zeros; what has more than an int64 is never turned into a number.
  function significant(digits) {
    let zeros = 0;
    while (zeros < digits.length && digits[zeros] === '0') zeros++;
    return digits.length - zeros;
  }

  // The int64 that digits write, or null when they write none.
  function int64(digits, negative) {
    if (significant(digits) > MAX_DIGITS) return null;
    const value = negative ? -BigInt(digits) : BigInt(digits);
    return fitsInt64(value) ? value : null;
  }

  // Reads decimal text, cutting digits beyond `decimals`. Returns {value} or {error: what is wrong}.
  function parse(text, decimals) {
    if (text === '' || text[0] === '.') return { error: 'amount string is empty or starts with a point' };
    const from = text[0] === '-' || text[0] === '+' ? 1 : 0;
    if (from === text.length || text[from] === '.' || badDigit(text, from) >= 0) return { error: 'amount string is not a decimal' };
    const point = StringPrototypeIndexOf(text, '.');
    const whole = StringPrototypeSlice(text, from, point < 0 ? text.length : point);
    const fraction = point < 0 ? '' : StringPrototypeSlice(text, point + 1, point + 1 + decimals);
    const value = int64(whole + StringPrototypePadEnd(fraction, decimals, '0'), text[0] === '-');
    return value === null ? { error: 'overflow' } : { value };
  }

  // Whether the text is digits with at most one point between digits: ^([0-9]+[.])?[0-9]+$
  function isPlain(text) {
    if (text === '' || text[0] === '.' || text[text.length - 1] === '.') return false;
    return badDigit(text, 0) < 0;
  }

  V8VM.decimal = { INT64_MAX, POWERS, int64, format, formatFixed, parse, isPlain };
})(globalThis.V8VM);
