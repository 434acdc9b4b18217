"""Whatever a stranger's process says, whoever hears it goes on: in time, and with no more than "that is no message"."""

import os
import struct

import pytest

from labkit.crash import channel

SAID = {
    "half a message, and leaves": (struct.pack("!i", 1000) + b"[{", True),
    "half a message, and waits": (struct.pack("!i", 1000) + b"[{", False),
    "a length without end": (struct.pack("!i", -1) + struct.pack("!Q", 2**62) + b"x", False),
    "JSON that nests too deep": (struct.pack("!i", 200_000) + b"[" * 100_000 + b"]" * 100_000, False),
    "no JSON": (struct.pack("!i", 3) + b"abc", False),
}


@pytest.mark.parametrize("what", SAID)
def test_what_is_no_message_is_a_value_error(monkeypatch, what):
    """Also when it stops half-way, for longer than anybody waits."""
    monkeypatch.setattr(channel, "STALLED", 1)
    ours, theirs = channel.pipe_to_stranger()
    data, leaves = SAID[what]
    with ours, theirs:
        if os.fork() == 0:
            os.write(theirs.fileno(), data)
            os._exit(0)
        os.wait()
        if leaves:
            theirs.close()
        with pytest.raises(ValueError, match=r"no message|Expecting value"):
            channel.from_stranger(ours)


def test_who_is_gone_has_said_nothing():
    """That is another thing."""
    ours, theirs = channel.pipe_to_stranger()
    with ours:
        theirs.close()
        with pytest.raises(EOFError):
            channel.from_stranger(ours)
