"""Writes environment.yml from pyproject.toml: conda gives Python and pip, and pip installs what pyproject asks for.

python tools/environment.py            write it
python tools/environment.py --check    exit status 1 if the committed one is stale
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "environment.yml"
TEMPLATE = """\
# Made from pyproject.toml by tools/environment.py.
name: {name}
channels:
  - conda-forge
dependencies:
  - python{requires-python}
  - pip
  - pip:
      - -c requirements.lock
      - -e .
"""


def environment() -> str:
    """The text of environment.yml."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return TEMPLATE.format(**pyproject["project"])


def main() -> int:
    """Write environment.yml, or say that it is stale."""
    stale = not TARGET.exists() or TARGET.read_text(encoding="utf-8") != environment()
    if stale and "--check" not in sys.argv:
        TARGET.write_text(environment(), encoding="utf-8")
    print("environment.yml is stale" if stale and "--check" in sys.argv else "environment.yml is fresh")
    return int(stale and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
