"""The model of a disk: files and directories, each with what it holds now and what a power cut would leave of it.

A write is volatile until `fsync` of its file, a name until `fsync` of its directory. Everything applied is what a
killed process leaves; the other states are such as POSIX allows after a power cut (ALICE, Pillai et al., OSDI 2014).
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from labkit.crash.metadata import TMP, Meta
from labkit.crash.news import Done
from labkit.crash.zygote.inodes import (
    CURRENT,
    Change,
    Fate,
    File,
    Folder,
    Link,
    Node,
    node_of,
    unchanged,
    walk,
)
from labkit.crash.zygote.trees import Tree, tree_of


class Disk:
    """A sandbox as the effects of a run have made it. It starts from a tree that is durable.

    With `ext4` it is kinder than POSIX, as ext4 is by default: a replace over an existing file first writes its data
    out, and an fsync of any file also makes the names durable.
    """

    def __init__(self, tree: Tree, *, ext4: bool = False) -> None:
        self.root, self.tmp = Folder(), Folder()
        self.ext4 = ext4
        self.native: set[str] = set()
        """Files that C code may have made: the model knows no more of them than their names."""
        self._handles: dict[int, Node] = {}
        for path, entry in sorted(tree.items()):
            node = self._node(entry.same_as) if entry.same_as else node_of(entry.content)
            node.meta = entry.meta
            self._put(path, node)
        for folder in self.folders():
            folder.sync()

    def tree(self) -> Tree:
        """What lies where when everything is applied."""
        return tree_of({**walk(self.root, CURRENT, unchanged), **walk(self.tmp, CURRENT, unchanged, f"{TMP}/")})

    def left(self, names: Callable[[Folder], dict[str, Node]], fate: Fate) -> Tree:
        """What lies where if these names and this much of each change are there. TMP is empty then."""
        return tree_of(walk(self.root, names, fate))

    def bind(self, handle: int, path: str) -> None:
        """A descriptor was opened at `path`, or without a name; it stays with that node whatever its name becomes."""
        self._handles[handle] = self._node(path) if path else File()

    def take(self, native: Tree) -> None:
        """What C code has written is there as it is, and durable."""
        for path, entry in native.items():
            node = self._find(path)
            if isinstance(entry.content, bytes):
                node = node if isinstance(node, File) else self._durable(path)
                node.durable, node.pending = bytearray(entry.content), []
            if node is not None:
                node.meta = entry.meta

    def apply(self, effect: Done) -> None:
        """Do what the effect did. Effects that are not about files change nothing here."""
        self._change(effect)
        for where, meta in effect.meta or ():
            node = self._find(where) if isinstance(where, str) else self._handles.get(where)
            if node is not None:
                node.meta = Meta.made(meta)

    def _change(self, effect: Done) -> None:  # noqa: C901, PLR0912 - a table, as a match
        match effect.op:
            case "open":
                self._put(effect.path, File())
            case "open-truncate":
                self._file(effect).pending.append(Change(0))
            case "write":
                data = effect.data.encode("latin-1")[: effect.result]
                self._file(effect).pending.append(Change(effect.offset, data))
                if effect.synced:
                    self._sync(self._file(effect))
            case "truncate":
                self._file(effect).pending.append(Change(effect.size))
            case "fsync" | "fsync dir":
                self._sync(self._file(effect))
            case "sync":
                for node in self.nodes(self.root):
                    if not isinstance(node, Link):
                        node.sync()
            case "mkdir":
                self._put(effect.path, Folder())
            case "symlink":
                self._put(effect.path, Link(effect.data))
            case "link":
                self._put(effect.to, self._file(effect))
            case "unlink" | "rmdir":
                self._is_native(self._node(effect.path), effect.data)
                self._take(effect.path)
            case "rename" | "replace":
                self._is_native(None if effect.data is None else self._node(effect.to), effect.data)
                self._rename(effect.path, effect.to)

    def _is_native(self, node: Node | None, content: str | None) -> None:
        """If C code had written this into a file that loses its name: a power cut may bring it back."""
        if content is not None and isinstance(node, File):
            node.durable, node.pending = bytearray(content.encode("latin-1")), []

    def _sync(self, node: Any) -> None:
        node.sync()
        if self.ext4:
            for folder in self.folders():
                folder.sync()

    def _rename(self, path: str, to: str) -> None:
        node, target = self._node(path), self._find(to)
        if node is target:  # two names of one file: POSIX leaves both
            return
        if self.ext4 and isinstance(node, File) and target is not None:
            node.sync()
        (folder, old), (target_folder, new) = self._place(path), self._place(to)
        self._put(to, self._take(path))
        if folder is target_folder:
            folder.changed(old, new)

    def _file(self, effect: Done) -> Any:
        return self._node(effect.path) if effect.handle is None else self._handles[effect.handle]

    def _place(self, path: str) -> tuple[Folder, str]:
        folder = self.tmp if path.startswith(f"{TMP}/") else self.root
        *folders, name = path.removeprefix(f"{TMP}/").split(os.sep)
        for part in folders:
            folder = folder.names[part]
        return folder, name

    def _find(self, path: str) -> Node | None:
        if path == os.curdir:
            return self.root
        if path == TMP:
            return self.tmp
        folder, name = self._place(path)
        return folder.names.get(name)

    def _node(self, path: str) -> Node:
        node = self._find(path)
        if node is None and path not in self.native:
            raise KeyError(path)
        return self._durable(path) if node is None else node

    def _durable(self, path: str) -> File:
        """A new file whose name no power cut takes."""
        folder, name = self._place(path)
        node = folder.names[name] = folder.durable[name] = File()
        return node

    def _put(self, path: str, node: Node) -> None:
        folder, name = self._place(path)
        folder.names[name] = node
        folder.changed(name)

    def _take(self, path: str) -> Node:
        folder, name = self._place(path)
        folder.changed(name)
        return folder.names.pop(name)

    def nodes(self, folder: Folder) -> Iterator[Node]:
        """A folder with all that is, or may be, below it."""
        yield folder
        for node in {id(node): node for node in [*folder.names.values(), *folder.durable.values()]}.values():
            yield from self.nodes(node) if isinstance(node, Folder) else [node]

    def folders(self) -> list[Folder]:
        """The sandbox, and all folders below it."""
        return [node for node in self.nodes(self.root) if isinstance(node, Folder)]
