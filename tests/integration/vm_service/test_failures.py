"""Where calls fail: contract, method, line and column, outside receipts and without any effect on them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from iost.vm.v1 import execution_service_pb2 as pb
from tests.support.kernel_world import KernelWorld
from vm_service import convert
from vm_service.worker import tracing

STATEMENTS = {
    "an engine error": "const none = null;\nreturn none.@length;",
    "a call of what is no function": "const list = [1];\nlist\n    .@missing(1);",
    "an unknown name": "return 1 + @unknown;",
    "a thrown object": "const odd = true;\nif (odd) { @throw {code: 42}; }",
    "a thrown text": "let text = 'a';\ntext += 'b';\n@throw text;",
    "an error thrown later": "const error = new Error('made before');\nstorage.get('x');\n@throw error;",
    "an error of a helper": "const fail = function () { @throw new Error('inside'); };\nfail();",
    "a refused argument": "storage.get('x');\nstorage.@put('a', 7);",
    "a method of a number": "const number = new BigNumber(1);\nreturn number.@half();",
    "an assignment": "const none = undefined;\n@none.x = 1;",
    "a computed assignment": "const none = undefined, key = 'k';\n@none[key] = 1;",
    "an increment": "const none = undefined;\n@none.x++;",
    "a constant": "const fixed = 1;\n@fixed = 2;",
    "a use before its declaration": "const b = 1;\nconst copy = @later;\nlet later = a;",
    "a new of what is no class": "const odd = 5;\nreturn @new odd();",
    "a loop over what has no items": "let sum = 0;\nfor (const item of @sum) sum += item;",
    "a test of a loop": "let none;\nwhile (none.@more) none = 1;",
    "an update of a loop": "let none;\nfor (let i = 0; i < 2; none.@x()) i++;",
    "a switch": "let none;\nswitch (none.@kind) { case 1: return 1; }",
    "a branch": "let none;\nreturn a === 'x' ? 1 : none.@other;",
    "a template": "let none;\nreturn `first\n${none.@text}`;",
    "a spread": "const five = 5;\nreturn @[1, ...five];",
    "an arrow": "const list = [{}];\nreturn list.map((item) => item.part.@whole);",
    "a generator": "let none;\nconst make = function* () { yield 1;\nyield none.@two; };\nfor (const one of make()) {}",
    "a getter": "const box = { get inner() { let none; return none.@more; } };\nreturn box.inner;",
    "a default value": "let none;\nconst read = (x = none.@more) => x;\nreturn read();",
    "a class inside": "class B { constructor() { @throw new Error('b'); } }\nreturn new B();",
    "an operator": "const odd = { valueOf() { @throw new Error('no number'); } };\nreturn odd - 1;",
    "characters outside the first plane": "const text = '😀'; let none; none.@length;",
    "a name declared twice": "const f = @function (x) {\nlet x; };\nf(1);",
    "a comment before": "/* one\n two */ let none; /* 😀 */ none.@length; // rest",
}
"""Bodies of a method that fail where `@` stands."""


def source_of(body: str, before: str = "") -> str:
    return f"{before}class A {{\n    init() {{}}\n    m(a) {{\n{body}\n    }}\n}}\nmodule.exports = A;\n"


def place_of(marked: str) -> tuple[str, int, int]:
    """Returns the source without its mark, and line and column of the mark."""
    before, _, after = marked.partition("@")
    lines = before.split("\n")
    return before + after, len(lines), len(lines[-1]) + 1


def outcomes(
    world: KernelWorld, calls: Sequence[tuple[str, str, str]], *, trace: bool = True, gas_limit: int = 100_000_000
) -> list[pb.TransactionOutcome]:
    """Runs a dry run of one transaction for each call."""
    batch = world.dry_run([("alice", [call]) for call in calls], gas_limit=gas_limit)
    result = world.executor.run(batch)
    world.drop(result)
    found = [convert.to_outcome(b"hash", item, details=True) for item in result.results]
    if trace:
        tracing.add_places(world.executor, batch, result, found)
    return found


def places(outcome: Any) -> list[tuple[str, str, str, int, int]]:
    return [
        (frame.contract, frame.action_name, frame.function_name, frame.line, frame.column)
        for frame in outcome.failure.frames
    ]


@pytest.fixture(scope="module")
def world() -> Iterator[KernelWorld]:
    contracts = {
        f"Contract{number}": (place_of(source_of(body))[0], {"m": ["string"]})
        for number, body in enumerate(STATEMENTS.values())
    }
    contracts["ContractInner"] = (INNER, {"fail": ["string"], "fine": []})
    contracts["ContractMiddle"] = (MIDDLE, {"go": ["string"], "pay": [], "missing": []})
    contracts["ContractOuter"] = (OUTER, {"start": ["string"], "swallow": []})
    with KernelWorld(contracts) as world:
        yield world


INNER = """class Inner {
    init() {}
    fail(kind) {
        this._check(kind);
    }
    fine() { return 'fine'; }
    _check(kind) {
        if (kind === 'object') throw {code: 42, text: 'ä'};
        if (kind === 'odd') throw { toJSON() { throw new Error('none'); } };
        if (kind === 'endless') throw { toJSON() { while (true) {} } };
        if (kind === 'gas') {
            let sum = 0;
            while (true) {
                sum = sum + 1;
            }
        }
        if (kind === 'depth') this._check(kind);
        throw new Error(kind);
    }
}
module.exports = Inner;
"""
MIDDLE = """class Middle {
    init() {}
    go(kind) {
        blockchain.call('ContractInner', 'fine', '[]');
        return blockchain.call('ContractInner', 'fail', JSON.stringify([kind]));
    }
    pay() {
        blockchain.call('token.iost', 'transfer', '["iost","alice","bob","99999999",""]');
    }
    missing() {
        blockchain.call('ContractInner', 'nothing', '[]');
    }
}
module.exports = Middle;
"""
OUTER = """class Outer {
    init() {}
    start(kind) { return blockchain.call('ContractMiddle', 'go', JSON.stringify([kind])); }
    swallow() {
        const made = { [Symbol.iterator]() { return {
            next() { return { value: 1, done: false }; },
            return() { blockchain.call('ContractInner', 'fail', '["swallowed"]'); return {}; },
        }; } };
        for (const one of made) {
            throw new Error('the first');
        }
    }
}
module.exports = Outer;
"""


@pytest.mark.parametrize("number", range(len(STATEMENTS)), ids=list(STATEMENTS))
def test_the_place_of_a_failure(world: KernelWorld, number: int) -> None:
    source, line, column = place_of(source_of(list(STATEMENTS.values())[number]))
    (outcome,) = outcomes(world, [(f"Contract{number}", "m", '["a"]')])
    frame = outcome.failure.frames[0]
    assert (frame.contract, frame.action_name) == (f"Contract{number}", "m")
    assert (frame.line, frame.column) == (line, column), outcome
    assert frame.source_line == source.split("\n")[line - 1]


def test_the_chain_of_calls_through_three_contracts(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractOuter", "start", '["broken"]')])
    assert places(outcome) == [
        ("ContractInner", "fail", "_check", 18, 9),
        ("ContractInner", "fail", "fail", 4, 14),
        ("ContractMiddle", "go", "go", 5, 27),
        ("ContractOuter", "start", "start", 3, 37),
    ]


def test_without_a_trace_the_chain_names_contracts_and_methods(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractOuter", "start", '["broken"]')], trace=False)
    assert places(outcome) == [
        ("ContractInner", "fail", "", 0, 0),
        ("ContractMiddle", "go", "", 0, 0),
        ("ContractOuter", "start", "", 0, 0),
    ]


def test_a_failure_in_a_native_contract_names_the_line_that_called_it(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractMiddle", "pay", "[]")])
    assert places(outcome) == [("token.iost", "transfer", "", 0, 0), ("ContractMiddle", "pay", "pay", 8, 20)]


def test_what_cannot_be_called_fails_in_its_caller(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractMiddle", "missing", "[]")])
    assert places(outcome) == [("ContractMiddle", "missing", "missing", 11, 20)]
    (outcome,) = outcomes(world, [("ContractInner", "nothing", "[]")])
    assert places(outcome) == [("ContractInner", "nothing", "", 0, 0)]


@pytest.mark.parametrize(
    ("kind", "shown"), [("object", '{"code":42,"text":"ä"}'), ("odd", ""), ("endless", ""), ("text", "")]
)
def test_a_thrown_object_is_shown_as_json(world: KernelWorld, kind: str, shown: str) -> None:
    (outcome,) = outcomes(world, [("ContractMiddle", "go", f'["{kind}"]')])
    assert outcome.failure.thrown_json == shown
    assert outcome.failure.frames[0].line in (8, 9, 10, 18)


def test_out_of_gas_names_the_loop(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractMiddle", "go", '["gas"]')])
    assert outcome.receipt.status.message == "out of gas"
    assert places(outcome)[0][:3] == ("ContractInner", "fail", "_check")
    assert places(outcome)[0][3] in (13, 14)
    assert places(outcome)[-1] == ("ContractMiddle", "go", "go", 5, 27)


def test_a_recursion_that_ends_keeps_the_frames_of_its_callers(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractMiddle", "go", '["depth"]')], gas_limit=400_000_000)
    assert "Maximum call stack size exceeded" in outcome.receipt.status.message
    assert places(outcome)[1] == ("ContractInner", "fail", "_check", 17, 36)
    assert places(outcome)[-1] == ("ContractMiddle", "go", "go", 5, 27)
    assert len(outcome.failure.frames) <= tracing.MAX_FRAMES


def test_an_error_on_the_way_out_does_not_hide_the_first(world: KernelWorld) -> None:
    (outcome,) = outcomes(world, [("ContractOuter", "swallow", "[]")])
    assert "the first" in outcome.receipt.status.message
    assert places(outcome) == [("ContractOuter", "swallow", "swallow", 10, 13)]


def test_a_trace_changes_no_outcome(world: KernelWorld) -> None:
    calls = [(f"Contract{number}", "m", '["a"]') for number in range(tracing.MAX_TRACED)]
    calls += [("ContractMiddle", "go", f'["{kind}"]') for kind in ("gas", "object")]
    plain, traced = outcomes(world, calls, trace=False), outcomes(world, calls)
    assert [item.receipt for item in plain] == [item.receipt for item in traced]
    assert [bool(item.failure.frames[0].line) for item in traced] == [True] * tracing.MAX_TRACED + [False, False]


def test_a_later_transaction_is_traced_behind_the_earlier_ones(world: KernelWorld) -> None:
    transfer = ("token.iost", "transfer", '["iost","alice","bob","1000",""]')
    found = outcomes(world, [transfer, ("ContractMiddle", "go", '["second"]'), transfer])
    assert [bool(item.failure.frames) for item in found] == [False, True, True]
    assert places(found[1])[0] == ("ContractInner", "fail", "_check", 18, 9)
    assert places(found[2]) == [("token.iost", "transfer", "", 0, 0)]


def test_a_read_only_call_is_traced(world: KernelWorld) -> None:
    asked = [
        {"contract": "ContractInner", "action": name, "data": data, "publisher": "", "gas_limit": 400_000_000}
        for name, data in (("fine", "[]"), ("fail", '["x"]'))
    ]
    batch = world.queries(asked)
    result = world.executor.run(batch)
    world.drop(result)
    found = [convert.to_call_outcome(item) for item in result.results]
    tracing.add_places(world.executor, batch, result, found)
    assert not found[0].HasField("failure")
    assert places(found[1])[0] == ("ContractInner", "fail", "_check", 18, 9)


def test_nothing_of_a_trace_stays(world: KernelWorld) -> None:
    outcomes(world, [("ContractMiddle", "go", '["object"]')])
    assert not world.executor.take_traced()
    (plain,) = outcomes(world, [("ContractMiddle", "go", '["object"]')], trace=False)
    assert not plain.failure.thrown_json


PUBLISHED = {
    "top level": ("const a = 1;\nlet none;\nconst x = none.@length;\n", ""),
    "init": ("", "let none;\n        none.@length;"),
}


@pytest.mark.parametrize("where", list(PUBLISHED))
def test_a_publication_that_fails_names_the_place(world: KernelWorld, where: str) -> None:
    before, init = PUBLISHED[where]
    marked = f"{before}class A {{\n    init() {{\n        {init}\n    }}\n    m() {{}}\n}}\nmodule.exports = A;\n"
    source, line, column = place_of(marked)
    abi = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "m", "args": [], "amountLimit": []}]}
    data = json.dumps([json.dumps({"info": abi, "code": source})])
    (outcome,) = outcomes(world, [("system.iost", "setCode", data)], gas_limit=400_000_000)
    inner, outer = outcome.failure.frames
    assert (inner.action_name, inner.line, inner.column) == ("init", line, column), outcome
    assert (outer.contract, outer.action_name) == ("system.iost", "setCode")
