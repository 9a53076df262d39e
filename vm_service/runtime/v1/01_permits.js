// Permits: what a contract may name and touch, as data. Whatever is not listed here does not exist for a contract.
// Loaded by both isolates: the compiler resolves names with it, the execution isolate builds the realm from it.
(function (V8VM) {
  'use strict';

  const words = (text) => text.trim().split(/\s+/);

  // Names that a contract may use without declaring them.
  const GLOBALS = {
    kept: ['Object', 'Number', 'Symbol', 'String', 'Array', 'Error', 'JSON', 'Math', 'isNaN', 'isFinite'],
    // Present with the value null, as in the reference.
    removed: [
      'Boolean', 'Date', 'RegExp', 'Map', 'Set', 'WeakMap', 'WeakSet', 'Promise', 'Proxy', 'Reflect', 'Function', 'ArrayBuffer',
      'SharedArrayBuffer', 'DataView', 'Atomics', 'Intl', 'WebAssembly', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array',
      'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'EvalError',
      'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'parseInt', 'parseFloat', 'decodeURI',
      'decodeURIComponent', 'encodeURI', 'encodeURIComponent', 'escape', 'unescape', 'IOSTBlockchain', 'IOSTInstruction', 'IOSTStorage',
      '_IOSTCrypto', '_native_log', '_native_run', '_native_require', '_cLog',
    ],
    libraries: [
      'storage', 'blockchain', 'console', 'require', 'module', 'BigNumber', 'Int64', 'Float64', 'MaxInt64', 'MinInt64', 'MaxFloat64',
      'MinFloat64', 'IOSTCrypto', 'Console', 'format', 'formatWithOptions', 'emptyOptions', 'block', 'tx', 'blockInfo', 'txInfo',
    ],
  };

  // Names by which code looks for a host to get at: unknown here, and even `typeof` of one is an error.
  const HOST_NAMES = /^(?:__|(?:_?(?:host|native|kernel|meter|v8|mini)[a-z_]*|performance|fetch|XMLHttpRequest|WebSocket|Worker|postMessage|importScripts|Deno|Bun)$)/;

  // Modules of Node.js: what `require` gives for one can be turned into nothing.
  const HOST_MODULES = new Set(words(`assert async_hooks buffer child_process cluster crypto dgram diagnostics_channel dns domain events fs http http2 https
    inspector module net os path perf_hooks process punycode querystring readline repl stream string_decoder sys timers tls trace_events tty url
    util v8 vm wasi worker_threads zlib`));

  // Names that share the script scope with the contract: declaring one at top level fails every call.
  const REDECLARED = [
    'obj', 'rs', 'tx', 'block', 'blockInfo', 'txInfo', 'storage', 'blockchain', 'console', 'require', 'module', 'BigNumber', 'Int64',
    'Float64', 'MaxInt64', 'MinInt64', 'MaxFloat64', 'MinFloat64', 'IOSTCrypto', 'Console', 'format', 'formatWithOptions', 'emptyOptions',
  ];

  const MAX_NAME = 16383; // units: V8 hashes a longer text by its length alone, so that names of one length are compared with each other

  // How deep calls may go: slots (8 bytes) of the native stack, of the 3,840,000 that --stack-size=30000 gives. Functions are
  // counted with twice what they take, and engine functions that call back with what was measured, so the stack itself never
  // decides (tests/integration/vm_service/language/test_depth.py). About 4,400 calls of a small function.
  const DEPTH_SLOTS = 200000;

  // Properties of the intrinsics that a contract can reach. `kept` stay (30_strings.js and the like give them their price), `nulled`
  // are null as in the reference, `symbols` are the well-known symbols that stay; whatever is not named is deleted.
  const INTRINSICS = {
    'String': { kept: words('length name prototype fromCharCode fromCodePoint raw') },
    'String.prototype': {
      kept: words(`length constructor toString valueOf toJSON charAt charCodeAt concat includes endsWith indexOf lastIndexOf replace search split
        startsWith slice substring toLowerCase toUpperCase trim trimLeft trimRight repeat`),
      nulled: words(`anchor big blink bold codePointAt fixed fontcolor fontsize italics link localeCompare match normalize padEnd padStart
        small strike sub substr sup toLocaleLowerCase toLocaleUpperCase trimStart trimEnd`),
      symbols: ['Symbol.iterator'],
    },
    'Array': { kept: words('length name prototype isArray'), nulled: words('from of') },
    'Array.prototype': {
      kept: words(`length constructor toString concat every filter find findIndex forEach includes indexOf join keys lastIndexOf map pop push
        reverse shift slice sort splice unshift`),
      nulled: words('copyWithin entries fill flat flatMap reduce reduceRight some toLocaleString values'),
      symbols: ['Symbol.iterator', 'Symbol.unscopables'],
    },
    'Object': {
      kept: words(`length name prototype assign create defineProperties defineProperty entries freeze getOwnPropertyDescriptor
        getOwnPropertyDescriptors getOwnPropertyNames getOwnPropertySymbols getPrototypeOf is isExtensible isFrozen isSealed keys
        preventExtensions seal setPrototypeOf values`),
    },
    'Object.prototype': {
      kept: words(`constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf __proto__ __defineGetter__
        __defineSetter__ __lookupGetter__ __lookupSetter__`),
    },
    'Function.prototype': { kept: words('length name constructor apply bind call toString arguments caller'), symbols: ['Symbol.hasInstance'] },
    'Number': {
      kept: words(`length name prototype EPSILON MAX_SAFE_INTEGER MAX_VALUE MIN_SAFE_INTEGER MIN_VALUE NEGATIVE_INFINITY NaN
        POSITIVE_INFINITY isFinite isInteger isNaN isSafeInteger parseFloat parseInt`),
    },
    'Number.prototype': { kept: words('constructor toExponential toFixed toJSON toPrecision toString valueOf'), nulled: ['toLocaleString'] },
    'Boolean': { kept: words('length name prototype') },
    'Boolean.prototype': { kept: words('constructor toJSON toString valueOf') },
    'Symbol': {
      kept: words(`length name prototype for keyFor asyncIterator hasInstance isConcatSpreadable iterator match replace search species split
        toPrimitive toStringTag unscopables`),
    },
    'Symbol.prototype': { kept: words('constructor toString valueOf description'), symbols: ['Symbol.toPrimitive', 'Symbol.toStringTag'] },
    'Error': { kept: words('length name prototype captureStackTrace stackTraceLimit') },
    'Error.prototype': { kept: words('constructor name message toString') },
    'Math': {
      kept: words('abs cbrt ceil floor log log10 log1p max min pow round sqrt E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2'),
      nulled: words('acos acosh asin asinh atan atan2 atanh clz32 cos cosh exp expm1 fround hypot imul log2 random sign sin sinh tan tanh trunc'),
      symbols: ['Symbol.toStringTag'],
    },
    'JSON': { kept: words('parse stringify'), symbols: ['Symbol.toStringTag'] },
    'Iterator.prototype': { symbols: ['Symbol.iterator'] },
    'ArrayIterator.prototype': { kept: ['next'], symbols: ['Symbol.toStringTag'] },
    'StringIterator.prototype': { kept: ['next'], symbols: ['Symbol.toStringTag'] },
    'GeneratorFunction.prototype': { kept: words('prototype constructor'), symbols: ['Symbol.toStringTag'] },
    'Generator.prototype': { kept: words('constructor next return throw'), symbols: ['Symbol.toStringTag'] },
  };

  // Errors that only the engine makes. Contracts of this version cannot catch any, but nothing may hang on that.
  const ENGINE_ERRORS = words('TypeError RangeError ReferenceError SyntaxError EvalError URIError');
  for (const name of ENGINE_ERRORS) {
    INTRINSICS[name] = { kept: words('length name prototype') };
    INTRINSICS[`${name}.prototype`] = { kept: words('constructor name message') };
  }

  // Inherited names that ordinary objects assign: frozen as accessors, so that an assignment makes an own property.
  const OVERRIDABLE = {
    'Object.prototype': words('constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf'),
    'Function.prototype': words('constructor toString call apply bind'),
    'Array.prototype': words('constructor toString'),
    'Error.prototype': words('constructor name message toString'),
    'Number.prototype': words('constructor toString valueOf'),
    'String.prototype': words('constructor toString valueOf'),
    'Boolean.prototype': words('constructor toString valueOf'),
    'Generator.prototype': words('constructor next return throw'),
    'Iterator.prototype': ['constructor'],
    'Console.prototype': words('constructor _format debug info warn error log'),
  };

  for (const name of ENGINE_ERRORS) OVERRIDABLE[`${name}.prototype`] = words('constructor name message');

  // Globals of the engine that neither the kernel nor the class libraries use: gone, besides being out of every contract's reach.
  const DELETED_GLOBALS = words(`WebAssembly SharedArrayBuffer Atomics Intl Temporal FinalizationRegistry WeakRef Date Promise eval Function
    AsyncDisposableStack DisposableStack SuppressedError ShadowRealm Iterator Float16Array console gc escape unescape`);

  V8VM.permits = { GLOBALS, MAX_NAME, HOST_NAMES, HOST_MODULES, REDECLARED, DEPTH_SLOTS, INTRINSICS, ENGINE_ERRORS, OVERRIDABLE, DELETED_GLOBALS };
})(globalThis.V8VM);
