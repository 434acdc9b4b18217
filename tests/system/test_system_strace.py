"""What the crash lab records is what the system is asked to do: `make system` runs it, and needs strace.

Programs run twice, once under strace without the lab, once in the lab. Both must tell the same calls in the same order.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.crash import trial

CALLS = "trace=open,openat,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,mkdir,ftruncate"
SAVE = """
import json, os
with open("task.tmp", "w") as file:
    json.dump({"state": "new", "text": "x" * 20000}, file)
    file.flush()
    os.fsync(file.fileno())
os.replace("task.tmp", "task.json")
folder = os.open(".", os.O_RDONLY)
os.fsync(folder)
os.close(folder)
"""
PATHLIB = """
from pathlib import Path
Path("folder").mkdir()
Path("folder/a").write_text("one")
with Path("folder/a").open("r+b", buffering=0) as file:
    file.write(b"two")
    file.truncate(2)
Path("folder/a").rename("b")
Path("b").unlink()
"""
STORE = """
from labkit import FileStateStore, Task, TaskState
store = FileStateStore("tasks")
task = store.insert(Task(id="a", user_input="deploy"))
store.save(task.to(TaskState.RUNNING))
"""


def by_strace(program: str, folder: Path) -> list[str]:
    """The changing calls of a program, as the system saw them, in the words of the lab."""
    assert shutil.which("strace"), "this test needs strace: install it, for example with `apt-get install strace`"
    log = folder.parent / "log"
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["strace", "-f", "-y", "-s", "0", "-e", CALLS, "-o", log, sys.executable, "-c", program]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    lines = [line for line in log.read_text().splitlines() if "(" in line and " = -1 " not in line]
    told = [_told(line, str(folder)) for line in lines]
    # O_CREAT on a file that is there already creates nothing: the lock file, opened again and again.
    return [call for number, call in enumerate(told) if call and not (call[:4] == "open" and call in told[:number])]


def _told(line: str, folder: str) -> str:
    """One line of strace, if it is about a change in the folder."""
    call, arguments = re.match(r"\d+ +(\w+)\((.*)", line).groups()
    inside = re.search(rf"<{re.escape(folder)}(?:/([^>]*))?>", arguments.partition(" = ")[0])
    name = (inside[1] or ".") if inside else ""
    strings = re.findall(r'"([^"]*)"', arguments)
    match call.removesuffix("64").removesuffix("at2").removesuffix("at"):
        case "write" | "pwrite" | "writev" if inside and name != ".":
            return f"write {name}"
        case "fsync" | "fdatasync" if inside:
            return f"fsync dir {name}" if Path(folder, name).is_dir() else f"fsync {name}"
        case "ftrunc" | "ftruncate" if inside:
            return f"truncate {name}"
        case "rename":
            return f"rename {strings[0]} → {strings[1]}"
        case "unlink" | "mkdir" as op:
            return f"{op} {strings[0]}"
    opened = re.search(rf"<{re.escape(folder)}/([^>]*)>", line.partition(" = ")[2])
    return f"open {opened[1]}" if opened and "O_CREAT" in line else ""


@pytest.mark.parametrize("program", [SAVE, PATHLIB, STORE], ids=["save", "pathlib", "store"])
def test_the_lab_records_what_the_system_sees(program, tmp_path):
    """Creations, writes, truncations, syncs, renames and removals, in the same order."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def run() -> None:
        exec(compile(program, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102

    recorded = [effect.replace("replace ", "rename ") for effect in trial(run).effects[:-1]]
    temporary = re.compile(r"\.[0-9a-f]{8}\.tmp")
    seen = [temporary.sub(".tmp", call) for call in by_strace(program, folder)]
    assert [temporary.sub(".tmp", call) for call in recorded] == seen
