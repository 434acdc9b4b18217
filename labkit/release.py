"""What students are given: `labkit release DIR` writes it, without solutions, tests and what only authors need.

DIR can be pushed as the template of a GitHub Classroom, zipped for a course page, or served by nbgitpuller: students'
copies lie in work/, which git does not ignore there, and which no release has.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from labkit.files import make_directory, write_atomically
from labkit.repository import UsageError

RELEASED = (
    *("Makefile", "pyproject.toml", "requirements.lock", "environment.yml", "LICENSE"),
    *("labkit/**/*", "notebooks/*.ipynb", "notebooks/glossary.md"),
    *("exercises/*.ipynb", "exercises/criteria.toml", "exercises/criteria/*.py"),
    *(".binder/environment.yml", ".binder/postBuild", ".devcontainer/devcontainer.json"),
    *(f"docs/{name}.md" for name in ("STUDENTS", "SWEEP", "RACE", "YOUR_OWN_CODE")),
)
"""Patterns, in the repository."""
MANIFEST = ".release.json"
"""In a release: the files that it has, so that the next one can take its place."""
WORK_LINES = ("work/", "# The student's own copies")
README = """# The crash lab

Learn how long-lived AI agents survive crashes, by causing them.

```
make lab      sets everything up and opens JupyterLab on the start page
```

You need Python 3.11 or newer, and make. On Windows, use WSL. The first time takes about a minute.

The lab copies chapters and exercises into `work/`. They are yours: what you have touched, nothing overwrites.
What you have not is renewed when the course changes; `.venv/bin/labkit update` renews the rest around your answers.
In an exercise, `check("01_file_storage")` says what your answers survive; so does `.venv/bin/labkit check 01`.
Hand in the notebooks in `work/exercises/`.

[For students](docs/STUDENTS.md) says how the lab works, and what to do when you are stuck.
"""


def release(root: Path, folder: Path) -> list[str]:
    """Write what students get into `folder`, and return the names of its files.

    A release that is there is replaced, and what is beside it (.git, work/) stays. UsageError if the folder holds
    anything else, or lies in the repository.
    """
    if folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{folder} lies in the repository: choose a folder elsewhere")
    before = _before(folder)
    texts = {name: (root / name).read_bytes() for name in _names(root)}
    ignored = (root / ".gitignore").read_text("utf-8").splitlines() if (root / ".gitignore").exists() else []
    kept = [line for line in ignored if line.strip() not in WORK_LINES]
    texts[".gitignore"] = ("\n".join(kept).strip() + "\n").encode()
    texts["README.md"] = README.encode()
    for name in before - texts.keys():
        (folder / name).unlink(missing_ok=True)
    for name, data in texts.items():
        make_directory((folder / name).parent)
        write_atomically(folder / name, data)
    write_atomically(folder / MANIFEST, json.dumps(sorted(texts), indent=0).encode())
    return sorted(texts)


def _names(root: Path) -> Iterator[str]:
    for pattern in RELEASED:
        found = [path.relative_to(root) for path in sorted(root.glob(pattern)) if path.is_file()]
        if not found:
            raise UsageError(f"{pattern} is missing in {root}: get it back with `git restore .`")
        yield from (path.as_posix() for path in found if "*" not in pattern or not _is_made(path))


def _is_made(path: Path) -> bool:
    """Whether Python or an editor made it."""
    return any(part.startswith(".") or part == "__pycache__" or part.endswith("~") for part in path.parts)


def _before(folder: Path) -> set[str]:
    """The files of the release that is there. UsageError if something else is."""
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: choose another name")
    there = {entry.name for entry in folder.iterdir()} - {".git"}
    try:
        return set(json.loads((folder / MANIFEST).read_text("utf-8"))) if there else set()
    except (OSError, ValueError):
        raise UsageError(f"{folder} holds {min(there)}, and is no earlier release: choose an empty folder") from None
