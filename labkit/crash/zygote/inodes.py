"""What a disk is made of: files, directories and links, each with what is durable of it and what came since."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter

from labkit.crash.metadata import Meta
from labkit.crash.zygote.trees import Content


@dataclass(eq=False)
class Change:
    """A change of a file's content that is not yet durable: a write at an offset, or (data is None) a new size."""

    offset: int
    data: bytes | None = None

    def apply(self, content: bytearray) -> None:
        """Make the change; a gap becomes zeros, as on a real disk."""
        content.extend(bytes(max(0, self.offset - len(content))))
        if self.data is None:
            del content[self.offset :]
        else:
            content[self.offset : self.offset + len(self.data)] = self.data

    def half(self) -> "Change":
        """A torn write: its first half."""
        return Change(self.offset, self.data and self.data[: len(self.data) // 2])

    def zeros(self) -> "Change":
        """The size is there, the data is not."""
        return Change(self.offset, self.data and bytes(len(self.data)))


Fate = Callable[[Change], Change | None]
"""What a power cut makes of a change: the change itself, another one, or nothing."""


def unchanged(change: Change) -> Change:
    """Nothing is lost."""
    return change


@dataclass(eq=False)
class File:
    """An inode: what is durable of it, and the changes since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)
    meta: Meta | None = None

    def content(self, fate: Fate = unchanged) -> bytes:
        """What is read from it, if a power cut left this of the pending changes."""
        content = bytearray(self.durable)
        for change in filter(None, map(fate, self.pending)):
            change.apply(content)
        return bytes(content)

    def sync(self) -> None:
        """fsync: everything is durable."""
        for change in self.pending:  # in place: a copy at each fsync would make a long journal cost its square
            change.apply(self.durable)
        self.pending = []


@dataclass(eq=False)
class Folder:
    """A directory: the names in it, and those that are durable."""

    names: dict[str, "Node"] = field(default_factory=dict)
    durable: dict[str, "Node"] = field(default_factory=dict)
    changes: list[set[str]] = field(default_factory=list)
    """What has changed since then, oldest first: names that one call changed are one change, as a rename is atomic."""
    meta: Meta | None = None

    def changed(self, *names: str) -> None:
        """One call has changed these names. What changed one of them before is part of it."""
        change = set(names).union(*(each for each in self.changes if not each.isdisjoint(names)))
        self.changes = [each for each in self.changes if each.isdisjoint(change)] + [change]

    @property
    def pending(self) -> list[set[str]]:
        """The changes of names that a power cut may lose."""
        return [change for change in self.changes if any(self.names.get(n) is not self.durable.get(n) for n in change)]

    def with_only(self, kept: set[str]) -> dict[str, "Node"]:
        """The names that are there if, of all that has changed, only these have reached the disk."""
        old = {name: node for name, node in self.durable.items() if name not in kept}
        return old | {name: node for name, node in self.names.items() if name in kept}

    def content(self, _: Fate) -> None:
        """None: what is in it has paths of its own."""

    def sync(self) -> None:
        """fsync of the directory: its names are durable."""
        self.durable, self.changes = dict(self.names), []


@dataclass(eq=False)
class Link:
    """A symbolic link."""

    target: str
    meta: Meta | None = None

    def content(self, _: Fate) -> str:
        """What it leads to."""
        return self.target


Node = File | Folder | Link


CURRENT: Callable[[Folder], dict[str, Node]] = attrgetter("names")


DURABLE: Callable[[Folder], dict[str, Node]] = attrgetter("durable")


def node_of(content: Content) -> Node:
    """A node with this durable content."""
    return Folder() if content is None else File(bytearray(content)) if isinstance(content, bytes) else Link(content)


def walk(
    folder: Folder, names: Callable[[Folder], dict[str, Node]], fate: Fate, prefix: str = ""
) -> dict[str, tuple[Content, Meta | None, int]]:
    """What lies at each path below a folder, as `tree_of` takes it."""
    found: dict[str, tuple[Content, Meta | None, int]] = {}
    for name, node in names(folder).items():
        found[prefix + name] = node.content(fate), node.meta, id(node)
        if isinstance(node, Folder):
            found |= walk(node, names, fate, f"{prefix}{name}{os.sep}")
    return found
