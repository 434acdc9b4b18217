"""What a power cut may leave of a disk: which names have reached it, and how much of each write."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, combinations
from typing import TypeVar

from labkit.crash.zygote.disk import Disk
from labkit.crash.zygote.inodes import CURRENT, DURABLE, File, Folder, unchanged
from labkit.crash.zygote.trees import Tree

FEW = 4
T = TypeVar("T")


def power_cuts(disk: Disk) -> Iterator[tuple[str, Tree]]:
    """The name of each kind of loss, and the tree that is left."""
    yield "data lost", disk.left(CURRENT, lambda change: None if change.data else change)
    yield "rename lost", disk.left(DURABLE, unchanged)
    yield "all unsynced lost", disk.left(DURABLE, lambda change: None)
    for kept in _kept(disk):
        yield "some names lost", disk.left(lambda folder, kept=kept: folder.with_only(kept[folder]), unchanged)
    writes = [c for node in disk.nodes(disk.root) if isinstance(node, File) for c in node.pending if c.data]
    for lost in writes:
        yield "one write lost", disk.left(CURRENT, lambda c, lost=lost: None if c is lost else c)
        yield "a write torn", disk.left(CURRENT, lambda c, lost=lost: c.half() if c is lost else c)
    yield "zero-filled tail", disk.left(CURRENT, lambda change: change.zeros())


def _kept(disk: Disk) -> Iterator[dict[Folder, set[str]]]:
    """Which changes of names have reached the disk, if not all and not none. ext4 writes them in their order."""
    changes = [] if disk.ext4 else [(folder, each) for folder in disk.folders() for each in folder.pending]
    for some in _subsets(changes):
        kept: dict[Folder, set[str]] = defaultdict(set)
        for folder, names in some:
            kept[folder] |= names
        yield kept


def _subsets(changes: Sequence[T]) -> Iterator[Sequence[T]]:
    """Not all of them and not none: every choice of a FEW; if there are more, each of the last kept or lost alone."""
    if len(changes) <= FEW:
        yield from chain.from_iterable(combinations(changes, n) for n in range(1, len(changes)))
    else:
        for n in range(len(changes) - FEW, len(changes)):
            yield [changes[n]]
            yield [*changes[:n], *changes[n + 1 :]]
