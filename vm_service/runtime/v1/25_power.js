// `**` and Math.pow without the host's math library: the engine asks libm, whose last bit depends on the processor.
//
// A whole exponent is taken by repeated squaring, as the reference's engine does it, rounding by rounding. Any other is
// computed to 220 bits in whole numbers and rounded once, which is what a good math library gives as well.
(function (V8VM) {
  'use strict';

  const { BigInt, MathAbs, MathSqrt, Number, NumberIsInteger } = V8VM.primordials;
  const { meter } = V8VM;

  const BITS = 220n; // fraction bits: 53 of the exponent, 64 of its size, and 100 to decide the rounding
  const ONE = 1n << BITS;
  const { power: FRACTION_WORK } = V8VM.workPrices.number;
  const MAX_WHOLE = 2 ** 31 - 1;
  const MIN_EXPONENT = -1074; // of the smallest number there is
  const MAX_EXPONENT = 1024;
  const MANTISSA_BITS = 53;
  const LN2 = naturalLog(2n, 1n);

  // 2^k, exactly.
  function powerOfTwo(k) {
    let result = 1;
    for (let i = 0; i < k; i++) result *= 2;
    for (let i = 0; i > k; i--) result /= 2;
    return result;
  }

  // ln(a/b) by the series of the inverse hyperbolic tangent; quick when a/b is near 1.
  function naturalLog(a, b) {
    const z = ((a - b) << BITS) / (a + b);
    const square = (z * z) >> BITS;
    let term = z;
    let sum = 0n;
    for (let n = 1n; term !== 0n && term !== -1n; n += 2n) {
      sum += term / n;
      term = (term * square) >> BITS;
    }
    return 2n * sum;
  }

  // x > 0 as {mantissa: bigint, exponent} with x = mantissa * 2^exponent.
  function split(x) {
    let exponent = 0;
    let mantissa = x;
    while (!NumberIsInteger(mantissa)) {
      mantissa *= 2;
      exponent--;
    }
    return { mantissa: BigInt(mantissa), exponent };
  }

  const bitLength = (n) => {
    let bits = 0;
    for (let rest = n; rest > 0n; rest >>= 1n) bits++;
    return bits;
  };

  // e^r for |r| < ln 2, by its series.
  function exponential(r) {
    let sum = ONE;
    let term = ONE;
    for (let n = 1n; term !== 0n && term !== -1n; n++) {
      term = ((term * r) >> BITS) / n;
      sum += term;
    }
    return sum;
  }

  // value * 2^k, rounded once to the nearest number.
  function rounded(value, k) {
    const size = bitLength(value) - Number(BITS) + k; // the result lies in [2^(size-1), 2^size)
    if (size > MAX_EXPONENT) return Infinity;
    const lowest = size - MANTISSA_BITS > MIN_EXPONENT ? size - MANTISSA_BITS : MIN_EXPONENT; // weight of the last bit kept
    const shift = BITS + BigInt(lowest - k);
    if (shift > BITS * 8n) return 0;
    const kept = value >> shift;
    const half = 1n << (shift - 1n);
    const rest = value - (kept << shift);
    const up = rest > half || (rest === half && (kept & 1n) === 1n);
    const last = Number(up ? kept + 1n : kept);
    return lowest < -1000 ? last * powerOfTwo(-1000) * powerOfTwo(lowest + 1000) : last * powerOfTwo(lowest);
  }

  // x > 0, y no whole number.
  function fractional(x, y) {
    meter.work(FRACTION_WORK);
    const base = split(x);
    const bits = bitLength(base.mantissa);
    const log = naturalLog(base.mantissa, 1n << BigInt(bits)) + BigInt(base.exponent + bits) * LN2;
    const factor = split(MathAbs(y));
    const product = (log * factor.mantissa * (y < 0 ? -1n : 1n)) >> BigInt(-factor.exponent);
    const k = product / LN2;
    if (k > 2000n) return Infinity;
    if (k < -2000n) return 0;
    return rounded(exponential(product - k * LN2), Number(k));
  }

  function whole(x, y) {
    let rest = MathAbs(y);
    let square = x;
    let result = 1;
    while (rest > 0) {
      if (rest % 2 === 1) result *= square;
      rest = (rest - (rest % 2)) / 2;
      if (rest > 0) square *= square;
    }
    return y < 0 ? 1 / result : result;
  }

  // What is decided without computing: no number, infinite, or a base of zero. undefined: compute.
  function special(x, y) {
    if (y === 0) return 1;
    if (x !== x || y !== y) return NaN;
    const size = MathAbs(x);
    if (y === Infinity || y === -Infinity) {
      if (size === 1) return NaN;
      return size > 1 === y > 0 ? Infinity : 0;
    }
    if (size !== 0 && size !== Infinity) return x < 0 && !NumberIsInteger(y) ? NaN : undefined;
    const isOdd = NumberIsInteger(y) && MathAbs(y % 2) === 1;
    const large = size === 0 ? y < 0 : y > 0;
    const isNegative = isOdd && (x < 0 || 1 / x < 0);
    if (large) return isNegative ? -Infinity : Infinity;
    return isNegative ? -0 : 0;
  }

  function power(x, y) {
    const known = special(x, y);
    if (known !== undefined) return known;
    if (NumberIsInteger(y) && MathAbs(y) <= MAX_WHOLE) return whole(x, y);
    if (y === 0.5) return MathSqrt(x);
    if (y === -0.5) return 1 / MathSqrt(x);
    if (!NumberIsInteger(y)) return fractional(x, y);
    const size = MathAbs(x); // a whole exponent so large that every base but 1 runs out of range, or nearly so
    const result = size === 1 ? 1 : fractional(size, y);
    return x < 0 && y % 2 !== 0 ? -result : result;
  }

  V8VM.v1.power = power;
})(globalThis.V8VM);
