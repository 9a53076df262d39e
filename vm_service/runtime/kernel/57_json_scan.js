// What is wrong with a text that is no JSON, in the words of the reference's decoder. It reads one value and leaves what follows
// it alone: `[1] and more` is the list [1].
(function (V8VM) {
  'use strict';

  const {
    NumberPrototypeToString, RegExpPrototypeTest, StringFromCharCode, StringFromCodePoint, StringPrototypeCharCodeAt,
    StringPrototypeCodePointAt, StringPrototypePadStart,
  } = V8VM.primordials;
  const { utf8Bytes } = V8VM.text;

  const SPACE = /^[ \t\r\n]$/;
  const DIGIT = /^[0-9]$/;
  const HEX = /^[0-9a-fA-F]$/;
  const ESCAPED = /^[bfnrt\\/"]$/;
  const SHORT = { __proto__: null, 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r', 39: "\\'", 92: '\\\\' };
  const LITERALS = { __proto__: null, t: 'true', f: 'false', n: 'null' };
  const CLOSING = { __proto__: null, '[': ']', '{': '}' };

  const hex = (code, digits) => StringPrototypePadStart(NumberPrototypeToString(code, 16), digits, '0');

  // The first byte of a character, quoted.
  function shown(character) {
    const code = utf8Bytes(character)[0];
    if (SHORT[code] !== undefined) return `'${SHORT[code]}'`;
    if (code < 32 || code === 127) return `'\\x${hex(code, 2)}'`;
    if (code > 127 && (code < 161 || code === 173)) return `'\\u${hex(code, 4)}'`;
    return `'${StringFromCharCode(code)}'`;
  }

  class Scan {
    constructor(text) {
      this.text = text;
      this.at = 0;
      this.error = null;
    }

    // The character here; '' at the end, which is an error unless `mayEnd`.
    here(mayEnd = false) {
      if (this.at < this.text.length) return this.text[this.at];
      if (!mayEnd) this.error ??= 'unexpected EOF';
      return '';
    }

    refuse(where) {
      if (this.here() !== '') {
        const character = StringFromCodePoint(StringPrototypeCodePointAt(this.text, this.at));
        this.error ??= `invalid character ${shown(character)} ${where}`;
      }
      return false;
    }

    skipSpace() {
      while (RegExpPrototypeTest(SPACE, this.here(true))) this.at++;
    }

    expect(pattern, where) {
      if (!RegExpPrototypeTest(pattern, this.here())) return this.refuse(where);
      this.at++;
      return true;
    }

    string() {
      this.at++;
      for (;;) {
        const character = this.here();
        if (character === '') return false;
        if (StringPrototypeCharCodeAt(character, 0) < 32) return this.refuse('in string literal');
        this.at++;
        if (character === '"') return true;
        if (character === '\\' && !this.escape()) return false;
      }
    }

    escape() {
      if (this.here() !== 'u') return this.expect(ESCAPED, 'in string escape code');
      this.at++;
      for (let i = 0; i < 4; i++) if (!this.expect(HEX, 'in \\u hexadecimal character escape')) return false;
      return true;
    }

    digits(where) {
      if (!this.expect(DIGIT, where)) return false;
      while (RegExpPrototypeTest(DIGIT, this.here(true))) this.at++;
      return true;
    }

    number() {
      if (this.here() === '-') this.at++;
      if (this.here() === '0') this.at++;
      else if (!this.digits('in numeric literal')) return false;
      if (this.here(true) === '.') {
        this.at++;
        if (!this.digits('after decimal point in numeric literal')) return false;
      }
      if (this.here(true) !== 'e' && this.here(true) !== 'E') return true;
      this.at++;
      if (this.here() === '+' || this.here() === '-') this.at++;
      return this.digits('in exponent of numeric literal');
    }

    literal(word) {
      for (let i = 0; i < word.length; i++, this.at++) {
        if (this.here() !== word[i]) return this.refuse(`in literal ${word} (expecting '${word[i]}')`);
      }
      return true;
    }

    scalar() {
      const character = this.here();
      if (character === '"') return this.string();
      if (character === '-' || RegExpPrototypeTest(DIGIT, character)) return this.number();
      const word = LITERALS[character];
      return word === undefined ? this.refuse('looking for beginning of value') : this.literal(word);
    }

    key() {
      this.skipSpace();
      if (this.here() !== '"') return this.refuse('looking for beginning of object key string');
      if (!this.string()) return false;
      this.skipSpace();
      return this.expect(/^:$/, 'after object key');
    }

    // One value; returns whether it is complete.
    value() {
      const open = []; // brackets around here
      for (;;) {
        this.skipSpace();
        const character = this.here();
        const closing = CLOSING[character];
        if (closing !== undefined) {
          this.at++;
          open[open.length] = character;
          this.skipSpace();
          if (this.here() !== closing) {
            if (character === '{' && !this.key()) return false;
            continue;
          }
        } else if (!this.scalar()) return false;
        if (!this.close(open)) return false;
        if (open.length === 0) return true;
      }
    }

    // After a value: closes what ends here, up to the comma before the next value.
    close(open) {
      while (open.length > 0) {
        const inner = open[open.length - 1];
        this.skipSpace();
        const character = this.here();
        if (character === CLOSING[inner]) {
          this.at++;
          open.length--;
        } else if (character === ',') {
          this.at++;
          return inner === '[' || this.key();
        } else return this.refuse(inner === '[' ? 'after array element' : 'after object key:value pair');
      }
      return true;
    }
  }

  // {end}: where the first value ends; or {error}.
  function scan(text) {
    const reader = new Scan(text);
    reader.skipSpace();
    if (reader.here(true) === '') return { error: 'EOF' };
    return reader.value() ? { end: reader.at } : { error: reader.error };
  }

  V8VM.jsonScan = { scan };
})(globalThis.V8VM);
