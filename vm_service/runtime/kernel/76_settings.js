// Prices set on the chain by system.iost hostSettings. They hold from the next transaction on.
(function (V8VM) {
  'use strict';

  const { JSONParse, NumberIsSafeInteger } = V8VM.primordials;
  const { costs, costTable, state } = V8VM;

  let loaded = null; // the stored value that `costs` reflects
  let stale = true;

  function reset() {
    for (const [name, price] of costTable.TABLE) costs[name] = price;
  }

  const NET = 10; // gas of a unit of Net

  // Gas of a price as it is set, or null when it is none.
  function gasOf({ CPU = 0, Net = 0 }) {
    const gas = CPU + NET * Net;
    return NumberIsSafeInteger(gas) && gas >= 0 ? gas : null;
  }

  function apply(text) {
    const given = JSONParse(text).Costs ?? {};
    for (const name in given) {
      const gas = gasOf(given[name]);
      if (gas !== null) for (const [price, units] of costTable.SETTINGS[name] ?? []) costs[price] = gas * units;
    }
  }

  // Brings the prices in line with the state; called before each transaction.
  function refresh() {
    if (!stale) return;
    stale = false;
    const cell = state.readField('system.iost', 'settings', 'host');
    if (cell === loaded) return;
    loaded = cell;
    reset();
    if (cell !== null) apply(cell.data);
  }

  V8VM.settings = { refresh, changed: () => (stale = true) };
})(globalThis.V8VM);
