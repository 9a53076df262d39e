// Code that can run, and images of it for tracing, which are asked for under their own question. Whatever must be compiled first stops the transaction with a restart and is listed as a need; the host
// compiles, installs and resumes, and the transaction runs again from its start.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypePush } = V8VM.primordials;
  const { meter } = V8VM;

  let needs = []; // {need_id, source, abi, validate, raw}
  let compiled = new Map(); // what was asked -> answer: {error} or {key, code_bytes, ...}
  let asked = new Map(); // need_id -> what was asked
  let used = new Map(); // contract id -> key of the image that ran it in this batch

  function open() {
    needs = [];
    compiled = new Map();
    asked = new Map();
    used = new Map();
  }

  // The compile stage's answer for a source. `abi`: the ABI document of a contract to be checked, or null; `raw`: leave the
  // source as it is, without rewriting and charges; `traced`: make the image that is used while failures are traced.
  function compile(source, abi, validate, raw, traced = false) {
    const question = `${validate ? '!' : '?'}${raw ? 'r' : ''}${traced ? 't' : ''}${abi === null ? '' : V8VM.text.encode(abi)}\n${source}`;
    const answer = compiled.get(question);
    if (answer !== undefined) return answer;
    const need_id = `${asked.size}`;
    asked.set(need_id, question);
    ArrayPrototypePush(needs, { need_id, source, abi, validate, raw, traced });
    throw meter.die('restart');
  }

  function answer(results) {
    for (const need_id in results) compiled.set(asked.get(need_id), results[need_id]);
    needs = [];
  }

  // Key of the installed image of a contract.
  function require(record) {
    if (V8VM.trace.isOn() && record.raw !== true) return compileRecord(record, true);
    const key = find(record);
    if (record.id !== undefined) used.set(record.id, key);
    return key;
  }

  // A record remembers its image: its code hash may name one of another compiler version, and a preset record has none.
  function find(record) {
    if (record.image !== undefined && V8VM.v1.images.has(record.image)) return record.image;
    const hash = record.code_hash;
    record.image = hash !== '' && V8VM.v1.images.has(hash) ? hash : compileRecord(record, false);
    return record.image;
  }

  function compileRecord(record, traced) {
    const { key, error } = compile(record.code, record.info, false, record.raw === true, traced);
    if (error !== undefined) throw new V8VM.Failure(error);
    if (V8VM.v1.images.has(key)) return key;
    compiled.clear(); // the image was let go since: ask again
    return compileRecord(record, traced);
  }

  V8VM.images = { open, compile, answer, require, needs: () => needs, used: () => used };
})(globalThis.V8VM);
