"""Settings of the VM service: one table from which flags, variables, `--help` and documentation come."""

from dataclasses import dataclass
from pathlib import Path

from chassis.config import ServerConfig, setting

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The cgroup's CPU quota: `max period` or `quota period`, in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConfig(ServerConfig):
    """The VM service: compiles and executes contracts in worker processes."""

    port: int = setting(
        7002,
        unit="TCP port",
        help="port to listen on; 0 picks a free one",
        reason="7001, 7002, 7003: the three services",
        minimum=0,
    )
    state_address: str = setting(
        "127.0.0.1:7003",
        unit="host:port",
        help="state service",
        reason="the state service's default on the same machine",
    )
    state_timeout_ms: int = setting(
        5_000,
        unit="milliseconds",
        help="time for one call to the state service, reconnection included",
        reason="covers its restart (below 2 s); callers' own deadlines are 30 s",
        minimum=100,
    )
    worker_count_min: int = setting(
        1,
        unit="processes",
        help="workers kept even when nothing happens",
        reason="one hot worker answers in 2 ms; an idle one costs its memory only",
        minimum=1,
    )
    worker_count_max: int = setting(
        0,
        unit="processes",
        help="most workers; 0 takes the CPUs that the cgroup grants",
        reason="execution is CPU work: more workers than CPUs only take turns",
        minimum=0,
    )
    scale_down_ms: int = setting(
        30_000,
        unit="milliseconds",
        help="how long workers must be too many before one is let go",
        reason="longer than the pauses of any chain's blocks; an idle worker costs its memory only",
        minimum=100,
    )
    worker_spare_count: int = setting(
        1,
        unit="processes",
        help="started workers that wait to replace one that ends",
        reason="a replacement costs callers nothing; two deaths within a start-up time are rare",
        minimum=0,
    )
    worker_start_ms: int = setting(
        20_000,
        unit="milliseconds",
        help="time for a worker to become ready before it is killed and started anew",
        reason="a start takes 0.3 s; a loaded machine is 10 times slower",
        minimum=100,
    )
    queue_count: int = setting(
        20_000,
        unit="transactions",
        help="transactions waiting for a worker beyond which requests are refused with RESOURCE_EXHAUSTED",
        reason="about two seconds of work for one worker: who waits longer is served better by a retry",
        minimum=1,
    )
    gather_count: int = setting(
        500,
        unit="transactions",
        help="most single transactions of different callers that share one batch",
        reason="a batch of 500 takes about 10 ms, so that the callers behind it wait no longer than that",
        minimum=1,
    )
    transaction_ms: int = setting(
        2_000,
        unit="milliseconds",
        help="wall-clock time of one transaction in V8, after which it is stopped; never decides an outcome",
        reason="the slowest use of the largest gas limit takes 0.9 s on the slowest machine measured",
        minimum=1,
    )
    heap_bytes: int = setting(
        128 << 20,
        unit="bytes",
        help="V8 heap in use at which a transaction is stopped; never decides an outcome",
        reason="gas stops every known allocation loop below 64 MB, and as much again is for caches and the batch",
        minimum=4 << 20,
    )
    image_bytes: int = setting(
        64 << 20,
        unit="bytes",
        help="text of contract images kept installed in one worker",
        reason="more than 1,000 contracts of the largest size that an author may publish",
        minimum=1 << 20,
    )
    cache_dir: Path = setting(
        Path(".v8vm/vm"),
        unit="path",
        help="folder of startup snapshots and of the list of hot contracts; may be lost at any time",
        reason="beside the store of `make run`; git-ignored",
    )
    snapshots: bool = setting(
        True,
        unit="true or false",
        help="workers start from V8 startup snapshots when there is one that passes its tests",
        reason="on: a start takes a third of the time, and hot contracts need not be compiled",
    )
    hot_count: int = setting(
        20,
        unit="contracts",
        help="most used contracts that are in place before a worker takes work",
        reason="compiling 20 takes 0.3 s at most, which a start may cost; most traffic goes to fewer",
        minimum=0,
    )
    pinned_contracts: tuple[str, ...] = setting(
        (),
        unit="contract ids, separated by commas",
        help="contracts that are always kept hot",
        reason="none: use decides",
    )
    recycle_items: int = setting(
        1_000_000,
        unit="transactions",
        help="transactions and calls after which a worker is replaced by a fresh one",
        reason="about a minute of full load: bounds whatever an engine gathers over time, at one start a minute",
        minimum=1,
    )
    quarantine_ms: int = setting(
        600_000,
        unit="milliseconds",
        help="how long a transaction that ended two workers is answered without being run",
        reason="longer than the 90 s for which a transaction is valid, with room for skewed clocks",
        minimum=0,
    )
    chain_id: int = setting(
        1024, unit="number", help="chain whose transactions are accepted", reason="IOST's main chain", minimum=0
    )
    generate_ahead_ms: int = setting(
        1_000,
        unit="milliseconds",
        help="how far the time of a block that is executed may lie ahead of this service's clock",
        reason="two blocks of half a second: the producer is this node, so that only its own clocks can differ",
        minimum=0,
    )
    validate_ahead_ms: int = setting(
        3_000,
        unit="milliseconds",
        help="how far the time of a block that is validated may lie ahead of this service's clock",
        reason="a producer's turn of six blocks: clocks kept by NTP differ by far less; ask again for a later one",
        minimum=0,
    )
    transaction_ahead_ms: int = setting(
        30_000,
        unit="milliseconds",
        help="how far the time of a transaction without a block header may lie ahead of the clock; it waits for it",
        reason="the bound of the reference's transaction pool; clients with worse clocks are refused",
        minimum=0,
    )
    early_count: int = setting(
        1_000,
        unit="transactions",
        help="transactions ahead of the clock that wait for their time; more are told when to come back",
        reason="64 MiB at most, since a transaction has 64 KiB; honest clocks are milliseconds ahead",
        minimum=0,
    )
    trust_signature_claims: bool = setting(
        False,
        unit="true or false",
        help="honour signatures_checked of callers that have checked all signatures themselves",
        reason="off: only an operator knows that every caller is a node module of the same trust",
    )
    confined: bool = setting(
        True,
        unit="true or false",
        help="workers give up all system calls that they do not need, and may grow only by twice heap_bytes",
        reason="on: a contract that breaks out of V8 finds nothing to open; off only to look into a worker",
    )
    v8_flags: tuple[str, ...] = setting(
        (),
        unit="flags, separated by commas",
        help="further V8 flags, for example --jitless",
        reason="none: the fixed ones are enough",
    )

    def __post_init__(self) -> None:
        """Refuses settings that contradict each other."""
        if self.worker_count_max and self.worker_count_max < self.worker_count_min:
            raise ValueError(
                f"worker_count_max={self.worker_count_max} is below worker_count_min={self.worker_count_min}"
            )


def cpu_count(quota: Path = CPU_QUOTA, fallback: int = 1) -> int:
    """Returns the whole CPUs that the cgroup grants, at least 1; `fallback` where it sets no quota."""
    try:
        granted, period = quota.read_text("ascii").split()
        return max(1, int(granted) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return max(1, fallback)
