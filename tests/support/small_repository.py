"""A small repository that labkit takes for its own."""

import json

from labkit import repository

START_HERE = "notebooks/00_start_here.ipynb"
EXERCISE = "exercises/01_file_storage.ipynb"


def notebook(source, outputs=(), count=None):
    """The bytes of a notebook of a text and a code cell."""
    code = {"cell_type": "code", "id": "b", "metadata": {}, "source": source}
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "é"},
        {**code, "execution_count": count, "outputs": list(outputs)},
    ]
    document = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def small_repository(folder, monkeypatch):
    """In a folder with a space in its name; two notebooks, of which the first was run."""
    root = folder / "a clone"
    ran = [{"output_type": "stream", "name": "stdout", "text": "the answer"}]
    files = {
        START_HERE: notebook("print('the answer')", ran, 1), EXERCISE: notebook("check()"),
        "notebooks/glossary.md": b"words", "notebooks/draft.txt": b"", "exercises/criteria.toml": b"",
    }  # fmt: skip
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    monkeypatch.setattr(repository, "root", lambda: root)
    return root
