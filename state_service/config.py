"""Settings of the state service: variables `V8VM_STATE_*` or flags; a unit, a default and its reason for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis import config
from chassis.config import ServerConfig, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class StateConfig(ServerConfig):
    """The store of the chain's state: versions, caches, journal."""

    port: int = setting(
        7003,
        unit="TCP port",
        help="port to listen on; 0 picks a free one",
        reason="7001, 7002, 7003: the three services",
        minimum=0,
    )
    data_dir: Path = setting(
        Path(".v8vm/state"), unit="path", help="data folder of the store", reason="what `make run` uses; git-ignored"
    )
    checkpoint_dir: Path = setting(
        Path(".v8vm/checkpoints"),
        unit="path",
        help="folder below which checkpoints are made",
        reason="beside the data folder: hard links need the same file system, and a caller may not choose paths",
    )
    backup_hold_ms: int = setting(
        3_600_000,
        unit="milliseconds",
        help="time after which an unfinished backup that nothing reads is removed",
        reason="an operator mends a connection within an hour; a backup keeps files on disk that compaction replaced",
        minimum=1000,
    )
    backup_count: int = setting(
        4,
        unit="backups",
        help="unfinished backups that may be open at once",
        reason="room for two operators and an abandoned one each; every one keeps replaced files on disk",
        minimum=1,
    )
    cache_bytes: int = setting(
        256 << 20,
        unit="bytes",
        help="most memory of L1, the cache of folded values; 0 switches it off",
        reason="a quarter of the memory that deploy/ grants this service",
        minimum=0,
    )
    block_cache_bytes: int = setting(
        128 << 20,
        unit="bytes",
        help="most memory of RocksDB's cache of uncompressed blocks",
        reason="half of L1: it serves scans and what L1 evicted",
        minimum=1 << 20,
    )
    l2_bytes: int = setting(
        256 << 20,
        unit="bytes",
        help="most memory of L2, the versions not yet folded; commits wait and are then refused beyond it",
        reason="about 1,000 blocks of 2,000 small writes; folding starts early at half of it",
        minimum=1 << 16,
    )
    retained_versions: int = setting(
        128,
        unit="versions",
        help="versions behind the head that stay readable and unfolded, as far as l2_bytes allows",
        reason="a minute of half-second blocks: longer than any execution holds its view",
        minimum=0,
    )
    feed_versions: int = setting(
        10_000,
        unit="versions",
        help="newest folded versions whose ids are held in memory, and that stay recorded whatever their age and size",
        reason="more than an hour of half-second blocks, in which a repeated commit or block is known; about 5 MB",
        minimum=1,
    )
    history_ms: int = setting(
        86_400_000,
        unit="milliseconds",
        help="time for which folded versions stay recorded, so that change and event streams can start there",
        reason="a day: an index that stopped in the evening goes on in the morning without starting anew",
        minimum=0,
    )
    history_bytes: int = setting(
        8 << 30,
        unit="bytes",
        help="size of recorded folded versions, before compression, beyond which the oldest go; at most half a volume",
        reason="less than half of the 20 GiB volume of deploy/; docs/state.md counts what it holds",
        minimum=0,
    )
    flush_age_ms: int = setting(
        1000,
        unit="milliseconds",
        help="longest time that a foldable version waits",
        reason="long enough to coalesce hot keys, short enough that a restart replays about a second",
        minimum=1,
    )
    flush_bytes: int = setting(
        8 << 20,
        unit="bytes",
        help="foldable bytes that start a fold before its time",
        reason="an eighth of RocksDB's memtable: several folds share one of its own flushes",
        minimum=1,
    )
    commit_wait_ms: int = setting(
        2000,
        unit="milliseconds",
        help="longest time that a commit waits for room in L2 before it is refused",
        reason="a fold takes tens of milliseconds; two seconds without progress mean that blocks are not finalised",
        minimum=0,
    )
    min_free_bytes: int = setting(
        64 << 20,
        unit="bytes",
        help="free disk space below which commits are refused",
        reason="room for RocksDB to flush one memtable and stay usable while the disk is full",
        minimum=0,
    )
    check_every_hits: int = setting(
        1000,
        unit="hits",
        help="one of so many L1 hits is read again from the store and compared; 0 switches it off",
        reason="costs 0.1 % of the reads and finds a broken cache within seconds of load",
        minimum=0,
    )
    place_patience_ms: int = setting(
        100,
        unit="milliseconds",
        help="how long others wait for a place after its commit was expected, before they overtake it",
        reason="twice what one item of a quick contract may take; nobody waits longer for a slow one",
        minimum=1,
    )
    place_wait_ms: int = setting(
        2000,
        unit="milliseconds",
        help="longest time that one call waits for earlier places",
        reason="well below the 5 s that a VM service grants a call; what waited in vain runs again",
        minimum=1,
    )
    place_limit_ms: int = setting(
        10_000,
        unit="milliseconds",
        help="longest time that a run may announce, and that a place is kept after it was due",
        reason="several transactions at the limit of 2 s each; well below the 30 s by which a block may lead the clock",
        minimum=1,
    )
    place_lead_ms: int = setting(
        30_000,
        unit="milliseconds",
        help="how far a place may lie ahead of the clock for a VM service whose own clock is ahead",
        reason="as far as a transaction may; a VM service with a worse clock does not carry the chain away",
        minimum=0,
    )
    clock_shift_ms: int = setting(
        0,
        unit="milliseconds",
        help="added to the clock from which places get their time; only for tests of wrong clocks",
        reason="0: the clock of the machine is right",
    )
    sync_writes: bool = setting(
        True,
        unit="switch",
        help="sync commits to disk; false loses acknowledged commits on power loss",
        reason="false is only for the test that proves the power-loss test",
    )


def load(argv: Sequence[str] | None = None) -> StateConfig:
    """Reads the settings of this process; see `chassis.config.load` for what it prints and when it exits."""
    return config.load(StateConfig, "state", argv)
