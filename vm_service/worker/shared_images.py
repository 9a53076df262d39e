"""The worker's side of shared images: asks the manager for an image, and tells which sources were compiled here."""

import os
import sys

from vm_service.compiler.pipeline import CompileResult
from vm_service.worker import channel

LEAST_CHARS = 2_000
"""Length from which a source is shared: a smaller one is compiled in about the time of asking."""


class SharedImages:
    """Images that the service keeps. REQUIRES: nothing else receives while a question is open."""

    def __init__(self, wire: channel.WorkerChannel, build_id: str) -> None:
        """Uses the channel of a worker.

        Args:
            wire: the channel.
            build_id: build of the images that this worker can run.
        """
        self._wire = wire
        self._build_id = build_id

    def find(self, key: str, source: str) -> CompileResult | None:
        """Returns the image of a source, without its reference form; None when the service has none."""
        if len(source) < LEAST_CHARS:
            return None
        self._wire.send(channel.Wanted(key, self._build_id))
        answer = self._wire.receive()
        if not isinstance(answer, channel.Image):  # the service stops, or has gone
            sys.stderr.flush()
            os._exit(channel.EXIT_STOPPED)
        if answer.key != key or not answer.image:
            return None
        return CompileResult(key, image=answer.image, meta=answer.meta, code_bytes=answer.code_bytes)

    def offer(self, source: str) -> None:
        """Tells that a source was compiled here."""
        if len(source) >= LEAST_CHARS and _is_encodable(source):
            self._wire.send(channel.Compiled(source))


def _is_encodable(source: str) -> bool:
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True
