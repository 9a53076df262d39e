// String methods at their price: gas of the reference first, then the engine's own method. Free work covers what the
// reference does not price (long search texts, very long results).
(function (V8VM) {
  'use strict';

  const {
    RegExp, RegExpPrototypeTest, String, StringPrototypeCharAt, StringPrototypeCharCodeAt, StringPrototypeEndsWith,
    StringPrototypeIncludes, StringPrototypeIndexOf, StringPrototypeLastIndexOf, StringPrototypeRepeat, StringPrototypeReplace,
    StringPrototypeSearch, StringPrototypeSlice, StringPrototypeSymbolIterator, StringPrototypeSplit, StringPrototypeStartsWith, StringPrototypeSubstring,
    StringPrototypeToLowerCase, StringPrototypeToUpperCase, StringPrototypeTrim, StringPrototypeTrimEnd, StringPrototypeTrimStart,
    StringPrototypeValueOf, SymbolIterator, TypeError, RangeError, ReflectConstruct,
  } = V8VM.primordials;
  const { meter } = V8VM;
  const { enterLibrary } = V8VM.v1;
  const { text, number, isObject, scan, shown: describe, remember, remembered, LONG_TEXT, LONG_RESULT } = V8VM.v1.convert;

  const { call: CALL, unit: PER_UNIT } = V8VM.prices.string;
  const NEEDLE_UNITS = 64; // up to here a search costs what the reference charges; beyond, length times length counts
  const {
    longNeedle: LONG_WORK, shortNeedle: SHORT_WORK, backward: BACKWARD_WORK, splitUnit: SPLIT_WORK, longUnit: LONG_UNIT_WORK, rawUnit: RAW_WORK, code: CODE_WORK, caseUnit: CASE_WORK, caseBeyond: BEYOND_WORK, make: CALL_WORK,
    part: PART_WORK, readArgument: READ_WORK, read: UNIT_WORK,
  } = V8VM.workPrices.text;
  const { radix: FRACTION_WORK } = V8VM.workPrices.number;
  const LONG_SELF = 1000; // units: up to here gas pays for any search
  const MAX_LENGTH = 2 ** 29 - 24; // V8's longest string

  // `this` as text; the methods are generic, as the language's are.
  function own(value, name) {
    if (typeof value === 'string') return value;
    if (value === null || value === undefined) throw new TypeError(`String.prototype.${name} called on null or undefined`);
    return text(value);
  }

  // The same for the methods that the reference hands String(this).
  const shown = (value) => (typeof value === 'string' ? value : describe(value));

  function pay(self) {
    meter.take((CALL + PER_UNIT * self.length) | 0);
  }

  // A long needle is looked at also when it cannot be found.
  function paySearch(self, needle) {
    scan(needle);
    if (needle.length > NEEDLE_UNITS) meter.work(self.length * needle.length * LONG_WORK);
    else if (self.length > LONG_SELF) meter.work(self.length * (1 + needle.length) * SHORT_WORK);
  }

  // From the end, the engine compares the whole search text at every place.
  function payBackward(self, needle) {
    scan(needle);
    if (self.length > LONG_SELF) meter.work(self.length * needle.length * BACKWARD_WORK);
  }

  // Case of letters beyond ASCII is looked up one by one.
  function payCase(self) {
    meter.work(CALL_WORK);
    if (self.length > NEEDLE_UNITS) meter.work(self.length * (RegExpPrototypeTest(ASCII, self) ? CASE_WORK : BEYOND_WORK));
    grown(self.length);
  }

  // Memory of long results.
  function grown(length) {
    if (length <= LONG_RESULT) return;
    meter.work(length * LONG_UNIT_WORK);
    remember(length);
  }

  // A position argument: left as it is when absent, else a number.
  const position = (value) => (value === undefined ? undefined : number(value));

  const isPattern = (value) => value instanceof RegExp;

  function refusePattern(value, name) {
    if (isPattern(value)) throw new TypeError(`First argument to String.prototype.${name} must not be a regular expression`);
    return text(value);
  }

  // What a text is searched for: a text. Objects, which could take the search over by a symbol, are refused.
  function needleOf(value, name) {
    if (isObject(value)) throw new TypeError(`First argument to String.prototype.${name} must be a string`);
    return text(value);
  }

  const ASCII = /^[\x00-\x7f]*$/;
  const SPECIAL = /[\\^$.*+?()[\]{}|]/;

  const methods = {
    charAt(index) {
      meter.take(CALL);
      return StringPrototypeCharAt(own(this, 'charAt'), number(index));
    },
    charCodeAt(index) {
      meter.take(CALL);
      return StringPrototypeCharCodeAt(own(this, 'charCodeAt'), number(index));
    },
    valueOf() {
      meter.take(CALL);
      return StringPrototypeValueOf(this);
    },
    concat(...parts) {
      let joined = own(this, 'concat');
      for (let i = 0; i < parts.length; i++) {
        const part = text(parts[i]);
        if (joined.length + part.length > MAX_LENGTH) throw new RangeError('Invalid string length');
        joined += part;
      }
      meter.charge(CALL + PER_UNIT * joined.length);
      grown(joined.length);
      return joined;
    },
    includes(search, start) {
      const self = shown(this);
      pay(self);
      const needle = refusePattern(search, 'includes');
      paySearch(self, needle);
      return StringPrototypeIncludes(self, needle, position(start));
    },
    endsWith(search, end) {
      const self = shown(this);
      pay(self);
      return StringPrototypeEndsWith(self, refusePattern(search, 'endsWith'), position(end));
    },
    startsWith(search, start) {
      const self = shown(this);
      pay(self);
      return StringPrototypeStartsWith(self, refusePattern(search, 'startsWith'), position(start));
    },
    indexOf(search, start) {
      const self = shown(this);
      pay(self);
      const needle = text(search);
      paySearch(self, needle);
      return StringPrototypeIndexOf(self, needle, position(start));
    },
    lastIndexOf(search, start) {
      const self = shown(this);
      pay(self);
      const needle = text(search);
      payBackward(self, needle);
      return StringPrototypeLastIndexOf(self, needle, position(start));
    },
    replace(search, replacement) {
      const self = shown(this);
      pay(self);
      if (isPattern(search)) return StringPrototypeReplace(self, search, replacement); // the number library's own patterns
      const needle = needleOf(search, 'replace');
      paySearch(self, needle);
      if (typeof replacement === 'function') return replaceByCall(self, needle, replacement);
      const pattern = text(replacement);
      scan(pattern);
      meter.work(CALL_WORK);
      const at = StringPrototypeIndexOf(self, needle);
      if (!StringPrototypeIncludes(pattern, '$')) return replaceAt(self, needle, at, pattern);
      meter.work(CALL_WORK * 2);
      payRepeated(self, needle, at, pattern);
      return StringPrototypeReplace(self, needle, pattern);
    },
    search(pattern) {
      const self = shown(this);
      pay(self);
      if (isPattern(pattern)) return StringPrototypeSearch(self, pattern);
      const needle = pattern === undefined ? '' : needleOf(pattern, 'search');
      scan(needle);
      meter.work(CALL_WORK);
      if (RegExpPrototypeTest(SPECIAL, needle)) return V8VM.v1.patterns.search(self, needle);
      paySearch(self, needle);
      return StringPrototypeIndexOf(self, needle);
    },
    split(separator, limit) {
      const self = shown(this);
      pay(self);
      const most = limit === undefined ? undefined : number(limit);
      if (separator === undefined) return StringPrototypeSplit(self, undefined, most);
      const needle = needleOf(separator, 'split');
      paySearch(self, needle);
      meter.work(CALL_WORK + self.length * SPLIT_WORK);
      const parts = StringPrototypeSplit(self, needle, most);
      meter.work(parts.length * PART_WORK);
      return parts;
    },
    slice(start, end) {
      const self = shown(this);
      pay(self);
      return StringPrototypeSlice(self, position(start), position(end));
    },
    substring(start, end) {
      const self = shown(this);
      pay(self);
      return StringPrototypeSubstring(self, position(start), position(end));
    },
    toLowerCase() {
      const self = shown(this);
      pay(self);
      payCase(self);
      return StringPrototypeToLowerCase(self);
    },
    toUpperCase() {
      const self = shown(this);
      pay(self);
      payCase(self);
      return StringPrototypeToUpperCase(self);
    },
    trim() {
      const self = shown(this);
      pay(self);
      return StringPrototypeTrim(self);
    },
    trimLeft() {
      const self = shown(this);
      pay(self);
      return StringPrototypeTrimStart(self);
    },
    trimRight() {
      const self = shown(this);
      pay(self);
      return StringPrototypeTrimEnd(self);
    },
    repeat(count) {
      const self = own(this, 'repeat');
      const times = number(count);
      if (times < 0 || times === Infinity) throw new RangeError(`Invalid count value: ${text(count)}`);
      const whole = times >= 1 ? times - (times % 1) : 0;
      meter.charge(CALL + PER_UNIT * self.length * whole);
      grown(self.length * whole);
      return StringPrototypeRepeat(self, whole);
    },
  };

  function replaceByCall(self, needle, replacement) {
    const at = StringPrototypeIndexOf(self, needle);
    if (at < 0) return self;
    const saved = enterLibrary();
    const made = text(replacement(needle, at, self));
    meter.depth = saved;
    scan(made);
    return replaceAt(self, needle, at, made);
  }

  // `$&` and the like repeat parts of the text: each at most the longest.
  function payRepeated(self, needle, at, pattern) {
    if (at < 0) return;
    const behind = self.length - at - needle.length;
    const longest = needle.length > at ? needle.length : at;
    let units = self.length + pattern.length;
    for (let sign = StringPrototypeIndexOf(pattern, '$'); sign >= 0; sign = StringPrototypeIndexOf(pattern, '$', sign + 1)) {
      meter.work(PART_WORK);
      units += longest > behind ? longest : behind;
    }
    if (units > LONG_TEXT) meter.work(units * UNIT_WORK);
    grown(units);
  }

  function replaceAt(self, needle, at, made) {
    if (at < 0) return self;
    grown(self.length + made.length);
    return StringPrototypeSlice(self, 0, at) + made + StringPrototypeSlice(self, at + needle.length);
  }

  // -- the constructor ---------------------------------------------------------------------------------------------

  function makeString(args, target) {
    const value = args.length === 0 ? '' : args[0];
    if (typeof value === 'number' && value % 1 !== 0) meter.work(FRACTION_WORK);
    if (target === undefined) return describe(value);
    return ReflectConstruct(String, [text(value)], target);
  }

  const constructors = {
    // The global function: free, as in the reference.
    String: function String(...args) {
      return makeString(args, new.target);
    },
    // What `text.constructor` gives: priced by the text.
    priced: function String(...args) {
      const saved = enterLibrary();
      meter.charge(CALL + PER_UNIT * (new.target === undefined ? number(this.length) : NaN)); // `new` fails, as in the reference
      meter.depth = saved;
      return makeString(args, undefined);
    },
  };

  function code(value) {
    if (typeof value === 'number') return value;
    meter.work(READ_WORK);
    return number(value);
  }

  const statics = {
    fromCharCode(...units) {
      for (let i = 0; i < units.length; i++) units[i] = code(units[i]);
      meter.work(units.length * CODE_WORK);
      return V8VM.primordials.FunctionPrototypeApply(V8VM.primordials.StringFromCharCode, null, units);
    },
    fromCodePoint(...points) {
      for (let i = 0; i < points.length; i++) points[i] = code(points[i]);
      meter.work(points.length * CODE_WORK);
      return V8VM.primordials.FunctionPrototypeApply(V8VM.primordials.StringFromCodePoint, null, points);
    },
    raw(template, ...values) {
      const saved = enterLibrary();
      const strings = template.raw;
      meter.work(CALL_WORK * 5);
      let joined = '';
      for (let i = 0; i < number(strings.length); i++) {
        joined += text(strings[i]) + (i < values.length && i + 1 < number(strings.length) ? text(values[i]) : '');
        meter.work(PART_WORK + meter.toll + joined.length * RAW_WORK);
      }
      meter.depth = saved;
      return remembered(joined);
    },
  };

  // The engine's own converts `this` uncounted.
  const iteration = {
    [SymbolIterator]() {
      return StringPrototypeSymbolIterator(own(this, '[Symbol.iterator]'));
    },
  };

  V8VM.v1.strings = { methods, iteration, statics, constructors };
  V8VM.v1.grown = grown;
  V8VM.v1.convert.isPattern = isPattern;
})(globalThis.V8VM);
