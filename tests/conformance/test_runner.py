"""The runner itself: it must see what is wrong, and count it."""

import json
from pathlib import Path

import pytest

from tests.conformance.run import main

CASE = Path(__file__).parent / "cases/measured/native_token_v2_transfer.json"


def _with(tmp_path: Path, **changes: object) -> Path:
    case = json.loads(CASE.read_text("utf-8"))
    case["steps"][3]["expect"].update(changes)
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case), "utf-8")
    return path


def test_a_right_file_passes_and_exits_with_zero(capsys) -> None:
    code = main([str(CASE)])

    assert code == 0
    assert capsys.readouterr().out.splitlines()[-1] == "21 passed, 0 failed"


def test_each_wrong_expectation_is_a_line_and_each_wrong_step_is_counted_once(tmp_path, capsys) -> None:
    path = _with(tmp_path, gas=1, returns=["x"], status="ERROR")

    code = main([str(path), "--json", str(tmp_path / "report.json")])

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert len(lines) == 4
    assert lines[0].startswith("case.json: step 3: ")
    assert any("gas: expected 1, got 1520" in line for line in lines)
    assert lines[-1] == "20 passed, 1 failed"
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert (report["passed"], report["failed"], len(report["failures"])) == (20, 1, 3)


def test_a_wrong_balance_is_seen(tmp_path, capsys) -> None:
    main([str(_with(tmp_path, balances={"iost:user0": "22.4"}))])

    assert 'balance iost:user0: expected "22.4", got "22.3"' in capsys.readouterr().out


def test_contract_files_start_at_the_root(tmp_path, capsys) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/a.js").write_text(
        "class A { init() {} m() { return 'from file' } }\nmodule.exports = A;\n", "utf-8"
    )
    scenario = {
        "schema": 1,
        "name": "files",
        "level": "vm",
        "contract_file": "code/a.js",
        "contract_lines": [1, 2],
        "contract_name": "files",
        "gas_limit": 100000,
        "steps": [{"api": "m", "args": [], "expect": {"status": "OK", "returns": ["from file"]}}],
    }
    path = tmp_path / "files.json"
    path.write_text(json.dumps(scenario), "utf-8")

    assert main(["--root", str(tmp_path), str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 0 failed"


STEP = {"api": "m", "args": [], "expect": {"status": "OK", "returns": ["fine"]}}


def _small(tmp_path: Path, steps: list[dict[str, object]], **more: object) -> Path:
    scenario = {
        "schema": 1,
        "name": "small",
        "level": "vm",
        "contract_code": "class A { init() {} m() { return 'fine' } }\nmodule.exports = A;\n",
        "contract_name": "small",
        "gas_limit": 100000,
        "steps": steps,
        **more,
    }
    path = tmp_path / "small.json"
    path.write_text(json.dumps(scenario), "utf-8")
    return path


@pytest.mark.parametrize(
    "bad",
    [
        {"op": "dance"},
        {"op": "set_gas", "account": "user_0"},
        {"op": "preset_contract", "contract": "nowhere"},
        {"args": []},
        {"api": "m", "args": [], "hash_arg": 7},
        {"api": "m", "args": [], "expect": {"balances": {"iost:user_0": "many"}}},
        {"api": "m", "args": [], "expect": {"storage": {"x": "y"}}},
        {"api": "m", "args": [], "expect": {"mood": "good"}},
    ],
)
def test_a_step_that_cannot_be_carried_out_fails_and_the_next_one_runs(bad, tmp_path, capsys) -> None:
    assert main([str(_small(tmp_path, [STEP, bad, STEP]))]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("small.json: step 1: ")
    assert lines[-1] == "2 passed, 1 failed"


def test_a_file_that_cannot_be_read_is_one_failed_step_and_the_others_run(tmp_path, capsys) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{", "utf-8")

    assert main([str(broken), str(tmp_path / "none.json"), str(_small(tmp_path, [STEP]))]) == 1

    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 2 failed"


def test_a_contract_whose_file_is_missing_fails_only_the_steps_that_need_it(tmp_path, capsys) -> None:
    contracts = {"lost": {"contract_file": "no/such.js"}}
    path = _small(tmp_path, [STEP, {"op": "preset_contract", "contract": "lost", "id": "x"}, STEP], contracts=contracts)

    assert main([str(path)]) == 1

    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 1 failed"


def test_fields_that_the_format_does_not_have_are_named(tmp_path, capsys) -> None:
    assert main([str(_small(tmp_path, [{**STEP, "weather": 1, "note": "fine"}], season="spring"))]) == 0

    told = capsys.readouterr().err.splitlines()
    assert told == [
        "small.json: field season is not of the format",
        "small.json: step 0: field weather is not of the format",
    ]


def test_natives_of_a_bare_host_outlive_a_fresh_state(tmp_path, capsys) -> None:
    step = {**STEP, "fresh_state": True}
    call = {
        "api": "ask",
        "args": [],
        "fresh_state": True,
        "signers": ["user_0@active"],
        "expect": {"returns": ["true"]},
    }
    ask = "blockchain.call('system.iost', 'requireAuth', ['user_0', 'active'])[0]"
    code = f"class A {{ init() {{}} m() {{ return 'fine' }} ask() {{ return {ask} }} }}\nmodule.exports = A;"

    path = _small(tmp_path, [step, call], natives={"system.iost": "1.0.0"}, contract_code=code)

    assert main([str(path)]) == 0, capsys.readouterr().out
