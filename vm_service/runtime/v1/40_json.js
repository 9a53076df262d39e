// JSON: the engine's parser at a price, and a stringifier that charges for every value it writes (v1/03_prices.js).
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, ArrayPrototypeJoin, Error, FunctionPrototypeCall, JSONParse, NumberIsFinite, NumberPrototypeToString, ObjectHasOwn, ObjectKeys,
    RegExp, RegExpPrototypeTest, Set, StringPrototypeCharCodeAt, StringPrototypePadStart, StringPrototypeReplace, StringPrototypeSlice,
  } = V8VM.primordials;
  const { meter } = V8VM;
  const { text, isObject } = V8VM.v1.convert;
  const { DEPTH_LIMIT, tooDeep, grown } = V8VM.v1;

  const GAS = V8VM.prices.json;
  const PARSE_WORK = { unit: 0.5, opening: 6, member: 6 }; // a unit of text, `[` or `{`, `:`; `[` makes 56 bytes
  const LEVEL_SLOTS = 200; // native stack of one level of nesting
  const MAX_INDENT = 10;
  const CIRCLE = 'Converting circular structure to JSON';

  // -- parse -------------------------------------------------------------------------------------------------------

  // Records of a list take no more than the price of their text; empty ones, and objects of their own shapes, take several times that.
  function parseWork(json) {
    let openings = 0;
    let members = 0;
    for (let i = 0; i < json.length; i++) {
      const unit = json[i];
      if (unit === ':') members++;
      else if (unit === '[' || unit === '{') openings++;
    }
    return json.length * PARSE_WORK.unit + openings * PARSE_WORK.opening + members * PARSE_WORK.member;
  }

  function parse(source, reviver) {
    const json = source === null || source === undefined ? `${source}` : text(source);
    meter.charge(GAS.parse + (source === null || source === undefined ? 0 : json.length));
    meter.work(parseWork(json));
    const value = JSONParse(json);
    return typeof reviver === 'function' ? revive({ '': value }, '', reviver) : value;
  }

  // The reviver's walk, children first.
  function revive(holder, key, reviver) {
    if ((meter.depth += LEVEL_SLOTS) > DEPTH_LIMIT) tooDeep();
    meter.work(2);
    const value = holder[key];
    if (isObject(value)) {
      const keys = ObjectKeys(value);
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

  // A list as it is now: what is written may change it.
  function copyOf(list) {
    const { length } = list;
    meter.work(length);
    const copy = [];
    for (let i = 0; i < length; i++) copy[i] = list[i];
    return copy;
  }

  class Writer {
    constructor(replacer, indent) {
      this.replacer = typeof replacer === 'function' ? replacer : null;
      this.names = this.replacer === null && ArrayIsArray(replacer) ? copyOf(replacer) : null;
      this.indent = indent;
      this.gap = '';
      this.open = new Set(); // what is being written, to find circles
    }

    // The text of holder[key], or undefined when it has none.
    value(key, holder) {
      meter.charge(GAS.value);
      let value = holder[key];
      if (isObject(value) && typeof value.toJSON === 'function') {
        meter.charge(GAS.toJSON);
        value = value.toJSON(key);
        if (isObject(value) && ObjectHasOwn(value, 'toJSON')) throw new Error(CIRCLE); // it would go on for ever
      }
      if (this.replacer !== null) value = FunctionPrototypeCall(this.replacer, holder, key, value);
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
        case 'object':
          return value === null ? 'null' : this.structure(value);
        default:
          return undefined;
      }
    }

    structure(value) {
      if (this.open.has(value)) throw new Error(CIRCLE);
      if ((meter.depth += LEVEL_SLOTS) > DEPTH_LIMIT) tooDeep();
      this.open.add(value);
      const outer = this.gap;
      this.gap += this.indent;
      const written = ArrayIsArray(value) ? this.array(value, outer) : this.object(value, outer);
      this.gap = outer;
      this.open.delete(value);
      meter.depth -= LEVEL_SLOTS;
      return written;
    }

    array(value, outer) {
      const { length } = value;
      meter.charge(GAS.array + GAS.item * length);
      const parts = [];
      for (let i = 0; i < length; i++) parts[i] = this.value(`${i}`, value) ?? 'null';
      return this.enclosed('[', parts, ']', outer);
    }

    object(value, outer) {
      const keys = this.names ?? ObjectKeys(value);
      meter.charge(GAS.object + GAS.key * keys.length);
      const parts = [];
      const colon = this.indent === '' ? ':' : ': ';
      for (let i = 0; i < keys.length; i++) {
        if (typeof keys[i] !== 'string') continue;
        const written = this.value(keys[i], value);
        if (written === undefined) continue;
        meter.charge(GAS.member);
        parts[parts.length] = quote(keys[i]) + colon + written;
      }
      return this.enclosed('{', parts, '}', outer);
    }

    enclosed(opening, parts, closing, outer) {
      if (parts.length === 0) return opening + closing;
      meter.charge(GAS.join + parts.length);
      if (this.indent === '') {
        const joined = ArrayPrototypeJoin(parts, ',');
        grown(joined.length);
        return opening + joined + closing;
      }
      return `${opening}\n${this.gap}${ArrayPrototypeJoin(parts, `,\n${this.gap}`)}\n${outer}${closing}`;
    }
  }

  function indentOf(space) {
    if (typeof space === 'number') {
      let indent = '';
      for (let i = 0; i < space && i < MAX_INDENT; i++) indent += ' ';
      return indent;
    }
    return typeof space === 'string' ? StringPrototypeSlice(space, 0, MAX_INDENT) : '';
  }

  function stringify(value, replacer, space) {
    meter.charge(GAS.stringify);
    if (replacer && typeof replacer !== 'function' && (typeof replacer !== 'object' || typeof replacer.length !== 'number')) {
      throw new Error('JSON.stringify');
    }
    const written = new Writer(replacer, indentOf(space)).value('', { '': value });
    if (written !== undefined) meter.charge(GAS.resultUnit * written.length);
    return written;
  }

  V8VM.v1.json = { parse, stringify, FERAL_PARSE: JSONParse };
})(globalThis.V8VM);
