// Prices of the kernel, in gas: the only list of them. docs/gas.md is generated from this table (name, price, what for).
(function (V8VM) {
  'use strict';

  const TABLE = [
    ['get', 300, 'reading or checking a storage cell; a refused update of a contract'],
    ['keys', 300, 'listing a map, or counting it'],
    ['put', 300, 'writing a storage cell; more for values above 3,000 bytes (a tenth of the stored length)'],
    ['del', 300, 'deleting a storage cell'],
    ['refusal', 10, 'a refused storage write, a cycle of permissions, `init` called by hand'],
    ['context', 10, 'blockInfo, txInfo, contextInfo, block time'],
    ['auth', 10, '`requireAuth` decided without reading an account'],
    ['call', 10, 'a nested call, times the height of the caller (1 for the first frame)'],
    ['op', 10, 'one ordinary step inside a native contract'],
    ['javascript', 30000, 'starting a JavaScript contract'],
    ['prepare', 300, 'a call that fails before it starts: no such contract or method, wrong arguments'],
    ['limitEntry', 10, 'each amountLimit entry of the called method, on the first frame'],
    ['receiptIssued', 10, 'each receipt issued, on the first frame'],
    ['netByte', 10, 'a byte of the transaction, and of its return texts'],
    ['receiptByte', 10, 'a byte of a receipt issued by a native contract that no JavaScript called'],
    ['eventByte', 1, 'a byte of an event'],
    ['publish', 200000, 'publishing or updating a contract'],
    ['publishByte', 70, 'a byte of its source, beside the above'],
    ['savedByte', 1, 'a byte of its record, and again of its source'],
  ];

  // Prices that system.iost hostSettings may replace (`{"Costs": {name: {CPU, Net, Data}}}`), by the reference's names: which of
  // ours follow, and how many of the reference's unit each is.
  const SETTINGS = {
    __proto__: null,
    JSCost: [['javascript', 1]],
    PutCost: [['put', 1]],
    GetCost: [['get', 1], ['prepare', 1]],
    DelCost: [['del', 1]],
    KeysCost: [['keys', 1]],
    ContextCost: [['context', 1]],
    EventPrice: [['eventByte', 1]],
    ReceiptPrice: [['receiptByte', 1]],
    CodePrice: [['savedByte', 1]],
    SetCodeBasePrice: [['publish', 1]],
    SetCodePrice: [['publishByte', 1]],
    OpPrice: [['op', 10], ['auth', 10], ['call', 10], ['limitEntry', 10], ['receiptIssued', 10]],
    ErrPrice: [['refusal', 10]],
  };

  const prices = { __proto__: null };
  for (const [name, price] of TABLE) prices[name] = price;

  V8VM.costs = prices;
  V8VM.costTable = { TABLE, SETTINGS };
})(globalThis.V8VM);
