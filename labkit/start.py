"""What `labkit lab` does: gives the student copies of their own, then opens JupyterLab on the start page.

notebooks/*.ipynb, glossary.md → work/notebooks/       exercises/*.ipynb → work/exercises/

work/ is in the repository, or where LABKIT_WORK says: then several users can share a repository that is read-only.
"""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jupyterlab.labapp import LabApp
from tornado.netutil import bind_sockets

from labkit import repository
from labkit.files import write_atomically
from labkit.repository import UsageError

START_PAGE = "notebooks/00_start_here.ipynb"
NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}
COPIED = ("notebooks/*.ipynb", "notebooks/glossary.md", "exercises/*.ipynb")


def prepare_work(root: Path) -> list[Path]:
    """Copy into work/ what it lacks and return the new copies; what is there already is never touched."""
    if not (root / START_PAGE).exists():
        raise UsageError(f"{START_PAGE} is missing: get it back with `git restore notebooks`")
    work = repository.work()
    sources = sorted(source for pattern in COPIED for source in root.glob(pattern))
    return [copy for source in sources if (copy := _copy(source, work / source.relative_to(root)))]


def _copy(source: Path, copy: Path) -> Path | None:
    if os.path.lexists(copy):
        return None
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, source.read_bytes())
    except OSError as error:
        advice = "; LABKIT_WORK names another folder for your copies" if error.errno in NO_RIGHT else ""
        raise UsageError(f"cannot copy {source.name} to {copy.parent}: {error.strerror}{advice}") from error
    return copy


def open_lab(root: Path, arguments: Sequence[str] = (), port: int | None = None) -> None:
    """Run JupyterLab until it is stopped. `arguments` are its own; without `port` it takes the first that is free.

    It shows the repository, or the folder that holds the user's copies if those lie elsewhere.
    """
    work = repository.work()
    shown = root if work.is_relative_to(root) else work.parent
    page = quote(f"{work.relative_to(shown).as_posix()}/{START_PAGE}")
    options = [f"--ServerApp.root_dir={shown}", f"--LabApp.default_url=/lab/tree/{page}"]
    if port is not None:
        _check_free(port)
        options += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options += ["--allow-root"]
    LabApp.launch_instance([*options, *arguments])


def _check_free(port: int) -> None:
    try:
        sockets = bind_sockets(port, "localhost")
    except OSError as error:
        raise UsageError(f"cannot use port {port}: {error.strerror}; choose another, or leave out --port") from error
    for socket in sockets:
        socket.close()
