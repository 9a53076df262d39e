// Gas, call depth and native work of the running sandbox, and the sticky stop.
//
// INVARIANT: once `dead` is set, every charge and every host function throws again until the kernel clears it, so no
// construct of a contract can swallow a stop. The outcome is made from `dead`, never from the exception or its text.
// Images charge in place, `(meter.left -= n) < 0 && stop()`: a stop therefore makes `left` negative for good.
(function (V8VM) {
  'use strict';

  const { Error, ObjectFreeze, RangeError } = V8VM.primordials;
  const INT_MAX = 2147483647;
  const MAX_LIMIT = 2 ** 30 - 1; // gas is counted in V8's small integers; more than any transaction may buy
  const SPENT = -1;
  const STACK_END = 'Maximum call stack size exceeded'; // what V8 says; whoever else means it says STOP
  const STOP = ObjectFreeze({ __proto__: null, toString: ObjectFreeze(() => 'stopped') });

  // Native work that the reference leaves unpriced is counted in units of about 10 ns. An action has 5 ms of it for free, with
  // all sandboxes that it opens inside each other, and one unit more with each unit of gas that they used; what lies above costs
  // gas, one for one. Ordinary actions stay far below. One account for all of them: what a contract may do does not shrink when
  // another one calls it, and many small calls earn no more than one.
  const { free: FREE_WORK } = V8VM.workPrices.work;
  const { freeDepth: FREE_DEPTH } = V8VM.workPrices.gas;

  // Truncates to a small integer: a fraction anywhere in `meter` would turn its fields into boxed doubles.
  const whole = (n) => (n < MAX_LIMIT ? n | 0 : MAX_LIMIT);

  // Fields only: images read and write them in place, so the object must stay in V8's fast form (no accessors of its own).
  class Meter {
    left = 0; // gas that may still be used, a whole number; negative once stopped
    ceiling = 0; // the limit
    depth = 0; // slots (8 bytes) of the native stack that counted frames hold
    roof = FREE_DEPTH; // how deep they may go until more has to be paid
    done = 0; // units of work done by the running sandboxes and those that they called
    earned = 0; // gas that the callers of the running sandbox had used when they called
    items = 0; // of arrays that were made of a length
    toll = 0; // units of work for a step that may go along a chain of prototypes (v1/19_chains.js)
    step = 0; // units of work for a step of `for of`: the toll, and what an error may tell that the iterator hides (v1/18_conversions.js)
    running = 0; // calls of contracts on the stack; with none, priced methods run for the host and charge nobody
    unspent = 0; // gas that was left when the sandbox was stopped
    dead = null; // why the sandbox was stopped: 'gas', 'depth', 'restart', 'host'
    broken = false; // V8's own stack has ended: nothing that this isolate says counts any more

    // Gas used by the running sandbox; all of it once it ran out.
    get used() {
      return meter.left < 0 ? meter.ceiling : meter.ceiling - meter.left;
    }

    set used(n) {
      meter.left = meter.ceiling - whole(n);
    }

    get limit() {
      return meter.ceiling;
    }

    set limit(n) {
      const used = meter.ceiling - meter.left;
      meter.ceiling = whole(n);
      meter.left = meter.ceiling - used;
    }

    // Adds n gas (truncated to an integer, as the reference's counter does) and stops the sandbox above its limit. Only code of
    // contracts can meet the largest number; a price set on the chain that is as high stops whatever it is for.
    charge(n) {
      if (meter.dead !== null) throw STOP;
      if (n >= INT_MAX && meter.running > 0) throw new Error('IOSTContractInstruction_Incr gas overflow max int');
      if (!(n >= 0)) throw new Error('IOSTContractInstruction_Incr invalid gas');
      const gas = whole(n);
      if (gas > meter.left) throw meter.die('gas');
      meter.left -= gas;
    }

    // Charges a small whole amount.
    take(n) {
      if ((meter.left -= n) < 0) meter.stop();
    }

    // Counts n units of work before they are done.
    work(n) {
      if (n < 0) return; // what is counted came out negative: nothing is done
      meter.done += whole(n);
      const excess = meter.done - FREE_WORK - meter.earned - meter.used;
      if (excess > 0) meter.charge(excess);
    }

    // What an image's failed charge throws.
    stop() {
      throw meter.die('gas');
    }

    // Throws again when the sandbox was stopped.
    check() {
      if (meter.dead !== null) throw STOP;
    }

    // Marks the sandbox as stopped; returns what to throw. The first reason stays.
    die(reason) {
      if (meter.dead === null) {
        meter.dead = reason;
        meter.unspent = meter.left;
        if (watcher !== null) watcher(reason);
      }
      meter.left = SPENT;
      return STOP;
    }

    // Takes a stop back that ends only the running sandbox (`depth`): its caller goes on with an error.
    revive() {
      meter.dead = null;
      meter.left = meter.unspent;
    }

    // The first step of every `catch`: throws again when V8's own stack has ended. Where it ends depends on the machine code
    // of the moment, so the error is the machine's and no contract's. A call that V8 refuses here throws the same error.
    pass(error) {
      if (meter.broken) throw STOP;
      if (error instanceof RangeError && error.message === STACK_END) throw meter.fail();
    }

    // Marks the isolate as broken, whatever stopped the sandbox before; returns what to throw.
    fail() {
      meter.broken = true;
      meter.dead = 'host';
      meter.left = SPENT;
      return STOP;
    }

    // Runs what nobody pays for, whether the sandbox was stopped or not.
    aside(run) {
      const { dead, left, ceiling, done, depth } = meter;
      try {
        meter.dead = null;
        meter.left = meter.ceiling = MAX_LIMIT;
        meter.done = meter.depth = 0;
        run();
      } finally { // no call: V8 might refuse it
        meter.dead = dead;
        meter.left = left;
        meter.ceiling = ceiling;
        meter.done = done;
        meter.depth = depth;
      }
    }

    // Opens a nested sandbox with its own limit; `leave` restores the caller's. Depth and work go on counting: the frames of
    // caller and callee lie on one stack, and one account pays for their work.
    enter(limit) {
      const saved = { left: meter.left, ceiling: meter.ceiling, depth: meter.depth, earned: meter.earned };
      const ceiling = whole(limit);
      const { used } = meter;
      if (meter.running > 0) meter.earned += used; // no call from here on: V8 might refuse it
      else {
        meter.earned = meter.done = 0;
        meter.roof = FREE_DEPTH;
        meter.items = meter.toll = meter.step = 0;
      }
      meter.ceiling = ceiling;
      meter.left = meter.dead === null ? ceiling : SPENT;
      return saved;
    }

    leave(saved) {
      meter.left = meter.dead === null ? saved.left : SPENT;
      meter.ceiling = saved.ceiling;
      meter.depth = saved.depth;
      meter.earned = saved.earned;
    }
  }

  const meter = new Meter();
  let watcher = null; // is told the reason of each stop, where it happens

  V8VM.STOP = STOP;
  V8VM.meter = meter;
  V8VM.watchStops = (watch) => {
    watcher = watch;
  };
})(globalThis.V8VM);
