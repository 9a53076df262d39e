// Preparation: whether a transaction may be executed at all. A refusal charges nothing and leaves no receipt.
(function (V8VM) {
  'use strict';

  const { JSONParse, MathFloor, StringPrototypeIndexOf, StringPrototypeSlice } = V8VM.primordials;
  const { meter, costs, context, authority, gas, publishing, Failure } = V8VM;

  const MIN_RATIO = 100;
  const MAX_RATIO = 10000;
  const MIN_LIMIT = 600000;
  const MAX_LIMIT = 400000000;
  const MAX_LIFE_NS = 90n * 10n ** 9n;
  const UNMETERED = 2 ** 52; // limit while the kernel itself asks, outside of any budget

  const isBase = (tx) => tx.base === true; // the head of a block, marked by whoever runs the block

  class Refusal {
    constructor(text) {
      this.text = text;
    }
  }

  const refuse = (text) => {
    throw new Refusal(`prepare tx error: ${text}`);
  };

  function checkNumbers(tx, paid) {
    const { gas_ratio, gas_limit } = tx;
    if (gas_ratio < MIN_RATIO || gas_ratio > MAX_RATIO) refuse('gas ratio illegal, should in [1, 100]');
    if (gas_limit < MIN_LIMIT || gas_limit > MAX_LIMIT) refuse('gas limit illegal, should in [6000, 4000000]');
    if (paid * gas_ratio >= gas_limit) refuse(`gas limit should be larger, paid: ${paid}, gas limit: ${gas_limit}, gas ratio: ${gas_ratio}`);
  }

  function checkTime(tx) {
    const now = context.block().timeNs;
    const created = BigInt(tx.time);
    if (created > now || BigInt(tx.expiration) <= now || now > created + MAX_LIFE_NS) refuse('transaction is expired or of the future');
  }

  // A pledge for oneself may count the gas that it will give.
  function pledgedNow({ actions, publisher }) {
    if (actions.length !== 1 || actions[0].contract !== 'gas.iost' || actions[0].action !== 'pledge') return 0n;
    try {
      const [pledger, user, amount] = JSONParse(actions[0].data);
      return pledger === publisher && user === publisher ? gas.producedBy(`${amount}`) : 0n;
    } catch {
      return 0n;
    }
  }

  function checkGas(tx) {
    const limit = BigInt(tx.gas_limit);
    const available = gas.available(tx.publisher);
    if (available >= limit || available + pledgedNow(tx) >= limit) return;
    refuse(`gas not enough: user ${tx.publisher} has ${gas.format(available)} < ${gas.format(limit)}`);
  }

  function checkSigners(tx) {
    const signing = new Set(tx.tx_keys);
    for (const signer of tx.signers) {
      const at = StringPrototypeIndexOf(signer, '@');
      if (at < 0 || StringPrototypeIndexOf(signer, '@', at + 1) >= 0) refuse(`illegal signer: ${signer}`);
      const granted = authority.satisfiedByKeys(StringPrototypeSlice(signer, 0, at), StringPrototypeSlice(signer, at + 1), signing);
      if (!granted) refuse(`unauthorized signer: ${signer}`);
    }
    if (!authority.satisfiedByKeys(tx.publisher, 'active', new Set(tx.publisher_keys))) refuse(`unauthorized publisher: ${tx.publisher}`);
  }

  function checkLimits(tx) {
    try {
      publishing.checkAmountLimits(tx.amount_limit, false);
    } catch (error) {
      if (error instanceof Failure) refuse(error.message);
      throw error;
    }
  }

  // Returns the gas paid before execution: the bytes and the accounts read. Throws Refusal.
  function prepare(tx) {
    const paid = costs.netByte * tx.size;
    if (context.block().number === 0 || isBase(tx)) return paid;
    checkNumbers(tx, paid);
    checkTime(tx);
    checkGas(tx);
    meter.enter(UNMETERED);
    checkSigners(tx);
    const checked = meter.used;
    checkLimits(tx);
    return paid + checked;
  }

  // Gas that a transaction may use in all. Block 0 sets none; a base transaction need not name one.
  function gasLimit(tx) {
    if (context.block().number === 0) return UNMETERED;
    return MathFloor((tx.gas_limit || MAX_LIMIT) / (tx.gas_ratio || MIN_RATIO));
  }

  V8VM.preparation = { Refusal, UNMETERED, prepare, gasLimit, isBase };
})(globalThis.V8VM);
