# ruff: noqa: E501 - one line for each body
"""Hostile contracts of our own, by class: bodies of one method, written for what the language lets through.

`payloads()` gives them in the form of `tests.fault.attacks`: {name, class, code, accept, then_code}. What a body may
come to is given beside it: `e` an error, `g` out of gas, `i` a normal end that has touched nothing.
"""

from collections.abc import Iterator
from typing import Any

KINDS = {"e": "error", "g": "gas", "i": "isolated"}

LIST = "const a = []; for (let i = 0; i < 10000; i++) a.push(i);"
SHIFTS = "for (;;) { a.shift(); a[9999] = 1; }"


def _names(write: str) -> str:
    """Returns what writes more names than V8 keeps as a row."""
    return " ".join(write.format(f"q{number}") for number in range(1100))


BODIES: dict[str, dict[str, tuple[str, str]]] = {
    "stall": {
        "nested_loops": ("g", "let n = 0; for (;;) for (let i = 0; i < 9; i++) n ^= i; return n;"),
        "do_while_continue": ("g", "let i = 0; do { i++; if (i % 2) continue; } while (true); return i;"),
        "for_of_growing": ("g", "const a = [1]; for (const x of a) a.push(x + 1); return a.length;"),
        "for_in_growing": (
            "gei",
            "const o = {a: 1}; for (const k in o) { for (let i = 0; i < 1e5; i++) o['k' + i] = k; } return 1;",
        ),
        "getter_loop": ("g", "const o = { get x() { return this.x2; }, get x2() { for (;;) {} } }; return o.x;"),
        "valueof_loop": ("g", "const o = { valueOf() { for (;;) {} } }; return o > 1;"),
        "tostring_loop": ("g", "return '' + { toString() { for (;;) {} } };"),
        "symbol_toprimitive": ("ge", "return +{ [Symbol.toPrimitive]() { for (;;) {} } };"),
        "comparator_loop": ("g", "return [3, 1, 2].sort(() => { for (;;) {} });"),
        "sort_lying_comparator": (
            "gie",
            "const a = []; for (let i = 0; i < 2000; i++) a.push(i); let n = 0; a.sort(() => (n++ % 3) - 1); return n;",
        ),
        "map_callback_loop": ("g", "return [1].map(() => { for (;;) {} });"),
        "reduce_forever": (
            "ge",
            "const a = [1, 2]; return a.reduce((s) => { a.push(s); return [0, 1].reduce(() => { for (;;) {} }); });",
        ),
        "generator_forever": ("ge", "function* f() { for (;;) yield 1; } for (const x of f()) { } return 1;"),
        "generator_return_loop": (
            "gie",
            "function* f() { try { yield 1; } finally { for (;;) {} } } for (const x of f()) break; return 1;",
        ),
        "iterator_return_loop": (
            "gie",
            "const it = { [Symbol.iterator]() { return { next: () => ({ done: false }), return() { for (;;) {} } }; } }; for (const x of it) break; return 1;",
        ),
        "iterator_next_forever": (
            "ge",
            "const it = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }) }) }; return [...it];",
        ),
        "array_from_endless": (
            "ge",
            "return Array.from({ [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) }).length;",
        ),
        "destructure_call": ("ge", "const f = (...a) => f(...a, 1); return f();"),
        "label_continue": ("ge", "a: for (;;) { for (;;) { continue a; } } return 1;"),
        "recursion_through_tojson": (
            "ge",
            "const o = { toJSON() { return JSON.stringify(o); } }; return JSON.stringify(o);",
        ),
        "tagged_template_loop": ("g", "const t = () => { for (;;) {} }; return t`x`;"),
        "proto_getter_loop": ("ge", "class P { get v() { for (;;) {} } } class Q extends P {} return new Q().v;"),
        "static_block_like": ("g", "class P { static m() { for (;;) {} } } return P.m();"),
        "default_parameter_loop": ("ge", "const f = (a = (() => { for (;;) {} })()) => a; return f();"),
        "computed_key_loop": ("g", "return { [(() => { for (;;) {} })()]: 1 };"),
        "super_call_loop": ("ge", "class P { constructor() { for (;;) {} } } class Q extends P {} return new Q();"),
        "comma_loop": ("g", "for (;0, true, 1;) ; return 1;"),
        "switch_fallthrough": ("g", "for (;;) { switch (1) { case 1: case 2: default: } } return 1;"),
        "bignumber_pow": (
            "gei",
            "let x = new BigNumber(3); for (let i = 0; i < 1e6; i++) x = x.times(x); return x.toString().length;",
        ),
        "bignumber_div": (
            "gei",
            "let x = new BigNumber(1); for (let i = 1; i < 1e6; i++) x = x.div(7).plus(i); return x.toString().length;",
        ),
        "crypto_flood": ("g", "for (let i = 0; ; i++) IOSTCrypto.sha3('x' + i); return 1;"),
        "verify_flood": ("g", "for (;;) IOSTCrypto.verify('ed25519', '1', '1', '1'); return 1;"),
        "console_flood": ("g", "for (;;) console.log('spam'); return 1;"),
        "json_cycles": ("ge", "const a = []; a.push(a); return JSON.stringify(a);"),
        "json_wide": (
            "gei",
            "const a = []; for (let i = 0; i < 3e5; i++) a.push({ a: [i] }); return JSON.stringify(a).length;",
        ),
        "json_deep": ("gei", "let o = 1; for (let i = 0; i < 1e5; i++) o = [o]; return JSON.stringify(o).length;"),
        "json_reviver": ("ge", "return JSON.parse('[1]', function () { for (;;) {} });"),
        "split_flood": (
            "gei",
            "let s = 'a,'; for (let i = 0; i < 14; i++) s += s; let n = 0; for (;;) n += s.split(',').length; return n;",
        ),
        "concat_compare": (
            "gei",
            "let s = 'ab'; for (let i = 0; i < 15; i++) s += s; let n = 0; for (;;) n += s === (s + '') ? 1 : 0; return n;",
        ),
        "indexof_quadratic": (
            "gei",
            "let s = 'a'; for (let i = 0; i < 15; i++) s += s; let n = 0; for (;;) n += s.indexOf(s.slice(1) + 'b'); return n;",
        ),
        "replace_flood": (
            "ge",
            "let s = 'a'; for (let i = 0; i < 15; i++) s += s; for (;;) s.replace('b', 'c'); return 1;",
        ),
        "array_reverse": (
            "gei",
            "const a = []; for (let i = 0; i < 5e4; i++) a.push(i); for (;;) a.reverse(); return 1;",
        ),
        "array_indexof": (
            "gei",
            "const a = []; for (let i = 0; i < 5e4; i++) a.push(i); for (;;) a.indexOf(-1); return 1;",
        ),
        "array_splice": (
            "gei",
            "const a = []; for (let i = 0; i < 5e4; i++) a.push(i); for (;;) a.splice(0, 1, 1); return 1;",
        ),
        "array_concat": ("gei", "let a = [1]; for (let i = 0; i < 40; i++) a = a.concat(a); return a.length;"),
        "object_keys_flood": (
            "gei",
            "const o = {}; for (let i = 0; i < 3e4; i++) o['k' + i] = i; for (;;) Object.keys(o); return 1;",
        ),
        "object_assign_flood": (
            "gei",
            "const o = {}; for (let i = 0; i < 2e4; i++) o['k' + i] = i; for (;;) Object.assign({}, o); return 1;",
        ),
        "number_tofixed": ("gei", "for (;;) (1e20).toFixed(20); return 1;"),
        "storage_reads": ("g", "for (let i = 0; ; i++) storage.get('k' + i); return 1;"),
        "storage_scattered": ("g", "for (let i = 1; ; i++) storage.get('k' + (i * 7919) % 1000003 + 'x'); return 1;"),
        "storage_writes": ("g", "for (let i = 0; ; i++) storage.put('k' + i, 'v'); return 1;"),
        "storage_map": ("g", "for (let i = 0; ; i++) storage.mapPut('m', 'f' + i, 'v'); return 1;"),
        "storage_mapkeys": (
            "g",
            "for (let i = 0; i < 300; i++) storage.mapPut('m', 'f' + i, 'v'); for (;;) storage.mapKeys('m'); return 1;",
        ),
        "receipts_flood": ("ge", "for (;;) blockchain.receipt('x'); return 1;"),
        "events_flood": ("ge", "for (;;) blockchain.event('x'); return 1;"),
        "calls_flood": ("ge", "for (;;) blockchain.call('token.iost', 'balanceOf', ['iost', 'alice']); return 1;"),
        "call_self": ("ge", "return blockchain.call(blockchain.contractName(), 'run', []);"),
        "authority_flood": ("ge", "for (;;) blockchain.requireAuth('alice', 'active'); return 1;"),
    },
    "memory": {
        "array_hoard": ("ge", "const a = []; for (;;) a.push([1, 2, 3]); return a.length;"),
        "string_hoard": ("ge", "const a = []; for (let i = 0; ; i++) a.push('some text ' + i); return a.length;"),
        "string_double": ("ge", "let s = 'x'; for (;;) s += s; return s.length;"),
        "string_repeat": ("ge", "return 'x'.repeat(2 ** 28).length;"),
        "pad_start": ("ge", "return 'x'.padStart(2 ** 28).length;"),
        "array_length": ("gei", "const a = []; a.length = 4294967295; return a.length;"),
        "array_sparse": ("gei", "const a = []; a[4294967294] = 1; return a.join().length;"),
        "array_constructor": ("gei", "return new Array(4294967295).length;"),
        "array_fill": ("ge", "return new Array(2 ** 27).fill(0).length;"),
        "array_join": ("gei", "return new Array(2 ** 28).join('xx').length;"),
        "spread_hoard": ("ge", "let a = [1]; for (;;) a = [...a, ...a]; return a.length;"),
        "object_hoard": ("ge", "let o = null; for (;;) o = { next: o, a: 1, b: 2 }; return o;"),
        "closure_hoard": ("ge", "let f = () => 1; for (;;) { const g = f; f = () => g; } return f();"),
        "class_hoard": ("ge", "const a = []; for (;;) a.push(class { m() {} }); return a.length;"),
        "symbol_hoard": ("ge", "const a = []; for (let i = 0; ; i++) a.push(Symbol('s' + i)); return a.length;"),
        "json_hoard": ("ge", "const a = []; for (;;) a.push(JSON.parse('[1,2,3,4,5,6,7,8]')); return a.length;"),
        "error_hoard": ("ge", "const a = []; for (;;) a.push(new Error('e')); return a.length;"),
        "bignumber_hoard": (
            "ge",
            "const a = []; for (;;) a.push(new BigNumber('1234567890.123456789')); return a.length;",
        ),
        "generator_hoard": ("ge", "function* g() { yield 1; } const a = []; for (;;) a.push(g()); return a.length;"),
        "split_hoard": (
            "ge",
            "let s = 'a'; for (let i = 0; i < 15; i++) s += s; const a = []; for (;;) a.push(s.split('')); return a.length;",
        ),
        "event_hoard": (
            "ge",
            "let s = 'a'; for (let i = 0; i < 15; i++) s += s; for (;;) blockchain.event(s); return 1;",
        ),
        "storage_hoard": (
            "ge",
            "let s = 'a'; for (let i = 0; i < 15; i++) s += s; for (let i = 0; ; i++) storage.put('k' + i, s); return 1;",
        ),
        "result_huge": ("ge", "let s = 'a'; for (let i = 0; i < 17; i++) s += s; return s;"),
        "throw_huge": ("ge", "let s = 'a'; for (let i = 0; i < 20; i++) s += s; throw new Error(s);"),
    },
    "depth": {
        "plain": ("ge", "const f = (n) => f(n + 1) + 1; return f(0);"),
        "mutual": ("ge", "const a = () => b() + 1, b = () => a() + 1; return a();"),
        "getter": ("ge", "const o = { get x() { return o.x + 1; } }; return o.x;"),
        "valueof": ("ge", "const o = { valueOf() { return o + 1; } }; return o + 1;"),
        "sort": ("ge", "const f = () => [2, 1].sort(f).length; return f();"),
        "map": ("ge", "const f = () => [1].map(f); return f();"),
        "json": ("ge", "const o = { toJSON() { return { o }; } }; return JSON.stringify(o);"),
        "constructor": ("ge", "class A { constructor() { new A(); } } return new A();"),
        "template": ("ge", "const f = () => `${f()}`; return f();"),
        "spread": ("ge", "const f = (...a) => f(...a); return f(1, 2, 3);"),
        "apply": ("ge", "const f = function () { return f.apply(this, []); }; return f();"),
        "bind": ("gei", "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f();"),
        "nested_arrays_text": ("gei", "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return '' + a;"),
        "iterator": ("ge", "const o = { *[Symbol.iterator]() { yield* o; } }; return [...o];"),
    },
    "forms": {
        "names": ("g", f"{LIST} {_names('a.{} = 1;')} {SHIFTS}"),
        "quoted_names": ("g", f"{LIST} " + _names("a['{}'] = 1;") + f" {SHIFTS}"),
        "counted_names": ("g", f"{LIST} {_names('a.{}++;')} {SHIFTS}"),
        "names_of_super": (
            "g",
            f"{LIST} class P {{}} class Q extends P {{ m() {{ {_names('super.{} = 1;')} }} }} new Q().m.call(a); {SHIFTS}",
        ),
    },
    "tampering": {
        "array_push": ("e", "Array.prototype.push = () => 0; return [].push(1);"),
        "object_prototype": ("e", "Object.prototype.x = 1; return ({}).x;"),
        "proto_literal": ("ei", "const o = { __proto__: { x: 1 } }; return ({}).x === undefined ? 'ok' : 'LEAK';"),
        "define_property": ("e", "Object.defineProperty(Object.prototype, 'x', { value: 1 }); return ({}).x;"),
        "set_prototype": ("e", "Object.setPrototypeOf(Object.prototype, { x: 1 }); return ({}).x;"),
        "string_method": ("e", "String.prototype.concat = () => 'evil'; return 'a'.concat('b');"),
        "json_method": ("e", "JSON.parse = () => 'evil'; return JSON.parse('1');"),
        "math_method": ("e", "Math.max = () => 7; return Math.max(1, 2);"),
        "number_constant": ("e", "Number.MAX_SAFE_INTEGER = 1; return Number.MAX_SAFE_INTEGER;"),
        "error_prototype": ("e", "Error.prototype.toString = () => 'evil'; throw new Error('x');"),
        "iterator_prototype": (
            "e",
            "Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())).next = () => 1; return 1;",
        ),
        "generator_prototype": ("e", "function* g() {} Object.getPrototypeOf(g).x = 1; return 1;"),
        "function_prototype": ("e", "(() => 1).__proto__.call = () => 'evil'; return 1;"),
        "array_iterator": ("e", "Array.prototype[Symbol.iterator] = function* () { yield 'evil'; }; return [...[1]];"),
        "storage_get": ("ei", "storage.get = () => 'evil'; return storage.get('k');"),
        "blockchain_call": ("ei", "blockchain.call = () => ['evil']; return blockchain.call('a', 'b', []);"),
        "bignumber_prototype": ("ei", "BigNumber.prototype.plus = () => 'evil'; return 1;"),
        "int64_prototype": ("ei", "Int64.prototype.plus = () => 'evil'; return 1;"),
        "freeze_everything": ("ei", "Object.freeze(storage); Object.freeze(blockchain); return 1;"),
        "module_exports": ("ei", "module.exports = null; return 1;"),
        "symbol_species": (
            "ei",
            "class A extends Array { static get [Symbol.species]() { return function () { return { length: 1e9 }; }; } } return new A(1, 2).map((x) => x).length;",
        ),
        "counter_of_gas": ("e", "IOSTInstruction.incr(-1e9); return 1;"),
        "helpers": ("e", "_IOST$meter.left = 1e9; return 1;"),
        "constructor_chain": ("e", "return (() => 1).constructor('return this')().V8VM;"),
        "async_constructor": ("e", "return ({}).toString.constructor('return 1')();"),
        "this_at_top": ("ei", "return (function () { return this === undefined; })() ? 'ok' : 'LEAK';"),
        "arguments_callee": ("ei", "return (function () { return arguments.callee; })().name;"),
        "caller": ("ei", "const f = function () { return f.caller; }; return f() === null ? 'ok' : 'LEAK';"),
        "stack": ("ei", "return new Error('x').stack === undefined ? 'ok' : new Error('x').stack;"),
        "prepare_stack": ("ei", "Error.prepareStackTrace = (e, s) => s; return typeof new Error('x').stack;"),
        "with_getter_on_result": ("ei", "return { get toJSON() { return () => 'x'; } };"),
        "forged_receipt": ("ei", 'blockchain.receipt(\'["iost","alice","bobby","5",""]\'); return 1;'),
        "foreign_storage": ("ei", "return storage.globalGet('token.iost', 'x');"),
        "key_separator": ("ei", "storage.put('a-b', 'x'); return 1;"),
        "key_prefix": ("ei", "storage.put('10:x', 'y'); return storage.get('x');"),
        "unpaired_surrogate": ("ei", "storage.put('k', '\\ud800'); return storage.get('k');"),
        "payer_other": ("ei", "storage.put('k', 'v', 'bobby'); return 1;"),
        "withdraw_foreign": ("e", "blockchain.transfer('bobby', 'alice', '1', ''); return 1;"),
        "call_with_auth": (
            "e",
            "blockchain.callWithAuth('token.iost', 'transfer', ['iost', 'bobby', 'alice', '1', '']); return 1;",
        ),
        "init_again": ("e", "return blockchain.call(blockchain.contractName(), 'init', []);"),
    },
    "nondeterminism": {
        "random": ("e", "return Math.random();"),
        "date": ("e", "return new Date().getTime();"),
        "date_now": ("e", "return Date.now();"),
        "temporal": ("e", "return Temporal.Now.instant().toString();"),
        "locale_number": ("e", "return (1234.5).toLocaleString();"),
        "locale_compare": ("e", "return 'a'.localeCompare('b');"),
        "locale_upper": ("e", "return 'i'.toLocaleUpperCase('tr');"),
        "normalize": ("e", "return 'e\\u0301'.normalize('NFC');"),
        "intl": ("e", "return Intl.DateTimeFormat().resolvedOptions().timeZone;"),
        "weakref": ("e", "return new WeakRef({}).deref();"),
        "finalization": ("e", "return new FinalizationRegistry(() => 1);"),
        "promise": ("e", "return Promise.resolve(1).then((x) => x);"),
        "set_timeout": ("e", "return setTimeout(() => 1, 0);"),
        "typed_array": ("e", "return new Float64Array(1)[0];"),
        "shared_buffer": ("e", "return new SharedArrayBuffer(8);"),
        "wasm": ("e", "return WebAssembly.validate(1);"),
        "performance": ("e", "return performance.now();"),
        "object_order": ("i", "return Object.keys({ b: 1, 2: 1, a: 1, 1: 1 }).join();"),
        "float_text": ("i", "return [0.1 + 0.2, 1e21, 1 / 3, -0].join();"),
    },
}


def payloads() -> Iterator[dict[str, Any]]:
    """Yields the payloads."""
    for kind, bodies in BODIES.items():
        for name, (accept, body) in bodies.items():
            code = f"class Hostile {{\n    init() {{}}\n    run() {{ {body} }}\n}}\nmodule.exports = Hostile;\n"
            accepted = [KINDS[letter] for letter in accept]
            yield {"name": f"{kind}_{name}", "class": kind, "code": code, "accept": accepted}
