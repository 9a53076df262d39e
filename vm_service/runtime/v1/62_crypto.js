// Class library `IOSTCrypto`: hashes and signature checks, made by the host after gas is charged.
(function (V8VM) {
  'use strict';

  const { BigInt, Error, RegExpPrototypeTest, StringPrototypeIndexOf } = V8VM.primordials;
  const { meter } = V8VM;
  const { hostText } = V8VM.v1.storage;

  const BASE_GAS = V8VM.prices.crypto.call;
  const HASH_WORK = 2000; // a trip to the host: 20 µs
  const VERIFY_WORK = 20000; // and a signature check: 200 µs
  const HEX = /^(?:[0-9a-fA-F]{2})*$/;
  const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

  function texts(operation, names, args) {
    if (args.length !== names.length) throw new Error(`IOSTCrypto_${operation} invalid argument length.`);
    for (let i = 0; i < names.length; i++) {
      if (typeof args[i] !== 'string') throw new Error(`IOSTCrypto_${operation} ${names[i]} must be string.`);
      hostText(args[i]);
    }
  }

  // Bytes of a text in UTF-8.
  function utf8Length(value) {
    let bytes = value.length;
    for (let i = 0; i < value.length; i++) {
      const unit = V8VM.primordials.StringPrototypeCharCodeAt(value, i);
      if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
    }
    return bytes;
  }

  // Bytes that a base58 text stands for; none when it is malformed.
  function base58Length(value) {
    let number = 0n;
    let zeros = 0;
    let leading = true;
    meter.work((value.length * value.length) / 512);
    for (const letter of value) {
      const digit = StringPrototypeIndexOf(BASE58, letter);
      if (digit < 0) return 0;
      leading &&= digit === 0;
      if (leading) zeros++;
      number = number * 58n + BigInt(digit);
    }
    let bytes = zeros;
    for (let rest = number; rest > 0n; rest >>= 8n) bytes++;
    return bytes;
  }

  function hashHex(operation, args) {
    texts(operation, ['msg'], args);
    const hex = args[0];
    if (!RegExpPrototypeTest(HEX, hex)) {
      meter.charge(BASE_GAS);
      return '';
    }
    meter.charge(BASE_GAS + hex.length / 2);
    meter.work(HASH_WORK);
    return V8VM.ask(`crypto.${operation}`, { hex });
  }

  const crypto = {
    sha3(...args) {
      texts('sha3', ['msg'], args);
      meter.charge(BASE_GAS + utf8Length(args[0]));
      meter.work(HASH_WORK);
      return V8VM.ask('crypto.sha3', { text: args[0] });
    },
    sha3Hex(...args) {
      return hashHex('sha3Hex', args);
    },
    ripemd160Hex(...args) {
      return hashHex('ripemd160Hex', args);
    },
    verify(...args) {
      texts('verify', ['algo', 'msg', 'sig', 'pubkey'], args);
      meter.charge(BASE_GAS + base58Length(args[1]));
      meter.work(VERIFY_WORK);
      return V8VM.ask('crypto.verify', { args });
    },
  };

  V8VM.v1.crypto = crypto;
})(globalThis.V8VM);
