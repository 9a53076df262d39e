"""Finds what a script of the runtime keeps as long as its isolate lives: names of its outermost function that change.

Scripts are functions that run once. What they declare outside of inner functions outlives every call, so each such name
that can change is a way in which one call can change another. `kept_state` finds them in the text: every `let`, every
object made with `new` of a class or collection, every name that is assigned into, grown or emptied, and every property
of the shared namespace that a function assigns. It finds too much rather than too little; the one form that it cannot
see is a variable of an inner function that runs once.
"""

import re

LITERAL = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`(?:\\.|[^`\\])*`"
    r"|(?<=[=(,:?|&!;\n\[])(\s*)/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*",
    re.DOTALL,
)
DECLARED = re.compile(
    r"\b(let|var|const|class|function)\s+(\{[^}]*\}|\[[^\]]*\]|[A-Za-z_$][\w$]*)(\s*=\s*new\s+([A-Za-z_$][\w$]*))?"
)
NAME = re.compile(r"[A-Za-z_$][\w$]*")
NAMED = r"(?<![\w$.])([A-Za-z_$][\w$]*)"
PATH = r"(?:\??\.[\w$]+|\[[^\]=]*\])"
CHANGES = [
    re.compile(pattern)
    for pattern in (
        NAMED + PATH + r"+\s*(?:[-+*/%&|^]|<<|>>>?|\*\*|\|\||&&|\?\?)?=(?![=>])",
        NAMED + PATH + r"*\s*(?:\+\+|--)",
        r"(?:\+\+|--)" + NAMED,
        NAMED + r"(?:\.[\w$]+)*?\.(?:set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill)\(",
        r"(?:Prototype(?:Push|Pop|Shift|Unshift|Splice|Sort|Set|Add|Delete|Clear|Fill)|ObjectAssign|DefineProperty"
        r"|DefineProperties|SetPrototypeOf|Object\.assign|Object\.defineProperty)\(\s*" + NAMED + r"(?!\()",
        r"\bdelete\s+" + NAMED + r"[.\[]",
    )
]
NAMESPACE = re.compile(r"\bV8VM((?:\.[\w$]+)+)\s*(?:\?\?|\|\|)?=(?![=>])")
SEALED = {"Error", "Proxy"}
"""What `new` makes of these is not changed by its use."""


def blanked(text: str) -> str:
    """Returns a script with blanks for comments, texts and regular expressions."""
    return LITERAL.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def _depths(code: str) -> list[int]:
    depth, depths = 0, []
    for unit in code:
        depth += (unit == "{") - (unit == "}")
        depths.append(depth)
    return depths


def _bound(pattern: str) -> list[str]:
    """Names that a declaration binds: of `{ a, b: c, ...d }`, a, c and d."""
    if pattern[0] not in "{[":
        return [pattern]
    parts = pattern[1:-1].split(",")
    return [names[-1] for part in parts if (names := NAME.findall(part.split("=")[0]))]


def kept_state(text: str) -> set[str]:
    """Returns the names that outlive a call and can change, of a script; raises ValueError when it cannot be read."""
    code = blanked(text)
    depths = _depths(code)
    if depths[-1] != 0 or min(depths) < 0:
        raise ValueError("braces do not match")
    changed = {found.group(1) for change in CHANGES for found in change.finditer(code)}
    found: set[str] = set()
    for declared in DECLARED.finditer(code):
        kind, pattern, _, made = declared.groups()
        if depths[declared.start()] > 1:
            continue
        for name in _bound(pattern):
            if kind in ("let", "var") or (made is not None and made not in SEALED) or name in changed:
                found.add(name)
    for assigned in NAMESPACE.finditer(code):
        if depths[assigned.start()] > 1:
            found.add("V8VM" + assigned.group(1))
    return found
