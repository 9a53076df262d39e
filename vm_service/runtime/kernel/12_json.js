// JSON that a contract or a caller has written, read by the engine.
//
// The engine's parser keeps one text of all equal short ones, by a table of all texts of the isolate, and V8 hashes a text of
// digits by its number: thousands of numbers that differ by a power of two are all compared with each other, as long as the table
// remembers them. So a text of digits is read with a mark before it, which is taken off a copy that is in no table.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, JSONParse, ObjectKeys, RegExpPrototypeTest, StringPrototypeReplace, StringPrototypeSlice } = V8VM.primordials;
  const { meter } = V8VM;

  // A text of digits, or of marks and digits, however spelled, that is no name: a name of digits is an index, and in no table.
  const NUMERAL = /(?<!\\)"(?=(?:\\u0000)*(?:\d|\\u003\d){1,10}"(?![ \t\r\n]*:))/;
  const NUMERALS = new V8VM.primordials.RegExp(NUMERAL, 'g');
  const MARK = '"\\u0000';
  const MARKED = /^\0+\d{1,10}$/;

  const { numeral: NUMERAL_WORK, malformed: MALFORMED_WORK } = V8VM.workPrices.json;
  const ADDED = 6; // units of a mark

  const isMarked = (value) => value[0] === '\0' && RegExpPrototypeTest(MARKED, value);
  const unmarked = (value) => (typeof value === 'string' && isMarked(value) ? StringPrototypeSlice(value, 1) : value);

  // Takes the marks off everything in a value. Without calls in each other, since it may be as deep as its text is long.
  function unmarkAll(root) {
    const top = [root];
    const waiting = [top];
    while (waiting.length > 0) {
      const holder = waiting[waiting.length - 1];
      waiting.length--;
      const keys = ArrayIsArray(holder) ? null : ObjectKeys(holder);
      const { length } = keys ?? holder;
      for (let i = 0; i < length; i++) {
        const key = keys === null ? i : keys[i];
        const value = holder[key];
        if (typeof value === 'string') {
          if (isMarked(value)) holder[key] = StringPrototypeSlice(value, 1);
        } else if (typeof value === 'object' && value !== null) waiting[waiting.length] = value;
      }
    }
    return top[0];
  }

  function read(json, revive) {
    if (revive === undefined) return unmarkAll(JSONParse(json));
    return JSONParse(json, (key, value, context) => revive(key, unmarked(value), context));
  }

  function parse(json, revive) {
    if (!RegExpPrototypeTest(NUMERAL, json)) return JSONParse(json, revive);
    const marked = StringPrototypeReplace(json, NUMERALS, MARK);
    if (meter.running > 0) meter.work(((marked.length - json.length) / ADDED) * NUMERAL_WORK);
    try {
      return read(marked, revive);
    } catch (error) { // the text is read again as it is, to say what is wrong with it
      meter.pass(error);
      if (meter.running > 0) meter.work(json.length * json.length * MALFORMED_WORK);
      return JSONParse(json, revive);
    }
  }

  V8VM.parseJSON = parse;
})(globalThis.V8VM);
