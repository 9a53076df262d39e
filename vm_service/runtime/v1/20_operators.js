// Operators and templates of images. Numbers take the engine's own operators; anything else is converted and charged
// here, exactly as the reference does it.
(function (V8VM) {
  'use strict';

  const { ObjectAssign } = V8VM.primordials;
  const { meter } = V8VM;
  const { isObject, primitive, number, text, textLength, scan, remembered } = V8VM.v1.convert;

  const { run: OPERATOR_GAS, template: TEMPLATE_GAS, substitution: SUBSTITUTION_GAS } = V8VM.prices.operator;
  const { call: CONCAT_GAS, unit: CONCAT_GAS_PER_UNIT } = V8VM.prices.string;

  // -- `name` charges the dynamic price, `namePaid` finds it charged --------------------------------------------------

  function addPaid(left, right) {
    if (typeof left === 'number' && typeof right === 'number') return left + right;
    const a = isObject(left) ? primitive(left, 'default') : left;
    const b = isObject(right) ? primitive(right, 'default') : right;
    if (typeof a !== 'string' && typeof b !== 'string') return a + b;
    const joined = text(a) + text(b);
    meter.charge(joined.length);
    return remembered(joined);
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

  ObjectAssign(V8VM.v1.helpers, OPERATORS, { template });
})(globalThis.V8VM);
