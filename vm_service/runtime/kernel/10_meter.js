// Gas, call depth and native work of the running sandbox, and the sticky stop.
//
// INVARIANT: once `dead` is set, every charge and every host function throws again until the kernel clears it, so no
// construct of a contract can swallow a stop. The outcome is made from `dead`, never from the exception or its text.
// Images charge in place, `(meter.left -= n) < 0 && stop()`: a stop therefore makes `left` negative for good.
(function (V8VM) {
  'use strict';

  const { Error, NumberIsFinite, ObjectFreeze } = V8VM.primordials;
  const INT_MAX = 2147483647;
  const SPENT = -1;
  const STOP = ObjectFreeze({ __proto__: null, toString: ObjectFreeze(() => 'stopped') });

  // Units of work (about 10 ns each) that a sandbox may use beyond its gas: 2 ms, far more than an ordinary call needs.
  // What lies above is charged as gas, one for one.
  const FREE_WORK = 200000;

  const meter = {
    left: 0, // gas that may still be used, a whole number; negative once stopped
    limit: 0,
    depth: 0, // slots (8 bytes) of the native stack that counted frames hold
    spare: 0, // free work left
    dead: null, // why the sandbox was stopped: 'gas', 'depth', 'restart', 'host'

    // Gas used by the running sandbox; all of it once it ran out.
    get used() {
      return meter.left < 0 ? meter.limit : meter.limit - meter.left;
    },

    set used(n) {
      meter.left = meter.limit - n;
    },

    // Adds n gas (truncated to an integer, as the reference's counter does) and stops the sandbox above its limit.
    charge(n) {
      if (meter.dead !== null) throw STOP;
      if (n >= INT_MAX) throw new Error('IOSTContractInstruction_Incr gas overflow max int');
      if (!(n >= 0)) throw new Error('IOSTContractInstruction_Incr invalid gas');
      const gas = n - (n % 1);
      if (gas > meter.left) throw meter.die('gas');
      meter.left -= gas;
    },

    // Counts n units of work before they are done; above the free amount they cost gas.
    work(n) {
      if ((meter.spare -= n) >= 0) return;
      const excess = -meter.spare;
      meter.spare = 0;
      if (excess > meter.left) throw meter.die('gas');
      meter.charge(excess);
    },

    // What an image's failed charge throws.
    stop() {
      throw meter.die('gas');
    },

    // Throws again when the sandbox was stopped.
    check() {
      if (meter.dead !== null) throw STOP;
    },

    // Marks the sandbox as stopped; returns what to throw. The first reason stays.
    die(reason) {
      if (meter.dead === null) meter.dead = reason;
      meter.left = SPENT;
      return STOP;
    },

    // Opens a nested sandbox with its own limit; `leave` restores the caller's. Depth goes on counting: the frames of
    // caller and callee lie on one stack.
    enter(limit) {
      const saved = { left: meter.left, limit: meter.limit, depth: meter.depth, spare: meter.spare };
      meter.limit = NumberIsFinite(limit) ? limit - (limit % 1) : INT_MAX;
      meter.left = meter.dead === null ? meter.limit : SPENT;
      meter.spare = FREE_WORK;
      return saved;
    },

    leave(saved) {
      meter.left = meter.dead === null ? saved.left : SPENT;
      meter.limit = saved.limit;
      meter.depth = saved.depth;
      meter.spare = saved.spare;
    },
  };

  V8VM.STOP = STOP;
  V8VM.meter = meter;
})(globalThis.V8VM);
