"""The judge beside a notebook: one process that is started by the first check, and judges one request after another.

To start Python and load a judge takes longer than most cases. It runs no student's code: that is for its children.
"""

import atexit
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import IO

from labkit.grading.judge.judge import Result
from labkit.grading.judge.request import News, Request

LAST = b"{}"
"""Comes between the news of verdicts and the result."""


class JudgeFailedError(RuntimeError):
    """The judge's process has ended by an error of its own. The text is the last line of what it said."""


class JudgeBeside:
    """A judge that lives as long as this process, and is started anew if it is gone or the environment has changed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner, self._environment = os.getpid(), dict(os.environ)

    @property
    def pid(self) -> int | None:
        """Its process id, once it was started."""
        return self._process.pid if self._process else None

    def judge(self, request: Request, tell: Callable[[News], None] = lambda _: None) -> Result:
        """What it answers; each verdict is told as it comes.

        JudgeFailedError if it does not answer; whatever interrupts the wait ends the judge.
        """
        self._start()
        try:
            self._channel.send_bytes(request.model_dump_json().encode())
            while (said := self._channel.recv_bytes()) != LAST:
                tell(News.model_validate_json(said))
            return Result.model_validate_json(self._channel.recv_bytes())
        except (EOFError, OSError):
            self._process.wait()
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().splitlines()[-1:]
            self.close()
            raise JudgeFailedError(" ".join(said) or "it was killed") from None
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        fits = self._owner == os.getpid() and self._environment == dict(os.environ)
        if self._process is not None and fits and self._process.poll() is None:
            return
        self.close()
        self._owner, self._environment = os.getpid(), dict(os.environ)
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - for as long as the judge lives
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "labkit.grading.judge.beside", str(theirs.fileno())],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, pass_fds=[theirs.fileno()],
                start_new_session=True,
            )  # fmt: skip
        self._channel = Connection(ours.detach())

    def close(self) -> None:
        """Kill it, with the crash lab that it has started (PR_SET_PDEATHSIG), unless it is another process's."""
        if self._process is None:
            return
        self._channel.close()
        self._log.close()
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        self._process = None


BESIDE = JudgeBeside()
atexit.register(BESIDE.close)


def main() -> None:
    """Judge whatever comes over the socket, until its other end is closed. Argument: its descriptor."""
    channel = Connection(int(sys.argv[1]))
    while True:
        try:
            request = channel.recv_bytes()
        except (EOFError, ConnectionResetError):
            return
        result = Request.model_validate_json(request).answer(lambda n: channel.send_bytes(n.model_dump_json().encode()))
        channel.send_bytes(LAST)
        channel.send_bytes(result)


if __name__ == "__main__":
    main()
