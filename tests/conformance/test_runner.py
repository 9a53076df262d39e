"""The runner itself: it must see what is wrong, and count it."""

import json
from pathlib import Path

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
