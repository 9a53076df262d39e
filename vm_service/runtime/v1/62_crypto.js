// Class library `IOSTCrypto`: hashes and signature checks, made by the host after gas is charged.
(function (V8VM) {
  'use strict';

  const { BigInt, Error, RegExpPrototypeExec, RegExpPrototypeTest, StringPrototypeIndexOf } = V8VM.primordials;
  const { meter } = V8VM;
  const { hostText } = V8VM.v1.storage;

  const BASE_GAS = V8VM.prices.crypto.call;
  const {
    hash: HASH_WORK, verify: VERIFY_WORK, hashUnit: UNIT_WORK, hashEscaped: ESCAPED_WORK, base58: DIGIT_WORK,
    base58Square: SQUARE_WORK,
  } = V8VM.workPrices.host;
  const PLAIN = /^[ !#-[\]-~]*$/;
  const HEX = /^(?:[0-9a-fA-F]{2})*$/;
  const HEX_PAIRS = /^(?:[0-9a-fA-F]{2})*/;
  const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

  function texts(operation, names, args) {
    if (args.length !== names.length) throw new Error(`IOSTCrypto_${operation} invalid argument length.`);
    for (let i = 0; i < names.length; i++) {
      if (typeof args[i] !== 'string') throw new Error(`IOSTCrypto_${operation} ${names[i]} must be string.`);
      hostText(args[i]);
    }
  }

  // Bytes that a base58 text stands for; none when it is malformed.
  function base58Length(value) {
    let number = 0n;
    let zeros = 0;
    let leading = true;
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

  const payTrip = (text) => meter.work(HASH_WORK + text.length * (RegExpPrototypeTest(PLAIN, text) ? UNIT_WORK : ESCAPED_WORK));
  const payDigits = ({ length }) => meter.work(length * DIGIT_WORK + length * length * SQUARE_WORK);

  function hashHex(operation, args) {
    texts(operation, ['msg'], args);
    const hex = args[0];
    meter.work(hex.length * V8VM.workPrices.text.read);
    if (!RegExpPrototypeTest(HEX, hex)) {
      meter.charge(BASE_GAS + RegExpPrototypeExec(HEX_PAIRS, hex)[0].length / 2); // what is decoded before it breaks off
      return '';
    }
    meter.charge(BASE_GAS + hex.length / 2);
    payTrip(hex);
    return V8VM.ask(`crypto.${operation}`, { hex });
  }

  const crypto = {
    sha3(...args) {
      texts('sha3', ['msg'], args);
      meter.charge(BASE_GAS + V8VM.text.measured(args[0]));
      payTrip(args[0]);
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
      for (const text of args) payDigits(text);
      meter.charge(BASE_GAS + base58Length(args[1]));
      meter.work(VERIFY_WORK);
      return V8VM.ask('crypto.verify', { args });
    },
  };

  V8VM.v1.crypto = crypto;
})(globalThis.V8VM);
