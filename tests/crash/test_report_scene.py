"""A scene shows what a crash left and what differs after the restart, within its room, and says what it leaves out."""

import pytest

from labkit.crash.report.scene import LONGEST, ROOM, File, alike, scene
from labkit.world import Call


def test_each_file_says_what_became_of_it():
    """Same, changed, new or removed; those that differ come first; a folder is named as one."""
    before = {"same": "1", "gone": "2", "text": "old", "folder": None}
    found = scene(before, {"same": "1", "text": "new", "folder": None, "made": ""}, [], "")
    assert {file.name: file.state for file in found.files} == {
        "gone": "removed", "text": "changed", "made": "new", "same": "same", "folder": "same",
    }  # fmt: skip
    assert [file.state == "same" for file in found.files] == [False, False, False, True, True]
    assert File("folder", "(folder)", "(folder)", "same") in found.files
    assert found.cut == ""


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [("{1}", "{2}", ("1", "2")), ("", "ab", ("", "ab")), ("aa", "aaa", ("", "a")), ("abc", "", ("abc", ""))],
)
def test_what_differs_is_marked_and_nothing_is_lost(one, other, differs):
    """The three parts of a text are the text."""
    parts = File("f", one, other, "changed").parts
    assert tuple(part[1] for part in parts) == differs
    assert tuple(map("".join, parts)) == (one, other)


def test_a_long_file_is_cut_around_its_difference():
    """The difference is shown, wherever it is, and how much is not."""
    before = {"log": "x" * 9_000 + "OLD" + "y" * 9_000}
    (file,) = scene(before, {"log": before["log"].replace("OLD", "NEW")}, [], "").files
    assert "OLD" in file.before
    assert "NEW" in file.after
    assert file.before.startswith("(8,900 characters) … ")
    assert file.before.endswith("characters more)")
    assert len(file.before) < LONGEST + 60


def test_a_difference_behind_what_is_shown_is_still_a_change():
    """State is told of the whole texts, not of what is left of them."""
    (file,) = scene({"log": "x" * 5_000}, {"log": "x" * 5_001}, [], "").files
    assert file.state == "changed"


def test_a_scene_keeps_to_its_room_and_says_what_is_cut():
    """A program that leaves a thousand files and calls makes no page that nobody can load."""
    files = {f"file {number}": "x" * 300 for number in range(1_000)}
    found = scene(files, files, [Call("charge", {"amount": n}) for n in range(1_000)], "p" * 10**6)
    assert found.size <= ROOM
    assert found.cut == f"{1_000 - len(found.files)} files and {1_000 - len(found.ledger):,} calls"


@pytest.mark.parametrize(("one", "other", "count"), [("", "", 0), ("a", "b", 0), ("abc", "abd", 2), ("ab", "abc", 2)])
def test_how_far_two_texts_are_alike(one, other, count):
    """Up to the first character that differs, or to the end of the shorter."""
    assert alike(one, other) == count
