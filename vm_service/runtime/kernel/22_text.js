// Texts as the reference writes them: UTF-8 lengths, and JSON as Go's encoder gives it (sorted keys, HTML characters escaped).
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, ArrayPrototypeSort, JSONParse, ObjectKeys, RegExpPrototypeTest,
    StringPrototypeCharCodeAt, StringPrototypeCodePointAt, StringPrototypePadStart, StringPrototypeSlice, NumberPrototypeToString,
  } = V8VM.primordials;

  const BEYOND_ASCII = /[^\x00-\x7f]/; // found ten times sooner than each unit is looked at

  // Bytes of the UTF-8 form; an unpaired surrogate counts as U+FFFD (3 bytes).
  function utf8Length(text) {
    let bytes = text.length;
    if (!RegExpPrototypeTest(BEYOND_ASCII, text)) return bytes;
    for (let i = 0; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (code < 0x80) continue;
      if (code < 0x800) bytes += 1;
      else {
        bytes += 2;
        if (code >= 0xd800 && code < 0xdc00 && StringPrototypeCodePointAt(text, i) > 0xffff) i++; // 2 units, 4 bytes
      }
    }
    return bytes;
  }

  // The same, paid for: other than ASCII, each unit is looked at.
  function measured(text) {
    const bytes = utf8Length(text);
    if (bytes !== text.length) V8VM.meter.work(bytes * V8VM.workPrices.text.beyondAscii);
    return bytes;
  }

  // The first `limit` characters of a text; a pair of surrogates is one.
  function firstCharacters(text, limit) {
    let i = 0;
    for (let left = limit; left > 0 && i < text.length; left--) i += StringPrototypeCodePointAt(text, i) > 0xffff ? 2 : 1;
    return StringPrototypeSlice(text, 0, i);
  }

  const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/; // printable ASCII that Go's encoder leaves alone
  const SHORT = { __proto__: null, '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

  const unicodeEscape = (code) => `\\u${StringPrototypePadStart(NumberPrototypeToString(code, 16), 4, '0')}`;

  function escapedUnit(text, i) {
    const short = SHORT[text[i]];
    if (short !== undefined) return short;
    const code = StringPrototypeCharCodeAt(text, i);
    if (code < 0x20 || code === 0x3c || code === 0x3e || code === 0x26 || code === 0x2028 || code === 0x2029) return unicodeEscape(code);
    if (code >= 0xd800 && code < 0xe000) {
      return code < 0xdc00 && StringPrototypeCodePointAt(text, i) > 0xffff ? text[i] + text[i + 1] : '\\ufffd';
    }
    return text[i];
  }

  function quote(text) {
    if (RegExpPrototypeTest(PLAIN, text)) return `"${text}"`;
    let out = '"';
    for (let i = 0; i < text.length; ) {
      const part = escapedUnit(text, i);
      out += part;
      i += part.length === 2 && part[0] !== '\\' ? 2 : 1;
    }
    return `${out}"`;
  }

  // A number with the digits of its source, since Go keeps them where JavaScript would round.
  class RawNumber {
    constructor(source) {
      this.source = source;
    }
  }

  // A JSON value handed on as text: an argument of type `json`.
  class JsonText {
    constructor(text) {
      this.text = text;
    }
  }

  const keepNumbers = (key, value, context) => (typeof value === 'number' ? new RawNumber(context.source) : value);

  // Parses JSON, keeping numbers as written. Throws on text that is no JSON.
  const parseExact = (text) => V8VM.parseJSON(text, keepNumbers);

  // Compact JSON of a parsed value with sorted keys; bigint stands for an integer.
  function encode(value) {
    switch (typeof value) {
      case 'string':
        return quote(value);
      case 'bigint':
      case 'boolean':
      case 'number':
        return `${value}`;
      default:
    }
    if (value === null) return 'null';
    if (value instanceof RawNumber) return value.source;
    if (value instanceof JsonText) return quote(base64(value.text));
    return ArrayIsArray(value) ? encodeArray(value) : encodeObject(value);
  }

  function encodeArray(items) {
    let out = '[';
    for (let i = 0; i < items.length; i++) out += (i === 0 ? '' : ',') + encode(items[i]);
    return `${out}]`;
  }

  // Order of code points, which is that of UTF-8: surrogates come after all other units.
  const HIGH = /[\ud800-\uffff]/;
  const rankOf = (code) => (code < 0xd800 ? code : code < 0xe000 ? code + 0x2000 : code - 0x800);

  function byCodePoint(a, b) {
    const end = a.length < b.length ? a.length : b.length;
    for (let i = 0; i < end; i++) {
      const [left, right] = [StringPrototypeCharCodeAt(a, i), StringPrototypeCharCodeAt(b, i)];
      if (left !== right) return rankOf(left) - rankOf(right);
    }
    return a.length - b.length;
  }

  function sortedNames(object) {
    const names = ArrayPrototypeSort(ObjectKeys(object));
    for (const name of names) if (RegExpPrototypeTest(HIGH, name)) return ArrayPrototypeSort(names, byCodePoint);
    return names;
  }

  function encodeObject(object) {
    const names = sortedNames(object);
    let out = '{';
    for (let i = 0; i < names.length; i++) out += `${i === 0 ? '' : ','}${quote(names[i])}:${encode(object[names[i]])}`;
    return `${out}}`;
  }

  const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  function utf8Bytes(text) {
    const bytes = [];
    for (let i = 0; i < text.length; ) {
      let point = StringPrototypeCodePointAt(text, i);
      i += point > 0xffff ? 2 : 1;
      if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
      if (point < 0x80) bytes[bytes.length] = point;
      else if (point < 0x800) bytes[bytes.length] = 0xc0 | (point >> 6);
      else if (point < 0x10000) bytes[bytes.length] = 0xe0 | (point >> 12);
      else bytes[bytes.length] = 0xf0 | (point >> 18);
      if (point >= 0x10000) bytes[bytes.length] = 0x80 | ((point >> 12) & 63);
      if (point >= 0x800) bytes[bytes.length] = 0x80 | ((point >> 6) & 63);
      if (point >= 0x80) bytes[bytes.length] = 0x80 | (point & 63);
    }
    return bytes;
  }

  function base64(text) {
    const bytes = utf8Bytes(text);
    let out = '';
    for (let i = 0; i < bytes.length; i += 3) {
      const left = bytes.length - i;
      const bits = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
      out += BASE64[bits >> 18] + BASE64[(bits >> 12) & 63];
      out += (left > 1 ? BASE64[(bits >> 6) & 63] : '=') + (left > 2 ? BASE64[bits & 63] : '=');
    }
    return out;
  }

  V8VM.text = { utf8Length, measured, firstCharacters, utf8Bytes, quote, encode, encodeArray, parseExact, base64, RawNumber, JsonText };
})(globalThis.V8VM);
