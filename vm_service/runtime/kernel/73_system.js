// system.iost: publishing, updates of native contracts, settings of the host.
//
//   map contract_owner  id -> account
//   settings            {"Costs": {name: {"CPU": n, "Net": n, "Data": n}}}: replaces prices of 15_costs.js
(function (V8VM) {
  'use strict';

  const { JSONParse, StringPrototypeStartsWith } = V8VM.primordials;
  const { meter, costs, state, values, context, publishing, contracts, natives } = V8VM;
  const { fail } = natives.kit;

  const SYSTEM = 'system.iost';
  const GENESIS_OWNER = 'admin';

  function parseContract(text) {
    try {
      return publishing.normalise(StringPrototypeStartsWith(text, '{') ? JSONParse(text) : V8VM.wire.decodeContract(text));
    } catch {
      meter.charge(costs.refusal);
      return fail('invalid contract');
    }
  }

  const putOwner = (id, owner) => state.mapPut(SYSTEM, 'contract_owner', id, values.text(owner), owner);

  function setCode([text]) {
    const contract = parseContract(text);
    meter.charge(costs.context); // the transaction's hash names the contract
    const { tx, publisher } = context.current();
    contract.id = `Contract${tx.hash}`;
    publishing.publish(contract, publisher);
    putOwner(contract.id, publisher);
    return [contract.id];
  }

  function updateCode([text, data], frame) {
    if (frame.height !== 1) fail("can't call UpdateCode from other contract");
    publishing.update(parseContract(text), data);
    return [];
  }

  function initSetCode([id, text]) {
    if (context.block().number !== 0) fail('initSetCode in normal block');
    const contract = parseContract(text);
    contract.id = id;
    publishing.publish(contract, GENESIS_OWNER);
    putOwner(id, GENESIS_OWNER);
    return [id];
  }

  const requireAdmin = (message) => V8VM.authority.requireAuth('admin', 'system') || fail(message);

  function hostSettings([text]) {
    requireAdmin('set host settings need admin@system permission');
    try {
      JSONParse(text);
    } catch {
      fail('settings are no JSON');
    }
    state.put(SYSTEM, 'settings', values.text(text), null);
    V8VM.settings.changed();
    return [];
  }

  function updateNativeCode([id, version]) {
    requireAdmin('update native code need admin@system permission');
    if (!natives.has(id)) fail('contract not exists');
    contracts.store({ id, info: { lang: 'native', version, abi: [] } }, '');
    return [];
  }

  natives.define(SYSTEM, [
    { name: 'setCode', args: ['string'], run: setCode },
    { name: 'updateCode', args: ['string', 'string'], run: updateCode },
    { name: 'initSetCode', args: ['string', 'string'], run: initSetCode },
    { name: 'requireAuth', args: ['string', 'string'], run: ([id, permission]) => [V8VM.authority.requireAuth(id, permission)] },
    { name: 'receipt', args: ['string'], run: ([text]) => (V8VM.host.receipt(text), []) },
    { name: 'cancelDelaytx', args: ['string'], run: () => fail('delaytx not exists') },
    { name: 'hostSettings', args: ['string'], run: hostSettings },
    { name: 'updateNativeCode', args: ['string', 'string', 'string'], run: updateNativeCode },
  ]);
})(globalThis.V8VM);
