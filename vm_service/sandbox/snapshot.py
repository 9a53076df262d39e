"""V8 startup snapshots: a heap in which the libraries, and the images of hot contracts, are already in place.

The stock wheel exports V8's own functions for both halves:

* `build` runs a script in a heap of its own and returns the heap as a blob;
* `adopt` makes every isolate that this process creates from now on start from a blob, by pointing V8's default at it.

A blob is code. It is made from sources only, never from an isolate that ran a transaction; it belongs to one engine,
one set of flags and one runtime, which `key` names. Both halves rest on private symbols: what they give is tested
before it is used (`worker/snapshot_builder.py`), and whoever uses it starts from sources when anything is amiss.

INVARIANTS
* `build` and `adopt` happen in processes that have no isolate yet: isolates share what a blob holds read-only.
* A process adopts one blob at most, and never lets go of its bytes.
"""

import ctypes
import hashlib
import json
import mmap
from collections.abc import Iterable
from importlib.metadata import files
from typing import Final

from vm_service import runtime
from vm_service.sandbox.isolate import BASE_FLAGS, MINI_RACER_VERSION, V8_VERSION, Engine

CREATE_SYMBOL: Final = (
    "_ZN2v88internal30CreateSnapshotDataBlobInternalENS_15SnapshotCreator20FunctionCodeHandlingEPKc"
    "NS_4base5FlagsINS0_8Snapshot14SerializerFlagEiiEE"
)
"""v8::internal::CreateSnapshotDataBlobInternal(FunctionCodeHandling, const char*, SerializerFlags) -> StartupData."""

DEFAULT_SYMBOL: Final = "_ZN2v88internal8Snapshot19DefaultSnapshotBlobEv"
"""v8::internal::Snapshot::DefaultSnapshotBlob() -> StartupData*."""

KEEP_CODE: Final = 1
PROT_READ, PROT_WRITE = 1, 2
LEAST_BLOB_BYTES: Final = 100_000
"""An empty heap is larger; anything below is a failure."""


class SnapshotError(Exception):
    """A snapshot could not be made or used; the text says why."""


class _StartupData(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("raw_size", ctypes.c_int))


def key(flags: tuple[str, ...], image_keys: Iterable[str]) -> str:
    """Returns the name of a snapshot: a hash over wheel, engine, flags, runtime and images."""
    library = next((f.hash.value for f in files("mini-racer") or () if f.name == "libmini_racer.so" and f.hash), "")
    parts = (MINI_RACER_VERSION, library, V8_VERSION, *BASE_FLAGS, *flags, runtime.digest(), *sorted(image_keys))
    sha = hashlib.sha256()
    for part in parts:
        sha.update(f"{len(part)}:{part}".encode())
    return sha.hexdigest()


def source(images: Iterable[tuple[str, str, str]]) -> str:
    """Returns the script of a heap: runtime and images.

    Args:
        images: key, script and meta (JSON) of each.
    """
    parts = [f"globalThis.V8VM = {{ digest: '{runtime.digest()}', ready: [] }};"]
    parts += [f"{text}\n;0;" for _, text in runtime.execution_sources()]
    for name, image, meta_json in images:
        parts.append(f"V8VM.ready.push(['{name}', {image.strip().rstrip(';')}, {json.dumps(meta_json)}]);")
    return "\n".join(parts)


def build(script: str, flags: tuple[str, ...] = ()) -> bytes:
    """Runs a script in a new heap and returns the heap. REQUIRES: a process without isolates.

    Raises:
        SnapshotError: the engine offers no such function, or the script failed.
    """
    create = _symbol(flags, CREATE_SYMBOL)
    create.restype = _StartupData
    create.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    made = create(KEEP_CODE, script.encode(), 0)
    if not made.data or made.raw_size < LEAST_BLOB_BYTES:
        raise SnapshotError("the engine made no heap of the script")
    return ctypes.string_at(made.data, made.raw_size)


_adopted: list[ctypes.Array[ctypes.c_char]] = []


def adopt(blob: bytes, flags: tuple[str, ...] = ()) -> None:
    """Lets the isolates of this process start from a blob. REQUIRES: it has no isolate yet.

    Raises:
        SnapshotError: the engine does not offer what is needed, or its memory cannot be changed.
    """
    find = _symbol(flags, DEFAULT_SYMBOL)
    find.restype = ctypes.c_void_p
    address = find()
    if not address:
        raise SnapshotError("the engine has no default snapshot")
    buffer = ctypes.create_string_buffer(blob, len(blob))
    _adopted.append(buffer)
    start = address - address % mmap.PAGESIZE
    span = address + ctypes.sizeof(_StartupData) - start
    _protect(start, span, PROT_READ | PROT_WRITE)
    default = _StartupData.from_address(address)
    default.data, default.raw_size = ctypes.addressof(buffer), len(blob)
    _protect(start, span, PROT_READ)


def _protect(start: int, span: int, protection: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(span), protection) != 0:
        raise SnapshotError(f"mprotect failed with errno {ctypes.get_errno()}")


def _symbol(flags: tuple[str, ...], name: str) -> "ctypes._NamedFuncPointer":
    try:
        function: ctypes._NamedFuncPointer = getattr(Engine.start(flags).lib, name)
    except AttributeError:
        raise SnapshotError(f"the engine does not export {name}") from None
    return function
