"""Hostile contracts in executors: every one is contained, and nothing of it is left."""

from pathlib import Path

import pytest

from tests.fault.attacks import Runner, complete, load, run_payloads

PAYLOADS = Path(__file__).parent / "payloads"
JOBS = 2


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("measured", 246),
        ("own", 257),
        ("siblings", 638),
        ("chains", 97),
        ("compiler", 4),
        ("stack", 38),
        ("texts", 94),
        ("fresh", 31),
    ],
    ids=[
        "measured against raw V8",
        "found by looking at this runtime",
        "siblings of both",
        "chains and what calls leave",
        "work of the compiler",
        "ends of V8's own stack",
        "texts and names",
        "lengths, generators, digits and hidden errors",
    ],
)
def test_payloads_are_contained(name: str, count: int) -> None:
    verdicts = list(run_payloads(load(PAYLOADS / f"{name}.json"), JOBS))

    assert [str(verdict) for verdict in verdicts if not verdict.contained] == []
    assert len(verdicts) == count


@pytest.mark.timeout(300)
def test_depth_ends_calls_at_the_same_gas_hot_and_cold_and_without_machine_code() -> None:
    cold, hot, jitless = runners = (Runner(), Runner(), Runner(("--jitless",)))
    for number, payload in enumerate(load(PAYLOADS / "stack.json")):
        serial = 3 * number + 3  # the ids of contracts, which calls may hold, depend on it
        for earlier in (serial - 2, serial - 1):
            hot.run(payload["code"], serial=earlier)
        endings = [runner.run(payload["code"], serial=serial) for runner in (cold, hot, jitless)]
        found = {(ending["kind"], ending["text"], ending["gas"]) for ending in endings}

        assert len(found) == 1, (payload["name"], found)
    for runner in runners:
        runner.close()


BODY = "class C {{ init() {{}} run() {{ {} }} }}\nmodule.exports = C;"
ODD: list[tuple[dict[str, object], str, bool]] = [
    ({}, "error", False),
    ({"code": None, "expect": "error", "accept": None, "then_code": None}, "error", True),
    ({"code": 5, "accept": "error"}, "error", True),
    ({"code": "", "expect": "error", "accept": []}, "error", True),
    ({"code": BODY.format("return '\ud800';"), "accept": ["isolated"], "then_code": ""}, "isolated", True),
    ({"code": BODY.format("throw new Error('\\ud800');"), "accept": ["gas"], "name": "\ud800"}, "error", False),
    ({"code": BODY.format("return " + "1 + " * 200_000 + "1;"), "accept": ["error"]}, "error", True),
    ({"code": BODY.format("/*" + "\u4e2d" * 1_500_000 + "*/ return 1;"), "accept": ["error"]}, "error", True),
    (
        {"code": "\n" * 1_000_000, "accept": ["error"], "then_code": BODY.format("return 'LEAK';")},
        "error, then isolated",
        False,
    ),
    (
        {"code": BODY.format("return 1;"), "accept": ["isolated"], "then_code": BODY.format("for (;;);")},
        "isolated",
        True,
    ),
]


def test_payloads_of_any_form_are_judged() -> None:
    verdicts = {
        verdict.name: verdict for verdict in run_payloads([complete(odd, i) for i, (odd, *_) in enumerate(ODD)], 1)
    }

    assert all(str(verdict).encode("utf-8") for verdict in verdicts.values())
    found = [(verdict.got, verdict.contained) for verdict in verdicts.values()]
    assert found == [(got, contained) for _, got, contained in ODD]
