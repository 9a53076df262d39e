"""The offline tools: verify, stats, export, import, checkpoint, restore."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from state_service import checkpoints
from tests.support.command import Result, v8vm
from tests.support.state_store import commit, contents, fold, get, opened, transaction
from tests.support.waiting import until

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*arguments: str, data_dir: str = "store", text: str = "") -> Result:
        return v8vm("store", *arguments, "--data-dir", tmp_path / data_dir, stdin=text)

    return call


async def make(folder: Path) -> dict[str, str]:
    async with opened(folder=folder) as store:
        for n in range(1, 21):
            await commit(
                store, f"c{n}", {"k": str(n), f"acc/{n}": "x", "bin": "\x01"}, transactions=[transaction(f"t{n}")]
            )
        await store.committer.finalize(b"c10")
        await store.flusher.fold(10)
        return await contents(store)


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, str]:
    return asyncio.run(make(tmp_path / "store"))


def test_verify_and_stats_tell_where_a_store_stands(run: Run, expected: dict[str, str]) -> None:
    report = json.loads(run("verify", "--json").out)
    assert (report["head_version"], report["base_version"], report["block_count"]) == (20, 10, 10)
    assert (report["first_version"], report["last_version"], report["checked_keys"]) == (1, 20, 12)
    stats = json.loads(run("stats", "--json").out)
    assert (stats["head_version"], stats["writer_epoch"]) == (20, 2)
    assert "head_version" in run("stats").out


def test_an_export_can_be_imported_and_an_import_repeated(run: Run, expected: dict[str, str], tmp_path: Path) -> None:
    exported = run("export").out
    assert len(exported.splitlines()) == len(expected)
    some = run("export", "--prefix", "acc/1")
    assert [json.loads(line)["key"] for line in some.out.splitlines()] == [
        "acc/1",
        *(f"acc/{n}" for n in range(10, 20)),
    ]
    first = run("import", "-", "--batch-size", "5", "--json", data_dir="copy", text=exported)
    assert json.loads(first.out) == {"commits": 5, "writes": 22, "head_version": 5}
    again = run("import", "-", "--batch-size", "5", "--json", data_dir="copy", text=exported)
    assert json.loads(again.out) == {"commits": 0, "writes": 0, "head_version": 5}
    target = tmp_path / "copy.jsonl"
    assert run("export", "--output", str(target), data_dir="copy").code == 0
    keys = [json.loads(line)["key"] for line in target.read_text().splitlines()]
    assert keys == sorted(expected)
    more = run("import", "-", "--json", data_dir="copy", text='{"key": "more", "value": "1", "version": 1}\n')
    assert json.loads(more.out)["head_version"] == 6

    async def times() -> list[tuple[int, int]]:
        async with opened(folder=tmp_path / "copy") as store:
            return [(block.number, block.time_ns) for block in store.tree.blocks() if block.version]

    # Imports are blocks: their numbers and times go on from the ones before.
    found = asyncio.run(times())
    assert [number for number, _ in found] == list(range(6))
    assert [time_ns for _, time_ns in found] == sorted({time_ns for _, time_ns in found})


def test_a_checkpoint_is_restored_into_an_empty_folder_only(run: Run, expected: dict[str, str], tmp_path: Path) -> None:
    made = run("checkpoint", "one", "--checkpoint-dir", str(tmp_path / "cp"), "--json")
    assert json.loads(made.out)["version"] == 20
    restored = run("restore", str(tmp_path / "cp/one"), "--json", data_dir="back")
    assert json.loads(restored.out) == {"version": 20, "labelled_version": 20}

    async def check() -> None:
        async with opened(folder=tmp_path / "back") as store:
            assert await contents(store) == expected
            assert (await commit(store, "c3")).duplicate
            assert (await commit(store, "new", {"k": "new"})).version == 21

    asyncio.run(check())
    refused = run("restore", str(tmp_path / "cp/one"), data_dir="back")
    assert (refused.code, "not empty" in refused.err) == (6, True)
    # The checkpoint is a store of its own: restoring once more gives the old state again.
    assert run("restore", str(tmp_path / "cp/one"), data_dir="again").code == 0


@pytest.mark.parametrize("command", ["verify", "stats", "export"])
def test_a_folder_without_a_store_is_one_line_and_exit_code_3(run: Run, command: str) -> None:
    result = run(command, data_dir="nothing")
    assert (result.code, len(result.err.splitlines())) == (3, 1)
    assert "NO_STORE" in result.err


def test_a_damaged_store_is_named_with_its_place(run: Run, expected: dict[str, str], tmp_path: Path) -> None:
    (victim,) = sorted((tmp_path / "store/db").glob("*.sst"), key=lambda path: path.stat().st_size)[-1:]
    data = bytearray(victim.read_bytes())
    data[len(data) // 4] ^= 1
    victim.write_bytes(data)
    result = run("verify")
    assert result.code == 1
    assert "STATE_CORRUPTED" in result.err
    assert victim.name in result.err


def test_bad_import_lines_and_checkpoint_names_are_refused(run: Run, expected: dict[str, str], tmp_path: Path) -> None:
    bad = run("import", "-", text='{"key": 1}\n')
    assert (bad.code, "line 1" in bad.err) == (2, True)
    for name in ("", ".hidden", "a/b", "x" * 65):
        assert run("checkpoint", name, "--checkpoint-dir", str(tmp_path / "cp")).code == 2
    again = [run("checkpoint", "one", "--checkpoint-dir", str(tmp_path / "cp")) for _ in range(2)]
    assert [result.code for result in again] == [0, 6]
    assert run("export", "--output", str(tmp_path / "no/such")).code == 2
    assert run("restore", str(tmp_path), data_dir="x").code == 1


async def test_a_checkpoint_made_while_serving_holds_what_was_committed(tmp_path: Path) -> None:
    async with opened(folder=tmp_path / "store") as store:

        async def write() -> None:
            for n in range(200):
                await commit(store, f"c{n}", {"k": str(n)})

        writing = asyncio.create_task(write())
        await until(lambda: store.tree.head.version >= 50)
        head = store.reader.head()
        label = await checkpoints.create(store.engine, head, tmp_path / "cp", "live")
        await writing
        await fold(store)
    checkpoints.copy_into(tmp_path / "cp/live", tmp_path / "back")
    async with opened(folder=tmp_path / "back") as store:
        assert label.version == head.version <= store.tree.head.version < 200
        assert store.tree.main_at(head.version).commitment == head.commitment
        assert await get(store, "k", head.version) == str(head.version - 1)
