"""Sources of many shapes that grow to any size: what a pass of the compiler could spend more than linear work on."""

from collections.abc import Callable, Mapping
from itertools import count, islice, pairwise, product
from typing import Final

MAX_SOURCE_CHARS: Final = 65_536
"""Size limit of a source."""

HEAD: Final = "class C { init() {} run() { return 1; } }\n"
TAIL: Final = "\nmodule.exports = C;"

_FIRST: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$_"
_LATER: Final = _FIRST + "0123456789"
_WORDS: Final = frozenset({"as", "do", "if", "in", "of", "for", "let", "new", "var", "get", "set", "try"})


def names(length: int) -> list[str]:
    """Returns so many different short names."""
    found: list[str] = []
    for size in count(1):
        for head in _FIRST:
            words = ("".join((head, *rest)) for rest in product(_LATER, repeat=size - 1))
            found += islice((word for word in words if word not in _WORDS), length - len(found))
            if len(found) == length:
                return found
    raise AssertionError


def _fill(room: int, part: Callable[[int], str], joint: str = "") -> str:
    """Returns as many numbered parts as there is room for."""
    parts: list[str] = []
    used = 0
    for at in count():
        text = part(at)
        used += len(text) + len(joint)
        if used > room:
            return joint.join(parts)
        parts.append(text)
    raise AssertionError


def _same(text: str, joint: str = "", *, before: str = "", after: str = "") -> Callable[[int], str]:
    return lambda room: before + _fill(room - len(before) - len(after), lambda _: text, joint) + after


def _numbered(
    part: Callable[[str, str], str], joint: str = "", *, before: str = "", after: str = ""
) -> Callable[[int], str]:
    """Parts made of a name and the next name."""

    def shape(room: int) -> str:
        words = names(room // 2 + 2)
        return before + _fill(room - len(before) - len(after), lambda i: part(words[i], words[i + 1]), joint) + after

    return shape


def _nested(opening: str, middle: str, closing: str, depth: int) -> Callable[[int], str]:
    """Groups of parts in each other, as deep as may be, one group after the other."""
    return _same(opening * depth + middle + closing * depth + ";")


def _halves(first: Callable[[int], str], second: Callable[[int], str]) -> Callable[[int], str]:
    return lambda room: first(room // 2) + second(room - room // 2)


def _inside(opening: str, closing: str, depth: int, inner: Callable[[int], str]) -> Callable[[int], str]:
    """One deep nest whose innermost part takes the room."""
    return lambda room: opening * depth + inner(room - depth * len(opening + closing)) + closing * depth


def _in_function(shape: Callable[[int], str]) -> Callable[[int], str]:
    return lambda room: "function f() {" + shape(room - 16) + "}"


_LETS: Final = _numbered(lambda name, _: name, ",", before="let ", after=";")

SHAPES: Final[Mapping[str, Callable[[int], str]]] = {
    "names that cease to be numbers one by one": _in_function(
        _numbered(lambda name, following: f"{name}={following}", ",", before="let ", after=";")
    ),
    "numbers of numbers": _in_function(
        _numbered(lambda name, following: f"{following}={name}", ",", before="let a=1,", after=";")
    ),
    "one name written often": _same("a=a+1;", before="let a=1;"),
    "sums of names": _in_function(
        lambda room: "let " + ",".join(f"{n}={m}+{m}" for n, m in pairwise(names(room // 12))) + ";"
    ),
    "many names": _in_function(_LETS),
    "many variables": _numbered(lambda name, _: f"var {name};"),
    "many names and blocks with names": _halves(_LETS, _same("{let a}")),
    "many names and functions in blocks": _in_function(_halves(_LETS, _same("{function a(){}}"))),
    "functions in blocks": _numbered(lambda name, _: f"{{function {name}(){{}}}}"),
    "functions in blocks beside functions": _halves(_same("{function a(){}}"), _same("x(()=>{});")),
    "functions in blocks of functions": _same("function f(){{function a(){}}}"),
    "arrow functions": _same("x(()=>{});"),
    "arrow functions of expressions": _same("x(a=>a);"),
    "arrows in arrows": _nested("a=>", "a", "", 6),
    "arrows in lists of arrows": _nested("a=>[", "a_name_of_some_length", "]", 3),
    "arrows that see their function": _nested("a=>[this,", "a_name_of_some_length", "]", 3),
    "functions in functions": _nested("(function(){", "", "})()", 20),
    "function arguments": _same("(function(){})", ",", before="x(", after=");"),
    "function arguments of a chain": _same("(function(){})()", ",", before="x(", after=");"),
    "statements": _same("a;"),
    "empty statements": _same(";"),
    "calls": _same("a();"),
    "blocks": _same("{}"),
    "blocks in blocks": _nested("{", "let a=1", "}", 8),
    "names deep in blocks": _inside("{let b;", "}", 30, _same("name_of_some_length;")),
    "variables deep in loops": _inside(
        "for(;;)", ";", 1, _inside("if(a)", "", 20, _same("a_name_of_some_length", ",", before="var "))
    ),
    "different variables deep in blocks": _inside(
        "{let $b;", "}", 30, _numbered(lambda name, _: name + "_of_some_length", ",", before="var ")
    ),
    "additions": _same("+".join(["a"] * 900) + ";"),
    "comparisons": _same("<".join(["a"] * 900) + ";"),
    "operators in": _same(" in ".join(["a"] * 300) + ";"),
    "logic": _same("&&".join(["a"] * 300) + ";"),
    "members": _same("a" + ".a" * 900 + ";"),
    "call chains": _same("a" + "()" * 190 + ";"),
    "conditions in conditions": _nested("a?a:", "a", "", 300),
    "conditions": _same("a?a:a;"),
    "else after else": _nested("if(a);else ", "a", "", 15),
    "labels in labels": lambda room: _fill(
        room, lambda _: ":".join(f"label_{i}" for i in range(10)) + ":for(;;){break label_7}" + ";"
    ),
    "labels": _same("a:for(;;)break a;"),
    "jumps deep in labels": lambda room: (
        ":".join(f"label_{i}" for i in range(30)) + ":for(;;){" + "break label_7;" * (room // 14 - 25) + "}"
    ),
    "lists": _same("a", ",", before="x=[", after="];"),
    "lists in lists": _nested("[", "a_name_of_some_length", "]", 8),
    "objects": _numbered(lambda name, _: f"{name}:1", ",", before="x={", after="};"),
    "objects in objects": _nested("x={a:", "1", "}", 12),
    "members written": _numbered(lambda name, _: f"a.{name}=1;"),
    "members counted": _same("a.b++;"),
    "operator assignments": _same("a.b+=1;"),
    "operator assignments in each other": _nested("a[b+=", "1", "]", 8),
    "classes": _same("x=class{};"),
    "methods": _numbered(lambda name, _: f"{name}(){{}}", before="class D {", after="}"),
    "methods and comments": _halves(
        lambda room: "class D {" + "/**/" * (room // 4), _numbered(lambda name, _: f"{name}(){{}}", after="}")
    ),
    "cases": _same("case a:b;", before="switch(a){", after="}"),
    "names in cases": _numbered(lambda name, _: f"case 1:let {name};", before="switch(a){", after="}"),
    "functions in cases": _numbered(lambda name, _: f"case 1:function {name}(){{}}", before="switch(a){", after="}"),
    "long texts": lambda room: "x='" + "a" * (room - 6) + "';",
    "escaped texts": _same("\\n", before="x='", after="';"),
    "templates": _same("`${a}`;"),
    "holes of a template": _same("x=`" + "${a}" * 150 + "`;"),
    "long comments": lambda room: "/*" + "a" * (room - 4) + "*/",
    "comments": _same("/**/"),
    "lines": _same("//\n"),
    "generators": _in_function(_same("x=function*(){yield a};")),
    "spread": _same("x(...a);"),
    "parameters": _numbered(lambda name, _: name, ",", before="function f(", after="){}"),
    "default values": _numbered(lambda name, _: f"{name}=1", ",", before="function f(", after="){}"),
    "throws": _same("function f(){throw a}"),
    "fields of this": _numbered(lambda name, _: f"this.{name}=1;", before="function F(){", after="}"),
    "unknown names": _numbered(lambda name, _: f"{name}=1;"),
    "numbers": _same("1", ",", before="x=[", after="];"),
}
"""Body of a source by shape, for the room that it has."""


def source(shape: str, size_chars: int) -> str:
    """Returns a contract of a shape, nearly as long as asked."""
    return HEAD + SHAPES[shape](size_chars - len(HEAD) - len(TAIL)) + TAIL
