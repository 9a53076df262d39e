// Invoke: one call of one method of one contract. The image's start function is run anew, so nothing of an earlier call
// exists; the result leaves as one well-formed text, and a failure as a text that holds nothing of the host.
(function (V8VM) {
  'use strict';

  const {
    Error, FunctionPrototypeApply, Map, StringPrototypeIncludes, StringPrototypeIsWellFormed, StringPrototypeLastIndexOf, StringPrototypeReplace,
    StringPrototypeSlice, StringPrototypeToWellFormed, TypeError,
  } = V8VM.primordials;
  const { meter, STOP } = V8VM;
  const { Call, MADE, shared } = V8VM.v1.endowments;

  const RESULT_GAS = V8VM.prices.call.object; // the assignment and the call that turn an object into text
  const MAX_RESULT = 65536; // units and bytes
  const MAX_MESSAGE = 65536;
  const CALL_SLOTS = 3000; // native stack of a call: kernel, invoke, and room for the engine

  // -- images ------------------------------------------------------------------------------------------------------

  class Image {
    constructor(factory, { endowments, failure }, values) {
      this.failure = failure ?? null;
      this.start = this.failure === null ? factory(V8VM.v1.helpers) : null;
      this.makers = [];
      this.values = [];
      for (let i = 0; i < endowments.length; i++) {
        this.makers[i] = MADE[endowments[i]] ?? null;
        this.values[i] = values[endowments[i]] ?? null;
      }
    }

    // Runs the contract's top level with its endowments.
    run(call) {
      const { makers, values } = this;
      const args = [];
      for (let i = 0; i < makers.length; i++) args[i] = makers[i] === null ? values[i] : makers[i](call);
      FunctionPrototypeApply(this.start, undefined, args);
    }
  }

  const table = new Map();
  let values = null;

  const images = {
    has: (key) => table.has(key),
    install(key, factory, meta) {
      values ??= shared();
      table.set(key, new Image(factory, meta, values));
    },
    remove: (key) => table.delete(key),
  };

  // -- failures ----------------------------------------------------------------------------------------------------

  // Spellings of the image that the engine puts into messages -> what the reference's code shows there.
  const HELPER_ITERATED = /_IOST\$[a-zA-Z]+ is not iterable \(cannot read property Symbol\(Symbol\.iterator\)\)/g;
  const NOT_ITERABLE = '_IOSTBinaryOp is not a function or its return value is not iterable';
  const HELPER_NAME = /_IOST\$[a-zA-Z]+/g;
  const HELPER_CALL = /_IOST\$([a-zA-Z]+)\(\.\.\.\)/g;
  const SHOWN = { __proto__: null, template: '_IOSTTemplateTag(...)', spread: '_IOSTSpreadElement(...)', items: '_IOSTSpreadElement(...)' };
  const VALUES = { __proto__: null, name: true, naming: true, made: true, back: true, resumed: true, update: true, negative: true, complement: true, number: true };

  function shownHelper(_, name) {
    if (SHOWN[name] !== undefined) return SHOWN[name];
    return VALUES[name] === true ? '(intermediate value)' : '_IOSTBinaryOp(...)';
  }

  function cleaned(message) {
    const short = message.length > MAX_MESSAGE ? StringPrototypeSlice(message, 0, MAX_MESSAGE) : message;
    const shown = StringPrototypeIncludes(short, '_IOST$') ? StringPrototypeReplace(short, HELPER_CALL, shownHelper) : short;
    return StringPrototypeToWellFormed(shown);
  }

  // The text of a function, which the engine puts into some of its messages: nobody's business, as `toString` of a
  // function says. Each alternative starts at a word's start, so that the search is linear.
  const FUNCTION_TEXT =
    /'?(?<![\w$.\]])(?:function\b|class\b|(?:\([^()]*\)|[\w$]+) => |(?:[gs]et |static )?\*?\[?[\w$.]+\]?\([^()]*\) )[^]*\}'?/;

  // A computed key, behind the literal that tells how the source spells it.
  const KEY = /\("([^"]*)" , (?:\(intermediate value\))+\)/g;

  // An ordinary object, as the engine names it where its prototype is what it expects.
  const PLAIN_OBJECT = /\[object Object\]/g;

  // What the engine says in a TypeError, in the reference's words.
  function engineMessage(message) {
    const shown = StringPrototypeReplace(StringPrototypeReplace(withoutFunctions(message), PLAIN_OBJECT, '#<Object>'), KEY, '$1');
    if (!StringPrototypeIncludes(shown, '_IOST$')) return shown;
    return StringPrototypeReplace(StringPrototypeReplace(shown, HELPER_ITERATED, NOT_ITERABLE), HELPER_NAME, '(intermediate value)');
  }

  // What follows the last brace is left out of the search, which would run through it from every word.
  function withoutFunctions(message) {
    const end = StringPrototypeLastIndexOf(message, '}') + 1;
    if (end === 0) return message;
    return StringPrototypeReplace(StringPrototypeSlice(message, 0, end), FUNCTION_TEXT, 'function') + StringPrototypeSlice(message, end);
  }

  // String(exception), as far as the contract lets it happen.
  function describe(exception) {
    if (exception === null || typeof exception === 'symbol') return '';
    try {
      const message = cleaned(V8VM.v1.convert.text(exception));
      return exception instanceof TypeError ? engineMessage(message) : message;
    } catch (error) {
      meter.pass(error);
      return '';
    }
  }

  // Ends the call's state and tells how it ended.
  function failed(exception) {
    let message = meter.dead === null ? `Uncaught exception: ${describe(exception)}` : '';
    const { dead } = meter;
    if (dead === 'gas') message = 'out of gas';
    if (dead === 'depth') {
      message = 'Uncaught exception: RangeError: Maximum call stack size exceeded';
      meter.revive();
    }
    return { message, dead: dead === 'depth' ? null : dead };
  }

  // -- results -----------------------------------------------------------------------------------------------------

  class Refused {
    constructor(message) {
      this.message = message;
    }
  }

  function utf8Length(value) {
    let bytes = value.length;
    for (let i = 0; i < value.length; i++) {
      const unit = V8VM.primordials.StringPrototypeCharCodeAt(value, i);
      if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
    }
    return bytes;
  }

  function resultText(returned) {
    let value = returned;
    if (typeof value === 'function' || typeof value === 'object') {
      meter.charge(RESULT_GAS);
      value = V8VM.v1.json.stringify(value);
    }
    if (value === undefined) return '';
    if (typeof value === 'symbol') throw new TypeError('Cannot convert a Symbol value to a string');
    const result = `${value}`;
    if (result.length > MAX_RESULT || utf8Length(result) > MAX_RESULT) throw new Refused('result too long');
    if (!StringPrototypeIsWellFormed(result)) throw new Error('result is not well-formed');
    return result;
  }

  // -- the call ----------------------------------------------------------------------------------------------------

  function run(image, method, args) {
    if (image.failure !== null) throw new Refused(`Uncaught exception: ${image.failure}`);
    const call = new Call();
    const { module } = call;
    image.run(call);
    const obj = new module.exports();
    const target = obj[method];
    if (typeof target !== 'function') throw new TypeError(`obj.${method} is not a function`);
    return resultText(FunctionPrototypeApply(target, obj, args));
  }

  // An outermost call finds nothing of the one before it, however that ended.
  function forget() {
    V8VM.forms.forget();
    V8VM.v1.chains.forget();
    V8VM.v1.objects.forget();
  }

  let isUntidy = false; // whether a call of the running ones has failed: it may have been stopped anywhere

  // Sets right what failed calls leave behind. Runs when none is left: deep inside of calls its own calls might be refused.
  function tidy() {
    if (!isUntidy) return;
    isUntidy = false;
    V8VM.v1.numbers.reset();
  }

  function failureOf(exception) {
    const trace = V8VM.trace.caught(exception instanceof Refused ? null : exception);
    const failure = exception instanceof Refused ? { message: exception.message, dead: null } : failed(exception);
    V8VM.v1.lastFailure = { exception, trace }; // for the kernel, which takes it at once: a text of the contract's own may have called others
    return failure;
  }

  // Calls a method of an installed image with `limit` gas. Never throws, except for the stops that are not the contract's.
  //
  // INVARIANT: whatever ends the call, the meter is the caller's again; no function is called for that, since V8 might refuse it.
  function invoke(key, method, args, limit) {
    const saved = meter.enter(limit);
    let result = '';
    let failure = null;
    let gas = 0;
    try {
      if (meter.running++ === 0) forget();
      try {
        if ((meter.depth += CALL_SLOTS) > meter.roof) V8VM.v1.deeper();
        result = run(table.get(key), method, args);
        meter.check(); // a raw image may have caught a stop and gone on
      } catch (exception) {
        isUntidy = true;
        meter.depth = saved.depth + CALL_SLOTS; // nobody counted down on the way out
        meter.pass(exception);
        failure = failureOf(exception);
      }
      gas = meter.used;
    } finally {
      meter.left = meter.dead === null ? saved.left : -1;
      meter.ceiling = saved.ceiling;
      meter.depth = saved.depth;
      meter.earned = saved.earned;
      meter.running--;
    }
    if (meter.running === 0) tidy();
    if (failure === null) return { ok: true, result, gas };
    if (meter.dead !== null && meter.dead !== 'gas') throw STOP;
    return { ok: false, error: failure.message, gas, dead: failure.dead };
  }

  V8VM.v1.images = images;
  V8VM.v1.invoke = invoke;
  V8VM.v1.lockdown = V8VM.lockdown;
})(globalThis.V8VM);
