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
    ArrayPrototypeIndexOf, ArrayPrototypeShift, Error, MathFloor, ObjectFreeze, RegExpPrototypeTest, StringPrototypeCodePointAt,
    StringPrototypeSplit,
  } = V8VM.primordials;
  const { meter, costs, keys, values, journal } = V8VM;
  const { utf8Length } = V8VM.text;

  const LONG_VALUE = 3010; // bytes
  const { value: VALUE_WORK, control: CONTROL_WORK, listed: LISTED_WORK } = V8VM.workPrices.host;
  const SHORT_TEXT = 64;
  const CONTROL = /[\x00-\x1f]/; // written as \uXXXX on their way
  const LISTING_MAX_SEPARATORS = 256; // a field is appended unless the list holds more: at most 257 are listed

  // A failure of a native contract: ends the transaction with its message. Contracts see it as an Error.
  class Failure {
    constructor(message) {
      this.message = message;
      this.where = null; // 61_failures.js
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
    if (value.size >= LONG_VALUE) meter.work(value.size * VALUE_WORK);
    payForm(value);
    accountWrite(contract, nameSize, old, value);
    journal.write(entry, value);
    return old === null;
  }

  // Texts of other than plain characters take longer to measure, to send and to store.
  function payForm({ kind, data, dataSize }) {
    if (kind !== 's' || data.length < SHORT_TEXT) return;
    if (dataSize !== data.length) meter.work(dataSize * V8VM.workPrices.text.beyondAscii);
    else if (RegExpPrototypeTest(CONTROL, data)) meter.work(CONTROL_WORK * data.length);
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
    return without(listedFields(contract, key), -1);
  }

  function mapLen(contract, key) {
    meter.charge(costs.keys);
    if (!keys.possibleContract(contract) || !keys.possible(key)) return 0;
    return listedNames(journal.read(keys.listing(contract, key))).length;
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
    return listedNames(journal.read(keys.listing(contract, key)));
  }

  // -- listings: "@f1@f2..." under a key of their own, paid by nobody ------------------------------------------------

  const NONE = ObjectFreeze([]);

  // Names that a listing holds: a list that nobody may change.
  function listedNames(listing) {
    if (listing === null) return NONE;
    if (listing.parsed === undefined) {
      listing.parsed = StringPrototypeSplit(listing.data, '@');
      ArrayPrototypeShift(listing.parsed);
    }
    meter.work(listing.parsed.length * LISTED_WORK);
    return listing.parsed;
  }

  // A copy without the name at a place. By hand: since constructors of arrays can be overridden, the engine's copying asks for one.
  function without(names, at) {
    const copy = [];
    for (let i = 0; i < names.length; i++) if (i !== at) copy[copy.length] = names[i];
    return copy;
  }

  function listField(contract, key, field) {
    const entry = journal.entryOf(keys.listing(contract, key));
    const names = listedNames(entry.value);
    if (names.length > LISTING_MAX_SEPARATORS) return;
    const longer = without(names, -1);
    longer[names.length] = field;
    journal.write(entry, values.listing(longer));
  }

  function unlistField(contract, key, field) {
    const entry = journal.entryOf(keys.listing(contract, key));
    const names = listedNames(entry.value);
    const at = ArrayPrototypeIndexOf(names, field);
    if (at < 0) return;
    journal.write(entry, names.length === 1 ? null : values.listing(without(names, at)));
  }

  V8VM.Failure = Failure;
  V8VM.state = { failure, addRam, put, get, del, mapPut, mapGet, mapDel, mapHasPut, mapHasGet, mapKeys, mapLen, readPlain, readField };
})(globalThis.V8VM);
