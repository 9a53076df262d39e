"""Recursion ends by count: the same depth everywhere, long before V8's own stack."""

from collections.abc import Iterator

import pytest

from tests.support.language import Language

OVERFLOW = "Uncaught exception: RangeError: Maximum call stack size exceeded"

COUNTED = "counted"
LIMIT = "const DEPTH_SLOTS = 200000;"

RECURSIONS = {
    "function": "function f() { return f() } return f()",
    "value used": "function f(n) { return 1 + f(n - 1) } return f(1)",
    "many names": "function f(n) { let p=1,q=2,r=3,s=4,t=5,u=6,v=7,w=8; const x = f(n + 1);"
    " return p+q+r+s+t+u+v+w+x } return f(0)",
    "many arguments": "function f(p,q,r,s,t,u,v,w) { return f(p,q,r,s,t,u,v,w) } return f(1,2,3,4,5,6,7,8)",
    "surplus arguments": "function f() { return f(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20) } return f()",
    "nested expressions": "function f(n) { return [1, [2, { x: [f(n + 1), 4], y: f(n) }], g(1, 2, g(1, f(n)))] }"
    " function g() {} return f(0)",
    "method": "const o = { g() { return this.g() } }; return o.g()",
    "constructor": "class B { constructor() { this.x = new B() } } return new B()",
    "super": "class B { constructor(n) { if (n) new D() } } class D extends B { constructor() { super(1) } }"
    " return new D()",
    "getter": "const o = { get x() { return this.x } }; return o.x",
    "setter": "const o = { set x(v) { this.x = v } }; o.x = 1",
    "inherited getter": "class B { get x() { return this.x } } class C extends B { get x() { return super.x } }"
    " return new C().x",
    "default value": "function f(p = f()) { return 1 } return f()",
    "forEach": "const l = [1]; const f = () => l.forEach(f); f()",
    "map": "const l = [1]; const f = () => l.map(f); f()",
    "find": "const f = () => [1].find(f); return f()",
    "sort": "function f() { [1, 2].sort(() => { f(); return 0 }) } f()",
    "sorted texts": "const l = [{ toString() { return '' + l.slice().sort() } }, 1]; return l.sort()",
    "join": "const l = [{ toString() { return l.concat([1]).join() } }]; return l.join()",
    "nested list": "let l = []; for (let i = 0; i < 100000; i++) l = [l]; return l.join()",
    "nested JSON": "let l = []; for (let i = 0; i < 100000; i++) l = [l]; return JSON.stringify(l)",
    "toJSON": "const f = (n) => ({ toJSON() { return JSON.stringify(f(n + 1)) } }); return JSON.stringify(f(0))",
    "reviver": "function f() { return JSON.parse('[1]', f) } return f()",
    "nested reviver": "return JSON.parse('['.repeat(30000) + ']'.repeat(30000), (k, v) => v)",
    "replacement": "function f() { return 'a'.replace('a', f) } return f()",
    "text": "const o = { toString() { return '' + o } }; return '' + o",
    "number": "const o = { valueOf() { return o * 2 } }; return o * 2",
    "primitive": "const o = { [Symbol.toPrimitive]() { return +o } }; return +o",
    "template": "const o = { toString() { return `a${o}` } }; return `${o}`",
    "template tag": "function f(s) { return f`x` } return f`y`",
    "read key": "const o = {}; const k = { toString() { return o[k] } }; return o[k]",
    "written key": "const o = {}; const k = { toString() { o[k] = 1; return 'x' } }; o[k] = 1",
    "key of in": "const o = {}; const k = { toString() { return k in o } }; return k in o",
    "deleted key": "const o = {}; const k = { toString() { return delete o[k] } }; return delete o[k]",
    "computed name": "const k = { toString() { return { [k]: 1 } } }; return { [k]: 1 }",
    "asked key": "const o = {}; const k = { toString() { return o.hasOwnProperty(k) } }; return o.hasOwnProperty(k)",
    "tag of an object": "const o = { get [Symbol.toStringTag]() { return Object.prototype.toString.call(o) } }; '' + o",
    "message": "class E extends Error { get message() { return String(this) } } return String(new E())",
    "assign": "const o = {}; const d = { enumerable: true, get() { return Object.assign({}, o) } };"
    " Object.defineProperty(o, 'x', d); Object.assign({}, o)",
    "entries": "const o = { get x() { return Object.entries(o) } }; return Object.entries(o)",
    "create": "const d = { get x() { return Object.create({}, d) } }; return Object.create({}, d)",
    "define": "const d = { get value() { return Object.defineProperty({}, 'x', d) } };"
    " return Object.defineProperty({}, 'x', d)",
    "apply": "function f() { return f.apply(this, [1, 2, 3]) } return f()",
    "call": "function f() { return f.call(this, 1, 2, 3) } return f()",
    "bind": "function f() { return f.bind(null)() } return f()",
    "bound name": "const f = function () {};"
    " Object.defineProperty(f, 'name', { get() { f.bind(null) } }); f.bind(null)",
    "spread": "function f(...r) { return f(...r, 1) } return f()",
    "long spread": "const l = []; for (let i = 0; i < 1000; i++) l.push(i); function f() { return f(...l) } return f()",
    "iterator": "const it = { length: 1, [Symbol.iterator]() { return [...it] } }; return [...it].length",
    "yield": "function* g(n) { yield g(n + 1).next() } return g(0).next()",
    "yield*": "function* g(n) { yield* g(n + 1) } return g(0).next()",
    "indexOf": "const l = [1]; Object.defineProperty(l, 0, { get() { return l.indexOf(5) } }); return l.indexOf(5)",
    "reverse": "const l = [1, 2]; Object.defineProperty(l, 0, { get() { l.reverse() }, set(v) {} }); l.reverse()",
    "instance check": "const o = { [Symbol.hasInstance](v) { return v instanceof o } }; return 1 instanceof o",
    "switch": "function f(n) { switch (n) { case f(n + 1): return 1 } } return f(0)",
    "for in": "const o = { get x() { for (const k in o) return o[k] } }; return o.x",
    "number library": "class X { toString() { return new BigNumber(new X()).toString() } }"
    " return new BigNumber(new X())",
}


@pytest.fixture(scope="module")
def doubled() -> Iterator[Language]:
    """A realm with twice the limit, which says so when its own count ends a call."""

    def edit(text: str) -> str:
        return text.replace(LIMIT, "const DEPTH_SLOTS = 400000;").replace(OVERFLOW, COUNTED)

    with Language(edit) as language:
        yield language


@pytest.mark.parametrize("name", RECURSIONS)
def test_recursion_ends_in_the_languages_words(language: Language, name: str) -> None:
    assert language.run(RECURSIONS[name], limit=500_000_000).text == OVERFLOW


@pytest.mark.parametrize("name", RECURSIONS)
def test_the_count_ends_it_even_at_twice_the_limit(doubled: Language, name: str) -> None:
    assert doubled.run(RECURSIONS[name], limit=500_000_000).text == COUNTED


@pytest.mark.parametrize("depth", [1000, 3000])
def test_honest_recursion_has_room(language: Language, depth: int) -> None:
    body = f"function f(n) {{ return n === 0 ? 0 : 1 + f(n - 1) }} return f({depth})"

    assert language.run(body).text == str(depth)


def test_the_depth_is_the_same_cold_and_hot(language: Language) -> None:
    body = "function f(n) { storage.put('n', '' + n); return f(n + 1) } return f(0)"
    gas = {language.run(body, limit=500_000_000).gas for _ in range(5)}

    assert len(gas) == 1


def test_a_suspended_generator_holds_no_depth(language: Language) -> None:
    body = (
        "function* g() { yield 1; } const all = [];"
        " for (let i = 0; i < 20000; i++) { const x = g(); x.next(); all.push(x); }"
    )

    assert language.run(f"{body} return all.length").text == "20000"


WAITING = {
    "arguments are spread around it": "function* g() { f(...l, yield 1) } for (let i = 0; i < 3000; i++) g().next();",
    "a method gets them": "const o = { f }; function* g() { o.f(...l, yield 1) }"
    " for (let i = 0; i < 3000; i++) g().next();",
    "it is left in another": "function* h() { yield 1; yield 2 } function* g() { yield* h() }"
    " for (let i = 0; i < 6000; i++) for (const x of g()) break;",
    "it is ended in another": "function* h() { yield 1; yield 2 } function* g() { yield* h() }"
    " for (let i = 0; i < 6000; i++) { const w = g(); w.next(); w.return(); }",
    "it is ended in two others": "function* h() { yield 1; yield 2 } function* k() { yield* h() }"
    " function* g() { yield* k() } for (let i = 0; i < 6000; i++) for (const x of g()) break;",
    "it is ended before a call": "function* g() { f(...l, yield 1) }"
    " for (let i = 0; i < 3000; i++) for (const x of g()) break;",
}


@pytest.mark.parametrize("name", WAITING)
def test_a_generator_that_waits_holds_no_depth_when(language: Language, name: str) -> None:
    before = "function f() {} const l = new Array(100).join('x').split('x');"

    assert language.run(f"{WAITING[name]} return 'done'", before=before, limit=100_000_000).text == "done"


@pytest.mark.parametrize("call", ["f(...[], yield 1);", "new f(...[], yield 1);", "o.f(1, ...[2], yield 1, yield 2);"])
def test_a_generator_goes_on_at_the_depth_at_which_it_is_resumed(language: Language, call: str) -> None:
    before = f"""
      function f() {{}} const o = {{ f }}; const l = [];
      function* g(k) {{ {call} down(k + 1, 3000); }}
      function down(k, n) {{
        if (n > 0) return down(k, n - 1) + 1;
        if (k < 3) {{ l[k].next(); l[k].next(); }}
        return 0;
      }}"""
    body = "for (let k = 0; k < 3; k++) { l.push(g(k)); l[k].next(); } return down(0, 3000)"

    assert language.run(body, before=before, limit=100_000_000).text == OVERFLOW


def test_spread_arguments_of_a_generator_are_those_of_any_function(language: Language) -> None:
    before = """
      function f(...v) { return [this === undefined ? 'u' : this.n, new.target !== undefined, v.join('')].join(' '); }
      const o = { n: 'o', f };
      function* g() {
        const l = [1, 2]; o.m = []; o.m[(yield 'a') + 0] = f(...l, yield 'b', ...'xy');
        o.m.push(o.f(...l, f(...l, yield 'c'), yield 'd')); const n = new f(...l, yield 'e'); return o.m.join('|');
      }"""
    body = "const i = g(); let r = i.next(); let k = 0; while (!r.done) r = i.next(k++); return r.value"

    assert language.run(body, before=before).text == "u false 121xy|o false 12u false 1223"
