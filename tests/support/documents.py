"""What the documents of the project have in them to be tried: blocks, commands, links.

A block without a language has commands, each with what it is for after two blanks. One with a language and a file's
name is that file; `console` is a transcript: what is typed after `$ `, and what comes, where `…` is anything.
"""

import re
from pathlib import Path
from typing import NamedTuple

from labkit.repository import root

DOCUMENTS = [root() / "README.md", root() / "CONTRIBUTING.md", *sorted((root() / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*) ?(\S*)\n(.*?)^\1```$", flags=re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(\w+=\S+ )*(\.venv/bin/)?(labkit|make|pytest|python|pip|conda|cp|py)( .*)?$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    name: str
    text: str


def blocks(document: Path) -> list[Block]:
    """The blocks of a document, in their order."""
    found = FENCE.findall(document.read_text("utf-8"))
    return [
        Block(language, name, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, name, text in found
    ]


def prose(document: Path) -> str:
    """The document without its blocks."""
    return FENCE.sub("", document.read_text("utf-8"))


def commands(document: Path) -> list[str]:
    """The commands of its blocks and of its text, as they are typed."""
    lines = [line.partition("  ")[0] for b in blocks(document) if not b.language for line in b.text.split("\n")]
    lines += re.findall(r"`([^`\n]+)`", prose(document))
    whole = [each for line in lines for each in _alternatives(line)]
    return [*dict.fromkeys(each for each in whole if COMMAND.match(each))]


def _alternatives(line: str) -> list[str]:
    """`labkit db start / stop` is two commands."""
    first, *others = line.split(" / ")
    return [first, *(f"{first.rpartition(' ')[0]} {other}" for other in others)]


def transcript(block: Block) -> list[tuple[str, str]]:
    """What is typed, and what comes."""
    typed = [part.partition("\n") for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]]
    return [(command, said) for command, _, said in typed]


def says(expected: str, said: str) -> bool:
    """Whether that was said: a line `…` is any lines, `…` in a line any text."""
    lines = [r"(?:.*\n)*?" if line == "…" else _line(line) + r"\n" for line in expected.rstrip("\n").split("\n")]
    return re.fullmatch("".join(lines), "\n".join(map(str.rstrip, said.rstrip("\n").split("\n"))) + "\n") is not None


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.split("…")))


def links(document: Path) -> list[tuple[Path, str]]:
    """Where its links lead to: the file, and the heading in it; addresses elsewhere are left out."""
    found = [link.partition("#") for link in LINK.findall(prose(document)) if "://" not in link]
    return [((document.parent / path).resolve() if path else document, anchor) for path, _, anchor in found]


def anchors(document: Path) -> set[str]:
    """The headings of a document, as GitHub names them."""
    heads = re.findall(r"^#+ (.+)$", prose(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
