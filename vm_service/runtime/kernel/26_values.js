// Stored values: type letter, data, "@", payer. The last "@" separates (payers hold none).
//
//   s text | i decimal text of an int64 | b "t" or "f" | j JSON text | f decimal text with all its decimals
//
// A value is immutable. `parsed` caches what its reader made of `data` (an account, a contract record), so hot records are
// taken apart once for as long as the read cache holds them. `size` is the stored length of the reference in bytes: its
// int64 takes 8 bytes and its decimal 12, whatever our text says. The listing of a map is a text that is put together when
// it is stored: until then its `data` is null and `parsed` has the names.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeJoin, BigInt, StringPrototypeIndexOf, StringPrototypeLastIndexOf, StringPrototypeSlice } = V8VM.primordials;
  const { utf8Length } = V8VM.text;
  const { format, formatFixed, parse } = V8VM.decimal;

  class Value {
    constructor(kind, data, payer) {
      this.kind = kind;
      this.data = data; // s, j: text; i: bigint; b: boolean; f: {value: bigint, decimals: number}
      this.payer = payer;
      this.dataSize = -1;
      this.parsed = undefined;
    }

    // Stored length in bytes, as RAM and gas count it.
    get size() {
      if (this.dataSize < 0) this.dataSize = dataSize(this.kind, this.data);
      return 2 + this.dataSize + this.payer.length;
    }

    // The same data paid by another.
    paidBy(payer) {
      const value = new Value(this.kind, this.data, payer);
      value.dataSize = this.dataSize;
      return value;
    }
  }

  function dataSize(kind, data) {
    if (kind === 'i') return 8;
    if (kind === 'b') return 1;
    if (kind === 'f') return 12;
    return utf8Length(data);
  }

  function encode(value) {
    const { kind, data } = value;
    if (kind === 'b') return `b${data ? 't' : 'f'}@${value.payer}`;
    if (kind === 'f') return `f${formatFixed(data.value, data.decimals)}@${value.payer}`;
    if (data === null) value.data = `@${ArrayPrototypeJoin(value.parsed, '@')}`;
    return `${kind}${value.data}@${value.payer}`;
  }

  function decodeData(kind, text) {
    if (kind === 'i') return BigInt(text);
    if (kind === 'b') return text === 't';
    if (kind !== 'f') return text;
    const point = StringPrototypeIndexOf(text, '.');
    const decimals = point < 0 ? 0 : text.length - point - 1;
    return { value: parse(text, decimals).value, decimals };
  }

  function decode(stored) {
    const at = StringPrototypeLastIndexOf(stored, '@');
    const kind = stored[0];
    return new Value(kind, decodeData(kind, StringPrototypeSlice(stored, 1, at)), StringPrototypeSlice(stored, at + 1));
  }

  // What a contract reads: every type as text.
  function visible(value) {
    const { kind, data } = value;
    if (kind === 's' || kind === 'j') return data;
    if (kind === 'f') return format(data.value, data.decimals);
    return `${data}`;
  }

  // The listing of these names; of the list passed in, which nobody may change any more.
  function listing(names) {
    const value = new Value('s', null, '');
    value.parsed = names;
    return value;
  }

  V8VM.values = {
    listing,
    encode,
    decode,
    visible,
    text: (data, payer = '') => new Value('s', data, payer),
    json: (data, payer = '') => new Value('j', data, payer),
    int: (data, payer = '') => new Value('i', data, payer),
    bool: (data, payer = '') => new Value('b', data, payer),
    decimal: (value, decimals, payer = '') => new Value('f', { value, decimals }, payer),
  };
})(globalThis.V8VM);
