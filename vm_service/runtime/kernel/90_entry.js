// The entry: JSON text in and out, and the order of a batch.
//
// Requests
//   begin   {op, mode: "execute" | "dry" | "validate" | "call" | "bare", block: 60_context.js,
//            changed: [keys] | null, entries: {key: [value | null, version]}, txs: [...], calls: [...], trace: bool,
//            settled: {version | null} of the batch before, or null: as settle, in one trip,
//            careful: bool (tell the host before each item: the batch lost a worker before),
//            traced: [places of items that are run to trace their failures],
//            stops: [places of items before which the batch may end when its time is over]}
//     tx    {hash (base58), size (bytes of the full form), publisher, signers, actions: [{contract, action, data}],
//            amount_limit: [{token, val}], gas_limit, gas_ratio (both x100), time, expiration (text, ns), chain_id, tx_keys, publisher_keys (base58),
//            base: true for the base transaction of a block, assume_signed: true to take all signatures for granted,
//            assume_paid: true to take gas and RAM for granted}
//     call  82_call.js
//   resume  {op, compiled: {need_id: {error} | {key, code_bytes, ...}}}
//   settle  {op, version | null}: the batch was committed as that version, or dropped
//
// Answer of begin and resume
//   {state: "broken"}: V8's own stack has ended, or an earlier batch has left something running; nothing counts, the isolate is given up;
//   {state: "full", ran}: the results of the first `ran` items are more than one batch may have; nothing of it counts; or
//   {state: "needs", needs: [{need_id, source, abi, validate, raw, traced}]}: compile, install, resume; or
//   {state: "done", results, used: {contract: image key}, reads: {key: version}, writes: {key: value | null}} with a result for each transaction or call, up to where it ended:
//     {refused} or {status: {code, message}, gas_usage (x100), ram_usage: {payer: bytes}, returns, receipts: [{func_name, content}],
//      events: [{topic: "receipt" | "event", contract, action, data}], console, gas_js: [gas | null], keys (with trace),
//      failure: {frames: [{contract, action, sites: [[script, offset, function]]}], thrown} (of an action or call that failed)}
//
// In modes execute and dry each transaction sees the effects of those before it; in the others each runs alone. What is only
// tried (dry, validate) runs in a block that is not older than itself.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush, JSONParse, JSONStringify, ObjectFreeze } = V8VM.primordials;
  const { meter, journal, context, images, mailbox } = V8VM;

  const RUN = { __proto__: null, call: V8VM.calls.query, bare: V8VM.calls.bare };
  const KEEPS = { __proto__: null, execute: true, dry: true, bare: true };
  const TRIES = { __proto__: null, dry: true, validate: true };

  // Of all results of a batch: as many as a request may have bytes. A worker holds them in a dozen forms at once.
  const MAX_RESULT_UNITS = 16 * 2 ** 20;
  const ENTRY_UNITS = 64; // what a receipt or an event takes beside its texts
  const NOBODY = -1;

  let batch = null; // {items, run, block, keeps, tries, trace, results, units}

  // Nothing runs between batches. What was interrupted without being noticed would make the next one wrong.
  function requireClean() {
    if (meter.broken || meter.running !== 0 || meter.depth !== 0) throw meter.fail();
  }

  function begin(request) {
    requireClean();
    meter.dead = null;
    if (request.settled) journal.settle(request.settled.version);
    journal.open(request.changed, request.entries);
    images.open();
    V8VM.settings.changed();
    const run = RUN[request.mode];
    batch = {
      items: run === undefined ? request.txs : request.calls,
      run: run ?? V8VM.transaction.execute,
      keeps: KEEPS[request.mode] === true,
      tries: TRIES[request.mode] === true,
      block: request.block,
      trace: request.trace === true,
      careful: request.careful === true,
      traced: new Set(request.traced ?? []),
      stops: new Set(request.stops ?? []),
      results: [],
      units: 0,
    };
    context.openBlock(batch.block);
    return runBatch();
  }

  function resume(request) {
    images.answer(request.compiled);
    return runBatch();
  }

  function settle(request) {
    journal.settle(request.version);
    batch = null;
    return {};
  }

  // Whether the batch ends before an item since its time is over, or its room half used up. A block has no time, so that no
  // clock decides what it holds.
  function endsBefore(place) {
    if (batch.units > MAX_RESULT_UNITS / 2 && batch.stops.has(place)) return true;
    const due = mailbox.due();
    return due === 2 || (due === 1 && batch.stops.has(place));
  }

  const lengthOf = (texts) => {
    let units = 0;
    for (const text of texts) units += text.length;
    return units;
  };

  const unitsOfNotes = (notes, texts) => {
    let units = 0;
    for (const note of notes) units += ENTRY_UNITS + lengthOf(texts(note));
    return units;
  };

  // About what a result takes in the answer, and in the commit.
  function unitsOf(result) {
    if (result.refused !== undefined) return result.refused.length;
    const { receipts = [], events = [], returns = [], console = [], ram_usage = {} } = result;
    let units = result.status.message.length + lengthOf(returns) + lengthOf(console);
    units += unitsOfNotes(receipts, (note) => [note.func_name, note.content]);
    units += unitsOfNotes(events, (event) => [event.contract, event.action, event.data]);
    for (const payer in ram_usage) if (ram_usage[payer] > 0) units += ram_usage[payer];
    return units;
  }

  // What comes now is no item's: neither its time nor its memory.
  function leaveItems() {
    mailbox.progress(0);
    if (batch.careful) V8VM.ask('announce', NOBODY);
  }

  // Runs what is left of the batch, up to its end, to the end of its time or room, or to the first need.
  function runBatch() {
    const { items, results } = batch;
    while (results.length < items.length && !endsBefore(results.length)) {
      mailbox.progress(results.length + 1);
      if (batch.careful) V8VM.ask('announce', results.length);
      const result = runOne(items[results.length]);
      if (result === null) return { state: 'needs', needs: images.needs() };
      ArrayPrototypePush(results, result);
      batch.units += unitsOf(result);
      if (batch.units > MAX_RESULT_UNITS) return { state: 'full', ran: results.length };
    }
    leaveItems();
    const used = { __proto__: null };
    for (const [id, key] of images.used()) used[id] = key;
    return { state: 'done', results, used, ...journal.effects() };
  }

  // A trial that keeps its effects goes on in the later block.
  function openBlockOf(item) {
    if (!batch.keeps) context.openBlock(batch.block);
    context.openBlockOf(item);
  }

  function runTraced(item) {
    if (!batch.traced.has(batch.results.length)) return batch.run(item);
    V8VM.trace.begin();
    try {
      return batch.run(item);
    } finally {
      V8VM.trace.end();
    }
  }

  // One transaction or call; null when it must be run again after something was compiled.
  function runOne(item) {
    journal.begin(batch.trace);
    let result;
    try {
      V8VM.settings.refresh();
      if (batch.tries) openBlockOf(item);
      result = runTraced(item);
    } catch (error) {
      journal.rollback();
      V8VM.settings.changed();
      if (meter.dead !== 'restart') throw error;
      meter.dead = null;
      return null;
    }
    if (batch.keeps && result.refused === undefined) journal.commit();
    else journal.rollback();
    if (batch.trace) result.keys = journal.touchedKeys();
    return result;
  }

  function isStackEnd(error) {
    try {
      meter.pass(error);
      return false;
    } catch {
      return true;
    }
  }

  const OPS = { __proto__: null, begin, resume, settle };

  function entry() {
    const request = JSONParse(mailbox.read());
    try {
      return JSONStringify(OPS[request.op](request));
    } catch (error) {
      if (meter.broken || isStackEnd(error)) return '{"state":"broken"}'; // V8's own stack has ended: the isolate is given up
      if (meter.dead === 'host') return '{"state":"failed"}'; // Python knows why: it reports its own failure
      throw error;
    }
  }

  // Called once after all files: connects the mailbox, locks the realm down, and hands out the doors.
  V8VM.boot = function boot(buffer, host) {
    mailbox.connect(buffer, host);
    const { v1 } = V8VM;
    const install = (key, factory, meta) => v1.images.install(key, factory, JSONParse(meta));
    v1.lockdown();
    for (const [key, factory, meta] of V8VM.ready ?? []) install(key, factory, meta); // a startup snapshot brings images along
    delete globalThis.V8VM;
    return ObjectFreeze({ __proto__: null, entry, install, remove: v1.images.remove });
  };
})(globalThis.V8VM);
