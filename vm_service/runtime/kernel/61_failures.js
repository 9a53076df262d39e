// Where a transaction or call failed: the frames at that moment, and with tracing the places in their sources. It is answered
// beside receipts, never in one.
//
// A failure passes through contracts as text: the callee's error becomes a new error of its caller. `carrier` remembers which
// error stands for which failure, so that a caller that fails by it is not taken for the origin.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush, Error } = V8VM.primordials;
  const { meter, Failure } = V8VM;

  class Where {
    // `trace`: what is known of the innermost frame's script; frames outside of it know where they called.
    constructor(innermost, trace) {
      this.links = []; // {contract, action, sites}, innermost first
      this.thrown = trace?.thrown ?? '';
      let sites = trace?.sites ?? [];
      for (let frame = innermost; frame !== null; frame = frame.parent) {
        ArrayPrototypePush(this.links, { contract: frame.contract, action: frame.api ?? '', sites });
        sites = frame.parent?.calledAt ?? [];
      }
    }

    shown() {
      return { frames: this.links, thrown: this.thrown };
    }
  }

  let carrier = null; // {error, where}

  // A frame is left by an error: whatever has no place yet failed in it.
  function leave(frame, error) {
    if (error instanceof Failure) error.where ??= new Where(frame, null);
    else if (meter.dead === 'gas') V8VM.context.current().stoppedAt ??= new Where(frame, frame.inScript ? V8VM.trace.stopped() : null);
  }

  // The failure of a frame's script.
  function ofScript(frame, message) {
    const failure = new Failure(message);
    const { exception, trace } = V8VM.v1.lastFailure;
    failure.where = carrier !== null && carrier.error === exception ? carrier.where : new Where(frame, trace);
    V8VM.v1.lastFailure = carrier = null;
    return failure;
  }

  // The error by which a script learns that what it called has failed.
  function toScript(failure) {
    const error = new Error(failure.message);
    carrier = failure.where === null ? null : { error, where: failure.where }; // null: nothing was called, the caller itself fails
    return error;
  }

  V8VM.failures = { leave, ofScript, toScript };
})(globalThis.V8VM);
