// Drives V8's own stack to its end at chosen offsets. Loaded before lockdown into an isolate with a small stack.
//
// `fill` puts a number of words on the stack and then calls an installed contract; with the right number, V8 refuses a call
// somewhere inside of it. Whatever is refused: the call ends as it does elsewhere, or the isolate says that it is broken, and the
// meter is as it was.
(function (V8VM) {
  'use strict';

  const { FunctionPrototypeApply, JSONStringify, RangeError } = V8VM.primordials;
  const { meter } = V8VM;
  const LIMIT = 100000000;
  const FIELDS = ['left', 'ceiling', 'depth', 'earned', 'running'];
  const MOST = 60000; // words

  const other = { key: '' }; // the contract that `blockchain.call` reaches

  // As the kernel's frames call from a script, with nothing around it.
  V8VM.host.call = (contract, api) => {
    meter.check();
    try {
      const { left } = meter;
      const outcome = V8VM.v1.invoke(other.key, api, [], left);
      if (outcome.dead === 'gas') throw meter.die('gas');
      meter.dead = null;
      meter.left = left;
      meter.charge(outcome.gas);
      if (!outcome.ok) throw new V8VM.primordials.Error(outcome.error);
      return [outcome.result];
    } catch (error) {
      meter.pass(error);
      throw error;
    }
  };

  function prepare() {
    meter.dead = null;
    meter.broken = false;
    meter.depth = meter.done = meter.earned = 0;
    meter.ceiling = meter.left = LIMIT;
  }

  // How a call ends, as a text: its outcome, or that the isolate is broken.
  function ending(key) {
    try {
      const { ok, result, error, gas, dead } = V8VM.v1.invoke(key, 'm', [], LIMIT);
      return meter.broken ? 'not noticed' : JSONStringify([ok, result, error, gas, dead]);
    } catch (error) {
      if (meter.broken) return 'broken';
      return error instanceof RangeError ? 'broken' : `thrown: ${error}`; // too early for anything: it goes on outwards
    }
  }

  const padding = [];
  function fill(words, run) {
    padding.length = words;
    return FunctionPrototypeApply(() => run(), null, padding);
  }

  // The same behind a number of words: how it ends, and what is wrong with the meter.
  function attempt(key, words) {
    prepare();
    const before = {};
    for (const field of FIELDS) before[field] = meter[field];
    let end;
    try {
      end = fill(words, () => ending(key));
    } catch (error) {
      end = error instanceof RangeError ? 'refused' : `thrown: ${error}`;
    }
    let wrong = '';
    for (const field of FIELDS) {
      const isStop = field === 'left' && meter.left === -1 && meter.dead !== null;
      if (meter[field] !== before[field] && !isStop) wrong += ` ${field} ${before[field]} -> ${meter[field]}`;
    }
    prepare();
    return end + wrong;
  }

  // How a call ends that has the stack to itself, as JSON.
  V8VM.callOnce = (key, otherKey) => {
    other.key = otherKey;
    return JSONStringify(attempt(key, 0));
  };

  // The least number of words from `low` on with which a call does not end in a way.
  function edge(key, low, isSuch) {
    let under = low;
    let over = MOST;
    while (over - under > 1) {
      const middle = (under + over) >> 1;
      if (isSuch(attempt(key, middle))) under = middle;
      else over = middle;
    }
    return over;
  }

  // Runs a contract at every `step`-th offset at which something of it is refused. Returns as JSON the ways in which it ended,
  // with the number of times, and how it ended before and after.
  V8VM.driveStack = (key, otherKey, step) => {
    other.key = otherKey;
    for (let i = 0; i < 3; i++) attempt(key, 0);
    const first = attempt(key, 0);
    const from = edge(key, 0, (end) => end === first);
    const to = edge(key, from, (end) => end !== 'refused');
    const ends = { __proto__: null };
    let tried = 0;
    for (let words = from - 8; words <= to; words += step) {
      const end = attempt(key, words);
      ends[end] = (ends[end] ?? 0) + 1;
      tried++;
    }
    return JSONStringify({ first, last: attempt(key, 0), ends, tried });
  };
})(globalThis.V8VM);
