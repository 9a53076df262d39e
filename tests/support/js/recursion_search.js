// Looks for functions that a contract can reach, that call what it may have put in their way, and that count no stack.
// Loaded before lockdown, run as the image of a contract. Each function is called again and again through each property
// that it reads of `this` or of an argument, through functions that it is given, and through conversions: from closures
// that count nothing, so that what the function itself counts is seen.
(function (V8VM) {
  'use strict';

  const { FunctionPrototypeApply, ReflectOwnKeys, ReflectGetPrototypeOf, ReflectGetOwnPropertyDescriptor, Proxy, Map, Set, JSONStringify } = V8VM.primordials;
  const { ObjectDefineProperty } = V8VM.primordials;
  const { meter } = V8VM;
  const LEVELS = 8;
  const PLACES = 3; // `this` and two arguments
  const ENOUGH = { __proto__: null }; // thrown when a recursion is deep enough to be judged
  const construct = Reflect.construct;

  // -- what is asked for ---------------------------------------------------------------------------------------------

  // Objects of which a function may read something: each lets it go on in another way.
  const KINDS = {
    __proto__: null,
    object: () => ({ length: 2, 0: 1, 1: 2, name: 'n', value: 1, c: [1], e: 0, s: 1 }),
    list: () => [1, 2],
    function: () => function () { return 1; }, // prettier-ignore
    number: () => new V8VM.v1.numbers.BigNumber(7),
    whole: () => new V8VM.v1.Int64(7),
    error: () => new V8VM.v1.objects.errorConstructors.Error('m'),
  };

  const KIND_NAMES = V8VM.primordials.ObjectKeys(KINDS);
  const SHORT_KINDS = ['object', 'function', 'whole', 'error'];

  // Keys that `f` reads of an object of a kind that stands at a place, while others stand at the other places.
  function keysRead(f, kind, place, others, isNew) {
    const keys = new Set();
    const target = KINDS[kind]();
    const recorder = new Proxy(target, {
      __proto__: null,
      get(object, key) {
        keys.add(key);
        const value = object[key];
        return value;
      },
      has(object, key) {
        keys.add(key);
        return key in object;
      },
    });
    const values = [...others];
    values[place] = recorder;
    try {
      if (isNew) construct(f, values.slice(1));
      else FunctionPrototypeApply(f, values[0], values.slice(1));
    } catch {
      // Whatever it has read until then is known.
    }
    return keys;
  }

  // -- trying --------------------------------------------------------------------------------------------------------

  // Runs a recursion; returns slots counted for each level, or null when it is none.
  function slotsOf(start) {
    let level = 0;
    let first = 0;
    let last = 0;
    const { depth } = meter;
    const again = (run) => {
      if (level === 0) first = meter.depth;
      if (++level > LEVELS) {
        last = meter.depth; // what comes next may be swallowed by the engine
        throw ENOUGH;
      }
      return run();
    };
    try {
      start(again);
    } catch (error) {
      if (error !== ENOUGH) level = 0; // the function itself fails
    }
    const slots = level > LEVELS ? (last - first) / LEVELS : null;
    meter.depth = depth;
    return slots;
  }

  // Two ways in which a property leads back: as an accessor, and as a method.
  const WAYS = {
    __proto__: null,
    accessor: (object, key, back) => ObjectDefineProperty(object, key, { __proto__: null, get: back, set: back, configurable: true }),
    method: (object, key, back) => ObjectDefineProperty(object, key, { __proto__: null, value: back, configurable: true, writable: true }),
  };

  // Objects at the other places: as many as let functions of the library come to their callbacks.
  const FILLERS = [
    () => [undefined, undefined, undefined],
    () => [[1, 2], () => 1, 'x'],
    () => ['text', 't', () => 1],
    () => [new V8VM.v1.numbers.BigNumber(7), 1, 2],
    () => [Object, { a: 1 }, 'x'],
    () => [Object, 'x', { value: 1 }],
  ];
  const SHORT_FILLERS = [FILLERS[0], FILLERS[2], FILLERS[4]];
  const ALWAYS = ['toString', 'valueOf', Symbol.toPrimitive, 'name', 'message', 'length', 'prototype'];

  // Calls `report(slots, way, start)` once for each recursion through a function, a property and a place.
  function tryAll(f, path, isNew, isShort, report) {
    const call = (values) => (isNew ? construct(f, values.slice(1)) : FunctionPrototypeApply(f, values[0], values.slice(1)));
    const known = new Set();
    const attempt = (way, start) => {
      if (known.has(way)) return;
      const slots = slotsOf(start);
      if (slots === null) return;
      known.add(way);
      report(slots, `${isNew ? 'new ' : ''}${path} by ${way}`, start);
    };
    for (const filler of isShort ? SHORT_FILLERS : FILLERS) {
      for (let place = isNew ? 1 : 0; place < PLACES; place++) {
        for (const kind of isShort ? SHORT_KINDS : KIND_NAMES) {
          const keys = keysRead(f, kind, place, filler(), isNew);
          for (const key of ALWAYS) keys.add(key);
          for (const key of keys) {
            for (const way in WAYS) {
              attempt(`${way} ${String(key)} at ${place}`, (again) => {
                const values = filler();
                values[place] = KINDS[kind]();
                WAYS[way](values[place], key, () => again(() => call(values)));
                return call(values);
              });
            }
          }
        }
        attempt(`a function at ${place}`, (again) => {
          const values = filler();
          values[place] = () => again(() => call(values));
          return call(values);
        });
      }
    }
  }

  // -- the walk ------------------------------------------------------------------------------------------------------

  function functions() {
    const found = new Map();
    const seen = new Set();
    const hidden = ReflectGetOwnPropertyDescriptor(new V8VM.primordials.Error(''), 'stack');
    const waiting = [[V8VM.v1.endowments.shared(), ''], [V8VM.v1.intrinsics(), ''], [V8VM.v1.storage.methods, 'storage'], [V8VM.v1.objects.COUNTED_STACK, 'stack'], [hidden.set, 'stack=']];
    while (waiting.length > 0) {
      const [value, path] = waiting[waiting.length - 1];
      waiting.length--;
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value)) continue;
      seen.add(value);
      if (typeof value === 'function') found.set(value, path);
      for (const key of ReflectOwnKeys(value)) {
        const descriptor = ReflectGetOwnPropertyDescriptor(value, key);
        const name = `${path}.${typeof key === 'symbol' ? key.description : key}`;
        for (const part of ['value', 'get', 'set']) if (part in descriptor) waiting[waiting.length] = [descriptor[part], part === 'value' ? name : `${name} (${part})`];
        if (descriptor.get !== undefined) {
          try {
            waiting[waiting.length] = [value[key], name];
          } catch {
            // An accessor that asks for an object of its own.
          }
        }
      }
      waiting[waiting.length] = [ReflectGetPrototypeOf(value), `${path}.[[prototype]]`];
    }
    return found;
  }

  function reset() {
    meter.left = meter.ceiling = 2 ** 30 - 1;
    meter.done = meter.depth = 0;
    meter.roof = V8VM.permits.DEPTH_SLOTS;
    meter.dead = null;
  }

  // How a recursion ends that goes on until something ends it.
  function endOf(start) {
    reset();
    try {
      start((run) => run());
      return meter.dead ?? 'returned'; // the engine swallows what is thrown while it makes the text of an error
    } catch (error) {
      return meter.dead ?? (error instanceof V8VM.primordials.RangeError ? "V8's own stack" : 'error');
    }
  }

  // Returns as JSON how many functions were tried, and for each recursion [way, slots counted for a level, how it ended]: of one
  // that counts none, that is not tried. The short form runs only that recursion of a function to its end that counts the least.
  function search(isShort) {
    const found = [];
    let tried = 0;
    for (const [f, path] of functions()) {
      tried++;
      for (const isNew of [false, true]) {
        reset();
        const starts = [];
        tryAll(f, path, isNew, isShort, (slots, way, start) => {
          reset();
          starts[starts.length] = [way, slots, start];
        });
        let least = null;
        for (const start of starts) if (least === null || start[1] < least[1]) least = start;
        for (const [way, slots, start] of starts) {
          const isRun = slots > 0 && (!isShort || start === least[2]);
          found[found.length] = [way, slots, isRun ? endOf(start) : ''];
        }
      }
    }
    return JSONStringify({ tried, found });
  }

  V8VM.searchRecursions = (isShort) => {
    meter.enter(2 ** 30 - 1);
    meter.running++;
    const found = search(isShort);
    meter.running--;
    meter.dead = null;
    meter.depth = 0;
    return found;
  };
})(globalThis.V8VM);
