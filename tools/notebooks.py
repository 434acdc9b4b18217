"""Runs chapters and solutions in a fresh kernel and writes them back as they are committed.

    python tools/notebooks.py                        all of them
    python tools/notebooks.py notebooks/01_*.ipynb   these

What is kept: sources, cell ids, tags, outputs, execution counts 1 … n. What goes: all other metadata.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def run(path: Path) -> None:
    """Execute a notebook where it lies and write it back clean."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, coalesce_streams=True, resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    path.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run the notebooks named on the command line, or all."""
    named = [Path(name).resolve() for name in sys.argv[1:]]
    everything = [path for folder in ("notebooks", "solutions") for path in sorted((ROOT / folder).glob("*.ipynb"))]
    for path in named or everything:
        print(path.relative_to(ROOT), flush=True)
        run(path)


if __name__ == "__main__":
    main()
