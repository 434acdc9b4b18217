"""What lies in the sandbox and in its folder for temporary files, as data: to compare, to put back, to show."""

import hashlib
import marshal
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from labkit.crash.metadata import TMP, Meta, metadata
from labkit.crash.zygote.endings import NotExploredError, sqlite_files
from labkit.isolation.removal import empty

Content = bytes | str | None
"""A file's bytes, a symbolic link's target, None for a directory."""


class Entry(NamedTuple):
    """What lies at a path."""

    content: Content
    meta: Meta | None = None
    same_as: str = ""
    """Another name of the same file: the first in order. Empty if this is the first."""


Tree = dict[str, Entry]
OPEN = 0o755
"""The mode of both folders."""


def tree_of(found: Mapping[str, tuple[Content, Meta | None, int]]) -> Tree:
    """A tree, given what lies at each path, and a number that only names of the same file share."""
    first: dict[int, str] = {}
    tree = {}
    for name, (content, meta, number) in sorted(found.items()):
        same_as = first.setdefault(number, name) if isinstance(content, bytes) else name
        tree[name] = Entry(content, meta, "" if same_as == name else same_as)
    return tree


def read_tree(sandbox: Path, tmp: Path) -> Tree:
    """What lies in both folders. NotExploredError if it is nested too deeply."""
    found = {}
    try:
        for folder, prefix in ((sandbox, ""), (tmp, f"{TMP}/")):
            for path, status in _below(folder):
                name = f"{prefix}{path.relative_to(folder)}"
                found[name] = _content(path, status.st_mode), metadata(path), status.st_ino
    except (OSError, RecursionError) as error:
        raise NotExploredError(f"what lies in its folder cannot be read ({type(error).__name__})") from None
    return tree_of(found)


def _below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir():
        status = os.lstat(path)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            with _let_in(path, status.st_mode, stat.S_IRWXU):
                yield from _below(path)


def _content(path: Path, mode: int) -> Content:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return b"(no regular file)"
    with _let_in(path, mode, stat.S_IRUSR):
        return path.read_bytes()


@contextmanager
def _let_in(path: Path, mode: int, needed: int) -> Iterator[None]:
    """For a moment, give ourselves the rights that the program has taken from everybody."""
    closed = mode & needed != needed
    if closed:
        path.chmod(stat.S_IMODE(mode) | needed)
    try:
        yield
    finally:
        if closed:
            path.chmod(stat.S_IMODE(mode))


def _clear(folder: Path) -> None:
    """Empty it, but let the folder itself be: rules of Landlock stand for it, not for its name."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        folder.mkdir(parents=True)
    if stat.S_IMODE(folder.stat().st_mode) != OPEN:
        folder.chmod(OPEN)
    empty(folder)


def write_tree(sandbox: Path, tmp: Path, tree: Tree) -> None:
    """Make both folders hold `tree` and nothing else."""
    for folder in (sandbox, tmp):
        _clear(folder)
    inside = f"{TMP}/"
    paths = {name: tmp / name.removeprefix(inside) if name.startswith(inside) else sandbox / name for name in tree}
    for name, entry in sorted(tree.items()):
        if entry.content is None:
            paths[name].mkdir()
        elif isinstance(entry.content, str):
            paths[name].symlink_to(entry.content)
        elif entry.same_as:
            os.link(paths[entry.same_as], paths[name])
        else:
            paths[name].write_bytes(entry.content)
    for name, entry in sorted(tree.items(), reverse=True):  # a folder's time changes when names are made in it
        if entry.meta:
            _put_back(paths[name], entry.meta)


def _put_back(path: Path, was: Meta) -> None:
    now = os.lstat(path)
    with suppress(OSError):  # who is not root gives no file away
        if (now.st_uid, now.st_gid) != (was.user, was.group):
            os.chown(path, was.user, was.group, follow_symlinks=False)
    if not stat.S_ISLNK(now.st_mode):
        for name, value in was.attributes:
            os.setxattr(path, name, bytes.fromhex(value))
        path.chmod(was.mode)
    os.utime(path, ns=(was.modified, was.modified), follow_symlinks=False)


def differing(one: Tree, other: Tree) -> set[str]:
    """The paths at which two trees differ."""
    return {path for path, _ in one.items() ^ other.items()}


def digest(tree: Tree) -> bytes:
    """A few bytes, the same for the same tree."""
    entries = [(name, entry.content, tuple(entry.meta or ()), entry.same_as) for name, entry in sorted(tree.items())]
    # From version 3 on, what marshal writes depends on which objects are shared.
    return hashlib.blake2b(marshal.dumps(entries, 2)).digest()


def shown(tree: Tree, longest: int | None = None) -> dict[str, str | None]:
    """A tree as text, each file clipped. What SQLite has written is no text, and differs from run to run."""
    text = {
        name: _text(entry.content, longest) if isinstance(entry.content, bytes) else entry.content
        for name, entry in sorted(tree.items())
    }
    databases = [name for name, content in text.items() if content and content.startswith("SQLite format 3\0")]
    return text | {each: "(SQLite)" for name in databases for each in sqlite_files(name) & text.keys()}


def _text(content: bytes, longest: int | None) -> str:
    if longest is None or len(content) <= longest:
        return content.decode(errors="replace")
    rest = content[longest:]  # its checksum tells two texts apart that differ behind what is shown
    return f"{content[:longest].decode(errors='replace')} … and {len(rest):,} bytes more ({zlib.crc32(rest):08x})"
