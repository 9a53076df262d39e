"""Failpoints: named places where a test makes a process fail. None is armed outside of tests, and then they are free.

    failpoint.hit("state.flush.before_sync")

Grammar of `V8VM_FAILPOINTS` (names are those of the code, like log events):

    failpoints = failpoint *( ";" failpoint )
    failpoint  = name "=" action [ "@" hit ]      ; hit 1: the first time the place is reached; absent: every time
    action     = "panic" | "error" | "sleep(" milliseconds ")"

`panic` leaves at once as a killed process does: no cleanup, no flush, exit code 70.
"""

import logging
import os
import re
import time
from dataclasses import dataclass

EXIT_PANIC = 70
"""Exit code of a process that a failpoint ended; tells it from a real death in tests (EX_SOFTWARE of sysexits.h)."""

_PATTERN = re.compile(r"(?P<name>[a-z0-9_.]+)=(?P<kind>panic|error|sleep)(?:\((?P<ms>\d+)\))?(?:@(?P<on>[1-9]\d*))?")

log = logging.getLogger(__name__)


class FailpointError(Exception):
    """Raised where a failpoint is armed with `error`."""


@dataclass(slots=True)
class _Action:
    kind: str
    sleep_ms: int
    on_hit: int  # 0: every hit
    hits: int = 0


_armed: dict[str, _Action] = {}


def arm(text: str) -> None:
    """Arms failpoints, replacing those armed before; an empty text disarms all.

    Raises:
        ValueError: the text does not follow the grammar.
    """
    _armed.clear()
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        match = _PATTERN.fullmatch(part)
        if match is None or (match["kind"] == "sleep") != (match["ms"] is not None):
            raise ValueError(f"failpoint {part!r}: expected name=panic|error|sleep(ms) and optionally @hit")
        _armed[match["name"]] = _Action(match["kind"], int(match["ms"] or 0), int(match["on"] or 0))
    if _armed:
        log.warning("failpoints_armed", extra={"failpoints": sorted(_armed)})


def hit(name: str) -> None:
    """Does what is armed for this place, if anything.

    Raises:
        FailpointError: armed with `error`.
    """
    if not _armed:
        return
    action = _armed.get(name)
    if action is None:
        return
    action.hits += 1
    if action.on_hit and action.hits != action.on_hit:
        return
    log.warning("failpoint_hit", extra={"failpoint": name, "action": action.kind})
    if action.kind == "panic":
        os._exit(EXIT_PANIC)
    if action.kind == "error":
        raise FailpointError(name)
    time.sleep(action.sleep_ms / 1000)
