// One transaction: preparation, actions in order, amount limits, settlement of RAM and gas. All or nothing.
//
//   prepare   refused -> {refused}                        nothing is charged, no receipt
//   actions   the first failure ends the transaction      status 4, its writes dropped
//   settle    RAM or gas cannot be paid                   status 2, its writes dropped
//   gas is paid in every case, after the rollback; a pledge for oneself that fails may leave nothing to pay with: {refused}
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush } = V8VM.primordials;
  const { meter, costs, journal, context, frames, gas, amountLimits, Failure, STOP } = V8VM;
  const { Refusal, UNMETERED, prepare, gasLimit, paysGas } = V8VM.preparation;
  const { payRam, payGas } = V8VM.settlement;
  const { utf8Length, firstCharacters, encodeArray } = V8VM.text;

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

  const SHOWN_ACTION_CHARACTERS = 100;
  const NO_RAM = new Map();

  // -- actions -------------------------------------------------------------------------------------------------------

  function runAction(action, transaction) {
    const firstMove = transaction.moves.length;
    const results = frames.runAction(action.contract, action.action, action.data, (method) => {
      amountLimits.check(method, transaction, firstMove);
    });
    const text = results === null ? 'null' : encodeArray(results);
    meter.charge(costs.netByte * utf8Length(text));
    return text;
  }

  // The line break belongs to the description: it counts, and is cut with the rest.
  function shownAction({ contract, action, data }) {
    const text = `Action{Contract: ${contract}, ActionName: ${action}, Data: ${data}}\n`;
    const cut = firstCharacters(text, SHOWN_ACTION_CHARACTERS);
    return cut.length < text.length ? `${cut}...` : text;
  }

  const runtimeError = (action, message) => ({ code: RUNTIME_ERROR, message: `running action ${shownAction(action)} error: ${message}` });
  const OUT_OF_GAS = { code: RUNTIME_ERROR, message: 'out of gas' };

  // Runs one action within the budget left; returns {text} or {status}. Throws the stops that are not the contract's.
  function attempt(action, transaction) {
    meter.enter(transaction.budget);
    meter.depth = 0;
    try {
      return { text: runAction(action, transaction) };
    } catch (error) {
      meter.pass(error);
      if (meter.dead === 'gas') {
        meter.dead = null; // all gas stays used
        return { status: OUT_OF_GAS, where: transaction.stoppedAt };
      }
      if (error === STOP || meter.dead !== null) throw error;
      if (error instanceof Failure) return { status: runtimeError(action, error.message), where: error.where };
      return { status: { code: UNKNOWN_ERROR, message: 'internal error' }, bug: `${error}` };
    }
  }

  // Whether the publisher can no longer pay for the limit: an action may have taken pledges back.
  const lacksGas = (tx) => paysGas(tx) && gas.inHundredths(gas.available(tx.publisher)) / BigInt(tx.gas_ratio) < BigInt(gasLimit(tx));

  // Runs an action; returns what `attempt` does and the gas it used.
  function runOne(action, tx, transaction) {
    transaction.gasJs = null;
    const outcome = attempt(action, transaction);
    const { used } = meter;
    meter.enter(UNMETERED);
    return lacksGas(tx) ? { status: OUT_OF_GAS, used: transaction.budget } : { ...outcome, used };
  }

  function runActions(tx, transaction, result) {
    let used = 0;
    for (const action of tx.actions) {
      const outcome = runOne(action, tx, transaction);
      used += outcome.used;
      transaction.budget -= outcome.used;
      ArrayPrototypePush(result.gas_js, transaction.gasJs);
      if (outcome.status !== undefined) {
        result.status = outcome.status;
        if (outcome.bug !== undefined) result.bug = outcome.bug;
        if (outcome.where !== undefined) result.failure = outcome.where?.shown();
        break;
      }
      ArrayPrototypePush(result.returns, outcome.text);
    }
    return used;
  }

  // -- the end -------------------------------------------------------------------------------------------------------

  // Returns why not even the gas can be paid, or null.
  function settle(tx, transaction, result) {
    if (result.status.code === SUCCESS) {
      const problem = payRam(tx, transaction.ram) ?? payGas(tx, result);
      if (problem === null) {
        fill(transaction, result);
        return null;
      }
      result.status = { code: BALANCE_NOT_ENOUGH, message: `balance not enough after executing actions: ${problem}` };
    }
    journal.rollback();
    V8VM.settings.changed();
    result.returns = [];
    payRam(tx, NO_RAM);
    return payGas(tx, result); // it was there before the actions ran, unless a pledge was to bring it
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

  const newResult = () => ({
    status: { code: SUCCESS, message: '' },
    gas_usage: 0,
    ram_usage: { __proto__: null },
    returns: [],
    receipts: [],
    events: [],
    console: [],
    gas_js: [],
  });

  function execute(tx) {
    const transaction = context.openTransaction(tx, grants(tx));
    let paid;
    try {
      paid = prepare(tx);
    } catch (error) {
      meter.pass(error);
      if (error instanceof Refusal) return { refused: error.text };
      throw error;
    }
    const result = newResult();
    transaction.budget = gasLimit(tx) - paid;
    result.gas_usage = (paid + runActions(tx, transaction, result)) * tx.gas_ratio;
    meter.enter(UNMETERED);
    const unpaid = settle(tx, transaction, result);
    if (unpaid !== null) return { refused: unpaid };
    result.console = transaction.console;
    return result;
  }

  V8VM.transaction = { STATUSES, execute, newResult, runtimeError };
})(globalThis.V8VM);
