// Objects of images: prototypes, keys and lengths, where an ordinary expression can make the engine do any amount of work.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, ObjectAssign, ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf, RangeError, Set, TypeError } = V8VM.primordials;
  const { meter, forms } = V8VM;
  const { linkNew, linkClass } = V8VM.v1.chains;
  const { isObject, number, name: readName, nameOf, naming, LONG_TEXT, READ_WORK } = V8VM.v1.convert;

  const { lost: LOST_WORK, name: NAME_WORK, prototype: PROTOTYPE_WORK, noPrototype: NO_PROTOTYPE_WORK } = V8VM.workPrices.object;
  const WITHOUT_KEYS = new Set([Object.prototype, Array.prototype, Function.prototype]); // that `for in` would find

  const made = (object) => {
    meter.work(PROTOTYPE_WORK); // the function may be new
    return object;
  };

  // What becomes the prototype of an object literal.
  const prototype = (value) => {
    if (!isObject(value)) return value;
    meter.work(PROTOTYPE_WORK);
    linkNew(value);
    return value;
  };

  // What is about to lose a property.
  function losing(object) {
    meter.work(LOST_WORK);
    return forms.loosen(object);
  }

  // What becomes the `prototype` of a function.
  function inherited(value) {
    if (isObject(value)) linkNew(value);
    else meter.work(NO_PROTOTYPE_WORK);
    return value;
  }

  function base(parent) {
    if (typeof parent === 'function') {
      const value = prototypeOf(parent);
      if (isObject(value)) meter.work(PROTOTYPE_WORK);
      linkNew(parent);
      linkClass(value);
    }
    return parent;
  }

  // The `prototype` of a function that a class extends: the engine reads it again, so an accessor might give it another one.
  function prototypeOf(parent) {
    for (let at = parent; at !== null; at = ObjectGetPrototypeOf(at)) {
      const found = ObjectGetOwnPropertyDescriptor(at, 'prototype');
      if (found === undefined) continue;
      if (!('value' in found)) throw new TypeError('Class extends value does not have valid prototype property undefined');
      return found.value;
    }
    return undefined;
  }

  // What `for in` walks: its keys are all listed before the first pass.
  function keysOf(value) {
    if (typeof value === 'string') meter.work(forms.listWork(value.length) * forms.TEXT_FACTOR);
    else if (isObject(value)) {
      for (let at = value; at !== null && !WITHOUT_KEYS.has(at); at = ObjectGetPrototypeOf(at)) forms.payListing(at);
    }
    return value;
  }

  // The discriminant of a switch: long texts pay for being compared with `cases` others.
  function compared(value, cases) {
    if (typeof value === 'string' && value.length > LONG_TEXT) meter.work(value.length * READ_WORK * cases);
    return value;
  }

  function payLength(array, length) {
    if (length > array.length && length >>> 0 === length) meter.work((length - array.length) * V8VM.workPrices.array.grow);
  }

  function setLength(object, value) {
    if (!ArrayIsArray(object)) return (object.length = value);
    const length = number(value);
    if (isObject(value)) number(value); // the language converts it twice
    if (length > object.length) {
      payLength(object, length);
      if (length > forms.SHORT) forms.loosen(object);
    } else forms.payCut(object);
    object.length = length;
    return value;
  }

  // Checks a computed key that is about to be written.
  function key(object, value) {
    if (typeof value === 'number') return forms.at(object, value);
    const name = nameOf(value);
    meter.work(NAME_WORK);
    if (name === 'prototype' && typeof object === 'function') throw new TypeError("Cannot assign to read only property 'prototype' of function"); // an array that is given would not be seen
    if (!ArrayIsArray(object)) return name;
    if (name === 'length') throw new RangeError('Invalid array length');
    forms.named(object, name);
    return name;
  }

  function setMember(object, name, value) {
    const checked = nameOf(name);
    meter.work(NAME_WORK);
    if (checked === 'length') return setLength(object, value);
    if (ArrayIsArray(object)) forms.named(object, checked);
    if (checked === 'prototype') inherited(value);
    return (object[checked] = value);
  }

  // `object[name]++` and the like, where the value is used. The engine converts the key for the read and for the write.
  function update(object, name, step, isPrefix) {
    const before = number(object[readName(name)]);
    setMember(object, name, before + step);
    return isPrefix ? before + step : before;
  }

  const last = (...values) => values[values.length - 1];

  const plus = (value, step) => (typeof value === 'number' ? value + step : number(value) + step);

  ObjectAssign(V8VM.v1.helpers, {
    made, prototype, inherited, losing, base, keysOf, compared, setLength, key, setMember, update, plus, last, at: forms.at, loosened: forms.loosen, name: readName, naming,
  });
  ObjectAssign(V8VM.v1, { inherited, payLength });
})(globalThis.V8VM);
