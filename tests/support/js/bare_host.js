// A host for single contract calls: storage in memory with the chain's prices, no chain rules. Loaded after the class
// libraries in place of the kernel's rules; answers through two doors that a test holds.
(function (V8VM) {
  'use strict';

  const { meter } = V8VM;
  const { ArrayPrototypePush, JSONParse, JSONStringify } = V8VM.primordials;
  const UNBOUNDED = 2 ** 30 - 1;
  const ACCESS_GAS = 300;
  const INFO_GAS = 10;

  let cells = new Map();
  let lines = [];

  const fieldsOf = (key) => cells.get(`map ${key}`) ?? new Map();
  const read = (find) => {
    meter.charge(ACCESS_GAS);
    return find();
  };
  const info = (text) => {
    meter.charge(INFO_GAS);
    return text;
  };

  V8VM.host = {
    put: (key, value) => read(() => cells.set(key, value)),
    get: (key) => read(() => cells.get(key) ?? null),
    has: (key) => read(() => cells.has(key)),
    del: (key) => read(() => cells.delete(key)),
    mapPut: (key, field, value) => read(() => cells.set(`map ${key}`, fieldsOf(key).set(field, value))),
    mapGet: (key, field) => read(() => fieldsOf(key).get(field) ?? null),
    mapHas: (key, field) => read(() => fieldsOf(key).has(field)),
    mapDel: (key, field) => read(() => fieldsOf(key).delete(field)),
    mapKeys: (key) => read(() => [...fieldsOf(key).keys()]),
    mapLen: (key) => read(() => fieldsOf(key).size),
    globalGet: () => read(() => null),
    globalHas: () => read(() => false),
    globalMapGet: () => read(() => null),
    globalMapHas: () => read(() => false),
    globalMapKeys: () => read(() => []),
    globalMapLen: () => read(() => 0),
    blockInfo: () => info('{"number":7,"parent_hash":"ZiCa","time":1541541540000000000,"witness":"witness"}'),
    txInfo: () => info('{"auth_list":{},"expiration":9,"gas_limit":1000,"gas_ratio":100,"hash":"hash","publisher":"user","time":8}'),
    contextInfo: () => info('{"abi_name":"m","caller":{"name":"user","is_account":true},"contract_name":"Contract1","publisher":"user"}'),
    call: (contract, api, args, withAuth) => [contract, api, args, withAuth],
    requireAuth: () => read(() => true),
    receipt() {},
    event() {},
    console: (level, text) => {
      V8VM.meter.check();
      ArrayPrototypePush(lines, `${level}: ${text}`);
    },
  };
  V8VM.text ??= { measured: (text) => text.length };
  V8VM.ask = (op, payload) => JSONStringify([op, payload]);

  function call(key, method, args, limit) {
    cells = new Map();
    lines = [];
    meter.dead = null;
    meter.depth = 0;
    meter.limit = UNBOUNDED;
    meter.used = 0;
    return JSONStringify({ ...V8VM.v1.invoke(key, method, JSONParse(args), +limit), lines, depth: meter.depth });
  }

  V8VM.doors = { call, install: (key, factory, meta) => V8VM.v1.images.install(key, factory, JSONParse(meta)) };
})(globalThis.V8VM);
