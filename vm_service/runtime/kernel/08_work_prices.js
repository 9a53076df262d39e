// Prices beyond ordinary sizes, in units of work (about 10 ns; kernel/10_meter.js says when a unit costs gas): the only list of
// them, read by both isolates. docs/gas.md and docs/compatibility.md are generated from it (name, units, what for).
(function (V8VM) {
  'use strict';

  const TABLE = {
    // What costs gas at once, without being counted as work.
    gas: [
      ['freeDepth', 60000, 'slots (8 bytes) of the stack that a call may fill at no price: about 1,300 calls of a small function inside each other'],
      ['slot', 6, 'each slot beyond them, once, in steps of 10,000'],
      ['freeChain', 16, 'prototypes above an object at no price; an array that is given others than its own counts for 12 objects'],
      ['chain', 1000, 'each further one, times how many there are, when an object becomes the prototype of another'],
      ['freeKeys', 1000, 'different keys that a transaction may touch at no further price; those of one transfer count as one, and so do those that count up (`item7`, `item8`, …)'],
      ['key', 20000, 'each further one: it may cost a trip to the store'],
      ['freePayers', 64, 'payers of RAM in one frame at no further price; 300 for each further one'],
      ['freeReceiptUnits', 262144, 'units of receipts of a transaction at no price; one for each further unit'],
    ],
    work: [
      ['free', 500000, 'units that an action may do at no price, with all calls inside it: 10,000 calls of most methods'],
    ],
    text: [
      ['make', 10, 'a method that makes a new text'],
      ['part', 4, 'a part that `split` or `String.raw` makes or takes; a `$` in what `replace` puts in'],
      ['splitUnit', 1, 'a unit of a text that is split'],
      ['longNeedle', 1 / 32, 'a search for more than 64 units: each, times each of the text'],
      ['shortNeedle', 1 / 4, 'a search for less in more than 1,000 units: the same'],
      ['backward', 1 / 8, '`lastIndexOf` in more than 1,000 units: the same'],
      ['caseUnit', 1 / 8, 'a unit of a text of more than 64 that changes case'],
      ['caseBeyond', 4, 'beside it, when the text has letters beyond ASCII'],
      ['longUnit', 1 / 10, 'a unit of a text of more than 100,000 that a method or template makes'],
      ['rawUnit', 1 / 8, '`String.raw`: each unit so far, at each part'],
      ['read', 1 / 8, 'a unit of a text of more than 64 that is read as a number, ordered, compared in `switch` or by `Object.is`, looked for, put in by `replace` or `format`, or made of an error, symbol, function or tag; of `txInfo` of more than 1,000'],
      ['readDigits', 1, 'a unit of a text of 21 to 64 that is read as a number'],
      ['readArgument', 10, 'a text among the numbers of `Math.max`, `Math.min`, `fromCharCode`, `fromCodePoint`'],
      ['pattern', 80, 'a unit of a regular expression that is searched for'],
      ['patternStep', 1 / 2, 'a step of the tries that it may take'],
      ['code', 1, 'an argument of `fromCharCode`, `fromCodePoint`'],
      ['beyondAscii', 1, 'a byte of a text beyond ASCII that is stored, hashed or told'],
    ],
    array: [
      ['call', 30, 'a method that looks through, joins, turns or shifts'],
      ['sort', 60, '`sort`'],
      ['visit', 2, 'an item that a callback is called with'],
      ['like', 12, 'an item of something that is no array, which is copied'],
      ['join', 7, 'an item that is joined'],
      ['joinUnit', 1 / 16, 'a unit of the joined text'],
      ['fraction', 20, 'an item with digits after the point, that is joined'],
      ['compare', 2, 'a comparison of `sort`, of which there are n log n'],
      ['compareUnit', 1 / 16, 'a unit of the texts that `sort` compares; of a text that is looked for, at each item'],
      ['compareText', 4, 'a text of more than 12 units that is looked for, at each item; a sixteenth, a shorter one'],
      ['move', 1 / 64, 'an item of more than 64 that `shift` or `unshift` moves'],
      ['argument', 3, 'an item that `push` or `unshift` puts in, of several'],
      ['make', 1 / 8, 'an item of `Array(…)`; 1, of more than 1,000,000 of all such arrays'],
      ['tableRead', 4, 'an item of an array with gaps beyond the first 16, accessors or computed names, that lost a name, is a prototype, or was changed otherwise, that is looked at'],
      ['tableMove', 20, 'the same, moved'],
      ['tableCut', 1 / 3, 'the same, when some are cut off, and the price of one that is moved'],
      ['named', 300, 'a name of an array that is no index, written as text or number'],
      ['gap', 1 / 4, 'an index of an array that may have gaps, when keys are listed; of a gap that is left, up to 1,024'],
      ['grow', 2, 'an item by which `length` is made longer'],
    ],
    spread: [
      ['list', 50, 'a `...`'],
      ['item', 3, 'an item of more than 64'],
      ['step', 4, 'a step of an iterator; of `yield*` in each of the generators that wait for one another'],
      ['argument', 2, 'an argument of a call'],
    ],
    object: [
      ['call', 40, 'a function of `Object` or of its prototype, that may call back'],
      ['list', 25, 'listing the keys of an object (`for in`, `Object.keys` and the like)'],
      ['row', 10, 'each key'],
      ['table', 35, 'each key of more than 64'],
      ['copy', 2, 'times listing: copying the properties'],
      ['describe', 3, 'times listing: describing them'],
      ['places', 6, 'times listing: the places of a text'],
      ['longName', 1 / 2, 'a unit of a text of more than 64 that becomes a name: of a property (read, written or asked for), of a symbol, a module, a payer, a contract or a method that is called, or an account that is asked for; more than 16,383 are refused'],
      ['change', 100, 'a property defined, or an object frozen, sealed or closed'],
      ['prototype', 140, 'an object that becomes the prototype of another'],
      ['noPrototype', 900, 'what is no object, that becomes the `prototype` of a function'],
      ['moved', 70, 'and for each property of the other, when it had one before'],
      ['tableMoved', 250, 'the same, of more than 64'],
      ['lost', 250, 'a property deleted: all that inherit from its object are looked at anew'],
      ['name', 50, 'a property whose name is a text made while the code runs, or a number that is no index, written'],
      ['far', 30, 'a property whose name is a number above 1,024, written'],
      ['step', 6, 'a prototype above the first eight of an object that becomes a text or number'],
      ['chain', 2, 'a prototype above the first four of the longest chain that the action has made: at each `in` and `instanceof`, each step of `for of`, `yield*` and `...`, each item that a callback is called with, that is applied or copied, and each of an array with gaps'],
    ],
    functions: [
      ['bind', 100, '`bind`, and 1 for each argument'],
      ['argument', 1, 'an item of the list of `apply`'],
      ['defaultValue', 1, 'a default value'],
    ],
    literal: [
      ['class', 200, 'a class made'],
      ['member', 15, 'a method of it'],
      ['closure', 10, 'a function made'],
      ['field', 80, '`this.x = …` in a function that is made anew'],
      ['generator', 500, 'a generator function made'],
      ['generatorSlot', 1 / 2, 'a name or temporary of a generator beyond 24, at each call'],
      ['accessor', 40, 'a getter or setter made, beside its function'],
      ['computed', 100, 'a computed name'],
      ['object', 6, 'an object made'],
      ['array', 5, 'a list made'],
      ['slot', 1, 'a property or item of it; a name of a function beyond 32'],
      ['entry', 8, 'a property of an object of more than 100'],
      ['strings', 100, 'the list of texts of a tagged template, once in a call'],
      ['node', 1 / 4, 'a node of code beyond 100, and beyond eight for each unit of its gas'],
    ],
    number: [
      ['radix', 25, '`toString(base)` of a whole number, `toString` or `String` of another; 50 for `toFixed` and the like'],
      ['fractionRadix', 800, '`toString(base)` of another'],
      ['manyDigits', 1200, '`toFixed` and the like with more than 15 digits'],
      ['power', 3000, '`Math.pow` or `**` with a fraction as exponent'],
      ['make', 150, '`new BigNumber`'],
      ['method', 40, 'a method of a BigNumber'],
      ['unpriced', 140, 'beside it, one without a price in gas'],
      ['limb', 6, '14 digits of a BigNumber that is copied; of both numbers, beyond 84 digits'],
      ['product', 4, '`times`: 14 digits times 14 digits'],
      ['quotient', 300, '`div`'],
      ['root', 1500, '`sqrt`'],
      ['binary', 120, '`pow`: a binary digit of the exponent, times all of them'],
      ['digit', 4, '`toFixed`, `toFormat` and the like: a digit that is written'],
      ['otherBase', 1200, '`toString(base)`'],
      ['square', 2, 'the same: a digit, times all digits'],
      ['textUnit', 1, 'a unit of a text of more than 32, or in another base, that becomes a BigNumber'],
      ['textSquare', 1 / 2, 'the same, times all units, when it is no plain decimal'],
    ],
    other: [
      ['symbol', 50, 'a symbol made, and an eighth for each unit of its registered name'],
      ['registered', 150, 'beside it, one with a new registered name'],
      ['module', 100, 'an unknown module that is required for the first time'],
      ['error', 180, 'an error made; a third of it, an error as text'],
      ['shown', 60, 'a symbol or function as text'],
    ],
    json: [
      ['parse', 1 / 2, 'a unit of text that is parsed'],
      ['opening', 16, 'a `[` or `{` in it'],
      ['member', 6, 'a `:` in it'],
      ['revive', 2, 'a value that a reviver is called with'],
      ['name', 1, 'a name of the list that tells what to write'],
    ],
    host: [
      ['argumentUnit', 4, 'a unit of the arguments with which a contract calls another'],
      ['argumentValue', 120, 'a comma, colon or opening bracket among them, when one of them is a number or JSON'],
      ['argumentOdd', 30, 'a unit of a text among them that is no plain ASCII or is escaped, likewise'],
      ['longKey', 1, 'a unit of a storage key of more than 64'],
      ['value', 1, 'a byte of a stored value of more than 3,010'],
      ['control', 10, 'a unit of a stored text of 64 or more that holds control characters'],
      ['listed', 1 / 2, 'a field of a map that is listed, added or removed'],
      ['hash', 5000, 'a hash'],
      ['hashUnit', 5, 'a unit that is hashed'],
      ['hashEscaped', 25, 'the same, of a text with characters that JSON escapes'],
      ['verify', 25000, 'a signature check'],
      ['base58', 10, 'a unit of its texts'],
      ['base58Square', 1 / 32, 'the same, times all units'],
      ['question', 100, '`requireAuth`'],
      ['level', 100, 'a permission that it asks for on the way'],
      ['nameUnit', 1 / 4, 'a unit of account and permission, of more than 64'],
      ['told', 64, 'a receipt or event'],
      ['receiptUnit', 3, 'a unit of a receipt'],
      ['line', 100, 'a line of the console'],
      ['lineUnit', 3, 'a unit of a format'],
      ['lineValue', 15, 'a value that is put into it or behind it'],
    ],
  };

  // A table of prices by group and name.
  function byName(table) {
    const prices = { __proto__: null };
    for (const group in table) {
      prices[group] = { __proto__: null };
      for (const [name, price] of table[group]) prices[group][name] = price;
    }
    return prices;
  }

  V8VM.pricesByName = byName;
  V8VM.workPrices = byName(TABLE);
  V8VM.workTable = TABLE;
})(globalThis.V8VM);
