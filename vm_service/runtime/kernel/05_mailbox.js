// Text passed between JavaScript and Python through shared memory; `ask` is the one door out of the isolate.
//
// Layout (sandbox/isolate.py `Mailbox`): int32 length in code units, more, progress, due; then UTF-16 text. A text that
// does not fit is passed in parts: every part but the last has more = 1, and the receiver calls the host for the next one.
(function (V8VM) {
  'use strict';

  const { Int32Array, Uint16Array, Uint16ArrayPrototypeSubarray, StringFromCharCode, FunctionPrototypeApply, StringPrototypeCharCodeAt, JSONParse, JSONStringify } = V8VM.primordials;
  const HEADER_UNITS = 8;
  const CHUNK_UNITS = 8192; // arguments of one String.fromCharCode call

  let header;
  let units;
  let capacity;
  let callHost;

  function connect(buffer, host) {
    header = new Int32Array(buffer, 0, 4);
    units = new Uint16Array(buffer);
    capacity = units.length - HEADER_UNITS;
    callHost = host;
  }

  function readPart() {
    const end = HEADER_UNITS + header[0];
    let text = '';
    for (let at = HEADER_UNITS; at < end; at += CHUNK_UNITS) {
      const part = Uint16ArrayPrototypeSubarray(units, at, at + CHUNK_UNITS < end ? at + CHUNK_UNITS : end);
      text += FunctionPrototypeApply(StringFromCharCode, null, part);
    }
    return text;
  }

  function read() {
    let text = readPart();
    while (header[1] === 1) {
      callHost();
      text += readPart();
    }
    return text;
  }

  function write(text) {
    let at = 0;
    for (;;) {
      const count = text.length - at < capacity ? text.length - at : capacity;
      for (let i = 0; i < count; i++) units[HEADER_UNITS + i] = StringPrototypeCharCodeAt(text, at + i);
      at += count;
      header[0] = count;
      header[1] = at < text.length ? 1 : 0;
      if (at >= text.length) return;
      callHost();
    }
  }

  // Asks Python: returns the value of the answer. A failure of the host stops the batch and cannot be caught.
  function ask(op, payload) {
    V8VM.meter.check();
    write(JSONStringify([op, payload]));
    callHost();
    const answer = JSONParse(read());
    if (answer.error !== undefined) throw V8VM.meter.die('host');
    return answer.value;
  }

  // Tells whoever watches from outside how many transactions of the batch have begun (1 during the first).
  function progress(count) {
    header[2] = count;
  }

  // Whether the time of the batch is over: 0 no; 1 it ends before the next request; 2 it ends before the next item.
  const due = () => header[3];

  V8VM.mailbox = { connect, read, progress, due };
  V8VM.ask = ask;
})(globalThis.V8VM);
