"""Plain data over a socket: JSON, never a pickle, as the other end may be a stranger's code."""

import dataclasses
import json
import os
import socket
import struct
from collections.abc import Callable
from functools import cache
from multiprocessing.connection import Connection, Pipe
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
STALLED = 10
"""Seconds for which a message may stop half-way."""
HINTS = cache(get_type_hints)


def tell(channel: Connection, message: Any, form: Callable[[Any], Any] | None = None) -> None:
    """Send plain data, and what `form` (`vars`, for our own dataclasses) makes plain. TypeError for anything else."""
    channel.send_bytes(json.dumps(message, default=form).encode())


def hear(channel: Connection, longest: int | None = None) -> Any:
    """Receive what `tell` sent. EOFError if the other end is gone, OSError if in mid-sentence or too long a one."""
    try:
        return json.loads(channel.recv_bytes(longest))
    except ConnectionResetError:
        raise EOFError from None


def from_stranger(channel: Connection) -> Any:
    """The same from a process that runs code under test, which may say anything: ValueError if that is no message."""
    try:
        return hear(channel)
    except (OSError, RecursionError, MemoryError) as error:
        raise ValueError(f"no message: {type(error).__name__}") from None


def pipe_to_stranger() -> tuple[Connection, Connection]:
    """Our end and theirs. On ours, by SO_RCVTIMEO, no message may stop half-way for longer than STALLED."""
    ours, theirs = Pipe()
    with socket.socket(fileno=os.dup(ours.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", STALLED, 0))
    return ours, theirs


def made(kind: type[T], data: Any) -> T:
    """A dataclass, a list of them, or plain data, from what `hear` returned. From a process of ours only: no checks."""
    if dataclasses.is_dataclass(kind):
        hints = HINTS(kind)
        return kind(**{name: made(hints[name], value) for name, value in data.items()})
    if get_origin(kind) in {list, tuple} and get_args(kind):
        return get_origin(kind)(made(get_args(kind)[0], each) for each in data)
    if NoneType in get_args(kind) and data is not None:
        return made(get_args(kind)[0], data)
    return data
