"""Opens JupyterLab on the start page of the student's own copies."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jupyterlab.labapp import LabApp
from tornado.netutil import bind_sockets

from labkit import repository
from labkit.copies import START_PAGE
from labkit.repository import UsageError


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
