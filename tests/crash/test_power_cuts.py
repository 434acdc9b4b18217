"""What a power cut leaves: any choice of the names that are not durable yet, and nothing less than what is."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.crash import sweep
from labkit.crash.news import Done
from labkit.crash.zygote.disk import Disk
from labkit.crash.zygote.power_cuts import FEW, power_cuts
from labkit.world import ack


def save(name: str, text: str, flags: int = 0) -> None:
    """A file of this content, which is durable; its name is not."""
    fd = os.open(f"{name}.new", os.O_CREAT | os.O_WRONLY | os.O_TRUNC | flags)
    os.write(fd, text.encode())
    os.fsync(fd)
    os.close(fd)
    os.replace(f"{name}.new", name)


def sync_names() -> None:
    """fsync of the folder."""
    fd = os.open(".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def read() -> str:
    """What the index leads to."""
    return Path(Path("index").read_text()).read_text() if os.path.exists("index") else "nothing"


def nothing_or_all(o) -> None:
    """The index never leads nowhere."""
    assert o.state in {"nothing", "new"}


@pytest.mark.parametrize(("ordered", "broken"), [(False, True), (True, False)])
def test_a_name_may_be_lost_while_a_later_one_is_not(ordered, broken):
    """An index whose name arrives before that of the file that it names: found, and not where an fsync is between."""

    def run():
        save("data", "new")
        if ordered:
            sync_names()
        save("index", "data")

    report = sweep(run, read, nothing_or_all, power=True)
    assert report.problem is None
    assert bool(report.broken) == broken
    if broken:
        assert "modelled: some names lost" in str(report)


def test_a_rename_is_one_change():
    """A file that is only renamed is there under one of its names, whatever else is lost."""

    def setup():
        Path("old").write_text("new")

    def run():
        os.rename("old", "data")
        save("other", "text")

    def one_of_both(o):
        assert {"old", "data"} & {*o.state}

    assert not sweep(run, os.listdir, one_of_both, setup, power=True).broken


@given(st.sets(st.sampled_from("abcdefgh"), min_size=2, max_size=8))
def test_every_choice_of_a_few_names_is_left_once(names):
    """Of up to FEW new names each choice; of more, each of the last alone there, and alone missing."""
    disk = Disk({})
    for name in sorted(names):
        disk.apply(Done(op="open", target=name, lines=[], path=name))
    left = [frozenset(tree) for loss, tree in power_cuts(disk) if loss == "some names lost"]
    assert len(left) == len(set(left))
    if len(names) <= FEW:
        assert len(left) == 2 ** len(names) - 2
    else:
        assert {len(each) for each in left} == {1, len(names) - 1}
        assert len(left) == 2 * FEW


def test_ext4_writes_names_in_their_order():
    """Its journal keeps it: no later name without the earlier ones."""
    disk = Disk({}, ext4=True)
    for name in "ab":
        disk.apply(Done(op="open", target=name, lines=[], path=name))
    assert "some names lost" not in dict(power_cuts(disk))


def acknowledged(o) -> None:
    """What was acknowledged is there."""
    assert o.state == "new" or "saved" not in o.acknowledged


@pytest.mark.parametrize(
    ("sync", "durable"),
    [
        (lambda fd: None, False),
        (os.fsync, True),
        (lambda fd: os.sync(), True),
    ],
)
@pytest.mark.parametrize("flags", [0, os.O_SYNC, os.O_DSYNC])
def test_what_is_written_synchronously_is_durable(sync, durable, flags):
    """A file opened with O_SYNC or O_DSYNC needs no fsync, and after os.sync everything is there."""

    def setup():
        Path("data").write_text("old")

    def run():
        fd = os.open("data", os.O_WRONLY | flags)
        os.write(fd, b"new")
        sync(fd)
        ack("saved")

    report = sweep(run, lambda: Path("data").read_text(), acknowledged, setup, power=True)
    assert report.problem is None
    assert bool(report.broken) == (not durable and not flags)
