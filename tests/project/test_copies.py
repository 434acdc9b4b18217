"""A student's copies: missing ones are made, untouched ones are renewed, and what a student has touched is sacred."""

import errno
import json
import os
import re

import pytest
from small_repository import EXERCISE, START_HERE, notebook, small_repository

from labkit import cli, copies
from labkit.copies import prepare_work
from labkit.repository import UsageError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small repository that labkit takes for its own."""
    return small_repository(tmp_path, monkeypatch)


def complaint(capsys):
    """The one line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_chapters_and_exercises_are_copied(root):
    """Notebooks and the glossary go to work/ under their own names, and nothing else does."""
    new = prepare_work(root).new
    assert {str(copy.relative_to(root / "work")) for copy in new} == {START_HERE, "notebooks/glossary.md", EXERCISE}
    assert (root / "work" / EXERCISE).read_bytes() == (root / EXERCISE).read_bytes()


def test_no_answer_stands_before_the_question(root):
    """A copy has no outputs and no execution counts, and is otherwise the notebook; the notebook keeps them."""
    prepare_work(root)
    assert (root / "work" / START_HERE).read_bytes() == notebook("print('the answer')")
    assert b'"text": "the answer"' in (root / START_HERE).read_bytes()


def test_a_students_file_is_never_overwritten(root):
    """A second start brings back what was deleted and leaves what was changed, also when the course has changed."""
    prepare_work(root)
    (root / "work" / EXERCISE).write_text("the student's")
    (root / "work" / START_HERE).unlink()
    (root / EXERCISE).write_bytes(notebook("check(more)"))

    assert prepare_work(root) == ([root / "work" / START_HERE], [])
    assert (root / "work" / EXERCISE).read_text() == "the student's"


def test_a_run_is_a_touch(root):
    """Outputs that a student has seen stay, though the text of no cell has changed."""
    prepare_work(root)
    ran = notebook("print('the answer')", [{"output_type": "stream", "name": "stdout", "text": "mine"}], 7)
    (root / "work" / START_HERE).write_bytes(ran)
    (root / START_HERE).write_bytes(notebook("print('another')"))

    assert prepare_work(root) == ([], [])
    assert (root / "work" / START_HERE).read_bytes() == ran


def test_a_copy_that_nobody_touched_is_renewed(root):
    """When the course changes, twice; the same course changes nothing."""
    prepare_work(root)
    for source in ("check(1)", "check(2)"):
        (root / EXERCISE).write_bytes(notebook(source))
        assert prepare_work(root) == ([], [root / "work" / EXERCISE])
        assert (root / "work" / EXERCISE).read_bytes() == notebook(source)
        assert prepare_work(root) == ([], [])


def test_a_copy_with_the_outputs_of_the_course_is_untouched(root):
    """So they were made by earlier versions, which kept no record."""
    copy = root / "work" / START_HERE
    copy.parent.mkdir(parents=True)
    copy.write_bytes((root / START_HERE).read_bytes())
    assert prepare_work(root).renewed == [copy]
    assert b"the answer\\n" not in copy.read_bytes()


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'"x"', b'{"exercises/01_file_storage.ipynb": 1}', None])
def test_without_its_record_a_changed_copy_counts_as_touched(root, record):
    """A record that is lost or damaged loses nobody's work, and is made anew."""
    prepare_work(root)
    made = root / "work" / copies.MADE
    made.unlink() if record is None else made.write_bytes(record)
    (root / EXERCISE).write_bytes(notebook("check(more)"))
    prepare_work(root)
    assert (root / "work" / EXERCISE).read_bytes() == notebook("check()")
    assert START_HERE in json.loads(made.read_bytes())


def test_a_link_to_nowhere_is_not_replaced(root):
    """A student may keep work/ on another disk, and that disk may be away."""
    link = root / "work" / EXERCISE
    link.parent.mkdir(parents=True)
    link.symlink_to(root / "away")

    prepare_work(root)

    assert link.is_symlink()


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_copy_is_whole_or_not_there(root, monkeypatch, failing):
    """If the disk is full in the middle of a copy, no part of it stays, and the next start makes it whole."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(UsageError):
            prepare_work(root)

    assert [path for path in (root / "work").rglob("*") if path.is_file()] == []
    assert len(prepare_work(root).new) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.usefixtures("root")
def test_a_full_or_forbidden_disk_is_one_line(monkeypatch, capsys, number):
    """The line names the file and the reason, and the exit status is 2."""

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(copies, "write_atomically", fail)

    assert cli.main(["lab", "--copy"]) == 2
    said = complaint(capsys)
    assert re.search(f"cannot copy .*01_file_storage.ipynb .*: {os.strerror(number)}", said)
    assert ("LABKIT_WORK names another folder" in said) == (number != errno.ENOSPC)


def test_a_file_in_the_place_of_work_is_one_line(root, capsys):
    """A file called work is not deleted to make room for the folder."""
    (root / "work").write_text("mine")

    assert cli.main(["lab", "--copy"]) == 2
    assert "cannot copy" in complaint(capsys)
    assert (root / "work").read_text() == "mine"


def test_a_missing_start_page_is_one_line(root, capsys):
    """Without the notebooks there is nothing to open; the line says how to get them back."""
    (root / START_HERE).unlink()

    assert cli.main(["lab", "--copy"]) == 2
    assert f"{START_HERE} is missing" in complaint(capsys)
