"""Files as a source of effects: whatever a program does to the sandbox is seen, in order, and nothing else is."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.crash import sweep, trial

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
        "mkdir folder", "open folder/a", "write folder/a", "open b", "write b", "unlink folder/a", "rmdir folder",
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
