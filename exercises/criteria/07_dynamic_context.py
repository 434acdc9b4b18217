"""Judges chapter 7: patches of an agent state, and what the model is shown of it. Answers run in children only.

States and texts are drawn, and so is the tokenizer: it agrees with no length in characters, bytes or words. What a
slice holds is looked for in its rendered text, so that any form of it will do.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

from labkit.agent_state import AgentState, Artifact, Fact, StatePatch
from labkit.context import ContextTooSmall
from labkit.crash import Trial, trial
from labkit.grading.judge.program import Program

SCRIPTS = {
    "English": [
        "queue",
        "worker",
        "answers",
        "slowly",
        "under",
        "heavy",
        "load",
        "second",
        "request",
        "fails",
        "today",
    ],
    "Russian": ["очередь", "отвечает", "медленно", "каждый", "второй", "запрос", "теряется", "сегодня", "утром"],
    "emoji": ["🙂🙂", "🔥", "🚀🚀🚀", "👩\u200d💻", "✅", "📦📦"],
    "code": ["f(x)=2*x;", "a[0]+=b[1]", "if(n>0){n--;}", "{'k':[1,2]}", "x<=y&&y<=z", "//-->"],
}
STEP = "deploy"
SPARE = 24
"""Tokens that another form of the text may need for itself. Every fact here has more."""
SPREAD = range(1, 10)


class Tokens:
    """A tokenizer: so many Latin letters or digits are a token, so many other letters, and every sign by itself."""

    def __init__(self, latin: int, others: int) -> None:
        self.pieces = rf"[a-zA-Z0-9]{{1,{latin}}}|[^\W_a-zA-Z0-9]{{1,{others}}}|\W|_"

    def __call__(self, text: str) -> int:
        """How many tokens a text has."""
        return len(re.findall(self.pieces, text))


def patch_pure(program: Program, rng: Random) -> None:
    """Every operation does what it says, what it does not name stays, and the old state is as it was."""
    state, fact = _state(rng), partial(_fact, rng, many=0)
    old, (question, other), flag = state.known_facts[1], state.open_questions, state.risk_flags[0]
    same = state.artifacts[0].model_copy(update={"summary": _words(rng, "English", 2)})
    new = _artifact(rng, "cfg_1")
    a, b = _word(rng), _word(rng)
    patches = {
        "adds a fact": StatePatch(add_facts=(fact(a), fact(b))),
        "adds a fact whose key is known": StatePatch(add_facts=(fact(old.key),)),
        "adds two facts with one key": StatePatch(add_facts=(fact(b), fact(a), fact(a))),
        "replaces the plan": StatePatch(replace_plan=(a, b)),
        "replaces the plan by an empty one": StatePatch(replace_plan=()),
        "closes a question": StatePatch(close_questions=(question,)),
        "closes a question that is not open": StatePatch(close_questions=(a,)),
        "adds questions, one of them open already": StatePatch(add_questions=(a, other, b, a)),
        "closes a question and adds it again": StatePatch(close_questions=(question,), add_questions=(question,)),
        "attaches an artifact": StatePatch(attach_artifacts=(new,)),
        "attaches an artifact whose id is known": StatePatch(attach_artifacts=(same,)),
        "raises flags, one of them raised already": StatePatch(raise_flags=(a, flag, a)),
        "is empty": StatePatch(),
    }
    for times in (1, 2):
        for what, patch in patches.items():
            said = f"The patch {what}{' and is applied twice' if times == 2 else ''}, and apply"
            told = _value(trial(partial(_apply, program, state, patch, times)), said)
            _same_document(said, told, state, _patched(state, patch))


def _same_document(said: str, told: dict[str, Any], state: AgentState, expected: AgentState) -> None:
    assert "returned" not in told, f"{said} returned {told['returned']}; expected an AgentState"
    before, after = state.document(), expected.document()
    for key in before:
        assert told["before"].get(key) == before[key], (
            f"{said} changed the old state: its {key} was {_brief(before[key])}, "
            f"and is {_brief(told['before'].get(key))}"
        )
    for key in after:
        got = told["after"].get(key, "gone")
        assert got == after[key], f"{said} made {key} {_brief(got)}; expected {_brief(after[key])}"
    more = sorted(told["after"].keys() - after.keys() - AgentState.model_fields.keys())
    assert not more, f"{said} made a state with another key, {more[0]}"
    assert told["version"] == state.version, (
        f"{said} made version {told['version']} of version {state.version}: the store compares it when it saves"
    )


def _patched(state: AgentState, patch: StatePatch) -> AgentState:
    """What the rules say, each by itself."""
    parts: dict[str, Any] = {}
    for name, added, key in (
        ("known_facts", patch.add_facts, "key"),
        ("artifacts", patch.attach_artifacts, "artifact_id"),
    ):
        kept = [each for each in getattr(state, name) if getattr(each, key) not in [getattr(new, key) for new in added]]
        last = {getattr(each, key): each for each in added}
        parts[name] = (*kept, *last.values())
    questions = [each for each in state.open_questions if each not in patch.close_questions]
    parts["open_questions"] = tuple(dict.fromkeys([*questions, *patch.add_questions]))
    parts["risk_flags"] = tuple(dict.fromkeys([*state.risk_flags, *patch.raise_flags]))
    if patch.replace_plan is not None:
        parts["plan"] = patch.replace_plan
    return state.model_copy(update=parts)


def _apply(program: Program, state: AgentState, patch: StatePatch, times: int) -> dict[str, Any]:
    after = state
    for _ in range(times):
        after = program["apply"](after, patch)
        if not isinstance(after, AgentState):
            return {"returned": _kind(after)}
    return {"after": after.document(), "version": after.version, "before": state.document()}


# What the model sees


def goal_kept(program: Program, rng: Random) -> None:
    """However much there is to show, goal, step and questions are in; with one token less, an error says so."""
    for script in SCRIPTS:
        select = Select(program, rng, script)
        questions = tuple(_words(rng, script, 4) for _ in range(3))
        full = _full(rng, script, questions)
        bare = full.model_copy(update={"known_facts": (), "artifacts": ()})
        least = select(bare, 10**6, f"In {script}, with a goal and three questions alone,").size
        for state, budget in ((bare, least), (full, least + SPARE), (full, least + 80)):
            has = f"In {script}, the budget is {budget} tokens, and the goal, the step and the questions need {least}."
            _always_in(select(state, budget, has), state, has)
        for less in (1, least // 2, least):
            seen = select.told(bare, least - less, f"In {script}, the budget is {least - less} tokens, and")
            needs = f"In {script}, the budget is {least - less} tokens; goal, step and questions need {least}."
            assert "needed" in seen, f"{needs} select_context returned a slice; expected ContextTooSmall"
            assert seen["needed"] == least, f"{needs} ContextTooSmall says {seen['needed']}"


def _always_in(shown: "Shown", state: AgentState, has: str) -> None:
    assert state.goal in shown.text, f"{has} The goal is not in the slice"
    assert STEP in shown.text, f"{has} The current step is not in the slice"
    missing = [place for place, question in enumerate(state.open_questions, 1) if question not in shown.text]
    assert not missing, f"{has} Not in the slice: question {_ranges(missing)} of {len(state.open_questions)}"


def within_budget(program: Program, rng: Random) -> None:
    """In every script the text keeps to the budget; and with room for all, all is in."""
    for script in SCRIPTS:
        select = Select(program, rng, script)
        state = _full(rng, script, tuple(_words(rng, script, 4) for _ in range(3)))
        asks = state.model_copy(update={"known_facts": (), "artifacts": ()})
        least = select(asks, 10**6, f"In {script},").size
        whole = select(state, 10**6, f"In {script}, with room for everything,")
        _everything_in(whole, state, f"In {script}, the budget is a million tokens")
        for budget in (least + 40, (least + whole.size) // 2, whole.size - 1):
            shown = select(state, budget, f"In {script}, the budget is {budget} tokens, and")
            assert shown.size <= budget, _too_much(
                shown, state, select, budget, f"In {script}, the budget is {budget} tokens"
            )
        enough = whole.size + SPARE
        shown = select(state, enough, f"In {script}, the budget is {enough} tokens, and")
        _everything_in(shown, state, f"In {script}, all of it has {whole.size} tokens, and the budget is {enough}")


def _everything_in(shown: "Shown", state: AgentState, has: str) -> None:
    newest = shown.facts(state)
    missing = [place for place in range(1, len(state.known_facts) + 1) if place not in newest]
    assert not missing, f"{has}. Missing: fact {_ranges(missing)} (fact 1 is the newest). Is it `count` that counts?"
    lost = [each.artifact_id for each in state.artifacts if each.artifact_id not in shown.text]
    assert not lost, f"{has}. Missing: the artifact {lost[0]} of this step"


def _too_much(shown: "Shown", state: AgentState, select: "Select", budget: int, has: str) -> str:
    """The message, with what the answer may have forgotten to count."""
    values = " ".join(state.known_facts[-place].value for place in shown.facts(state))
    sizes = {
        "without the open questions": shown.size - select.count("".join(state.open_questions)),
        "the values of its facts alone": select.count(values),
        "in characters": len(shown.text),
        "in characters / 4": len(shown.text) // 4,
        "in bytes / 4": len(shown.text.encode()) // 4,
    }
    fits = [f"{what} ({size})" for what, size in sizes.items() if 0 < size <= budget]
    would = f" What would fit: {', '.join(fits)}." if fits else ""
    return f"{has}, and the slice has {shown.size}.{would} Count the text of render(), all of it, with `count`"


def skips_large(program: Program, rng: Random) -> None:
    """One item too large hides nothing behind it; and of what fits, the newest is in."""
    script = rng.choice(["English", "Russian"])
    select, large = Select(program, rng, script), rng.randint(2, 4)
    small = [_fact(rng, f"key{n}", script, 9) for n in SPREAD]
    huge = [*small]
    huge[-large] = _fact(rng, f"key{len(small) - large + 1}", script, 150)
    asked = _bare(rng, script)
    rest = asked.model_copy(update={"known_facts": (*small[:-large], *small[len(small) - large + 1 :])})
    state = asked.model_copy(update={"known_facts": tuple(huge)})
    budget = select(rest, 10**6, "With room for everything,").size + SPARE
    has = f"There is room for {budget} tokens, and fact {large} has more (fact 1 is the newest); select_context"
    shown = select(state, budget, has).facts(state)
    dropped = [place for place in SPREAD if place not in shown and place != large]
    older = [place for place in dropped if place > large]
    if dropped and dropped == list(range(large + 1, 10)):
        raise AssertionError(f"Fact {large} did not fit; facts {_ranges(older)} did, and were dropped.")
    assert not dropped, (
        f"Fact {large} did not fit, and all others did. Missing: fact {_ranges(dropped)} (fact 1 is the newest)"
    )
    _newest_in(select, asked, tuple(small), rng.randint(3, 6))
    _named(select, asked, rng)


def _newest_in(select: "Select", asked: AgentState, small: tuple[Fact, ...], most: int) -> None:
    part, state = (asked.model_copy(update={"known_facts": facts}) for facts in (small[-most:], small))
    budget = select(part, 10**6, "With room for everything,").size + SPARE
    shown = select(state, budget, f"There is room for {most} of 9 facts, and select_context").facts(state)
    assert shown[:most] == list(range(1, most + 1)), (
        f"There is room for {most} of 9 facts. Facts 1–{most} are the newest; the slice has "
        f"{'fact ' + _ranges(shown) if shown else 'none'}"
    )


def _named(select: "Select", asked: AgentState, rng: Random) -> None:
    """An artifact that does not fit with its excerpt is named; one that fits is shown with it; each of this step."""
    excerpt = _words(rng, "English", 200)
    log, cfg = (
        _artifact(rng, name, excerpt=text) for name, text in (("log_1", excerpt), ("cfg_2", _words(rng, "code", 3)))
    )
    facts = tuple(_fact(rng, f"key{n}") for n in range(1, 4))
    state = asked.model_copy(update={"artifacts": (log, cfg), "known_facts": facts})
    bare = log.model_copy(update={"excerpt": ""})
    small = state.model_copy(update={"artifacts": (bare, cfg), "known_facts": facts})
    budget = select(small, 10**6, "With room for everything,").size + SPARE
    shown = select(state, budget, "There is room for the name of a large artifact, and select_context")
    assert "log_1" in shown.text, "The artifact log_1 did not fit with its excerpt; its name did, and was dropped"
    roomy = select(state, 10**6, "With room for everything,")
    assert excerpt in roomy.text, "There is room for the excerpt of log_1, and the slice has its name alone"
    part = state.model_copy(update={"known_facts": (), "artifacts": (cfg,)})
    tight = select(part, 10**6, "With room for everything,").size
    both = part.model_copy(update={"known_facts": facts})
    assert "cfg_2" in select(both, tight + SPARE, "With room for an artifact or a fact,").text, (
        "There is room for the artifact cfg_2 of this step or for a fact, and cfg_2 is not in: artifacts come first"
    )


def stable_order(program: Program, rng: Random) -> None:
    """The order of the state, the same text for an equal state, and nothing changed."""
    for script in SCRIPTS:
        select, state = Select(program, rng, script), _full(rng, script, ())
        for budget in (10**6, select(state, 10**6, f"In {script},").size * 2 // 3):
            shown = select(state, budget, f"In {script}, the budget is {budget} tokens, and")
            order = sorted(shown.facts(state), key=lambda place: shown.text.index(state.known_facts[-place].value))
            for above, below in pairwise(order):
                assert above > below, (
                    f"Fact {above} is newer than fact {below}, and stands above it; in the state it stands below "
                    "(fact 1 is the newest)"
                )
            named = [each.artifact_id for each in state.artifacts if each.artifact_id in shown.text]
            stand = sorted(named, key=shown.text.index)
            assert stand == named, f"In the state, {named[0]} comes first; in the slice, {stand[0]} does"
            told = select.told(state, budget, f"In {script}, the budget is {budget} tokens, and")
            assert told["again"] == told["text"], "The same state was given twice, and the texts differ"
            assert told["equal"] == told["text"], "An equal state was given, read from a store, and its text differs"
            assert told["state"] == state.document(), "select_context changed the state that it was given"
    more = state.model_copy(update={"known_facts": (*state.known_facts, _fact(rng, "key99"))})
    one, other = (select(each, 10**6, "With room for everything,").text for each in (state, more))
    last = state.known_facts[-1].value
    assert other.startswith(one[: one.index(last)]), (
        "A new fact came, and the text above the old ones changed: a prompt cache would have to read them anew"
    )


class Shown:
    """A slice as the model reads it."""

    def __init__(self, text: str, size: int) -> None:
        self.text, self.size = text, size

    def facts(self, state: AgentState) -> list[int]:
        """The facts that are in it, by number: 1 is the newest."""
        count = len(state.known_facts)
        return [place for place in range(1, count + 1) if state.known_facts[-place].value in self.text]


class Select:
    """The answer, asked in a process of its own, with a tokenizer that is drawn."""

    def __init__(self, program: Program, rng: Random, script: str) -> None:
        self.program, self.script = program, script
        self.count = Tokens(rng.randint(3, 5), rng.randint(1, 2))

    def told(self, state: AgentState, budget: int, has: str) -> dict[str, Any]:
        """What it did, as plain data."""
        told = _value(trial(partial(_select, self.program, state, budget, self.count)), f"{has} select_context")
        assert "returned" not in told, f"{has} select_context returned {told['returned']}; expected a ContextSlice"
        return told

    def __call__(self, state: AgentState, budget: int, has: str) -> Shown:
        """The slice. It must be one."""
        told = self.told(state, budget, has)
        assert "needed" not in told, f"{has} select_context raised ContextTooSmall, which says {told.get('needed')}"
        return Shown(told["text"], self.count(told["text"]))


def _select(program: Program, state: AgentState, budget: int, count: Callable[[str], int]) -> dict[str, Any]:
    select = program["select_context"]
    try:
        chosen = select(state, STEP, budget, count)
    except ContextTooSmall as error:
        return {"needed": error.needed}
    text = chosen.render() if hasattr(chosen, "render") else None
    if not isinstance(text, str):
        return {"returned": _kind(chosen)}
    equal = AgentState.model_validate_json(json.dumps(state.model_dump(mode="json")))
    others = [select(each, STEP, budget, count).render() for each in (state, equal)]
    return {"text": text, "again": others[0], "equal": others[1], "state": state.document()}


# What is drawn


def _word(rng: Random) -> str:
    return "".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(4))


def _words(rng: Random, script: str, many: int) -> str:
    """A text that is found nowhere else."""
    return " ".join([*(rng.choice(SCRIPTS[script]) for _ in range(many)), _word(rng)])


def _fact(rng: Random, key: str, script: str = "English", many: int = 5) -> Fact:
    return Fact(key=key, value=_words(rng, script, many), source=rng.choice(["user", "tool"]))


def _artifact(rng: Random, name: str, excerpt: str = "") -> Artifact:
    summary, size = _words(rng, "English", 2), rng.randint(5000, 90000)
    return Artifact(artifact_id=name, type="tool_result", summary=summary, bytes=size, step=STEP, excerpt=excerpt)


def _bare(rng: Random, script: str, questions: tuple[str, ...] = ()) -> AgentState:
    return AgentState(goal=_words(rng, script, 4), plan=(STEP,), open_questions=questions)


def _full(rng: Random, script: str, questions: tuple[str, ...]) -> AgentState:
    """Nine facts of one script and two artifacts of the step: more than a small window holds."""
    facts = tuple(_fact(rng, f"key{n}", script, rng.randint(5, 12)) for n in SPREAD)
    artifacts = tuple(_artifact(rng, name, _words(rng, script, 5)) for name in ("log_1", "cfg_2"))
    return _bare(rng, script, questions).model_copy(update={"known_facts": facts, "artifacts": artifacts})


def _state(rng: Random) -> AgentState:
    """A state with something of everything, also with a key that nobody knows."""
    return AgentState.model_validate(
        {
            "id": f"run-{rng.randrange(1000)}",
            "goal": _words(rng, "English", 3),
            "plan": [_word(rng), _word(rng)],
            "known_facts": [_fact(rng, f"key{n}", many=0).model_dump() for n in range(3)],
            "open_questions": [_words(rng, "English", 3), _words(rng, "Russian", 3)],
            "artifacts": [_artifact(rng, "log_1").model_dump()],
            "risk_flags": [_word(rng)],
            "owner": {"team": _word(rng)},
            "version": rng.randint(3, 9),
        }
    )


# What is said


def _value(seen: Trial, what: str) -> Any:
    at = f" at {seen.line}" if seen.line and seen.line.file.startswith("<answer") else ""
    assert seen.how == "returned", f"{what} {seen.failure}{at}"
    return seen.value


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _brief(value: Any) -> str:
    """Plain data in one line, not too long."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        value = [
            each.get("key", each.get("artifact_id")) + f"={each.get('value', each.get('summary'))}" for each in value
        ]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:160]}…"


def _ranges(places: list[int]) -> str:
    """1, 2, 3, 5 as 1–3, 5."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
