"""Configuration: precedence, refusals, and that what is printed can be read back."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis import config
from chassis.config import ConfigError, ServerConfig, parse, render, setting, settings_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolConfig(ServerConfig):
    """Settings of a tool."""

    port: int = setting(7000, unit="TCP port", help="port", reason="free on most machines", minimum=0)
    heap_bytes: int = setting(1024, unit="bytes", help="heap", reason="small", minimum=16)
    ratio: float = setting(0.5, unit="fraction", help="share", reason="half", minimum=0)
    eager: bool = setting(False, unit="switch", help="eager", reason="lazy is cheaper")
    folder: Path = setting(Path("data"), unit="path", help="folder", reason="beside the program")
    peers: tuple[str, ...] = setting((), unit="addresses", help="peers, up to 100 %", reason="alone")

    def __post_init__(self) -> None:
        if self.eager and self.heap_bytes < 32:
            raise ValueError("V8VM_TOOL_EAGER: needs at least 32 bytes of heap")


def test_defaults_hold_when_nothing_is_given() -> None:
    assert parse(ToolConfig, "tool", {}, {"PATH": "/bin", "V8VM_OTHER_PORT": "x"}) == ToolConfig()


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_default() -> None:
    environment = {"V8VM_TOOL_PORT": "1", "V8VM_TOOL_HEAP_BYTES": "64"}
    parsed = parse(ToolConfig, "tool", {"port": "2"}, environment)
    assert (parsed.port, parsed.heap_bytes, parsed.ratio) == (2, 64, 0.5)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("V8VM_TOOL_EAGER", "on", "eager", True),
        ("V8VM_TOOL_RATIO", "0.25", "ratio", 0.25),
        ("V8VM_TOOL_FOLDER", "/x/y", "folder", Path("/x/y")),
        ("V8VM_TOOL_PEERS", "a:1, b:2,", "peers", ("a:1", "b:2")),
    ],
)
def test_each_type_has_a_parser(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(parse(ToolConfig, "tool", {}, {variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("V8VM_TOOL_PORT", "abc"),
        ("V8VM_TOOL_PORT", ""),
        ("V8VM_TOOL_PORT", "-1"),
        ("V8VM_TOOL_PORT", "65536"),
        ("V8VM_TOOL_RATIO", "nan"),
        ("V8VM_TOOL_EAGER", "perhaps"),
        ("V8VM_TOOL_LOG_LEVEL", "loud"),
        ("V8VM_TOOL_PROT", "7000"),
    ],
)
def test_a_wrong_variable_is_refused_in_one_line_that_names_it(variable: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(ToolConfig, "tool", {}, {variable: text})
    assert variable in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_value_above_the_largest_is_refused() -> None:
    assert parse(ServerConfig, "echo", {"ping_interval_ms": "30000"}, {}).ping_interval_ms == config.KEEPALIVE_MS
    with pytest.raises(ConfigError, match="at most 30000"):
        parse(ServerConfig, "echo", {"ping_interval_ms": "30001"}, {})


def test_a_refusal_of_the_dataclass_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="needs at least 32"):
        parse(ToolConfig, "tool", {"eager": "true", "heap_bytes": "16"}, {})


def test_what_is_printed_reads_back_equal() -> None:
    original = ToolConfig(port=9, eager=True, peers=("a:1", "b:2"), folder=Path("/z"))
    lines = dict(line.split("=", 1) for line in render(original, "tool").splitlines())
    assert parse(ToolConfig, "tool", {}, lines) == original


def test_every_common_setting_has_unit_help_and_reason() -> None:
    for row in settings_of(ServerConfig, "tool"):
        assert row.unit
        assert row.help
        assert row.reason


def test_a_field_without_setting_is_a_bug_that_shows_at_once() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Bare(ServerConfig):
        extra: int = 3

    with pytest.raises(TypeError, match="extra"):
        settings_of(Bare, "tool")


def test_help_shows_each_setting_with_unit_default_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        config.load(ToolConfig, "tool", ["--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    for row in settings_of(ToolConfig, "tool"):
        assert row.flag in text
        assert f"[{row.unit}; default {row.default}: {row.reason}]" in text


def test_print_config_shows_effective_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("V8VM_TOOL_PORT", "123")
    with pytest.raises(SystemExit) as caught:
        config.load(ToolConfig, "tool", ["--print-config", "--ratio=1"])
    lines = capsys.readouterr().out.splitlines()
    assert caught.value.code == 0
    assert "V8VM_TOOL_PORT=123" in lines
    assert "V8VM_TOOL_RATIO=1.0" in lines


def test_a_wrong_start_writes_one_line_and_exits_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("V8VM_TOOL_PORT", "many")
    with pytest.raises(SystemExit) as caught:
        config.load(ToolConfig, "tool", [])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_c_core_of_grpc_is_quiet_in_a_process_that_uses_the_chassis() -> None:
    script = "from chassis import lifecycle; import os; print(os.environ['GRPC_VERBOSITY'])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert out.stdout.strip() == "NONE"
