"""ABI files: where the ABI of a source is found, and what is wrong with a file that holds none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli import options
from gateway.cli.failures import InputError
from gateway.client import json_texts

MEMBERS = ("lang", "version", "abi")
"""Members that every ABI document has."""


@dataclass(frozen=True, slots=True)
class Abi:
    """The ABI of a contract.

    Attributes:
        text: the document as JSON.
        document: members `lang`, `version` and the list `abi`.
        origin: where it comes from, for people.
    """

    text: str
    document: Mapping[str, Any]
    origin: str

    def methods(self) -> list[str]:
        """Lists its methods with the types of their arguments, such as `put(number)`."""
        listed = self.document["abi"]
        methods = [method for method in listed if isinstance(method, dict)] if isinstance(listed, list) else []
        return [f"{method.get('name')}({', '.join(map(str, method.get('args') or ()))})" for method in methods]

    def announcement(self) -> str:
        """Returns the line that tells people which ABI is used."""
        return f"ABI {self.origin}: {', '.join(self.methods()) or 'no methods'}"


def load(source: Path, given: Path | None = None) -> Abi | None:
    """Reads the given ABI file, or the one beside the source; None when there is none.

    `NAME.js` has its ABI in `NAME.js.abi`, else in `NAME.abi`.

    Raises:
        InputError: the file cannot be read or holds no ABI.
    """
    if given is not None:
        return _read(given)
    beside = [path for path in (source.with_name(f"{source.name}.abi"), source.with_suffix(".abi")) if path.is_file()]
    return _read(*beside) if beside else None


def derived(source: Path, text: str) -> Abi:
    """Wraps the ABI that the node derived from a source."""
    return Abi(text, json.loads(text), f"derived from {source.name}, since no ABI file was given or found beside it")


def _read(path: Path, *unused: Path) -> Abi:
    text = options.read_json_text(path)
    try:
        document = json_texts.parse(text)
    except ValueError as error:
        raise InputError(f"{path} holds no ABI: it is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} holds no ABI: a JSON object is needed, with the members {', '.join(MEMBERS)}")
    if missing := [name for name in MEMBERS if name not in document]:
        raise InputError(f"{path} holds no ABI: it lacks the members {', '.join(missing)}")
    rest = "".join(f" ({other.name} is not used)" for other in unused if other != path)
    return Abi(text, document, f"from {path.name}{rest}")
