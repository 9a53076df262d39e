// Preparation: whether a transaction may be executed at all. A refusal charges nothing and leaves no receipt.
(function (V8VM) {
  'use strict';

  const { MathFloor, StringPrototypeIndexOf, StringPrototypeSlice } = V8VM.primordials;
  const { meter, costs, context, contracts, authority, gas, token, amountLimits, decimal, Failure } = V8VM;

  const MIN_RATIO = 100;
  const MAX_RATIO = 10000;
  const MIN_LIMIT = 600000;
  const MAX_LIMIT = 400000000;
  const MAX_LIFE_NS = 90n * 10n ** 9n;
  const [IOST, IOST_DECIMALS] = ['iost', 8];
  const MAX_CHECK_GAS = MAX_LIMIT / MIN_RATIO; // of signatures: more than any transaction may use in all
  const EVERY_KEY = { __proto__: null, has: () => true }; // has signed
  const UNMETERED = 2 ** 52; // limit while the kernel itself asks, outside of any budget

  // Whether nobody pays a transaction's gas: in block 0, and at the head of a block, marked by whoever runs the block.
  const isFree = (tx) => context.block().number === 0 || tx.base === true;

  // Whether gas and RAM are taken for granted as well: a question about a transaction, of which nothing is kept.
  const isAssumedPaid = (tx) => tx.assume_paid === true;

  const paysGas = (tx) => !isFree(tx) && !isAssumedPaid(tx);

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

  const seconds = (ns) => decimal.format(ns, 9);

  function checkTime(tx) {
    const { timeNs: now, aheadNs } = context.block();
    const created = BigInt(tx.time);
    const expiration = BigInt(tx.expiration);
    if (created > now) {
      const bound = `at most ${seconds(aheadNs)} s ahead are allowed`;
      refuse(`transaction is too far ahead: its time ${created} is after the block's time ${now}, ${bound}`);
    }
    if (expiration <= now) refuse(`transaction is expired: its expiration ${expiration} is not after the block's time ${now}`);
    if (now - created > MAX_LIFE_NS) {
      refuse(`transaction is too old: its time ${created} is more than ${seconds(MAX_LIFE_NS)} s before the block's time ${now}`);
    }
  }

  function pledgeArguments(data) {
    const method = contracts.find('gas.iost')?.methods.get('pledge');
    if (method === undefined) return null;
    try {
      return V8VM.arguments.unmarshal(method, data);
    } catch (error) {
      if (error instanceof Failure) refuse(`invalid gas pledge args ${error.message} ${data}`);
      throw error;
    }
  }

  // What a transaction pledges for its own publisher, in smallest units of iost; null when it does anything else.
  function ownPledge({ actions, publisher }) {
    if (actions.length !== 1 || actions[0].contract !== 'gas.iost' || actions[0].action !== 'pledge') return null;
    const args = pledgeArguments(actions[0].data);
    if (args === null || args[0] !== publisher || args[1] !== publisher) return null;
    const { value, error } = decimal.parse(args[2], IOST_DECIMALS);
    if (error !== undefined || value < gas.MIN_OF_ACTION) refuse(`invalid gas pledge amount ${error ?? '<nil>'} ${args[2]}`);
    return value;
  }

  // A pledge for oneself may count the gas that it will give.
  function checkGas(tx) {
    const limit = gas.hundredths(BigInt(tx.gas_limit));
    const available = gas.available(tx.publisher);
    if (!gas.less(available, limit)) return;
    const pledge = ownPledge(tx);
    if (pledge === null) refuse(`gas not enough: user ${tx.publisher} has ${gas.format(available)} < ${gas.format(limit)}`);
    const balance = token.balance(IOST, tx.publisher);
    const shown = (amount) => decimal.format(amount, IOST_DECIMALS);
    if (balance < pledge) refuse(`iost token amount not enough for pledgement ${shown(balance)} < ${shown(pledge)}`);
    const given = gas.producedBy(pledge);
    if (!gas.less(gas.sum(available, given), limit)) return;
    const text = `${gas.format(available)} + ${gas.format(given)} < ${gas.format(limit)}`;
    refuse(`gas not enough even if considering the new gas pledgement ${text}`);
  }

  // Who signed as publisher, but for the holder of the key `left`.
  const publishing = (tx, left) => {
    if (tx.assume_signed === true) return EVERY_KEY;
    const keys = new Set(tx.publisher_keys);
    keys.delete(left);
    return keys;
  };

  // Returns whose permission the signatures do not satisfy, or ''. The keys of the publisher count for every signer, those of
  // the signers not for the publisher.
  function unauthorized(tx, published) {
    const signed = new Set(tx.tx_keys);
    const signing = { __proto__: null, has: (key) => signed.has(key) || published.has(key) };
    for (const signer of tx.signers) {
      const at = StringPrototypeIndexOf(signer, '@');
      if (at < 0 || StringPrototypeIndexOf(signer, '@', at + 1) >= 0) refuse(`illegal signer: ${signer}`);
      const granted = authority.satisfiedByKeys(StringPrototypeSlice(signer, 0, at), StringPrototypeSlice(signer, at + 1), signing);
      if (!granted && tx.assume_signed !== true) return `unauthorized signer: ${signer}`;
    }
    const granted = authority.satisfiedByKeys(tx.publisher, 'active', published);
    return granted || tx.assume_signed === true ? '' : `unauthorized publisher: ${tx.publisher}`;
  }

  function checkSigners(tx) {
    const missing = unauthorized(tx, publishing(tx));
    if (missing !== '') refuse(missing);
  }

  // Nothing signs the list of the publisher's signatures, and the hash covers it. If one could be added or left out, anybody could
  // make a second transaction of a first one, which would be executed as well.
  function checkNeeded(tx) {
    const keys = tx.publisher_keys;
    if (keys.length < 2 || tx.assume_signed === true) return;
    for (const key of keys) if (unauthorized(tx, publishing(tx, key)) === '') refuse(`needless signature of the publisher by ${key}`);
  }

  // Returns the gas that reading the accounts costs. A refusal is free, so that what is read before it has an end.
  function payForSigners(tx) {
    meter.enter(MAX_CHECK_GAS);
    let paid;
    try {
      checkSigners(tx);
      paid = meter.used;
      checkNeeded(tx);
    } catch (error) {
      if (meter.dead !== 'gas') throw error;
      meter.dead = null;
      refuse(`too many accounts to ask whether ${tx.publisher} is authorized`);
    }
    return paid;
  }

  function checkLimits(tx) {
    try {
      amountLimits.validate(tx.amount_limit);
    } catch (error) {
      if (error instanceof Failure) refuse(error.message);
      throw error;
    }
  }

  // Returns the gas paid before execution: the bytes and the accounts read. Throws Refusal.
  function prepare(tx) {
    const paid = costs.netByte * tx.size;
    if (isFree(tx)) return paid;
    checkNumbers(tx, paid);
    checkTime(tx);
    if (paysGas(tx)) checkGas(tx);
    const checked = payForSigners(tx);
    meter.enter(UNMETERED);
    checkLimits(tx);
    return paid + checked;
  }

  // Gas that a transaction may use in all. Block 0 sets none; a base transaction need not name one.
  function gasLimit(tx) {
    if (context.block().number === 0) return UNMETERED;
    return MathFloor((tx.gas_limit || MAX_LIMIT) / (tx.gas_ratio || MIN_RATIO));
  }

  V8VM.preparation = { Refusal, UNMETERED, prepare, gasLimit, isAssumedPaid, paysGas };
})(globalThis.V8VM);
