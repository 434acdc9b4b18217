"""An instructor's criteria on their way to a worker: what judges travels, and lands in the folder that is meant."""

import re

import pytest
from own_class import make_criteria

from labkit.grading.distributed.criteria_files import packed, unpack
from labkit.grading.judge.criteria import exercises
from labkit.repository import UsageError


def test_what_judges_is_the_same_on_the_other_side(tmp_path):
    """Criteria, notebooks and code; not what else lies there."""
    here = make_criteria(tmp_path / "here")
    (here / "criteria" / "__pycache__").mkdir()
    (here / "criteria" / "__pycache__" / "x.pyc").touch()
    (here / "answers.txt").write_text("mine")
    files = packed(here)
    assert set(files) == {"criteria.toml", "criteria/90_double.py", "90_double.ipynb"}
    there = unpack(files, tmp_path / "there")
    assert packed(there) == files
    assert list(exercises(there)) == ["90_double"]


@pytest.mark.parametrize("name", ["../x", "criteria/../../x", "/etc/x"])
def test_nothing_is_written_elsewhere(tmp_path, name):
    """Whatever a list of files says."""
    with pytest.raises(ValueError, match=re.escape(name)):
        unpack({name: b""}, tmp_path / "there")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_too_much_in_it_is_refused(tmp_path, monkeypatch):
    """With the place where to look."""
    monkeypatch.setattr("labkit.grading.distributed.criteria_files.MOST_FILES", 2)
    with pytest.raises(UsageError, match="has more than 2 files"):
        packed(make_criteria(tmp_path / "here"))


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    """Before anything is sent."""
    monkeypatch.setattr("labkit.grading.distributed.criteria_files.MOST", 100)
    with pytest.raises(UsageError, match=r"has more than 0 MiB: no worker gets that"):
        packed(make_criteria(tmp_path / "here"))
