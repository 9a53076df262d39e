// Class library `storage`: the contract's own state, and a read-only view of other contracts' state.
// Types are checked here with the reference's messages; keys, prices and effects belong to the host functions.
(function (V8VM) {
  'use strict';

  const { Error, RegExpPrototypeTest, StringPrototypeIsWellFormed } = V8VM.primordials;
  const { meter } = V8VM;
  const { payName } = V8VM.v1.convert;

  const MAX_UNITS = 65536;
  const LONG_KEY = 64;

  // A text on its way to the host.
  function hostText(value) {
    if (value.length > MAX_UNITS) throw new Error('input string too long');
    if (!StringPrototypeIsWellFormed(value)) throw new Error('input string is not well-formed');
    return value;
  }

  function key(value, operation, end = '') {
    if (typeof value !== 'string') throw new Error(`IOSTContractStorage_${operation} key must be string${end}`);
    if (value.length > LONG_KEY) meter.work(value.length * V8VM.workPrices.host.longKey); // none that long exists, but it is looked at
    return hostText(value);
  }

  function owner(value, operation) {
    if (typeof value !== 'string') throw new Error(`IOSTContractStorage_${operation} contract must be string`);
    return hostText(value);
  }

  function payer(value, operation) {
    if (value === undefined) return null;
    if (typeof value !== 'string') throw new Error(`IOSTContractStorage_${operation} ramPayer must be string.`);
    payName(`${value}@active`); // which is asked for
    return hostText(value);
  }

  // Lists come as JSON text in the reference: its parsing is charged.
  const PARSE_GAS = V8VM.prices.json.parse;
  const ESCAPED = { __proto__: null, '"': 2, '\\': 2, '<': 6, '>': 6, '&': 6 };
  const TO_ESCAPE = /["\\<>&]/;
  function parsed(list) {
    let units = 2 + (list.length > 0 ? list.length - 1 : 0);
    for (const item of list) {
      units += 2 + item.length;
      if (!RegExpPrototypeTest(TO_ESCAPE, item)) continue;
      for (const character of item) units += (ESCAPED[character] ?? 1) - 1;
    }
    meter.charge(PARSE_GAS + units);
    return list;
  }

  // Host functions are looked up when called: the kernel's files come after this one.
  const methods = {
    put(name, value, ramPayer) {
      if (typeof value !== 'string') throw new Error('storage put must be string');
      V8VM.host.put(key(name, 'Put', '.'), hostText(value), payer(ramPayer, 'Put'));
      return null;
    },
    get(name) {
      return V8VM.host.get(key(name, 'Get'));
    },
    has(name) {
      return V8VM.host.has(key(name, 'Has'));
    },
    del(name) {
      V8VM.host.del(key(name, 'Del', '.'));
      return null;
    },
    mapPut(name, field, value, ramPayer) {
      if (typeof value !== 'string') throw new Error('storage mapPut must be string');
      V8VM.host.mapPut(key(name, 'MapPut', '.'), key(field, 'MapPut', '.'), hostText(value), payer(ramPayer, 'MapPut'));
      return null;
    },
    mapHas(name, field) {
      return V8VM.host.mapHas(key(name, 'MapHas'), key(field, 'MapHas'));
    },
    mapGet(name, field) {
      return V8VM.host.mapGet(key(name, 'MapGet'), key(field, 'MapGet'));
    },
    mapKeys(name) {
      return parsed(V8VM.host.mapKeys(key(name, 'MapKeys')));
    },
    mapLen(name) {
      return V8VM.host.mapLen(key(name, 'MapLen'));
    },
    mapDel(name, field) {
      V8VM.host.mapDel(key(name, 'MapDel', '.'), key(field, 'MapDel', '.'));
      return null;
    },
    globalGet(contract, name) {
      return V8VM.host.globalGet(owner(contract, 'GlobalGet'), key(name, 'GlobalGet'));
    },
    globalHas(contract, name) {
      return V8VM.host.globalHas(owner(contract, 'GlobalHas'), key(name, 'GlobalHas'));
    },
    globalMapHas(contract, name, field) {
      return V8VM.host.globalMapHas(owner(contract, 'GlobalMapHas'), key(name, 'GlobalMapHas'), key(field, 'GlobalMapHas'));
    },
    globalMapGet(contract, name, field) {
      return V8VM.host.globalMapGet(owner(contract, 'GlobalMapGet'), key(name, 'GlobalMapGet'), key(field, 'GlobalMapGet'));
    },
    globalMapKeys(contract, name) {
      return parsed(V8VM.host.globalMapKeys(owner(contract, 'GlobalMapKeys'), key(name, 'GlobalMapKeys')));
    },
    globalMapLen(contract, name) {
      return V8VM.host.globalMapLen(owner(contract, 'GlobalMapLen'), key(name, 'GlobalMapLen'));
    },
  };

  // A contract may change its `storage` object, so each call has one of its own; the methods are shared and frozen.
  const makeStorage = () => ({ ...methods });

  V8VM.v1.storage = { makeStorage, methods, hostText };
})(globalThis.V8VM);
