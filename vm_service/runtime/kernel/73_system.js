// system.iost: publishing, updates of native contracts, settings of the host.
//
//   map contract_owner  id -> account
//   map settings        host -> {"Costs": {name: {"CPU": n, "Net": n, "Data": n}}}: replaces prices of 15_costs.js
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeIncludes, JSONParse, StringPrototypeStartsWith } = V8VM.primordials;
  const { meter, costs, state, values, context, publishing, natives } = V8VM;
  const { fail, op } = natives.kit;

  const SYSTEM = 'system.iost';
  const GENESIS_OWNER = 'admin';
  const VERSIONS = { // of native contracts
    __proto__: null,
    'token.iost': ['1.0.0', '1.0.2', '1.0.3', '1.0.4', '1.0.5', '1.0.6'],
    'token721.iost': ['1.0.0'],
    'system.iost': ['1.0.0'],
    'gas.iost': ['1.0.0'],
    'domain.iost': ['0.0.0', '1.0.0'],
  };

  function parse(text, read, problem) {
    try {
      return publishing.normalise(read(text));
    } catch (error) {
      meter.pass(error);
      meter.charge(costs.refusal);
      return fail(problem);
    }
  }

  const parseEncoded = (text) => parse(text, V8VM.wire.decodeContract, 'illegal base64 data');
  const parseContract = (text) => (StringPrototypeStartsWith(text, '{') ? parse(text, JSONParse, 'illegal json data') : parseEncoded(text));

  const putOwner = (id, owner, payer) => state.mapPut(SYSTEM, 'contract_owner', id, values.text(owner), payer);

  function setCode([text]) {
    const contract = parseContract(text);
    meter.charge(costs.context); // the transaction's hash names the contract
    const { tx, publisher } = context.current();
    contract.id = `Contract${tx.hash}`;
    publishing.payBase(contract);
    publishing.publish(contract, publisher);
    putOwner(contract.id, publisher, publisher);
    return [contract.id];
  }

  function updateCode([text, data], frame) {
    if (frame.height > 1) {
      op();
      fail("can't call UpdateCode from other contract");
    }
    const contract = parseContract(text); // a text that is none costs that alone
    op();
    publishing.payBase(contract);
    publishing.update(contract, data);
    return [];
  }

  function initSetCode([id, text]) {
    if (context.block().number !== 0) fail('initSetCode in normal block');
    const contract = parseEncoded(text);
    contract.id = id;
    publishing.publish(contract, GENESIS_OWNER);
    putOwner(id, GENESIS_OWNER, null);
    return [id];
  }

  const requireAdmin = (message) => V8VM.authority.requireAuth('admin', 'system') || fail(message);

  function hostSettings([text]) {
    requireAdmin('set host settings need admin@system permission');
    try {
      JSONParse(text);
    } catch (error) {
      meter.pass(error);
      fail('settings are no JSON');
    }
    state.mapPut(SYSTEM, 'settings', 'host', values.text(text), null);
    V8VM.settings.changed();
    return null; // the reference answers nothing at all
  }

  function updateNativeCode([id, version]) {
    requireAdmin('update native code need admin@system permission');
    op();
    if (!ArrayPrototypeIncludes(VERSIONS[id] ?? [], version)) fail('invalid contractID or version');
    publishing.updateNative(id, version);
    return [];
  }

  function cancelDelaytx() {
    meter.charge(costs.get);
    return fail('delaytx not exists');
  }

  natives.define(SYSTEM, [
    { name: 'setCode', args: ['string'], run: setCode },
    { name: 'updateCode', args: ['string', 'string'], run: updateCode },
    { name: 'initSetCode', args: ['string', 'string'], run: initSetCode },
    { name: 'requireAuth', args: ['string', 'string'], run: ([id, permission]) => [V8VM.authority.requireAuth(id, permission)] },
    { name: 'receipt', args: ['string'], run: ([text]) => (V8VM.host.receipt(text), []) },
    { name: 'cancelDelaytx', args: ['string'], run: cancelDelaytx },
    { name: 'hostSettings', args: ['string'], run: hostSettings },
    { name: 'updateNativeCode', args: ['string', 'string', 'string'], run: updateNativeCode },
  ]);
})(globalThis.V8VM);
