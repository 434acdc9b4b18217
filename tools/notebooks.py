"""Runs chapters and solutions in a fresh kernel and writes them back as they are committed.

    python tools/notebooks.py                        all of them
    python tools/notebooks.py notebooks/01_*.ipynb   these

What is kept: sources, cell ids, tags, outputs, execution counts 1 … n. What goes: all other metadata.
The README's picture, docs/sweep.png, is an output of chapter 1.
"""

import base64
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
PICTURE = ("notebooks/01_file_storage.ipynb", "sweep-journal", "docs/sweep.png")
"""Notebook, cell and file of the README's picture."""


def picture() -> bytes:
    """The README's picture, from the output of its cell."""
    notebook, cell_id, _ = PICTURE
    cells = nbformat.read(ROOT / notebook, as_version=4).cells
    outputs = next(cell.outputs for cell in cells if cell.id == cell_id)
    return base64.b64decode(next(o.data["image/png"] for o in outputs if "data" in o))


def run(path: Path) -> None:
    """Execute a notebook where it lies and write it back clean."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    path.write_text(nbformat.writes(notebook, indent=1) + "\n", encoding="utf-8")


def joined(outputs: list) -> list:
    """The outputs, with what was printed in several pieces in one: how it was cut differs from run to run."""
    whole = []
    for output in outputs:
        if whole and output.output_type == whole[-1].output_type == "stream" and output.name == whole[-1].name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def main() -> None:
    """Run the notebooks named on the command line, or all."""
    os.environ["LABKIT_PROGRESS"] = "off"  # as under nbval: verdicts as text
    os.environ["LABKIT_WORK"] = str(ROOT / "tests")  # answers of the author's own would show in the capstone
    named = [Path(name).resolve() for name in sys.argv[1:]]
    everything = [path for folder in ("notebooks", "solutions") for path in sorted((ROOT / folder).glob("*.ipynb"))]
    for path in named or everything:
        print(path.relative_to(ROOT), flush=True)
        run(path)
    (ROOT / PICTURE[2]).write_bytes(picture())


if __name__ == "__main__":
    main()
