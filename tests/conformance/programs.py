"""Random contract methods: small programs of the language that contracts are written in, the same for the same seed.

They terminate (loops are counted), and mostly make sense, so that what differs between two ways of running them is
more than the text of a first error.
"""

import random
from collections.abc import Callable

NAMES = ("x", "y", "z", "w")
TEXTS = ("", "a", "abc", "b c", "10", "0.5", "é中", "k")
NUMBERS = ("0", "1", "2", "7", "-3", "0.5", "1e3", "4294967296", "100")
BINARY = (
    "+",
    "-",
    "*",
    "/",
    "%",
    "**",
    "|",
    "&",
    "^",
    ">>",
    ">>>",
    "<<",
    "==",
    "!=",
    "===",
    "!==",
    ">",
    ">=",
    "<",
    "<=",
)
ASSIGN = ("=", "+=", "-=", "*=", "/=", "%=", "|=", "&=", "^=", "<<=", ">>=", ">>>=", "**=")
TEXT_CALLS = (
    "indexOf('b')",
    "includes('a')",
    "slice(1)",
    "split('')",
    "replace('a', 'zz')",
    "toUpperCase()",
    "trim()",
    "substring(0, 2)",
    "charAt(1)",
    "charCodeAt(0)",
    "concat('q', 1)",
    "repeat(2)",
    "startsWith('a')",
    "endsWith('c')",
    "lastIndexOf('c')",
    "length",
)
LIST_CALLS = (
    "map(v => v + 1)",
    "filter(v => v > 1)",
    "forEach(v => { x = v; })",
    "slice(0, 2)",
    "indexOf(2)",
    "join('-')",
    "concat([9])",
    "every(v => v !== null)",
    "find(v => v > 1)",
    "findIndex(v => v === 2)",
    "includes(1)",
    "reverse()",
    "sort()",
    "sort((p, q) => q - p)",
    "push(5)",
    "pop()",
    "shift()",
    "unshift(0)",
    "splice(0, 1, 3, 4)",
    "keys()",
    "length",
    "toString()",
)
LIBRARY = (
    "storage.put('k', String({}))",
    "storage.get('k')",
    "storage.has('n')",
    "storage.del('k')",
    "storage.mapPut('m', 'f' + i, `${{{}}}`)",
    "storage.mapGet('m', 'f0')",
    "storage.mapKeys('m')",
    "storage.mapLen('m')",
    "new BigNumber({}).plus(3).toString()",
    "new Int64(7).multi(3).toString()",
    "new Float64('2.5').div(4).toString()",
    "JSON.stringify({})",
    "JSON.parse('[1,{{\"a\":2}}]')",
    "Math.floor({})",
    "Math.max(1, {})",
    "Object.keys({{a: 1, b: {}}})",
    "Number({})",
    "isNaN({})",
    "Array.isArray({})",
    "IOSTCrypto.sha3('abc')",
    "typeof {}",
    "blockchain.contractName()",
    "block.number",
    "Object.assign({{}}, {{q: {}}})",
)


class Generator:
    """Makes method bodies; `a` and `b` are parameters, `i` the innermost loop's count."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._depth = 0
        self._functions = 0

    def pick(self, *choices: Callable[[], str]) -> str:
        self._depth += 1
        try:
            return self.random.choice(choices[:3] if self._depth > 5 else choices)()
        finally:
            self._depth -= 1

    # -- expressions -----------------------------------------------------------------------------------------------

    def expression(self) -> str:
        return self.pick(
            lambda: self.random.choice(NAMES),
            lambda: self.random.choice(NUMBERS),
            lambda: repr(self.random.choice(TEXTS)),
            self.binary,
            self.binary,
            self.binary,
            self.logical,
            self.conditional,
            self.unary,
            self.template,
            self.list,
            self.object,
            self.member,
            self.text_call,
            self.list_call,
            self.call,
            self.assignment,
            self.update,
            self.library,
            self.library,
            self.function,
            self.sequence,
            lambda: "this.helper(a)",
            lambda: "a",
            lambda: "b",
            lambda: "i",
            self.instance,
        )

    def binary(self) -> str:
        return f"({self.expression()} {self.random.choice(BINARY)} {self.expression()})".replace("(-3 **", "(3 **")

    def logical(self) -> str:
        return f"({self.expression()} {self.random.choice(('&&', '||'))} {self.expression()})"

    def conditional(self) -> str:
        return f"({self.expression()} ? {self.expression()} : {self.expression()})"

    def unary(self) -> str:
        return f"({self.random.choice(('!', '-', '+', '~', 'typeof ', 'void '))}({self.expression()}))"

    def template(self) -> str:
        return f"`t${{{self.expression()}}}u${{{self.expression()}}}`"

    def list(self) -> str:
        items = [self.expression() for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.2:
            items.append("...[1, 2]")
        return f"[{', '.join(items)}]"

    def object(self) -> str:
        parts = (
            f"p: {self.expression()}",
            f"['q' + 1]: {self.expression()}",
            "get r() { return 5; }",
            "s(v) { return v; }",
        )
        return f"({{{', '.join(self.random.sample(parts, self.random.randrange(4)))}}})"

    def member(self) -> str:
        part = self.random.choice((".p", "[0]", ".length", "['q1']", ".r"))
        return f"({self.expression()}){part}"

    def text_call(self) -> str:
        return f"String({self.expression()}).{self.random.choice(TEXT_CALLS)}"

    def list_call(self) -> str:
        return f"[1, 2, {self.expression()}].{self.random.choice(LIST_CALLS)}"

    def call(self) -> str:
        return f"{self.random.choice(('f', 'g', 'this.helper'))}({self.expression()}, {self.expression()})"

    def assignment(self) -> str:
        target = self.random.choice((*NAMES, "o.p", "o[i]", "o['q' + i]", "l[i]"))
        return f"({target} {self.random.choice(ASSIGN)} {self.expression()})"

    def update(self) -> str:
        target = self.random.choice((*NAMES, "o.p", "l[0]"))
        return self.random.choice((f"{target}++", f"--{target}"))

    def library(self) -> str:
        return self.random.choice(LIBRARY).format(self.expression())

    def function(self) -> str:
        return self.random.choice(
            (
                f"((v) => {self.expression()})(1)",
                f"(function (v) {{ return {self.expression()}; }})(2)",
                "((...r) => r.length)(1, 2, 3)",
            )
        )

    def sequence(self) -> str:
        return f"({self.expression()}, {self.expression()})"

    def instance(self) -> str:
        return self.random.choice(
            ("new B(3).get()", "new C(4).get()", "C.make().v", "new Error('e').message", "[...gen(3)].length")
        )

    # -- statements ------------------------------------------------------------------------------------------------

    def statement(self) -> str:
        return self.pick(
            lambda: f"{self.assignment()};",
            lambda: f"{self.expression()};".replace("({", "+({", 1),
            lambda: f"x = {self.expression()};",
            self.branch,
            self.loop,
            self.loop,
            self.while_loop,
            self.do_loop,
            self.for_in,
            self.for_of,
            self.switch,
            self.declaration,
            self.block,
            self.maybe_throw,
            self.maybe_return,
        )

    def statements(self, most: int = 3) -> str:
        return " ".join(self.statement() for _ in range(self.random.randrange(1, most + 1)))

    def branch(self) -> str:
        other = f" else {{ {self.statements()} }}" if self.random.random() < 0.5 else ""
        return f"if ({self.expression()}) {{ {self.statements()} }}{other}"

    def loop(self) -> str:
        end = self.random.choice(("if (i > 1) break;", "if (i === 1) continue;", ""))
        return f"for (let i = 0; i < {self.random.randrange(4)}; i++) {{ {self.statements()} {end} }}"

    def while_loop(self) -> str:
        return f"{{ let n = 0; while (n < 3) {{ n++; {self.statements()} }} }}"

    def do_loop(self) -> str:
        return f"{{ let n = 0; do {{ {self.statements()} n += 1; }} while (n < 2 && {self.expression()}); }}"

    def for_in(self) -> str:
        return f"for (const k in {{a: 1, b: {self.expression()}}}) {{ y = k; {self.statements()} }}"

    def for_of(self) -> str:
        return f"for (const v of [1, {self.expression()}]) {{ z = v; {self.statements()} }}"

    def switch(self) -> str:
        return (
            f"switch ({self.expression()}) {{ case 1: {self.statements()} break; "
            f"case {self.expression()}: {self.statements()} default: {self.statements()} }}"
        )

    def declaration(self) -> str:
        self._functions += 1
        name = f"d{self._functions}"
        return f"let {name} = {self.expression()}, {name}e; {self.random.choice(NAMES)} = {name};"

    def block(self) -> str:
        return f"{{ {self.statements()} }}"

    def maybe_throw(self) -> str:
        return f"if (i > 5) throw new Error('t' + {self.expression()});"

    def maybe_return(self) -> str:
        return f"if ({self.expression()} === 12345) return {self.expression()};"


def program(seed: int) -> str:
    """Returns a contract whose method `m(a, b)` is made from the seed."""
    made = Generator(seed)
    return f"""
const i = 0;
function* gen(n) {{ for (let j = 0; j < n; j++) yield j; }}
class B {{ constructor(v) {{ this.v = v; }} get() {{ return this.v + 1; }} }}
class C extends B {{ static make() {{ return new C(9); }} get() {{ return super.get() * 2; }} }}
class Program {{
    init() {{}}
    helper(v) {{ return v === undefined ? 1 : v; }}
    m(a, b) {{
        let x = 1, y = 'text', z = [3, 1, 2], w = {{p: 1}}, o = {{p: 2, q0: 1}}, l = [4, 5, 6];
        const f = (v) => v, g = function (p, q) {{ return q; }};
        {made.statements(6)}
        return [x, y, z, w, o, l];
    }}
}}
module.exports = Program;
"""
