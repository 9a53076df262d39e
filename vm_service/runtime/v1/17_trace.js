// Tracing: the places in the source at which a call fails, for a caller that asked for them.
//
// Errors carry no frames and cost nothing to make, so a trace is a second run with this switched on. The images of that run
// are made for it: their scripts are named by `PREFIX`, and each `throw` passes through the helper `thrown`. Nothing of that
// run but the places is used, since a contract can measure that it is traced.
(function (V8VM) {
  'use strict';

  const {
    ArrayPrototypePush, Error, ErrorPrototypeToString, FunctionPrototypeCall, ObjectGetOwnPropertyDescriptor, ObjectIs, StringPrototypeSlice,
    StringPrototypeStartsWith, WeakMap, WeakMapPrototypeGet, WeakMapPrototypeSet,
  } = V8VM.primordials;
  const { meter } = V8VM;
  const { isObject } = V8VM.v1;

  const PREFIX = 'trace:'; // of the names of traced scripts
  const BORDER = 'runScript'; // the kernel's function (kernel/62_frames.js) that stands between the frames of two contracts
  const MAX_FRAMES = 64; // that an error carries, those of the runtime included
  const JSON_GAS = 100000; // for the text of a thrown object
  const MAX_JSON = 4096;

  const stackOf = ObjectGetOwnPropertyDescriptor(new Error(''), 'stack').get;

  let on = false;
  let thrown = null; // the last value that a contract threw which is no object: {value, at: error}
  let throws = null; // thrown object -> error that was made where it was thrown
  let stop = null; // an error that was made where the call was stopped
  let callSites = null; // error -> the engine's frames

  // What the engine calls when `stack` is first read. The text is the one that errors without frames have.
  function prepare(error, sites) {
    WeakMapPrototypeSet(callSites, error, sites);
    try {
      return ErrorPrototypeToString(error);
    } catch (thrownAgain) {
      meter.pass(thrownAgain);
      return '';
    }
  }

  function begin() {
    on = true;
    thrown = stop = null;
    throws = new WeakMap();
    callSites = new WeakMap();
    Error.stackTraceLimit = MAX_FRAMES;
    Error.prepareStackTrace = prepare;
    V8VM.watchStops((reason) => {
      if (reason !== 'restart') stop ??= new Error('');
    });
  }

  function end() {
    on = false;
    thrown = throws = stop = callSites = null;
    Error.stackTraceLimit = 0;
    delete Error.prepareStackTrace;
    V8VM.watchStops(null);
  }

  // What a traced image passes the value of `throw` through.
  function mark(value) {
    if (!on) return value;
    const at = new Error('');
    if (isObject(value)) WeakMapPrototypeSet(throws, value, at);
    else thrown = { value, at };
    return value;
  }

  // The running functions of the innermost contract in the frames of an error: [script, offset, name of the function].
  function sitesOf(error) {
    FunctionPrototypeCall(stackOf, error);
    const frames = WeakMapPrototypeGet(callSites, error) ?? [];
    const sites = [];
    for (let i = 0; i < frames.length; i++) {
      const name = frames[i].getFunctionName() ?? '';
      const script = frames[i].getScriptNameOrSourceURL() ?? '';
      if (StringPrototypeStartsWith(script, PREFIX)) ArrayPrototypePush(sites, [script, frames[i].getPosition(), name]);
      else if (name === BORDER) break;
    }
    return sites;
  }

  // The text of a thrown object; empty for everything that its message shows already.
  function jsonOf(value) {
    if (!isObject(value) || typeof value === 'function' || value instanceof Error || meter.dead !== null) return '';
    let text = '';
    const saved = meter.enter(JSON_GAS);
    try {
      text = V8VM.v1.json.stringify(value) ?? '';
    } catch (error) {
      meter.pass(error);
      // A `toJSON` of the contract: there is no text then.
    }
    if (meter.dead !== 'host') meter.dead = null;
    meter.leave(saved);
    return text.length > MAX_JSON ? `${StringPrototypeSlice(text, 0, MAX_JSON)}…` : text;
  }

  const errorBehind = (exception) => {
    if (meter.dead !== null) return stop;
    if (isObject(exception)) return WeakMapPrototypeGet(throws, exception) ?? (exception instanceof Error ? exception : null);
    return thrown !== null && ObjectIs(thrown.value, exception) ? thrown.at : null;
  };

  // Where and with what a contract's script ended: {sites, thrown}, or null when nothing is traced.
  function caught(exception) {
    if (!on) return null;
    const error = errorBehind(exception);
    return { sites: error === null ? [] : sitesOf(error), thrown: jsonOf(exception) };
  }

  // The same for a stop.
  const stopped = () => (on && stop !== null ? { sites: sitesOf(stop), thrown: '' } : null);

  // Where the running contract is at the moment.
  const here = () => sitesOf(new Error(''));

  V8VM.v1.helpers.thrown = mark;
  V8VM.trace = { begin, end, caught, stopped, here, isOn: () => on };
})(globalThis.V8VM);
