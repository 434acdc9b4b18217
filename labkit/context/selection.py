"""select_context: which items of a state are shown. What does not fit is passed over; what follows may still fit."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from labkit.agent_state import AgentState, Artifact, Fact, excerpt
from labkit.context.slices import ContextSlice, lines

Item = Fact | Artifact
Key = tuple[str, int]
"""An item's place in the state: which list, and where in it."""
Chosen = dict[Key, Item]


class ContextTooSmall(ValueError):  # noqa: N818 - the name that the exercise uses
    """Not even the goal, the step and the open questions fit. `needed` is how many tokens they take."""

    def __init__(self, needed: int, budget: int) -> None:
        super().__init__(needed, budget)
        self.needed, self.budget = needed, budget

    def __str__(self) -> str:
        return f"the goal, the current step and the open questions need {self.needed} tokens; there are {self.budget}"


def select_context(state: AgentState, step: str, budget: int, count: Callable[[str], int]) -> ContextSlice:
    """The slice of a state for a step, whose rendered text has at most `budget` tokens as `count` counts them.

    ContextTooSmall if goal, step and open questions alone have more. It takes time in proportion to the state, and
    memory in proportion to the budget. If `count` counts lines independently, as tokenizers do, then of two slices
    with different budgets, the first item in order of priority that differs is in the larger one, or is longer there.
    """

    def fits(items: Chosen) -> bool:
        return count(_slice(state, step, items).render()) <= budget

    room = budget - count(_slice(state, step, {}).render())
    if room < 0:
        raise ContextTooSmall(budget - room, budget)
    chosen = _filled(state, step, room, count)
    if not fits(chosen):  # the whole has more tokens than its lines: so count the whole, each time
        chosen = _filled(state, step, room, count, fits)
    return _slice(state, step, chosen)


def _filled(
    state: AgentState,
    step: str,
    room: int,
    count: Callable[[str], int],
    fits: Callable[[Chosen], bool] = lambda items: True,
) -> Chosen:
    chosen: Chosen = {}
    for key, forms in _by_priority(state, step):
        for form in forms:
            size = count(lines(form))
            if size > room or not _excerpts_fit(state, chosen, form):
                continue
            chosen[key] = form
            if fits(chosen):
                room -= size
                break
            del chosen[key]
    return chosen


def _by_priority(state: AgentState, step: str) -> Iterator[tuple[Key, Sequence[Item]]]:
    """Every item, with the forms in which it may be shown, the longest first."""
    before = state.plan[: state.plan.index(step)] if step in state.plan else ()
    rank = {name: place for place, name in enumerate((step, *reversed(before)))}
    newest = list(enumerate(state.artifacts))[::-1]
    ours = sorted((each for each in newest if each[1].step in rank), key=lambda each: rank[each[1].step])
    for place, artifact in ours:
        yield ("artifacts", place), _excerpts(artifact)
    words = _words(step)
    for relevant in (True, False):
        for place in reversed(range(len(state.known_facts))):
            fact = state.known_facts[place]
            if bool(words & _words(f"{fact.key} {fact.value}")) is relevant:
                yield ("known_facts", place), (fact,)
    for place, artifact in newest:
        if artifact.step not in rank:
            yield ("artifacts", place), _excerpts(artifact)[-1:]


def _excerpts(artifact: Artifact) -> list[Artifact]:
    """The artifact with all lines of its excerpt, then with one line less each time, down to none."""
    top = excerpt(artifact.excerpt).split("\n") if artifact.excerpt else []
    return [artifact.model_copy(update={"excerpt": "\n".join(top[:most])}) for most in range(len(top), -1, -1)]


def _excerpts_fit(state: AgentState, chosen: Chosen, form: Item) -> bool:
    """Whether all excerpts together keep to the limit in the state's budget."""
    most = state.budget.max_artifact_bytes_in_context
    if most is None or isinstance(form, Fact) or not form.excerpt:
        return True
    shown = chain([form], (item for item in chosen.values() if isinstance(item, Artifact)))
    return sum(len(artifact.excerpt.encode(errors="replace")) for artifact in shown) <= most


def _words(text: str) -> set[str]:
    """The words that can say what a text is about: those of four letters or more."""
    return set(re.findall(r"[^\W_]{4,}", text.casefold()))


def _slice(state: AgentState, step: str, chosen: Chosen) -> ContextSlice:
    shown = [chosen[key] for key in sorted(chosen)]
    facts = tuple(item for item in shown if isinstance(item, Fact))
    artifacts = tuple(item for item in shown if isinstance(item, Artifact))
    out = f"{len(state.known_facts) - len(facts)} facts, {len(state.artifacts) - len(artifacts)} artifacts"
    return ContextSlice(state.goal, step, state.open_questions, facts, artifacts, left_out=out)
