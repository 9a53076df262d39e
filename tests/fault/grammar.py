"""Random contracts: programs of the contract language, biased to what a contract has to attack with.

Values are strange on purpose: objects whose conversions, getters and iterators run code, arrays with gaps and
accessors, texts that look like keys, numbers at the edges. Receivers mostly fit their methods, since nothing catches an
error: a program that throws at once tests little. Equal seeds give equal programs.
"""

from collections.abc import Callable, Sequence
from random import Random

MAX_DEPTH = 4
"""Expressions in each other."""

STRANGE = 0.05
"""Share of receivers and arguments that are anything at all."""


def _words(text: str) -> list[str]:
    return text.split()


NAMES = _words("a b c d f g o x y z")
KINDS = ("[1,2,3]", '"abc"', "7", "({a:1})", "((v)=>v)")
"""What the names hold: one of each kind, and again."""

KEYS = _words("""length constructor prototype __proto__ toString valueOf toJSON name message stack number exports
    caller arguments callee s e c a b 0 1 -1 20 5000 4294967294 then hasOwnProperty raw next return throw value done get
    set""")
SYMBOLS = _words(
    """iterator toPrimitive hasInstance isConcatSpreadable species toStringTag unscopables split replace"""
)
NUMBERS = _words("""0 -0 1 -1 2 7 0.1 1e21 1e-7 1e308 5e-324 NaN Infinity -Infinity 255 1000 2147483647 2147483648
    4294967295 4294967296 9007199254740993 0x1f 100000""")
TEXTS = (
    *(
        "",
        "a",
        "abc",
        "0",
        "1e3",
        " 12 ",
        "__proto__",
        "length",
        "0123456789" * 7,
        "é",
        "\\ud800",
        "\\u2028",
        "\\ufeffk",
    ),
    *("$&", "$'", "[1,2]", '{"a":1}', '{"__proto__":{"x":1}}', "a,b,c", "0x10", "-", "@", "a-b", "alice", "iost"),
    *("token.iost", "1e400", "-0", "5000", "constructor"),
)
LONG_TEXTS = ('"a"', '"ab,"', '"["', '"\\u0130"', '"9"')

ARRAY_METHODS = _words("""concat every filter find findIndex forEach includes indexOf join keys lastIndexOf map pop push
    reverse shift slice sort splice unshift toString fill""")
TEXT_METHODS = _words("""charAt charCodeAt concat includes endsWith indexOf lastIndexOf replace search split startsWith
    slice substring toLowerCase toUpperCase trim trimLeft trimRight repeat toString""")
OBJECT_FUNCTIONS = _words("""assign create defineProperties defineProperty entries freeze getOwnPropertyDescriptor
    getOwnPropertyDescriptors getOwnPropertyNames getOwnPropertySymbols getPrototypeOf is isExtensible isFrozen
    isSealed keys preventExtensions seal setPrototypeOf values""")
OBJECT_METHODS = _words("""hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf
    __defineGetter__ __lookupGetter__ __lookupSetter__""")
MATH_FUNCTIONS = _words("abs cbrt ceil floor log log10 log1p max min pow round sqrt")
NUMBER_METHODS = _words("toString toFixed toExponential toPrecision valueOf")
BIG_METHODS = _words("""plus minus times div idiv mod pow sqrt eq gt lt abs negated toFixed toString toNumber dp sd
    integerValue toExponential toPrecision comparedTo isInteger toFraction shiftedBy valueOf toJSON""")
INT64_METHODS = _words("plus minus multi div mod pow eq gt lte negated toString toFixed")
STORAGE_METHODS = _words("""put get has del mapPut mapGet mapHas mapKeys mapLen mapDel globalGet globalHas globalMapGet
    globalMapHas globalMapKeys globalMapLen""")
CHAIN_METHODS = _words("""blockInfo contextInfo contractName publisher contractOwner call callWithAuth requireAuth
    receipt event transfer withdraw deposit""")
CRYPTO_METHODS = _words("sha3 sha3Hex ripemd160Hex verify")
GLOBALS = _words("""Object Array String Number Symbol Error JSON Math BigNumber Int64 Float64 storage blockchain console
    block module require undefined MaxInt64""")
BINARY = _words("+ - * / % ** | & ^ >> >>> << == != === !== > >= < <= in instanceof && || ,")
ASSIGNING = _words("= = = += -= *= **= |= >>=")
PARENTS = (
    "Object",
    "Array",
    "String",
    "Number",
    "Error",
    "BigNumber",
    "Int64",
    "(class { m() { return 1; } })",
    "null",
)

HELPERS = {
    "limit": "function limit() { let l; const n = new Int64(1); n.number = { isInteger() { return true; },"
    " gt(v) { l = v; return false; }, lt() { return false; } }; n._validate(); return l; }",
    "far": "function far(o, n) { let q = o; for (let i = 0; i < n; i++)"
    " { const p = {}; Object.setPrototypeOf(q, p); q = p; } return o; }",
    "derived": "function derived(n) { let k = class {};"
    " for (let i = 0; i < n; i++) k = class extends k {}; return k; }",
    "steps": "function steps(f, n) { let i = 0; return { [Symbol.iterator]() { return this; },"
    " next() { return { done: i >= n, value: i++ }; }, return(v) { f(v); return {}; } }; }",
    "waits": "function* waits(f, l) { f(...l, yield 1, ...l, yield 2); yield* waits(f, l); }",
}
"""Functions of programs that use them: what lies far apart in a text, and is needed together."""

LONG_NAMES = (16_382, 16_383, 16_384)
LINES = _words("%s %v %d %% %i %s%s %v%d x%sy %")
REPLACEMENTS = _words("$& $` $' $$ $1 [$&$&] $")
PATTERNS = _words("a+ b|c [a-c]* (ab)?c ^a . a{2} \\\\x61 ( [")

Maker = tuple[int, Callable[[], str]]
"""A weight, and what writes a piece of text."""


class Grammar:
    """Writes programs."""

    def __init__(self, seed: int) -> None:
        """Starts from a seed."""
        self._random = Random(seed)
        self._depth = 0
        self._in_generator = False
        self._known = True  # whether the names hold something
        self._helpers: set[str] = set()

    def _pick(self, options: Sequence[str]) -> str:
        return self._random.choice(options)

    def _one(self, *makers: Maker) -> str:
        return self._random.choices([make for _, make in makers], [weight for weight, _ in makers])[0]()

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _name(self, kind: int) -> str:
        """A name that holds a value of a kind, by the kind's place in `KINDS`."""
        return self._pick(NAMES[kind :: len(KINDS)]) if self._known else KINDS[kind]

    def _several(self, make: Callable[[], str], most: int, between: str = ",") -> str:
        return between.join(make() for _ in range(self._random.randrange(most + 1)))

    # -- program ---------------------------------------------------------------------------------------------------

    def program(self) -> str:
        """Returns a contract with the method `run`."""
        top = " ".join(f"var {name}={make()};" for name, make in self._values().items())
        self._known = True
        self._depth = 0
        top += self._several(self._top_level, 1, " ")
        self._depth = 1
        body = f"{self._statements(self._random.randrange(1, 4))} return {self.expression()};"
        top = " ".join([*(HELPERS[name] for name in sorted(self._helpers)), top])
        return f"{top}\nclass C {{ init() {{}} run() {{ {body} }} }}\nmodule.exports = C;"

    def _values(self) -> dict[str, Callable[[], str]]:
        """What each name holds at first."""
        self._depth = MAX_DEPTH - 2
        self._known = False
        kinds = (self._array, self._text, self._number, self._object_literal, self._function)
        return {name: kinds[place % len(kinds)] for place, name in enumerate(NAMES)}

    def _top_level(self) -> str:
        name = self._pick("hkm")
        parts = f"{name}({self._parameters()}) {{ {self._statements(2)}"
        return self._one(
            (3, lambda: f"function {parts} return {self.expression()}; }}"),
            (2, lambda: f"var {name}={self.expression()};"),
            (1, lambda: self._generator(name)),
        )

    def _generator(self, name: str) -> str:
        before, self._in_generator = self._in_generator, True
        text = f"function* {name}({self._parameters()}) {{ {self._statements(2)} yield {self.expression()}; }}"
        self._in_generator = before
        return text

    def _parameters(self) -> str:
        names = self._random.sample(NAMES, self._random.randrange(4))
        if names and self._chance(0.2):
            names[-1] = f"...{names[-1]}"
        elif names and self._chance(0.2):
            names[-1] = f"{names[-1]}={self.expression()}"
        return ",".join(names)

    # -- statements ------------------------------------------------------------------------------------------------

    def _statements(self, count: int) -> str:
        return " ".join(self._statement() for _ in range(count))

    def _statement(self) -> str:
        if self._depth >= MAX_DEPTH:
            return f"{self._pick(NAMES)};"
        self._depth += 1
        text = self._one(
            (10, lambda: f"{self.expression()};"),
            (6, lambda: f"{self._target()}{self._pick(ASSIGNING)}{self.expression()};"),
            (2, lambda: f"var v{self._random.randrange(9)}={self.expression()};"),
            (2, lambda: f"if({self.expression()}){{ {self._statements(2)} }} else {self._statement()}"),
            (1, lambda: f"if({self.expression()}) throw {self.expression()};"),
            (1, lambda: f"yield {self.expression()};" if self._in_generator else f"{{ {self._statements(2)} }}"),
            (1, lambda: f"switch({self.expression()}){{ case {self.expression()}: {self._statement()} default: }}"),
            (4, self._loop),
            (2, self._left_loop),
        )
        self._depth -= 1
        return text

    def _help(self, name: str) -> str:
        self._helpers.add(name)
        return name

    def _left_loop(self) -> str:
        """A loop whose iterator learns that it is left."""
        left = self._one(
            (2, lambda: "break;"),
            (2, lambda: f"throw {self.expression()};"),
            (1, lambda: "continue;"),
            (1, lambda: f"if({self.expression()}) break;"),
        )
        iterable = self._one(
            (3, lambda: f"{self._help('steps')}({self._function()},{self._pick('0123')})"),
            (2, lambda: f"{self._help('waits')}({self._function()},{self._array()})"),
            (1, lambda: f"(function*(){{ yield* {self._help('waits')}({self._function()},[1]); }})()"),
        )
        return f"for(const {self._pick(NAMES)} of {iterable}){{ {self._statements(1)} {left} }}"

    def _loop(self) -> str:
        return self._one(
            (2, lambda: f"for(let i=0;i<{self._pick(('3', '20', '1e9'))};i++){{ {self._statements(2)} }}"),
            (2, lambda: f"for(const {self._pick(NAMES)} of {self._array()}){{ {self._statements(1)} break; }}"),
            (2, lambda: f"for({self._target()} in {self.expression()}){{ {self._statements(1)} }}"),
            (1, lambda: f"while({self.expression()}){{ {self._statements(2)} break; }}"),
            (1, lambda: f"l{self._depth}: for(;;){{ {self._statement()} break l{self._depth}; }}"),
        )

    def _target(self) -> str:
        return self._one(
            (4, lambda: self._pick(NAMES)),
            (3, lambda: f"{self._object()}[{self._key()}]"),
            (2, lambda: f"{self._object()}.{self._property()}"),
            (1, lambda: f"{self._pick(GLOBALS)}.{self._property()}"),
        )

    def _property(self) -> str:
        key = self._pick(KEYS)
        return key if key.isidentifier() else "length"

    # -- expressions -----------------------------------------------------------------------------------------------

    def expression(self) -> str:
        """Returns an expression that stands in parentheses where it needs some."""
        if self._depth >= MAX_DEPTH:
            return self._leaf()
        self._depth += 1
        text = self._one(
            (8, self._leaf),
            (7, self._literal),
            (14, self._call),
            (5, lambda: f"({self.expression()} {self._pick(BINARY)} {self.expression()})"),
            (2, lambda: f"({self._pick(('-', '+', '!', '~', 'typeof ', 'void '))}({self.expression()}))"),
            (1, lambda: f"(delete {self._object()}[{self._key()}])"),
            (2, lambda: f"({self.expression()}?{self.expression()}:{self.expression()})"),
            (3, lambda: f"{self._object()}[{self._key()}]"),
            (2, lambda: f"{self._object()}.{self._property()}"),
            (2, lambda: f"({self._target()}={self.expression()})"),
            (1, lambda: f"({self._pick(NAMES)}{self._pick(('++', '--'))})"),
            (1, lambda: f"`{self._pick(('', 'x'))}${{{self.expression()}}}x`"),
            (1, lambda: f"{self._function()}`a${{{self.expression()}}}b`"),
            (1, lambda: self._pick(("this", "arguments", "new.target") if self._known else ("this",))),
            (5, self._special),
        )
        self._depth -= 1
        return text

    def _special(self) -> str:
        """What attackers have found useful."""
        return self._one((4, self._of_chains), (4, self._of_texts), (3, self._of_names), (3, self._of_consoles))

    def _of_chains(self) -> str:
        length = self._pick(("2", "9", "15", "17", "40"))
        return self._one(
            (2, lambda: f"{self._help('far')}({self._object()},{length})"),
            (1, lambda: f"new ({self._help('derived')}({length}))({self._list()})"),
            (1, lambda: f"Object.create({self._help('limit')}())"),
            (1, lambda: f"{self._help('limit')}().c.{self._pick(ARRAY_METHODS)}({self._list()})"),
            (2, lambda: f"{self._function()}.bind({self._list()}).bind({self._list()})"),
            (1, lambda: f"({self._object()} instanceof {self._function()}.bind({self._list()}))"),
            (1, lambda: f"{self._object()}.isPrototypeOf({self._object()})"),
            (1, self._crowded),
        )

    def _crowded(self) -> str:
        """An object of a class with many fields."""
        fields = " ".join(f"this.f{i}={self._leaf()};" for i in range(self._random.choice((3, 40, 130))))
        return f"new (class {{ constructor() {{ {fields} }} }})()"

    def _of_texts(self) -> str:
        return self._one(
            (2, lambda: f'{self._text()}.replace({self._text()},"{self._pick(REPLACEMENTS)}")'),
            (2, lambda: f"{self._text()}.replace({self._text()},{self._function()})"),
            (1, lambda: f'{self._text()}.search("{self._pick(PATTERNS)}")'),
            (1, lambda: f"String.raw({self._object()},{self._list()})"),
            (1, lambda: f"String.raw({{raw:{self._array()}}},{self._list()})"),
            (1, lambda: f"((v)=>v)`a${{{self.expression()}}}\\n`.{self._pick(('raw', 'concat()', 'length'))}"),
            (1, lambda: f"(function(){{ switch({self.expression()}){{ case {self.expression()}: return 1; }} }})()"),
            (1, lambda: f'JSON.parse(\'["{self._pick(NUMBERS)}","{self._random.randrange(2**33)}"]\')'),
            (1, lambda: f"Object.is({self._text()},{self._text()})"),
            (1, lambda: f"new Error({self.expression()}).stack"),
        )

    def _of_names(self) -> str:
        name = f"{self._pick(LONG_TEXTS[:1])}.repeat({self._random.choice(LONG_NAMES)})"
        return self._one(
            (2, lambda: f"{self._object()}[{name}]"),
            (1, lambda: f"({self._object()}[{name}]={self.expression()})"),
            (1, lambda: f"({name} in {self._object()})"),
            (1, lambda: f"Symbol.for({name})"),
            (1, lambda: f"require({name})"),
            (1, lambda: f"({{[{name}]:{self.expression()}}})"),
        )

    def _of_consoles(self) -> str:
        line = f'"{self._pick(LINES)}"'
        return self._one(
            (2, lambda: f"console.log.call({{info:{self._function()}}},{self._list()})"),
            (1, lambda: f"console.info.call({{_format:{self._function()}}},{self._list()})"),
            (1, lambda: f"console.log.apply({{get info(){{ return {self._function()}; }}}},{self._array()})"),
            (2, lambda: f"format({line},{self._list()})"),
            (1, lambda: f"formatWithOptions({self._object()},{line},{self._list()})"),
            (1, lambda: f"new Console()._format({line},{self._list()})"),
            (1, lambda: f"{self._object()}.toLocaleString()"),
            (1, lambda: "Object.defineProperty({},'toString',{get:Object.prototype.toLocaleString})"),
            (1, lambda: "blockchain.txInfo()"),
            (1, lambda: f"blockchain.call(blockchain.contractName(),'run',{self._array()})"),
        )

    def _of(self, *makers: Maker) -> str:
        """Something of a kind, or for once anything."""
        if self._chance(STRANGE):
            return f"({self._leaf()})"
        if self._depth >= MAX_DEPTH:
            return f"({makers[0][1]()})"
        self._depth += 1
        text = f"({self._one(*makers)})"
        self._depth -= 1
        return text

    def _array(self) -> str:
        return self._of(
            (3, lambda: self._name(0)),
            (5, lambda: f"[{self._list()}]"),
            (1, lambda: f"[,{self.expression()},,]"),
            (1, lambda: f"{self._text()}.split({self._text()})"),
            (1, lambda: f"Object.keys({self._object()})"),
            (1, lambda: f"new Array({self._pick(('3', '100', '20000'))})"),
            (1, lambda: f"Object.defineProperty([1,2],{self._key()},{{get(){{ return {self.expression()}; }}}})"),
            (1, lambda: f"new (class extends Array {{}})({self._list()})"),
            (2, lambda: f"{self._array()}.{self._pick(('map', 'filter', 'concat', 'slice'))}({self._function()})"),
        )

    def _text(self) -> str:
        return self._of(
            (3, lambda: self._name(1)),
            (6, self._quoted),
            (1, lambda: f"{self._pick(LONG_TEXTS)}.repeat({self._pick(('9', '300', '70000'))})"),
            (1, lambda: f"String({self.expression()})"),
            (1, lambda: f"{self._array()}.join({self._quoted()})"),
            (1, lambda: f"new String({self._quoted()})"),
        )

    def _number(self) -> str:
        return self._of(
            (3, lambda: self._name(2)),
            (5, lambda: self._pick(NUMBERS)),
            (1, lambda: f"Number({self.expression()})"),
        )

    def _object(self) -> str:
        return self._of(
            (3, lambda: self._name(3)),
            (4, self._object_literal),
            (2, self._array),
            (1, self._function),
            (3, lambda: self._pick(NAMES)),
        )

    def _function(self) -> str:
        return self._of(
            (3, lambda: self._name(4)),
            (4, lambda: f"({self._parameters()})=>{self.expression()}"),
            (3, lambda: f"function({self._parameters()}){{ {self._statements(1)} return {self.expression()}; }}"),
            (1, lambda: self._generator("")),
            (1, self._class),
        )

    def _key(self) -> str:
        return self._one(
            (4, lambda: f'"{self._pick(KEYS)}"'), (2, lambda: f"Symbol.{self._pick(SYMBOLS)}"), (3, self.expression)
        )

    def _leaf(self) -> str:
        return self._one(
            (6, lambda: self._name(self._random.randrange(len(KINDS)))),
            (4, lambda: self._pick(NUMBERS)),
            (4, self._quoted),
            (1, lambda: self._pick(("null", "undefined", "true", "false"))),
            (1, lambda: self._pick(GLOBALS)),
        )

    def _quoted(self) -> str:
        text = self._pick(TEXTS)
        quote = "'" if '"' in text else '"'
        return f"{quote}{text}{quote}"

    # -- literals --------------------------------------------------------------------------------------------------

    def _literal(self) -> str:
        return self._one((3, self._array), (5, self._object_literal), (5, self._function), (2, self._text))

    def _list(self) -> str:
        items = [self.expression() for _ in range(self._random.randrange(4))]
        if items and self._chance(0.15):
            items[-1] = f"...{self._array()}"
        return ",".join(items)

    def _object_literal(self) -> str:
        return f"({{{self._several(self._member, 3)}}})"

    def _member(self) -> str:
        computed = f"[Symbol.{self._pick(SYMBOLS)}]"
        return self._one(
            (4, lambda: f'"{self._pick(KEYS)}":{self.expression()}'),
            (
                2,
                lambda: (
                    f"{self._pick(('toString', 'valueOf', 'toJSON', computed))}(v){{ return {self.expression()}; }}"
                ),
            ),
            (2, lambda: f"get {self._property()}(){{ return {self.expression()}; }}"),
            (1, lambda: f"set {self._property()}(v){{ {self._statement()} }}"),
            (1, lambda: f"*[Symbol.iterator](){{ yield {self._leaf()}; }}"),
            (1, lambda: f"[{self.expression()}]:{self.expression()}"),
        )

    def _class(self) -> str:
        parent = f" extends {self._pick(PARENTS)}" if self._chance(0.5) else ""
        made = "super();" if parent and "null" not in parent else ""
        constructor = f"constructor({self._parameters()}){{ {made} {self._statement()} }}" if self._chance(0.4) else ""
        method = f"{'static ' if self._chance(0.3) else ''}m({self._parameters()}){{ return {self.expression()}; }}"
        return f"class{parent} {{ {constructor} {method} get p(){{ return {self._leaf()}; }} }}"

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self) -> str:
        return self._one((20, self._method_call), (12, self._library_call), (8, self._plain_call))

    def _method_call(self) -> str:
        return self._one(
            (6, lambda: f"{self._array()}.{self._pick(ARRAY_METHODS)}({self._function()})"),
            (4, lambda: f"{self._array()}.{self._pick(ARRAY_METHODS)}({self._list()})"),
            (5, lambda: f"{self._text()}.{self._pick(TEXT_METHODS)}({self._text()})"),
            (3, lambda: f"{self._text()}.{self._pick(TEXT_METHODS)}({self._list()})"),
            (2, lambda: f"Array.prototype.{self._pick(ARRAY_METHODS)}.call({self._object()},{self.expression()})"),
            (2, lambda: f"String.prototype.{self._pick(TEXT_METHODS)}.call({self._object()},{self.expression()})"),
            (6, lambda: f"Object.{self._pick(OBJECT_FUNCTIONS)}({self._object()},{self._object()})"),
            (2, lambda: f"{self._object()}.{self._pick(OBJECT_METHODS)}({self._key()})"),
            (2, lambda: f"{self._number()}.{self._pick(NUMBER_METHODS)}({self._number()})"),
            (2, lambda: f"Object.defineProperty({self._object()},{self._key()},{self._object_literal()})"),
        )

    def _library_call(self) -> str:
        return self._one(
            (2, lambda: f"Math.{self._pick(MATH_FUNCTIONS)}({self._number()},{self.expression()})"),
            (2, lambda: f"JSON.parse({self._text()},{self._function()})"),
            (3, lambda: f"JSON.stringify({self.expression()},{self._one((2, self._function), (1, self._array))})"),
            (4, lambda: f"new BigNumber({self._number()}).{self._pick(BIG_METHODS)}({self.expression()})"),
            (2, lambda: f"new {self._pick(('Int64', 'Float64'))}({self._number()}).{self._pick(INT64_METHODS)}(2)"),
            (4, lambda: f"storage.{self._pick(STORAGE_METHODS)}({self._text()},{self._text()},{self._text()})"),
            (2, lambda: f"blockchain.{self._pick(CHAIN_METHODS)}({self._text()},{self._text()},{self.expression()})"),
            (1, lambda: f"IOSTCrypto.{self._pick(CRYPTO_METHODS)}({self._text()})"),
            (1, lambda: f"console.log({self._list()})"),
            (1, lambda: f"Symbol.for({self._leaf()})"),
        )

    def _plain_call(self) -> str:
        return self._one(
            (4, lambda: f"{self._function()}({self._list()})"),
            (2, lambda: f"new {self._function()}({self._list()})"),
            (2, lambda: f"{self._function()}.{self._pick(('call', 'bind'))}({self._list()})"),
            (1, lambda: f"{self._function()}.apply({self.expression()},{self._array()})"),
            (2, lambda: f"{self._pick(('Array', 'String', 'Number', 'Object', 'Error', 'isNaN'))}({self._list()})"),
        )
