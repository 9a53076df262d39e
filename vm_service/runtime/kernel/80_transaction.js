// One transaction: preparation, actions in order, amount limits, settlement of RAM and gas. All or nothing.
//
//   prepare   refused -> {refused}                        nothing is charged, no receipt
//   actions   the first failure ends the transaction      status 4, its writes dropped
//   settle    RAM or gas cannot be paid                   status 2, its writes dropped
//   gas is paid in every case, after the rollback
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush, ArrayPrototypeSort, MathFloor, StringPrototypeEndsWith, StringPrototypeIndexOf, StringPrototypeSlice, StringPrototypeStartsWith } = V8VM.primordials;
  const { meter, costs, journal, state, values, keys, context, frames, authority, gas, token, publishing, decimal, Failure, STOP } = V8VM;
  const { utf8Length, utf8Cut, encodeArray } = V8VM.text;

  // Statuses of receipts: code, name, when. The VM itself gives 0, 2, 4 and 8; the others are kept for the reference's numbering.
  const STATUSES = [
    [0, 'SUCCESS', 'all actions took effect'],
    [1, 'GAS_RUN_OUT', 'not used: out of gas is a runtime error'],
    [2, 'BALANCE_NOT_ENOUGH', 'RAM or gas could not be paid after the actions; nothing took effect, gas is paid'],
    [3, 'WRONG_PARAMETER', 'not used'],
    [4, 'RUNTIME_ERROR', 'an action failed or gas ran out; nothing took effect, gas is paid'],
    [5, 'TIMEOUT', 'not used: what the clock of one machine stops is no result of the chain'],
    [6, 'WRONG_TX_FORMAT', 'not used: a malformed transaction is refused without a receipt'],
    [7, 'DUPLICATE_SET_CODE', 'not used'],
    [8, 'UNKNOWN_ERROR', 'a bug of the kernel; nothing took effect, gas is paid'],
  ];
  const SUCCESS = 0;
  const BALANCE_NOT_ENOUGH = 2;
  const RUNTIME_ERROR = 4;
  const UNKNOWN_ERROR = 8;

  const MIN_RATIO = 100;
  const MAX_RATIO = 10000;
  const MIN_LIMIT = 600000;
  const MAX_LIMIT = 400000000;
  const MAX_LIFE_NS = 90n * 10n ** 9n;
  const SHOWN_ACTION_BYTES = 100;
  const UNMETERED = 2 ** 52; // limit while the kernel itself asks, outside of any budget

  const isBase = (tx) => tx.base === true; // the head of a block, marked by whoever runs the block

  // Ends the preparation with a refusal.
  class Refusal {
    constructor(text) {
      this.text = text;
    }
  }

  const refuse = (text) => {
    throw new Refusal(`prepare tx error: ${text}`);
  };

  // -- preparation ---------------------------------------------------------------------------------------------------

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
      const [pledger, user, amount] = V8VM.primordials.JSONParse(actions[0].data);
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

  // -- amount limits -------------------------------------------------------------------------------------------------

  // What left accounts from move `first` on: token -> amount in smallest units.
  function sumMoves(moves, first) {
    const sums = new Map();
    for (let i = first; i < moves.length; i++) {
      const { sym, from, amount } = moves[i];
      if (!authority.isContract(from)) sums.set(sym, (sums.get(sym) ?? 0n) + amount);
    }
    return sums;
  }

  // Whether a list of limits forbids an amount. Nothing listed means nothing allowed.
  function exceeds(limits, sym, amount) {
    let limit = '0';
    for (const { token: name, val } of limits) {
      if (name === sym) {
        limit = val;
        break;
      }
      if (name === '*') limit = val;
    }
    return limit !== 'unlimited' && amount > decimal.parse(limit, token.decimals(sym)).value;
  }

  function checkMoves(method, transaction, firstMove) {
    const { moves, amountsMoved, tx } = transaction;
    if (moves.length === firstMove) return;
    for (const [sym, amount] of sumMoves(moves, firstMove)) {
      const need = () => decimal.format(amount, token.decimals(sym));
      if (exceeds(method.amountLimit, sym, amount)) throw new Failure(`token ${sym} exceed amountLimit in abi. need ${need()}`);
      const total = (amountsMoved.get(sym) ?? 0n) + amount;
      amountsMoved.set(sym, total);
      if (exceeds(tx.amount_limit, sym, total)) throw new Failure(`token ${sym} exceed amountLimit in tx. need ${need()}`);
    }
  }

  // -- actions -------------------------------------------------------------------------------------------------------

  function runAction(action, transaction) {
    const firstReceipt = transaction.receipts.length;
    const firstMove = transaction.moves.length;
    let called = null;
    const results = frames.runAction(action.contract, action.action, action.data, (method) => {
      called = method;
      meter.charge(costs.limitEntry * method.amountLimit.length);
    });
    meter.charge(costs.receiptIssued * (transaction.receipts.length - firstReceipt));
    checkMoves(called, transaction, firstMove);
    const text = results === null ? 'null' : encodeArray(results);
    meter.charge(costs.netByte * utf8Length(text));
    return text;
  }

  function shownAction({ contract, action, data }) {
    const text = `Action{Contract: ${contract}, ActionName: ${action}, Data: ${data}}`;
    const cut = utf8Cut(text, SHOWN_ACTION_BYTES);
    return cut.length < text.length ? `${cut}...` : text;
  }

  const runtimeError = (action, message) => ({ code: RUNTIME_ERROR, message: `running action ${shownAction(action)}\n error: ${message}` });

  // Runs one action within the budget left; returns {text} or {status}. Throws the stops that are not the contract's.
  function attempt(action, transaction) {
    meter.enter(transaction.budget);
    meter.depth = 0;
    try {
      return { text: runAction(action, transaction) };
    } catch (error) {
      if (meter.dead === 'gas') {
        meter.dead = null; // all gas stays used
        return { status: { code: RUNTIME_ERROR, message: 'out of gas' } };
      }
      if (error === STOP || meter.dead !== null) throw error;
      if (error instanceof Failure) return { status: runtimeError(action, error.message) };
      return { status: { code: UNKNOWN_ERROR, message: 'internal error' }, bug: `${error}` };
    }
  }

  function runActions(tx, transaction, result) {
    let used = 0;
    for (const action of tx.actions) {
      transaction.gasJs = null;
      const outcome = attempt(action, transaction);
      used += meter.used;
      transaction.budget -= meter.used;
      ArrayPrototypePush(result.gas_js, transaction.gasJs);
      if (outcome.status !== undefined) {
        result.status = outcome.status;
        if (outcome.bug !== undefined) result.bug = outcome.bug;
        break;
      }
      ArrayPrototypePush(result.returns, outcome.text);
    }
    return used;
  }

  // -- settlement ----------------------------------------------------------------------------------------------------

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
      if (balance < bytes) return `pay ram failed. id: ${payer} need ${bytes}, actual ${balance}`;
      overwriteInt(keys.field('token.iost', `TB${account}`, 'ram'), balance - bytes);
      overwriteInt(keys.plain('ram.iost', `UR${account}`), (state.readPlain('ram.iost', `UR${account}`)?.data ?? 0n) + bytes);
    }
    return null;
  }

  const mustPayGas = (tx) => context.block().number !== 0 && !isBase(tx);

  // Takes the gas from the publisher. Returns what is wrong, or null.
  function payGas(tx, result) {
    const amount = BigInt(result.gas_usage);
    if (!mustPayGas(tx) || gas.pay(tx.publisher, amount)) return null;
    return `pay gas cost failed: gas not enough! Now: ${gas.format(gas.available(tx.publisher))}, Need: ${gas.format(amount)}`;
  }

  function settle(tx, transaction, result) {
    if (result.status.code === SUCCESS) {
      const problem = payRam(transaction.ram) ?? payGas(tx, result);
      if (problem === null) {
        fill(transaction, result);
        return;
      }
      result.status = { code: BALANCE_NOT_ENOUGH, message: `balance not enough after executing actions: ${problem}` };
    }
    journal.rollback();
    V8VM.settings.changed();
    result.returns = [];
    payGas(tx, result); // enough after the rollback: it was there before the actions ran
  }

  function fill({ ram, receipts, events }, result) {
    for (const [payer, bytes] of ram) if (bytes !== 0) result.ram_usage[payer] = bytes;
    result.receipts = receipts;
    result.events = events;
  }

  // -- the whole -----------------------------------------------------------------------------------------------------

  function grants(tx) {
    const signed = new Set(tx.signers);
    signed.add(`${tx.publisher}@active`);
    return signed;
  }

  // Gas that a transaction may use in all. Block 0 sets none; a base transaction need not name one.
  function gasLimit(tx) {
    if (context.block().number === 0) return UNMETERED;
    return MathFloor((tx.gas_limit || MAX_LIMIT) / (tx.gas_ratio || MIN_RATIO));
  }

  const newResult = () => ({ status: { code: SUCCESS, message: '' }, gas_usage: 0, ram_usage: { __proto__: null }, returns: [], receipts: [], events: [], console: [], gas_js: [] });

  function execute(tx) {
    const transaction = context.openTransaction(tx, grants(tx));
    V8VM.settings.refresh();
    let paid;
    try {
      paid = prepare(tx);
    } catch (error) {
      if (error instanceof Refusal) return { refused: error.text };
      throw error;
    }
    const result = newResult();
    transaction.budget = gasLimit(tx) - paid;
    result.gas_usage = (paid + runActions(tx, transaction, result)) * tx.gas_ratio;
    meter.enter(UNMETERED);
    settle(tx, transaction, result);
    result.console = transaction.console;
    return result;
  }

  V8VM.transaction = { STATUSES, execute, newResult, runtimeError };
})(globalThis.V8VM);
