// Spread: `...x` in lists and calls.
(function (V8VM) {
  'use strict';

  const { ArrayIsArray, ArrayPrototypePush, ObjectAssign, SymbolIterator, TypeError } = V8VM.primordials;
  const { meter, forms } = V8VM;
  const { deeper, tooDeep } = V8VM.v1;
  const { number } = V8VM.v1.convert;

  const MAX_SPREAD = 60000; // arguments; V8 passes at most 65,535
  const { list: LIST_WORK, step: STEP_WORK, argument: ARGUMENT_WORK, item: ITEM_WORK } = V8VM.workPrices.spread;
  const LONG_LIST = 64;

  const FERAL_VALUES = Array.prototype[SymbolIterator];
  const isPlainArray = (value) => ArrayIsArray(value) && value[SymbolIterator] === FERAL_VALUES;

  function payLength(value) {
    if (value === undefined || value === null) return value;
    const length = number(value.length);
    if (length > 0) meter.charge(length);
    return value;
  }

  // Charges for a spread value and returns something that may be iterated without running contract code uncounted.
  function items(value, refuse = refuseItems) {
    payLength(value);
    if (value === undefined || value === null || typeof value[SymbolIterator] !== 'function') refuse(value);
    meter.work(LIST_WORK);
    if (typeof value === 'string') return value;
    if (isPlainArray(value) && forms.isRow(value)) { // no accessor runs, so its length stays what was paid for
      if (value.length > LONG_LIST) meter.work(value.length * ITEM_WORK);
      return value;
    }
    const list = [];
    for (const item of value) {
      meter.work(STEP_WORK + meter.toll);
      ArrayPrototypePush(list, item);
    }
    return list;
  }

  function refuseItems() {
    throw new TypeError('_IOSTSpreadElement is not a function or its return value is not iterable');
  }

  function refuseArguments(value) {
    if (value !== undefined && value !== null) throw new TypeError('Spread syntax requires ...iterable[Symbol.iterator] to be a function');
    throw new TypeError(`_IOSTSpreadElement(...) is not iterable (cannot read property ${value})`);
  }

  // The same for the arguments of a call: they lie on the native stack until it returns.
  function spread(value) {
    const list = items(value, refuseArguments);
    if (list.length > MAX_SPREAD) tooDeep();
    if ((meter.depth += list.length) > meter.roof) deeper();
    meter.work(list.length * ARGUMENT_WORK);
    return list;
  }

  // Arguments in a generator, which may wait between two of them while the stack below it changes: they count when all are known.
  function spreadItems(value) {
    const list = items(value, refuseArguments);
    if (list.length > MAX_SPREAD) tooDeep();
    meter.work(list.length * ARGUMENT_WORK);
    return list;
  }

  function onStack(list) {
    if ((meter.depth += list.length) > meter.roof) deeper();
    return list;
  }

  function offStack(value, list) {
    meter.depth -= list.length;
    return value;
  }

  ObjectAssign(V8VM.v1.helpers, { items, spread, spreadItems, onStack, offStack, spreadLength: payLength });
})(globalThis.V8VM);
