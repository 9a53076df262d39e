// The host functions that the class libraries of a contract call. They act on the current frame and charge before they work.
// Arguments are checked texts; what they throw, other than a stop, the contract sees.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush } = V8VM.primordials;
  const { meter, costs, state, values, context } = V8VM;
  const { utf8Length, measured } = V8VM.text;

  const CONSOLE_MAX_LINES = 256; // per transaction: a debug channel, not a log
  const CONSOLE_MAX_UNITS = 65536;
  const { told: RECEIPT_UNITS, receiptUnit: TOLD_WORK, line: LINE_WORK } = V8VM.workPrices.host;
  const { freeReceiptUnits: FREE_RECEIPT_UNITS } = V8VM.workPrices.gas;

  const here = () => V8VM.frames.current().contract;
  const visible = (value) => (value === null ? null : values.visible(value));

  // After fork 3.9.0 this reads as absent for everybody.
  const hidden = (contract, key) => contract === 'base.iost' && V8VM.primordials.StringPrototypeStartsWith(key, 'chain_info_');

  // Receipts are free for contracts; far beyond what ordinary ones issue, they cost a gas for each unit.
  function chargeVolume(transaction, units) {
    transaction.receiptUnits += units + RECEIPT_UNITS;
    if (transaction.receiptUnits > FREE_RECEIPT_UNITS) meter.charge(units + RECEIPT_UNITS);
  }

  function receipt(content) {
    meter.check();
    const frame = V8VM.frames.current();
    if (!frame.sandboxed) meter.charge(costs.receiptByte * utf8Length(content));
    const transaction = context.current();
    chargeVolume(transaction, content.length);
    meter.work(RECEIPT_UNITS + TOLD_WORK * content.length);
    ArrayPrototypePush(transaction.receipts, { func_name: `${frame.contract}/${frame.api ?? ''}`, content });
    ArrayPrototypePush(transaction.events, { topic: 'receipt', contract: frame.contract, action: frame.api ?? '', data: content });
  }

  function event(data) {
    meter.charge(costs.eventByte * measured(data));
    meter.work(RECEIPT_UNITS);
    const frame = V8VM.frames.current();
    ArrayPrototypePush(context.current().events, { topic: 'event', contract: frame.contract, action: frame.api ?? '', data });
  }

  function log(level, text) {
    meter.check();
    const transaction = context.current();
    meter.work(LINE_WORK);
    transaction.consoleUnits += text.length;
    if (transaction.console.length >= CONSOLE_MAX_LINES || transaction.consoleUnits > CONSOLE_MAX_UNITS) return;
    ArrayPrototypePush(transaction.console, `${level}: ${text}`);
  }

  V8VM.host = {
    put: (key, value, payer) => state.put(here(), key, values.text(value), payer),
    get: (key) => visible(state.get(here(), key)),
    has: (key) => state.get(here(), key) !== null,
    del: (key) => state.del(here(), key),
    mapPut: (key, field, value, payer) => state.mapPut(here(), key, field, values.text(value), payer),
    mapGet: (key, field) => visible(state.mapGet(here(), key, field)),
    mapHas: (key, field) => state.mapGet(here(), key, field) !== null,
    mapDel: (key, field) => state.mapDel(here(), key, field),
    mapKeys: (key) => state.mapKeys(here(), key),
    mapLen: (key) => state.mapLen(here(), key),
    globalGet: (contract, key) => {
      const value = state.get(contract, key);
      return hidden(contract, key) ? null : visible(value);
    },
    globalHas: (contract, key) => state.get(contract, key) !== null,
    globalMapGet: (contract, key, field) => visible(state.mapGet(contract, key, field)),
    globalMapHas: (contract, key, field) => state.mapGet(contract, key, field) !== null,
    globalMapKeys: (contract, key) => state.mapKeys(contract, key),
    globalMapLen: (contract, key) => state.mapLen(contract, key),
    blockInfo: context.blockInfo,
    txInfo: context.txInfo,
    contextInfo: context.contextInfo,
    call: (contract, api, data, withAuth) => V8VM.frames.callFromScript(contract, api, data, withAuth),
    requireAuth: (id, permission) => V8VM.authority.requireAuth(id, permission),
    receipt,
    event,
    console: log,
  };
})(globalThis.V8VM);
