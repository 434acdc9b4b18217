"""Files as a source of effects: whatever a program does to the sandbox is seen, in order, and nothing else is."""

import bz2
import contextlib
import dbm.dumb
import fcntl
import io
import json
import os
import shutil
import tarfile
import tempfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.crash import client, sweep, trial
from labkit.crash.child.fileio import traced_open
from labkit.crash.child.files import ACTIVE, Files
from labkit.crash.child.trace import Trace
from labkit.crash.zygote.explore import LONGEST
from labkit.crash.zygote.inodes import Change, File
from labkit.crash.zygote.trees import Entry, read_tree, shown, write_tree
from labkit.world import ack

NAMES = st.sampled_from(["a", "b", "d/a", "d/b"])
TEXT = st.sampled_from(["", "x", "hello", "é" * 3000, "y" * 20000])
CALLS = st.one_of(
    st.tuples(st.just("text"), NAMES, st.sampled_from(["w", "a", "x", "r+", "w+"]), TEXT, TEXT),
    st.tuples(st.just("raw"), NAMES, TEXT, st.integers(0, 9)),
    st.tuples(st.sampled_from(["rename", "replace", "link", "symlink", "copy"]), NAMES, NAMES),
    st.tuples(st.sampled_from(["unlink", "mkdir", "rmdir", "rmtree", "touch"]), NAMES),
    st.tuples(st.just("rename"), st.just("d"), st.just("e")),
    st.tuples(st.just("truncate"), NAMES, st.integers(0, 9)),
)


def perform(call: tuple) -> None:
    """One call of a random program."""
    match call:
        case "text", name, mode, first, second:
            with open(name, mode, encoding="utf-8") as file:
                file.write(first)
                file.flush()
                file.seek(0)
                file.write(second)
                if "+" in mode:
                    file.truncate()
        case "raw", name, data, offset:
            fd = os.open(name, os.O_RDWR | os.O_CREAT)
            os.pwrite(fd, data.encode(), offset)
            os.write(fd, b"raw")
            os.ftruncate(fd, 12)
            os.fsync(fd)
            os.close(fd)
        case ("rename" | "replace" | "link" | "symlink") as name, source, target:
            getattr(os, name)(source, target)
        case "copy", source, target:
            shutil.copy2(source, target)
        case ("unlink" | "mkdir" | "rmdir") as name, path:
            getattr(os, name)(path)
        case "rmtree", path:
            shutil.rmtree(os.path.dirname(path) or path)
        case "touch", path:
            Path(path).touch()
        case "truncate", path, size:
            os.truncate(path, size)


@pytest.mark.long
@pytest.mark.slow
@given(st.lists(CALLS, max_size=5))
def test_the_model_is_what_the_directory_is(calls):
    """At every crash point of random programs, the recording explains exactly the files that the kill left."""

    def run() -> None:
        for call in calls:
            with contextlib.suppress(OSError):
                perform(call)

    def setup() -> None:
        os.mkdir("d")
        Path("d/a").write_text("old")

    report = sweep(run, lambda: None, lambda seen: None, setup)
    assert report.problem is None


def effects(run) -> list[str]:
    """What a run does to the sandbox."""
    seen = trial(run)
    assert seen.how == "returned", seen.failure
    return seen.effects[:-1]


def use_pathlib() -> None:
    Path("new").write_text("x")
    Path("new").rename("a")
    Path("a").unlink()


def use_shutil() -> None:
    Path("folder").mkdir()
    Path("folder/a").write_text("x")
    shutil.copy("folder/a", "b")
    shutil.rmtree("folder")


def use_tempfile() -> None:
    with tempfile.NamedTemporaryFile("w", dir=".", prefix="", suffix="", delete=False) as file:
        file.write("x")
    os.replace(file.name, "a")


def use_posix() -> None:
    import posix
    from os import replace as bound

    open("a", "w").close()
    posix.rename("a", "b")
    bound("b", "c")


def use_print() -> None:
    with open("a", "w", buffering=1) as file:
        print("one", file=file)
        print("two", file=file)


def use_append() -> None:
    with open("a", "a") as file:
        file.write("1")
    with open("a", "ab", buffering=0) as file:
        file.write(b"2")


def use_descriptor() -> None:
    fd = os.open("a", os.O_CREAT | os.O_WRONLY)
    with os.fdopen(fd, "w") as file:
        file.write("x")


def only_read() -> None:
    Path("a").touch()
    Path("a").read_text()
    open("a").close()
    open("a", "w").close()
    os.listdir(".")


SEEN = {
    use_pathlib: ["open new", "write new", "rename new → a", "unlink a"],
    use_shutil: [
        "mkdir folder", "open folder/a", "write folder/a", "open b", "write b", "chmod b", "unlink folder/a",
        "rmdir folder",
    ],
    use_posix: ["open a", "rename a → b", "replace b → c"],
    use_print: ["open a", "write a", "write a"],
    use_append: ["open a", "write a", "write a"],
    use_descriptor: ["open a", "write a"],
    only_read: ["open a"],
}  # fmt: skip


@pytest.mark.parametrize(("run", "expected"), SEEN.items(), ids=[run.__name__ for run in SEEN])
def test_every_way_to_the_file_system_is_seen(run, expected):
    """pathlib, shutil, posix, bound names, descriptors and appends; reads and calls that change nothing are none."""
    assert effects(run) == expected


def test_a_temporary_file_is_seen_under_its_name():
    """tempfile opens by an opener of its own; the write is still seen, and the name is the same every time."""
    seen = effects(use_tempfile)
    name = seen[0].removeprefix("open ")
    assert seen == [f"open {name}", f"write {name}", f"replace {name} → a"]
    assert seen == effects(use_tempfile)


def use_named() -> None:
    with tempfile.NamedTemporaryFile("w", dir=".") as file:
        file.write("x")


def use_spooled() -> None:
    with tempfile.SpooledTemporaryFile(max_size=1, dir=".") as file:
        file.write(b"xy")


def use_folder() -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        Path(folder, "a").touch()


def use_nameless() -> None:
    with tempfile.TemporaryFile(dir=".") as file:
        file.write(b"x")


TEMPORARY = {
    use_named: ["open", "write", "unlink"],
    use_spooled: ["write"],
    use_folder: ["mkdir", "open", "unlink", "rmdir"],
    use_nameless: ["write"],
}


@pytest.mark.parametrize(("run", "expected"), TEMPORARY.items(), ids=[run.__name__ for run in TEMPORARY])
def test_a_temporary_file_is_seen_to_its_end(run, expected):
    """Also where tempfile has kept the function that removes it."""
    report = sweep(run, lambda: None, lambda seen: None)
    report.assert_survives()
    assert [effect.op for effect in report.effects] == [*expected, "RETURN"]


class Kept:
    """Functions of C as attributes of a class, which binds none of them."""

    open, fsync, replace, now, sleep = open, os.fsync, os.replace, time.time, time.sleep


def test_functions_that_a_class_keeps_are_seen():
    """And called with what they are called with, as those of C."""

    def run() -> None:
        kept = Kept()
        before = kept.now()
        with kept.open("a", "w") as file:
            kept.fsync(file.fileno())
        kept.sleep(1.5)
        kept.replace("a", f"{kept.now() - before}")

    assert effects(run) == ["open a", "fsync a", "replace a → 1.5"]


def test_a_call_that_fails_has_no_effect():
    """An error leaves nothing, so it is no crash point."""

    def run() -> None:
        for wrong in (lambda: os.rename("none", "a"), Path("none/a").touch, lambda: os.rmdir("none")):
            with contextlib.suppress(FileNotFoundError):
                wrong()
        Path("a").touch()

    assert effects(run) == ["open a"]


def test_labels_are_relative_to_the_sandbox():
    """An absolute path, a link and a change of directory lead to the same name."""

    def run() -> None:
        Path("d").mkdir()
        Path.cwd().joinpath("d", "a").touch()
        os.symlink("d", "link")
        Path("link/b").touch()
        os.chdir("d")
        Path("c").touch()

    assert effects(run) == ["mkdir d", "open d/a", "symlink link", "open d/b", "open d/c"]


SECRET = "secret"  # noqa: S105


def write_then_hide() -> None:
    Path("key").write_text(SECRET)
    os.chmod("key", 0o600)


def hide_then_write() -> None:
    fd = os.open("key", os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(fd, SECRET.encode())
    os.close(fd)


def who_may_read() -> str:
    path = Path("key")
    return oct(path.stat().st_mode & 0o777) if path.exists() and path.read_text() else "nobody"


@pytest.mark.parametrize(("run", "broken"), [(write_then_hide, [2]), (hide_then_write, [])])
def test_a_files_mode_is_state(run, broken):
    """It is an effect to change it, and the restart finds it as the killed process has left it."""

    def private(o):
        assert o.state in {"nobody", "0o600"}

    report = sweep(run, who_may_read, private)
    assert report.problem is None
    assert [point.k for point in report.broken] == broken


def test_what_setup_makes_of_a_file_it_is_in_every_life():
    """Mode, time, extended attributes, a second name of the same file, and what a link leads to."""

    def setup():
        Path("tool").write_text("x")
        os.chmod("tool", 0o755)  # noqa: S103
        os.utime("tool", (1000, 1000))
        os.link("tool", "same")
        os.symlink("tool", "link")

    def look():
        status = os.stat("tool")
        return [oct(status.st_mode & 0o777), status.st_mtime, os.path.samefile("tool", "same"), os.readlink("link")]

    def unchanged(o):
        assert o.state == ["0o755", 1000.0, True, "tool"]

    sweep(lambda: Path("other").write_text("x"), look, unchanged, setup).assert_survives()


@pytest.mark.parametrize(
    "beat",
    [lambda: Path("lock").touch(), lambda: os.utime("lock"), lambda: os.utime("lock", None, follow_symlinks=False)],
    ids=["touch", "utime", "of a link"],
)
def test_a_sign_of_life_has_the_virtual_time(beat):
    """Who sets a file's times to now, as heartbeats and leases do, sets them to the lab's now."""

    def age():
        return time.time() - os.stat("lock").st_mtime

    def run():
        time.sleep(600)
        beat()
        ack(f"{age():g}")

    def old(o):
        assert o.acknowledged in ([], ["0"])
        assert o.state in {60.0, 660.0}

    report = sweep(run, age, old, lambda: Path("lock").write_text("x"))
    assert report.problem is None
    report.assert_survives()


def test_an_age_follows_the_virtual_clock():
    """A file made ten minutes ago is ten minutes old, before a restart and after it."""

    def age():
        return round(time.time() - os.stat("lock").st_mtime)

    def run():
        Path("lock").touch()
        time.sleep(600)
        ack(str(age()))

    def old(o):
        assert o.acknowledged in ([], ["600"])
        assert o.state in {60, 660}

    assert sweep(run, age, old).broken == sweep(run, age, old).points[:1]  # before there is a file


def move_into_place() -> None:
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("new" * 5000)
    shutil.move(file.name, "data")


def test_the_folder_for_temporary_files_is_another_file_system():
    """To move from there is to copy, and a kill in the middle leaves half of it."""

    def setup():
        Path("data").write_text("old")

    def whole(o):
        assert o.state in {"old", "new" * 5000}

    report = sweep(move_into_place, lambda: Path("data").read_text(), whole, setup)
    assert report.problem is None
    assert [str(report.effects[point.k - 1]) for point in report.broken] == ["open-truncate data"]


def without_a_name() -> None:
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"whole")
    os.link(f"/proc/self/fd/{fd}", "data", src_dir_fd=0)
    os.close(fd)


def by_raw_file() -> None:
    with io.FileIO("data", "w") as file:
        file.write(b"whole")


def by_second_descriptor() -> None:
    fd = os.open("data", os.O_CREAT | os.O_WRONLY)
    copy = os.dup(fd)
    os.close(fd)
    os.write(copy, b"whole")
    os.close(copy)


def by_sendfile() -> None:
    Path("from").write_bytes(b"whole")
    with open("from", "rb") as source, open("data", "wb") as target:
        os.sendfile(target.fileno(), source.fileno(), 0, 5)


def by_fcntl() -> None:
    with open("data", "wb") as file:
        copy = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 50)
    os.write(copy, b"whole")
    os.close(copy)


def by_splice() -> None:
    source, into = os.pipe()
    os.write(into, b"whole")
    with open("data", "wb") as file:
        os.splice(source, file.fileno(), 3)
        os.splice(source, file.fileno(), 2, offset_dst=3)


def by_bz2() -> None:
    with bz2.open("data", "wb") as file:
        file.write(b"whole")


def by_dbm() -> None:
    with dbm.dumb.open("data", "c") as file:
        file[b"key"] = b"whole"


def by_tar() -> None:
    Path("from").write_bytes(b"whole")
    with tarfile.open("data", "w") as file:
        file.add("from")


def by_temporary_file_here() -> None:
    with tempfile.TemporaryFile(dir=".") as file:
        file.write(b"gone")
    Path("data").write_bytes(b"whole")


@pytest.mark.parametrize(
    "run",
    [
        *(without_a_name, by_raw_file, by_second_descriptor, by_sendfile, by_temporary_file_here),
        *(by_bz2, by_dbm, by_tar, by_fcntl),
        pytest.param(by_splice, marks=pytest.mark.skipif(not hasattr(os, "splice"), reason="Linux has it")),
    ],
)
def test_every_road_to_a_file_is_seen(run):
    """What the kill leaves is what the effects explain, whichever function was used."""
    report = sweep(run, os.listdir, lambda o: None)
    assert report.problem is None
    assert any("data" in effect.target for effect in report.effects)


ASKED = st.fixed_dictionaries(
    {
        "file": st.sampled_from(["old", "new", "d", "", b"new", "a\0b", 1.5, None]),
        "mode": st.one_of(st.sampled_from(["r", "w", "rb", "wb"]), st.text("rwxabt+U", max_size=4), st.just(1)),
    },
    optional={
        "buffering": st.sampled_from([-5, -1, 0, 1, 2, 9000, 1.5, "1", None]),
        "encoding": st.sampled_from([None, "utf-8", "no such", 3]),
        "errors": st.sampled_from([None, "strict", 3]),
        "newline": st.sampled_from([None, "", "\n", "x", 3]),
        "closefd": st.booleans(),
    },
)


def opened(open_it, asked):
    """What a call of `open` comes to: the kind of file or the error, and what lies in the folder then."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.mkdir("d")
        Path("old").write_text("old")
        try:
            with open_it()(**asked) as file:
                kind = next(each for each in type(file).__mro__ if each.__module__ == "_io")
                came = (kind, file.name, file.readable(), file.writable(), getattr(file, "line_buffering", None))
                came += (file.mode,) if kind is io.TextIOWrapper else ()
        except (ValueError, TypeError, LookupError, OSError) as error:
            came = (type(error), str(error))
        return came, {name: os.path.isfile(name) and Path(name).read_text() for name in sorted(os.listdir())}


def traced():
    """The `open` of a child, in the current folder, told to nobody."""
    ACTIVE[:] = [Files(Trace(SimpleNamespace(send_bytes=lambda news: None)), Path(tempfile.gettempdir()))]
    return traced_open


@pytest.fixture(autouse=True)
def _no_child():
    """This process is none, whatever a test has made of it."""
    yield
    ACTIVE.clear()


@given(ASKED)
@example({"file": "new", "mode": "rw"})
@example({"file": "new", "mode": ""})
@example({"file": "new", "mode": "w", "buffering": 0})
@example({"file": "new", "mode": "wb", "newline": ""})
@example({"file": "new", "mode": "wb", "encoding": "utf-8"})
def test_the_traced_open_accepts_and_refuses_what_pythons_does(asked):
    """The same file, or the same error in the same words, and the same left in the folder."""
    assert opened(traced, asked) == opened(lambda: open, asked)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else for a while"
)
def test_what_a_program_closes_to_everybody_is_read_and_put_back(tmp_path):
    """By a user without rights: a file and a folder that nobody may read are no less state."""
    sandbox, tmp = tmp_path / "sandbox", tmp_path / "tmp"
    tmp_path.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        write_tree(sandbox, tmp, {})
        (sandbox / "folder").mkdir()
        (sandbox / "folder" / "file").write_text("closed")
        (sandbox / "folder" / "file").chmod(0)
        (sandbox / "folder").chmod(0)
        tree = read_tree(sandbox, tmp)
        write_tree(sandbox, tmp, tree)
        again = read_tree(sandbox, tmp)
        write_tree(sandbox, tmp, {})
    finally:
        os.seteuid(0)
    assert tree["folder/file"].content == b"closed"
    assert [tree[name].meta.mode for name in ("folder", "folder/file")] == [0, 0]
    assert again == tree


def test_what_a_sweep_tells_of_a_large_file_is_no_more_than_is_shown(monkeypatch):
    """Each crash point tells the start of a file: or 50 writes of a megabyte would be 50 megabytes to tell."""
    told = []

    def counted(channel: Any) -> Any:
        told.append(channel.recv_bytes())
        return json.loads(told[-1])

    def run() -> None:
        with open("large", "wb", buffering=0) as file:
            file.writelines(b"x" * 200_000 for _ in range(5))

    monkeypatch.setattr(client, "hear", counted)
    report = sweep(run, lambda: None, lambda _: None)
    assert not report.problem
    assert len(told[0]) < len(report.points) * 3 * LONGEST
    assert "bytes more" in report.replay(6).before["large"]


def test_files_that_differ_behind_what_is_shown_differ():
    """A clipped text ends with a checksum of the rest."""
    one, other = ({"a": Entry(b"x" * 10 + end)} for end in (b"1", b"2"))
    assert shown(one, 10) != shown(other, 10)
    assert shown(one, 11) == shown(one)


def test_an_fsync_copies_no_more_than_what_is_new():
    """What is durable already stays where it is in the model: a long journal costs no square."""
    file = File(bytearray(b"old"), [Change(3, b"new")])
    before = file.durable
    file.sync()
    assert file.durable is before
    assert file.content() == b"oldnew"


def test_a_restart_finds_the_very_files_that_the_kill_left():
    """Who keeps the number of a file (st_ino), as one does that reads on in a log, knows it again."""

    def run():
        Path("place").write_text(str(Path("log").stat().st_ino))
        with Path("log").open("a") as log:
            log.write("more")

    def recover():
        return not Path("place").exists() or Path("place").read_text() in {"", str(Path("log").stat().st_ino)}

    def same(o):
        assert o.state, "the log is another one"

    report = sweep(run, recover, same, lambda: Path("log").touch())
    assert (report.problem, report.broken) == (None, [])
