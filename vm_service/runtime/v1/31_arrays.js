// Array methods at their price. They work on arrays; on array-likes (`arguments`, texts) they work on a copy of bounded
// length, so that no length that an object merely claims is ever walked. Copies are plain arrays: `Symbol.species` has
// no effect.
//
// INVARIANT: between reading the length that is paid for and the work, no code of the contract runs: arguments are
// converted first, and what the contract's accessors change meanwhile is not looked at again.
(function (V8VM) {
  'use strict';

  const {
    Array, ArrayIsArray, ArrayPrototypeIncludes, ArrayPrototypeIndexOf, ArrayPrototypeJoin, ArrayPrototypeKeys, ArrayPrototypeLastIndexOf,
    ArrayPrototypePop, ArrayPrototypeReverse, ArrayPrototypeShift, ArrayPrototypeUnshift, ArrayPrototypeUnshiftApply,
    FunctionPrototypeApply, FunctionPrototypeCall, MathTrunc, Object, ObjectPrototypeToString, RangeError, ReflectConstruct, String,
    SymbolHasInstance, SymbolIsConcatSpreadable, TypeError,
  } = V8VM.primordials;
  const { meter, forms } = V8VM;
  const { number, text, isObject } = V8VM.v1.convert;
  const { deeper, grown, enterNative, enterLibrary } = V8VM.v1;
  const { payForm, payCut, loosen } = forms;

  const { call: CALL, visit: VISIT, scan: SCAN, copy: COPY, insert: INSERT } = V8VM.prices.array;
  const ACCESS_SLOTS = 250; // of one that may only meet an accessor
  const CALLBACK_SLOTS = 120; // stack of a method that calls back: its own frame and the engine's
  const MAX_LIKE_LENGTH = 100000; // items of an array-like that are copied
  const {
    move: SHIFT_WORK, like: LIKE_WORK, call: CALL_WORK, visit: VISIT_WORK, join: JOIN_WORK,
    fraction: FRACTION_WORK, tableRead: READ_WORK, tableMove: MOVE_WORK, tableAdd: ADD_WORK, joinUnit: JOIN_UNIT_WORK,
    compareUnit: UNIT_WORK, compareText: TEXT_WORK, argument: ARGUMENT_WORK, make: ITEM_WORK,
  } = V8VM.workPrices.array;
  const { hasInstance: INSTANCE_WORK } = V8VM.workPrices.functions;
  const HAS_INSTANCE = Function.prototype[SymbolHasInstance]; // it cannot be replaced
  const LONG_MOVE = 64;
  const LONG_ROW = 10000; // `new Array(n)` of more is no row
  const SHORT_TEXT = 12; // units: a longer one may be part of another text, which takes longer to compare

  // -- `this` ------------------------------------------------------------------------------------------------------

  // A copy of an array-like.
  function copyOf(value) {
    const like = Object(value);
    const claimed = wholeNumber(like.length);
    const length = claimed > 0 ? claimed : 0;
    if (length > MAX_LIKE_LENGTH) throw new RangeError('Invalid array length');
    meter.work(CALL_WORK + length * (LIKE_WORK + meter.toll));
    const list = [];
    for (let i = 0; i < length; i++) if (i in like) list[i] = like[i];
    list.length = length;
    return list;
  }

  // The array a method reads: `this` itself, or a copy of an array-like. What has no length has no price either, which is an error.
  function listOf(value) {
    if (ArrayIsArray(value)) return value;
    const saved = enterLibrary();
    if (typeof value.length !== 'number') meter.charge(NaN);
    const copy = copyOf(value);
    meter.depth = saved;
    return copy;
  }

  // The array a method changes.
  function arrayOf(value, name) {
    if (ArrayIsArray(value)) return value;
    throw new TypeError(`Array.prototype.${name} called on an object that is not an array`);
  }

  function wholeNumber(value) {
    const n = MathTrunc(number(value));
    return n === n ? n : 0;
  }

  // An index argument that counts from the end when negative.
  function index(value, length, absent) {
    if (value === undefined) return absent;
    const at = wholeNumber(value);
    if (at < 0) return at + length > 0 ? at + length : 0;
    return at < length ? at : length;
  }

  function shown(value) {
    if (value === null || typeof value !== 'object') return String(value);
    return ArrayIsArray(value) ? '[object Array]' : '#<Object>';
  }

  function callable(callback) {
    if (typeof callback !== 'function') throw new TypeError(`${shown(callback)} is not a function`);
  }

  // Counts the stack of a method that calls back; returns what to restore.
  function enter(length, callback) {
    const saved = meter.depth;
    meter.work(length * ((callback === HAS_INSTANCE ? VISIT_WORK + INSTANCE_WORK : VISIT_WORK) + meter.toll));
    if ((meter.depth += CALLBACK_SLOTS) > meter.roof) deeper();
    return saved;
  }

  // Work of moving all items of a long array.
  function payMove(array) {
    if (array.length > LONG_MOVE) meter.work(array.length * SHIFT_WORK);
    payForm(array, MOVE_WORK);
  }

  // Work of comparing something with every item: of a table, or when it is a text.
  function payCompare(list, item) {
    payForm(list, READ_WORK);
    if (typeof item !== 'string') return;
    meter.work(list.length * (item.length > SHORT_TEXT ? TEXT_WORK + item.length * UNIT_WORK : TEXT_WORK / 16));
  }

  // Pays for an engine method and counts its stack: items may be accessors of the contract. Returns what to set `meter.depth`
  // to afterwards. Each method calls its own primordial by name: passed to one function for all, it takes three times as long.
  function enterEngine() {
    const saved = enterNative();
    meter.work(CALL_WORK);
    return saved;
  }

  // -- methods -----------------------------------------------------------------------------------------------------

  const adding = {
    push(item) {
      if (meter.running > 0) meter.take(CALL); // the binding pushes arguments of doors with it
      const array = arrayOf(this, 'push');
      if (arguments.length === 1) {
        if ((meter.depth += ACCESS_SLOTS) > meter.roof) deeper(); // a prototype of its own may have a setter there
        array[array.length] = item;
        meter.depth -= ACCESS_SLOTS;
        return array.length;
      }
      const isRow = forms.isRow(array); // without accessors, and with a prototype that has none
      meter.work(arguments.length * (isRow ? ARGUMENT_WORK : ADD_WORK));
      const saved = enterLibrary(isRow ? 0 : arguments.length);
      const length = FunctionPrototypeApply(FERAL_PUSH, array, arguments);
      meter.depth = saved;
      return length;
    },
    pop() {
      meter.take(CALL);
      const array = arrayOf(this, 'pop');
      payCut(array);
      const saved = enterEngine();
      const item = ArrayPrototypePop(array);
      meter.depth = saved;
      return item;
    },
    shift() {
      meter.take(CALL);
      const array = arrayOf(this, 'shift');
      payMove(array);
      const saved = enterEngine();
      const item = ArrayPrototypeShift(array);
      meter.depth = saved;
      return item;
    },
    unshift(item) {
      meter.take(CALL);
      const array = arrayOf(this, 'unshift');
      payMove(array);
      meter.work(arguments.length * ARGUMENT_WORK);
      const saved = enterNative();
      if (!forms.isRow(array)) enterLibrary(arguments.length);
      meter.work(CALL_WORK);
      const length = arguments.length === 1 ? ArrayPrototypeUnshift(array, item) : ArrayPrototypeUnshiftApply(array, arguments);
      meter.depth = saved;
      return length;
    },
  };
  const { isArray } = Array;
  const FERAL_PUSH = Array.prototype.push;

  const visiting = {
    forEach(callback, self) {
      const list = listOf(this);
      const { length } = list;
      meter.charge(CALL + VISIT * length);
      callable(callback);
      const saved = enter(length, callback);
      for (let i = 0; i < length; i++) if (i in list) FunctionPrototypeCall(callback, self, list[i], i, this);
      meter.depth = saved;
    },
    every(callback, self) {
      const list = listOf(this);
      const { length } = list;
      meter.charge(CALL + VISIT * length);
      callable(callback);
      const saved = enter(length, callback);
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
      const list = listOf(this);
      const at = search(list, this, callback, self);
      if (at < 0) return undefined;
      const saved = enterLibrary();
      const found = list[at];
      meter.depth = saved;
      return found;
    },
    findIndex(callback, self) {
      return search(listOf(this), this, callback, self);
    },
    filter(callback, self) {
      const list = listOf(this);
      const { length } = list;
      meter.charge(CALL + COPY * length);
      callable(callback);
      const saved = enter(length, callback);
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
      const list = listOf(this);
      const { length } = list;
      meter.charge(CALL + COPY * length);
      callable(callback);
      const saved = enter(length, callback);
      const mapped = [];
      let held = 0;
      for (let i = 0; i < length; i++) {
        if (!(i in list)) continue;
        mapped[i] = FunctionPrototypeCall(callback, self, list[i], i, this);
        held++;
      }
      mapped.length = length;
      meter.depth = saved;
      return held < length ? loosen(mapped) : mapped;
    },
  };

  function search(list, self, callback, receiver) {
    const { length } = list;
    meter.charge(CALL + VISIT * length);
    callable(callback);
    const saved = enter(length, callback);
    let found = -1;
    for (let i = 0; i < length && found < 0; i++) if (FunctionPrototypeCall(callback, receiver, list[i], i, self)) found = i;
    meter.depth = saved;
    return found;
  }

  const looking = {
    includes(item, from) {
      const start = wholeNumber(from);
      const list = listOf(this);
      meter.charge(CALL + VISIT * list.length);
      payCompare(list, item);
      const saved = enterEngine();
      const found = ArrayPrototypeIncludes(list, item, start);
      meter.depth = saved;
      return found;
    },
    indexOf(item, from) {
      const start = wholeNumber(from);
      const list = listOf(this);
      meter.charge(CALL + SCAN * list.length);
      payCompare(list, item);
      const saved = enterEngine();
      const at = ArrayPrototypeIndexOf(list, item, start);
      meter.depth = saved;
      return at;
    },
    lastIndexOf(item, from) {
      const start = arguments.length < 2 ? -1 : wholeNumber(from);
      const list = listOf(this);
      meter.charge(CALL + SCAN * list.length);
      payCompare(list, item);
      const saved = enterEngine();
      const at = ArrayPrototypeLastIndexOf(list, item, start);
      meter.depth = saved;
      return at;
    },
    keys() {
      const list = listOf(this);
      meter.charge(CALL + SCAN * list.length);
      return ArrayPrototypeKeys(list);
    },
  };

  const joining = {
    join(separator) {
      const list = listOf(this);
      const { length } = list;
      meter.charge(CALL + VISIT * length);
      const between = separator === undefined ? ',' : text(separator);
      const saved = enterNative();
      const joined = joinedOnce(this, () => joinTexts(textsOf(list, length), between));
      meter.depth = saved;
      return joined;
    },
    toString() {
      const saved = enterLibrary();
      meter.charge(CALL + VISIT * number(this.length));
      const self = Object(this);
      const { join } = self;
      const joined = typeof join === 'function' ? FunctionPrototypeCall(join, self) : ObjectPrototypeToString(self);
      meter.depth = saved;
      return joined;
    },
  };

  const underway = []; // what is being joined: an array inside itself gives no text

  function joinedOnce(self, join) {
    for (let i = 0; i < underway.length; i++) if (underway[i] === self) return '';
    underway[underway.length] = self;
    try {
      return join();
    } finally {
      underway.length--;
    }
  }

  function textsOf(list, length) {
    const texts = [];
    meter.work(CALL_WORK + length * JOIN_WORK);
    for (let i = 0; i < length; i++) {
      const item = list[i];
      if (typeof item === 'number' && item % 1 !== 0) meter.work(FRACTION_WORK);
      texts[i] = item === undefined || item === null ? '' : text(item);
    }
    return texts;
  }

  function joinTexts(texts, between) {
    let units = between.length * texts.length;
    for (let i = 0; i < texts.length; i++) units += texts[i].length;
    meter.work(units * JOIN_UNIT_WORK);
    grown(units);
    return ArrayPrototypeJoin(texts, between);
  }

  const copying = {
    slice(start, end) {
      const list = listOf(this);
      const { length } = list;
      meter.charge(CALL + COPY * length);
      const first = index(start, length, 0);
      const stop = index(end, length, length);
      const saved = enterLibrary();
      const copy = [];
      let count = 0;
      let held = 0;
      for (let i = first; i < stop; i++, count++) {
        if (!(i in list)) continue;
        copy[count] = list[i];
        held++;
      }
      copy.length = count;
      meter.depth = saved;
      return held < count ? loosen(copy) : copy;
    },
    concat(...parts) {
      const saved = enterLibrary();
      const lists = [];
      let count = 0;
      for (let p = -1; p < parts.length; p++) {
        const part = p < 0 ? receiver(this) : parts[p];
        const list = isSpreadable(part) ? spreadable(part) : [part];
        payForm(list, READ_WORK);
        lists[p + 1] = { list, length: list.length };
        count += list.length;
      }
      meter.charge(CALL + VISIT * count);
      const joined = [];
      let at = 0;
      let held = 0;
      for (let p = 0; p < lists.length; p++) {
        const { list, length } = lists[p];
        for (let i = 0; i < length; i++, at++) {
          if (!(i in list)) continue;
          joined[at] = list[i];
          held++;
        }
      }
      joined.length = at;
      meter.depth = saved;
      return held < at ? loosen(joined) : joined;
    },
    splice(start, removeCount, ...added) {
      const array = arrayOf(this, 'splice');
      const { length } = array;
      meter.charge(CALL + COPY * length + INSERT * added.length);
      const from = index(start, length, 0);
      const most = length - from;
      let count = arguments.length === 0 ? 0 : most;
      if (arguments.length > 1) {
        const wanted = wholeNumber(removeCount);
        count = wanted < 0 ? 0 : wanted < most ? wanted : most;
      }
      return replaceRange(array, length, from, count, added);
    },
    reverse() {
      const array = arrayOf(this, 'reverse');
      meter.charge(CALL + SCAN * array.length);
      payForm(array, MOVE_WORK);
      const saved = enterEngine();
      ArrayPrototypeReverse(array);
      meter.depth = saved;
      return array;
    },
    sort(compare) {
      const array = arrayOf(this, 'sort');
      const { length } = array;
      meter.charge(CALL + VISIT * length);
      if (compare !== undefined && typeof compare !== 'function') {
        throw new TypeError('The comparison function must be either a function or undefined');
      }
      return V8VM.v1.sort(array, compare);
    },
  };

  const spreadable = (value) => (ArrayIsArray(value) ? value : copyOf(value));

  function receiver(value) {
    if (value === null || value === undefined) throw new TypeError('Array.prototype.concat called on null or undefined');
    return Object(value);
  }

  function isSpreadable(value) {
    if (!isObject(value)) return false;
    const wanted = value[SymbolIsConcatSpreadable];
    return wanted === undefined ? ArrayIsArray(value) : Boolean(wanted);
  }

  const Boolean = (value) => !!value;

  function replaceRange(array, length, from, count, added) {
    const saved = enterLibrary();
    const removed = [];
    let held = 0;
    for (let i = 0; i < count; i++) {
      if (!(from + i in array)) continue;
      removed[i] = array[from + i];
      held++;
    }
    removed.length = count;
    if (held < count) loosen(removed);
    const step = added.length - count;
    const move = (to, at) => {
      if (at in array) array[to] = array[at];
      else delete loosen(array)[to];
    };
    if (step < 0) for (let i = from + count; i < length; i++) move(i + step, i);
    else if (step > 0) for (let i = length - 1; i >= from + count; i--) move(i + step, i);
    for (let i = 0; i < added.length; i++) array[from + i] = added[i];
    array.length = length + step;
    meter.depth = saved;
    return removed;
  }

  // -- the constructor ---------------------------------------------------------------------------------------------

  const FREE_ITEMS = 1000000; // of all arrays of a call that are made of a length: more do not stay at hand

  function makeWork(length) {
    if (length > forms.LONGEST_ROW) return 0;
    meter.items += length;
    const beyond = meter.items - FREE_ITEMS;
    return beyond <= 0 ? length * ITEM_WORK : beyond < length ? beyond : length;
  }

  const constructors = {
    Array: function Array(...args) {
      const length = args.length === 1 && typeof args[0] === 'number' ? args[0] : args.length;
      if (length >= 0 && length < 4294967296 && length % 1 === 0) {
        meter.charge(CALL + SCAN * length);
        meter.work(CALL_WORK + makeWork(length));
      }
      const made = ReflectConstruct(V8VM.primordials.Array, args, constructors.Array); // an array also when a class extends it, as in the reference
      return length > LONG_ROW ? loosen(made) : made;
    },
  };

  V8VM.v1.helpers.push = adding.push;
  V8VM.v1.helpers.isArray = isArray;
  V8VM.v1.arrays = { methods: { ...adding, ...visiting, ...looking, ...joining, ...copying }, constructors, enter };
})(globalThis.V8VM);
