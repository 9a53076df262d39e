"""ABI files: where they are found, and what is said of one that holds no ABI."""

import json
from pathlib import Path

import pytest

from gateway.cli import abi_files
from gateway.cli.failures import InputError

ABI = {"lang": "javascript", "version": "1.0.0", "abi": [{"name": "put", "args": ["number"]}, {"name": "take"}]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "vault.js"
    path.write_text("class Vault {}")
    return path


def write(source: Path, name: str, document: object = ABI) -> Path:
    path = source.with_name(name)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("name", ["vault.js.abi", "vault.abi"])
def test_an_abi_beside_the_source_is_found(source: Path, name: str) -> None:
    write(source, name)
    found = abi_files.load(source)
    assert found is not None
    assert found.document == ABI
    assert found.announcement() == f"ABI from {name}: put(number), take()"


def test_of_two_files_the_one_that_is_not_used_is_named(source: Path) -> None:
    write(source, "vault.js.abi")
    write(source, "vault.abi", {})
    found = abi_files.load(source)
    assert found is not None
    assert found.announcement() == "ABI from vault.js.abi (vault.abi is not used): put(number), take()"


def test_a_given_file_comes_first_and_without_any_there_is_none(source: Path) -> None:
    assert abi_files.load(source) is None
    given = write(source, "other.json")
    write(source, "vault.abi", {})
    found = abi_files.load(source, given)
    assert found is not None
    assert found.origin == "from other.json"


def test_a_derived_abi_is_announced_with_its_methods(source: Path) -> None:
    found = abi_files.derived(source, json.dumps(ABI))
    assert found.announcement().startswith("ABI derived from vault.js, since no ABI file was given")
    assert found.announcement().endswith(": put(number), take()")
    assert abi_files.derived(source, '{"lang": "", "version": "", "abi": null}').announcement().endswith("no methods")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "vault.abi is empty"),
        (b" \n", "vault.abi is empty"),
        (b"\xef\xbb\xbf{}", "vault.abi begins with a byte order mark; save it as UTF-8 without one"),
        (json.dumps(ABI).encode("utf-16"), "vault.abi is not UTF-8 text"),
        (b'{"lang": }', "vault.abi holds no ABI: it is not JSON: Expecting value: line 1 column 10"),
        (b'{"lang": NaN}', "vault.abi holds no ABI: it is not JSON: NaN is not JSON"),
        (b"[" * 100_000, "vault.abi holds no ABI: it is not JSON: nested too deeply"),
        (b"[]", "vault.abi holds no ABI: a JSON object is needed, with the members lang, version, abi"),
        (b'{"lang": "javascript"}', "vault.abi holds no ABI: it lacks the members version, abi"),
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_a_file_without_an_abi_has_a_message_of_its_own(
    source: Path, content: bytes, message: str, given: bool
) -> None:
    file = source.with_name("vault.abi")
    file.write_bytes(content)
    with pytest.raises(InputError) as refused:
        abi_files.load(source, file if given else None)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_abi_file_that_is_not_there_is_named(source: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.abi cannot be read: No such file"):
        abi_files.load(source, source.with_name("nothing.abi"))
