"""Writes what sets the lab up elsewhere, from pyproject.toml: for conda, for Binder, for a container of VS Code's.

Everywhere pip installs what pyproject asks for, at the versions of requirements.lock.

python tools/environment.py            write them
python tools/environment.py --check    exit status 1 if a committed one is stale
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONDA = """\
# Made from pyproject.toml by tools/environment.py.
name: {name}
channels:
  - conda-forge
dependencies:
  - python{requires-python}
  - pip
"""
INSTALL = "-c requirements.lock", "-e .[brokers,engines]"
"""What pip is given."""
POST_BUILD = f"""\
#!/bin/sh
# Made by tools/environment.py. Binder runs it in the repository, when Python and pip are there.
set -e
python -m pip install --no-cache-dir {" ".join(INSTALL)}
labkit lab --copy
"""
CONTAINER = """\
{{
  "name": "{name}",
  "image": "mcr.microsoft.com/devcontainers/python:{newest}",
  "postCreateCommand": "make .venv/lab && .venv/bin/labkit lab --copy",
  "customizations": {{
    "vscode": {{
      "extensions": ["ms-python.python", "ms-toolsai.jupyter"],
      "settings": {{ "python.defaultInterpreterPath": "${{containerWorkspaceFolder}}/.venv/bin/python" }}
    }}
  }}
}}
"""
NEWEST = "3.13"
"""The Python of the container."""


def environment() -> dict[str, str]:
    """The files and their texts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    conda = CONDA.format(**project)
    return {
        "environment.yml": conda + "  - pip:\n" + "".join(f"      - {line}\n" for line in INSTALL),
        ".binder/environment.yml": conda,
        ".binder/postBuild": POST_BUILD,
        ".devcontainer/devcontainer.json": CONTAINER.format(**project, newest=NEWEST),
    }


def main() -> int:
    """Write the files, or say which are stale."""
    stale = [name for name, text in environment().items() if _there(ROOT / name) != text]
    if "--check" not in sys.argv:
        for name in stale:
            (ROOT / name).parent.mkdir(exist_ok=True)
            (ROOT / name).write_text(environment()[name], encoding="utf-8")
            if name.endswith("postBuild"):
                (ROOT / name).chmod(0o755)
        stale = []
    print(*[f"{name} is stale" for name in stale] or ["all are fresh"], sep="\n")
    return int(bool(stale))


def _there(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
