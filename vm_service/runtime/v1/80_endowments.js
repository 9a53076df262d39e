// Endowments: the values of the names that a contract may use. What no call can change is shared and frozen; the rest is
// made anew for each call, and only when the contract names it.
(function (V8VM) {
  'use strict';

  const { meter } = V8VM;
  const { strings, arrays, objects, json, numbers } = V8VM.v1;
  const { text, payName } = V8VM.v1.convert;

  // One running call: the objects that only it sees.
  class Call {
    constructor() {
      this.module = { exports: {} };
      this.madeStorage = null;
    }

    get storage() {
      this.madeStorage ??= V8VM.v1.storage.makeStorage();
      return this.madeStorage;
    }
  }

  const LONG_INFO = 1000; // units: the price of a call covers them

  // Reads what the reference reads before the contract's code runs; its gas is not the contract's.
  function preloaded(read) {
    const before = meter.left;
    const info = read();
    if (info.length > LONG_INFO) meter.work(info.length * V8VM.workPrices.json.parse);
    const value = json.FERAL_PARSE(info);
    meter.left = before;
    return value;
  }

  const blockInfo = () => preloaded(() => V8VM.host.blockInfo());
  const txInfo = () => preloaded(() => V8VM.host.txInfo());

  function block() {
    const { number, parent_hash: parentHash, witness, time } = blockInfo();
    return { number, parentHash, witness, time };
  }

  function tx() {
    const { time, hash, expiration, gas_limit: gasLimit, gas_ratio: gasRatio, auth_list: authList, publisher } = txInfo();
    return { time, hash, expiration, gasLimit, gasRatio, authList, publisher };
  }

  // A module of another name is an empty object, the same for each call of `require`.
  function makeRequire(call) {
    const modules = { __proto__: null, blockchain: V8VM.v1.blockchain };
    return (() =>
      function (id) {
        if (id === 'storage') return call.storage;
        const name = text(id);
        payName(name);
        if (modules[name] === undefined) meter.work(V8VM.workPrices.other.module);
        return (modules[name] ??= V8VM.permits.HOST_MODULES.has(name) ? { __proto__: null } : {});
      })();
  }

  const limit = (text) => () => new numbers.BigNumber(text);
  const free = (make) => () => {
    const before = meter.left;
    const value = make();
    meter.left = before;
    return value;
  };

  // Name -> function of the call that makes its value.
  const MADE = {
    __proto__: null,
    storage: (call) => call.storage,
    module: (call) => call.module,
    require: makeRequire,
    console: () => new V8VM.v1.console.Console(),
    block, tx, blockInfo, txInfo,
    MaxInt64: free(limit('9223372036854775807')),
    MinInt64: free(limit('-9223372036854775808')),
    MaxFloat64: free(limit('9223372036854775807')),
    MinFloat64: free(limit('-9223372036854775808')),
  };

  // Name -> value that all calls share.
  const shared = () => ({
    __proto__: null,
    Object: V8VM.primordials.Object,
    Number: objects.numberConstructors.Number,
    Symbol: objects.symbolFunctions.Symbol,
    String: strings.constructors.String,
    Array: arrays.constructors.Array,
    Error: objects.errorConstructors.Error,
    JSON,
    Math,
    isNaN: objects.globalFunctions.isNaN,
    isFinite: objects.globalFunctions.isFinite,
    blockchain: V8VM.v1.blockchain,
    IOSTCrypto: V8VM.v1.crypto,
    BigNumber: numbers.BigNumber,
    Int64: V8VM.v1.Int64,
    Float64: V8VM.v1.Float64,
    ...V8VM.v1.console,
  });

  // What the libraries can only do once prices are on.
  function finishLibraries() {
    const { BigNumber, statics, prototype } = numbers;
    for (const name in statics) BigNumber[name] = statics[name];
    BigNumber.prototype = prototype;
    prototype.constructor = BigNumber;
  }

  V8VM.v1.finishLibraries = finishLibraries;
  // Limits that all calls share: contracts can get at them, so they are frozen.
  function constant(text) {
    const value = new numbers.FERAL_BIG_NUMBER(text);
    V8VM.primordials.ObjectFreeze(value.c);
    return V8VM.primordials.ObjectFreeze(value);
  }

  V8VM.v1.int64Limits(constant('9223372036854775807'), constant('-9223372036854775808'));
  V8VM.v1.float64Limits(constant('9223372036854775807'), constant('-9223372036854775808'));
  V8VM.v1.endowments = { Call, MADE, shared };
})(globalThis.V8VM);
