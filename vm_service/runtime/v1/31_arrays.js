// Array methods at their price. They work on arrays; on array-likes (`arguments`, texts) they work on a copy of bounded
// length, so that no length that an object merely claims is ever walked. Copies are plain arrays: `Symbol.species` has
// no effect.
(function (V8VM) {
  'use strict';

  const {
    Array, ArrayIsArray, ArrayPrototypeIncludes, ArrayPrototypeIndexOf, ArrayPrototypeJoin, ArrayPrototypeKeys, ArrayPrototypeLastIndexOf,
    ArrayPrototypePop, ArrayPrototypeReverse, ArrayPrototypeShift, ArrayPrototypeSort, ArrayPrototypeUnshift,
    FunctionPrototypeApply, FunctionPrototypeCall, MathLog2, Object, ObjectPrototypeToString, RangeError, ReflectConstruct, String,
    SymbolIsConcatSpreadable, TypeError,
  } = V8VM.primordials;
  const { meter } = V8VM;
  const { number, text, isObject } = V8VM.v1.convert;
  const { DEPTH_LIMIT, tooDeep, grown, enterNative } = V8VM.v1;

  const CALLBACK_SLOTS = 120; // stack of a method that calls back: its own frame and the engine's
  const MAX_LIKE_LENGTH = 100000; // items of an array-like that are copied
  const MOVED_PER_UNIT = 64; // items that one unit of work moves
  const LONG_TEXT = 256;

  // -- `this` ------------------------------------------------------------------------------------------------------

  // The array a method reads: `this` itself, or a copy of an array-like.
  function listOf(value, name) {
    if (ArrayIsArray(value)) return value;
    if (value === null || value === undefined) throw new TypeError(`Array.prototype.${name} called on null or undefined`);
    const like = Object(value);
    const length = wholeNumber(like.length);
    if (length > MAX_LIKE_LENGTH) throw new RangeError('Invalid array length');
    meter.work(length);
    const list = [];
    list.length = length;
    for (let i = 0; i < length; i++) if (i in like) list[i] = like[i];
    return list;
  }

  // The array a method changes.
  function arrayOf(value, name) {
    if (ArrayIsArray(value)) return value;
    throw new TypeError(`Array.prototype.${name} called on an object that is not an array`);
  }

  function wholeNumber(value) {
    const n = number(value);
    return n >= 1 ? n - (n % 1) : n <= -1 ? n - (n % 1) : 0;
  }

  // An index argument that counts from the end when negative.
  function index(value, length, absent) {
    if (value === undefined) return absent;
    const at = wholeNumber(value);
    if (at < 0) return at + length > 0 ? at + length : 0;
    return at < length ? at : length;
  }

  function shown(value) {
    if (value === null || typeof value !== 'object') return typeof value === 'string' ? `"${value}"` : String(value);
    return ArrayIsArray(value) ? '[object Array]' : '#<Object>';
  }

  function callable(callback) {
    if (typeof callback !== 'function') throw new TypeError(`${shown(callback)} is not a function`);
  }

  // Counts the stack of a method that calls back; returns what to restore.
  function enter() {
    const saved = meter.depth;
    if ((meter.depth += CALLBACK_SLOTS) > DEPTH_LIMIT) tooDeep();
    return saved;
  }

  // Work of moving all items of a long array.
  function payMove(array) {
    if (array.length > MOVED_PER_UNIT) meter.work(array.length / MOVED_PER_UNIT);
  }

  // Work of comparing a long text with every item.
  function payCompare(list, item) {
    if (typeof item === 'string' && item.length > LONG_TEXT) meter.work((list.length * item.length) / 16);
  }

  // Runs an engine method on a list: items may be accessors of the contract.
  function native(method, ...args) {
    const saved = enterNative();
    const result = method(...args);
    meter.depth = saved;
    return result;
  }

  // -- methods -----------------------------------------------------------------------------------------------------

  const adding = {
    push(item) {
      if (meter.running > 0) meter.take(1); // the binding pushes arguments of doors with it
      const array = arrayOf(this, 'push');
      if (arguments.length === 1) {
        array[array.length] = item;
        return array.length;
      }
      meter.work(arguments.length);
      return FunctionPrototypeApply(FERAL_PUSH, array, arguments);
    },
    pop() {
      meter.take(1);
      return native(ArrayPrototypePop, arrayOf(this, 'pop'));
    },
    shift() {
      meter.take(1);
      const array = arrayOf(this, 'shift');
      payMove(array);
      return native(ArrayPrototypeShift, array);
    },
    unshift(...items) {
      meter.take(1);
      const array = arrayOf(this, 'unshift');
      payMove(array);
      meter.work(items.length);
      if (items.length === 1) return native(ArrayPrototypeUnshift, array, items[0]);
      return FunctionPrototypeApply(FERAL_UNSHIFT, array, items);
    },
  };
  const { isArray } = Array;
  const FERAL_PUSH = Array.prototype.push;
  const FERAL_UNSHIFT = Array.prototype.unshift;

  const visiting = {
    forEach(callback, self) {
      const list = listOf(this, 'forEach');
      const { length } = list;
      meter.charge(1 + length);
      callable(callback);
      const saved = enter();
      for (let i = 0; i < length; i++) if (i in list) FunctionPrototypeCall(callback, self, list[i], i, this);
      meter.depth = saved;
    },
    every(callback, self) {
      const list = listOf(this, 'every');
      const { length } = list;
      meter.charge(1 + length);
      callable(callback);
      const saved = enter();
      for (let i = 0; i < length; i++) {
        if (i in list && !FunctionPrototypeCall(callback, self, list[i], i, this)) {
          meter.depth = saved;
          return false;
        }
      }
      meter.depth = saved;
      return true;
    },
    find(callback, self) {
      const list = listOf(this, 'find');
      const at = search(list, this, callback, self);
      return at < 0 ? undefined : list[at];
    },
    findIndex(callback, self) {
      return search(listOf(this, 'findIndex'), this, callback, self);
    },
    filter(callback, self) {
      const list = listOf(this, 'filter');
      const { length } = list;
      meter.charge(1 + 10 * length);
      callable(callback);
      const saved = enter();
      const kept = [];
      for (let i = 0; i < length; i++) {
        if (!(i in list)) continue;
        const item = list[i];
        if (FunctionPrototypeCall(callback, self, item, i, this)) kept[kept.length] = item;
      }
      meter.depth = saved;
      return kept;
    },
    map(callback, self) {
      const list = listOf(this, 'map');
      const { length } = list;
      meter.charge(1 + 10 * length);
      callable(callback);
      const saved = enter();
      const mapped = [];
      for (let i = 0; i < length; i++) if (i in list) mapped[i] = FunctionPrototypeCall(callback, self, list[i], i, this);
      mapped.length = length;
      meter.depth = saved;
      return mapped;
    },
  };

  function search(list, self, callback, receiver) {
    const { length } = list;
    meter.charge(1 + length);
    callable(callback);
    const saved = enter();
    let found = -1;
    for (let i = 0; i < length && found < 0; i++) if (FunctionPrototypeCall(callback, receiver, list[i], i, self)) found = i;
    meter.depth = saved;
    return found;
  }

  const looking = {
    includes(item, from) {
      const list = listOf(this, 'includes');
      meter.charge(1 + list.length);
      payCompare(list, item);
      return native(ArrayPrototypeIncludes, list, item, wholeNumber(from));
    },
    indexOf(item, from) {
      const list = listOf(this, 'indexOf');
      meter.charge(1 + 0.2 * list.length);
      payCompare(list, item);
      return native(ArrayPrototypeIndexOf, list, item, wholeNumber(from));
    },
    lastIndexOf(item, ...from) {
      const list = listOf(this, 'lastIndexOf');
      meter.charge(1 + 0.2 * list.length);
      payCompare(list, item);
      return native(ArrayPrototypeLastIndexOf, list, item, from.length === 0 ? list.length - 1 : wholeNumber(from[0]));
    },
    keys() {
      const list = listOf(this, 'keys');
      meter.charge(1 + 0.2 * list.length);
      return ArrayPrototypeKeys(list);
    },
  };

  const joining = {
    join(separator) {
      const list = listOf(this, 'join');
      const { length } = list;
      meter.charge(1 + length);
      const between = separator === undefined ? ',' : text(separator);
      let units = between.length * length;
      for (let i = 0; i < length; i++) units += typeof list[i] === 'string' ? list[i].length : 8;
      meter.work(units / 16);
      grown(units);
      return native(ArrayPrototypeJoin, list, between);
    },
    toString() {
      const self = Object(this);
      meter.charge(1 + number(self.length));
      const { join } = self;
      return typeof join === 'function' ? FunctionPrototypeCall(join, self) : ObjectPrototypeToString(self);
    },
  };

  const copying = {
    slice(start, end) {
      const list = listOf(this, 'slice');
      const { length } = list;
      meter.charge(1 + 10 * length);
      const stop = index(end, length, length);
      const copy = [];
      let count = 0;
      for (let i = index(start, length, 0); i < stop; i++, count++) if (i in list) copy[count] = list[i];
      copy.length = count;
      return copy;
    },
    concat(...parts) {
      const joined = [];
      let count = 0;
      const total = [Object(this), ...parts];
      for (let p = 0; p < total.length; p++) count += isSpreadable(total[p]) ? listOf(total[p], 'concat').length : 1;
      meter.charge(1 + count);
      let at = 0;
      for (let p = 0; p < total.length; p++) {
        if (!isSpreadable(total[p])) {
          joined[at++] = total[p];
          continue;
        }
        const list = listOf(total[p], 'concat');
        for (let i = 0; i < list.length; i++) if (i in list) joined[at + i] = list[i];
        at += list.length;
      }
      joined.length = at;
      return joined;
    },
    splice(start, removeCount, ...added) {
      const array = arrayOf(this, 'splice');
      const { length } = array;
      meter.charge(1 + 10 * length + added.length);
      const from = index(start, length, 0);
      const most = length - from;
      let count = arguments.length === 0 ? 0 : most;
      if (arguments.length > 1) {
        const wanted = wholeNumber(removeCount);
        count = wanted < 0 ? 0 : wanted < most ? wanted : most;
      }
      return replaceRange(array, from, count, added);
    },
    reverse() {
      const array = arrayOf(this, 'reverse');
      meter.charge(1 + 0.2 * array.length);
      return native(ArrayPrototypeReverse, array);
    },
    sort(compare) {
      if (compare !== undefined && typeof compare !== 'function') {
        throw new TypeError('The comparison function must be either a function or undefined');
      }
      const array = arrayOf(this, 'sort');
      const { length } = array;
      meter.charge(1 + length);
      paySort(array, compare);
      return native(ArrayPrototypeSort, array, compare);
    },
  };

  function isSpreadable(value) {
    if (!isObject(value)) return false;
    const wanted = value[SymbolIsConcatSpreadable];
    return wanted === undefined ? ArrayIsArray(value) : Boolean(wanted);
  }

  const Boolean = (value) => !!value;

  function replaceRange(array, from, count, added) {
    const { length } = array;
    const removed = [];
    for (let i = 0; i < count; i++) if (from + i in array) removed[i] = array[from + i];
    removed.length = count;
    const step = added.length - count;
    const move = (to, at) => {
      if (at in array) array[to] = array[at];
      else delete array[to];
    };
    if (step < 0) for (let i = from + count; i < length; i++) move(i + step, i);
    else if (step > 0) for (let i = length - 1; i >= from + count; i--) move(i + step, i);
    for (let i = 0; i < added.length; i++) array[from + i] = added[i];
    array.length = length + step;
    return removed;
  }

  // The reference prices the length only; the number of comparisons and the texts they make count as work.
  function paySort(array, compare) {
    const { length } = array;
    if (length < 2) return;
    let units = 2;
    if (compare === undefined) for (let i = 0; i < length; i++) if (typeof array[i] === 'string') units += array[i].length / length / 4;
    meter.work(length * MathLog2(length) * units);
  }

  // -- the constructor ---------------------------------------------------------------------------------------------

  const constructors = {
    Array: function Array(...args) {
      const length = args.length === 1 && typeof args[0] === 'number' ? args[0] : args.length;
      if (length >= 0 && length < 4294967296) {
        meter.charge(1 + 0.2 * length);
        meter.work(length);
      }
      return ReflectConstruct(V8VM.primordials.Array, args, new.target ?? constructors.Array);
    },
  };

  V8VM.v1.helpers.push = adding.push;
  V8VM.v1.helpers.isArray = isArray;
  V8VM.v1.arrays = { methods: { ...adding, ...visiting, ...looking, ...joining, ...copying }, constructors, enter };
})(globalThis.V8VM);
