"""The compile stage: memory that earlier sources left behind ends no later one."""

import pytest

from vm_service.compiler.pipeline import Compiler, CompileResult
from vm_service.model import Limits, Need
from vm_service.sandbox.isolate import CondemnedError, Isolate, OutOfMemoryError, ScriptError
from vm_service.worker import compile_stage
from vm_service.worker.compile_stage import CompileStage


class FakeIsolate:
    """Counts what is done to it."""

    made: list["FakeIsolate"]

    def __init__(self, **_limits: object) -> None:
        self.condemned = self.closed = False
        self.collections = 0
        FakeIsolate.made.append(self)

    def collect_garbage(self) -> None:
        self.collections += 1

    def close(self) -> None:
        self.closed = True


class FakeCompiler:
    """Ends as it is told, by the number of the source in its isolate."""

    endings: dict[tuple[int, int], str]

    def __init__(self, isolate: FakeIsolate) -> None:
        self._isolate = isolate
        self._count = 0

    def compile(self, source: str, *_more: object, **_options: object) -> CompileResult:
        if self._isolate.condemned:
            raise CondemnedError
        ending = self.endings.get((len(FakeIsolate.made), self._count))
        self._count += 1
        self._isolate.condemned = ending is not None
        if ending == "memory":
            raise OutOfMemoryError
        return CompileResult(key=source)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> CompileStage:
    FakeIsolate.made, FakeCompiler.endings = [], {}
    monkeypatch.setattr(compile_stage, "Isolate", FakeIsolate)
    monkeypatch.setattr(compile_stage, "Compiler", FakeCompiler)
    return CompileStage(Limits())


def test_a_source_that_ends_a_used_isolate_is_compiled_in_a_fresh_one(stage: CompileStage) -> None:
    FakeCompiler.endings = {(1, 1): "memory"}

    assert [stage.compile(Need("", name)).key for name in "abc"] == ["a", "b", "c"]
    assert [isolate.closed for isolate in FakeIsolate.made] == [True, False]


def test_a_source_that_ends_a_fresh_isolate_is_stopped(stage: CompileStage) -> None:
    FakeCompiler.endings = {(1, 1): "memory", (2, 0): "memory"}
    stage.compile(Need("", "a"))

    with pytest.raises(OutOfMemoryError):
        stage.compile(Need("", "b"))
    assert len(FakeIsolate.made) == 2


def test_an_isolate_that_met_its_limit_at_the_end_of_a_source_is_replaced(stage: CompileStage) -> None:
    FakeCompiler.endings = {(1, 0): "late"}

    assert [stage.compile(Need("", name)).key for name in "ab"] == ["a", "b"]
    assert [isolate.closed for isolate in FakeIsolate.made] == [True, False]


def test_garbage_is_collected_after_the_characters_of_a_large_source(stage: CompileStage) -> None:
    for number in range(9):
        stage.compile(Need("", str(number) * 30_000))

    assert [isolate.collections for isolate in FakeIsolate.made] == [2]


@pytest.mark.parametrize(("kind", "text"), [(200, "null\n"), (202, ""), (203, "null"), (204, "null")])
def test_a_termination_that_nobody_asked_for_is_the_heap_limit(kind: int, text: str) -> None:
    with Isolate(heap_bytes=32 << 20) as isolate:
        error = isolate._failure(kind, text)

        assert isinstance(error, OutOfMemoryError)
        assert isolate.condemned


def test_a_script_that_throws_null_has_failed() -> None:
    with Isolate(heap_bytes=32 << 20) as isolate:
        with pytest.raises(ScriptError):
            isolate.evaluate("throw null")

        assert isolate.evaluate("1") == 1


def test_the_stage_compiles_and_generates_in_one_isolate() -> None:
    stage = CompileStage(Limits())
    source = "class C { init() {} run() {} }\nmodule.exports = C;"

    assert stage.compile(Need("", source)).error is None
    assert '"run"' in stage.generate_abi(source)
    assert stage.inspect(source, "").place is None
    assert isinstance(stage._ready(), Compiler)
    stage.close()
