// Walks everything that a contract can reach: from the endowments and from every object that syntax alone makes. Gives
// the faults found, as JSON: objects that are not frozen, and properties that the permits do not name. `engines` are the
// functions that are still the engine's own: nothing counts what they do.
(function (V8VM) {
  'use strict';

  const {
    FunctionPrototypeToString, ReflectOwnKeys, ReflectGetPrototypeOf, ReflectGetOwnPropertyDescriptor, ObjectIsFrozen, JSONStringify, Map, StringPrototypeEndsWith,
  } = V8VM.primordials;
  const { INTRINSICS } = V8VM.permits;

  class Base {}
  function made() {
    const caught = [];
    for (const fail of [() => null.x, () => undefinedName, () => [].length.x.y, () => new Array(-1), () => JSON.parse('{')]) {
      try {
        fail();
      } catch (error) {
        caught[caught.length] = error;
      }
    }
    function* generate() {
      yield 1;
    }
    const tagged = (strings) => strings;
    return {
      object: {},
      array: [1, , 3],
      plain: function () {},
      arrow: () => 1,
      method: { m() {} }.m,
      accessor: ReflectGetOwnPropertyDescriptor({ get x() { return 1; } }, 'x'), // prettier-ignore
      declared: class extends Base { static s() {} }, // prettier-ignore
      instance: new Base(),
      generator: generate,
      generated: generate(),
      arguments: (function () { return arguments; })(1, 2), // prettier-ignore
      template: tagged`a${1}b`,
      arrayIterator: [][Symbol.iterator](),
      textIterator: 'x'[Symbol.iterator](),
      number: Object(5),
      text: Object('x'),
      flag: Object(true),
      symbol: Object(Symbol.iterator),
      bound: function () {}.bind(null),
      errors: caught,
    };
  }

  function isListed({ kept = [], nulled = [], symbols = [] }, name) {
    for (const listed of [...kept, ...nulled, ...symbols]) if (listed === name) return true;
    return false;
  }

  const permitsOf = () => {
    const named = new Map();
    const intrinsics = V8VM.v1.intrinsics();
    for (const name in INTRINSICS) named.set(intrinsics[name], name);
    return named;
  };

  // What belongs to the contract that made it: the objects themselves, and the prototypes and methods of its functions.
  function ownedBy(fresh) {
    const own = new Map([[fresh, true], [Base, true], [Base.prototype, true], [fresh.declared.s, true]]);
    for (const key in fresh) {
      const value = fresh[key];
      own.set(value, true);
      if (typeof value === 'function' && value.prototype !== undefined) own.set(value.prototype, true);
    }
    for (const error of fresh.errors) own.set(error, true);
    own.set(fresh.accessor.get, true);
    return own;
  }

  // What an accessor gives for the object that has it.
  function given(holder, key) {
    try {
      return holder[key];
    } catch {
      return undefined;
    }
  }

  const isEngines = (value) => typeof value === 'function' && StringPrototypeEndsWith(FunctionPrototypeToString(value), '{ [native code] }');

  function walk() {
    V8VM.meter.enter(2 ** 29); // the walker's own texts are priced too
    const faults = [];
    const engines = { __proto__: null };
    const named = permitsOf();
    const seen = new Map();
    const fresh = made();
    const own = ownedBy(fresh);
    const waiting = [[fresh, 'syntax']];
    const shared = V8VM.v1.endowments.shared();
    for (const name in shared) waiting[waiting.length] = [shared[name], name];
    while (waiting.length > 0) {
      const [value, path] = waiting[waiting.length - 1];
      waiting.length--;
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
      seen.set(value, path);
      const place = named.get(value) ?? path;
      if (!own.has(value) && !ObjectIsFrozen(value)) faults[faults.length] = `${path} is not frozen`;
      if (isEngines(value) && !own.has(value)) engines[named.get(value) ?? path] = true;
      const permit = named.has(value) ? INTRINSICS[named.get(value)] : null;
      for (const key of ReflectOwnKeys(value)) {
        const name = typeof key === 'symbol' ? key.description : key;
        if (permit !== null && !isListed(permit, name)) faults[faults.length] = `${named.get(value)}.${name} is not permitted`;
        const descriptor = ReflectGetOwnPropertyDescriptor(value, key);
        for (const part of ['value', 'get', 'set']) if (part in descriptor) waiting[waiting.length] = [descriptor[part], `${place}.${name}`];
        if (descriptor.get !== undefined) waiting[waiting.length] = [given(value, key), `${place}.${name}`];
      }
      waiting[waiting.length] = [ReflectGetPrototypeOf(value), `${path}.[[prototype]]`];
    }
    return JSONStringify({ faults, count: seen.size, engines: ReflectOwnKeys(engines) });
  }

  V8VM.walk = walk;
})(globalThis.V8VM);
