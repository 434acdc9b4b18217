"""One crash point under the microscope: files before and after the restart, the world's ledger, what was printed."""

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.crash.report.scene import scene
from labkit.world import Call

WIDTH = 70
"""Characters of a file that are shown."""


@dataclass(frozen=True)
class Replay:
    """What one fault at one crash point left, and what the restart made of it."""

    title: str
    before: dict[str, str | None]
    """The files that the crash left; None for a directory."""
    after: dict[str, str | None]
    """The files after recovery."""
    ledger: list[Call]
    output: str
    verdict: str

    def __str__(self) -> str:
        parts = [self.title, "", "files that the crash left", *listing(self.before)]
        parts += ["files after the restart", *(["  the same"] if self.after == self.before else listing(self.after))]
        if self.ledger:
            parts += ["ledger of the world", *(f"  {call}" for call in self.ledger)]
        if self.output:
            parts += ["printed", *(f"  {line}" for line in self.output.splitlines())]
        return "\n".join([*parts, "", self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.crash.report import page  # noqa: PLC0415 - templates are for notebooks

        return page.replay(self.title, scene(self.before, self.after, self.ledger, self.output), self.verdict)


def listing(files: Mapping[str, str | None]) -> list[str]:
    """Files and how they begin, one to a line."""
    shown = []
    for name, content in files.items():
        if content is not None:
            text = " ".join(content.replace("\0", "␀").split())
            shown.append(f"  {name}  {'(empty)' if not text else text[:WIDTH] + ('…' if len(text) > WIDTH else '')}")
    return shown or ["  none"]
