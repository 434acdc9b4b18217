"""Plain data over a socket: JSON, never a pickle, as the other end may be a stranger's code."""

import json
from multiprocessing.connection import Connection
from typing import Any


def tell(channel: Connection, message: Any) -> None:
    """Send plain data. JSON, never a pickle: the other end may be anybody's code."""
    channel.send_bytes(json.dumps(message).encode())


def hear(channel: Connection, longest: int | None = None) -> Any:
    """Receive what `tell` sent. EOFError if the other end is gone, OSError if in mid-sentence or too long a one."""
    try:
        return json.loads(channel.recv_bytes(longest))
    except ConnectionResetError:
        raise EOFError from None
