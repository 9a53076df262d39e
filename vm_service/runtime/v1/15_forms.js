// Forms of arrays. The engine keeps an ordinary array as a row of values and does what is asked of it within a few
// nanoseconds for an item. An array with gaps, accessors, frozen items or another prototype may become a table, where
// every item takes ten times as long, and `pop` as long as all items together. Moving the items of an array whose names
// are a table, or that is the prototype of something, takes as long. The reference's prices hold for rows only, so what
// may turn an array into any of this is remembered here, and such arrays pay for their form.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf, ObjectHasOwn, ReflectOwnKeys, WeakMap } = V8VM.primordials;
  const { meter } = V8VM;

  const SHORT = 16; // items: a gap among them changes no form
  const MAX_ITEMS = 400000; // more cannot be paid for; a table may claim any length
  const LARGE = 64; // properties
  const FAR = 1024; // an object keeps numbers beyond as a table, and an array, what lies further behind its end
  const LONGEST_ROW = 2 ** 25; // items: a longer array starts as an empty table
  const { far: FAR_WORK, name: NAME_WORK, row: ROW_WORK, table: TABLE_WORK, list: LIST_WORK, places: TEXT_FACTOR } = V8VM.workPrices.object;
  const { gap: GAP_WORK, named: NAMED_WORK, tableCut: CUT_WORK, tableMove: MOVE_WORK } = V8VM.workPrices.array;
  const INDEX_UNITS = 10; // an index has at most so many digits

  const ROW_PROTOTYPE = Array.prototype;
  let loose = new WeakMap(); // arrays that may be tables
  let isUsed = false; // whether any are

  // Remembers what is about to lose its form; passes it through.
  function loosen(array) {
    if (ArrayIsArray(array)) mark(array);
    return array;
  }

  function mark(array) {
    loose.set(array, true);
    isUsed = true;
  }

  // Lists that outlive a call (of a shared number) have their form again in the next one.
  function forget() {
    if (!isUsed) return;
    loose = new WeakMap();
    isUsed = false;
  }

  const isRow = (array) => ObjectGetPrototypeOf(array) === ROW_PROTOTYPE && !loose.has(array);

  // Work of listing `count` properties: a large object is a table, and so is what is made of it.
  const listWork = (count) => LIST_WORK + count * (count > LARGE ? TABLE_WORK : ROW_WORK);

  // Units of a text that is kept as an object, else 0: by its length, which nothing else has in this way.
  function textUnits(object) {
    if (!ObjectHasOwn(object, 'length')) return 0;
    const { value, writable, configurable } = ObjectGetOwnPropertyDescriptor(object, 'length');
    return writable === false && !configurable && typeof value === 'number' && value > 0 && ObjectHasOwn(object, value - 1) ? value : 0;
  }

  // Pays for the items of a row or text before their keys are listed, when they are many: an item costs little to have, and
  // all keys are made at once. Returns how many are paid for.
  function payItems(object, work = listWork) {
    const isArray = ArrayIsArray(object);
    if (isArray && !isRow(object)) { // there may be few, with many places to look at
      if (object.length <= LONGEST_ROW) meter.work(object.length * GAP_WORK);
      return 0;
    }
    const count = isArray ? object.length : textUnits(object);
    if (count <= LARGE) return 0;
    meter.work(work(count) * (isArray ? 1 : TEXT_FACTOR));
    return count;
  }

  // Pays for listing the keys of an object, as `work` tells for their number.
  function payListing(object, work = listWork) {
    const paid = payItems(object, work);
    const count = ReflectOwnKeys(object).length;
    if (paid === 0 || count > paid + 1) meter.work(work(count)); // beside the items, there is their length
  }

  const gapWork = (gap) => FAR_WORK + (gap < FAR ? gap : FAR) * GAP_WORK;

  // A number that is about to be written as a key: an index beyond the end leaves a gap, what is no index is a name.
  function at(object, index) {
    const isIndex = index >>> 0 === index;
    if (isIndex && index <= SHORT) return index;
    if (ArrayIsArray(object)) {
      if (isIndex && index <= object.length) return index;
      mark(object);
      meter.work(isIndex ? gapWork(index - object.length) : NAMED_WORK);
    } else if (!isIndex) meter.work(NAME_WORK);
    else if (index > FAR) meter.work(FAR_WORK);
    return index;
  }

  // The same for a key of an array that is a text or symbol.
  function named(array, name) {
    const isIndex = typeof name === 'string' && name.length <= INDEX_UNITS && `${name >>> 0}` === name;
    if (isIndex) at(array, name >>> 0);
    else {
      mark(array);
      meter.work(NAMED_WORK);
    }
  }

  // Work of an engine method that walks an array, `units` for each item of a table, and for going about it slowly.
  function payForm(array, units) {
    if (!isRow(array)) meter.work((array.length + 1) * (units + meter.toll));
  }

  // Work of making an array shorter: of a table, which the last item may leave slowly.
  function payCut(array) {
    if (isRow(array)) return;
    const { length } = array;
    meter.work(MOVE_WORK + (length < MAX_ITEMS ? length : MAX_ITEMS) * CUT_WORK);
  }

  V8VM.forms = { listWork, payItems, payListing, TEXT_FACTOR, LARGE, SHORT, LONGEST_ROW, loosen, forget, isRow, at, named, payForm, payCut };
})(globalThis.V8VM);
