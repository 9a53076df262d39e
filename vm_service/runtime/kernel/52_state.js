// Storage operations on the current frame: key rules, gas, RAM by payer, map listings. Contracts and native methods alike.
//
//   RAM of a cell = len(contract) + 1 + len(key) + [2 x len(field)] + stored length of the value
//
// A write is paid by the payer named, else by the payer of the old value, else by the contract. The same payer pays the
// difference; a new payer pays in full and the old one gets his bytes back. Deleting gives the bytes back. The bytes of a cell
// without a payer (set by an operator, or by settlement) count as the contract's when it is written; deleting it gives nothing.
(function (V8VM) {
  'use strict';

  const {
    ArrayPrototypeIndexOf, ArrayPrototypeJoin, ArrayPrototypeShift, ArrayPrototypeSplice, Error, MathFloor, StringPrototypeCodePointAt,
    StringPrototypeSplit,
  } = V8VM.primordials;
  const { meter, costs, keys, values, journal } = V8VM;
  const { utf8Length } = V8VM.text;

  const LONG_VALUE = 3010; // bytes
  const BYTES_PER_UNIT = 2; // of long values, which are held, sent and stored as text: a transaction can write 8 MB at most
  const LISTED_PER_UNIT = 4; // characters of a listing that is taken apart
  const LISTING_MAX_SEPARATORS = 256; // a field is appended unless the list holds more: at most 257 are listed

  // A failure of a native contract: ends the transaction with its message. Contracts see it as an Error.
  class Failure {
    constructor(message) {
      this.message = message;
    }
  }

  // What to throw for a failure that the running code may see.
  const failure = (message) => (V8VM.frames.current().native ? new Failure(message) : new Error(message));

  function requireName(name) {
    if (keys.possible(name)) return;
    const bytes = utf8Length(name);
    if (bytes === 0 || bytes > keys.MAX_KEY_CHARS) refuse(`key or field length invalid. expected [1, ${keys.MAX_KEY_CHARS}], actual ${bytes}`);
    refuse(`key or field has invalid char, ${StringPrototypeCodePointAt(name, keys.invalidAt(name))}`);
  }

  function refuse(message) {
    meter.charge(costs.refusal);
    throw failure(message);
  }

  // -- RAM -----------------------------------------------------------------------------------------------------------

  function addRam(payer, bytes) {
    const { ram, debtors } = V8VM.frames.current();
    ram.set(payer, (ram.get(payer) ?? 0) + bytes);
    if (bytes > 0) debtors.add(payer);
  }

  function accountWrite(contract, nameSize, old, value) {
    const size = nameSize + value.size;
    const before = old === null ? null : old.payer === '' ? contract : old.payer;
    if (before === value.payer) {
      addRam(before, value.size - old.size);
      return;
    }
    if (before !== null) addRam(before, -(nameSize + old.size));
    addRam(value.payer, size);
  }

  // -- cells ---------------------------------------------------------------------------------------------------------

  function payerOf(contract, old, payer) {
    if (payer !== null && payer !== '') return payer;
    return old === null || old.payer === '' ? contract : old.payer;
  }

  // Writes a cell whose entry is known; returns whether it is new.
  function writeEntry(entry, contract, nameSize, value, payer) {
    const old = entry.value;
    value.payer = payerOf(contract, old, payer);
    meter.charge(value.size < LONG_VALUE ? costs.put : MathFloor(value.size / 10));
    if (value.size >= LONG_VALUE) meter.work(value.size / BYTES_PER_UNIT);
    accountWrite(contract, nameSize, old, value);
    journal.write(entry, value);
    return old === null;
  }

  function deleteCell(storedKey, nameSize) {
    meter.charge(costs.del);
    const entry = journal.entryOf(storedKey);
    const old = entry.value;
    if (old === null) return false;
    if (old.payer !== '') addRam(old.payer, -(nameSize + old.size));
    journal.write(entry, null);
    return true;
  }

  const plainSize = (contract, key) => contract.length + 1 + key.length;
  const fieldSize = (contract, key, field) => contract.length + 1 + key.length + 2 * field.length;

  // REQUIRES: `value` is new, not yet stored: its payer is decided here.
  function put(contract, key, value, payer) {
    requireName(key);
    writeEntry(journal.entryOf(keys.plain(contract, key)), contract, plainSize(contract, key), value, payer);
  }

  function get(contract, key) {
    meter.charge(costs.get);
    return readPlain(contract, key);
  }

  function del(contract, key) {
    requireName(key);
    deleteCell(keys.plain(contract, key), plainSize(contract, key));
  }

  function mapPut(contract, key, field, value, payer) {
    requireName(key);
    requireName(field);
    putEntry(journal.entryOf(keys.field(contract, key, field)), contract, key, field, value, payer);
  }

  function putEntry(entry, contract, key, field, value, payer) {
    if (writeEntry(entry, contract, fieldSize(contract, key, field), value, payer)) listField(contract, key, field);
  }

  // mapHas, then mapPut: `payerIfNew` pays for a cell that is not there yet. One look at the state for both.
  function mapHasPut(contract, key, field, value, payerIfNew) {
    meter.charge(costs.get);
    requireName(key);
    requireName(field);
    const entry = journal.entryOf(keys.field(contract, key, field));
    putEntry(entry, contract, key, field, value, entry.value === null ? payerIfNew : null);
  }

  // mapHas, then mapGet of what is there.
  function mapHasGet(contract, key, field) {
    const value = mapGet(contract, key, field);
    if (value !== null) meter.charge(costs.get);
    return value;
  }

  function mapGet(contract, key, field) {
    meter.charge(costs.get);
    return readField(contract, key, field);
  }

  function mapDel(contract, key, field) {
    requireName(key);
    requireName(field);
    if (deleteCell(keys.field(contract, key, field), fieldSize(contract, key, field))) unlistField(contract, key, field);
  }

  function mapKeys(contract, key) {
    meter.charge(costs.keys);
    return listedFields(contract, key);
  }

  function mapLen(contract, key) {
    meter.charge(costs.keys);
    if (!keys.possibleContract(contract) || !keys.possible(key)) return 0;
    return listedCount(journal.read(keys.listing(contract, key)));
  }

  // -- without gas: for the kernel's own rules -----------------------------------------------------------------------

  function readPlain(contract, key) {
    if (!keys.possibleContract(contract) || !keys.possible(key)) return null;
    return journal.read(keys.plain(contract, key));
  }

  function readField(contract, key, field) {
    if (!keys.possibleContract(contract) || !keys.possible(key) || !keys.possible(field)) return null;
    return journal.read(keys.field(contract, key, field));
  }

  function listedFields(contract, key) {
    if (!keys.possibleContract(contract) || !keys.possible(key)) return [];
    const listing = journal.read(keys.listing(contract, key));
    if (listing === null) return [];
    meter.work(listing.data.length / LISTED_PER_UNIT);
    const fields = StringPrototypeSplit(listing.data, '@');
    ArrayPrototypeShift(fields);
    return fields;
  }

  // -- listings: "@f1@f2..." under a key of their own, paid by nobody ------------------------------------------------

  function listedCount(listing) {
    if (listing === null) return 0;
    if (listing.parsed === undefined) listing.parsed = StringPrototypeSplit(listing.data, '@').length - 1;
    return listing.parsed;
  }

  function listField(contract, key, field) {
    const entry = journal.entryOf(keys.listing(contract, key));
    const count = listedCount(entry.value);
    if (count > LISTING_MAX_SEPARATORS) return;
    const listing = values.text(`${entry.value === null ? '' : entry.value.data}@${field}`);
    listing.parsed = count + 1;
    journal.write(entry, listing);
  }

  function unlistField(contract, key, field) {
    const fields = listedFields(contract, key);
    const at = ArrayPrototypeIndexOf(fields, field);
    if (at < 0) return;
    ArrayPrototypeSplice(fields, at, 1);
    const entry = journal.entryOf(keys.listing(contract, key));
    journal.write(entry, fields.length === 0 ? null : values.text(`@${ArrayPrototypeJoin(fields, '@')}`));
  }

  V8VM.Failure = Failure;
  V8VM.state = { failure, addRam, plainSize, fieldSize, put, get, del, mapPut, mapGet, mapDel, mapHasPut, mapHasGet, mapKeys, mapLen, readPlain, readField };
})(globalThis.V8VM);
