// Sorting: by the engine's own way, except for a few items, and for texts that objects turn into.
(function (V8VM) {
  'use strict';

  const { ArrayPrototypeSort, FunctionPrototypeCall, MathLog2 } = V8VM.primordials;
  const { meter, forms } = V8VM;
  const { number, text, isObject } = V8VM.v1.convert;
  const { enterNative } = V8VM.v1;
  const { enter } = V8VM.v1.arrays;

  const { sort: CALL_WORK, compare: SORT_WORK, compareUnit: UNIT_WORK, tableMove: MOVE_WORK } = V8VM.workPrices.array;
  const SHORT_SORT = 8; // items

  // Sorts an array whose length is paid for.
  function sort(array, compare) {
    const { length } = array;
    const saved = enterNative();
    forms.payForm(array, MOVE_WORK);
    if (compare !== undefined) paySort(length, SORT_WORK);
    const by = compare ?? order(array);
    if (by !== undefined && length > 1 && length < SHORT_SORT) sortShort(array, length, by);
    else {
      meter.work(CALL_WORK);
      ArrayPrototypeSort(array, by);
    }
    meter.depth = saved;
    return array;
  }

  // The reference prices the length only; comparisons count as work, with the texts that they look at.
  function paySort(length, units) {
    if (length > 1) meter.work(length * MathLog2(length) * units);
  }

  // How to sort by text: the engine's own way for values that it may look at as they are, else a comparison that pays
  // for the texts that objects turn into. Accessors are not read for that.
  function order(array) {
    if (!forms.isRow(array)) return compareTexts;
    const { length } = array;
    let units = SORT_WORK;
    for (let i = 0; i < length; i++) {
      if (isObject(array[i])) return compareTexts;
      if (typeof array[i] === 'string') units += array[i].length / length / 4;
    }
    paySort(length, units);
    return undefined;
  }

  // Sorts a few items. Which pairs a comparison is asked for decides what it costs: this is how the reference's engine goes about
  // it, which ours still does for longer arrays only.
  function sortShort(array, length, by) {
    const saved = enter(length); // accessors may call back as well
    const items = [];
    let held = 0; // with a value of undefined, which is not compared
    for (let i = 0; i < length; i++) {
      if (!(i in array)) continue;
      held++;
      const item = array[i];
      if (item !== undefined) items[items.length] = item;
    }
    const isBelow = (a, b) => number(FunctionPrototypeCall(by, undefined, a, b)) < 0;
    insertAll(items, firstRun(items, isBelow), isBelow);
    for (let i = 0; i < held; i++) array[i] = i < items.length ? items[i] : undefined;
    for (let i = held; i < length; i++) delete forms.loosen(array)[i];
    meter.depth = saved;
  }

  // Length of the run at the start; one that falls is turned round.
  function firstRun(items, isBelow) {
    if (items.length < 2) return items.length;
    const isFalling = isBelow(items[1], items[0]);
    let end = 2;
    while (end < items.length && isBelow(items[end], items[end - 1]) === isFalling) end++;
    if (!isFalling) return end;
    for (let i = 0, j = end - 1; i < j; i++, j--) {
      const item = items[i];
      items[i] = items[j];
      items[j] = item;
    }
    return end;
  }

  // Puts the items from `start` on into the sorted ones before them.
  function insertAll(items, start, isBelow) {
    for (let next = start; next < items.length; next++) {
      const item = items[next];
      let left = 0;
      let right = next;
      while (left < right) {
        const middle = (left + right) >> 1;
        if (isBelow(item, items[middle])) right = middle;
        else left = middle + 1;
      }
      for (let i = next; i > left; i--) items[i] = items[i - 1];
      items[left] = item;
    }
  }

  function compareTexts(a, b) {
    const left = text(a);
    const right = text(b);
    meter.work(1 + (left.length < right.length ? left.length : right.length) * UNIT_WORK);
    if (left < right) return -1;
    return left > right ? 1 : 0;
  }

  V8VM.v1.sort = sort;
})(globalThis.V8VM);
