// Settlement: RAM and gas are paid after the actions.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeSort, StringPrototypeEndsWith } = V8VM.primordials;
  const { journal, state, values, keys, authority, gas, token, publishing } = V8VM;
  const { isAssumedPaid, paysGas } = V8VM.preparation;

  function payerAccount(payer) {
    if (StringPrototypeEndsWith(payer, '.iost')) return null;
    return authority.isContract(payer) ? publishing.ownerOf(payer) : payer;
  }

  // What the chain itself writes is paid by nobody, as in the reference. A cell that is already so is left alone: a write would
  // only make transactions conflict.
  function overwriteInt(key, amount) {
    const entry = journal.entryOf(key);
    const old = entry.value;
    if (old !== null && old.kind === 'i' && old.data === amount && old.payer === '') return;
    journal.write(entry, values.int(amount));
  }

  // Takes RAM bytes from the balances of the payers: `ram` holds those that a cell was written or deleted for, the publisher is
  // always one. The cells of each are written without a payer, whatever the bytes. Returns what is wrong, or null.
  function payRam(tx, ram) {
    if (isAssumedPaid(tx)) return null;
    const { publisher } = tx;
    for (const payer of ArrayPrototypeSort([...new Set([...ram.keys(), publisher])])) {
      const bytes = BigInt(ram.get(payer) ?? 0);
      const account = payerAccount(payer);
      if (account === null) continue;
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
    if (!paysGas(tx) || gas.pay(tx.publisher, amount)) return null;
    const need = gas.format(amount);
    return `pay gas cost failed: gas not enough! Now: ${gas.format(gas.available(tx.publisher))}, Need ${need} ${tx.publisher} ${need}`;
  }

  V8VM.settlement = { payRam, payGas };
})(globalThis.V8VM);
