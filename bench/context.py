"""How does the choice of a context grow? From 100 to 100,000 facts, and from 100 to 20,000 artifacts of one step.

    python bench/context.py

What counts is the time for each item among many, beside that among 1,000: in proportion is 1, the aim is at most 1.5.
Once what fits is the same however much there is, and once there is room for all.
"""

from collections.abc import Callable
from functools import partial

from figures import TRY, beside, interleaved

from labkit.agent_state import AgentState, Artifact, Fact, Limits
from labkit.context import select_context

SIZES = (10, 20) if TRY else (1_000, 100, 10_000, 100_000)
ARTIFACTS = (10, 20) if TRY else (1_000, 100, 5_000, 20_000)
FEW = 4_000
LIMIT = (
    "For each artifact that has an excerpt, `_excerpts_fit` adds up the bytes of all excerpts chosen before: "
    "with room for all, that grows with the square. Without a limit of bytes, the time is in proportion."
)


def count(text: str) -> int:
    """Words, in the place of tokens: a real vocabulary would be most of what is measured."""
    return text.count(" ") + text.count("\n")


def with_facts(size: int) -> AgentState:
    """A state that knows so much."""
    facts = tuple(Fact(key=f"host {n}", value=f"10.0.{n // 256}.{n % 256} answers", source="scan") for n in range(size))
    return AgentState(goal="deploy the service", plan=("deploy",), known_facts=facts)


def with_artifacts(size: int, most: int | None = None) -> AgentState:
    """A state with so many results of its current step, and perhaps a limit of bytes for what is shown of them."""
    limits = Limits(max_artifact_bytes_in_context=most)
    made = (
        Artifact(artifact_id=f"a{n}", summary=f"log {n}", bytes=900, step="deploy", excerpt="line 1\nline 2\nline 3")
        for n in range(size)
    )
    return AgentState(goal="deploy the service", plan=("deploy",), artifacts=tuple(made), budget=limits)


def compare(what: str, make: Callable[[int], AgentState], sizes: tuple[int, ...], room: int | None) -> None:
    """Seconds for each item, by size; the first is what the others are beside."""
    ways = {
        f"each of {size:,}": partial(select_context, make(size), "deploy", room or 100 * size, count) for size in sizes
    }
    rounds = interleaved(ways)
    each = {name: [took / size for took in times] for (name, times), size in zip(rounds.items(), sizes, strict=True)}
    few, *others = each
    for many in others:
        beside(what, each, many, few, aim=1.5, limit=LIMIT if "bytes" in what else "")


def main() -> None:
    """Measure and tell."""
    compare("facts, few fit", with_facts, SIZES, FEW)
    compare("facts, all fit", with_facts, SIZES, None)
    compare("artifacts, few fit", with_artifacts, ARTIFACTS, FEW)
    compare("artifacts, all fit", with_artifacts, ARTIFACTS, None)
    limited = partial(with_artifacts, most=10**9)
    compare("artifacts, all fit, with a limit of bytes", limited, ARTIFACTS if TRY else ARTIFACTS[:-1], None)


if __name__ == "__main__":
    main()
