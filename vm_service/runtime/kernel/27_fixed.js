// Arithmetic of decimals that carry their own count of decimals, {value: bigint, decimals}: how gas is counted. A sum has the
// decimals of the finer side, a product those of both, trailing zeros aside.
(function (V8VM) {
  'use strict';

  const { BigInt, MathRound, Number } = V8VM.primordials;
  const { INT64_MAX, POWERS } = V8VM.decimal;

  const of = (value, decimals) => ({ value, decimals });

  // The same number with another count of decimals; digits are cut, not rounded.
  function rescale({ value, decimals }, wanted) {
    return of(wanted >= decimals ? value * POWERS[wanted - decimals] : value / POWERS[decimals - wanted], wanted);
  }

  function shrink({ value, decimals }) {
    let [shrunk, left] = [value, decimals];
    while (left > 0 && shrunk % 10n === 0n) {
      shrunk /= 10n;
      left--;
    }
    return of(shrunk, left);
  }

  const finer = (a, b) => (a.decimals > b.decimals ? a.decimals : b.decimals);
  const sum = (a, b) => of(rescale(a, finer(a, b)).value + rescale(b, finer(a, b)).value, finer(a, b));
  const negate = ({ value, decimals }) => of(-value, decimals);
  const less = (a, b) => rescale(a, finer(a, b)).value < rescale(b, finer(a, b)).value;

  function product(a, b) {
    const [left, right] = [shrink(a), shrink(b)];
    return of(left.value * right.value, left.decimals + right.decimals);
  }

  // Rounded in the last decimal. REQUIRES: nothing negative; `factor` is a double, as in the reference.
  const times = ({ value, decimals }, factor) => of(BigInt(MathRound(Number(value) * factor)), decimals);

  const fits = ({ value }) => value <= INT64_MAX && value >= -INT64_MAX;

  V8VM.fixed = { of, rescale, sum, negate, less, product, times, fits };
})(globalThis.V8VM);
