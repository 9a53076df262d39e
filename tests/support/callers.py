"""Threads that call a service again and again until they are told to stop."""

import threading
from typing import Self

JOIN_S = 60


class Callers:
    """A context manager around the threads; `call` says what each of them does."""

    def __init__(self, count: int) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]

    def call(self, number: int) -> None:
        """Calls once, as caller `number`."""
        raise NotImplementedError

    def _run(self, number: int) -> None:
        while not self._stop.is_set():
            self.call(number)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the callers."""
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_S)
