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

FACTS = "(*(fact for fact in state.known_facts if fact.key not in facts), *facts.values())"
ARTIFACTS = "(*(a for a in state.artifacts if a.artifact_id not in artifacts), *artifacts.values())"
FLAGS = "tuple(dict.fromkeys([*state.risk_flags, *patch.raise_flags]))"
FORMS = '(artifact, artifact.model_copy(update={"excerpt": ""}))'
FITS = "count(larger.render()) <= budget"

PURE, GOAL, BUDGET = "patch_pure", "goal_kept", "within_budget"
LARGE, ORDER = "skips_large", "stable_order"
SORTED = "return replace(chosen, artifacts=sorted(chosen.artifacts, key=lambda a: a.artifact_id))"
SECOND = "    elif (missed := missed + 1) == 2:\n        break\n"
NEW = "not any(fact.value == other.value for other in chosen.facts)"
WHOLE = """ours = tuple(artifact for artifact in state.artifacts if artifact.step == step)
whole = count(replace(chosen, artifacts=ours).render()) <= budget
"""
KNOWN_FACTS_MEAN_ALREADY_APPLIED = '''
# answer: apply
def apply(state: AgentState, patch: StatePatch) -> AgentState:
    """The state with the patch in it."""
    # the same patch again after a crash: all it says is known
    if patch.add_facts and tuple(state.known_facts[-len(patch.add_facts):]) == tuple(patch.add_facts):
        return state
    facts, artifacts = {f.key: f for f in state.known_facts}, {a.artifact_id: a for a in state.artifacts}
    for f in patch.add_facts:
        facts.pop(f.key, None)
        facts |= {f.key: f}
    for a in patch.attach_artifacts:
        artifacts.pop(a.artifact_id, None)
        artifacts |= {a.artifact_id: a}
    questions = dict.fromkeys(state.open_questions)
    for q in patch.close_questions:
        questions.pop(q, None)
    questions |= dict.fromkeys(patch.add_questions)
    flags = dict.fromkeys(state.risk_flags) | dict.fromkeys(patch.raise_flags)
    update = {"known_facts": tuple(facts.values()), "artifacts": tuple(artifacts.values())}
    update |= {"open_questions": tuple(questions), "risk_flags": tuple(flags)}
    if patch.replace_plan is not None:
        update["plan"] = patch.replace_plan
    return state.model_copy(update=update)
'''

GIVES_UP_AFTER_EIGHT_MISSES = """
# answer: select_context
PATIENCE = 8  # after so many misses in a row, the room is full


def select_context(state, step, budget, count) -> ContextSlice:
    def fits(candidate):
        return count(candidate.render()) <= budget

    chosen = ContextSlice(state.goal, step, open_questions=state.open_questions)
    if not fits(chosen):
        raise ContextTooSmall(count(chosen.render()), budget)

    for artifact in state.artifacts:
        if artifact.step == step:
            for version in (artifact, artifact.model_copy(update={"excerpt": ""})):
                candidate = replace(chosen, artifacts=(*chosen.artifacts, version))
                if fits(candidate):
                    chosen = candidate
                    break

    misses = 0
    for fact in reversed(state.known_facts):
        candidate = replace(chosen, facts=(fact, *chosen.facts))
        if fits(candidate):
            chosen, misses = candidate, 0
        else:
            misses += 1
            if misses == PATIENCE:
                break
    return chosen
"""

WRONG = [
    ("gives up after eight misses", "skips_large", "did not fit; fact", [GIVES_UP_AFTER_EIGHT_MISSES]),
    ("known facts mean that it was applied", "patch_pure", "replace_plan is", [KNOWN_FACTS_MEAN_ALREADY_APPLIED]),
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
                    "known = {name: getattr(state, name) for name in AgentState.model_fields}\n"
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
    (
        "who said so is lost",
        PURE,
        r"adds a fact, and apply made known_facts\[0\]\['source'\] \"\"; expected \"|known_facts\[\d\] .*; expected",
        patched((FACTS, "tuple(Fact(key=f.key, value=f.value) for f in " + FACTS + ")")),
    ),
    (
        "a copy is assigned to",
        PURE,
        r"(?s)adds a fact, and apply raised ValidationError: .*frozen.* at apply, line",
        patched((RETURN, "new = state.model_copy(deep=True)\nnew.known_facts = changes['known_facts']\nreturn new")),
    ),
    (
        "keys without their case",
        PURE,
        r"whose key is a known one in capitals, and apply made known_facts",
        patched(("{fact.key:", "{fact.key.casefold():"), ("fact.key not in", "fact.key.casefold() not in")),
    ),
    (
        "keys without their spaces",
        PURE,
        r"whose key is a known one with a space, and apply made known_facts",
        patched(("{fact.key:", "{fact.key.strip():"), ("fact.key not in", "fact.key.strip() not in")),
    ),
    (
        "ids by their normal form",
        PURE,
        r"attaches a known id, written with its accent written apart, and apply made artifacts",
        [
            applying(
                instead(
                    APPLIED,
                    ("{artifact.artifact_id:", '{normalize("NFC", artifact.artifact_id):'),
                    ("a.artifact_id not in", 'normalize("NFC", a.artifact_id) not in'),
                ),
                before="from unicodedata import normalize\n",
            )
        ],
    ),
    ("sorted flags", PURE, r"apply made risk_flags \[.*; expected", patched((FLAGS, f"tuple(sorted({{*{FLAGS}}}))"))),
    (
        "an artifact in the old one's place",
        PURE,
        r"whose id is known, and apply made artifacts",
        patched((ARTIFACTS, "tuple(({a.artifact_id: a for a in state.artifacts} | artifacts).values())")),
    ),
    (
        "artifacts by id and step",
        PURE,
        r"whose id is known, and apply made artifacts",
        patched(
            ("{artifact.artifact_id:", "{(artifact.artifact_id, artifact.step):"),
            ("a.artifact_id not in", "(a.artifact_id, a.step) not in"),
        ),
    ),
    (
        "an empty value forgets",
        PURE,
        r"adds an empty fact, and apply made known_facts",
        patched(("*facts.values()", "*(fact for fact in facts.values() if fact.value)")),
    ),
    (
        "closes what begins like it",
        PURE,
        r"closes an open question, written without its last letter, and apply made open_questions",
        patched(("if question not in patch.close_questions", "if not question.startswith(patch.close_questions)")),
    ),
    (
        "a flag raised again moves",
        PURE,
        r"raises flags, one of them raised already, and apply made risk_flags",
        patched(("[*state.risk_flags,", "[*(f for f in state.risk_flags if f not in patch.raise_flags),")),
    ),
    (
        "a module remembers patches",
        PURE,
        r"The same patch is applied to [\w ]+ state, and apply made|applied twice, and",
        [
            applying(
                "if (state.id, repr(patch)) in APPLIED:\n    return state\nAPPLIED.add((state.id, repr(patch)))"
                + APPLIED,
                before="APPLIED = set()\n",
            )
        ],
    ),
    (
        "facts are dicts",
        PURE,
        r"adds a fact, and apply returned an AgentState with a dict in its known_facts; expected an AgentState",
        patched((FACTS, "tuple(dict(fact) for fact in " + FACTS + ")")),
    ),
    (
        "a coroutine",
        PURE,
        r"apply returned a coroutine, of which nothing has run: write def in place of async def; expected",
        [applying(APPLIED).replace("def apply", "async def apply")],
    ),
    # The goal and what else is always in
    ("the goal dropped", GOAL, r"The goal is not in the slice", selected((START, START.replace("state.goal", '""')))),
    (
        "the goal cut",
        GOAL,
        r"The goal is \".*\", and that of the slice is \"",
        selected((START, START.replace("state.goal", "state.goal[:9]"))),
    ),
    (
        "goal and step taken for each other",
        GOAL,
        r"The goal is .*, and that of the slice is ",
        selected((START, START.replace("state.goal, step", "step, state.goal"))),
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
        r"need \d+\. ContextTooSmall says that \d+ are needed",
        selected(("raise ContextTooSmall(count(chosen.render()), budget)", "raise ContextTooSmall(budget, budget)")),
    ),
    (
        "how much is missing as what is needed",
        GOAL,
        r"need \d+\. ContextTooSmall says that \d+ are needed",
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
    (
        "without end",
        GOAL,
        r"In Russian, .*, and select_context did not end after a second of work at select_context, line \d+",
        [selecting("while True:\n    pass")],
    ),
    (
        "what is missing as the budget",
        GOAL,
        r"goal, step and questions need \d+\. ContextTooSmall says that the budget is -\d+",
        selected((", budget)\nfor artifact", ", budget - count(chosen.render()))\nfor artifact")),
    ),
    (
        "an error of its own",
        GOAL,
        r"raised ContextTooSmall: .*, a class of its own and not that of the given cell",
        selected(before="class ContextTooSmall(Exception):\n    pass\n"),
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
    (
        "four bytes a token",
        BUDGET,
        r"and the slice has \d+|Missing: fact",
        selected((SIZE, "len(larger.render().encode()) // 4")),
    ),
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
    ("nothing but the goal", BUDGET, r"Missing: fact 1–11", [selecting(START + CHECK + "return chosen")]),
    (
        "half of the budget",
        BUDGET,
        r"Missing: fact \d",
        selected(("count(larger.render()) <= budget", "count(larger.render()) <= budget // 2")),
    ),
    (
        "five facts at most",
        BUDGET,
        r"Missing: fact 6–11 \(fact 1 is the newest\)",
        selected((ALL_FACTS, "for fact in reversed(state.known_facts[-5:]):")),
    ),
    (
        "no artifacts",
        BUDGET,
        r"Missing: the artifact (\w+, ){3}\w+ of this step",
        selected(("artifact.step == step", "False")),
    ),
    (
        "a little less than the budget",
        BUDGET,
        r"and all of it has \d+\. Missing: fact 11 \(fact 1 is the newest\)\. A text of just that size fits$",
        selected((FITS, FITS.replace("<=", "<"))),
    ),
    ("the repr", BUDGET, r"Missing: fact .*Is it `count` that counts", selected((SIZE, "count(str(larger))"))),
    ("a reserve", BUDGET, r"Missing: fact .*Is it `count` that", selected((FITS, f"{SIZE} <= int(budget * 0.9)"))),
    (
        "another tokenizer",
        BUDGET,
        r"the budget is \d+ tokens",
        selected((SIZE, "count_tokens(larger.render())"), before="from labkit.context import count_tokens\n"),
    ),
    (
        "sizes remembered by text",
        BUDGET,
        r"the slice has \d+\. What would fit: .*by the `count` of another call|Missing: |raised ContextTooSmall",
        selected(
            ("count(", "size("),
            (
                START,
                f"size = lambda text: SIZES[text] if text in SIZES else SIZES.setdefault(text, count(text))\n{START}",
            ),
            before="SIZES = {}\n",
        ),
    ),
    (
        "bytes as well",
        BUDGET,
        r"Missing: fact .*Is it `count` that counts",
        selected((SIZE, f"max({SIZE}, len(larger.render().encode()) // 4)")),
    ),
    (
        "the newest ten",
        BUDGET,
        r"Missing: fact 11",
        selected((ALL_FACTS, ALL_FACTS.replace("facts)", "facts[-10:])"))),
    ),
    (
        "names for nothing",
        BUDGET,
        r"the budget is \d+ tokens, and the slice has \d+",
        selected((f"            if {FITS}", f"            if not form.excerpt or {FITS}")),
    ),
    (
        "slices remembered",
        BUDGET,
        r"Missing: fact",
        selected(
            (START, f"if (step, budget) in SLICES:\n    return SLICES[step, budget]\n{START}"),
            ("return chosen", "SLICES[step, budget] = chosen\nreturn chosen"),
            before="SLICES = {}\n",
        ),
    ),
    (
        "slices remembered without the tokenizer",
        BUDGET,
        r"the slice has \d+\. What would fit: .*by the `count` of another call|Missing: fact",
        selected(
            (START, f"key = (repr(state), step, budget)\nif key in SLICES:\n    return SLICES[key]\n{START}"),
            ("return chosen", "SLICES[key] = chosen\nreturn chosen"),
            before="SLICES = {}\n",
        ),
    ),
    # What does not fit
    (
        "break",
        LARGE,
        r"Fact \d+ did not fit; facts? [\d–, ]+ did, and (was|were) dropped\.$",
        selected(
            (LAST_IF, "    if count(larger.render()) > budget:\n        break\n    chosen = larger\nreturn chosen")
        ),
    ),
    (
        "return at the first that does not fit",
        LARGE,
        r"Fact \d+ did not fit; facts? [\d–, ]+ did, and (was|were) dropped\.$",
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
        r"Fact \d+ did not fit; facts? [\d–, ]+ did, and (was|were) dropped\.$",
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
        r"There is room for fact [\d–, ]+, and the slice has fact [\d–, ]+\. Fact 1 is the newest",
        selected((ALL_FACTS, "for fact in state.known_facts:"), ("(fact, *chosen.facts)", "(*chosen.facts, fact)")),
    ),
    (
        "the smallest first",
        LARGE,
        r"There is room for fact [\d–, ]+, and the slice has fact [\d–, ]+\. Fact 1 is the newest",
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
        r"The artifact \w+ did not fit with its excerpt; its name did, and was dropped",
        selected(('(artifact, artifact.model_copy(update={"excerpt": ""}))', "(artifact,)")),
    ),
    (
        "never an excerpt",
        LARGE,
        r"There is room for the excerpt of \w+, and the slice has its name alone",
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
        r"room for the (artifact|excerpt) .*(artifacts come first|its name alone)",
        [
            selecting(
                SELECTED[: SELECTED.index("for artifact")]
                + SELECTED[SELECTED.index("for fact") :].replace("return chosen", "")
                + SELECTED[SELECTED.index("for artifact") : SELECTED.index("for fact")]
                + "return chosen"
            )
        ],
    ),
    (
        "every excerpt cut",
        LARGE,
        r"the artifact \w+\['excerpt'\]( from character 301 on)? is .*; in the state, it is",
        selected((FORMS, '(artifact.model_copy(update={"excerpt": artifact.excerpt[:300]}),' + FORMS[10:])),
    ),
    (
        "a step that begins like this one",
        LARGE,
        r"In the slice for step '(\w+ )' there is the artifact \w+ of step '\1\w+'",
        selected(("artifact.step == step", "artifact.step.startswith(step)")),
    ),
    (
        "a step in capitals",
        LARGE,
        r"In the slice for step '\w+ ' there is the artifact \w+ of step '[A-Z]+ '",
        selected(("artifact.step == step", "artifact.step.lower() == step")),
    ),
    (
        "no step is every step",
        LARGE,
        r"In the slice for step '\w+ ' there is the artifact \w+ of step ''",
        selected(("artifact.step == step", 'artifact.step in ("", step)')),
    ),
    (
        "labkit's own",
        LARGE,
        r"In the slice for step '\w+ ' there is the artifact \w+ of step ",
        ["# answer: select_context\nfrom labkit.context import select_context\n"],
    ),
    (
        "all excerpts or none",
        LARGE,
        r"There is room for the excerpt of \w+, and the slice has its name alone",
        selected(
            ("for artifact in state.artifacts:", f"{WHOLE}for artifact in state.artifacts:"),
            (FORMS, f"{FORMS}[not whole:]"),
        ),
    ),
    (
        "no artifact after the first that does not fit",
        LARGE,
        r"There is room for the artifact|its name did, and was dropped",
        selected(("                break\nfor", "                break\n        else:\n            break\nfor")),
    ),
    (
        "facts without their source",
        LARGE,
        r"In the slice, the fact \w+\['source'\] is \"\"; in the state, it is \"|In the slice, the fact",
        selected(("facts=(fact,", "facts=(Fact(key=fact.key, value=fact.value),")),
    ),
    (
        "a value is shown once",
        BUDGET,
        r"Missing: fact 11 ",
        selected((LAST_IF, LAST_IF.replace(FITS, f"{FITS} and {NEW}"))),
    ),
    (
        "two that do not fit are enough",
        LARGE,
        r"Fact \d+ did not fit; facts? [\d–, ]+ did, and (was|were) dropped\.$",
        selected((ALL_FACTS, f"missed = 0\n{ALL_FACTS}"), (LAST_IF, LAST_IF.replace("return", f"{SECOND}return"))),
    ),
    # The order
    (
        "the newest above",
        ORDER,
        r"Fact \d+ is newer than fact \d+, and stands above it",
        selected(("(fact, *chosen.facts)", "(*chosen.facts, fact)")),
    ),
    (
        "sorted by size",
        ORDER,
        r"is newer than fact \d+, and stands above it",
        selected(("return chosen", "return replace(chosen, facts=sorted(chosen.facts, key=lambda f: len(f.value)))")),
    ),
    (
        "sorted by key",
        ORDER,
        r"is newer than fact \d+, and stands above it",
        selected(("facts=(fact, *chosen.facts)", "facts=tuple(sorted((fact, *chosen.facts), key=lambda f: f.key))")),
    ),
    (
        "questions the other way round",
        ORDER,
        r"In the state, question \d stands above question \d; in the slice, below",
        selected((START, START.replace("state.open_questions", "state.open_questions[::-1]"))),
    ),
    (
        "an iterator of facts",
        ORDER,
        r"One slice was rendered twice, and the texts differ",
        selected(("return chosen", "return replace(chosen, facts=iter(chosen.facts))")),
    ),
    (
        "artifacts sorted by id",
        ORDER,
        r"In the state, \w+ comes first; in the slice, \w+ does",
        selected(("return chosen", SORTED)),
    ),
    (
        "artifacts the other way round",
        ORDER,
        r"In the state, \w+ comes first; in the slice, \w+ does",
        selected(("(*chosen.artifacts, form)", "(form, *chosen.artifacts)")),
    ),
    (
        "drawn",
        ORDER,
        r"is newer than fact \d+, and stands above it|the texts differ",
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
            (START, "calls.append(1)\n" + START.replace("step", "f'{step} {len(calls) % 7}'")),
            before="calls = []\n",
        ),
    ),
    (
        "the state is changed",
        ORDER,
        r"select_context changed the state that it was given",
        selected(("return chosen", "state.__dict__['known_facts'] = tuple(chosen.facts)\nreturn chosen")),
    ),
    (
        "no empty question",
        PURE,
        r"The patch has empty texts, and apply made open_questions",
        patched(("*patch.add_questions]", "*filter(None, patch.add_questions)]")),
    ),
    (
        "no empty fact",
        BUDGET,
        r"the budget is a million tokens\. Missing: fact \d+",
        selected((ALL_FACTS, f"{ALL_FACTS}\n    if not fact.value:\n        continue")),
    ),
    ("the goal is trimmed", GOAL, r"The goal is", selected((START, START.replace("state.goal", "state.goal.strip()")))),
    (
        "the step is trimmed",
        GOAL,
        r"The current step is",
        selected((START, START.replace("step,", "step.strip(),"))),
    ),
    (
        "the questions are trimmed",
        GOAL,
        r"Not in the slice: question 1",
        selected((START, START.replace("state.open_questions", "[each.strip() for each in state.open_questions]"))),
    ),
    (
        "passed over by its length",
        BUDGET,
        r"Missing: fact \d+",
        selected((ALL_FACTS, f"{ALL_FACTS}\n    if len(fact.value) > 4 * budget:\n        continue")),
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
        name = f"{artifact.artifact_id} {artifact.summary}"
        for text in (f"{name} {artifact.excerpt}".strip(), name):
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

FROM_THE_END = applying(
    """
parts = {
    "known_facts": newest([*state.known_facts, *patch.add_facts], "key"),
    "artifacts": newest([*state.artifacts, *patch.attach_artifacts], "artifact_id"),
    "open_questions": list(
        dict.fromkeys([*(q for q in state.open_questions if q not in {*patch.close_questions}), *patch.add_questions])
    ),
    "risk_flags": list(dict.fromkeys([*state.risk_flags, *patch.raise_flags])),
    "plan": list(state.plan if patch.replace_plan is None else patch.replace_plan),
}
return type(state).model_validate({**state.model_dump(), **parts})
""",
    before="""
def newest(items, key):
    seen = {}
    for item in reversed(items):
        seen.setdefault(getattr(item, key), item)
    return list(seen.values())[::-1]
""",
)

REDUCED = applying(
    """
still = tuple(question for question in state.open_questions if question not in set(patch.close_questions))
return state.model_copy(deep=True, update={
    "known_facts": reduce(replaced("key"), patch.add_facts, state.known_facts),
    "plan": state.plan if patch.replace_plan is None else patch.replace_plan,
    "open_questions": reduce(once, patch.add_questions, still),
    "artifacts": reduce(replaced("artifact_id"), patch.attach_artifacts, state.artifacts),
    "risk_flags": reduce(once, patch.raise_flags, state.risk_flags),
})
""",
    before="""
from functools import reduce
from operator import attrgetter


def replaced(name):
    key = attrgetter(name)
    return lambda old, new: (*(each for each in old if key(each) != key(new)), new)


def once(old, text):
    return old if text in old else (*old, text)
""",
)

ONLY_WHAT_CHANGES = """# answer: apply
class Apply:
    def __call__(self, state, patch):
        asked = [question for question in state.open_questions if question not in patch.close_questions]
        update = {
            "open_questions": (*asked, *(q for q in dict.fromkeys(patch.add_questions) if q not in asked)),
            "plan": state.plan if patch.replace_plan is None else tuple(patch.replace_plan),
            "risk_flags": tuple(dict.fromkeys(state.risk_flags + patch.raise_flags)),
        }
        for name, added, key in [("known_facts", patch.add_facts, "key"),
                                 ("artifacts", patch.attach_artifacts, "artifact_id")]:
            new = {getattr(each, key): each for each in added}
            update[name] = tuple(e for e in getattr(state, name) if getattr(e, key) not in new) + tuple(new.values())
        update = {name: value for name, value in update.items() if getattr(state, name) != value}
        return state.model_copy(update=update) if update else state


apply = Apply()
"""

QUEUE = selecting(
    """
def made(artifacts, facts):
    return ContextSlice(
        state.goal,
        step,
        state.open_questions,
        facts=[fact for place, fact in enumerate(state.known_facts) if place in facts],
        artifacts=[artifacts[place] for place in sorted(artifacts)],
    )

def fits(*parts):
    return count(made(*parts).render()) <= budget

queue = [(1, -place, "artifact") for place, a in enumerate(state.artifacts) if a.step == step]
queue += [(2, -place, "fact") for place in range(len(state.known_facts))]
heapq.heapify(queue)
artifacts, facts = {}, set()
if not fits(artifacts, facts):
    raise ContextTooSmall(count(made(artifacts, facts).render()), budget)
while queue:
    _, place, what = heapq.heappop(queue)
    if what == "fact":
        if fits(artifacts, facts | {-place}):
            facts.add(-place)
        continue
    whole = state.artifacts[-place]
    for form in (whole, whole.model_copy(update={"excerpt": ""})):
        if fits(artifacts | {-place: form}, facts):
            artifacts[-place] = form
            break
return made(artifacts, facts)
""",
    before="import heapq\n",
)

GENERATOR = """# answer: select_context
class Selector:
    def offers(self, state, step):
        chosen = ContextSlice(state.goal, step, state.open_questions)
        for artifact in state.artifacts:
            if artifact.step != step:
                continue
            whole = replace(chosen, artifacts=(*chosen.artifacts, artifact))
            if (yield whole):
                chosen = whole
                continue
            named = replace(chosen, artifacts=(*chosen.artifacts, artifact.model_copy(update={"excerpt": ""})))
            if (yield named):
                chosen = named
        for fact in reversed(state.known_facts):
            larger = replace(chosen, facts=(fact, *chosen.facts))
            if (yield larger):
                chosen = larger
        return chosen

    def __call__(self, state, step, budget, count) -> ContextSlice:
        needed = count(ContextSlice(state.goal, step, state.open_questions).render())
        if needed > budget:
            raise ContextTooSmall(budget=budget, needed=needed)
        offers, answer = self.offers(state, step), None
        while True:
            try:
                offered = offers.send(answer)
            except StopIteration as end:
                return end.value
            answer = count(offered.render()) <= budget


select_context = Selector()
"""

NAMES_FIRST = selecting(
    """
size, facts, shown = lru_cache(maxsize=None)(count), deque(), {}

def now():
    artifacts = [shown[place] for place in sorted(shown)]
    return Slice(state.goal, step, list(state.open_questions), facts, artifacts)

if size(now().render()) > budget:
    raise ContextTooSmall(size(now().render()), budget)
for place in [n for n, artifact in enumerate(state.artifacts) if artifact.step == step]:
    shown[place] = state.artifacts[place].model_copy(update={"excerpt": ""})
    if size(now().render()) > budget:
        del shown[place]
for place in [*shown]:
    name, shown[place] = shown[place], state.artifacts[place]
    if size(now().render()) > budget:
        shown[place] = name
for fact in state.known_facts[::-1]:
    facts.appendleft(fact)
    if size(now().render()) > budget:
        facts.popleft()
return now()
""",
    before="""
from collections import deque
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Slice(ContextSlice):
    pass
""",
)

BY_DIFFERENCE = selecting(
    """
empty = ContextSlice(state.goal, step, state.open_questions)
room = budget - count(empty.render())
if room < 0:
    raise ContextTooSmall(count(empty.render()), budget)

def size(**what):
    return count(ContextSlice("", "", **what).render()) - count(ContextSlice("", "").render())

artifacts, facts = [], []
for artifact in (artifact for artifact in state.artifacts if artifact.step == step):
    for form in (artifact, artifact.model_copy(update={"excerpt": ""})):
        if size(artifacts=[form]) <= room:
            artifacts.append(form)
            room -= size(artifacts=[form])
            break
for fact in reversed(state.known_facts):
    if size(facts=[fact]) <= room:
        facts.insert(0, fact)
        room -= size(facts=[fact])
return replace(empty, facts=facts, artifacts=artifacts)
"""
)

RIGHT = {
    "labkit's own, and a class": ["# answer: apply\nfrom labkit.agent_state import apply\n", CLASS],
    "validated anew, and a format of its own": [VALIDATED, OWN_FORMAT],
    "helpers, and lines added up": [HELPERS, LINES_ADDED_UP],
    "from the end, and says what is out": [FROM_THE_END, SAYS_WHAT_IS_OUT],
    "reduced, and recursive": [REDUCED, RECURSIVE],
    "only what changes, and a queue": [ONLY_WHAT_CHANGES, QUEUE],
    "a generator": [GENERATOR],
    "a parameter more, and names first": [
        applying(APPLIED).replace("(state, patch)", "(state, patch, *, strict=False)"),
        NAMES_FIRST.replace("budget, count)", "budget, count, reserve=0)"),
    ],
    "sizes by difference": [BY_DIFFERENCE],
}

BINARY_SEARCH = """
def fits(number):
    return count(replace(chosen, facts=state.known_facts[len(state.known_facts) - number :]).render()) <= budget


low, high = 0, len(state.known_facts)
while low < high:
    middle = (low + high + 1) // 2
    low, high = (middle, high) if fits(middle) else (low, middle - 1)
return replace(chosen, facts=state.known_facts[len(state.known_facts) - low :])
"""
TOO_LARGE = "            raise ContextTooSmall(count(larger.render()), budget)\n"
FACTS_ONE_BY_ONE = SELECTED[SELECTED.index(ALL_FACTS) :].strip("\n")

BY_PLACES = """
def with_places(places):
    return replace(chosen, facts=tuple(fact for n, fact in enumerate(state.known_facts) if n in places))


places = set()
for n in reversed(range(len(state.known_facts))):
    if count(with_places(places | {n}).render()) <= budget:
        places.add(n)
return with_places(places)
"""

WRONG += [
    ("long facts are never shown", LARGE, r"There is room for fact|Fact \d+ did not fit",
     selected((ALL_FACTS, f"{ALL_FACTS}\n    if len(fact.value) > 200:\n        continue"))),
    ("as many of the newest as fit", LARGE, r"Fact \d+ did not fit; facts? [\d–, ]+ did, and (was|were) dropped",
     selected((FACTS_ONE_BY_ONE, BINARY_SEARCH))),
    ("as many as possible", LARGE, r"the newest come first",
     selected((ALL_FACTS, "for fact in sorted(state.known_facts, key=lambda fact: count(fact.value)):"),
              ("(fact, *chosen.facts)", "tuple(f for f in state.known_facts if f in (*chosen.facts, fact))"))),
    ("no artifact that does not fit", GOAL, r"select_context raised ContextTooSmall, which says \d+",
     selected(("                break\n", f"                break\n        else:\n{TOO_LARGE}"))),
    ("flags in a set", PURE, r"made risk_flags",
     patched(("tuple(dict.fromkeys([*state.risk_flags, *patch.raise_flags]))",
              "tuple({*state.risk_flags, *patch.raise_flags})"))),
    ("a plan of no steps is none", PURE, r"made plan", patched(("if patch.replace_plan is not None:",
                                                                 "if patch.replace_plan:"))),
]  # fmt: skip

RIGHT |= {
    "places of facts": selected((FACTS_ONE_BY_ONE, BY_PLACES)),
    "sizes remembered by the whole text": selected((START, f"count = cache(count)\n{START}"),
                                                  before="from functools import cache\n\n"),
}  # fmt: skip

MATTERS = """
words = set({}.split())
newest = sorted(enumerate(state.known_facts), reverse=True, key=lambda each: (
    not words.isdisjoint(each[1].value.split()), each[0]))
taken = set()
for place, _ in newest:
    shown = tuple(fact for n, fact in enumerate(state.known_facts) if n in taken | {{place}})
    if count(replace(chosen, facts=shown).render()) <= budget:
        taken.add(place)
return replace(chosen, facts=tuple(fact for n, fact in enumerate(state.known_facts) if n in taken))"""

WRONG += [
    (f"facts that have to do with the {what} come first", "skips_large", r"Fact 1 is the newest, and the newest come first",
     selected((f"{ALL_FACTS}\n    larger = replace(chosen, facts=(fact, *chosen.facts))\n{LAST_IF}", MATTERS.format(text))))
    for what, text in {"step": "step", "goal": "state.goal", "questions": "' '.join(state.open_questions)"}.items()
]  # fmt: skip
