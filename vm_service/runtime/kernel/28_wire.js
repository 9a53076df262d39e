// The reference's protobuf form of a contract, in base64: Contract{1 ID, 2 info{1 lang, 2 version, 3 abi{1 name, 2 args,
// 3 amountLimit{1 token, 2 val}}}, 3 code}. Only what setCode and initSetCode need: fields of length-delimited type.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush, ArrayPrototypeSlice, Error, StringFromCodePoint, StringPrototypeCharCodeAt } = V8VM.primordials;

  const DIGIT = { __proto__: null };
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  for (let i = 0; i < ALPHABET.length; i++) DIGIT[StringPrototypeCharCodeAt(ALPHABET, i)] = i;
  const PADDING = 61;

  function base64Bytes(text) {
    const bytes = [];
    let bits = 0;
    let count = 0;
    for (let i = 0; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (code === PADDING) break;
      const digit = DIGIT[code];
      if (digit === undefined) throw new Error('not base64');
      bits = ((bits << 6) | digit) & 0xffffff;
      count += 6;
      if (count >= 8) ArrayPrototypePush(bytes, (bits >> (count -= 8)) & 255);
    }
    return bytes;
  }

  // Lead byte class -> [continuation bytes, bits of the lead byte]
  const sequence = (lead) => (lead < 0x80 ? [0, lead] : lead < 0xe0 ? [1, lead & 31] : lead < 0xf0 ? [2, lead & 15] : [3, lead & 7]);

  function utf8Text(bytes) {
    let text = '';
    for (let i = 0; i < bytes.length; ) {
      const [more, bits] = sequence(bytes[i++]);
      let point = bits;
      for (let n = 0; n < more; n++) point = (point << 6) | (bytes[i++] & 63);
      text += StringFromCodePoint(point);
    }
    return text;
  }

  // Splits a message into [field number, bytes] pairs.
  function fields(bytes) {
    const list = [];
    let at = 0;
    const varint = () => {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at++];
        if (byte === undefined || shift > 28) throw new Error('not a contract');
        value |= (byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    while (at < bytes.length) {
      const tag = varint();
      if ((tag & 7) !== 2) throw new Error('not a contract');
      const length = varint();
      if (at + length > bytes.length) throw new Error('not a contract');
      ArrayPrototypePush(list, [tag >> 3, ArrayPrototypeSlice(bytes, at, at + length)]);
      at += length;
    }
    return list;
  }

  function decodeLimit(bytes) {
    const limit = { token: '', val: '' };
    for (const [number, data] of fields(bytes)) limit[number === 1 ? 'token' : 'val'] = utf8Text(data);
    return limit;
  }

  function decodeMethod(bytes) {
    const method = { name: '', args: [], amountLimit: [] };
    for (const [number, data] of fields(bytes)) {
      if (number === 1) method.name = utf8Text(data);
      else if (number === 2) ArrayPrototypePush(method.args, utf8Text(data));
      else if (number === 3) ArrayPrototypePush(method.amountLimit, decodeLimit(data));
    }
    return method;
  }

  function decodeInfo(bytes) {
    const info = { lang: '', version: '', abi: [] };
    for (const [number, data] of fields(bytes)) {
      if (number === 1) info.lang = utf8Text(data);
      else if (number === 2) info.version = utf8Text(data);
      else if (number === 3) ArrayPrototypePush(info.abi, decodeMethod(data));
    }
    return info;
  }

  function decodeContract(text) {
    const contract = { ID: '', info: null, code: '' };
    for (const [number, data] of fields(base64Bytes(text))) {
      if (number === 1) contract.ID = utf8Text(data);
      else if (number === 2) contract.info = decodeInfo(data);
      else if (number === 3) contract.code = utf8Text(data);
    }
    return contract;
  }

  V8VM.wire = { decodeContract };
})(globalThis.V8VM);
