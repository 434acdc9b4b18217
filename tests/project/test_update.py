"""`labkit update` brings the course's changes into touched copies, and no byte of a student's is ever lost."""

import json

import pytest
from small_repository import EXERCISE, START_HERE, notebook, small_repository

from labkit import cli, update
from labkit.copies import GIVEN, prepare_work
from labkit.update import KEPT


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small repository with a student's copies."""
    root = small_repository(tmp_path, monkeypatch)
    prepare_work(root)
    return root


def document(*cells):
    """The bytes of a notebook with these code cells, by id and source."""
    listed = [
        {"cell_type": "code", "id": name, "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for name, source in cells
    ]
    whole = {"cells": listed, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode()


def sources(path):
    """The sources of a notebook's cells."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_bytes())["cells"]]


def touched(root):
    """The student's copy after some work, and what is in it."""
    (root / EXERCISE).write_bytes(document(("given", "import os"), ("b", "check()")))
    prepare_work(root)
    mine = document(("given", "import os"), ("own", "print('é')"), ("b", "check()"))
    (root / "work" / EXERCISE).write_bytes(mine)
    return root / "work" / EXERCISE, mine


def test_a_touched_copy_is_renewed_and_the_version_before_is_kept(root, capsys):
    """Word for word; the same command again changes nothing."""
    copy, mine = touched(root)
    (root / EXERCISE).write_bytes(document(("given", "import json"), ("b", "check()"), ("c", "hint()")))

    assert cli.main(["update"]) == 0

    assert sources(copy) == ["import json", "print('é')", "check()", "hint()"]
    kept = root / "work/kept-by-update/exercises/01_file_storage-1.ipynb"
    assert kept.read_bytes() == mine
    said = capsys.readouterr().out
    before = "kept-by-update/exercises/01_file_storage-1.ipynb"
    line = f"01_file_storage: renewed around what is yours; the version before is {before}"
    assert said.splitlines() == [line, "In JupyterLab, reload what is open."]
    after = copy.read_bytes()
    assert cli.main(["update"]) == 0
    assert capsys.readouterr().out == "Nothing has changed in the course.\n"
    assert copy.read_bytes() == after
    assert [each.name for each in kept.parent.iterdir()] == ["01_file_storage-1.ipynb"]


def test_each_version_has_a_name_of_its_own(root):
    """Nothing that was kept is written over."""
    copy, _ = touched(root)
    for number in (1, 2, 3):
        before = copy.read_bytes()
        (root / EXERCISE).write_bytes(document(("given", f"import os  # {number}"), ("b", "check()")))
        list(update.update(root))
        assert (root / f"work/kept-by-update/exercises/01_file_storage-{number}.ipynb").read_bytes() == before


def test_what_was_changed_twice_is_told(root):
    """In the same line."""
    copy, mine = touched(root)
    copy.write_bytes(mine.replace(b"import os", b"import sys"))
    (root / EXERCISE).write_bytes(document(("given", "import json"), ("b", "check()")))
    (line,) = update.update(root)
    assert line.endswith("; changed by you and by the course: given")
    assert b"import sys" in (root / "work/kept-by-update/exercises/01_file_storage-1.ipynb").read_bytes()
    assert sources(copy)[0] == "import json"


def test_a_copy_that_nobody_touched_is_renewed_as_before(root):
    """Nothing of it is kept."""
    (root / EXERCISE).write_bytes(notebook("check(more)"))
    assert list(update.update(root)) == ["01_file_storage: renewed"]
    assert (root / "work" / EXERCISE).read_bytes() == notebook("check(more)")
    assert not (root / "work" / KEPT).exists()


@pytest.mark.parametrize(
    "mine", [b"", b"{", b"[]", b"null", b'{"cells": 1, "nbformat": 4}', b'{"nbformat": 3, "worksheets": []}',
             b'{"nbformat": 4, "cells": [{"cell_type": "code", "id": 3, "source": ""}]}', b"\xff\0", b"[" * 99_999],
)  # fmt: skip
def test_what_cannot_be_merged_stays(root, mine):
    """Byte for byte; the course's version is put beside it, and one line says so, once."""
    copy, _ = touched(root)
    copy.write_bytes(mine)
    course = document(("given", "import json"))
    (root / EXERCISE).write_bytes(course)
    (line,) = update.update(root)
    assert "yours stays, for it cannot be merged" in line
    assert copy.read_bytes() == mine
    assert (root / "work/kept-by-update/exercises/01_file_storage-1.ipynb").read_bytes() == course
    assert list(update.update(root)) == []


def test_a_link_is_left_alone(root, tmp_path):
    """What it leads to may be anywhere."""
    copy, mine = touched(root)
    (tmp_path / "elsewhere.ipynb").write_bytes(mine)
    copy.unlink()
    copy.symlink_to(tmp_path / "elsewhere.ipynb")
    (root / EXERCISE).write_bytes(document(("given", "import json")))
    assert "cannot be merged" in next(update.update(root))
    assert copy.is_symlink()
    assert (tmp_path / "elsewhere.ipynb").read_bytes() == mine


def test_halves_of_characters_survive(root):
    """JSON can hold them, UTF-8 cannot."""
    copy, mine = touched(root)
    copy.write_bytes(mine.replace("é".encode(), rb"\ud800"))
    (root / EXERCISE).write_bytes(document(("given", "import json"), ("b", "check()")))
    list(update.update(root))
    assert sources(copy)[1] == "print('\ud800')"


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_killed_half_way_the_same_command_goes_on(root, monkeypatch, dies_at):
    """Whatever it wrote last: what is the student's is there at every moment, and the end is the same."""
    copy, mine = touched(root)
    (root / EXERCISE).write_bytes(document(("given", "import json"), ("b", "check()")))
    real, written = update.write, []

    def write(path, data):
        written.append(path)
        if len(written) == dies_at:
            raise KeyboardInterrupt
        real(path, data)

    monkeypatch.setattr(update, "write", write)
    with pytest.raises(KeyboardInterrupt):
        list(update.update(root))
    kept = root / "work/kept-by-update/exercises/01_file_storage-1.ipynb"
    assert mine in {copy.read_bytes(), kept.read_bytes() if kept.exists() else b""}
    monkeypatch.setattr(update, "write", real)
    list(update.update(root))
    assert sources(copy) == ["import json", "print('é')", "check()"]
    assert kept.read_bytes() == mine
    assert (root / "work" / GIVEN / EXERCISE).read_bytes() == (root / EXERCISE).read_bytes()


def test_what_is_saved_meanwhile_is_merged_too(root, monkeypatch):
    """JupyterLab may save between reading and writing."""
    copy, mine = touched(root)
    (root / EXERCISE).write_bytes(document(("given", "import json"), ("b", "check()")))
    real = update._keep
    saved = mine.replace(b"print", b"show")

    def keep(*arguments):
        if copy.read_bytes() == mine:
            copy.write_bytes(saved)
        return real(*arguments)

    monkeypatch.setattr(update, "_keep", keep)
    list(update.update(root))
    assert sources(copy) == ["import json", "show('é')", "check()"]
    assert {each.read_bytes() for each in (root / "work/kept-by-update/exercises").iterdir()} == {mine, saved}


def test_without_what_was_given_answers_and_own_cells_stay(root):
    """Copies of an older labkit: what is not the course's any more is kept."""
    copy, mine = touched(root)
    (root / "work" / GIVEN / EXERCISE).unlink()
    (root / EXERCISE).write_bytes(document(("given", "import json"), ("b", "check()")))
    list(update.update(root))
    assert sources(copy) == ["import json", "print('é')", "check()"]
    assert (root / "work/kept-by-update/exercises/01_file_storage-1.ipynb").read_bytes() == mine


def test_a_folder_that_cannot_be_written_is_one_line(root, capsys, monkeypatch):
    """With the way out, and status 2."""
    (root / START_HERE).write_bytes(notebook("print('other')"))
    monkeypatch.setenv("LABKIT_WORK", str(root / START_HERE / "below"))
    assert cli.main(["update"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("labkit: cannot copy")
