// Publishing and updating contracts: checks, compile stage, RAM of the record, `init` or `can_update`. Used by system.iost.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, ArrayPrototypeMap, StringPrototypeStartsWith, StringPrototypeToWellFormed, TypeError } = V8VM.primordials;
  const { meter, costs, state, contracts, images, frames, natives } = V8VM;
  const { utf8Length, encodeArray } = V8VM.text;
  const { fail } = natives.kit;

  const MAX_CODE_BYTES = 49152;
  const INIT_ENTRY = { name: 'init', args: [], amountLimit: [] };
  const VALIDATE_ERROR = 'validate code error: ';
  const SYSTEM = 'system.iost';

  // -- the contract as sent ------------------------------------------------------------------------------------------

  const wrongType = () => {
    throw new TypeError('not a contract');
  };

  // Members that are missing or null are empty; half a character becomes U+FFFD, as the reference reads it.
  const absent = (value) => value === undefined || value === null;
  const textOf = (value) => (absent(value) ? '' : typeof value === 'string' ? StringPrototypeToWellFormed(value) : wrongType());
  const objectOf = (value) => (typeof value === 'object' && value !== null && !ArrayIsArray(value) ? value : wrongType());
  const list = (items, read) => (absent(items) ? [] : ArrayIsArray(items) ? ArrayPrototypeMap(items, (item) => read(item)) : wrongType());

  function limitAsSent(limit) {
    const { token, val } = objectOf(limit);
    return { token: textOf(token), val: textOf(val) };
  }

  function methodAsSent(method) {
    const { name, args, amountLimit } = objectOf(method);
    return { name: textOf(name), args: list(args, textOf), amountLimit: list(amountLimit, limitAsSent) };
  }

  function infoAsSent(info) {
    const { lang, version, abi } = objectOf(info);
    return { lang: textOf(lang), version: textOf(version), abi: list(abi, methodAsSent) };
  }

  // Normalises a contract: {id, info: {lang, version, abi} | null, code}. Throws on members of other types.
  const normalise = ({ ID, info, code }) => ({ id: textOf(ID), info: absent(info) ? null : infoAsSent(info), code: textOf(code) });

  // -- checks --------------------------------------------------------------------------------------------------------

  function checkForm({ info, code }) {
    let problem = null;
    if (utf8Length(code) > MAX_CODE_BYTES) problem = 'code size invalid';
    else if (info === null) problem = 'invalid code info';
    if (problem === null) return;
    meter.charge(costs.refusal);
    fail(problem);
  }

  function checkLimits({ abi }) {
    for (const { amountLimit } of abi) {
      meter.charge(costs.limitEntry * amountLimit.length);
      V8VM.amountLimits.validate(amountLimit);
    }
  }

  function compile({ info, code }) {
    if (info.lang !== 'javascript') fail('vm unsupported');
    const compiled = images.compile(code, info, true, false);
    const refused = compiled.error;
    if (refused !== undefined && StringPrototypeStartsWith(refused, VALIDATE_ERROR)) fail(refused);
    checkLimits(info);
    meter.charge(costs.savedByte * utf8Length(code));
    if (refused !== undefined) fail(refused);
    return compiled;
  }

  // Gas and checks of a contract of right form, up to the image; returns the record to store.
  function build(contract) {
    const { id, info, code } = contract;
    meter.charge(costs.savedByte * contracts.encodedLength(id, info, info.abi, utf8Length(code)));
    const compiled = compile(contract);
    return { id, info, code, code_hash: compiled.key, code_bytes: compiled.code_bytes };
  }

  // -- publish and update --------------------------------------------------------------------------------------------

  // The base price comes before any check: an oversized code runs out of gas here.
  const payBase = ({ code }) => meter.charge(costs.publish + costs.publishByte * utf8Length(code));

  // Bytes of a record; `more`: entries of its ABI beside its own.
  const recordSize = ({ id, info, code_bytes }, more) => contracts.encodedLength(id, info, [...info.abi, ...more], code_bytes);

  // What system.iost owes for a record. Below a JavaScript contract it is lost, as in the reference: only gas comes up from there.
  // Such a record remembers the bytes, so that no update gives back what was never paid. The reference stores the record with a
  // temporary entry for `init`.
  function payRecord(record, owner) {
    if (frames.current().sandboxed) record.unpaid = storedSize(record);
    else state.addRam(owner, recordSize(record, [INIT_ENTRY]));
  }

  function paidSize(record) {
    const { unpaid = 0 } = record;
    const size = storedSize(record);
    return size > unpaid ? size - unpaid : 0;
  }

  function payChange(record, old, publisher) {
    if (frames.current().sandboxed) record.unpaid = storedSize(record) - paidSize(old);
    else {
      if (old.unpaid !== undefined) record.unpaid = old.unpaid;
      state.addRam(publisher, paidSize(record) - paidSize(old));
    }
  }

  function publish(contract, owner) {
    checkForm(contract);
    const record = build(contract);
    if (contracts.find(record.id) !== null) fail('contract exists');
    payRecord(record, owner);
    contracts.store(record, owner);
    frames.callContract(record.id, 'init', '[]', false);
  }

  function requireUpdatable(old, data) {
    if (!old.methods.has('can_update')) {
      meter.charge(costs.get);
      fail('update refused');
    }
    let results;
    try {
      results = frames.callContract(old.id, 'can_update', encodeArray([data]), false);
    } catch (error) {
      if (error instanceof V8VM.Failure) error.message = `call can_update: ${error.message}`;
      throw error;
    }
    if (results[0] !== 'true') fail('update refused');
  }

  // Puts what `make` returns in the place of a contract; its publisher pays for what it is longer.
  function replace(id, data, make) {
    const old = contracts.find(id);
    if (old === null) {
      meter.charge(costs.get);
      fail('contract not exists');
    }
    requireUpdatable(old, data);
    const record = make();
    const { publisher } = V8VM.context.current();
    payChange(record, old, publisher);
    contracts.store(record, publisher);
  }

  function update(contract, data) {
    checkForm(contract);
    replace(contract.id, data, () => build(contract));
  }

  // -- native contracts: the record of the reference holds the methods of the version and a word instead of code ------

  const NATIVE_CODE_BYTES = 5;
  const nativeMethods = (id, version) => [...natives.methodsOf(id, version).values()];

  function storedSize(record) {
    const { id, info } = record;
    if (info.lang !== 'native') return recordSize(record, []);
    return contracts.encodedLength(id, info, nativeMethods(id, info.version), record.updated === true ? 0 : NATIVE_CODE_BYTES);
  }

  function updateNative(id, version) {
    const info = { lang: 'native', version, abi: [] };
    replace(id, '', () => {
      const methods = nativeMethods(id, version);
      meter.charge(costs.savedByte * contracts.encodedLength(id, info, methods, NATIVE_CODE_BYTES));
      meter.charge(costs.limitEntry * methods.length + costs.savedByte * NATIVE_CODE_BYTES);
      return { id, info, updated: true };
    });
  }

  // Account that owns a contract, or null; free of gas.
  const ownerOf = (id) => state.readField(SYSTEM, 'contract_owner', id)?.data ?? null;

  V8VM.publishing = { normalise, payBase, publish, update, updateNative, ownerOf };
})(globalThis.V8VM);
