// Gas of the running sandbox, and the sticky stop.
//
// INVARIANT: once `dead` is set, every charge and every host function throws again until the kernel clears it, so no
// construct of a contract can swallow a stop. The outcome is made from `dead`, never from the exception or its text.
(function (V8VM) {
  'use strict';

  const { Error, ObjectFreeze } = V8VM.primordials;
  const INT_MAX = 2147483647;
  const STOP = ObjectFreeze({ __proto__: null, toString: ObjectFreeze(() => 'stopped') });

  const meter = {
    used: 0,
    limit: 0,
    dead: null,

    // Adds n gas (truncated to an integer, as the reference's counter does) and stops the sandbox above its limit.
    charge(n) {
      if (meter.dead !== null) throw STOP;
      if (n >= INT_MAX) throw new Error('IOSTContractInstruction_Incr gas overflow max int');
      if (!(n >= 0)) throw new Error('IOSTContractInstruction_Incr invalid gas');
      meter.used += n < 1 ? 0 : n - (n % 1);
      if (meter.used > meter.limit) throw meter.die('gas');
    },

    // Throws again when the sandbox was stopped.
    check() {
      if (meter.dead !== null) throw STOP;
    },

    // Marks the sandbox as stopped; returns what to throw. The first reason stays.
    die(reason) {
      if (meter.dead === null) meter.dead = reason;
      return STOP;
    },

    // Opens a nested sandbox with its own limit; `leave` restores the caller's.
    enter(limit) {
      const saved = { used: meter.used, limit: meter.limit };
      meter.used = 0;
      meter.limit = limit;
      return saved;
    },

    leave(saved) {
      meter.used = saved.used;
      meter.limit = saved.limit;
    },
  };

  V8VM.STOP = STOP;
  V8VM.meter = meter;
})(globalThis.V8VM);
