// Counts the steps of the compiler: calls and passes of loops (tests/support/counted_steps.py writes those in), and the
// items that the engine's own functions look at.
(function () {
  'use strict';

  const COPIED = 64; // items that the engine copies in the time of a step: the parser joins its comments so (0.1 s at the size limit)

  globalThis.STEPS = 0;

  // Replaces a function by one that counts first.
  function counted(owner, name, size) {
    const original = owner[name];
    owner[name] = function (...args) {
      globalThis.STEPS += size(this, args) ?? 0;
      return original.apply(this, args);
    };
  }

  const ARRAY = [
    'every', 'filter', 'find', 'findIndex', 'flatMap', 'forEach', 'includes', 'indexOf', 'join', 'lastIndexOf', 'map', 'reduce',
    'reverse', 'shift', 'slice', 'some', 'sort', 'splice', 'toReversed', 'unshift', Symbol.iterator,
  ];
  const TEXT = ['includes', 'indexOf', 'isWellFormed', 'lastIndexOf', 'match', 'matchAll', 'replace', 'replaceAll', 'search', 'split', 'trim'];
  counted(Array.prototype, 'concat', (list) => Math.trunc(list.length / COPIED));
  for (const name of ARRAY) counted(Array.prototype, name, (list) => list.length);
  for (const name of TEXT) counted(String.prototype, name, (text) => text.length);
  for (const { prototype } of [Map, Set]) {
    for (const name of ['entries', 'forEach', 'keys', 'values', Symbol.iterator]) counted(prototype, name, (list) => list.size);
  }
  counted(RegExp.prototype, 'test', (_, [text]) => String(text).length);
})();
