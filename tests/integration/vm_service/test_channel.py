"""Frames between manager and worker."""

import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from vm_service.worker import channel

Pair = tuple[socket.socket, channel.WorkerChannel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, channel.WorkerChannel(theirs)


def test_messages_arrive_as_they_were_sent(pair: Pair) -> None:
    ours, worker = pair
    work = channel.Work(7, "execute", [b"one", b"two"], careful=True, excluded=[channel.Exclusion(5, "x", index=1)])
    ours.sendall(channel.encode(work) + channel.encode(channel.Ping()))
    assert worker.receive() == work
    assert worker.receive() == channel.Ping()


def test_a_message_in_pieces_is_put_together(pair: Pair) -> None:
    ours, worker = pair
    frame = channel.encode(channel.Work(1, "call", [b"x" * 100_000]))

    def send() -> None:
        for at in range(0, len(frame), 1000):
            ours.sendall(frame[at : at + 1000])

    thread = threading.Thread(target=send)
    thread.start()
    received = worker.receive()
    thread.join()
    assert isinstance(received, channel.Work)
    assert received.requests == [b"x" * 100_000]


@pytest.mark.parametrize("keep", [0, 2, 6])
def test_the_end_of_the_stream_is_no_message(pair: Pair, keep: int) -> None:
    ours, worker = pair
    ours.sendall(channel.encode(channel.Stop())[:keep])
    ours.close()
    assert worker.receive() is None


def test_a_message_of_the_other_direction_is_refused() -> None:
    body = channel.encode(channel.Stop())[channel.LENGTH_BYTES :]
    with pytest.raises(msgspec.ValidationError):
        channel.decode_for_manager(body)
