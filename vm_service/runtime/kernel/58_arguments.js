// Action data to arguments by the ABI, with the reference's messages. Arguments come out as string, boolean, bigint (`number`)
// or JsonText (`json`).
(function (V8VM) {
  'use strict';

  const {
    ArrayIsArray, JSONParse, Number, RegExpPrototypeTest, StringPrototypeCharCodeAt, StringPrototypeEndsWith, StringPrototypeSlice,
    StringPrototypeToWellFormed,
  } = V8VM.primordials;
  const { encode, parseExact, RawNumber, JsonText } = V8VM.text;
  const { int64 } = V8VM.decimal;
  const { scan } = V8VM.jsonScan;
  const { meter, Failure } = V8VM;

  const INTEGER = /^-?[0-9]+$/;
  const MAX_NESTING = 1000; // more than any honest argument has
  const READS_OF_REFUSED = 2; // what is wrong is looked for unit by unit
  const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [34, 92, 91, 93, 123, 125];
  const [COMMA, COLON, LESS, MORE, AND] = [44, 58, 60, 62, 38];
  const { argumentUnit: UNIT_WORK, argumentValue: VALUE_WORK, argumentOdd: ODD_WORK } = V8VM.workPrices.host;

  const needsExactNumbers = (types) => {
    for (const type of types) if (type === 'number' || type === 'json') return true;
    return false;
  };

  // Whether a unit inside of a text is written otherwise than it is read, or becomes another byte.
  const isOdd = (code) => code < 0x20 || code > 0x7e || code === LESS || code === MORE || code === AND;

  // What a text is made of: how deep its brackets nest, its values, and the odd units inside of its texts.
  function shapeOf(text) {
    let [depth, deepest, valueCount, oddCount] = [0, 0, 0, 0];
    let quoted = false;
    for (let i = 0; i < text.length; i++) {
      const code = StringPrototypeCharCodeAt(text, i);
      if (code === BACKSLASH) {
        i++;
        oddCount++;
      } else if (code === QUOTE) quoted = !quoted;
      else if (quoted) {
        if (isOdd(code)) oddCount++;
      } else if (code === COMMA || code === COLON) valueCount++;
      else if (code === OPEN_LIST || code === OPEN_OBJECT) {
        valueCount++;
        if (++depth > deepest) deepest = depth;
      } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth--;
    }
    return { length: text.length, deepest, valueCount, oddCount };
  }

  // Reading the arguments of a call that a contract makes is work; those of an action were paid by the byte. `times`: how
  // often they are read; `exact`: with numbers as they are written, and printed again.
  function pay({ length, valueCount, oddCount }, exact, times) {
    if (meter.running === 0) return;
    meter.work(times * (length * UNIT_WORK + (exact ? valueCount * VALUE_WORK + oddCount * ODD_WORK : 0)));
  }

  // The text of the value that the data holds. Throws Failure when there is none.
  function firstValue(text) {
    const { end, error } = scan(text);
    if (error !== undefined) throw new Failure(`error in data: ${error}, ${text}`);
    return StringPrototypeSlice(text, 0, end);
  }

  // Whether texts and booleans are all in their places. REQUIRES: there are no other types.
  function fits(types, list) {
    for (let i = 0; i < types.length; i++) if (typeof list[i] !== (types[i] === 'bool' ? 'boolean' : types[i])) return false;
    return true;
  }

  function parseList(types, data) {
    const text = StringPrototypeEndsWith(data, ',]') ? `${StringPrototypeSlice(data, 0, data.length - 2)}]` : data;
    const shape = shapeOf(text);
    if (shape.deepest > MAX_NESTING) throw new Failure('error in data: nested too deep'); // printing it would recurse too far
    const exact = needsExactNumbers(types);
    pay(shape, exact, 1);
    try {
      const list = exact ? parseExact(text) : V8VM.parseJSON(text);
      if (ArrayIsArray(list) && (exact || fits(types, list))) return list;
    } catch (error) {
      meter.pass(error);
      // the reader below tells why, or goes on with what the text begins with
    }
    pay(shape, true, READS_OF_REFUSED);
    const list = parseExact(firstValue(text)); // messages show numbers as they are written
    if (ArrayIsArray(list)) return list;
    throw new Failure(`error args should be array, type assertion to []interface{} failed, ${shown(list)}`);
  }

  // How the reference prints a value that has the wrong type.
  function shown(value) {
    if (value === null) return '&{<nil>}';
    if (value instanceof RawNumber) return `&{${value.source}}`;
    if (typeof value === 'object') return `&${encode(value)}`;
    return `&{${value}}`;
  }

  function integer(value) {
    if (!(value instanceof RawNumber)) throw new Failure(`error parse number arg ${shown(value)}, invalid value type`);
    const { source } = value;
    const refuse = (problem) => new Failure(`error parse number arg ${shown(value)}, strconv.ParseInt: parsing "${source}": ${problem}`);
    if (!RegExpPrototypeTest(INTEGER, source)) throw refuse('invalid syntax');
    const negative = source[0] === '-';
    const number = int64(negative ? StringPrototypeSlice(source, 1) : source, negative);
    if (number === null) throw refuse('value out of range');
    return number;
  }

  function typed(kind, value) {
    if (typeof value === kind) return value;
    const name = kind === 'boolean' ? 'bool' : kind;
    throw new Failure(`error parse ${name} arg ${shown(value)}, type assertion to ${name} failed`);
  }

  const CONVERT = {
    __proto__: null,
    string: (value) => StringPrototypeToWellFormed(typed('string', value)), // no text of the chain holds half a character
    bool: (value) => typed('boolean', value),
    number: integer,
    json: (value) => new JsonText(encode(value)),
  };

  // Arguments of `method` from the text of an action. Throws Failure.
  function unmarshal(method, data) {
    const { name, args: types } = method;
    const list = parseList(types, data);
    if (list.length !== types.length) throw new Failure(`args length unmatched to abi ${name}. need ${types.length}, got ${list.length}`);
    for (let i = 0; i < list.length; i++) list[i] = CONVERT[types[i]](list[i]);
    return list;
  }

  // The same arguments as JavaScript values, for a contract.
  function toScript(args) {
    for (let i = 0; i < args.length; i++) {
      if (typeof args[i] === 'bigint') args[i] = Number(args[i]);
      else if (args[i] instanceof JsonText) args[i] = V8VM.parseJSON(args[i].text);
    }
    return args;
  }

  V8VM.arguments = { unmarshal, toScript };
})(globalThis.V8VM);
