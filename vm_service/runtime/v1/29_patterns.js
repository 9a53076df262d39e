// Regular expressions that a contract gives as text: only `search` takes one. What the engine may try is bounded before it
// starts: a pattern whose number of tries nothing bounds is refused, any other pays for them as work.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePop, ArrayPrototypePush, Error, RegExp, RegExpPrototypeExec, StringPrototypeSearch, StringPrototypeSlice } = V8VM.primordials;
  const { meter } = V8VM;

  const MAX_UNITS = 1000; // of a pattern: the engine compiles it first
  const MAX_STEPS = 1e9;
  const { pattern: COMPILE_WORK, patternStep: STEP_WORK } = V8VM.workPrices.text;
  const START_WORK = 1000;
  const MAX_REPEATS = 100; // that a pattern may spell
  const LEAST_WAYS = 2; // of a repeat, whatever it says: the engine takes time for each when it compiles them
  const REFUSED = 'String.prototype.search of this regular expression is not supported';

  const GROUP = /^\((?:\?[:=!])?/;
  const ESCAPE = /^\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|c[a-zA-Z]|[^0-9xuckpP])/;
  const SET = /^\[(?:[^\\\]]|\\[^])*\]/;
  const REPEATED = /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/;

  const refuse = () => {
    throw new Error(REFUSED);
  };

  // How often something may be repeated in a text of `units`: one way to go on for each.
  function waysOf([sign, least, most], units) {
    if (sign[0] === '?') return LEAST_WAYS;
    const ways = sign[0] !== '{' || most === '' ? units + 1 : most === undefined ? 1 : most - least + 1;
    const bounded = ways < units + 1 ? ways : units + 1;
    return bounded > LEAST_WAYS ? bounded : LEAST_WAYS;
  }

  // Reads a pattern from left to right; counts the ways to go on at every choice.
  class Reader {
    constructor(pattern, units) {
      this.units = units; // of the text
      this.rest = pattern;
      this.tries = 1; // ways through the pattern
      this.steps = 1 + pattern.length; // of one way, at most
      this.open = []; // groups that stand open: how many alternatives each has, and whether anything in it may vary
      this.group = this.opened();
    }

    opened() {
      return { alternatives: 1, varies: false, start: this.rest.length };
    }

    take(form) {
      const found = RegExpPrototypeExec(form, this.rest);
      if (found !== null) this.rest = StringPrototypeSlice(this.rest, found[0].length);
      return found;
    }

    // Steps of all ways from one place of the text; none when the pattern is malformed, and the engine says what is wrong.
    read() {
      while (this.rest !== '') this.step();
      return this.open.length > 0 ? 0 : this.tries * this.group.alternatives * this.steps;
    }

    step() {
      const start = this.rest.length;
      if (this.take(GROUP) !== null) {
        ArrayPrototypePush(this.open, this.group);
        this.group = this.opened();
        return;
      }
      if (this.rest[0] === '|') this.group.alternatives++;
      const closed = this.rest[0] === ')' ? this.close() : null;
      if (closed !== null || (this.take(SET) ?? this.take(ESCAPE)) === null) this.one();
      this.repeat((closed?.start ?? start) - this.rest.length, closed);
    }

    one() {
      if (this.rest[0] === '\\') refuse();
      this.rest = StringPrototypeSlice(this.rest, 1);
    }

    close() {
      const closed = this.group;
      this.tries *= closed.alternatives;
      this.group = ArrayPrototypePop(this.open) ?? this.opened();
      this.group.varies ||= closed.varies || closed.alternatives > 1;
      return closed;
    }

    // What is repeated was spelled in `length` units.
    repeat(length, closed) {
      const found = this.take(REPEATED);
      if (found === null) return;
      if (closed !== null && (closed.varies || closed.alternatives > 1)) refuse();
      if (found[1] > MAX_REPEATS || found[2] > MAX_REPEATS) refuse();
      this.group.varies = true;
      this.tries *= waysOf(found, this.units);
      this.steps += length * (found[1] ?? 0);
    }
  }

  // The place where a text has the pattern, or -1.
  function search(text, pattern) {
    if (pattern.length > MAX_UNITS) refuse();
    meter.work(START_WORK + pattern.length * COMPILE_WORK);
    const steps = new Reader(pattern, text.length).read() * (text.length + 1);
    const expression = new RegExp(pattern);
    if (steps === 0 || steps > MAX_STEPS) refuse();
    meter.work(steps * STEP_WORK);
    return StringPrototypeSearch(text, expression);
  }

  V8VM.v1.patterns = { search };
})(globalThis.V8VM);
