"""Lets a batch that kept meeting conflicts commit alone.

Batches commit side by side and hope that they do not touch the same keys; a slow one can lose that race for ever
against quick ones. After its first lost races it asks to be alone: no further batch of this service starts to commit,
those that run finish, and then nothing of this service can change what it reads.
"""

import asyncio
from collections import deque


class CommitGate:
    """Counts the batches that commit; who asked to be alone goes before all new ones, in order."""

    def __init__(self) -> None:
        """Starts open and empty."""
        self._inside = 0
        self._alone = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def open(self) -> bool:
        """Whether a further batch may enter."""
        return not self._alone and not self._waiting

    def enter(self) -> None:
        """A batch starts to run. REQUIRES: the gate is open."""
        self._inside += 1

    def leave(self) -> None:
        """A batch has ended."""
        self._inside -= 1
        self._alone = False
        self._grant()

    async def become_alone(self) -> None:
        """Waits until no other batch is inside; until `leave` none enters.

        REQUIRES: the caller is inside, and is not cancelled while it waits.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._inside -= 1
        self._alone = False
        self._waiting.append(turn)
        self._grant()
        await turn

    def _grant(self) -> None:
        while self._waiting and self._inside == 0 and not self._alone:
            turn = self._waiting.popleft()
            if not turn.done():
                self._alone = True
                self._inside = 1
                turn.set_result(None)
