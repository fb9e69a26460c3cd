"""What `nursery` and `child` say to each other over a socket: a request with open files, that it was taken up, an
answer. Lengths stand before what is sent, because a child may be asked again."""

import json
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# A document that is larger gets more time and memory, and a child for itself.
LARGE_DOCUMENT_BYTES = 100_000_000

_STARTED = b"+"
_LENGTH, _ANSWER = struct.Struct(">I"), struct.Struct(">?I")
_MOST_FILES = 8
_LONGEST_ANSWER = 64 * 1024 * 1024


class NoChildError(Exception):
    """No child was there to begin the task."""


class KilledError(Exception):
    """The child ended without an answer: one of its limits, or a fault of a library."""


@dataclass(frozen=True)
class Request:
    """A task's name, the seconds that it may take, its JSON arguments and its open files."""

    task: str
    seconds: float
    arguments: dict[str, Any]
    descriptors: Sequence[int]


def ask(channel: socket.socket, request: Request, *, patience: float) -> tuple[bytes, bool]:
    """A child's answer, JSON, and whether it can be asked again; waits ``patience`` seconds for each part of it.

    Raises `NoChildError` if it was gone before it began, `KilledError` if it gave no answer.
    """
    spoken = {"task": request.task, "seconds": request.seconds, "arguments": request.arguments}
    body = json.dumps(spoken).encode()
    channel.settimeout(patience)
    try:
        socket.send_fds(channel, [_LENGTH.pack(len(body))], request.descriptors)
        channel.sendall(body)
        started = channel.recv(1) == _STARTED
    except TimeoutError:
        raise KilledError from None
    except OSError:
        raise NoChildError from None
    if not started:
        raise NoChildError
    try:
        stays, length = _ANSWER.unpack(_receive(channel, _ANSWER.size))
        if length > _LONGEST_ANSWER:
            raise KilledError
        return _receive(channel, length), stays
    except (OSError, EOFError):
        raise KilledError from None


def listen(channel: socket.socket) -> Request | None:
    """The next request; None if nobody asks any more, or not in the time that the socket gives them."""
    try:
        head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, _MOST_FILES)
    except TimeoutError:
        return None
    if not head:
        return None
    channel.sendall(_STARTED)
    (length,) = _LENGTH.unpack(head)
    try:
        spoken = json.loads(_receive(channel, length))
    except EOFError:
        return None
    return Request(spoken["task"], spoken["seconds"], spoken["arguments"], descriptors)


def answer(channel: socket.socket, value: dict[str, Any], *, stays: bool) -> None:
    """Tells the one who asked, and whether another request would be heard."""
    body = json.dumps(value).encode()
    channel.sendall(_ANSWER.pack(stays, len(body)) + body)


def largest(descriptors: Sequence[int]) -> int:
    """The size of the largest of some open files."""
    return max((os.fstat(number).st_size for number in descriptors), default=0)


def _receive(channel: socket.socket, length: int) -> bytes:
    """Raises `EOFError` if less comes."""
    received = bytearray()
    while len(received) < length:
        part = channel.recv(min(65536, length - len(received)))
        if not part:
            raise EOFError
        received += part
    return bytes(received)
