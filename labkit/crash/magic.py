"""`%%crash` and `%%restart`: a cell that runs in a process of its own, to be killed there or not.

The process works in this notebook's folder and in this notebook's world. What it had in memory dies with it.
"""

import ast
import atexit
import builtins
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, magics_class

from labkit import world
from labkit.crash import CrashLabError, Stop, Trial, trial
from labkit.crash.client import CLIENT
from labkit.crash.pickling import travels

USAGE = 'say where to kill it: %%crash after="write", %%crash before="ACK" or %%crash 3 (crash point 3)'


@magics_class
class CrashMagics(Magics):
    """The cell magics of the crash lab."""

    @cell_magic
    def crash(self, line: str, cell: str) -> None:
        """Run the cell in a process of its own and kill it there: after="label", before="label" or a crash point."""
        stop = parse(line)
        seen = self._run(cell, stop)
        if seen.how != "stopped":
            happened = "\n".join(f"  {k}  {label}" for k, label in enumerate(seen.effects))
            print(f"Not killed: it never came to {line.strip()}. It {seen.failure}. Its effects were\n{happened}")
        else:
            print(f"Killed by SIGKILL after {seen.effects[-1] if seen.effects else 'nothing'}. Its memory is gone.")

    @cell_magic
    def restart(self, line: str, cell: str) -> None:
        """Run the cell in a fresh process, to its end."""
        if line.strip():
            raise UsageError("%%restart takes no options")
        seen = self._run(cell, Stop())
        if seen.how != "returned":
            place = f" ({seen.line})" if seen.line else ""
            print(f"The new process {seen.failure}{place}")

    def _run(self, cell: str, stop: Stop) -> Trial:
        place = world.current()
        if not isinstance(place, world.World):
            raise UsageError("%%crash works in a notebook whose world is its own")
        try:
            seen = trial(_Cell(cell, self._needed(cell)), stop=stop, folder=Path.cwd(), world=place)
        except CrashLabError as error:
            raise UsageError(str(error)) from None
        place.restore(seen.world.to_json())
        print(seen.output, end="")
        return seen

    def _needed(self, cell: str) -> dict[str, Any]:
        """What the cell takes from the notebook."""
        try:
            tree = ast.parse(cell)
        except SyntaxError as error:
            raise UsageError(f"line {error.lineno} of the cell is not Python: {error.msg}") from None
        used = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        names = {node.id for node in used} & set(self.shell.user_ns) - set(dir(builtins))
        stay = {name for name in names if not travels(self.shell.user_ns[name])}
        if lacking := sorted(stay - {node.id for node in used if isinstance(node.ctx, ast.Store)}):
            raise UsageError(f"{lacking[0]} cannot travel to another process: make it inside the cell")
        return {name: self.shell.user_ns[name] for name in names - stay}


class _Cell:
    """A cell as a function: it travels to the child with what it takes from the notebook."""

    __name__ = "cell"

    def __init__(self, source: str, names: dict[str, Any]) -> None:
        self._source, self._names = source, names

    def __call__(self) -> None:
        exec(compile(self._source, "<cell>", "exec"), {**self._names, "__name__": "__main__"})  # noqa: S102


def parse(line: str) -> Stop:
    """The crash point that the options of `%%crash` name. UsageError if they name none."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    if len(words) == 1 and words[0].isdigit():
        return Stop(at=int(words[0]))
    key, _, value = words[0].partition("=") if len(words) == 1 else ("", "", "")
    if key not in {"after", "before"} or not value:
        raise UsageError(USAGE)
    return Stop(**{key: value})


def scratch() -> None:
    """Give this notebook an empty folder to work in. It goes when the kernel ends."""
    CLIENT.start()  # the zygote outlives a kernel that is killed, and removes the folder
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=CLIENT.folder))
    atexit.register(os.chdir, Path.cwd())
    os.chdir(folder)


def register(shell: Any) -> None:
    """Turn the magics on in this notebook."""
    shell.register_magics(CrashMagics)
