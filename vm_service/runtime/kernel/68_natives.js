// Native contracts: a registry of method tables. Each contract has a file of its own below; a method runs on the current
// frame and returns the list of its results (text, bigint, boolean), or null.
(function (V8VM) {
  'use strict';

  const { meter, costs, Failure } = V8VM;
  const { encodeArray } = V8VM.text;

  const ANY_AMOUNT = [{ token: '*', val: 'unlimited' }];
  const contracts = new Map(); // id -> [{name, args, since, until, run}]
  const sets = new Map(); // id + version -> Map of methods

  // Versions compare as texts: all are single digits joined by points.
  const inForce = (method, version) => version >= (method.since ?? '') && (method.until === undefined || version < method.until);

  // Adds a native contract. `methods`: {name, args, run, since?, until?}; `since` and `until` (excluded) are versions.
  function define(id, methods) {
    contracts.set(id, [{ name: 'init', args: [], run: init }, { name: 'can_update', args: ['string'], run: canUpdate }, ...methods]);
  }

  function methodsOf(id, version) {
    const name = `${id} ${version}`;
    let methods = sets.get(name);
    if (methods === undefined) {
      methods = new Map();
      for (const method of contracts.get(id) ?? []) {
        if (inForce(method, version)) {
          methods.set(method.name, { name: method.name, args: method.args, amountLimit: ANY_AMOUNT, run: (args, frame) => method.run(args, frame, version) });
        }
      }
      sets.set(name, methods);
    }
    return methods;
  }

  // -- what native methods share ---------------------------------------------------------------------------------

  const fail = (message) => {
    throw new Failure(message);
  };

  const op = (count = 1) => meter.charge(costs.op * count);

  function requireAuth(id, permission) {
    if (!V8VM.authority.requireAuth(id, permission)) fail('transaction has no permission');
  }

  function init() {
    meter.charge(costs.refusal);
    return [];
  }

  const canUpdate = () => [`${V8VM.authority.requireAuth('admin', 'system')}`];

  // Writes as the reference does where it does not look at the outcome: a refused name is paid for, and that is all.
  function overlook(write) {
    try {
      write();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }

  const publisher = () => V8VM.context.current().publisher;

  // The receipt of most native methods: the JSON array of their arguments.
  function receiptOf(args) {
    op();
    V8VM.host.receipt(encodeArray(args));
  }

  V8VM.natives = {
    define,
    methodsOf,
    has: (id) => contracts.has(id),
    table: () => contracts,
    kit: { fail, op, requireAuth, receiptOf, overlook, publisher },
  };
})(globalThis.V8VM);
