// The journal: what the running transaction, its batch and the read cache know of the state.
//
// One entry for each key the batch has touched holds the newest value; a transaction logs the entries it changes, so that it
// can be rolled back. The read cache outlives batches; it is right for the view named by the last `open` or `settle`.
//
// INVARIANTS
// * A key enters a batch by a read at the pinned view: `entry.version` is the version that the commit will check.
// * A failed transaction leaves no trace in values, only in the read set: what it read decided its receipt.
// * The cache never holds a value of a batch that was not committed.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush } = V8VM.primordials;
  const values = V8VM.values;

  // Each key that is new to a transaction may cost a trip to the store (about 0.7 ms). The reference charges 300 gas for it, so
  // that one transaction could hold a worker for ten seconds; beyond what ordinary contracts touch, the trip is paid for.
  const { freeKeys: FREE_KEYS, key: KEY_GAS } = V8VM.workPrices.gas;

  const CROWD = 16; // keys: from then on, what belongs together is fetched or foreseen together, and counts as one

  const CACHE_GENERATION_ENTRIES = 50000; // two generations: at most 100,000 entries, about 40 MB of ordinary cells
  const CACHE_GENERATION_UNITS = 16 << 20; // and at most 2 x 16 Mi text units

  // Two generations instead of exact recency: what is not used while a whole generation fills is forgotten.
  class ReadCache {
    constructor() {
      this.clear();
    }

    clear() {
      this.young = new Map();
      this.old = new Map();
      this.units = 0;
    }

    get(key) {
      let cell = this.young.get(key);
      if (cell !== undefined) return cell;
      cell = this.old.get(key);
      if (cell !== undefined) this.put(key, cell);
      return cell;
    }

    put(key, cell) {
      if (this.young.size >= CACHE_GENERATION_ENTRIES || this.units > CACHE_GENERATION_UNITS) {
        this.old = this.young;
        this.young = new Map();
        this.units = 0;
      }
      this.young.set(key, cell);
      this.units += key.length + (cell.value === null || typeof cell.value.data !== 'string' ? 8 : cell.value.data.length);
    }

    forget(key) {
      this.young.delete(key);
      this.old.delete(key);
    }
  }

  class Entry {
    constructor(key, value, version) {
      this.key = key;
      this.value = value;
      this.version = version;
      this.dirty = false;
      this.serial = 0; // of the transaction that touched it last
      this.logged = 0; // log that holds what it was before
    }
  }

  const cache = new ReadCache();
  let view = new Map(); // stored key -> Entry: the batch
  let undo = []; // entry, value before, dirty before: the transaction, each entry once
  let log = 0; // number of that log
  let serial = 0; // number of the running transaction
  let keyCount = 0; // keys that it has touched, each group of foretold ones as one
  let foretold = new Set(); // keys that were counted with others, and not touched yet
  let sequences = null; // runs of keys that count up, once there is a crowd
  let touched = null; // keys of the transaction in order of first touch, when somebody asks for them

  const cellOf = (pair) => ({ value: pair[0] === null ? null : values.decode(pair[0]), version: pair[1] });

  // Opens a batch. `changed`: keys written since the cache was right, null drops it; `entries`: read ahead at the view.
  function open(changed, entries) {
    view = new Map();
    startLog();
    if (changed === null) cache.clear();
    else for (const key of changed) cache.forget(key);
    for (const key in entries) cache.put(key, cellOf(entries[key]));
  }

  // Reads keys that nobody foresaw. The host may send what others of this batch will probably want along.
  function ask(keys) {
    const { entries, more } = V8VM.ask('state.get', { keys });
    for (let i = 0; i < keys.length; i++) cache.put(keys[i], cellOf(entries[i]));
    for (const other in more) cache.put(other, cellOf(more[other]));
    return cellOf(entries[0]);
  }

  // Whether so many keys were touched that it is worth telling which ones will be.
  const crowded = () => keyCount >= CROWD;

  function countKey() {
    if (++keyCount > FREE_KEYS) V8VM.meter.charge(KEY_GAS);
  }

  function countTouched(key) {
    if (foretold.size > 0 && foretold.delete(key)) return;
    if (crowded()) {
      sequences ??= new V8VM.Sequences();
      if (sequences.follow(key)) return;
    }
    countKey();
  }

  // Tells of keys that are about to be read: one trip to the store brings all of them, and they count as one. What is known
  // of a key already, here or in the cache, does not change what counts.
  function foretell(keys) {
    const missing = [];
    let fresh = false;
    for (const key of keys) {
      const entry = view.get(key);
      if (foretold.has(key) || (entry !== undefined && entry.serial === serial)) continue;
      foretold.add(key);
      fresh = true;
      if (entry === undefined && cache.get(key) === undefined) ArrayPrototypePush(missing, key);
    }
    if (fresh) countKey();
    if (missing.length > 0) ask(missing);
  }

  function firstTouch(key) {
    const cell = cache.get(key) ?? ask([key]);
    const entry = new Entry(key, cell.value, cell.version);
    view.set(key, entry);
    return entry;
  }

  function entryOf(key) {
    let entry = view.get(key);
    if (entry === undefined || entry.serial !== serial) {
      countTouched(key);
      entry ??= firstTouch(key);
      entry.serial = serial;
    }
    if (touched !== null) touched.add(key);
    return entry;
  }

  function startLog() {
    undo = [];
    log++;
  }

  function write(entry, value) {
    if (entry.logged !== log) ArrayPrototypePush(undo, entry, entry.value, entry.dirty);
    entry.logged = log;
    entry.value = value;
    entry.dirty = true;
  }

  function begin(traced) {
    startLog();
    serial++;
    keyCount = 0;
    if (foretold.size > 0) foretold = new Set();
    sequences = null;
    touched = traced ? new Set() : null;
  }

  const commit = startLog;

  function rollback() {
    for (let i = undo.length - 3; i >= 0; i -= 3) {
      const entry = undo[i];
      entry.value = undo[i + 1];
      entry.dirty = undo[i + 2];
    }
    startLog();
  }

  // The batch as the commit wants it: every key read with its version, every write as stored text.
  function effects() {
    const reads = { __proto__: null };
    const writes = { __proto__: null };
    for (const entry of view.values()) {
      reads[entry.key] = entry.version;
      if (entry.dirty) writes[entry.key] = entry.value === null ? null : values.encode(entry.value);
    }
    return { reads, writes };
  }

  // The batch was committed as `version`, or dropped (null).
  function settle(version) {
    if (version !== null) {
      for (const entry of view.values()) if (entry.dirty) cache.put(entry.key, { value: entry.value, version });
    }
    view = new Map();
    startLog();
  }

  V8VM.journal = {
    open,
    entryOf,
    crowded,
    foretell,
    read: (key) => entryOf(key).value,
    write,
    begin,
    commit,
    rollback,
    effects,
    settle,
    touchedKeys: () => (touched === null ? [] : [...touched]),
  };
})(globalThis.V8VM);
