"""Plain data over a socket: JSON, never a pickle, as the other end may be a stranger's code."""

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from multiprocessing.connection import Connection
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
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
