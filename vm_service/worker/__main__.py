"""`python -m vm_service.worker FD`: a worker process on an inherited socket.

Spawned by the manager, told everything by its `Start` message, ended by `Stop`, by the end of the socket, or by
SIGKILL. It leaves by `os._exit`: an interpreter that held V8 may hang on its way out.
"""

import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from chassis import failpoint
from chassis import logging as chassis_logging
from chassis.errors import DrainingError, RemoteError, ServiceError, explain
from vm_service.build import build_id
from vm_service.model import Limits
from vm_service.sandbox import snapshot
from vm_service.sandbox.isolate import DeadlineError, IsolateError, OutOfMemoryError, StuckError
from vm_service.sandbox.load_vm import HostError
from vm_service.worker import channel, confinement
from vm_service.worker.executor import Executor
from vm_service.worker.header_rules import Ahead
from vm_service.worker.intake import Intake
from vm_service.worker.process import data_bytes, rss_bytes
from vm_service.worker.pulse import Pulse
from vm_service.worker.rehearsal import rehearse
from vm_service.worker.service import BatchService
from vm_service.worker.shared_images import SharedImages
from vm_service.worker.snapshot_store import DamagedError, Snapshot, SnapshotStore
from vm_service.worker.state_client import StateClient

EXIT_STOPPED = channel.EXIT_STOPPED
EXIT_STUCK = 3
EXIT_RETIRED = 4
EXIT_SNAPSHOT = 6

STORE_LOST = frozenset({"PEER_UNAVAILABLE", DrainingError.reason})
"""Reasons of a call that found no connection, or a store that stops and closes it. Other reasons are answers."""

CONNECT_SHARE = 0.8
"""Share of the time for the start that may pass until the state service answers."""

MEMORY_MARGIN = 2
"""Times the heap limit: how far the data segment may grow after the start. What V8 allocates outside its heap, code and
garbage not yet collected need as much again as the heap itself."""

LEAST_MARGIN_BYTES = 256 << 20
"""Growth that is granted whatever the heap limit: V8 aborts where it cannot get memory, also for work of its own."""

CROWDED_SHARE = 0.75
"""Share of that growth beyond which a worker is replaced: the rest is for a batch of several MB."""

HEAP_SECONDS = 1.0
"""How often the heap is measured: V8 takes half a millisecond to tell."""

MAX_USED = 1000
"""Contracts told of a batch: twice the transactions of a gathered one."""

SHOWN_CONTRACTS = 100
"""Hot contracts told with each answer: enough to choose a worker by, small beside any answer."""

log = logging.getLogger(__name__)


def _adopt(start: channel.Start) -> tuple[Snapshot | None, str]:
    """Lets this process start its isolates from a snapshot, if that is sound; else says in a word why not."""
    if not start.snapshot_key:
        return None, ""
    try:
        found = SnapshotStore(Path(start.snapshot_folder)).read(start.snapshot_key)
        if snapshot.key(start.flags, found.sizes) != found.key:
            return None, "stale"
        snapshot.adopt(found.blob, start.flags)
    except FileNotFoundError:
        return None, "missing"
    except (DamagedError, OSError) as error:
        return None, str(error) if isinstance(error, DamagedError) else "unreadable"
    except snapshot.SnapshotError as error:
        log.warning("snapshot_not_adopted", extra={"cause": str(error)})
        return None, "engine"
    return found, ""


class Worker:
    """One worker: boots, answers batches one at a time, leaves."""

    def __init__(self, wire: channel.WorkerChannel, start: channel.Start, began: float) -> None:
        """Brings everything up and reports readiness; `began`: monotonic seconds at which the process began."""
        self._wire = wire
        self._work_id = 0
        self._busy = False  # read by `_on_store_lost`, which the store may call from here on
        self._limits = Limits(
            transaction_ms=start.transaction_ms,
            heap_bytes=start.heap_bytes,
            image_bytes=start.image_bytes,
            flags=start.flags,
        )
        self._store = StateClient(
            start.state_target,
            max_message_bytes=start.max_message_bytes,
            timeout_ms=start.state_timeout_ms,
            on_lost=self._on_store_lost,
        )
        self._store.connect(CONNECT_SHARE * start.start_ms / 1000)
        wire.send(channel.Connected())
        found, refused = _adopt(start)
        self._executor = Executor(
            self._store,
            limits=self._limits,
            announce=self._announce,
            snapshot=found,
            pinned=start.pinned,
            shared=SharedImages(wire, build_id(start.flags)),
        )
        intake = Intake(
            start.chain_id,
            trust_signature_claims=start.trust_signature_claims,
            ahead_ns=start.transaction_ahead_ms * 10**6,
        )
        ahead = Ahead(start.generate_ahead_ms, start.validate_ahead_ms)
        self._service = BatchService(
            self._executor,
            self._store,
            intake,
            build_id=build_id(start.flags),
            ahead=ahead,
            committing=self._committing,
        )
        self._pulse = Pulse(wire, self._executor.running_s)
        self._heap = 0
        self._heap_asked_at = float("-inf")
        digest = self._executor.rehearse()
        if found is not None and not (self._executor.from_snapshot and digest == found.digest):
            os._exit(EXIT_SNAPSHOT)
        self._executor.warm(start.hot)
        self._store.hold_places()
        rehearse()
        self._crowded_bytes = sys.maxsize
        if start.confined:
            margin = max(MEMORY_MARGIN * start.heap_bytes, LEAST_MARGIN_BYTES)
            self._crowded_bytes = data_bytes() + int(CROWDED_SHARE * margin)
            confinement.limit_memory(margin)
            confinement.confine()
        boot_ms = (time.monotonic() - began) * 1000
        build, figures = build_id(start.flags), self._figures(0)
        wire.send(channel.Ready(build, boot_ms, figures, "snapshot" if found else "sources", refused))

    def _on_store_lost(self) -> NoReturn:
        """Leaves: a confined process cannot connect again. A batch that runs is run again elsewhere."""
        log.warning("state_service_lost", extra={"busy": self._busy})
        sys.stderr.flush()
        os._exit(channel.EXIT_DETACHED)

    def serve(self) -> int:
        """Answers batches until told to stop; returns the exit code."""
        while True:
            message = self._wire.receive()
            match message:
                case channel.Work():
                    if not self._answer(message):
                        return EXIT_RETIRED
                case channel.Ping():
                    self._wire.send(channel.Pong())
                case _:
                    return EXIT_STOPPED

    def close(self) -> None:
        """Frees the isolates and the connection."""
        self._executor.close()
        self._store.close()

    def _answer(self, work: channel.Work) -> bool:
        """Answers one batch; returns whether the worker can go on."""
        self._work_id = work.work_id
        reads = self._store.read_call_count
        self._busy = True
        self._pulse.begin(work.work_id)
        try:
            answer = self._run(work, reads)
        finally:
            self._pulse.end()
            self._busy = False
        self._wire.send(answer)
        return not isinstance(answer, channel.Stopped) and not self._executor.condemned

    def _run(self, work: channel.Work, reads: int) -> channel.Done | channel.Failed | channel.Stopped:
        try:
            responses = self._service.handle(work)
        except StuckError as error:
            self._wire.send(self._stopped(work, error))
            os._exit(EXIT_STUCK)  # V8's thread still runs: there is nothing left to close
        except IsolateError as error:
            return self._stopped(work, error)
        except Exception as error:  # noqa: BLE001 - the boundary: logged and answered
            cause = error.__cause__ if isinstance(error, HostError) and error.__cause__ is not None else error
            if isinstance(cause, MemoryError):  # of the process, not of V8: it is worn out, or the batch is large
                return channel.Stopped(work.work_id, "memory", channel.NOBODY, b"", "the process may not grow further")
            if isinstance(cause, RemoteError) and cause.reason in STORE_LOST:
                self._on_store_lost()
            return self._failed(work, reads, cause)
        return channel.Done(work.work_id, responses, self._figures(reads))

    def _failed(self, work: channel.Work, reads: int, error: BaseException) -> channel.Failed:
        shown = error if isinstance(error, Exception) else RuntimeError(str(error))
        status = explain(shown, work.kind).to_status()
        return channel.Failed(work.work_id, status.SerializeToString(), self._figures(reads))

    def _stopped(self, work: channel.Work, error: IsolateError) -> channel.Stopped:
        index, tx_hash = self._current()
        if isinstance(error, OutOfMemoryError):
            measured = f"the heap limit of {self._limits.heap_bytes} bytes was reached"
            return channel.Stopped(work.work_id, "memory", index, tx_hash, measured)
        if not isinstance(error, DeadlineError | StuckError):
            log.error("isolate_broken", extra={"cause": str(error)})
            return channel.Stopped(work.work_id, "broken", index, tx_hash, "the isolate failed and was given up")
        running_ms = self._executor.running_s() * 1000
        measured = f"stopped after {running_ms:.0f} ms, limit {self._limits.transaction_ms} ms"
        if not running_ms:
            measured = "the compiler was stopped: it took too long"
        if isinstance(error, StuckError):
            measured += ", and could not be interrupted"
        return channel.Stopped(work.work_id, "timeout", index, tx_hash, measured)

    def _current(self) -> tuple[int, bytes]:
        """Returns the item that runs, by its place in the batch, and its hash; -1 when none does."""
        begun = self._executor.progress()
        return self._service.item_at(begun - 1) if begun > 0 else (-1, b"")

    def _committing(self, commit_id: bytes) -> None:
        self._wire.send(channel.Committing(self._work_id, commit_id))

    def _announce(self, index: int) -> None:
        place, tx_hash = (index, b"") if index == channel.NOBODY else self._service.item_at(index)
        self._wire.send(channel.Announce(self._work_id, place, tx_hash))
        failpoint.hit("worker.announce")

    def _crowded(self) -> bool:
        """Whether the process has grown nearly as far as it may, garbage not counted."""
        if data_bytes() < self._crowded_bytes:
            return False
        self._executor.collect_garbage()
        return data_bytes() >= self._crowded_bytes

    def _heap_bytes(self) -> int:
        """Returns the V8 heap in use, asked for now and then; collects garbage first when it is large."""
        now = time.monotonic()
        if now - self._heap_asked_at >= HEAP_SECONDS:
            self._heap_asked_at = now
            self._heap = self._executor.heap_bytes()
            if self._heap > self._limits.heap_bytes // 2:
                self._executor.collect_garbage()
                self._heap = self._executor.heap_bytes()
        return self._heap

    def _figures(self, reads_before: int) -> channel.Figures:
        hits = self._executor.hot.take_hits()
        return channel.Figures(
            transaction_count=self._service.item_count,
            conflict_count=self._service.runner.conflict_count,
            wait_count=self._service.runner.wait_count,
            wait_ms=self._service.runner.wait_ms,
            ran_ms=int(self._executor.ran_s * 1000),
            read_call_count=self._store.read_call_count - reads_before,
            heap_bytes=self._heap_bytes(),
            rss_bytes=rss_bytes(),
            pinned=hits.pinned,
            recent=hits.recent,
            cold=hits.cold,
            used=self._executor.hot.take_used()[:MAX_USED],
            slow=self._service.slow_items(),
            hot_contracts=self._executor.hot.latest(SHOWN_CONTRACTS),
            crowded=self._crowded(),
        )


def main(descriptor: int) -> NoReturn:
    """Runs a worker and leaves."""
    began = time.monotonic()
    confinement.die_with_parent(os.getppid())
    confinement.limit_core_dumps()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group: the manager decides
    wire = channel.WorkerChannel(socket.socket(fileno=descriptor))
    start = wire.receive()
    if not isinstance(start, channel.Start):
        os._exit(EXIT_STOPPED)
    chassis_logging.setup(f"vm-worker-{start.worker_id}", start.log_level)
    failpoint.arm(start.failpoints)
    code = 1
    try:
        worker = Worker(wire, start, began)
        code = worker.serve()
        if code == EXIT_STOPPED:  # a condemned isolate is not closed: that may need memory which it must not have
            worker.close()
    except ConnectionError:
        log.warning("manager_gone")
    except ServiceError as error:
        log.warning("worker_not_ready", extra={"reason": error.reason, "cause": error.message})
        code = channel.EXIT_DETACHED
    except Exception:
        log.exception("worker_failed")
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
