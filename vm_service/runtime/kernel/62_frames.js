// Frames: one running method of one contract. A call opens a frame, runs the method and settles what the frame owes.
//
// The gas of a frame runs on the caller's counter, except inside a JavaScript sandbox, which has a counter of its own that is
// charged to its caller when it returns.
(function (V8VM) {
  'use strict';

  const { Number } = V8VM.primordials;
  const { meter, costs, contracts, failures, Failure } = V8VM;

  const MAX_HEIGHT = 5; // the action's frame and four nested ones
  const { freePayers: FREE_PAYERS } = V8VM.workPrices.gas;

  // Lists of frames above are linked from the inside out: {contract, next} and {contract, api, next}.
  class Frame {
    constructor(contract, api, native) {
      this.contract = contract;
      this.api = api;
      this.native = native;
      this.parent = null;
      this.caller = null;
      this.calledByAccount = false;
      this.height = 1; // a bare host is at 0: what it calls stands where an action stands
      this.authority = null; // contracts that called with authority
      this.nested = null; // (contract, api) of the nested frames, this one included
      this.sandboxed = !native; // some frame from here up is JavaScript
      this.inScript = false; // its script is running, or has failed
      this.calledAt = null; // with tracing: the places in its script that lead to the call it is waiting for
      this.ram = new Map(); // payer -> bytes written by this frame
      this.debtors = new Set(); // payers whom some write of this frame charged, whatever they got back
    }
  }

  let current = null;

  const fail = (message) => {
    throw new Failure(message);
  };

  // -- preparing a call ----------------------------------------------------------------------------------------------

  const SYSTEM = 'system.iost';
  const INIT = { name: 'init', args: [], amountLimit: [] };

  // Refused by its name alone, before the contract or the arguments are looked at.
  function requireNoInit(api, caller) {
    if (api !== 'init' || caller === SYSTEM || caller === '') return;
    meter.charge(costs.refusal);
    fail("prepare contract: cannot call 'init' manually");
  }

  function methodOf(record, api) {
    if (api === 'init' && !record.native) return INIT;
    return record.methods.get(api) ?? fail(`prepare contract: abi ${api} not found`);
  }

  function prepare(name, api, data, caller) {
    requireNoInit(api, caller);
    try {
      const id = contracts.resolve(name);
      const record = contracts.find(id) ?? fail(`prepare contract: contract ${id} not found`);
      const method = methodOf(record, api);
      return { record, method, args: unmarshal(method, data) };
    } catch (error) {
      if (error instanceof Failure) meter.charge(costs.prepare);
      throw error;
    }
  }

  function unmarshal(method, data) {
    try {
      return V8VM.arguments.unmarshal(method, data);
    } catch (error) {
      if (error instanceof Failure) error.message = `prepare contract: ${error.message}`;
      throw error;
    }
  }

  // -- running -------------------------------------------------------------------------------------------------------

  function runScript(frame, record, args) {
    meter.charge(costs.javascript);
    const outermost = current === frame && !(frame.parent !== null && frame.parent.sandboxed);
    const image = V8VM.images.require(record);
    const values = V8VM.arguments.toScript(args);
    frame.inScript = true;
    const outcome = invoke(image, frame.api, values);
    if (outermost) V8VM.context.current().gasJs = outcome.gas;
    const result = resultOf(frame, outcome);
    frame.inScript = false;
    return [result];
  }

  // Runs a method in a sandbox of its own, with all the gas that is left here; its gas is charged here.
  function invoke(key, method, args) {
    const { left } = meter;
    const outcome = V8VM.v1.invoke(key, method, args, left);
    if (outcome.dead === 'gas') throw meter.die('gas');
    meter.dead = null; // any other stop was the sandbox's own: for the caller it is a failure
    meter.left = left;
    meter.charge(outcome.gas);
    return outcome;
  }

  function resultOf(frame, outcome) {
    if (!outcome.ok) throw failures.ofScript(frame, outcome.error);
    return outcome.result;
  }

  // Every other payer that this frame made pay must have agreed. Asking is free, as in the reference, for an ordinary number.
  function requirePayers(frame) {
    if (frame.debtors.size > FREE_PAYERS) meter.charge(costs.get * (frame.debtors.size - FREE_PAYERS));
    for (const payer of frame.debtors) {
      if (payer !== frame.contract && !V8VM.authority.agrees(payer)) fail(`pay ram failed. no permission. need ${payer}@active`);
    }
  }

  function mergeRam(frame) {
    const { ram } = V8VM.context.current();
    for (const [payer, bytes] of frame.ram) ram.set(payer, (ram.get(payer) ?? 0) + bytes);
  }

  const BOTTOM = 1;

  // `afterRun(method)`: a check of the results, or null.
  function run(frame, { record, method, args }, afterRun) {
    current = frame;
    const { receipts } = V8VM.context.current();
    const first = receipts.length;
    if (frame.height === BOTTOM) meter.charge(costs.limitEntry * method.amountLimit.length);
    const results = record.native ? method.run(args, frame) : runScript(frame, record, args);
    if (frame.height === BOTTOM) meter.charge(costs.receiptIssued * (receipts.length - first));
    if (afterRun !== null) afterRun(method);
    requirePayers(frame);
    mergeRam(frame);
    return results;
  }

  // Runs the method of an action; returns its results. Throws Failure or the stop.
  function runAction(name, api, data, afterRun) {
    try {
      const prepared = prepare(name, api, data, null);
      current = new Frame(prepared.record.id, api, prepared.record.native);
      current.caller = V8VM.context.current().publisher;
      current.calledByAccount = true;
      return run(current, prepared, afterRun);
    } catch (error) {
      failures.leave(current ?? new Frame(name, api, true), error);
      throw error;
    } finally {
      current = null;
    }
  }

  // Calls another contract from the current frame; returns its results. Throws Failure or the stop.
  function callContract(name, api, data, withAuth) {
    const caller = current;
    if (isRunning(caller.nested, name, api)) fail('re-entering');
    meter.charge(costs.call * caller.height);
    const prepared = prepare(name, api, data, caller.contract);
    if (caller.height >= MAX_HEIGHT) fail(`stack height exceed. actual ${caller.height + 1}`);
    const frame = new Frame(prepared.record.id, api, prepared.record.native);
    frame.parent = caller;
    frame.caller = caller.contract;
    frame.height = caller.height + 1;
    frame.authority = withAuth ? { contract: caller.contract, next: caller.authority } : caller.authority;
    frame.nested = { contract: name, api, next: caller.nested };
    frame.sandboxed ||= caller.sandboxed;
    if (V8VM.trace.isOn() && caller.inScript) caller.calledAt = V8VM.trace.here();
    try {
      return run(frame, prepared, null);
    } catch (error) {
      failures.leave(frame, error);
      throw error;
    } finally {
      current = caller;
    }
  }

  function isRunning(nested, name, api) {
    for (let link = nested; link !== null; link = link.next) if (link.contract === name && link.api === api) return true;
    return false;
  }

  // For JavaScript callers: results as plain values, failures as errors.
  function callFromScript(name, api, data, withAuth) {
    meter.check();
    try {
      const results = callContract(name, api, data, withAuth);
      if (results === null) return null;
      for (let i = 0; i < results.length; i++) if (typeof results[i] === 'bigint') results[i] = Number(results[i]);
      return results;
    } catch (error) {
      meter.pass(error);
      throw error instanceof Failure ? failures.toScript(error) : error;
    }
  }

  // -- a bare host: one frame that nobody called, whose payers nobody asks -------------------------------------------

  function runBare(record, method, args) {
    current = new Frame(record.id, method.name, true);
    current.height = 0;
    try {
      const results = method.run(args, current);
      mergeRam(current);
      return results;
    } finally {
      current = null;
    }
  }

  function runBareScript(contract, api, key, args) {
    current = new Frame(contract, api, false);
    current.api = null; // a bare host knows no method name
    try {
      const result = resultOf(current, invoke(key, api, args));
      mergeRam(current);
      return result;
    } finally {
      current = null;
    }
  }

  V8VM.frames = { current: () => current, runAction, callContract, callFromScript, runBare, runBareScript };
})(globalThis.V8VM);
