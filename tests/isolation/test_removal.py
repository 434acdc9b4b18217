"""A folder is removed whatever a stranger has made of it."""

import os

import pytest
from attacked import deep

from labkit.isolation.removal import remove


@pytest.fixture
def folder(tmp_path):
    """Theirs, beside a file that is not."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").write_text("ours")
    yield tmp_path / "theirs"
    assert (tmp_path / "ours").read_text() == "ours"
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_folders_that_are_deeper_than_any_path_are_removed(folder):
    """Nothing recurs, and no path is longer than the kernel takes."""
    deep(folder)
    remove(folder)


def test_modes_names_and_links_keep_nothing(folder):
    """What nobody may enter, a name that is no text, a link to what is not theirs."""
    (folder / "closed" / "more").mkdir(parents=True)
    os.mkdir(os.fsencode(folder) + b"/\xff\n")
    (folder / "0").symlink_to(folder.parent / "ours")
    (folder / "closed" / "up").symlink_to(folder.parent)
    (folder / "closed" / "more").chmod(0)
    (folder / "closed").chmod(0)
    remove(folder)


def test_what_is_gone_is_no_error(folder):
    """Somebody else may have removed it."""
    remove(folder)
    remove(folder)
