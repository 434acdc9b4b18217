"""What lies in a folder, as data: to compare, to put back, to show."""

import os
import shutil
from pathlib import Path

Tree = dict[str, bytes | str | None]
"""What lies at each path: a file's bytes, a symbolic link's target, None for a directory."""


def read_tree(folder: Path) -> Tree:
    """What lies in `folder`."""
    tree: Tree = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            tree[name] = os.readlink(path)
        else:
            tree[name] = None if path.is_dir() else path.read_bytes() if path.is_file() else b"(no regular file)"
    return tree


def write_tree(folder: Path, tree: Tree) -> None:
    """Make `folder` hold `tree` and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in sorted(tree.items()):
        path = folder / name
        if content is None:
            path.mkdir()
        elif isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)


def differing(one: Tree, other: Tree) -> set[str]:
    """The paths at which two trees differ."""
    return {path for path, _ in one.items() ^ other.items()}


def shown(tree: Tree, encoding: str = "utf-8") -> dict[str, str | None]:
    """A tree as text."""
    return {
        name: content.decode(encoding, "replace") if isinstance(content, bytes) else content
        for name, content in sorted(tree.items())
    }
