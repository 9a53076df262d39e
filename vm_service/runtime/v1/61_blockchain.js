// Class library `blockchain`: who runs, transfers, calls of other contracts, receipts and events.
// Arguments and results cross as JSON text and are charged like the JSON of a contract.
(function (V8VM) {
  'use strict';

  const { Error, JSONStringify, RegExpPrototypeTest, StringPrototypeReplace } = V8VM.primordials;
  const { json } = V8VM.v1;
  const { hostText } = V8VM.v1.storage;
  const { payName } = V8VM.v1.convert;
  const { meter } = V8VM;
  const { enterLibrary } = V8VM.v1;

  const TOKEN = 'token.iost';
  const COIN = 'iost';
  const PARSE_GAS = V8VM.prices.json.parse;

  function checked(value, operation, name) {
    if (typeof value !== 'string') throw new Error(`IOSTBlockchain_${operation} ${name} must be string`);
    return hostText(value);
  }

  // Results come as values; what a contract would have parsed them from is charged.
  const HTML = /[<>&\u2028\u2029]/g;
  function chargeResults(results) {
    const written = JSONStringify(results);
    const plain = RegExpPrototypeTest(HTML, written) ? StringPrototypeReplace(written, HTML, '\\u0000') : written;
    HTML.lastIndex = 0;
    meter.charge(PARSE_GAS + plain.length);
    return results;
  }

  function invoke(operation, contract, api, args, withAuth) {
    const list = typeof args === 'object' ? json.stringify(args) : args;
    const name = checked(contract, operation, 'contract');
    const method = checked(api, operation, 'api');
    const text = checked(list, operation, 'arg');
    payName(name);
    payName(method);
    return chargeResults(V8VM.host.call(name, method, text, withAuth));
  }

  const contextInfo = () => V8VM.host.contextInfo();
  const contractName = () => json.parse(contextInfo()).contract_name;

  function move(from, to, amount, memo) {
    const saved = enterLibrary();
    const list = [COIN, from, to, new V8VM.v1.Float64(amount).toString(), memo.toString()];
    meter.depth = saved;
    return invoke('callWithAuth', TOKEN, 'transfer', list, true);
  }

  const blockchain = {
    transfer(from, to, amount, memo) {
      return move(from, to, amount, memo);
    },
    withdraw(to, amount, memo) {
      return move(contractName(), to, amount, memo);
    },
    deposit(from, amount, memo) {
      return move(from, contractName(), amount, memo);
    },
    blockInfo() {
      return V8VM.host.blockInfo();
    },
    txInfo() {
      return V8VM.host.txInfo();
    },
    contextInfo() {
      return contextInfo();
    },
    contractName() {
      return contractName();
    },
    publisher() {
      return json.parse(contextInfo()).publisher;
    },
    contractOwner() {
      return V8VM.v1.storage.methods.globalMapGet('system.iost', 'contract_owner', contractName());
    },
    call(contract, api, args) {
      return invoke('call', contract, api, args, false);
    },
    callWithAuth(contract, api, args) {
      return invoke('callWithAuth', contract, api, args, true);
    },
    requireAuth(account, permission) {
      const id = checked(account, 'requireAuth', 'accountID');
      const name = checked(permission, 'requireAuth', 'permission');
      payName(`${id}@${name}`);
      return V8VM.host.requireAuth(id, name);
    },
    receipt(content) {
      V8VM.host.receipt(checked(content, 'receipt', 'content'));
      return null;
    },
    event(content) {
      V8VM.host.event(checked(content, 'event', 'content'));
      return null;
    },
  };

  V8VM.v1.blockchain = blockchain;
})(globalThis.V8VM);
