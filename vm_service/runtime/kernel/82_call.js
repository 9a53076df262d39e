// Calls outside of a transaction: read-only questions, and methods on a bare host (how single methods are measured).
(function (V8VM) {
  'use strict';

  const { MathFloor } = V8VM.primordials;
  const { meter, context, frames, transaction, Failure, STOP } = V8VM;
  const { encodeArray } = V8VM.text;

  const pseudoTransaction = (call) => ({
    hash: call.hash ?? null, size: 0, publisher: call.publisher ?? null, signers: call.signers ?? [], actions: [], amount_limit: [],
    gas_limit: call.gas_limit, gas_ratio: 100, time: '0', expiration: '0', delay: 0, chain_id: 0, tx_keys: [], publisher_keys: [],
  });

  const textOf = (results) => (results === null ? 'null' : encodeArray(results));

  // Runs `body` within `limit` gas; returns its status, its gas and what it returned.
  function guarded(limit, body) {
    meter.enter(limit);
    meter.depth = 0;
    try {
      return { code: 0, message: '', value: body(), gas: meter.used };
    } catch (error) {
      meter.pass(error);
      if (meter.dead === 'gas') {
        meter.dead = null;
        return { code: 4, message: 'out of gas', value: null, gas: limit, where: context.current().stoppedAt };
      }
      if (error === STOP || meter.dead !== null) throw error;
      if (error instanceof Failure) return { code: 4, message: error.message, value: null, gas: meter.used, where: error.where };
      return { code: 8, message: 'internal error', value: null, gas: meter.used, bug: `${error}` };
    }
  }

  function finish(outcome, opened) {
    const result = transaction.newResult();
    result.status = { code: outcome.code, message: outcome.message };
    if (outcome.bug !== undefined) result.bug = outcome.bug;
    result.failure = outcome.where?.shown();
    result.gas_usage = outcome.gas * 100;
    result.console = opened.console;
    result.gas_js = [opened.gasJs];
    if (outcome.code !== 0) return result;
    result.returns = [outcome.value];
    result.receipts = opened.receipts;
    result.events = opened.events;
    for (const [payer, bytes] of opened.ram) if (bytes !== 0) result.ram_usage[payer] = bytes;
    return result;
  }

  // A read-only question: {contract, action, data, publisher, gas_limit (x100)}. Nobody signed: no authority.
  function query(call) {
    const tx = pseudoTransaction({ ...call, hash: '' });
    const opened = context.openTransaction(tx, new Set());
    opened.budget = MathFloor(call.gas_limit / 100);
    const outcome = guarded(opened.budget, () => {
      return textOf(frames.runAction(call.contract, call.action, call.data, null));
    });
    if (outcome.code === 4 && outcome.message !== 'out of gas') outcome.message = transaction.runtimeError(call, outcome.message).message;
    return finish(outcome, opened);
  }

  // A method on a bare host: no transaction, no amount limits, no base cost. {contract, action, data, publisher, signers,
  // gas_limit (gas)} and for JavaScript that is not published `source` (with `raw` it runs as it is, uncharged). Effects are kept,
  // even of a call that fails: a bare host rolls nothing back.
  function bare(call) {
    const opened = context.openTransaction(pseudoTransaction(call), new Set(call.signers ?? []));
    opened.budget = call.gas_limit;
    return finish(guarded(call.gas_limit, () => (call.source === undefined ? bareNative(call) : bareScript(call))), opened);
  }

  function bareNative(call) {
    const record = V8VM.contracts.find(call.contract) ?? fail(`contract ${call.contract} not found`);
    const method = record.methods.get(call.action) ?? fail(`abi ${call.action} not found`);
    return textOf(frames.runBare(record, method, V8VM.arguments.unmarshal(method, call.data)));
  }

  function bareScript(call) {
    const key = V8VM.images.require({ code: call.source, code_hash: '', info: null, raw: call.raw });
    return frames.runBareScript(call.contract, call.action, key, V8VM.primordials.JSONParse(call.data));
  }

  function fail(message) {
    throw new Failure(message);
  }

  V8VM.calls = { query, bare };
})(globalThis.V8VM);
