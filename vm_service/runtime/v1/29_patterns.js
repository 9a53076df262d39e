// Regular expressions that a contract gives as text: only `search` takes one. What the engine may try is bounded before it
// starts: a pattern whose number of tries nothing bounds is refused, any other pays for them as work.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePop, ArrayPrototypePush, Error, RegExp, RegExpPrototypeExec, StringPrototypeSearch, StringPrototypeSlice } = V8VM.primordials;
  const { meter } = V8VM;

  const MAX_UNITS = 1000; // of a pattern: the engine compiles it first
  const MAX_TRIES = 1e9;
  const COMPILE_WORK = 20; // for each unit
  const START_WORK = 1000;
  const TRY_WORK = 2;
  const MAX_REPEATS = 100; // that a pattern may spell: `a{100}` is compiled as a hundred
  const REFUSED = 'String.prototype.search of this regular expression is not supported';

  const GROUP = /^\((?:\?[:=!])?/;
  const ESCAPE = /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[a-zA-Z]|[^0-9xuckpP])/;
  const SET = /^\[(?:[^\\\]]|\\[^])*\]/;
  const REPEATED = /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/;

  const refuse = () => {
    throw new Error(REFUSED);
  };

  // Reads a pattern from left to right; counts the ways to go on at every choice.
  class Reader {
    constructor(pattern) {
      this.rest = pattern;
      this.tries = 1; // ways through it, for a text of `units`
      this.open = []; // groups that stand open: how many alternatives each has, and whether anything in it may vary
      this.group = { alternatives: 1, varies: false };
    }

    take(form) {
      const found = RegExpPrototypeExec(form, this.rest);
      if (found !== null) this.rest = StringPrototypeSlice(this.rest, found[0].length);
      return found;
    }

    read(units) {
      while (this.rest !== '') this.step(units);
      if (this.open.length > 0) return null; // the engine says what is wrong
      this.tries *= this.group.alternatives;
      return this.tries;
    }

    step(units) {
      if (this.take(GROUP) !== null) {
        ArrayPrototypePush(this.open, this.group);
        this.group = { alternatives: 1, varies: false };
        return;
      }
      if (this.rest[0] === '|') this.group.alternatives++;
      const closed = this.rest[0] === ')' ? this.close() : null;
      if (closed !== null || (this.take(SET) ?? this.take(ESCAPE)) === null) this.one();
      this.repeat(units, closed);
    }

    one() {
      if (this.rest[0] === '\\') refuse();
      this.rest = StringPrototypeSlice(this.rest, 1);
    }

    close() {
      const closed = this.group;
      this.tries *= closed.alternatives;
      this.group = ArrayPrototypePop(this.open) ?? { alternatives: 1, varies: false };
      this.group.varies ||= closed.varies || closed.alternatives > 1;
      return closed;
    }

    repeat(units, closed) {
      const found = this.take(REPEATED);
      if (found === null) return;
      if (closed !== null && (closed.varies || closed.alternatives > 1)) refuse();
      if (found[1] > MAX_REPEATS || found[2] > MAX_REPEATS) refuse();
      this.group.varies = true;
      this.tries *= units + 1;
    }
  }

  // The place where a text has the pattern, or -1.
  function search(text, pattern) {
    if (pattern.length > MAX_UNITS) refuse();
    meter.work(START_WORK + pattern.length * COMPILE_WORK);
    const tries = new Reader(pattern).read(text.length);
    const expression = new RegExp(pattern);
    const bound = (tries ?? MAX_TRIES) * (text.length + 1) * (pattern.length + 1);
    if (bound > MAX_TRIES) refuse();
    meter.work(bound * TRY_WORK);
    return StringPrototypeSearch(text, expression);
  }

  V8VM.v1.patterns = { search };
})(globalThis.V8VM);
