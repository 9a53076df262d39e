"""The store, put together: opened on an engine, closed again. No gRPC, no knowledge of the engine.

No protobuf but for the header of a commit, whose number and time order blocks (`headers`).

Read:    view -> block -> L2 (`tree`) -> L1 (`cache`) -> engine            see `reader`
Commit:  duplicate? room? conflicts? -> commitment -> L2 -> `journal`      see `committer`
Fold:    final versions -> STATE, receipts; L1 told; L2 shrinks            see `flusher`
Order:   number and time of a batch without header -> its turn             see `places`
Follow:  L2 or journal -> change feed, events                              see `feed`
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from state_service.cache import Cache
from state_service.committer import Committer
from state_service.config import StateConfig
from state_service.errors import StateError
from state_service.feed import Feed
from state_service.flusher import Flusher
from state_service.headers import BlockTime
from state_service.history import History
from state_service.journal import Journal
from state_service.places import Places
from state_service.reader import Reader
from state_service.recovery import recover
from state_service.retention import Retention
from state_service.storage import StorageEngine
from state_service.tree import Block, BlockTree

HISTORY_SHARE = 2
"""History takes at most one part in so many of its volume; the rest is for state, which only grows."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Store:
    """An open store. Its parts are used directly: `reader.get_many`, `committer.commit`, `feed.follow`."""

    config: StateConfig
    engine: StorageEngine
    tree: BlockTree
    cache: Cache
    history: History
    journal: Journal
    flusher: Flusher
    feed: Feed
    reader: Reader
    committer: Committer
    places: Places
    _settling: asyncio.Task[None] | None = None

    def on_published(self, blocks: Sequence[Block]) -> None:
        """Follows up on commits that became readable."""
        for block in blocks if self.history.dropped else ():  # one that was dropped may be committed again
            self.history.dropped.forget(block.version, block.commit_id)
        if self.committer.settle_now() and self._settling is None:
            self._settling = asyncio.create_task(self._settle(), name="state-settle")
        self.feed.notify()
        self.flusher.notice()

    async def _settle(self) -> None:
        try:
            await self.committer.settle()
        except StateError as error:
            log.warning("settle_failed", extra={"reason": error.reason})
        finally:
            self._settling = None

    async def close(self) -> None:
        """Finishes what was accepted, ends the background tasks and closes the engine."""
        self.feed.close()
        self.places.close()
        await self.journal.stop()
        await self.committer.changes.finished()
        if self._settling is not None:
            await asyncio.gather(self._settling, return_exceptions=True)
        await self.flusher.stop()
        await self.engine.close()


async def open_store(
    config: StateConfig, engine: StorageEngine, on_failure: Callable[[StateError], None] = lambda _: None
) -> Store:
    """Becomes the writer of an engine's store and opens it.

    Args:
        config: Settings.
        engine: An open engine; closed again when opening fails.
        on_failure: Called once when writes stop for good.

    Raises:
        UnknownSchemaError: another version of this software wrote the store.
        CorruptionError: what is stored does not fit together.
    """
    try:
        recovered = await recover(engine, config.feed_versions)
    except BaseException:
        await engine.close()
        raise
    tree = recovered.tree
    cache = Cache(config.cache_bytes, tree.root.version)
    retention = Retention(config.history_ms, history_bytes(config), config.feed_versions)
    retention.load(recovered.segments)
    retention.adopt(recovered.recorded_from, tree.root.version, time.time_ns() // 1_000_000)
    history = History(
        engine,
        cache,
        retention,
        config.retained_versions,
        recorded_from=recovered.recorded_from,
        removed_to=recovered.recorded_from - 1,
    )
    for summary in recovered.history:
        history.add(summary)
    for summary in recovered.dropped:
        history.dropped.add(summary)
    feed = Feed(tree, history)
    history.on_corruption = lambda error: journal.condemn(error)
    journal = Journal(engine, tree, on_published=lambda blocks: store.on_published(blocks), on_failure=on_failure)
    flusher = Flusher(config, tree, cache, journal, history, recovered.floor)
    reader = Reader(config, engine, tree, cache, history, flusher, recovered.epoch, journal.condemn)
    places = Places(config, lambda: BlockTime(tree.tip.number, tree.tip.time_ns))
    committer = Committer(config, tree, journal, history, flusher, feed, reader, places)
    store = Store(config, engine, tree, cache, history, journal, flusher, feed, reader, committer, places)
    journal.start()
    flusher.start()
    store.on_published(())
    return store


def history_bytes(config: StateConfig) -> int:
    """Returns how many bytes of history are kept: the setting, but at most a part of the volume that holds the store.

    A full disk refuses every write, the removal of history included, so history alone must never fill it.
    """
    try:
        volume = shutil.disk_usage(config.data_dir).total
    except FileNotFoundError:  # an engine that has no folder
        return config.history_bytes
    return min(config.history_bytes, volume // HISTORY_SHARE)
