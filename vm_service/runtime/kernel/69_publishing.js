// Publishing and updating contracts: checks, compile stage, RAM of the record, `init` or `can_update`. Used by system.iost.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, ArrayPrototypeMap, StringPrototypeStartsWith } = V8VM.primordials;
  const { meter, costs, state, contracts, images, frames, natives } = V8VM;
  const { utf8Length, encodeArray } = V8VM.text;
  const { fail } = natives.kit;

  const MAX_CODE_BYTES = 49152;
  const INIT_ENTRY = { name: 'init', args: [], amountLimit: [] };
  const VALIDATE_ERROR = 'validate code error: ';
  const SYSTEM = 'system.iost';

  // -- the contract as sent ------------------------------------------------------------------------------------------

  const list = (items, read) => (ArrayIsArray(items) ? ArrayPrototypeMap(items, (item) => read(item)) : []);
  const textOf = (value) => (value === undefined || value === null ? '' : `${value}`);
  const limitAsSent = (limit) => ({ token: textOf(limit.token), val: textOf(limit.val) });
  const methodAsSent = ({ name, args, amountLimit }) => ({ name: textOf(name), args: list(args, textOf), amountLimit: list(amountLimit, limitAsSent) });

  // Normalises a contract: {id, info: {lang, version, abi} | null, code}.
  function normalise({ ID, info, code }) {
    if (info === undefined || info === null) return { id: textOf(ID), info: null, code: textOf(code) };
    const { lang, version, abi } = info;
    return { id: textOf(ID), info: { lang: textOf(lang), version: textOf(version), abi: list(abi, methodAsSent) }, code: textOf(code) };
  }

  // -- checks --------------------------------------------------------------------------------------------------------

  const shownLimit = ({ token, val }) => `token:"${token}" val:"${val}" `;

  // Checks a list of amount limits; `charge` says whether gas is taken for each entry.
  function checkAmountLimits(limits, charge) {
    const seen = new Set();
    for (const limit of limits) {
      if (charge) meter.charge(costs.limitEntry);
      const { token, val } = limit;
      if (seen.has(token)) fail(`duplicated token in amountLimit: ${token}`);
      seen.add(token);
      if (token !== '*' && !V8VM.token.exists(token)) fail(`token not exists in amountLimit, ${shownLimit(limit)}`);
      if (val !== 'unlimited' && V8VM.decimal.parse(val, token === '*' ? 8 : V8VM.token.decimals(token)).error !== undefined) {
        fail(`invalid amount in amountLimit, ${shownLimit(limit)}`);
      }
    }
  }

  function compile(contract) {
    const { info, code } = contract;
    if (info.lang !== 'javascript') fail('vm unsupported');
    const compiled = images.compile(code, info, true, false);
    const refused = compiled.error;
    if (refused !== undefined && StringPrototypeStartsWith(refused, VALIDATE_ERROR)) fail(refused);
    for (const method of info.abi) checkAmountLimits(method.amountLimit, true);
    meter.charge(utf8Length(code));
    if (refused !== undefined) fail(refused);
    return compiled;
  }

  // Gas and checks up to the image; returns the record to store and its size in the reference's encoding.
  function build(contract) {
    const codeBytes = utf8Length(contract.code);
    meter.charge(costs.publish + costs.publishByte * codeBytes); // before anything else: an oversized code runs out of gas here
    if (codeBytes > MAX_CODE_BYTES) fail('code size invalid');
    if (contract.info === null) fail('invalid code info');
    const { id, info, code } = contract;
    meter.charge(contracts.encodedLength(id, info, info.abi, codeBytes));
    const compiled = compile(contract);
    const record = { id, info, code, code_hash: compiled.key, code_bytes: compiled.code_bytes };
    return { record, size: recordSize(record) };
  }

  // The reference stores the record with the temporary `init` entry.
  const recordSize = ({ id, info, code_bytes }) => contracts.encodedLength(id, info, [...info.abi, INIT_ENTRY], code_bytes);

  // -- publish and update --------------------------------------------------------------------------------------------

  function publish(contract, owner) {
    if (contracts.find(contract.id) !== null) fail('contract exists');
    const { record, size } = build(contract);
    state.addRam(owner, size);
    contracts.store(record, owner);
    frames.callContract(contract.id, 'init', '[]', false);
  }

  function mayUpdate(old, data) {
    if (!old.methods.has('can_update')) return false;
    let results;
    try {
      results = frames.callContract(old.id, 'can_update', encodeArray([data]), false);
    } catch (error) {
      if (error instanceof V8VM.Failure) error.message = `call can_update: ${error.message}`;
      throw error;
    }
    return results.length === 1 && results[0] === 'true';
  }

  function update(contract, data) {
    const old = contracts.find(contract.id) ?? fail('contract not exists');
    if (!mayUpdate(old, data)) fail('update refused');
    const { record, size } = build(contract);
    const owner = ownerOf(contract.id) ?? V8VM.context.current().publisher;
    state.addRam(owner, size - (old.native ? 0 : recordSize(old)));
    contracts.store(record, owner);
  }

  // Account that owns a contract, or null; free of gas.
  const ownerOf = (id) => state.readField(SYSTEM, 'contract_owner', id)?.data ?? null;

  V8VM.publishing = { normalise, checkAmountLimits, publish, update, ownerOf };
})(globalThis.V8VM);
