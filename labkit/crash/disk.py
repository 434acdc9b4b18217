"""The model of a sandbox: the tree that a sequence of effects should have left, to compare with the one that is there."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Tree = dict[str, bytes | str | None]
"""What lies at each path: a file's bytes, a symbolic link's target, None for a directory."""


@dataclass
class Inode:
    """A file's content, whichever names and handles lead to it."""

    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes, offset: int) -> None:
        """Overwrite from `offset`; a gap becomes zeros, as on a real disk."""
        self.resize(max(len(self.data), offset))
        self.data[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        """Cut off, or fill up with zeros."""
        del self.data[size:]
        self.data.extend(bytes(size - len(self.data)))


class Disk:
    """Names and inodes. Every effect is applied at once: what a killed process leaves on a running machine."""

    def __init__(self, tree: Tree) -> None:
        self._names: dict[str, Inode | str | None] = {
            path: Inode(bytearray(content)) if isinstance(content, bytes) else content
            for path, content in tree.items()
        }
        self._handles: dict[int, Inode] = {}

    def tree(self) -> Tree:
        """What lies where."""
        return {path: bytes(node.data) if isinstance(node, Inode) else node for path, node in self._names.items()}

    def bind(self, handle: int, path: str) -> None:
        """A descriptor was opened at `path`; it stays with that inode whatever happens to the name."""
        node = self._names.get(path)
        if isinstance(node, Inode):
            self._handles[handle] = node

    def apply(self, op: str, effect: Mapping[str, Any]) -> None:
        """Do what the effect did. Effects that are not about files change nothing here."""
        path, to = effect.get("path"), effect.get("to")
        match op:
            case "open":
                self._names[path] = Inode()
            case "open-truncate":
                self._inode(effect).resize(0)
            case "write":
                data = effect["data"].encode("latin-1")[: effect["result"]]
                self._inode(effect).write(data, effect["offset"])
            case "truncate":
                self._inode(effect).resize(effect["size"])
            case "mkdir":
                self._names[path] = None
            case "symlink":
                self._names[path] = effect["data"]
            case "link":
                self._names[to] = self._names[path]
            case "unlink" | "rmdir":
                del self._names[path]
            case "rename" | "replace":
                self._rename(path, to)

    def _inode(self, effect: Mapping[str, Any]) -> Inode:
        return self._handles[effect["handle"]] if "handle" in effect else self._names[effect["path"]]

    def _rename(self, path: str, to: str) -> None:
        below = [name for name in self._names if name == path or name.startswith(f"{path}{os.sep}")]
        moved = {to + name[len(path) :]: self._names.pop(name) for name in below}
        self._names.update(moved)


def read_tree(folder: Path) -> Tree:
    """What lies in `folder`."""
    tree: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        tree[name] = os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
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
