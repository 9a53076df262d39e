// Contract records: what a published contract is, and the size its record has in the reference.
//
// Stored under c<id> as JSON (type j): {"id", "info": {"lang", "version", "abi": [{name, args, amountLimit}]}, "code",
// "code_hash" (hex SHA-256 of the code), "code_bytes" (length of the reference form)}; native contracts hold id and info only.
(function (V8VM) {
  'use strict';

  const { JSONParse, JSONStringify, StringPrototypeStartsWith } = V8VM.primordials;
  const { keys, journal, values, state } = V8VM;
  const { utf8Length } = V8VM.text;

  const DOMAIN_CONTRACT = 'domain.iost';
  const DOMAIN_TABLE = 'dns_table';

  // Of entries with one name the first counts.
  function methodsOf(info) {
    const methods = new Map();
    for (const method of info.abi) if (!methods.has(method.name)) methods.set(method.name, method);
    return methods;
  }

  // The record of a contract with its methods by name, or null.
  function find(id) {
    if (!keys.possibleContract(id)) return null;
    const cell = journal.read(keys.contract(id));
    if (cell === null) return null;
    if (cell.parsed === undefined) {
      const record = JSONParse(cell.data);
      const native = record.info.lang === 'native';
      cell.parsed = { ...record, native, methods: native ? V8VM.natives.methodsOf(record.id, record.info.version) : methodsOf(record.info) };
    }
    return cell.parsed;
  }

  // A name that is no contract id may be a linked domain.
  function resolve(name) {
    if (StringPrototypeStartsWith(name, 'Contract') || V8VM.natives.has(name)) return name;
    const linked = state.readField(DOMAIN_CONTRACT, DOMAIN_TABLE, name);
    return linked === null ? name : linked.data;
  }

  // Writes a record; REQUIRES: the caller has accounted for its RAM.
  function store(record, payer) {
    journal.write(journal.entryOf(keys.contract(record.id)), values.json(JSONStringify(record), payer));
  }

  // -- size of the reference's encoding (protobuf Contract{1 ID, 2 info, 3 code}) ---------------------------------

  function varintLength(n) {
    let bytes = 1;
    for (let rest = n; rest >= 128; rest = (rest - (rest % 128)) / 128) bytes++;
    return bytes;
  }

  const fieldLength = (bytes) => (bytes === 0 ? 0 : bareLength(bytes));
  const bareLength = (bytes) => 1 + varintLength(bytes) + bytes;

  function methodLength(method) {
    let bytes = fieldLength(utf8Length(method.name));
    for (const arg of method.args) bytes += bareLength(utf8Length(arg));
    for (const limit of method.amountLimit) bytes += bareLength(fieldLength(utf8Length(limit.token)) + fieldLength(utf8Length(limit.val)));
    return bareLength(bytes);
  }

  // Bytes of a contract record with a code of `codeBytes` bytes and methods `abi`.
  function encodedLength(id, info, abi, codeBytes) {
    let infoBytes = fieldLength(utf8Length(info.lang)) + fieldLength(utf8Length(info.version));
    for (const method of abi) infoBytes += methodLength(method);
    return fieldLength(utf8Length(id)) + bareLength(infoBytes) + fieldLength(codeBytes);
  }

  V8VM.contracts = { find, resolve, store, encodedLength };
})(globalThis.V8VM);
