// Settlement: RAM and gas are paid after the actions.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeSort, StringPrototypeEndsWith } = V8VM.primordials;
  const { journal, state, values, keys, authority, gas, token, publishing } = V8VM;
  const { isFree } = V8VM.preparation;

  function payerAccount(payer) {
    if (StringPrototypeEndsWith(payer, '.iost')) return null;
    return authority.isContract(payer) ? publishing.ownerOf(payer) : payer;
  }

  // What the chain itself writes is paid by nobody, as in the reference.
  const overwriteInt = (key, amount) => journal.write(journal.entryOf(key), values.int(amount));

  // Takes RAM bytes from the balances of those who pay. Returns what is wrong, or null.
  function payRam(ram) {
    for (const payer of ArrayPrototypeSort([...ram.keys()])) {
      const bytes = BigInt(ram.get(payer));
      const account = payerAccount(payer);
      if (account === null || bytes === 0n) continue;
      const balance = token.balance('ram', account);
      if (balance < bytes) return `pay ram failed. id: ${account} need ${bytes}, actual ${balance}`;
      overwriteInt(keys.field('token.iost', `TB${account}`, 'ram'), balance - bytes);
      overwriteInt(keys.plain('ram.iost', `UR${account}`), (state.readPlain('ram.iost', `UR${account}`)?.data ?? 0n) + bytes);
    }
    return null;
  }

  // Takes the gas from the publisher. Returns what is wrong, or null.
  function payGas(tx, result) {
    const amount = gas.hundredths(BigInt(result.gas_usage));
    if (isFree(tx) || gas.pay(tx.publisher, amount)) return null;
    const need = gas.format(amount);
    return `pay gas cost failed: gas not enough! Now: ${gas.format(gas.available(tx.publisher))}, Need ${need} ${tx.publisher} ${need}`;
  }

  V8VM.settlement = { payRam, payGas };
})(globalThis.V8VM);
