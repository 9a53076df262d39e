// Decimal numbers as the chain keeps them: a signed 64-bit integer and a count of decimals. Never floating point.
(function (V8VM) {
  'use strict';

  const { BigInt, StringPrototypeCharCodeAt, StringPrototypePadStart, StringPrototypeSlice } = V8VM.primordials;

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

  const FORMAT = 'amount format error';
  const CHARACTER = 'abnormal char in amount';
  const POINTS = 'multi decimal point error';
  const OVERFLOW = 'overflow error';
  const MINUS = 45;
  const POINT = 46;

  const isDigit = (code) => code >= 48 && code <= 57;

  // The digits from `from` on: {whole, fraction, problem}. Reading ends at the digit that fills the decimals, whatever follows.
  function digitsOf(text, from, decimals) {
    let point = -1;
    let problem;
    let i = from;
    for (; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (isDigit(code)) {
        if (point >= 0 && i - point >= decimals) {
          i++;
          break;
        }
      } else if (code === POINT && point < 0) point = i;
      else {
        problem = code === POINT ? POINTS : CHARACTER;
        break;
      }
    }
    const whole = StringPrototypeSlice(text, from, point < 0 ? i : point);
    return { whole, fraction: point < 0 ? '' : StringPrototypeSlice(text, point + 1, i), problem };
  }

  // Reads decimal text, cutting digits beyond `decimals`. Returns {value} or {error: the reference's words for what is wrong}.
  // Each minus sign in front turns the number around.
  function parse(text, decimals) {
    let from = 0;
    while (from < text.length && StringPrototypeCharCodeAt(text, from) === MINUS) from++;
    if (from === text.length || StringPrototypeCharCodeAt(text, from) === POINT) return { error: FORMAT };
    const { whole, fraction, problem } = digitsOf(text, from, decimals);
    const read = int64(whole + fraction, false); // the digit that is cut off again counts for overflow
    if (read === null) return { error: OVERFLOW };
    if (problem !== undefined) return { error: problem };
    const scaled = fraction.length > decimals ? read / 10n : read * POWERS[decimals - fraction.length];
    if (scaled > INT64_MAX) return { error: OVERFLOW };
    return { value: from % 2 === 1 ? -scaled : scaled };
  }

  // Whether the text is digits with at most one point between digits: ^([0-9]+[.])?[0-9]+$
  function isPlain(text) {
    if (text === '' || text[0] === '.' || text[text.length - 1] === '.') return false;
    let points = 0;
    for (let i = 0; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (!isDigit(code) && (code !== POINT || ++points > 1)) return false;
    }
    return true;
  }

  V8VM.decimal = { INT64_MAX, POWERS, int64, format, formatFixed, parse, isPlain };
})(globalThis.V8VM);
