// Prices set on the chain by system.iost hostSettings. They hold from the next transaction on.
(function (V8VM) {
  'use strict';

  const { JSONParse, NumberIsSafeInteger, ObjectEntries } = V8VM.primordials;
  const { costs, costTable, state } = V8VM;

  let loaded = null; // the stored value that `costs` reflects
  let stale = true;

  function reset() {
    for (const [name, price] of costTable.TABLE) costs[name] = price;
  }

  const NET = 10; // gas of a unit of Net

  const objectOf = (value) => (typeof value === 'object' && value !== null ? value : {});

  // Gas of a price as it is set, or null when it is none.
  function gasOf(price) {
    if (typeof price !== 'object' || price === null) return null;
    const { CPU = 0, Net = 0 } = price;
    if (typeof CPU !== 'number' || typeof Net !== 'number') return null;
    const gas = CPU + NET * Net;
    return NumberIsSafeInteger(gas) && gas >= 0 ? gas : null;
  }

  // What is no price changes none: a settings text must never keep the chain from running.
  function apply(text) {
    for (const [name, given] of ObjectEntries(objectOf(objectOf(JSONParse(text)).Costs))) {
      const gas = gasOf(given);
      if (gas !== null) for (const [price, units] of costTable.SETTINGS[name] ?? []) costs[price] = gas * units;
    }
  }

  // Brings the prices in line with the state; called before each transaction or call.
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
