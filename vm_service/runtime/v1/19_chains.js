// Chains of prototypes. Every lookup of a name that an object lacks walks all of its prototypes, so a chain soon costs more
// than a transaction may buy beyond a length that classes do not need, and steps along longer ones than usual are paid for.
//
// A chain grows at both ends: below, when an object is made, and above, when what is already the prototype of others gets
// a prototype. So the length below an object is remembered as soon as the object becomes a prototype.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, ObjectGetPrototypeOf, WeakMap } = V8VM.primordials;
  const { meter, forms } = V8VM;
  const { isObject, tooDeep } = V8VM.v1;

  const LIMIT = 100; // prototypes above the lowest object of a chain
  const FREE_STEPS = 2; // as many as an object of a class has
  const INSTANCES = 1; // what may lie below any object, unseen: `new` tells nothing of whose prototype it takes
  const ARRAY_BELOW = 12; // an array in place of objects below it: each of its holes is looked for in all its prototypes
  const { chain: CHAIN_WORK } = V8VM.workPrices.object;
  const { freeChain: FREE_CHAIN, chain: CHAIN_GAS } = V8VM.workPrices.gas;

  let below = new WeakMap(); // prototype -> how many objects may lie below it, one under the other
  let isUsed = false;

  const SHARED = [Object.prototype, Function.prototype, Array.prototype]; // they get no prototype any more

  // Counts the objects from this one upwards.
  function height(object) {
    let count = 0;
    for (let at = object; at !== null; at = ObjectGetPrototypeOf(at)) if (++count > LIMIT) tooDeep();
    return count;
  }

  const isShared = (object) => object === SHARED[0] || object === SHARED[1] || object === SHARED[2];

  // Remembers that `count` objects lie below a prototype. What is remembered was told to all prototypes above it as well.
  function raise(prototype, count) {
    let length = count;
    for (let at = prototype; at !== null && !isShared(at); at = ObjectGetPrototypeOf(at), length++) {
      if (below.get(at) >= length) return;
      below.set(at, length);
      isUsed = true;
    }
  }

  // What each step costs from now on, at least.
  function raiseToll(units) {
    if (units <= meter.toll) return;
    meter.step += units - meter.toll;
    meter.toll = units;
  }

  // Pays for a chain with `count` objects below the prototype, or with what stands in their place: an array, of whose steps
  // none is free. An array that becomes a prototype loses its form.
  function link(prototype, count, counted = count) {
    const above = height(prototype) - 1;
    const beyond = above + counted - FREE_CHAIN;
    if (beyond > 0) meter.charge(beyond * beyond * CHAIN_GAS);
    const steps = counted > count ? above + count : above + count - FREE_STEPS;
    raiseToll(steps * CHAIN_WORK);
    raise(forms.loosen(prototype), counted);
  }

  // A value becomes the prototype of an object that was made just now, or that `new` will make.
  function linkNew(prototype) {
    if (isObject(prototype)) link(prototype, 1);
  }

  // A value becomes the prototype of an object that others may inherit from.
  function linkOld(target, prototype) {
    if (!isObject(prototype) || !isObject(target)) return;
    const known = below.get(target) ?? INSTANCES;
    link(prototype, known + 1, (ArrayIsArray(target) && known < ARRAY_BELOW ? ARRAY_BELOW : known) + 1);
  }

  // A value becomes the prototype of a class's `prototype`.
  function linkClass(prototype) {
    if (isObject(prototype)) link(prototype, INSTANCES + 1);
  }

  function forget() {
    if (!isUsed) return;
    below = new WeakMap();
    isUsed = false;
  }

  V8VM.v1.chains = { linkNew, linkOld, linkClass, raiseToll, forget };
})(globalThis.V8VM);
