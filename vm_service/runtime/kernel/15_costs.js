// Prices of the kernel, in gas: the only list of them. docs/gas.md is generated from this table (name, price, what for).
(function (V8VM) {
  'use strict';

  const TABLE = [
    ['get', 300, 'reading, checking or listing a storage cell'],
    ['put', 300, 'writing a storage cell; more for values above 3,000 bytes (a tenth of the stored length)'],
    ['del', 300, 'deleting a storage cell'],
    ['refusal', 10, 'a refused storage write, a cycle of permissions'],
    ['context', 10, 'blockInfo, txInfo, contextInfo, block time'],
    ['auth', 10, '`requireAuth` decided without reading an account'],
    ['call', 10, 'a nested call, times the height of the caller (1 for the first frame)'],
    ['op', 10, 'one ordinary step inside a native contract'],
    ['javascript', 30000, 'starting a JavaScript contract'],
    ['prepare', 300, 'a call that fails before it starts: no such contract or method, wrong arguments'],
    ['limitEntry', 10, 'each amountLimit entry of the called method, on the first frame'],
    ['receiptIssued', 10, 'each receipt issued, on the first frame'],
    ['netByte', 10, 'a byte of the transaction, of its return texts, and of receipts issued by a native contract that no JavaScript called'],
    ['eventByte', 1, 'a byte of an event'],
    ['publish', 200000, 'publishing or updating a contract'],
    ['publishByte', 70, 'a byte of its source, beside the above'],
  ];

  // Prices that system.iost hostSettings may replace (`{"Costs": {name: {CPU, Net, Data}}}`), by the reference's names.
  const SETTINGS = {
    __proto__: null,
    PutCost: 'put', GetCost: 'get', DelCost: 'del', KeysCost: 'get', ContextCost: 'context', EventPrice: 'eventByte',
    CodePrice: 'publishByte', OpPrice: 'op', ErrPrice: 'refusal',
  };

  const prices = { __proto__: null };
  for (const [name, price] of TABLE) prices[name] = price;

  V8VM.costs = prices;
  V8VM.costTable = { TABLE, SETTINGS };
})(globalThis.V8VM);
