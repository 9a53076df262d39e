// Conversions as the language makes them, for code that must count or charge what they do: converting an object runs
// contract code or priced methods, and long texts take time to read, or to become a name.
(function (V8VM) {
  'use strict';

  const { FunctionPrototypeCall, ObjectGetPrototypeOf, RangeError, String, SymbolPrototypeGetDescription, SymbolToPrimitive, TypeError } = V8VM.primordials;
  const { meter } = V8VM;
  const { isObject, enter } = V8VM.v1;
  const { MAX_NAME } = V8VM.permits;

  const PRIMITIVE_SLOTS = 60; // stack of a conversion
  const { read: READ_WORK, readDigits: DIGIT_WORK, told: TOLD_WORK } = V8VM.workPrices.text;
  const LONG_RESULT = 100000; // units: nothing longer can be stored or returned
  const { step: STEP_WORK, longName: NAME_WORK } = V8VM.workPrices.object;
  const LONG_TEXT = 64;
  const PLAIN_DIGITS = 20; // units: no more are read quickly, whatever they say
  const FREE_STEPS = 8;
  const { shown: SHOWN_WORK } = V8VM.workPrices.other;

  // Each of the names that a conversion asks for may be looked for in all prototypes.
  function payChain(value) {
    let steps = -FREE_STEPS;
    for (let at = ObjectGetPrototypeOf(value); at !== null; at = ObjectGetPrototypeOf(at)) steps++;
    if (steps > 0) meter.work(steps * STEP_WORK);
  }

  // The primitive value of an object, as the language converts it; what it calls is contract code or priced methods.
  function primitive(value, hint) {
    const saved = enter(PRIMITIVE_SLOTS);
    if (meter.toll > 0) payChain(value);
    const result = convert(value, hint);
    meter.depth = saved;
    return result;
  }

  function convert(value, hint) {
    const exotic = value[SymbolToPrimitive];
    if (exotic !== undefined && exotic !== null) {
      const result = FunctionPrototypeCall(exotic, value, hint);
      if (isObject(result)) throw new TypeError('Cannot convert object to primitive value');
      return result;
    }
    const order = hint === 'string' ? ['toString', 'valueOf'] : ['valueOf', 'toString'];
    for (let i = 0; i < 2; i++) {
      const method = value[order[i]];
      if (typeof method !== 'function') continue;
      const result = FunctionPrototypeCall(method, value);
      if (!isObject(result)) return result;
    }
    throw new TypeError('Cannot convert object to primitive value');
  }

  // A text so long that no result can hold it. The engine puts the texts of an operation that fails into its error, at no price. An
  // error ends the call, but for the iterators of the loops that it leaves: each may fail on its way, unseen. So the loops pay.
  function remember(length) {
    if (length <= LONG_RESULT) return;
    const step = meter.toll + ((length * TOLD_WORK) | 0);
    if (step > meter.step) meter.step = step;
  }

  function remembered(text) {
    remember(text.length);
    return text;
  }

  function scan(text, times = 1) {
    if (text.length > LONG_TEXT) meter.work(text.length * READ_WORK * times);
  }

  // The same of a text that is read as a number: digits beyond what a number holds are computed with large integers.
  function scanNumber(text) {
    if (text.length > PLAIN_DIGITS) meter.work((text.length > LONG_TEXT ? LONG_TEXT : text.length) * DIGIT_WORK);
    scan(text);
  }

  // ToNumber.
  function number(value) {
    if (typeof value === 'number') return value;
    const plain = isObject(value) ? primitive(value, 'number') : value;
    if (typeof plain === 'string') scanNumber(plain);
    return +plain;
  }

  // ToString.
  function text(value) {
    if (typeof value === 'string') return value;
    return isObject(value) ? `${primitive(value, 'string')}` : `${value}`;
  }

  // The text of something that holds others, made anew: whoever looks at it walks all of it.
  function madeText(text) {
    scan(text);
    return remembered(text);
  }

  // A value as `String` shows it: a symbol as well.
  function shown(value) {
    if (typeof value !== 'symbol') return text(value);
    meter.work(SHOWN_WORK);
    return madeText(String(value));
  }

  // ToPropertyKey.
  function propertyKey(value) {
    const plain = isObject(value) ? primitive(value, 'string') : value;
    return typeof plain === 'symbol' || typeof plain === 'string' ? plain : `${plain}`;
  }

  // Pays for a text that becomes a name: of a property, a symbol or a module. Each must be hashed, and compared with a known one.
  function payName(text) {
    if (text.length <= LONG_TEXT) return;
    if (text.length > MAX_NAME) refuseName();
    meter.work(text.length * NAME_WORK);
  }

  function refuseName() {
    throw new RangeError(`a name has more than ${MAX_NAME} units`);
  }

  // ToPropertyKey of a key that is about to be used.
  function nameOf(value) {
    const name = propertyKey(value);
    if (typeof name === 'string') payName(name);
    return name;
  }

  // The same for reads, most of which are of short texts and numbers: these stay what they are.
  const name = (value) => ((typeof value === 'string' && value.length <= LONG_TEXT) || typeof value === 'number' ? value : nameOf(value));

  // The same of a computed name in a literal or class: the function that stands there gets a text made of it.
  function naming(value) {
    const key = name(value);
    if (typeof key === 'symbol') scan(SymbolPrototypeGetDescription(key) ?? '', 2); // it is copied, and made flat
    return key;
  }

  // Length that a comparison with text pays for. What is no text is asked twice for it, and pays what that costs, as in the reference.
  function textLength(value) {
    if (typeof value === 'string') return value.length;
    return value === null || value === undefined || number(value.toString().length) <= 0 ? 0 : number(value.toString().length);
  }

  V8VM.v1.convert = {
    isObject, primitive, number, text, shown, madeText, SHOWN_WORK, propertyKey, payName, refuseName, nameOf, name, naming, textLength, scan, scanNumber, remember, remembered, LONG_TEXT, LONG_RESULT, MAX_NAME,
    READ_WORK,
  };
})(globalThis.V8VM);
