"""Answers to exercise 7: wrong ones with the case they break and what is said, and right ones of other shapes."""


def applying(body, before=""):
    """An answer `apply` with this body."""
    return f"# answer: apply\n{before}\ndef apply(state, patch):\n{indented(body)}"


def selecting(body, before=""):
    """An answer `select_context` with this body."""
    return f"# answer: select_context\n{before}\ndef select_context(state, step, budget, count):\n{indented(body)}"


def indented(body):
    """As the body of a function."""
    return "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))


APPLIED = """
facts = {fact.key: fact for fact in patch.add_facts}
artifacts = {artifact.artifact_id: artifact for artifact in patch.attach_artifacts}
questions = [question for question in state.open_questions if question not in patch.close_questions]
changes = {
    "known_facts": (*(fact for fact in state.known_facts if fact.key not in facts), *facts.values()),
    "open_questions": tuple(dict.fromkeys([*questions, *patch.add_questions])),
    "artifacts": (*(a for a in state.artifacts if a.artifact_id not in artifacts), *artifacts.values()),
    "risk_flags": tuple(dict.fromkeys([*state.risk_flags, *patch.raise_flags])),
}
if patch.replace_plan is not None:
    changes["plan"] = patch.replace_plan
return state.model_copy(update=changes)
"""
SELECTED = """
chosen = ContextSlice(state.goal, step, state.open_questions)
if count(chosen.render()) > budget:
    raise ContextTooSmall(count(chosen.render()), budget)
for artifact in state.artifacts:
    if artifact.step == step:
        for form in (artifact, artifact.model_copy(update={"excerpt": ""})):
            larger = replace(chosen, artifacts=(*chosen.artifacts, form))
            if count(larger.render()) <= budget:
                chosen = larger
                break
for fact in reversed(state.known_facts):
    larger = replace(chosen, facts=(fact, *chosen.facts))
    if count(larger.render()) <= budget:
        chosen = larger
return chosen
"""


def instead(whole, *changes):
    """The right body, with each first text replaced by the second."""
    for old, new in changes:
        assert old in whole, old
        whole = whole.replace(old, new)
    return whole


def patched(*changes):
    """A wrong `apply`: the right one with changes."""
    return [applying(instead(APPLIED, *changes))]


def selected(*changes, before=""):
    """A wrong `select_context`: the right one with changes."""
    return [selecting(instead(SELECTED, *changes), before)]


RETURN = "return state.model_copy(update=changes)"
SIZE = "count(larger.render())"
ALL_FACTS = "for fact in reversed(state.known_facts):"
LAST_IF = "    if count(larger.render()) <= budget:\n        chosen = larger\nreturn chosen"
CHECK = "if count(chosen.render()) > budget:\n    raise ContextTooSmall(count(chosen.render()), budget)\n"
START = "chosen = ContextSlice(state.goal, step, state.open_questions)\n"

PURE, GOAL, BUDGET = "patch_pure", "goal_kept", "within_budget"
LARGE, ORDER = "skips_large", "stable_order"
WRONG = [
    ("nothing returned", PURE, r"apply returned None; expected an AgentState", patched((RETURN, "changes"))),
    (
        "a dict returned",
        PURE,
        r"apply returned a dict; expected an AgentState",
        patched((RETURN, "return {**state.model_dump(), **changes}")),
    ),
    (
        "in place",
        PURE,
        r"adds a fact, and apply changed the old state: its known_facts was .*, and is ",
        patched((RETURN, "state.__dict__.update(changes)\nreturn state")),
    ),
    (
        "in place, and a copy returned",
        PURE,
        r"apply changed the old state",
        patched((RETURN, "state.__dict__.update(changes)\nreturn state.model_copy()")),
    ),
    ("nothing done", PURE, r"adds a fact, and apply made known_facts", [applying("return state")]),
    (
        "two values for a key",
        PURE,
        r"adds a fact whose key is known, and apply made known_facts",
        patched((" if fact.key not in facts", "")),
    ),
    (
        "in the old one's place",
        PURE,
        r"whose key is known, and apply made known_facts",
        patched(
            ("(*(fact for fact in state.known_facts if fact.key not in facts), *facts.values())", "tuple(merged)"),
            ("changes = {", "merged = {**{f.key: f for f in state.known_facts}, **facts}.values()\nchanges = {"),
        ),
    ),
    (
        "the old value wins",
        PURE,
        r"whose key is known, and apply made known_facts",
        patched(
            (
                "(*(fact for fact in state.known_facts if fact.key not in facts), *facts.values())",
                "(*state.known_facts, *(f for f in facts.values() if f.key not in {k.key for k in state.known_facts}))",
            )
        ),
    ),
    (
        "the first of two counts",
        PURE,
        r"adds two facts with one key, and apply made known_facts",
        patched(
            (
                "facts = {fact.key: fact for fact in patch.add_facts}",
                "facts = {}\nfor fact in patch.add_facts:\n    facts.setdefault(fact.key, fact)",
            )
        ),
    ),
    (
        "all of the patch's facts",
        PURE,
        r"adds two facts with one key, and apply made known_facts",
        patched(("*facts.values())", "*patch.add_facts)")),
    ),
    (
        "new facts first",
        PURE,
        r"adds a fact, and apply made known_facts",
        patched(
            (
                "(*(fact for fact in state.known_facts if fact.key not in facts), *facts.values())",
                "(*facts.values(), *(fact for fact in state.known_facts if fact.key not in facts))",
            )
        ),
    ),
    (
        "no plan is an empty plan",
        PURE,
        r"adds a fact, and apply made plan \[\]",
        patched(
            (
                'if patch.replace_plan is not None:\n    changes["plan"] = patch.replace_plan',
                'changes["plan"] = patch.replace_plan or ()',
            )
        ),
    ),
    (
        "an empty plan is no plan",
        PURE,
        r"replaces the plan by an empty one, and apply made plan \[.*; expected \[\]",
        patched(("if patch.replace_plan is not None:", "if patch.replace_plan:")),
    ),
    (
        "the plan grows",
        PURE,
        r"replaces the plan, and apply made plan",
        patched(('changes["plan"] = patch', 'changes["plan"] = state.plan + patch')),
    ),
    (
        "the plan is never replaced",
        PURE,
        r"replaces the plan, and apply made plan",
        patched(('changes["plan"] = patch.replace_plan', "pass")),
    ),
    (
        "all questions are closed",
        PURE,
        r"closes a question, and apply made open_questions \[\]",
        patched(("if question not in patch.close_questions]", "if not patch.close_questions]")),
    ),
    (
        "no question is closed",
        PURE,
        r"closes a question, and apply made open_questions",
        patched((" if question not in patch.close_questions", "")),
    ),
    (
        "to close what is not open is an error",
        PURE,
        r"closes a question that is not open, and apply raised ValueError.*at apply, line",
        patched(
            (
                "questions = [question for question in state.open_questions if question not in patch.close_questions]",
                (
                    "questions = list(state.open_questions)\n"
                    "for question in patch.close_questions:\n    questions.remove(question)"
                ),
            )
        ),
    ),
    (
        "questions twice",
        PURE,
        r"adds questions, one of them open already, and apply made open_questions",
        patched(("tuple(dict.fromkeys([*questions, *patch.add_questions]))", "(*questions, *patch.add_questions)")),
    ),
    (
        "added, then closed",
        PURE,
        r"closes a question and adds it again, and apply made open_questions",
        patched(
            (
                "for question in state.open_questions if",
                "for question in (*state.open_questions, *patch.add_questions) if",
            ),
            ("[*questions, *patch.add_questions]", "questions"),
        ),
    ),
    (
        "sorted questions",
        PURE,
        r"open_questions",
        patched(
            ("dict.fromkeys([*questions", "sorted({*[*questions"),
            ("*patch.add_questions])),", "*patch.add_questions]})),"),
        ),
    ),
    (
        "artifacts forgotten",
        PURE,
        r"attaches an artifact, and apply made artifacts",
        patched(("*artifacts.values())", ")")),
    ),
    (
        "artifacts twice",
        PURE,
        r"attaches an artifact whose id is known, and apply made artifacts",
        patched((" if a.artifact_id not in artifacts", "")),
    ),
    (
        "flags replaced",
        PURE,
        r"apply made risk_flags \[\]",
        patched(("[*state.risk_flags, *patch.raise_flags]", "patch.raise_flags")),
    ),
    (
        "flags twice",
        PURE,
        r"raises flags, one of them raised already, and apply made risk_flags",
        patched(
            ("tuple(dict.fromkeys([*state.risk_flags, *patch.raise_flags]))", "state.risk_flags + patch.raise_flags")
        ),
    ),
    (
        "unknown keys dropped",
        PURE,
        r"apply made owner \"gone\"; expected \{\"team\"",
        patched(
            (
                RETURN,
                (
                    'known = {"id": state.id, "goal": state.goal, "plan": state.plan, "version": state.version}\n'
                    "return AgentState(**{**known, **changes})"
                ),
            )
        ),
    ),
    (
        "the version dropped",
        PURE,
        r"apply made version 0 of version \d: the store compares it",
        patched((RETURN, "return AgentState.model_validate({**state.document(), **changes})")),
    ),
    (
        "the version counted up",
        PURE,
        r"apply made version \d+ of version \d: the store compares it",
        patched((RETURN, 'return state.model_copy(update={**changes, "version": state.version + 1})')),
    ),
    (
        "a mark of its own",
        PURE,
        r"a state with another key, patched",
        patched((RETURN, 'return state.model_copy(update={**changes, "patched": True})')),
    ),
    (
        "a name from another cell",
        PURE,
        r"apply raised NameError|outside the answer cells",
        [applying("return patched(state)")],
    ),
    ("not Python", PURE, r"is not Python", ["# answer: apply\ndef apply(state, patch)\n    return state\n"]),
    # The goal and what else is always in
    ("the goal dropped", GOAL, r"The goal is not in the slice", selected((START, START.replace("state.goal", '""')))),
    (
        "the goal cut",
        GOAL,
        r"The goal is not in the slice",
        selected((START, START.replace("state.goal", "state.goal[:9]"))),
    ),
    ("the step dropped", GOAL, r"The current step is not in", selected((START, START.replace("step, ", '"", ')))),
    (
        "the questions dropped",
        GOAL,
        r"Not in the slice: question 1–3 of 3",
        selected((START, "chosen = ContextSlice(state.goal, step)\n")),
    ),
    (
        "one question only",
        GOAL,
        r"Not in the slice: question 2–3 of 3",
        selected(("state.open_questions)", "state.open_questions[:1])")),
    ),
    (
        "questions while there is room",
        GOAL,
        r"select_context returned a slice; expected ContextTooSmall",
        selected(
            (
                START + CHECK,
                (
                    "chosen = ContextSlice(state.goal, step)\n"
                    "for question in state.open_questions:\n"
                    "    larger = replace(chosen, open_questions=(*chosen.open_questions, question))\n"
                    "    if count(larger.render()) <= budget:\n        chosen = larger\n"
                ),
            )
        ),
    ),
    (
        "questions after facts",
        GOAL,
        r"Not in the slice: question .* of 3",
        selected(
            (START, "chosen = ContextSlice(state.goal, step)\n"),
            (
                "return chosen",
                (
                    "for question in state.open_questions:\n"
                    "    larger = replace(chosen, open_questions=(*chosen.open_questions, question))\n"
                    "    if count(larger.render()) <= budget:\n        chosen = larger\nreturn chosen"
                ),
            ),
        ),
    ),
    ("no error", GOAL, r"returned a slice; expected ContextTooSmall", selected((CHECK, ""))),
    (
        "another error",
        GOAL,
        r"select_context raised ValueError: too small at select_context, line",
        selected(("raise ContextTooSmall(count(chosen.render()), budget)", 'raise ValueError("too small")')),
    ),
    (
        "the budget as what is needed",
        GOAL,
        r"need \d+\. ContextTooSmall says \d+",
        selected(("raise ContextTooSmall(count(chosen.render()), budget)", "raise ContextTooSmall(budget, budget)")),
    ),
    (
        "how much is missing as what is needed",
        GOAL,
        r"need \d+\. ContextTooSmall says \d+",
        selected(
            (
                "ContextTooSmall(count(chosen.render()), budget)",
                "ContextTooSmall(count(chosen.render()) - budget, budget)",
            )
        ),
    ),
    (
        "off by one",
        GOAL,
        r"raised ContextTooSmall, which says",
        selected(("render()) > budget", "render()) >= budget")),
    ),
    (
        "an error by bytes",
        GOAL,
        r"ContextTooSmall",
        selected(("count(chosen.render())", "len(chosen.render().encode())")),
    ),
    (
        "nothing returned",
        GOAL,
        r"select_context returned None; expected a ContextSlice",
        selected(("return chosen", "chosen")),
    ),
    (
        "text returned",
        GOAL,
        r"returned a str; expected a ContextSlice",
        selected(("return chosen", "return chosen.render()")),
    ),
    # The budget
    (
        "characters",
        BUDGET,
        r"Missing: fact .*Is it `count` that counts",
        selected((SIZE, "len(larger.render())")),
    ),
    ("bytes", BUDGET, r"Missing: fact .*Is it `count` that counts", selected((SIZE, "len(larger.render().encode())"))),
    (
        "four characters a token",
        BUDGET,
        r"the slice has \d+\. What would fit: .*in characters / 4",
        selected((SIZE, "len(larger.render()) // 4")),
    ),
    ("four bytes a token", BUDGET, r"and the slice has \d+", selected((SIZE, "len(larger.render().encode()) // 4"))),
    ("words", BUDGET, r"and the slice has \d+", selected((SIZE, "len(larger.render().split())"))),
    (
        "values alone",
        BUDGET,
        r"What would fit: .*the values of its facts alone \(\d+\)",
        selected(
            (ALL_FACTS, f"used = 0\n{ALL_FACTS}"),
            (LAST_IF, "    used += count(fact.value)\n    if used <= budget:\n        chosen = larger\nreturn chosen"),
        ),
    ),
    (
        "questions not counted",
        BUDGET,
        r"What would fit: without the open questions \(\d+\)",
        selected(("count(larger.render()) <= budget", "count(replace(larger, open_questions=()).render()) <= budget")),
    ),
    (
        "artifacts not counted",
        BUDGET,
        r"the budget is \d+ tokens, and the slice has \d+",
        selected(
            (
                (
                    "            if count(larger.render()) <= budget:\n"
                    "                chosen = larger\n                break"
                ),
                "            chosen = larger\n            break",
            )
        ),
    ),
    (
        "everything",
        BUDGET,
        r"the budget is \d+ tokens, and the slice has \d+",
        selected((LAST_IF, "    chosen = larger\nreturn chosen")),
    ),
    ("nothing but the goal", BUDGET, r"Missing: fact 1–9", [selecting(START + CHECK + "return chosen")]),
    (
        "half of the budget",
        BUDGET,
        r"Missing: fact \d",
        selected(("count(larger.render()) <= budget", "count(larger.render()) <= budget // 2")),
    ),
    (
        "five facts at most",
        BUDGET,
        r"Missing: fact 6–9 \(fact 1 is the newest\)",
        selected((ALL_FACTS, "for fact in reversed(state.known_facts[-5:]):")),
    ),
    (
        "no artifacts",
        BUDGET,
        r"Missing: the artifact log_1 of this step",
        selected(("artifact.step == step", "False")),
    ),
    # What does not fit
    (
        "break",
        LARGE,
        r"^Fact (\d) did not fit; facts \d–9 did, and were dropped\.$",
        selected(
            (LAST_IF, "    if count(larger.render()) > budget:\n        break\n    chosen = larger\nreturn chosen")
        ),
    ),
    (
        "return at the first that does not fit",
        LARGE,
        r"^Fact (\d) did not fit; facts \d–9 did, and were dropped\.$",
        selected(
            (
                LAST_IF,
                "    if count(larger.render()) > budget:\n        return chosen\n    chosen = larger\nreturn chosen",
            )
        ),
    ),
    (
        "the oldest go until it fits",
        LARGE,
        r"^Fact (\d) did not fit; facts \d–9 did, and were dropped\.$",
        [
            selecting(
                SELECTED[: SELECTED.index("for fact in")] + "facts = state.known_facts\n"
                "while facts and count(replace(chosen, facts=facts).render()) > budget:\n    facts = facts[1:]\n"
                "return replace(chosen, facts=facts)"
            )
        ],
    ),
    (
        "the oldest first",
        LARGE,
        r"Facts 1–\d are the newest; the slice has fact",
        selected((ALL_FACTS, "for fact in state.known_facts:"), ("(fact, *chosen.facts)", "(*chosen.facts, fact)")),
    ),
    (
        "the smallest first",
        LARGE,
        r"Facts 1–\d are the newest; the slice has",
        selected(
            (ALL_FACTS, "for fact in sorted(state.known_facts, key=lambda fact: count(fact.value)):"),
            (
                "return chosen",
                "keep = sorted(chosen.facts, key=state.known_facts.index)\nreturn replace(chosen, facts=keep)",
            ),
        ),
    ),
    (
        "break at the first artifact",
        LARGE,
        r"log_1 did not fit with its excerpt; its name did, and was dropped",
        selected(('(artifact, artifact.model_copy(update={"excerpt": ""}))', "(artifact,)")),
    ),
    (
        "never an excerpt",
        LARGE,
        r"There is room for the excerpt of log_1, and the slice has its name alone",
        selected(
            (
                '(artifact, artifact.model_copy(update={"excerpt": ""}))',
                '(artifact.model_copy(update={"excerpt": ""}),)',
            )
        ),
    ),
    (
        "facts before artifacts",
        LARGE,
        r"cfg_2 is not in: artifacts come first",
        [
            selecting(
                SELECTED[: SELECTED.index("for artifact")]
                + SELECTED[SELECTED.index("for fact") :].replace("return chosen", "")
                + SELECTED[SELECTED.index("for artifact") : SELECTED.index("for fact")]
                + "return chosen"
            )
        ],
    ),
    # The order
    (
        "the newest above",
        ORDER,
        r"Fact (\d) is newer than fact \d, and stands above it",
        selected(("(fact, *chosen.facts)", "(*chosen.facts, fact)")),
    ),
    (
        "sorted by size",
        ORDER,
        r"is newer than fact \d, and stands above it",
        selected(("return chosen", "return replace(chosen, facts=sorted(chosen.facts, key=lambda f: len(f.value)))")),
    ),
    (
        "artifacts the other way round",
        ORDER,
        r"In the state, log_1 comes first; in the slice, cfg_2 does",
        selected(("(*chosen.artifacts, form)", "(form, *chosen.artifacts)")),
    ),
    (
        "drawn",
        ORDER,
        r"is newer than fact \d, and stands above it|the texts differ",
        selected(
            ("return chosen", "return replace(chosen, facts=random.sample(chosen.facts, len(chosen.facts)))"),
            before="import random\n",
        ),
    ),
    (
        "a number in the heading",
        ORDER,
        r"A new fact came, and the text above the old ones changed",
        selected(
            (
                START,
                "chosen = ContextSlice(f'{state.goal} ({len(state.known_facts)} facts)', step, state.open_questions)\n",
            )
        ),
    ),
    (
        "a count of calls",
        ORDER,
        r"The same state was given twice, and the texts differ",
        selected(
            (
                START,
                "calls.append(1)\nchosen = ContextSlice(state.goal, f'{step} #{len(calls)}', state.open_questions)\n",
            ),
            before="calls = []\n",
        ),
    ),
    (
        "the state is changed",
        ORDER,
        r"select_context changed the state that it was given",
        selected(("return chosen", "state.__dict__['known_facts'] = tuple(chosen.facts)\nreturn chosen")),
    ),
]

CLASS = selecting(
    "return Chooser(state, step, budget, count).chosen()",
    before="""
class Chooser:
    def __init__(self, state, step, budget, count):
        self.slice = ContextSlice(state.goal, step, list(state.open_questions))
        self.state, self.budget, self.count = state, budget, count

    def size(self, slice):
        return self.count(slice.render())

    def offer(self, larger):
        fits = self.size(larger) <= self.budget
        if fits:
            self.slice = larger
        return fits

    def chosen(self):
        if self.size(self.slice) > self.budget:
            raise ContextTooSmall(self.size(self.slice), self.budget)
        for artifact in [a for a in self.state.artifacts if a.step == self.slice.current_step]:
            short = artifact.model_copy(update={"excerpt": ""})
            any(self.offer(replace(self.slice, artifacts=[*self.slice.artifacts, form])) for form in (artifact, short))
        for fact in self.state.known_facts[::-1]:
            self.offer(replace(self.slice, facts=[fact, *self.slice.facts]))
        return self.slice
""",
)

OWN_FORMAT = selecting(
    """
mine = Mine(state.goal, step, list(state.open_questions), [], [])
if count(mine.render()) > budget:
    raise ContextTooSmall(count(mine.render()), budget)
for artifact in state.artifacts:
    if artifact.step == step:
        for text in (f"{artifact.artifact_id} {artifact.summary} {artifact.excerpt}", artifact.artifact_id):
            mine.artifacts.append(text)
            if count(mine.render()) <= budget:
                break
            mine.artifacts.pop()
for fact in reversed(state.known_facts):
    mine.facts.insert(0, f"{fact.key} = {fact.value}")
    if count(mine.render()) > budget:
        mine.facts.pop(0)
return mine
""",
    before="""
from dataclasses import dataclass


@dataclass
class Mine:
    goal: str
    step: str
    questions: list
    facts: list
    artifacts: list

    def render(self):
        parts = {"aim": [self.goal], "know": self.facts, "files": self.artifacts}
        parts |= {"ask": self.questions, "now": [self.step]}
        return "\\\\n\\\\n".join("[" + name + "]\\\\n" + "\\\\n".join(texts) for name, texts in parts.items())
""".replace("\\\\n", "\\n"),
)

LINES_ADDED_UP = selecting(
    """
room = budget - count(ContextSlice(state.goal, step, state.open_questions).render())
if room < 0:
    raise ContextTooSmall(budget - room, budget)
artifacts, facts = [], []
for artifact in state.artifacts:
    if artifact.step != step:
        continue
    for form in (artifact, artifact.model_copy(update={"excerpt": ""})):
        if count(lines(form)) <= room:
            artifacts.append(form)
            room -= count(lines(form))
            break
for fact in reversed(state.known_facts):
    if count(lines(fact)) <= room:
        facts.append(fact)
        room -= count(lines(fact))
return ContextSlice(state.goal, step, state.open_questions, facts[::-1], artifacts)
""",
    before="from labkit.context.slices import lines\n",
)

SAYS_WHAT_IS_OUT = selected(
    (
        "return chosen",
        (
            "out = len(state.known_facts) - len(chosen.facts)\n"
            "told = replace(chosen, left_out=f'{out} facts' if out else '')\n"
            "return told if count(told.render()) <= budget else chosen"
        ),
    ),
)[0]

RECURSIVE = selecting(
    """
bare = ContextSlice(state.goal, step, state.open_questions)
if count(bare.render()) > budget:
    raise ContextTooSmall(count(bare.render()), budget)
fits = lambda larger: count(larger.render()) <= budget


def with_artifacts(chosen, rest):
    if not rest:
        return chosen
    forms = [rest[0], rest[0].model_copy(update={"excerpt": ""})]
    larger = [replace(chosen, artifacts=(*chosen.artifacts, form)) for form in forms]
    return with_artifacts(next(filter(fits, larger), chosen), rest[1:])


def with_facts(chosen, rest):
    if not rest:
        return chosen
    larger = replace(chosen, facts=(rest[-1], *chosen.facts))
    return with_facts(larger if fits(larger) else chosen, rest[:-1])


return with_facts(with_artifacts(bare, [a for a in state.artifacts if a.step == step]), state.known_facts)
"""
)

VALIDATED = applying(
    """
data = state.model_dump()
for name, added, key in (("known_facts", patch.add_facts, "key"), ("artifacts", patch.attach_artifacts, "artifact_id")):
    parts = list(data.get(name, ()))
    for part in added:
        parts = [each for each in parts if each[key] != getattr(part, key)] + [part.model_dump()]
    data[name] = parts
questions = [each for each in data.get("open_questions", ()) if each not in patch.close_questions]
for name, texts, added in (("open_questions", questions, patch.add_questions),
                           ("risk_flags", list(data.get("risk_flags", ())), patch.raise_flags)):
    for text in added:
        if text not in texts:
            texts.append(text)
    data[name] = texts
if patch.replace_plan is not None:
    data["plan"] = list(patch.replace_plan)
return AgentState.model_validate(data)
"""
)

HELPERS = applying(
    """
plan = state.plan if patch.replace_plan is None else patch.replace_plan
still = drop(state.open_questions, patch.close_questions)
return state.model_copy(
    update=dict(
        plan=plan,
        known_facts=merge(state.known_facts, patch.add_facts, lambda fact: fact.key),
        artifacts=merge(state.artifacts, patch.attach_artifacts, lambda artifact: artifact.artifact_id),
        open_questions=still + drop(patch.add_questions, still),
        risk_flags=state.risk_flags + drop(patch.raise_flags, state.risk_flags),
    )
)
""",
    before="""
def drop(texts, unwanted, *, once=True):
    kept = [text for text in texts if text not in unwanted]
    return tuple(dict.fromkeys(kept)) if once else tuple(kept)


def merge(old, new, key):
    merged = {key(each): each for each in old}
    for each in new:
        merged.pop(key(each), None)
        merged[key(each)] = each
    return tuple(merged.values())
""",
)

RIGHT = {
    "labkit's own": [
        "# answer: apply\nfrom labkit.agent_state import apply\n",
        "# answer: select_context\nfrom labkit.context import select_context\n",
    ],
    "a class": [CLASS],
    "a format of its own": [OWN_FORMAT],
    "lines added up": [LINES_ADDED_UP],
    "says what is out": [SAYS_WHAT_IS_OUT],
    "recursive": [RECURSIVE],
    "validated anew": [VALIDATED],
    "helpers": [HELPERS],
    "a parameter more": [
        applying(APPLIED).replace("(state, patch)", "(state, patch, *, strict=False)"),
        selecting(SELECTED).replace("budget, count)", "budget, count, reserve=0)"),
    ],
}
