// The reference form: the printed text with a call of the counter at every point. Nothing runs it here; its text is
// what the chain stores as the contract's code, so its length decides the cost and the RAM of publishing.
(function (V8VM) {
  'use strict';

  function entryText(entry) {
    if (entry.kind === 'text') return entry.text;
    return entry.total === 0 ? '' : `_IOSTInstruction_counter.incr(${entry.total})${entry.kind}`;
  }

  function referenceText(printed, layout) {
    let text = '';
    let from = 0;
    for (const offset of [...layout.entries.keys()].sort((a, b) => a - b)) {
      const { closing, others } = layout.entries.get(offset);
      text += printed.slice(from, offset) + [...closing.toReversed(), ...others].map(entryText).join('');
      from = offset;
    }
    return text + printed.slice(from);
  }

  V8VM.reference = { referenceText };
})(globalThis.V8VM);
