"""Judges chapter 7: patches of an agent state, and what the model is shown of it. Answers run in children only.

A trial is one process that makes many calls, with tokenizers that agree with no length in characters, bytes or
words. What a slice holds is looked for in its text, and how much room that takes is asked of the answer itself: any
form of the text will do.
"""

import inspect
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

from labkit.agent_state import AgentState, Artifact, Constraints, Fact, HumanInTheLoop, StatePatch
from labkit.context import ContextSlice, ContextTooSmall
from labkit.crash import trial
from labkit.grading.judge.calls import called, shown, told, until_endless
from labkit.grading.judge.differences import apart, brief, plain
from labkit.grading.judge.program import Program
from labkit.grading.judge.survival import did

SCRIPTS = {
    "Russian": ["очередь", "отвечает", "медленно", "каждый", "второй", "запрос", "«теряется»", "сегодня", "утром"],
    "English": ["queue", "worker", "answers", "slowly", "under", "'heavy'", "load", "second", "naïve", "café"],
    "emoji": ["🙂🙂", "🔥", "🚀🚀🚀", "👩\u200d💻", "✅", "📦📦"],
    "code": ["f(x)=2*x;", "a[0]+=b[1]", "if(n>0){n--;}", "{'k':[1,2]}", 'x<=y&&y<="z"', "//-->"],
    "Chinese and Hindi": ["服务器", "很慢", "请求", "सर्वर", "धीमा", "प्रश्न"],
}
PIECES = [r" ?[a-zA-Z0-9]{1,3}|\w|\W", r" ?[a-zA-Z0-9]{1,11}| ?[^\W_a-zA-Z0-9]{1,9}|\W|_", r".{1,200}\n?|\n"]
"""What a token is: few letters, a word, or a line."""
MOST = 10**6
"""Tokens for which every state here has room."""
CHANGED_BY = {
    "known_facts": ["add_facts"],
    "plan": ["replace_plan"],
    "open_questions": ["close_questions", "add_questions"],
    "artifacts": ["attach_artifacts"],
    "risk_flags": ["raise_flags"],
}
"""Part of a state → parts of a patch."""
ALIKE = {
    "with a space": lambda text: f"{text} ",
    "in capitals": str.upper,
    "with its accent written apart": partial(unicodedata.normalize, "NFD"),
    "with more behind it": lambda text: f"{text}?",
    "without its last letter": lambda text: text[:-1],
}
"""How a program may take one text for another."""


class Tokens:
    """A tokenizer: each of these pieces is a token."""

    def __init__(self, pieces: str) -> None:
        self.pieces = re.compile(pieces)
        self.known: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """How many tokens a text has."""
        lines = text.splitlines(keepends=True)
        for line in lines:
            if line not in self.known:
                self.known[line] = len(self.pieces.findall(line))
        return sum(self.known[line] for line in lines)


# A new state, and the old one


def patch_pure(program: Program, rng: Random) -> None:
    """Each part of a patch does what it says, alone and beside others, whatever came before; all else stays."""
    state, other, bare = _state(rng), _state(rng), AgentState(id="run", goal=_text(rng, "English", 3))
    rows = [(f"The patch {what}", state, patch) for what, patch in _single(rng, state).items()]
    last = state.known_facts[-2:]
    known = _several(rng, state).model_copy(update={"add_facts": last, "replace_plan": (_word(rng),)})
    rows.append(("The patch has a new plan and other parts, its facts are the last ones already", state, known))
    for _ in range(12):
        patch = _several(rng, state)
        rows.append(("The patch has several parts", state, patch))
        for which, each in {"another": other, "an empty": bare, "the first": state}.items():
            rows.append((f"The same patch is applied to {which} state", each, patch))

    def apply_all() -> list[dict[str, Any]]:
        apply = program["apply"]
        return until_endless(_apply(apply, state, patch) for _, state, patch in rows)

    seen = trial(apply_all)
    assert seen.how == "returned", f"apply {did(seen)}"
    for times in 1, 2:
        for (said, before, patch), got in zip(rows, seen.value, strict=False):
            _check_patched(said, before, patch, got, times)


def _apply(apply: Callable[..., Any], state: AgentState, patch: StatePatch) -> dict[str, Any]:
    """In a child: apply a patch twice; what either state is, and what has changed in the old one."""
    before, after = plain(state), []

    def call() -> str | None:
        result = state
        for _ in range(2):
            result = apply(result, patch)
            if wrong := _wrong_kind(result):
                return wrong
            after.append(plain(result))
        return None

    got, now = called(call), plain(state)
    changed = {name: now.get(name) for name in before if now.get(name) != before[name]}
    return {**got, "after": after, "changed": changed}


def _wrong_kind(result: Any) -> str | None:
    """What apply returned, if that is no whole state."""
    if not isinstance(result, AgentState):
        return _kind(result)
    parts = [("known_facts", each, Fact) for each in result.known_facts]
    parts += [("artifacts", each, Artifact) for each in result.artifacts]
    wrong = [(name, each) for name, each, kind in parts if not isinstance(each, kind)]
    return f"an AgentState with {_kind(wrong[0][1])} in its {wrong[0][0]}" if wrong else None


def _check_patched(said: str, state: AgentState, patch: StatePatch, got: dict[str, Any], times: int) -> None:
    """What is to be said of a patch that was applied once, or twice."""
    said, before = f"{said}{' and is applied twice' if times == 2 else ''}, and apply", plain(state)
    for name, now in got["changed"].items():
        where, was, found = apart(before[name], now)
        raise AssertionError(f"{said} changed the old state: its {name}{where} was {was}, and is {found}")
    if len(got["after"]) < times:
        assert "value" in got, f"{said} {told(got)}"
        raise AssertionError(f"{said} returned {got['value']}; expected an AgentState")
    after, expected = got["after"][times - 1], {name: [each] for name, each in before.items()}
    for name, options in {"version": [state.version], **expected, **_patched(state, patch)}.items():
        if (made := after.pop(name, "gone")) not in options:
            where, one, other = apart(made, options[0])
            assert name != "version", f"{said} made version {one} of version {other}: the store compares it"
            parts = "".join(f"; {part} is {brief(plain(getattr(patch, part)))}" for part in CHANGED_BY.get(name, ()))
            raise AssertionError(
                f"{said} made {name}{where} {one}; expected {other}. The state had {brief(before[name])}{parts}"
            )
    for name in after:
        raise AssertionError(f"{said} made a state with another key, {name}")


def _patched(state: AgentState, patch: StatePatch) -> dict[str, list[Any]]:
    """What the rules say, each by itself: part of the state → what it may be."""
    found = {}
    rows = ("known_facts", patch.add_facts, "key"), ("artifacts", patch.attach_artifacts, "artifact_id")
    for name, added, key in rows:
        first, last = {}, {}  # what the patch has twice may stand in its first place or in its last
        for new in added:
            last.pop(getattr(new, key), None)
            first[getattr(new, key)] = last[getattr(new, key)] = new
        kept = [each for each in getattr(state, name) if getattr(each, key) not in first]
        found[name] = [plain([*kept, *new.values()]) for new in (first, last)]
    questions = [each for each in state.open_questions if each not in patch.close_questions]
    found["open_questions"] = [list(dict.fromkeys([*questions, *patch.add_questions]))]
    found["risk_flags"] = [list(dict.fromkeys([*state.risk_flags, *patch.raise_flags]))]
    found["plan"] = [list(state.plan if patch.replace_plan is None else patch.replace_plan)]
    return found


def _single(rng: Random, state: AgentState) -> dict[str, StatePatch]:
    """What a patch does → a patch that does only this."""
    fact, file, (a, b) = partial(_fact, rng), partial(_artifact, rng), (_word(rng), _word(rng))
    old, question, flag, known = state.known_facts[1], state.open_questions[0], state.risk_flags[0], state.artifacts[0]
    found = {
        "adds a fact": StatePatch(add_facts=(fact(b), fact(a))),
        "adds a fact whose key is known": StatePatch(add_facts=(fact(old.key),)),
        "adds a fact that is known": StatePatch(add_facts=(old,)),
        "adds a fact with another's value": StatePatch(add_facts=(Fact(key=a, value=old.value),)),
        "adds an empty fact": StatePatch(add_facts=(Fact(key=a, value=""),)),
        "adds two facts with one key": StatePatch(add_facts=(fact(b), fact(a), fact(b), fact(a))),
        "replaces the plan": StatePatch(replace_plan=(b, a, b)),
        "replaces the plan by an empty one": StatePatch(replace_plan=()),
        "closes a question": StatePatch(close_questions=(question,)),
        "closes a question that is not open": StatePatch(close_questions=(a,)),
        "closes all questions": StatePatch(close_questions=(a, *state.open_questions[::-1])),
        "adds questions, one of them open already": StatePatch(add_questions=(b, question, a, b)),
        "closes a question and adds it again": StatePatch(close_questions=(question,), add_questions=(b, question)),
        "closes what it adds": StatePatch(close_questions=(a,), add_questions=(a,)),
        "attaches an artifact": StatePatch(attach_artifacts=(file(b), file(a))),
        "attaches an artifact whose id is known": StatePatch(attach_artifacts=(file(a), file(known.artifact_id, b))),
        "attaches two artifacts with one id": StatePatch(attach_artifacts=(file(a), file(a))),
        "attaches an artifact of the same step": StatePatch(attach_artifacts=(file(a, known.step),)),
        "raises flags, one of them raised already": StatePatch(raise_flags=(b, flag, a, b)),
        "has empty texts": StatePatch(
            add_facts=(fact(""),), add_questions=("",), attach_artifacts=(file(""),), raise_flags=("",)
        ),
        "is empty": StatePatch(),
    }
    for how, alike in ALIKE.items():
        found |= {
            f"adds a fact whose key is a known one {how}": StatePatch(add_facts=(fact(alike(old.key)),)),
            f"closes an open question, written {how}": StatePatch(close_questions=(alike(question),)),
            f"adds an open question, written {how}": StatePatch(add_questions=(alike(question),)),
            f"attaches a known id, written {how}": StatePatch(attach_artifacts=(file(alike(known.artifact_id)),)),
            f"raises a raised flag, written {how}": StatePatch(raise_flags=(alike(flag),)),
        }
    return found


def _several(rng: Random, state: AgentState) -> StatePatch:
    """A patch with most of its parts, of what the state has and of what it has not."""
    new = [_word(rng) for _ in range(3)]

    def some(had: Iterable[str]) -> list[str]:
        return rng.choices([*had, *new], k=rng.randint(0, 4))

    closed = some(state.open_questions)
    return StatePatch(
        add_facts=tuple(_fact(rng, key) for key in some(fact.key for fact in state.known_facts)),
        replace_plan=rng.choice([None, (), tuple(new)]),
        close_questions=tuple(closed),
        add_questions=tuple(each for each in some(state.open_questions) if each not in closed),
        attach_artifacts=tuple(_artifact(rng, name) for name in some(each.artifact_id for each in state.artifacts)),
        raise_flags=tuple(some(state.risk_flags)),
    )


# What the model sees

Named = Iterable[tuple[int, bool]]
"""Places of artifacts, each with its excerpt (True) or without."""


@dataclass(frozen=True)
class World:
    """A state, one of its steps, and two tokenizers: this call's, and another call's."""

    script: str
    state: AgentState
    step: str
    count: Tokens
    other: Tokens
    sets: list[tuple[list[int], list[tuple[int, bool]]]]
    """Facts and artifacts for which budgets have just enough room."""

    def holding(self, facts: Iterable[int], artifacts: Named = ()) -> AgentState:
        """The state with these facts and artifacts only."""
        named = ((self.state.artifacts[place], whole) for place, whole in sorted(artifacts))
        forms = tuple(each if whole else each.model_copy(update={"excerpt": ""}) for each, whole in named)
        known = tuple(self.state.known_facts[place] for place in sorted(facts))
        return self.state.model_copy(update={"known_facts": known, "artifacts": forms})

    @property
    def ours(self) -> list[int]:
        """Places of the artifacts of this step."""
        return [place for place, each in enumerate(self.state.artifacts) if each.step == self.step]


@dataclass
class Asked:
    """In a child: the answer, asked about one world."""

    select: Callable[..., Any]
    world: World
    sizes: dict[Any, int] = field(default_factory=dict)

    def __call__(self, state: AgentState, budget: int) -> dict[str, Any]:
        """What it made of this state."""
        given = state.model_copy()

        def call() -> dict[str, Any]:
            try:
                chosen = self.select(given, self.world.step, budget, self.world.count)
            except ContextTooSmall as error:
                return {"needed": plain(error.needed), "of": plain(error.budget)}
            text = chosen.render() if hasattr(chosen, "render") else None
            if not isinstance(text, str):
                return {"returned": _kind(chosen)}
            same = {"rendered again": chosen.render() == text, "unchanged": given == state}
            if isinstance(chosen, ContextSlice):
                same |= {"altered": _altered(chosen, state), "fields": [str(chosen.goal), str(chosen.current_step)]}
            return {"text": text, **same}

        return called(call)

    def text(self, state: AgentState, budget: int) -> str | None:
        """The text that it shows, if it does."""
        return self(state, budget).get("value", {}).get("text")

    def size(self, facts: Iterable[int], artifacts: Named) -> int:
        """How many tokens these items have with what is always in, in the answer's own form. MOST if it fails."""
        key = frozenset(facts), frozenset(artifacts)
        if key not in self.sizes:
            text = self.text(self.world.holding(*key), MOST)
            self.sizes[key] = MOST if text is None else self.world.count(text)
        return self.sizes[key]


@dataclass
class Seen:
    """What became of one state and budget: too little room for what is always in, or a slice."""

    world: World
    told: dict[str, Any]
    budget: int
    least: int
    """What is always in has so many tokens."""
    whole: int
    """All that may be shown has so many. MOST + 1: there was nothing to choose from."""

    def __post_init__(self) -> None:
        self.got = self.told.get("value", {})
        size = "a million" if self.budget == MOST else self.budget
        self.has = f"In {self.world.script}, the budget is {size} tokens"

    def check(self) -> None:
        """It is a slice, or ContextTooSmall where that is right."""
        own = self.told.get("failed", "").startswith("raised ContextTooSmall")
        which = ", a class of its own and not that of the given cell" if own else ""
        assert "value" in self.told, f"{self.has}, and select_context {told(self.told)}{which}"
        returned, needed = self.got.get("returned"), self.got.get("needed")
        assert not returned, f"{self.has}, and select_context returned {returned}; expected a ContextSlice"
        needs = f"{self.has}; goal, step and questions need {self.least}." if self.least else f"{self.has}."
        raised = f"select_context raised ContextTooSmall, which says {needed}"
        assert "needed" not in self.got or self.budget < self.least, f"{needs} {raised}"

    def numbers(self, facts: Iterable[int]) -> list[int]:
        """Places of facts as their numbers: 1 is the newest."""
        return [len(self.world.state.known_facts) - place for place in facts]


def goal_kept(program: Program, rng: Random) -> None:
    """Goal, step and questions are in, whatever there is to show; with one token less, an error says what they need."""
    for seen in _asked(program, rng):
        got, needs = seen.got, f"{seen.has}; goal, step and questions need {seen.least}."
        if "needed" in got:
            assert got["needed"] == seen.least, f"{needs} ContextTooSmall says that {got['needed']} are needed"
            assert got["of"] == seen.budget, f"{needs} ContextTooSmall says that the budget is {got['of']}"
            continue
        assert seen.budget >= seen.least, f"{needs} select_context returned a slice; expected ContextTooSmall"
        always = {"goal": seen.world.state.goal, "current step": seen.world.step}
        for (what, mine), found in zip(always.items(), got.get("fields", ()), strict=False):
            where, one, other = apart(mine, found)
            is_in = not found or mine in found
            assert is_in, f"{seen.has}. The {what}{where} is {one}, and that of the slice is {other}"
        for what in got["missing"]:
            raise AssertionError(f"{seen.has}. The {what} is not in the slice")
        lost, number = _ranges(got["missing questions"]), len(seen.world.state.open_questions)
        assert not lost, f"{seen.has}. Not in the slice: question {lost} of {number}"


def within_budget(program: Program, rng: Random) -> None:
    """The text keeps to the budget in every script and by every tokenizer; with room for just all, all is in."""
    for seen in _slices(program, rng):
        size, state = seen.got["size"], seen.world.state
        if seen.budget >= seen.whole:
            has = f"{seen.has}, and all of it has {seen.whole}" if seen.budget < MOST else seen.has
            hint = "Is it `count` that counts?" if seen.budget > seen.whole else "A text of just that size fits"
            lost = _ranges(seen.numbers(n for n in range(len(state.known_facts)) if n not in seen.got["facts"]))
            assert not lost, f"{has}. Missing: fact {lost} (fact 1 is the newest). {hint}"
            names = [state.artifacts[n].artifact_id for n in seen.world.ours if n not in dict(seen.got["artifacts"])]
            assert not names, f"{has}. Missing: the artifact {', '.join(names)} of this step"
        fits = [f"{what} ({less})" for what, less in seen.got["counts"].items() if 0 < less <= seen.budget]
        would = f" What would fit: {', '.join(fits)}." if fits else ""
        count = "Count the text of render(), all of it, with the `count` of this call"
        assert size <= seen.budget, f"{seen.has}, and the slice has {size}.{would} {count}"


def skips_large(program: Program, rng: Random) -> None:
    """What is left out did not fit: artifacts of this step come first, whole or named, then the newest facts."""
    for seen in _slices(program, rng, _would_fit):
        named, step = seen.world.state.artifacts, seen.world.step
        for other in (named[place] for place, _ in seen.got["artifacts"] if place not in seen.world.ours):
            of = f"the artifact {other.artifact_id} of step {other.step!r}"
            raise AssertionError(f"{seen.has}. In the slice for step {step!r} there is {of}")
        assert not seen.got.get("altered"), f"{seen.has}. {seen.got['altered']}"
        for place, form in seen.got["fitting artifacts"]:
            raise AssertionError(f"{seen.has}. {DROPPED[form].format(named[place].artifact_id)}")
        fitting, facts = seen.numbers(seen.got["fitting facts"]), sorted(seen.numbers(seen.got["facts"]))
        dropped = [number for number in fitting if number not in facts]
        large = next((n for n in range(1, dropped[0]) if n not in fitting), None) if dropped else None
        if large and facts == [number for number in fitting if number < dropped[0]]:
            many = "fact {} did, and was" if len(dropped) == 1 else "facts {} did, and were"
            raise AssertionError(f"{seen.has}. Fact {large} did not fit; {many.format(_ranges(dropped))} dropped.")
        has = f"There is room for fact {_ranges(fitting) or 'none'}, and the slice has fact {_ranges(facts) or 'none'}"
        assert facts == fitting, f"{seen.has}. {has}. Fact 1 is the newest, and the newest come first"


DROPPED = {
    "whole": "There is room for the artifact {} of this step, and it is not in the slice: artifacts come first",
    "name": "The artifact {} did not fit with its excerpt; its name did, and was dropped",
    "excerpt": "There is room for the excerpt of {}, and the slice has its name alone",
}
"""What to say of an artifact that would fit in this form."""


def _would_fit(asked: Asked, _: AgentState, budget: int, got: dict[str, Any]) -> dict[str, Any]:
    """In a child: in which form an artifact would fit beside those that are in, and which facts fit then."""
    inside, fitting, facts = dict(got["artifacts"]), [], []

    def fits(facts: Iterable[int], more: dict[int, bool]) -> bool:
        return asked.size(facts, {**inside, **more}.items()) <= budget

    for place in asked.world.ours:
        if not inside.get(place) and fits((), {place: True}):
            fitting.append([place, "excerpt" if place in inside else "whole"])
        elif place not in inside and fits((), {place: False}):
            fitting.append([place, "name"])
    for place in reversed(range(len(asked.world.state.known_facts))):
        facts += [place] if fits((*facts, place), {}) else []
    return {"fitting artifacts": fitting, "fitting facts": facts}


def stable_order(program: Program, rng: Random) -> None:
    """The state's order, and an equal text for an equal state; nothing changes in the state, or above a new fact."""
    for seen in _slices(program, rng, _once_more):
        got, has, named = seen.got, f"{seen.has}.", seen.world.state.artifacts
        for above, below in pairwise(seen.numbers(got["facts"])):
            newer = f"Fact {above} is newer than fact {below}, and stands above it; in the state it stands below"
            assert above > below, f"{has} {newer} (fact 1 is the newest)"
        for (above, _), (below, _) in pairwise(got["artifacts"]):
            one, other = named[above].artifact_id, named[below].artifact_id
            assert above < below, f"{has} In the state, {other} comes first; in the slice, {one} does"
        for above, below in pairwise(got["questions"]):
            stands = f"In the state, question {below} stands above question {above}; in the slice, below"
            assert above < below, f"{has} {stands}"
        for what, said in UNSTABLE.items():
            assert got.get(what, True), f"{has} {said}"


UNSTABLE = {
    "unchanged": "select_context changed the state that it was given",
    "rendered again": "One slice was rendered twice, and the texts differ",
    "asked again": "The same state was given twice, and the texts differ",
    "equal": "An equal state was given, read from a store, and its text differs",
    "above": "A new fact came, and the text above the old ones changed: a prompt cache would have to read it anew",
}


def _once_more(asked: Asked, state: AgentState, budget: int, got: dict[str, Any]) -> dict[str, Any]:
    """In a child: ask for the same, for an equal state, and for one that knows one thing more."""
    if budget not in (MOST, got["size"]):
        return {}
    text = got["text"]
    equal = AgentState.model_validate_json(json.dumps(state.model_dump(mode="json")))
    found = {what: asked.text(each, budget) == text for what, each in (("asked again", state), ("equal", equal))}
    if budget == MOST and state.known_facts:
        new = (*state.known_facts, Fact(key="the last", value="is new"))
        above = text[: text.find(state.known_facts[-1].key)]
        found["above"] = (asked.text(state.model_copy(update={"known_facts": new}), MOST) or "").startswith(above)
    return found


More = Callable[[Asked, AgentState, int, dict[str, Any]], dict[str, Any]]
"""What a case wants to know beside what a slice holds."""


def _slices(program: Program, rng: Random, more: More | None = None) -> Iterator[Seen]:
    """The slices among what the answer made of states with something to choose from."""
    return (seen for seen in _asked(program, rng, more) if "text" in seen.got and seen.whole <= MOST)


def _asked(program: Program, rng: Random, more: More | None = None) -> Iterator[Seen]:
    """What the answer made of drawn states and budgets, in two processes, the first of which sees one state twice."""
    worlds = _worlds(rng)

    def ask(some: list[World]) -> list[Any]:
        select, found = program["select_context"], []
        for world in some:
            before = [budget for number, _, budget, *_ in found if worlds[number].state == world.state]
            for got in _survey(Asked(select, world), more, before[2::3]):
                found.append([worlds.index(world), *got])
                if not {"text", "needed"} & got[0].get("value", {}).keys():
                    return found
        return found

    for some in worlds[:2], worlds[2:]:
        went = trial(partial(ask, some))
        assert went.how == "returned", f"select_context {did(went)}"
        for number, *got in went.value:
            seen = Seen(worlds[number], *got)
            seen.check()
            yield seen


def _survey(asked: Asked, more: More | None, before: list[int]) -> Iterator[list[Any]]:
    """In a child: budgets at which something just fits, one less, one more, and some that another tokenizer had."""
    world, least, whole = asked.world, 0, 0
    bare = world.holding(())

    def look(state: AgentState, budget: int) -> list[Any]:
        got = asked(state, budget)
        value = got.get("value", {})
        if "text" in value:
            value |= _held(value["text"], world, state)
            value |= more(asked, state, budget, value) if more and state is not bare else {}
        return [got, budget, least, whole if state is world.state else MOST + 1]

    for state in bare, world.state:
        yield (got := look(state, MOST))
        size = got[0].get("value", {}).get("size", 0)
        least, whole = (size, 0) if state is bare else (least, size)
    sizes = [asked.size(*each) for each in world.sets]
    sizes = [whole + 1, whole, least, least + 1, *sizes, *(size - 1 for size in (whole, *sizes)), *before]
    for budget in dict.fromkeys(sizes):
        yield look(world.state, budget)
    for budget in least, least - 1, least // 2, 0:
        yield look(bare, budget)


def _held(text: str, world: World, state: AgentState) -> dict[str, Any]:
    """In a child: which items are in a text, in its order, what is missing, and how else it may have been counted."""
    flat, known, named = _flat(text), state.known_facts, state.artifacts
    facts = [n for n, fact in enumerate(known) if fact.key in flat and _flat(fact.value) in flat]
    artifacts = sorted((flat.find(each.artifact_id), n) for n, each in enumerate(named) if each.artifact_id in flat)
    questions = [(n, flat.find(_flat(each))) for n, each in enumerate(state.open_questions, 1)]
    always = {"goal": _flat(state.goal), "current step": world.step}
    asked = "".join(f"- {question}\n".replace("\n", "\n  ")[:-2] for question in state.open_questions)
    return {
        "size": world.count(text),
        "facts": sorted(facts, key=lambda n: flat.find(known[n].key)),
        "artifacts": [(n, _flat(named[n].excerpt) in flat) for _, n in artifacts],
        "missing": [what for what, each in always.items() if each not in flat],
        "missing questions": [n for n, place in questions if place < 0],
        "questions": [n for n, place in sorted(questions, key=lambda each: each[1]) if place >= 0],
        "counts": {
            "without the open questions": world.count(text) - world.count(asked),
            "the values of its facts alone": world.count(" ".join(known[n].value for n in facts)),
            "in characters": len(text),
            "in characters / 4": len(text) // 4,
            "in bytes / 4": len(text.encode()) // 4,
            "by the `count` of another call": world.other(text),
        },
    }


def _altered(chosen: ContextSlice, state: AgentState) -> str | None:
    """How an item of a slice differs from the state's: it may only lack its excerpt."""
    facts, files = (chosen.facts, "key", state.known_facts), (chosen.artifacts, "artifact_id", state.artifacts)
    for what, (items, name, had) in {"fact": facts, "artifact": files}.items():
        known = {getattr(each, name): each for each in had}
        for item in items:
            its = f"the {what} {getattr(item, name)}"
            if (mine := known.pop(getattr(item, name), None)) is None:
                return f"In the slice, {its} is there twice, or is not the state's"
            if item not in (mine, mine.model_copy(update={"excerpt": ""})):
                where, one, other = apart(plain(item), plain(mine))
                return f"In the slice, {its}{where} is {one}; in the state, it is {other}"
    return None


# What is drawn


def _word(rng: Random) -> str:
    return "".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(4))


def _text(rng: Random, script: str, many: int) -> str:
    """A text that is found nowhere else, of one line or more."""
    gaps = [rng.choice([" ", " ", " ", ", ", "  ", '" ', "\n"]) for _ in range(many)]
    return "".join(rng.choice(SCRIPTS[script]) + gap for gap in gaps) + _word(rng)


def _fact(rng: Random, key: str, script: str = "English", many: int = 0) -> Fact:
    return Fact(key=key, value=_text(rng, script, many), source=rng.choice(["", "user", "the tool (2)"]))


def _artifact(rng: Random, name: str, step: str | None = None, excerpt: str = "", many: int = 1) -> Artifact:
    step, summary, size = _word(rng) if step is None else step, _text(rng, "English", many), rng.randint(500, 90000)
    return Artifact(artifact_id=name, type="log", summary=summary, bytes=size, step=step, excerpt=excerpt)


def _state(rng: Random) -> AgentState:
    """A state with something of everything, also with a key that nobody knows. All have one id, and texts accents."""
    known = [_fact(rng, f"{_word(rng)}{accent}") for accent in "éйñéñ"]
    return AgentState(
        id="run",
        state="running",
        goal=_text(rng, "Russian", 3),
        constraints=Constraints(human_in_the_loop=HumanInTheLoop(required_for_risk_levels=("high",))),
        plan=(_word(rng), _word(rng)),
        known_facts=tuple(fact.model_copy(update={"since": _word(rng)}) for fact in known),
        open_questions=tuple(f"{_text(rng, script, 2)}é" for script in ("Russian", "English", "code")),
        artifacts=tuple(_artifact(rng, f"{_word(rng)}é") for _ in range(3)),
        risk_flags=tuple(f"{_word(rng)}é" for _ in range(3)),
        owner={"team": [_word(rng)]},
        updated_at="2026-01-02T03:04:05Z",
        version=rng.randint(3, 9),
    )


def _worlds(rng: Random) -> list[World]:
    """States in every script, by three tokenizers in turn; the first state is shown to two, one after the other."""
    few, word, line = map(Tokens, PIECES)
    one, two = rng.sample([few, word], 2)
    first, *scripts = SCRIPTS
    rng.shuffle(scripts)
    items = [(rng.randint(5, 6), 3), (rng.randint(4, 5), 2), (0, 3), (3, 0)]  # how many facts and questions
    made = [_full(rng, first, 11, 3)] * 2
    made += [_full(rng, script, *many) for script, many in zip(scripts, items, strict=True)]
    made.append(_full(rng, first, 20, 1, large=rng.randint(12, 15)))
    counts = [(one, line), (line, one), (two, line), (one, two), (two, one), (line, two), (one, line)]
    names = [first, first, *scripts, first]
    return [
        World(name, state, step, *count, _sets(rng, state, ours))
        for name, (state, step, ours), count in zip(names, made, counts, strict=True)
    ]


def _sets(rng: Random, state: AgentState, ours: list[int]) -> list[Any]:
    """Artifacts alone, in all forms, and some facts beside all artifacts."""
    facts, whole = range(len(state.known_facts)), [(place, True) for place in ours]
    by_size = sorted(facts, key=lambda place: len(state.known_facts[place].value))
    small, few = by_size[:-2], by_size[: len(facts) // 4]
    alone = [whole, [(place, False) for place in ours]]
    alone += [[(place, rng.random() < 0.5) for place in rng.sample(ours, many)] for many in (1, 2, 3)]
    some = [rng.sample(facts, rng.randint(1, len(facts) - 1)) for _ in range(2) if facts]
    return [*(([], each) for each in alone), *((each, whole) for each in (small, few, *some))]


def _full(rng: Random, script: str, facts: int, questions: int, large: int = 0) -> tuple[AgentState, str, list[int]]:
    """A state, one of its steps, and the places of its artifacts: of this step and of others, in no order.

    So many of the newest facts are `large`.
    """
    before, step, after = _word(rng), f"{_word(rng)} ", _word(rng)
    sizes = [rng.randint(0, 6) for _ in range(facts)]
    places = rng.sample(range(facts), min(3, facts))
    for place in places[:2]:
        sizes[place] = rng.choice([25, 40])
    sizes[facts - large :] = [rng.choice([25, 40]) for _ in range(large)]
    known = [_fact(rng, _word(rng), script, size) for size in sizes]
    known[:1] = [each.model_copy(update={"value": known[-1].value}) for each in known[:1]]
    for place in places[2:] if not large else ():
        known[place] = known[place].model_copy(update={"value": ""})
    goal = f"{_text(rng, script, 4)} "
    asked = tuple(f"{_text(rng, script, rng.randint(1, 5))} " for _ in range(questions))
    for place, about in zip(range(1, facts // 2), rng.sample([step, goal, *asked[:1]], 2 + bool(asked)), strict=False):
        # An old fact may have much to do with the step: newer ones come first all the same.
        known[place] = known[place].model_copy(update={"value": f"{about}{known[place].value}"})
    shapes = [(60 if facts else 400, 1), (4, 2), (0, 1), (12, 25)]  # words of its excerpt and of its summary
    named = [_artifact(rng, _word(rng), step, _text(rng, script, many) if many else "", of) for many, of in shapes]
    others = [*rng.sample([before, after, f"{step}2", step.upper(), f" {step}"], 4), step.strip(), ""]
    named += [_artifact(rng, _word(rng), other, _text(rng, script, 2)) for other in others]
    rng.shuffle(named)
    return (
        AgentState(
            id="run",
            goal=goal,
            plan=(before, step, after),
            known_facts=tuple(known),
            open_questions=asked,
            artifacts=tuple(named),
        ),
        step,
        [place for place, each in enumerate(named) if each.step == step],
    )


# What is said


def _kind(value: Any) -> str:
    text = shown(value) if inspect.iscoroutine(value) else f"a {type(value).__name__}"
    return "None" if value is None else text


def _flat(text: str) -> str:
    """A text without what stands before its lines."""
    return re.sub(r"\n[ \t]+", "\n", text)


def _ranges(numbers: Iterable[int]) -> str:
    """1, 2, 3, 5 as 1–3, 5."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
