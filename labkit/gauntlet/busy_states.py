"""A busy day of one process, of chapter 7: patches of several parts, and windows of many sizes."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from labkit.agent_state import AgentState, Artifact, Fact, StatePatch, apply
from labkit.context import ContextTooSmall
from labkit.crash import trial
from labkit.gauntlet.busy_tasks import TEXTS, brief
from labkit.gauntlet.parts import Parts, thirds
from labkit.grading.judge.differences import plain
from labkit.grading.judge.survival import did

STEP = "deploy"
NOW = AgentState(
    id="state-1",
    goal="Put the shop online.",
    plan=(STEP, "tell"),
    known_facts=tuple(Fact(key=f"fact {n}", value=f"{text}, it says ({n})") for n, text in enumerate(TEXTS)),
    open_questions=("May I deploy?", "Wer entscheidet?"),
    artifacts=tuple(
        Artifact(artifact_id=f"log-{n}", type="log", summary="requests", bytes=900, step=step)
        for n, step in enumerate((STEP, "tell", STEP, f"{STEP} later"))
    ),
)
PATCHES = (
    StatePatch(add_facts=(Fact(key="fact 2", value="new"), Fact(key="more", value=""))),
    StatePatch(replace_plan=(), close_questions=NOW.open_questions[:1], add_questions=("And then?",)),
    StatePatch(close_questions=("nobody asked",), raise_flags=("frozen",)),
    StatePatch(attach_artifacts=(NOW.artifacts[1].model_copy(update={"summary": "other requests"}),)),
    StatePatch(),
)
PARTS = ("goal", "plan", "known_facts", "open_questions", "artifacts", "risk_flags")
COUNTS = (thirds, len, lambda text: len(re.findall(r"\w+|\W", text)))


def patches_add_up(parts: Parts) -> None:
    """Patches one after another; in between each is applied to another state, and once more to the first."""
    seen = trial(lambda: list(_states(parts["apply"])))
    assert seen.how == "returned", f"Patches were applied in one process, and apply {did(seen)}"
    for number, (got, right) in enumerate(zip(seen.value, _states(apply), strict=True)):
        for part in PARTS:
            what = f"Patch {number // 3 + 1} was applied, and {part} is"
            assert got[part] == right[part], f"{what} {brief(got[part])}; expected {brief(right[part])}"


def _states(apply: Callable[[AgentState, StatePatch], AgentState]) -> Iterator[dict[str, Any]]:
    state, other = NOW, AgentState(id="state-2", goal="Tell the team.")
    for patch in PATCHES:
        state, other, first = (apply(each, patch) for each in (state, other, NOW))
        yield from ({part: plain(getattr(each, part)) for part in PARTS} for each in (state, other, first))


def windows_fit(parts: Parts) -> None:
    """Windows that are met exactly, by one token less and by more, with several tokenizers in one process."""
    seen = trial(partial(_look_through_all, parts))
    assert seen.how == "returned", f"Slices were chosen in one process, and select_context {did(seen)}"
    for budget, least, whole, size, shown, fitting in seen.value:
        what = f"{least} tokens are always in, all is {whole}, the budget is {budget}, and select_context"
        assert (size is None) == (budget < least), f"{what} {'raised ContextTooSmall' if size is None else 'did not'}"
        if size is not None:
            assert size <= budget, f"{what} made {size} tokens"
            assert shown == fitting, f"{what} shows {', '.join(shown)}; there is room for {', '.join(fitting)}"


def _look_through_all(parts: Parts) -> list[Any]:
    return [[budget, *found] for count in COUNTS for budget, *found in _windows(parts["select_context"], count)]


def _windows(select: Callable[..., Any], count: Callable[[str], int]) -> Iterator[list[Any]]:
    def render(names: Iterable[str], budget: int = 10**6) -> str:
        facts = tuple(fact for fact in NOW.known_facts if fact.key in names)
        files = tuple(each for each in NOW.artifacts if each.artifact_id in names)
        return select(NOW.model_copy(update={"known_facts": facts, "artifacts": files}), STEP, budget, count).render()

    ours = [each.artifact_id for each in NOW.artifacts if each.step == STEP]
    order = [*ours, *(fact.key for fact in reversed(NOW.known_facts))]
    every = [*(each.artifact_id for each in NOW.artifacts), *order]
    least, whole = count(render(())), count(render(order))
    for budget in (whole, whole - 1, whole + 1, (least + whole) // 2, least + 90, least, least - 1):
        fitting: list[str] = []
        for name in order:
            fitting += [name] if count(render([*fitting, name])) <= budget else []
        try:
            text = render(every, budget)
        except ContextTooSmall:
            yield [budget, least, whole, None, [], []]
        else:
            shown = [name for name in dict.fromkeys(every) if name in text]
            yield [budget, least, whole, count(text), sorted(shown), sorted(fitting)]
