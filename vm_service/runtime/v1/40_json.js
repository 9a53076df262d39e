// JSON: the engine's parser at a price, and a stringifier that charges for every value it writes (v1/03_prices.js).
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, ArrayPrototypeJoin, Error, FunctionPrototypeCall, JSONParse, MathAbs, MathCeil, NumberIsFinite, NumberPrototypeToString,
    ObjectHasOwn, ObjectIsExtensible, ObjectKeys, RegExp, RegExpPrototypeTest, Set, StringPrototypeCharCodeAt, StringPrototypeIndexOf,
    StringPrototypePadStart, StringPrototypeRepeat, StringPrototypeReplace, StringPrototypeSlice, TypeError,
  } = V8VM.primordials;
  const { meter } = V8VM;
  const { text, number, shown, remembered, isObject, nameOf, refuseName, MAX_NAME } = V8VM.v1.convert;
  const { deeper, enterLibrary, grown } = V8VM.v1;

  const GAS = V8VM.prices.json;
  const { parse: PARSE_WORK, opening: OPENING_WORK, member: MEMBER_WORK, revive: REVIVE_WORK, name: NAME_WORK } = V8VM.workPrices.json;
  const LEVEL_SLOTS = 200; // native stack of one level of a reviver's walk
  const WRITER_SLOTS = 40; // of the writer's, which calls back only for a `toJSON` or a replacer, and those count themselves
  const CIRCLE = 'Converting circular structure to JSON';

  // -- parse -------------------------------------------------------------------------------------------------------

  // Records of a list take no more than the price of their text; empty ones, and objects of their own shapes, take several times that.
  function payText(json) {
    meter.work(json.length * PARSE_WORK);
    payMarks(json, '[', OPENING_WORK);
    payMarks(json, '{', OPENING_WORK);
    payMarks(json, ':', MEMBER_WORK);
    if (json.length > MAX_NAME) refuseLongNames(json);
  }

  function payMarks(json, mark, work) {
    for (let at = StringPrototypeIndexOf(json, mark); at >= 0; at = StringPrototypeIndexOf(json, mark, at + 1)) meter.work(work);
  }

  const BACKSLASH = 92;
  const BLOCK = MAX_NAME >> 1; // units: a text of more than MAX_NAME covers a block, which then holds no quote that ends one
  const COLON_FOLLOWS = /^[ \t\r\n]*:/;

  // Whether the quote at a place may end or begin a text. A quote behind two backslashes does, but is left to `closing`.
  const isPlain = (json, at) => at === 0 || StringPrototypeCharCodeAt(json, at - 1) !== BACKSLASH;

  // The quote that ends the text which begins before `at`, or -1.
  function closing(json, from) {
    for (let at = StringPrototypeIndexOf(json, '"', from); at >= 0; at = StringPrototypeIndexOf(json, '"', at + 1)) {
      let before = at;
      while (before > from && StringPrototypeCharCodeAt(json, before - 1) === BACKSLASH) before--;
      if ((at - before) % 2 === 0) return at;
    }
    return -1;
  }

  // Whether each block has a quote that is no part of a text: then no text is long.
  function hasShortTexts(json) {
    for (let block = 0; block + BLOCK <= json.length; block += BLOCK) {
      let at = StringPrototypeIndexOf(json, '"', block);
      while (at >= 0 && at < block + BLOCK && !isPlain(json, at)) at = StringPrototypeIndexOf(json, '"', at + 1);
      if (at < 0) return true;
      if (at >= block + BLOCK) return false;
    }
    return true;
  }

  // Refuses a member whose name is spelled with too many units.
  function refuseLongNames(json) {
    if (hasShortTexts(json)) return;
    for (let at = StringPrototypeIndexOf(json, '"'); at >= 0; at = StringPrototypeIndexOf(json, '"', at + 1)) {
      const end = closing(json, at + 1);
      if (end < 0) return;
      if (end - at - 1 > MAX_NAME && RegExpPrototypeTest(COLON_FOLLOWS, StringPrototypeSlice(json, end + 1))) refuseName();
      at = end;
    }
  }

  function parse(source, reviver) {
    const saved = enterLibrary();
    meter.charge(GAS.parse + (source === null || source === undefined ? 0 : shown(source).length));
    const json = text(source); // an object is converted once for its price and once to be read
    payText(json);
    const value = V8VM.parseJSON(json);
    const result = typeof reviver === 'function' ? revive({ '': value }, '', reviver) : value;
    meter.depth = saved;
    return result;
  }

  // The reviver's walk, children first.
  function revive(holder, key, reviver) {
    if ((meter.depth += LEVEL_SLOTS) > meter.roof) deeper();
    meter.work(REVIVE_WORK);
    const value = holder[key];
    if (isObject(value)) {
      const keys = keysOf(value);
      for (let i = 0; i < keys.length; i++) {
        const item = revive(value, keys[i], reviver);
        if (item === undefined) delete V8VM.forms.loosen(value)[keys[i]];
        else value[keys[i]] = item;
      }
    }
    const revived = FunctionPrototypeCall(reviver, holder, key, value);
    meter.depth -= LEVEL_SLOTS;
    return revived;
  }

  // -- stringify ---------------------------------------------------------------------------------------------------

  // What is written as \uXXXX besides control characters: invisible and line-breaking characters.
  const ESCAPED =
    /[\\"\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0604\u070f\u17b4\u17b5\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff]/;
  const ESCAPED_ALL = new RegExp(ESCAPED, 'g');
  const SHORT = { __proto__: null, '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '"': '\\"', '\\': '\\\\' };

  function escaped(unit) {
    const short = SHORT[unit];
    if (short !== undefined) return short;
    meter.charge(GAS.escape);
    return `\\u${StringPrototypePadStart(NumberPrototypeToString(StringPrototypeCharCodeAt(unit, 0), 16), 4, '0')}`;
  }

  function quote(value) {
    meter.charge(GAS.quote + GAS.quotedUnit * value.length);
    if (!RegExpPrototypeTest(ESCAPED, value)) return `"${value}"`;
    meter.charge(1 + GAS.escapedUnit * value.length);
    return `"${StringPrototypeReplace(value, ESCAPED_ALL, escaped)}"`;
  }

  // A list as it is now: what is written may change it. Anything with a length is one.
  function copyOf(list) {
    const length = number(list.length); // an accessor may give a text now
    if (length > 0) meter.work(length * NAME_WORK);
    const copy = [];
    for (let i = 0; i < length; i++) copy[i] = list[i];
    return copy;
  }

  function keysOf(object) {
    V8VM.forms.payListing(object);
    return ObjectKeys(object);
  }

  class Writer {
    constructor(replacer, indent) {
      this.replacer = typeof replacer === 'function' ? replacer : null;
      this.names = this.replacer === null && replacer ? copyOf(replacer) : null;
      this.indent = indent;
      this.gap = '';
      this.open = new Set(); // what is being written, to find circles
    }

    // The text of holder[key], or undefined when it has none.
    value(key, holder) {
      meter.charge(GAS.value);
      let value = holder[key];
      if (typeof value === 'object' && value !== null && typeof value.toJSON === 'function') {
        meter.charge(GAS.toJSON);
        const given = value.toJSON(key);
        if (given !== value && isObject(given) && ObjectHasOwn(given, 'toJSON')) throw new Error(CIRCLE); // chains are refused
        value = given;
      }
      if (this.replacer !== null) {
        meter.charge(GAS.replacer);
        value = FunctionPrototypeCall(this.replacer, holder, key, value);
      }
      return typeof value === 'object' && value !== null ? this.structure(value) : this.plain(value);
    }

    // The text of what is no object, charged.
    plain(value) {
      const written = this.written(value);
      if (written !== undefined) meter.charge(written.length);
      return written;
    }

    written(value) {
      switch (typeof value) {
        case 'string':
          return quote(value);
        case 'number':
          return NumberIsFinite(value) ? `${value}` : 'null';
        case 'boolean':
          return `${value}`;
        default:
          return value === null ? 'null' : undefined;
      }
    }

    structure(value) {
      this.check(value);
      if ((meter.depth += WRITER_SLOTS) > meter.roof) deeper();
      this.open.add(value);
      const outer = this.gap;
      this.gap += this.indent;
      const written = ArrayIsArray(value) ? this.array(value, outer) : this.object(value, outer);
      this.gap = outer;
      this.open.delete(value);
      meter.depth -= WRITER_SLOTS;
      return written;
    }

    // The reference marks what it writes with a property: objects that cannot take it, or be asked for it, are errors.
    check(value) {
      if (typeof value.hasOwnProperty !== 'function') throw new TypeError('value.hasOwnProperty is not a function');
      if (this.open.has(value)) throw new Error(CIRCLE);
      if (ObjectIsExtensible(value) || V8VM.v1.hardened.has(value)) return;
      throw new TypeError('Cannot define property Symbol(), object is not extensible');
    }

    array(value, outer) {
      const { length } = value;
      meter.charge(GAS.array + GAS.item * length);
      const parts = [];
      for (let i = 0; i < length; i++) parts[i] = this.value(i, value) ?? 'null';
      return this.enclosed('[', parts, ']', outer);
    }

    object(value, outer) {
      const keys = this.names ?? keysOf(value);
      meter.charge(GAS.object + GAS.key * keys.length);
      const parts = [];
      const colon = this.indent === '' ? ':' : ': ';
      for (let i = 0; i < keys.length; i++) {
        if (typeof keys[i] !== 'string') continue;
        if (this.names !== null) nameOf(keys[i]);
        const written = this.value(keys[i], value);
        if (written === undefined) continue;
        meter.charge(GAS.member);
        parts[parts.length] = quote(keys[i]) + colon + written;
      }
      return this.enclosed('{', parts, '}', outer);
    }

    // Joins what was written; its length is charged before it is made.
    enclosed(opening, parts, closing, outer) {
      if (parts.length === 0) {
        meter.charge(2);
        return opening + closing;
      }
      meter.charge(GAS.join + parts.length);
      const isPlain = this.indent === '';
      const between = isPlain ? ',' : `,\n${this.gap}`;
      const head = isPlain ? opening : `${opening}\n${this.gap}`;
      const tail = isPlain ? closing : `\n${outer}${closing}`;
      let units = head.length + tail.length + between.length * (parts.length - 1);
      for (let i = 0; i < parts.length; i++) units += parts[i].length;
      meter.charge(units);
      grown(units);
      return head + ArrayPrototypeJoin(parts, between) + tail;
    }
  }

  function indentOf(space) {
    if (typeof space !== 'number') return typeof space === 'string' ? space : '';
    meter.take(V8VM.prices.math.call);
    meter.charge(GAS.indentUnit * MathAbs(space));
    return space > 0 ? StringPrototypeRepeat(' ', MathCeil(space)) : '';
  }

  function stringify(value, replacer, space) {
    meter.charge(GAS.stringify);
    const saved = enterLibrary(); // a `toJSON` may be this function again, and what it is given may be made of accessors
    const indent = indentOf(space);
    if (replacer && typeof replacer !== 'function' && (typeof replacer !== 'object' || typeof replacer.length !== 'number')) {
      throw new Error('JSON.stringify');
    }
    const written = new Writer(replacer, indent).value('', { '': value });
    meter.depth = saved;
    if (written === undefined) return written;
    meter.charge(GAS.resultUnit * written.length);
    return remembered(written);
  }

  V8VM.v1.json = { parse, stringify, FERAL_PARSE: JSONParse };
})(globalThis.V8VM);
