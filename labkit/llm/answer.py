"""One reply of the model before it takes a format: the turn, its ids and its count of tokens."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from labkit.llm.scripts import Turn


@dataclass(frozen=True)
class Answer:
    """A turn of the script, as the reply to one request."""

    turn: Turn
    number: int
    """Of the request. It makes the ids, so a repeated request gets the same content under others."""
    model: str
    created: int
    """Seconds since 1970, by the world's clock."""
    prompt: str
    """What the model has read."""

    def calls(self) -> Iterator[tuple[str, str, str]]:
        """Each tool call: id, name, arguments as text."""
        for index, (name, arguments) in enumerate(self.turn.calls):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            yield f"call_{self.number}_{index}", name, text

    def tokens(self) -> tuple[int, int]:
        """How many were read, and how many written: an estimate."""
        said = "".join([self.turn.content or "", *(name + arguments for _, name, arguments in self.calls())])
        return _estimate(self.prompt), _estimate(said)


def _estimate(text: str) -> int:
    """English text has about four characters to a token."""
    return -(-len(text) // 4)
