// Keys that count up: after `item7` and `item8` the worker foresees `item9` and more (worker/prefetch.py), so that a long run
// takes a few trips to the store. What it costs must not depend on what a worker remembers: this is the same rule, kept for one
// transaction, with fewer runs at a time than a worker follows.
(function (V8VM) {
  'use strict';

  const { Map, Number, StringPrototypeCharCodeAt, StringPrototypeSlice } = V8VM.primordials;

  const MAX_RUNS = 32; // half of what a worker follows: other keys of the transaction may push some out there
  const MAX_DIGITS = 12;
  const FORESEEN_FROM = 3; // the second of a run makes the worker look ahead
  const ZERO = 48;
  const NINE = 57;

  function startOfNumber(key) {
    let at = key.length;
    while (at > 0) {
      const code = StringPrototypeCharCodeAt(key, at - 1);
      if (code < ZERO || code > NINE) break;
      at--;
    }
    return at;
  }

  class Sequences {
    constructor() {
      this.runs = new Map(); // text before the number -> { next, length }, the run followed last at the end
    }

    // Notes a key; returns whether a worker foresaw it.
    follow(key) {
      const at = startOfNumber(key);
      const digits = key.length - at;
      if (digits === 0 || digits > MAX_DIGITS || (digits > 1 && StringPrototypeCharCodeAt(key, at) === ZERO)) return false;
      const stem = StringPrototypeSlice(key, 0, at);
      const number = Number(StringPrototypeSlice(key, at));
      const run = this.runs.get(stem);
      const length = run !== undefined && run.next === number ? run.length + 1 : 1;
      this.runs.delete(stem);
      this.runs.set(stem, { next: number + 1, length });
      if (this.runs.size > MAX_RUNS) this.runs.delete(this.runs.keys().next().value);
      return length >= FORESEEN_FROM;
    }
  }

  V8VM.Sequences = Sequences;
})(globalThis.V8VM);
