// Prices set on the chain by system.iost hostSettings. They hold from the next transaction on.
(function (V8VM) {
  'use strict';

  const { JSONParse, NumberIsInteger } = V8VM.primordials;
  const { costs, costTable, state } = V8VM;

  let loaded = null; // the stored value that `costs` reflects
  let stale = true;

  function reset() {
    for (const [name, price] of costTable.TABLE) costs[name] = price;
  }

  function apply(text) {
    const given = JSONParse(text).Costs ?? {};
    for (const name in given) {
      const price = given[name].CPU;
      if (costTable.SETTINGS[name] !== undefined && NumberIsInteger(price) && price >= 0) costs[costTable.SETTINGS[name]] = price;
    }
  }

  // Brings the prices in line with the state; called before each transaction.
  function refresh() {
    if (!stale) return;
    stale = false;
    const cell = state.readPlain('system.iost', 'settings');
    if (cell === loaded) return;
    loaded = cell;
    reset();
    if (cell !== null) apply(cell.data);
  }

  V8VM.settings = { refresh, changed: () => (stale = true) };
})(globalThis.V8VM);
