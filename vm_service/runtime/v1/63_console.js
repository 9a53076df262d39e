// Class library `console`: lines for the debug channel of the transaction. Formatting runs on priced methods, as in the
// reference, whose oddities (what `%d` takes, what a first argument that is no text does) are kept.
(function (V8VM) {
  'use strict';

  const { FunctionPrototypeCall, TypeError } = V8VM.primordials;
  const { strings, json, numbers } = V8VM.v1;
  const { enterLibrary } = V8VM.v1;
  const { text, number, shown: show, madeText, remembered } = V8VM.v1.convert;

  const { meter } = V8VM;
  const { lineUnit: UNIT_WORK, lineValue: VALUE_WORK } = V8VM.workPrices.host;
  const PERCENT = 37;
  const { charCodeAt, slice } = strings.methods;
  const at = (line, i) => FunctionPrototypeCall(charCodeAt, line, i);
  const part = (line, from, to) => FunctionPrototypeCall(slice, line, from, to);

  const absent = (name) => {
    throw new TypeError(`${name} is not a function`);
  };

  const isLibraryNumber = (value) => value instanceof numbers.BigNumber || value instanceof V8VM.v1.Int64;

  // What a placeholder writes; `next` takes the next argument. undefined: no placeholder.
  const PLACEHOLDERS = {
    __proto__: null,
    115: (next) => show(next()), // s
    118: (next) => show(json.stringify(next())), // v
    100: (next) => { // d
      const value = next();
      return isLibraryNumber(value) ? text(value) : `${number(next())}`;
    },
    105: () => absent('parseInt'), // i
    102: () => absent('parseFloat'), // f
  };

  function format(line, ...values) {
    if (typeof line !== 'string') absent('Array.from');
    if (values.length === 0) return line;
    meter.work(line.length * UNIT_WORK + values.length * VALUE_WORK);
    let taken = 0;
    let written = '';
    let from = 0;
    for (let i = 0; i < line.length - 1; i++) {
      if (at(line, i) !== PERCENT) continue;
      const placeholder = at(line, ++i);
      if (placeholder === PERCENT) {
        written += part(line, from, i);
        from = i + 1;
        continue;
      }
      const write = taken < values.length ? PLACEHOLDERS[placeholder] : undefined;
      if (write === undefined) continue;
      const made = write(() => values[taken++]);
      if (from !== i - 1) written += part(line, from, i - 1);
      written += madeText(`${made}`);
      from = i + 1;
    }
    if (from === 0) written = line;
    else if (from < line.length) written += part(line, from);
    for (; taken < values.length; taken++) {
      const value = values[taken];
      written += ` ${madeText(`${value !== null && (typeof value === 'object' || typeof value === 'symbol') ? json.stringify(value) : text(value)}`)}`;
    }
    return remembered(written);
  }

  // What hands all its arguments on counts them: they lie on the stack again.
  function formatWithOptions(options, ...args) {
    const saved = enterLibrary(args.length);
    const line = format(...args);
    meter.depth = saved;
    return line;
  }

  class Console {
    _format(...args) {
      const saved = enterLibrary(args.length);
      const line = format(...args);
      meter.depth = saved;
      return line;
    }
  }

  // Methods that `for in` and the contract see as the reference makes them: assigned, without a name of their own.
  for (const level of ['debug', 'info', 'warn', 'error']) {
    Console.prototype[level] = (() =>
      function (...args) {
        const saved = enterLibrary(args.length);
        V8VM.host.console(level, text(this._format(...args))); // which a contract may replace
        meter.depth = saved;
      })();
  }
  Console.prototype.log = (() =>
    function (...args) {
      const saved = enterLibrary(args.length);
      this.info(...args);
      meter.depth = saved;
    })();

  V8VM.v1.console = { Console, format, formatWithOptions, emptyOptions: {} };
})(globalThis.V8VM);
