"""What the harnesses write, and how they judge a store afterwards.

A commit is `fields` keys that all hold its id, a hot key that every commit of its writer overwrites, and the deletion
of a key of the writer's commit before. So a commit is whole when all its keys are there, torn when some are, and lost
when it was acknowledged and is not known any more, or has another version or commitment.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from state_service.config import StateConfig
from state_service.errors import StateError
from state_service.model import View, WriteBatch
from state_service.store import Store, open_store
from state_service.verification import verify_store
from tests.support.state_store import rocks

FIELDS = 5
"""Keys of one commit that only it writes."""

CONFIG = StateConfig(
    retained_versions=8, flush_age_ms=5, flush_bytes=1, feed_versions=1_000_000, cache_bytes=64 << 10, min_free_bytes=0
)
"""Folds all the time, so that a fault meets every part of the store, and forgets no commit id."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An answer that reached the caller."""

    commit_id: str
    """Name of the commit."""
    version: int
    """Version in the answer."""
    commitment: str
    """Commitment in the answer, in hex."""
    durable: bool
    """True when the answer said that it was synced."""

    def line(self) -> bytes:
        """Returns it as a line for a pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"


def parse(lines: bytes) -> list[Acknowledged]:
    """Reads whole lines from a pipe; what a killed writer left half is no answer."""
    return [Acknowledged(**json.loads(line)) for line in lines.split(b"\n")[:-1]]


def batch(writer: str, number: int) -> WriteBatch:
    """Makes the commit of a writer with a number."""
    commit_id = f"{writer}-{number}"
    writes: dict[bytes, bytes | None] = {f"{commit_id}/{field}".encode(): commit_id.encode() for field in range(FIELDS)}
    writes[f"hot/{writer}".encode()] = commit_id.encode()
    writes[f"{writer}-{number - 1}/gone".encode()] = None
    return WriteBatch(commit_id.encode(), writes)


@dataclass(slots=True)
class Verdict:
    """What was found."""

    lost: int = 0
    torn: int = 0
    broken: str = ""
    """Why the store could not be opened or does not verify; empty when it could."""

    def add(self, other: "Verdict") -> None:
        """Adds another verdict to this one."""
        self.lost += other.lost
        self.torn += other.torn
        self.broken = self.broken or other.broken

    @property
    def passed(self) -> bool:
        """True when nothing was lost, torn or broken."""
        return not (self.lost or self.torn or self.broken)

    def __str__(self) -> str:
        """Returns the verdict as the reports print it."""
        return f"{self.lost} lost, {self.torn} torn" + (f", BROKEN {self.broken}" if self.broken else "")


async def judge_store(store: Store, attempted: Iterable[str], acknowledged: Iterable[Acknowledged]) -> Verdict:
    """Compares an open store with what its writers were told."""
    verdict = Verdict()
    for answer in acknowledged:
        block = store.tree.find(answer.commit_id.encode()) or store.history.find(answer.commit_id.encode())
        if block is None:
            verdict.lost += answer.durable
        elif (block.version, block.commitment.hex()) != (answer.version, answer.commitment):
            verdict.lost += 1
    for commit_id in attempted:
        keys = [f"{commit_id}/{field}".encode() for field in range(FIELDS)]
        entries, _ = await store.reader.get_many(View(), keys)
        present = [entry.value == commit_id.encode() for entry in entries]
        known = store.tree.find(commit_id.encode()) or store.history.find(commit_id.encode())
        verdict.torn += present != [known is not None] * FIELDS
    return verdict


async def judge_folder(
    folder: Path, attempted: Iterable[str], acknowledged: Iterable[Acknowledged], *, thorough: bool = True
) -> Verdict:
    """Opens what a fault left, compares it with what the writers were told, and checks it offline."""
    verdict = Verdict()
    try:
        if thorough:
            engine = rocks(folder)
            try:
                await verify_store(engine)
            finally:
                await engine.close()
        store = await open_store(replace(CONFIG, flush_age_ms=1000), rocks(folder))
        try:
            verdict = await judge_store(store, attempted, acknowledged)
        finally:
            await store.close()
    except StateError as error:
        answers = list(acknowledged)
        return Verdict(lost=sum(answer.durable for answer in answers), broken=f"{error} {getattr(error, 'cause', '')}")
    return verdict


def judge(folder: Path, attempted: Iterable[str], acknowledged: Iterable[Acknowledged], **options: bool) -> Verdict:
    """Runs `judge_folder`."""
    return asyncio.run(judge_folder(folder, attempted, acknowledged, **options))
