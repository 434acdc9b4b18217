"""Which process is the server: its pid file tells, and is believed if that process works in the cluster's folder.

After a crash the file stays, and its number may be a stranger's by then, who must not be touched.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Postmaster:
    """The first process of the server whose cluster is in `data`: the parent of all others."""

    data: Path

    def process(self) -> psutil.Process | None:
        """The process, if it lives; not a stranger's that has got its number since."""
        told = self._pid_file()
        with suppress(IndexError, ValueError, psutil.Error):
            process = psutil.Process(int(told[0]))
            if process.cwd() == os.path.realpath(self.data):
                return process
        return None

    @property
    def ready(self) -> bool:
        """Whether it lives and takes connections."""
        return self.process() is not None and self._pid_file()[7:8] == ["ready"]

    @property
    def bereft(self) -> bool:
        """Whether it runs although its executable is deleted, as when the virtual environment was made anew."""
        process = self.process()
        try:
            return process is not None and not os.path.exists(process.exe())
        except psutil.Error:
            return False

    def forget_stranger(self) -> None:
        """Remove the pid file of a server that is gone: none would start while a stranger's process has that pid."""
        if self.process() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Send SIGINT, which ends all sessions and then the server in good order, and wait until it is gone."""
        if process := self.process():
            process.send_signal(signal.SIGINT)
        while self.process():
            time.sleep(0.005)

    def kill(self) -> None:
        """Kill it and all its children by SIGKILL, and wait until it is gone."""
        if process := self.process():
            process.suspend()  # or it would notice the first death and tidy up
            for each in [*process.children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        while self.process():
            time.sleep(0.001)

    def _pid_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]
        except (FileNotFoundError, NotADirectoryError):
            return []
