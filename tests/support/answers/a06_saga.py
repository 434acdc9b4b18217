"""Answers to exercise 6 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution. Most of the wrong ones are a
right one with one change, which `but` makes: what is wrong stands out.
"""

SAGA = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""


def but(*changes):
    """The right answer with these changes, each an old text and a new one."""
    cell = SAGA
    for old, new in changes:
        assert cell.count(old) == 1, old
        cell = cell.replace(old, new)
    return cell


def order(body):
    """An answer to `undo_order` with this body."""
    return f"\n# answer: undo_order\ndef undo_order(done, steps):\n{body}\n"


AS_DONE = order("    return list(done)")
REVERSE_OF_DONE = order("    return list(reversed(list(done)))")
REVERSE_OF_LIST = order("    return [step.name for step in reversed(steps) if step.name in done]")
FORWARD = order("""
    graph = {step.name: step.requires for step in steps}
    return [name for name in TopologicalSorter(graph).static_order() if name in done]""")
ALL_OF_THEM = order("""
    graph = {step.name: step.requires for step in steps}
    return list(TopologicalSorter(graph).static_order())[::-1]""")
ONLY_THOSE_DONE = order("""
    graph = {step.name: [need for need in step.requires if need in done] for step in steps if step.name in done}
    return list(TopologicalSorter(graph).static_order())[::-1]""")
BY_NUMBER_OF_NEEDS = order("""
    needs = {step.name: len(step.requires) for step in steps}
    return sorted(done, key=lambda name: -needs[name])""")
ALPHABETICAL = order("    return sorted(done, reverse=True)")
TWICE = order("""
    named, order = {step.name: step for step in steps}, []

    def visit(name):
        order.append(name)
        for need in named[name].requires:
            visit(need)

    for name in done:
        visit(name)
    return [name for name in order if name in done]""")
ONE_LEVEL = order("""
    needed = {need for step in steps if step.name in done for need in step.requires}
    return [name for name in done if name not in needed] + [name for name in done if name in needed]""")
ENDLESS = order("""
    while True:
        pass""")
RETURNS_NOTHING = order("""
    graph = {step.name: step.requires for step in steps}
    order = list(TopologicalSorter(graph).static_order())
    order.reverse()""")
STEPS_FOR_NAMES = order("""
    named = {step.name: step for step in steps}
    order = TopologicalSorter({step.name: step.requires for step in steps}).static_order()
    return [repr(named[name]) for name in reversed(list(order)) if name in done]""")

IN_MEMORY = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    done = []
    try:
        for name in reversed(undo_order(named, steps)):
            named[name].execute(step_key(saga_id, name))
            done.append(name)
        return "completed"
    except Exception:
        failed = "compensated"
        for name in undo_order([*done, name], steps):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
            except Exception:
                failed = "parked"
        return failed
"""
NEVER_UNDOES = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    for name in reversed(undo_order(named, steps)):
        try:
            named[name].execute(step_key(saga_id, name))
        except Exception:
            return "compensated"
    return "completed"
"""
DOES_NOTHING = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    return "completed"
"""
IN_LISTED_ORDER = but(("for name in reversed(backward):", "for name in named:"))
CRASH_IS_FAILURE = but(('if "saga" not in log.read(saga_id):', "if not log.read(saga_id):"))
CRASH_IS_FAILURE_OF_THE_STEP = but(
    (
        'log.note(saga_id, name, "started")',
        (
            'if log.read(saga_id).get(name) == "started":\n                        raise RuntimeError\n'
            '                    log.note(saga_id, name, "started")'
        ),
    )
)
SKIPS_WHAT_HAS_STARTED = but(('!= "done"', 'not in ("started", "done")'))
RANDOM_KEY = but(("execute(step_key(saga_id, name))", "execute(__import__('uuid').uuid4().hex)"))
RANDOM_UNDO_KEY = but(('compensate(step_key(saga_id, f"undo {name}"))', "compensate(__import__('uuid').uuid4().hex)"))
NO_KEY = but(("execute(step_key(saga_id, name))", "execute(None)"))
NO_UNDO_KEY = but(('compensate(step_key(saga_id, f"undo {name}"))', "compensate(None)"))
ONE_KEY_FOR_BOTH = but(('f"undo {name}"', "name"))
ONE_KEY_FOR_ALL = but(("execute(step_key(saga_id, name))", "execute(saga_id)"))
KEY_WITHOUT_SAGA = but(("execute(step_key(saga_id, name))", 'execute(step_key("saga", name))'))
FORGETS_COMPLETED = but(('return "completed"', "pass"), ('return "parked" if', 'return "done" if'))
RETURNS_NOTHING_AT_THE_END = but(
    ('return "parked" if "parked" in log.read(saga_id).values() else "compensated"', "return None")
)
ALWAYS_COMPENSATED = but(
    ('return "parked" if "parked" in log.read(saga_id).values() else "compensated"', 'return "compensated"')
)
RAISES_AFTER_UNDOING = but(
    (
        'return "parked" if "parked" in log.read(saga_id).values() else "compensated"',
        'raise RuntimeError("the saga has failed")',
    )
)
LETS_ERRORS_THROUGH = but(
    ("        except Exception:\n            log.note", "        except KeyError:\n            log.note")
)
UNDOES_FORWARD = but(("    for name in backward:\n", "    for name in reversed(backward):\n"))
UNDOES_ALL_BUT_THE_LAST = but(("    for name in backward:\n", "    for name in backward[:-1]:\n"))
DIRECTION_FORGOTTEN = but(('log.note(saga_id, "saga", "compensating")', "pass"))
DIRECTION_NOTED_LATE = but(
    ('log.note(saga_id, "saga", "compensating")', "pass"),
    ('    return "parked" if', '    log.note(saga_id, "saga", "compensated")\n    return "parked" if'),
)
FAILED_STEP_NOT_UNDONE = but(
    (
        'log.note(saga_id, "saga", "compensating")',
        'log.note(saga_id, name, "failed")\n            log.note(saga_id, "saga", "compensating")',
    )
)
ONLY_DONE_UNDONE = but(('in ("started", "done")', '== "done"'))
NO_INTENT = but(('                    log.note(saga_id, name, "started")\n', ""))
INTENT_AFTER = but(
    (
        (
            '                    log.note(saga_id, name, "started")\n'
            "                    named[name].execute(step_key(saga_id, name))\n"
        ),
        (
            "                    named[name].execute(step_key(saga_id, name))\n"
            '                    log.note(saga_id, name, "started")\n'
        ),
    )
)
INTENT_IN_MEMORY = but(
    ("    named = {", "    doubtful = set()\n    named = {"),
    ('log.note(saga_id, name, "started")', "doubtful.add(name)"),
    (
        'if log.read(saga_id).get(name) in ("started", "done"):',
        'if name in doubtful or log.read(saga_id).get(name) == "done":',
    ),
)
RAISED_MEANS_NOT_DONE = but(
    (
        "named[name].execute(step_key(saga_id, name))",
        (
            "try:\n                        named[name].execute(step_key(saga_id, name))\n"
            "                    except Exception:\n"
            '                        log.note(saga_id, name, "not done")\n                        raise'
        ),
    )
)
UNDO_STOPS_AT_AN_ERROR = but(
    (
        (
            "            try:\n"
            '                named[name].compensate(step_key(saga_id, f"undo {name}"))\n'
            '                log.note(saga_id, name, "undone")\n'
            "            except Exception:\n"
            '                log.note(saga_id, name, "parked")\n'
        ),
        (
            '            named[name].compensate(step_key(saga_id, f"undo {name}"))\n'
            '            log.note(saga_id, name, "undone")\n'
        ),
    )
)
PARKS_AND_LEAVES = but(
    ('log.note(saga_id, name, "parked")', 'log.note(saga_id, name, "parked")\n                return "parked"')
)
SWALLOWS_THE_ERROR = but(('log.note(saga_id, name, "parked")', 'log.note(saga_id, name, "undone")'))
PARKED_IN_MEMORY = but(
    ("    for name in backward:\n", "    parked = False\n    for name in backward:\n"),
    ('log.note(saga_id, name, "parked")', 'log.note(saga_id, name, "given up")\n                parked = True'),
    ('"parked" in log.read(saga_id).values()', "parked"),
)
UNDONE_BEFORE_THE_DEED = but(
    (
        (
            '                named[name].compensate(step_key(saga_id, f"undo {name}"))\n'
            '                log.note(saga_id, name, "undone")\n'
        ),
        (
            '                log.note(saga_id, name, "undone")\n'
            '                named[name].compensate(step_key(saga_id, f"undo {name}"))\n'
        ),
    )
)
PARKED_BEFORE_THE_DEED = but(
    (
        "            try:\n                named",
        '            log.note(saga_id, name, "parked")\n            try:\n                named',
    )
)

PARTS_OF_NAMES = """
# answer: undo_order
def undo_order(done, steps) -> list[str]:
    order = TopologicalSorter({step.name: step.requires for step in steps}).static_order()
    there = " ".join(done)
    return [name for name in reversed([*order]) if name in there]
"""

UNKNOWN_UNLESS_UNDONE = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    order = undo_order([step.name for step in steps], steps)
    log.note(saga_id, "may have happened", ", ".join(order))
    if log.read(saga_id).get("direction", "forward") == "forward":
        try:
            for step in sorted(steps, key=lambda step: -order.index(step.name)):
                step.execute(step_key(saga_id, step.name))
            return "completed"
        except Exception:
            log.note(saga_id, "direction", "back")
    left = []
    for step in sorted(steps, key=lambda step: order.index(step.name)):
        try:
            step.compensate(step_key(saga_id, ("undo", step.name)[0] + step.name))
        except Exception:
            left.append(step.name)
    return "parked" if left else "compensated"
"""

UNDONE_CONTAINS_DONE = """
# answer: run_saga
def run_saga(saga_id: str, steps: list[Step], log: Log) -> str:
    by_name = {step.name: step for step in steps}
    order = list(TopologicalSorter({step.name: step.requires for step in steps}).static_order())
    known = log.read(saga_id)

    if "back" not in known.get("saga", ""):
        for name in order:
            if "done" in known.get(name, ""):
                continue
            log.note(saga_id, name, "started")
            try:
                by_name[name].execute(step_key(saga_id, name))
            except Exception as error:
                log.note(saga_id, "saga", f"back, because {name} failed: {error!r}")
                break
            log.note(saga_id, name, "done")
        else:
            return "completed"

    known = log.read(saga_id)
    stuck = []
    for name in reversed(order):
        word = known.get(name, "")
        if "started" in word or "done" in word or "parked" in word:
            try:
                by_name[name].compensate(step_key(saga_id, f"undo {name}"))
            except Exception as error:
                log.note(saga_id, name, f"parked: {error!r}")
                stuck.append(name)
            else:
                log.note(saga_id, name, "undone")
    return "parked" if stuck else "compensated"
"""

NAMES_CASEFOLDED_IN_LOG = '''
# answer: run_saga
class Journal:
    """A log of one saga, which does not care for capitals."""

    def __init__(self, saga_id, log):
        self.saga_id, self.log = saga_id, log

    def __setitem__(self, name, word):
        self.log.note(self.saga_id, name.casefold(), word)

    def __getitem__(self, name):
        return self.log.read(self.saga_id).get(name.casefold(), "")


def run_saga(saga_id: str, steps: list[Step], log: Log) -> str:
    journal = Journal(saga_id, log)
    by_name = {step.name: step for step in steps}
    order = list(TopologicalSorter({step.name: step.requires for step in steps}).static_order())

    if journal["saga"] != "back":
        for name in order:
            if journal[name] == "done":
                continue
            journal[name] = "started"
            try:
                by_name[name].execute(step_key(saga_id, name))
            except Exception:
                journal["saga"] = "back"
                break
            journal[name] = "done"
        else:
            return "completed"

    result = "compensated"
    for name in reversed(order):
        if journal[name] in ("started", "done", "parked"):
            try:
                by_name[name].compensate(step_key(saga_id, f"undo {name}"))
            except Exception:
                journal[name] = "parked"
                result = "parked"
            else:
                journal[name] = "undone"
    return result
'''

WRONG = [
    ("done is in undone", "undoes_once", "the log knew that, and", [UNDONE_CONTAINS_DONE]),
    ("names in small letters in the log", "crash_goes_on", "was never done", [NAMES_CASEFOLDED_IN_LOG]),
    ("all is done again after a crash", "crash_goes_on", "called again, and now it refuses", [UNKNOWN_UNLESS_UNDONE]),
    ("names looked for in a text", "undo_order", "was not done", [PARTS_OF_NAMES]),
    ("as they were done", "undo_order", r"is undone before \w+, which requires it", [AS_DONE]),
    ("reverse of done", "undo_order", r"is undone before \w+, which requires it", [REVERSE_OF_DONE]),
    ("reverse of the list", "undo_order", r"is undone before \w+, which requires it", [REVERSE_OF_LIST]),
    ("forward", "undo_order", r"is undone before \w+, which requires it", [FORWARD]),
    ("all steps", "undo_order", r"was not done", [ALL_OF_THEM]),
    ("a gap in what was done", "undo_order", r"which requires it through", [ONLY_THOSE_DONE]),
    ("by the number of needs", "undo_order", r"is undone before", [BY_NUMBER_OF_NEEDS]),
    ("alphabetical", "undo_order", r"is undone before", [ALPHABETICAL]),
    ("each as often as needed", "undo_order", r"is there 2 times; expected once", [TWICE]),
    ("one level of needs", "undo_order", r"is undone before", [ONE_LEVEL]),
    ("endless", "undo_order", r"undo_order.* did not end after a second of work at undo_order, line 4", [ENDLESS]),
    ("returns nothing", "undo_order", r"returned None; expected a list of names", [RETURNS_NOTHING]),
    ("steps for names", "undo_order", r"is there 0 times", [STEPS_FOR_NAMES]),
    (
        "does nothing",
        "crash_goes_on",
        r"^nothing failed, and \w+ was never done: run_saga returned 'completed'",
        [DOES_NOTHING],
    ),
    ("in the order of the list", "crash_goes_on", r"^\w+ ran before \w+, which it requires$", [IN_LISTED_ORDER]),
    ("a crash is a failure", "crash_goes_on", r"a crash is no failure", [CRASH_IS_FAILURE]),
    ("a crash is a failure of the step", "crash_goes_on", r"a crash is no failure", [CRASH_IS_FAILURE_OF_THE_STEP]),
    (
        "skips what has started",
        "crash_goes_on",
        r"^Killed after .*: \w+ ran before \w+, which it requires$",
        [SKIPS_WHAT_HAS_STARTED],
    ),
    ("a random key", "crash_goes_on", r"ran 2 times, under 2 keys: the key changes", [RANDOM_KEY]),
    ("no key", "crash_goes_on", r"\w+ got no key", [NO_KEY]),
    ("one key for all", "crash_goes_on", r"\w+ got the key of \w+", [ONE_KEY_FOR_ALL]),
    ("a key without the saga", "crash_goes_on", r"Two sagas called \w+ under one key", [KEY_WITHOUT_SAGA]),
    (
        "forgets to say completed",
        "crash_goes_on",
        r"^no step had failed, and \w+ was called: \w+ returned .*$",
        [FORGETS_COMPLETED],
    ),
    ("in memory", "undoes_once", r"^Killed after .*(the saga had turned back|in the world)", [IN_MEMORY]),
    (
        "never undoes",
        "undoes_once",
        r"^\w+ refused, and run_saga left \w+ in the world: run_saga returned 'compensated'",
        [NEVER_UNDOES],
    ),
    ("a random key for undoing", "undoes_once", r"under 2 keys: the key changes at a restart", [RANDOM_UNDO_KEY]),
    ("no key for undoing", "undoes_once", r"got no key", [NO_UNDO_KEY]),
    ("one key for both", "undoes_once", r"\w+ got the key of \w+", [ONE_KEY_FOR_BOTH]),
    (
        "returns nothing at the end",
        "undoes_once",
        r"nothing is left, and run_saga returned None; expected \'compensated\'",
        [RETURNS_NOTHING_AT_THE_END],
    ),
    (
        "raises after undoing",
        "undoes_once",
        r"raised RuntimeError: the saga has failed at run_saga, line [^:]*: [^:]*$",
        [RAISES_AFTER_UNDOING],
    ),
    (
        "lets errors through",
        "undoes_once",
        r"^\w+ refused, and run_saga raised StepError: .* at run_saga, line 10: .*: catch the error, and undo",
        [LETS_ERRORS_THROUGH],
    ),
    ("undoes forward", "undoes_once", r"^\w+ refused, and \w+ ran before \w+: \w+ requires \w+", [UNDOES_FORWARD]),
    ("undoes all but the last", "undoes_once", r"left \w+ in the world", [UNDOES_ALL_BUT_THE_LAST]),
    ("forgets the direction", "undoes_once", r"^Killed after .*: the saga had turned back", [DIRECTION_FORGOTTEN]),
    ("notes the direction late", "undoes_once", r"^Killed after .*: the saga had turned back", [DIRECTION_NOTED_LATE]),
    (
        "the failed step is not undone",
        "undoes_once",
        r"its answer was lost, and run_saga left",
        [FAILED_STEP_NOT_UNDONE],
    ),
    ("only what is done is undone", "undoes_once", r"its answer was lost, and run_saga left", [ONLY_DONE_UNDONE]),
    ("an error means: not done", "undoes_once", r"its answer was lost, and run_saga left", [RAISED_MEANS_NOT_DONE]),
    (
        "undone before the deed",
        "undoes_once",
        r"^Killed after .* before \w+ in line 19: .* left \w+ in the world",
        [UNDONE_BEFORE_THE_DEED],
    ),
    ("no intent", "undoes_once", r"its answer was lost, and run_saga left", [NO_INTENT]),
    ("the intent in memory", "intent_first", r"^\w+ may have acted, and the log does not know it", [INTENT_IN_MEMORY]),
    (
        "an error stops the undoing",
        "parks",
        r"and run_saga raised StepError.*: catch the error, and go on with the others",
        [UNDO_STOPS_AT_AN_ERROR],
    ),
    (
        "parks and leaves",
        "parks",
        r"\w+ refused, and \w+ was not called: run_saga returned 'parked'",
        [PARKS_AND_LEAVES],
    ),
    ("swallows the error", "parks", r"run_saga returned 'compensated'; expected 'parked'", [SWALLOWS_THE_ERROR]),
    ("always compensated", "parks", r"run_saga returned 'compensated'; expected 'parked'", [ALWAYS_COMPENSATED]),
    ("parked in memory", "parks", r"run_saga returned 'compensated'; expected 'parked'", [PARKED_IN_MEMORY]),
    (
        "parked before the deed",
        "undoes_once",
        r"^Killed .* nothing is left, and run_saga returned 'parked'; expected 'compensated'",
        [PARKED_BEFORE_THE_DEED],
    ),
    ("the intent after the action", "undoes_once", r"its answer was lost, and run_saga left", [INTENT_AFTER]),
]

BY_HAND = order("""
    named = {step.name: step for step in steps}
    order = []

    def visit(name):
        if name not in order:
            for need in named[name].requires:
                visit(need)
            order.append(name)

    for step in steps:
        visit(step.name)
    return [name for name in order[::-1] if name in done]""")

LEVELS = order("""
    named = {step.name: step for step in steps}

    def depth(name):
        return max((depth(need) + 1 for need in named[name].requires), default=0)

    return sorted(done, key=depth, reverse=True)""")

IN_A_CLASS = """
# answer: run_saga
class Work:
    def __init__(self, saga_id, steps, log):
        self.id, self.log, self.steps = saga_id, log, {step.name: step for step in steps}
        self.order = undo_order(self.steps, steps)

    def knows(self, name):
        return self.log.read(self.id).get(name, "")

    def note(self, name, word):
        self.log.note(self.id, name, word)

    def forward(self):
        for name in self.order[::-1]:
            if self.knows(name) == "finished":
                continue
            self.note(name, "begun")
            try:
                self.steps[name].execute(step_key(self.id, f"do {name}"))
            except Exception as error:
                self.note("", f"failed: {error}")
                return False
            self.note(name, "finished")
        return True

    def undo(self, name):
        for attempt in range(3):
            try:
                self.steps[name].compensate(step_key(self.id, f"take back {name}"))
                return "gone"
            except Exception as error:
                reason = f"stuck: {error}"
        return reason

    def back(self):
        for name in self.order:
            if self.knows(name) in ("begun", "finished"):
                self.note(name, self.undo(name))
        return all(not self.knows(name).startswith("stuck") for name in self.order)


def run_saga(saga_id, steps, log, verbose=False):
    work = Work(saga_id, steps, log)
    if not work.knows("") and work.forward():
        return "completed"
    return "compensated" if work.back() else "parked"
"""

SETTLES_FIRST = """
# answer: run_saga
from enum import StrEnum


class Word(StrEnum):
    WILL = "will"
    DID = "did"
    NOT = "not"
    BACK = "back"
    STUCK = "stuck"


def run_saga(saga_id: str, steps: list, log) -> str:
    by_name = {step.name: step for step in steps}
    names = undo_order(set(by_name), steps)
    known = log.read(saga_id)
    if "way" not in known:
        for name in names[::-1]:
            if known.get(name) == Word.DID:
                continue
            log.note(saga_id, name, Word.WILL)
            try:
                by_name[name].execute(step_key(saga_id, name))
            except Exception:
                log.note(saga_id, "way", Word.BACK)
                break
            log.note(saga_id, name, Word.DID)
        else:
            return "completed"
    stuck = False
    for name in names:
        word = log.read(saga_id).get(name)
        if word in (None, Word.NOT):
            continue
        try:
            by_name[name].compensate(step_key(saga_id + "/undo", name))
        except Exception:
            log.note(saga_id, name, Word.STUCK)
            stuck = True
        else:
            log.note(saga_id, name, Word.NOT)
    return "parked" if stuck else "compensated"
"""

REFUSALS_ARE_CLEAR = but(
    (
        "        except Exception:\n            log.note",
        (
            "        except Exception as error:\n"
            "            clear = isinstance(error, ValueError) and not isinstance(error, OSError)\n"
            "            if clear and name not in doubtful:\n"
            '                log.note(saga_id, name, "refused")\n            log.note'
        ),
    ),
    (
        "    named = {",
        '    doubtful = {name for name, word in log.read(saga_id).items() if word == "started"}\n    named = {',
    ),
)

LEVEL_BY_LEVEL = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    if "way" not in log.read(saga_id):
        sorter = TopologicalSorter({step.name: step.requires for step in steps})
        sorter.prepare()
        try:
            while sorter.is_active():
                ready = sorter.get_ready()
                waiting = [name for name in ready if log.read(saga_id).get(name) != "done"]
                for name in waiting:
                    log.note(saga_id, name, "started")
                for name in waiting:
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
                sorter.done(*ready)
            return "completed"
        except Exception:
            log.note(saga_id, "way", "back")
    back = [name for name in undo_order(named, steps) if log.read(saga_id).get(name) in ("started", "done")]
    for name in back:
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
            log.note(saga_id, name, "undone")
        except Exception:
            log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""

IN_A_POOL_OF_THREADS = """
# answer: run_saga
from concurrent.futures import ThreadPoolExecutor, wait


def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}

    def act(name):
        if log.read(saga_id).get(name) != "done":
            log.note(saga_id, name, "started")
            named[name].execute(step_key(saga_id, name))
            log.note(saga_id, name, "done")

    if "saga" not in log.read(saga_id):
        waves = TopologicalSorter({step.name: step.requires for step in steps})
        waves.prepare()
        failed = False
        with ThreadPoolExecutor() as pool:
            while waves.is_active() and not failed:
                wave = waves.get_ready()
                futures = [pool.submit(act, name) for name in wave]
                wait(futures)
                failed = any(future.exception() for future in futures)
                if not failed:
                    waves.done(*wave)
        if not failed:
            return "completed"
        log.note(saga_id, "saga", "compensating")
    for name in undo_order(named, steps):
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""

BY_ASYNCIO = """
# answer: run_saga
import asyncio


def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}

    def act(name):
        if log.read(saga_id).get(name) != "done":
            log.note(saga_id, name, "started")
            named[name].execute(step_key(saga_id, name))
            log.note(saga_id, name, "done")

    if "saga" not in log.read(saga_id):
        waves = TopologicalSorter({step.name: step.requires for step in steps})
        waves.prepare()
        failed = False
        while waves.is_active() and not failed:
            wave = waves.get_ready()

            async def all_at_once(wave=wave):
                return await asyncio.gather(*(asyncio.to_thread(act, name) for name in wave), return_exceptions=True)

            failed = any(asyncio.run(all_at_once()))
            if not failed:
                waves.done(*wave)
        if not failed:
            return "completed"
        log.note(saga_id, "saga", "compensating")
    for name in undo_order(named, steps):
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""

RIGHT = {
    "an order by hand": [BY_HAND],
    "an order by depth": [LEVELS],
    "a class": [IN_A_CLASS],
    "other words, tried again at every call": [SETTLES_FIRST],
    "a clear refusal is not undone": [REFUSALS_ARE_CLEAR],
    "level by level": [LEVEL_BY_LEVEL],
    "side by side, in a pool of threads": [IN_A_POOL_OF_THREADS],
    "side by side, by asyncio": [BY_ASYNCIO],
}

DEPTHS_REMEMBERED = order("""
    if not DEPTHS:
        DEPTHS.update({step.name: step.requires for step in steps})

    def depth(name):
        return 1 + max(map(depth, DEPTHS.get(name, ())), default=0)

    return sorted(done, key=depth, reverse=True)""").replace("def undo_order", "DEPTHS = {}\n\n\ndef undo_order")
FIRST_NEED = order("""
    named = {step.name: step for step in steps}

    def depth(name):
        return 1 + depth(named[name].requires[0]) if named[name].requires else 0

    return sorted(done, key=depth, reverse=True)""")
COMPARED_IN_PAIRS = order("""
    named = {step.name: step for step in steps}

    def compare(one, other):
        if other in named[one].requires:
            return -1
        return 1 if one in named[other].requires else 0

    return sorted(done, key=cmp_to_key(compare))""").replace(
    "def undo_order", "from functools import cmp_to_key\n\n\ndef undo_order"
)
TRY = '                named[name].compensate(step_key(saga_id, f"undo {name}"))\n'
LAST = 'return "parked" if "parked" in log.read(saga_id).values() else "compensated"'
SOME_ERRORS = but(
    (
        '        except Exception:\n            log.note(saga_id, "saga"',
        '        except (ValueError, OSError):\n            log.note(saga_id, "saga"',
    )
)
SOME_UNDO_ERRORS = but(
    (
        "            except Exception:\n                log",
        "            except (ValueError, OSError):\n                log",
    )
)
UNDOES_UNTIL_IT_WORKS = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            while True:
                try:
                    named[name].compensate(step_key(saga_id, f"undo {name}"))
                    break
                except Exception:
                    continue
            try:
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
DIRECTION_OF_THE_PROCESS = but(
    ('if "saga" not in log.read(saga_id):', 'if not FAILED and "saga" not in log.read(saga_id):'),
    (
        'log.note(saga_id, "saga", "compensating")',
        'log.note(saga_id, "saga", "compensating")\n            FAILED.append(saga_id)',
    ),
    ("\ndef run_saga", "\nFAILED = []\n\n\ndef run_saga"),
)
ONE_LOG_FOR_ALL = but(("    named = {", "    saga, saga_id = saga_id, 'sagas'\n    named = {")).replace(
    "step_key(saga_id", "step_key(saga"
)
NO_TRY_AFTER_A_RESTART = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    words = log.read(saga_id)
    if words and "saga" not in words:
        for name in reversed(backward):
            if words.get(name) != "done":
                log.note(saga_id, name, "started")
                named[name].execute(step_key(saga_id, name))
                log.note(saga_id, name, "done")
        return "completed"
    if "saga" not in words:
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
NO_TRY_FOR_THE_REST_OF_THE_UNDOING = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    if "undone" in log.read(saga_id).values():
        for name in backward:
            if log.read(saga_id).get(name) in ("started", "done"):
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
ONLY_A_TIMEOUT_IS_DOUBTFUL = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except TimeoutError:
            log.note(saga_id, "saga", "compensating")
        except Exception:
            log.note(saga_id, name, "refused")
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
THE_LAST_ONE_DECIDES = but(
    ('log.note(saga_id, name, "undone")', 'log.note(saga_id, name, "undone")\n                outcome = "compensated"'),
    ('log.note(saga_id, name, "parked")', 'log.note(saga_id, name, "parked")\n                outcome = "parked"'),
    ("    for name in backward:\n", '    outcome = "compensated"\n    for name in backward:\n'),
    (LAST, "return outcome"),
)
THE_OUTCOME_UNDER_ONE_NAME = but(
    (
        'log.note(saga_id, name, "undone")',
        'log.note(saga_id, name, "undone")\n                log.note(saga_id, "saga", "compensated")',
    ),
    (
        'log.note(saga_id, name, "parked")',
        'log.note(saga_id, name, "given up")\n                log.note(saga_id, "saga", "parked")',
    ),
    (LAST, 'return "parked" if log.read(saga_id)["saga"] == "parked" else "compensated"'),
)
INTENT_FOR_THE_FIRST_ONLY = but(
    ('log.note(saga_id, name, "started")', 'log.note(saga_id, name, "started") if not log.read(saga_id) else None')
)
NUMBERS_FOR_NAMES = but(
    ('log.note(saga_id, name, "started")', 'log.note(saga_id, str(backward.index(name)), "started")'),
    ('log.note(saga_id, name, "done")', 'log.note(saga_id, str(backward.index(name)), "done")'),
    ('log.read(saga_id).get(name) != "done"', 'log.read(saga_id).get(str(backward.index(name))) != "done"'),
    (
        'log.read(saga_id).get(name) in ("started", "done")',
        'log.read(saga_id).get(str(backward.index(name))) in ("started", "done")',
    ),
    ('log.note(saga_id, name, "undone")', 'log.note(saga_id, str(backward.index(name)), "undone")'),
    ('log.note(saga_id, name, "parked")', 'log.note(saga_id, str(backward.index(name)), "parked")'),
)
GENERATOR = but(('return "completed"', 'return "completed"\n            yield'))
ASYNC = but(("def run_saga", "async def run_saga"))
LOG_CLEARED = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    outcome = "parked" if "parked" in log.read(saga_id).values() else "compensated"
    Path(f"{saga_id}.log").unlink()
    return outcome
"""
UNDOES_IN_LIST_ORDER = but(
    ("    for name in backward:\n", "    for name in [step.name for step in reversed(steps)]:\n")
)
FAILED_STEP_FIRST_TIME_ONLY = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
            except Exception:
                log.note(saga_id, name, "parked")
    for name in backward:
        if log.read(saga_id).get(name) == "done":
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
FORGETS_PARKED_AFTER_A_RESTART = but(
    ('in ("started", "done")', 'in ("started", "done", "undone")'),
    ('"parked" in log.read(saga_id).values()', 'tried and "parked" in log.read(saga_id).values()'),
    ("            try:\n" + TRY, "            tried = True\n            try:\n" + TRY),
    ("    for name in backward:\n", "    tried = False\n    for name in backward:\n"),
)
GOES_ON_WITH_THE_OTHERS = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        failed = None
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    try:
                        named[name].execute(step_key(saga_id, name))
                        log.note(saga_id, name, "done")
                    except Exception as error:
                        failed = error
            if failed:
                raise failed
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
LAZY = """
# answer: undo_order
def everything(name, needs):
    return set(needs[name]).union(*(everything(need, needs) for need in needs[name]))


def undo_order(done, steps):

    needs = {step.name: set(step.requires) for step in steps}
    for name in needs:
        for other in needs:
            if name in needs[other]:
                needs[other] |= needs[name]
    yield from sorted(done, key=lambda name: -len(everything(name, needs)))
"""
TUPLE = order("""
    order = tuple(TopologicalSorter({step.name: step.requires for step in steps}).static_order())
    return tuple(filter(set(done).__contains__, order[::-1]))""")
TRIES_THREE_TIMES = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    for attempt in range(3):
                        try:
                            named[name].execute(step_key(saga_id, name))
                            break
                        except Exception:
                            if attempt == 2:
                                raise
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""


def keys(execute, compensate, before=""):
    """The right answer with these two keys."""
    cell = but(("step_key(saga_id, name)", execute), ('step_key(saga_id, f"undo {name}")', compensate))
    return cell.replace("# answer: run_saga\n", f"# answer: run_saga\n{before}")


KEYS_BY_HAND = keys('f"{saga_id}/{name}/do"', 'f"{saga_id}/{name}/undo"')
KEYS_WITH_SPACES = keys('f"do {saga_id} {name}"', 'f"undo {saga_id} {name}"')
KEYS_OF_LENGTHS = keys('f"{len(saga_id)}:{saga_id}{name}"', 'f"undo {len(name)}:{name}{saga_id}"')
OUTCOME_NOTED = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    outcome = log.read(saga_id).get("outcome")
    if outcome:
        return outcome
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            log.note(saga_id, "outcome", "completed")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    outcome = "parked" if "parked" in log.read(saga_id).values() else "compensated"
    log.note(saga_id, "outcome", outcome)
    return outcome
"""
PARKED_ARE_TRIED_AGAIN = but(('in ("started", "done")', 'in ("started", "done", "parked")'))
PLAN_FIRST = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    by_name = {step.name: step for step in steps}
    if "plan" not in log.read(saga_id):
        log.note(saga_id, "plan", ",".join(undo_order(by_name, steps)[::-1]))
    plan = log.read(saga_id)["plan"].split(",")
    if "failed" not in log.read(saga_id):
        for number, name in enumerate(plan):
            if int(log.read(saga_id).get("next", 0)) > number:
                continue
            try:
                by_name[name].execute(step_key(saga_id, name))
            except Exception:
                log.note(saga_id, "failed", str(number))
                break
            log.note(saga_id, "next", str(number + 1))
        else:
            return "completed"
    stuck = []
    for name in reversed(plan[: int(log.read(saga_id)["failed"]) + 1]):
        try:
            by_name[name].compensate(step_key(saga_id, "undo " + name))
        except Exception:
            stuck.append(name)
    return "parked" if stuck else "compensated"
"""
WITH_DATACLASS = """
# answer: run_saga
from dataclasses import dataclass


@dataclass
class Entry:
    log: object
    saga_id: str
    name: str

    @property
    def word(self):
        return self.log.read(self.saga_id).get(self.name, "new")

    @word.setter
    def word(self, word):
        self.log.note(self.saga_id, self.name, word)


def run_saga(saga_id, steps, log):
    entries = {step.name: Entry(log, saga_id, step.name) for step in steps}
    named = {step.name: step for step in steps}
    way = Entry(log, saga_id, "#way")
    backward = undo_order(list(entries), steps)
    for name in backward[::-1]:
        if way.word == "back":
            break
        if entries[name].word == "done":
            continue
        entries[name].word = "begun"
        try:
            named[name].execute(step_key(saga_id, name))
        except Exception:
            way.word = "back"
        else:
            entries[name].word = "done"
    if way.word != "back":
        return "completed"
    for name in backward:
        if entries[name].word in ("new", "undone"):
            continue
        entries[name].word = "undoing"
        try:
            named[name].compensate(step_key(saga_id, "-" + name))
        except Exception:
            entries[name].word = "stuck"
        else:
            entries[name].word = "undone"
    return "parked" if any(entry.word == "stuck" for entry in entries.values()) else "compensated"
"""
BFS_LEVELS = """
# answer: undo_order
from collections import deque


def undo_order(done, steps) -> list[str]:
    level, queue = {}, deque()
    for step in steps:
        if not step.requires:
            level[step.name] = 0
            queue.append(step.name)
    while queue:
        current = queue.popleft()
        for step in steps:
            if current in step.requires and step.name not in level:
                level[step.name] = level[current] + 1
                queue.append(step.name)
    return sorted(done, key=lambda name: level[name], reverse=True)
"""
FIRST_REQUIREMENT_ONLY = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}

    def depth(step):
        return 1 + depth(named[step.requires[0]]) if step.requires else 0

    ordered = sorted(steps, key=depth)
    if log.read(saga_id).get("direction") != "back":
        try:
            for step in ordered:
                if log.read(saga_id).get(step.name) != "done":
                    log.note(saga_id, step.name, "doing")
                    step.execute(step_key(saga_id, step.name))
                    log.note(saga_id, step.name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "direction", "back")
    stuck = False
    begun = [name for name, word in log.read(saga_id).items() if word in ("doing", "done", "stuck")]
    for name in undo_order(begun, steps):
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
            log.note(saga_id, name, "undone")
        except Exception:
            log.note(saga_id, name, "stuck")
            stuck = True
    return "parked" if stuck else "compensated"
"""
RECOVERY_UNDOES_IN_LOG_ORDER = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    words = log.read(saga_id)
    if "saga" in words:  # we died while undoing: finish that
        return undo_all([name for name in words if name in named], saga_id, named, log)
    try:
        for name in reversed(undo_order(named, steps)):
            if words.get(name) != "done":
                log.note(saga_id, name, "started")
                named[name].execute(step_key(saga_id, name))
                log.note(saga_id, name, "done")
        return "completed"
    except Exception:
        log.note(saga_id, "saga", "compensating")
        touched = [name for name in log.read(saga_id) if name in named]
        return undo_all(undo_order(touched, steps), saga_id, named, log)


def undo_all(names, saga_id, named, log):
    for name in names:
        if log.read(saga_id)[name] in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
RECOVERY_GOES_ON_IN_LISTED_ORDER = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    words = log.read(saga_id)
    named = {step.name: step for step in steps}
    try:
        if not words:
            todo = undo_order(named, steps)[::-1]
        else:  # resume: do everything that is not done yet
            todo = [step.name for step in steps if words.get(step.name) != "done"]
        if "failed" not in words:
            for name in todo:
                log.note(saga_id, name, "started")
                named[name].execute(step_key(saga_id, name))
                log.note(saga_id, name, "done")
            return "completed"
    except Exception as error:
        log.note(saga_id, "failed", repr(error))
    words = log.read(saga_id)
    parked = False
    for name in undo_order([name for name in named if words.get(name, "undone") != "undone"], steps):
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
            log.note(saga_id, name, "undone")
        except Exception:
            log.note(saga_id, name, "needs a human")
            parked = True
    return "parked" if parked else "compensated"
"""
FAILED_STEP_UNDONE_LAST = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(undo_order(named, steps)):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")

    def undo(name):
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
            log.note(saga_id, name, "undone")
        except Exception:
            log.note(saga_id, name, "parked")

    words = log.read(saga_id)
    for name in undo_order([name for name in named if words.get(name) == "done"], steps):
        undo(name)
    for name in named:  # in doubt: the step that failed may have acted all the same
        if words.get(name) == "started":
            undo(name)
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
RECOVERY_FORGETS_THE_DOUBTFUL = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    failed = None
    if "saga" not in log.read(saga_id):
        for name in reversed(undo_order(named, steps)):
            if log.read(saga_id).get(name) == "done":
                continue
            log.note(saga_id, name, "started")
            try:
                named[name].execute(step_key(saga_id, name))
            except Exception:
                failed = name
                log.note(saga_id, "saga", "compensating")
                break
            log.note(saga_id, name, "done")
        else:
            return "completed"
    for name in undo_order(named, steps):
        if name == failed or log.read(saga_id).get(name) == "done":
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
PARKED_GOES_FORWARD_AGAIN = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    status = log.read(saga_id).get("saga", "running")
    if status in ("completed", "compensated"):
        return status
    if status != "compensating":
        try:
            for name in reversed(undo_order(named, steps)):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            log.note(saga_id, "saga", "completed")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in undo_order(named, steps):
        if log.read(saga_id).get(name) in ("started", "done", "parked"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    status = "parked" if "parked" in log.read(saga_id).values() else "compensated"
    log.note(saga_id, "saga", status)
    return status
"""
EXIT_STACK_IN_MEMORY = """
# answer: run_saga
from contextlib import ExitStack


def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    outcome = "compensated"

    def undo(name):
        nonlocal outcome
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
            log.note(saga_id, name, "undone")
        except Exception:
            log.note(saga_id, name, "parked")
            outcome = "parked"

    try:
        with ExitStack() as compensations:
            for name in reversed(undo_order(named, steps)):
                log.note(saga_id, name, "started")
                compensations.callback(undo, name)
                named[name].execute(step_key(saga_id, name))
                log.note(saga_id, name, "done")
            compensations.pop_all()
            return "completed"
    except Exception:
        return outcome
"""
TIMEOUT_TAKEN_FOR_UNDONE = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
                log.note(saga_id, name, "undone")
            except (TimeoutError, ConnectionError):  # a network problem, it will have arrived
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
UNDOES_ALL_AT_ONCE = """
# answer: run_saga
from concurrent.futures import ThreadPoolExecutor


def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(undo_order(named, steps)):
                if log.read(saga_id).get(name) != "done":
                    log.note(saga_id, name, "started")
                    named[name].execute(step_key(saga_id, name))
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")

    def undo(step):
        if log.read(saga_id).get(step.name) in ("started", "done"):
            try:
                step.compensate(step_key(saga_id, f"undo {step.name}"))
                log.note(saga_id, step.name, "undone")
            except Exception:
                log.note(saga_id, step.name, "parked")

    with ThreadPoolExecutor() as pool:
        list(pool.map(undo, steps))
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
KEYS_KEPT_IN_THE_LOG = """
# answer: run_saga
from uuid import uuid4


def run_saga(saga_id, steps, log) -> str:
    def key(purpose):
        if purpose not in log.read(saga_id):
            log.note(saga_id, purpose, uuid4().hex)
        return log.read(saga_id)[purpose]

    named = {step.name: step for step in steps}
    backward = undo_order(named, steps)
    if "saga" not in log.read(saga_id):
        try:
            for name in reversed(backward):
                if log.read(saga_id).get(name) != "done":
                    do = key(f"key for {name}")
                    log.note(saga_id, name, "started")
                    named[name].execute(do)
                    log.note(saga_id, name, "done")
            return "completed"
        except Exception:
            log.note(saga_id, "saga", "compensating")
    for name in backward:
        if log.read(saga_id).get(name) in ("started", "done"):
            undo = key(f"key for undoing {name}")
            try:
                named[name].compensate(undo)
                log.note(saga_id, name, "undone")
            except Exception:
                log.note(saga_id, name, "parked")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
EXIT_STACK_FROM_THE_LOG = """
# answer: run_saga
from contextlib import ExitStack


def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    words = log.read(saga_id)

    def undo(name):
        if log.read(saga_id).get(name) == "undone":
            return
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
            log.note(saga_id, name, "undone")
        except Exception:
            log.note(saga_id, name, "parked")

    with ExitStack() as compensations:
        for name in undo_order(named, steps)[::-1]:
            if "failed" in words:
                if name in words:
                    compensations.callback(undo, name)
                continue
            if words.get(name) != "done":
                log.note(saga_id, name, "started")
            compensations.callback(undo, name)
            if words.get(name) != "done":
                try:
                    named[name].execute(step_key(saga_id, name))
                except Exception as error:
                    log.note(saga_id, "failed", f"{name}: {error}")
                    break
                log.note(saga_id, name, "done")
        else:
            if "failed" not in words:
                compensations.pop_all()
                return "completed"
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""
STATE_MACHINE_WITH_MATCH = '''
# answer: run_saga
from dataclasses import dataclass, field


@dataclass
class Machine:
    id: str
    steps: dict
    log: object
    backward: list
    tried: set = field(default_factory=set)

    def next(self):
        """What to do now, made of the log alone (and of what was tried in vain by this process)."""
        words = self.log.read(self.id)
        if words.get("way") != "back":
            for name in reversed(self.backward):
                if words.get(name) != "ok":
                    return "do", name
            return "end", "completed"
        for name in self.backward:
            if words.get(name, "gone") != "gone" and name not in self.tried:
                return "undo", name
        return "end", "parked" if self.tried else "compensated"

    def run(self):
        while True:
            match self.next():
                case "end", outcome:
                    return outcome
                case "do", name:
                    self.log.note(self.id, name, "?")
                    try:
                        self.steps[name].execute(step_key(self.id, name))
                    except Exception:
                        self.log.note(self.id, "way", "back")
                    else:
                        self.log.note(self.id, name, "ok")
                case "undo", name:
                    try:
                        self.steps[name].compensate(step_key(self.id, "un" + name))
                    except Exception:
                        self.tried.add(name)
                    else:
                        self.log.note(self.id, name, "gone")


def run_saga(saga_id, steps, log) -> str:
    named = {step.name: step for step in steps}
    return Machine(saga_id, named, log, undo_order(list(named), steps)).run()
'''
ONE_DOCUMENT_IN_THE_LOG = """
# answer: run_saga
def run_saga(saga_id, steps, log) -> str:
    state = json.loads(log.read(saga_id).get("state", '{"way": "forward", "steps": {}}'))
    named = {step.name: step for step in steps}

    def save(name=None, word=None, way=None):
        if name:
            state["steps"][name] = word
        if way:
            state["way"] = way
        log.note(saga_id, "state", json.dumps(state))

    if state["way"] == "forward":
        for name in undo_order(named, steps)[::-1]:
            if state["steps"].get(name) == "done":
                continue
            save(name, "started")
            try:
                named[name].execute(step_key(saga_id, name))
            except Exception:
                save(way="back")
                break
            save(name, "done")
        else:
            return "completed"
    for name in undo_order(state["steps"], steps):
        if state["steps"][name] == "undone":
            continue
        try:
            named[name].compensate(step_key(saga_id, f"undo {name}"))
        except Exception:
            save(name, "parked")
        else:
            save(name, "undone")
    return "parked" if "parked" in state["steps"].values() else "compensated"
"""

A_TIMEOUT_IS_TAKEN_FOR_DONE = but(
    (
        "                    named[name].execute(step_key(saga_id, name))\n",
        (
            "                    try:\n                        named[name].execute(step_key(saga_id, name))\n"
            "                    except TimeoutError:\n                        pass\n"
        ),
    )
)
A_NEW_KEY_FOR_EACH_TRY = but(
    (
        "                    named[name].execute(step_key(saga_id, name))\n",
        (
            "                    for attempt in range(3):\n                        try:\n"
            "                            named[name].execute(step_key(saga_id, f'{name} {attempt}'))\n"
            "                            break\n                        except Exception:\n"
            "                            if attempt == 2:\n                                raise\n"
        ),
    )
)
SAYS_DONE = but(('return "completed"', 'return "done"'))
KEY_OF_THE_PROCESS = but(
    ("execute(step_key(saga_id, name))", "execute(f'{__import__(\"os\").getpid()} {saga_id} {name}')")
)

ONE_GAP = order("""
    requires = {step.name: set(step.requires) for step in steps}
    near = {name: requires[name].union(*(requires[need] for need in requires[name])) for name in done}
    return list(TopologicalSorter({name: sorted(near[name] & set(done)) for name in done}).static_order())[::-1]""")
KEYS_OF_SLUGS = but(
    ("execute(step_key(saga_id, name))", 'execute(step_key(saga_id.replace(" ", "-"), name))'),
    ('step_key(saga_id, f"undo {name}")', 'step_key(saga_id.replace(" ", "-"), f"undo {name}")'),
)
KEYS_IN_SMALL_LETTERS = but(
    ("execute(step_key(saga_id, name))", "execute(step_key(saga_id.lower(), name))"),
    ('step_key(saga_id, f"undo {name}")', 'step_key(saga_id.lower(), f"undo {name}")'),
)
A_FALSE_RESULT_IS_A_FAILURE = but(("named[name].execute", "assert named[name].execute"))
THE_RESULT_IS_THE_WORD = but(
    ("named[name].execute", "result = named[name].execute"),
    ('log.note(saga_id, name, "done")', "log.note(saga_id, name, str(result))"),
    ('get(name) != "done"', 'get(name, "started") == "started"'),
    ('get(name) in ("started", "done")', 'get(name, "undone") not in ("undone", "parked")'),
)

WRONG += [
    ("bridges one gap", "undo_order", r"is undone before \w+, which requires it through", [ONE_GAP]),
    ("keys of slugs", "undoes_once", r"Two sagas called .* under one key", [KEYS_OF_SLUGS]),
    ("keys in small letters", "undoes_once", r"Two sagas called .* under one key", [KEYS_IN_SMALL_LETTERS]),
    (
        "a false result is a failure",
        "crash_goes_on",
        r"no step had failed, and \w+ was called: \w+ returned (None|''|0|False)",
        [A_FALSE_RESULT_IS_A_FAILURE],
    ),
    (
        "the result is the word",
        "undoes_once",
        r"requires \w+$|run_saga left \w+ in the world",
        [THE_RESULT_IS_THE_WORD],
    ),
    ("depths remembered", "undo_order", r"is undone before", [DEPTHS_REMEMBERED]),
    ("the first need only", "undo_order", r"is undone before", [FIRST_NEED]),
    ("compared in pairs", "undo_order", r"is undone before", [COMPARED_IN_PAIRS]),
    ("levels by the shortest way", "undo_order", r"is undone before", [BFS_LEVELS]),
    ("one log for all", "crash_goes_on", r"was never done|got the key", [ONE_LOG_FOR_ALL]),
    ("a generator", "crash_goes_on", r"run_saga returned <generator object", [GENERATOR]),
    (
        "a coroutine",
        "crash_goes_on",
        r"run_saga returned a coroutine, of which nothing has run: write def in place of async",
        [ASYNC],
    ),
    (
        "follows the first requirement",
        "crash_goes_on",
        r"^\w+ ran before \w+, which it requires$",
        [FIRST_REQUIREMENT_ONLY],
    ),
    (
        "goes on in the order of the list",
        "crash_goes_on",
        r"^Killed .* ran before \w+, which it requires$",
        [RECOVERY_GOES_ON_IN_LISTED_ORDER],
    ),
    (
        "says done",
        "crash_goes_on",
        r"^nothing failed, all steps were done, and run_saga returned 'done'; expected 'completed'$",
        [SAYS_DONE],
    ),
    ("the key of the process", "crash_goes_on", r"under 2 keys: the key changes at a restart$", [KEY_OF_THE_PROCESS]),
    (
        "a new key for each try",
        "undoes_once",
        r"^\w+ ran 2 times, under 2 keys: the key changes$",
        [A_NEW_KEY_FOR_EACH_TRY],
    ),
    (
        "a timeout is taken for done",
        "undoes_once",
        r"refused, and (\w+, which requires it, was called|run_saga left)|returned 'completed'; expected",
        [A_TIMEOUT_IS_TAKEN_FOR_DONE],
    ),
    ("some errors only", "undoes_once", r"run_saga raised .*: catch the error, and undo", [SOME_ERRORS]),
    (
        "a direction of the process",
        "undoes_once",
        r"no step had failed|was never done|returned",
        [DIRECTION_OF_THE_PROCESS],
    ),
    (
        "no try after a restart",
        "undoes_once",
        r"^Killed .* run_saga raised .*: catch the error, and undo",
        [NO_TRY_AFTER_A_RESTART],
    ),
    (
        "only a timeout is doubtful",
        "undoes_once",
        r"its answer was lost, and run_saga left",
        [ONLY_A_TIMEOUT_IS_DOUBTFUL],
    ),
    ("undoes in the order of the list", "undoes_once", r"ran before \w+: \w+ requires", [UNDOES_IN_LIST_ORDER]),
    (
        "undoes in the order of the log",
        "undoes_once",
        r"^Killed .* ran before \w+: \w+ requires",
        [RECOVERY_UNDOES_IN_LOG_ORDER],
    ),
    ("the failed step last", "undoes_once", r"its answer was lost, and \w+ ran before", [FAILED_STEP_UNDONE_LAST]),
    ("side by side", "undoes_once", r"ran before \w+: \w+ requires", [UNDOES_ALL_AT_ONCE]),
    ("a stack in memory", "undoes_once", r"^Killed .*(had turned back|in the world)", [EXIT_STACK_IN_MEMORY]),
    (
        "goes on with the others",
        "undoes_once",
        r"refused, and \w+, which requires it, was called$",
        [GOES_ON_WITH_THE_OTHERS],
    ),
    (
        "the failed step in this process only",
        "intent_first",
        r"left \w+ in the world|ran before",
        [FAILED_STEP_FIRST_TIME_ONLY],
    ),
    ("forgets what is in doubt", "intent_first", r"left \w+ in the world|ran before", [RECOVERY_FORGETS_THE_DOUBTFUL]),
    ("the intent of the first only", "intent_first", r"does not know it", [INTENT_FOR_THE_FIRST_ONLY]),
    ("numbers for names", "intent_first", r"may have acted, and the log does not know it", [NUMBERS_FOR_NAMES]),
    ("the log is cleared", "undoes_once", r"run_saga raised FileNotFoundError", [LOG_CLEARED]),
    ("some errors of compensations", "parks", r"run_saga raised .*: catch the error, and go on", [SOME_UNDO_ERRORS]),
    (
        "undoes until it works",
        "parks",
        r"run_saga did not end: it called \w+ again and again$",
        [UNDOES_UNTIL_IT_WORKS],
    ),
    (
        "no try for the rest",
        "parks",
        r"^Killed .* run_saga raised .*go on with the others",
        [NO_TRY_FOR_THE_REST_OF_THE_UNDOING],
    ),
    ("the last one decides", "parks", r"'compensated'; expected 'parked'", [THE_LAST_ONE_DECIDES]),
    ("the outcome under one name", "parks", r"'compensated'; expected 'parked'", [THE_OUTCOME_UNDER_ONE_NAME]),
    (
        "forgets what is parked",
        "parks",
        r"^Killed .*'compensated'; expected 'parked'",
        [FORGETS_PARKED_AFTER_A_RESTART],
    ),
    ("parked goes forward again", "parks", r"^Killed .*: the saga had turned back", [PARKED_GOES_FORWARD_AGAIN]),
    ("a timeout is taken for undone", "parks", r"'compensated'; expected 'parked'", [TIMEOUT_TAKEN_FOR_UNDONE]),
]

RIGHT |= {
    "a generator of names": [LAZY],
    "a tuple of names, and the outcome is noted": [TUPLE, OUTCOME_NOTED],
    "tries three times": [TRIES_THREE_TIMES],
    "keys by hand": [KEYS_BY_HAND],
    "keys with spaces": [KEYS_WITH_SPACES],
    "keys of lengths": [KEYS_OF_LENGTHS],
    "what is parked is tried again": [PARKED_ARE_TRIED_AGAIN],
    "a plan first": [PLAN_FIRST],
    "entries of the log": [WITH_DATACLASS],
    "keys that are kept in the log": [KEYS_KEPT_IN_THE_LOG],
    "a stack that is filled from the log": [EXIT_STACK_FROM_THE_LOG],
    "a state machine": [STATE_MACHINE_WITH_MATCH],
    "one document in the log": [ONE_DOCUMENT_IN_THE_LOG],
}

TAKEN = "named[name].execute(step_key(saga_id, name))"

COMPARED_BY_NEEDS = """
# answer: undo_order
from functools import cmp_to_key


def undo_order(done, steps):
    needs = {step.name: set(step.requires) for step in steps}
    return sorted(done, key=cmp_to_key(lambda a, b: (a in needs[b]) - (b in needs[a])))
"""

BEFORE_WHAT_IT_NEEDS = """
# answer: undo_order
def undo_order(done, steps):
    needs, order = {step.name: step.requires for step in steps}, []

    def visit(name):
        if name not in order:
            order.append(name)
            for need in needs[name]:
                visit(need)

    for name in needs:
        visit(name)
    return [name for name in order if name in done]
"""

AFTER_WHAT_IT_NEEDS = BEFORE_WHAT_IT_NEEDS.replace("            order.append(name)\n", "").replace(
    "                visit(need)\n", "                visit(need)\n            order.append(name)\n"
)

READY_AT_ONCE = """
# answer: undo_order
def undo_order(done, steps):
    dependents = {step.name: set() for step in steps}
    for step in steps:
        for need in step.requires:
            dependents[need].add(step.name)
    sorter, order = TopologicalSorter(dependents), []
    sorter.prepare()
    while sorter.is_active():
        ready = sorter.get_ready()
        order += [name for name in ready if name in set(done)]
        sorter.done(*ready)
    return order
"""

WRONG += [
    ("no result is a failure", "crash_goes_on", r"no step had failed, and \w+ was called: \w+ returned None",
     [but((TAKEN, f"if {TAKEN} is None:\n                        raise RuntimeError(name)"))]),
    ("false is a failure", "crash_goes_on", r"no step had failed, and \w+ was called: \w+ returned False",
     [but((TAKEN, f"if {TAKEN} is False:\n                        raise RuntimeError(name)"))]),
    ("compared by needs", "undo_order", r"is undone before", [COMPARED_BY_NEEDS]),
    ("before what it needs, by depth", "undo_order", r"is undone before", [BEFORE_WHAT_IT_NEEDS]),
    ("after what it needs", "undo_order", r"is undone before", [AFTER_WHAT_IT_NEEDS]),
]  # fmt: skip

RIGHT |= {
    "ready at once": [READY_AT_ONCE],
    "by depth, turned round": [
        AFTER_WHAT_IT_NEEDS.replace("for name in order if", "for name in reversed(order) if"),
    ],
}

GLUED = r"^Two sagas called \w+ under one key, '.*': '.*' with its step '.*', and '.*' with '.*'$"

WRONG += [
    ("keys glued with nothing", "undoes_once", GLUED, [keys('f"{saga_id}{name}"', 'f"undo {saga_id}{name}"')]),
    ("keys glued with a dash", "undoes_once", GLUED, [keys('f"{saga_id}-{name}"', 'f"undo {saga_id}-{name}"')]),
    ("the step before the saga", "undoes_once", GLUED, [
        keys('name + "_" + saga_id', '"undo " + name + "_" + saga_id')]),
    ("digests of glued keys", "undoes_once", GLUED, [
        keys('sha256("_".join([saga_id, name]).encode()).hexdigest()',
             'sha256("_".join(["undo ", saga_id, name]).encode()).hexdigest()',
             "from hashlib import sha256\n")]),
    ("the compensation's key alone is glued", "undoes_once", GLUED, [
        keys("step_key(saga_id, name)", 'f"undo {saga_id}.{name}"')]),
]  # fmt: skip

DOES_ALL_AGAIN = """
# answer: run_saga
def run_saga(saga_id, steps, log):
    named = {step.name: step for step in steps}
    order = list(TopologicalSorter({step.name: step.requires for step in steps}).static_order())
    if log.read(saga_id).get("saga") == "completed":
        return "completed"
    if log.read(saga_id).get("saga") != "back":
        for name in order:
            log.note(saga_id, name, "begun")
            try:
                named[name].execute(step_key(saga_id, name))
            except Exception:
                log.note(saga_id, "saga", "back")
                break
            log.note(saga_id, name, "done")
        else:
            log.note(saga_id, "saga", "completed")
            return "completed"
    for name in reversed(order):
        if log.read(saga_id).get(name) in ("begun", "done"):
            try:
                named[name].compensate(step_key(saga_id, f"undo {name}"))
            except Exception:
                log.note(saga_id, name, "parked")
            else:
                log.note(saga_id, name, "undone")
    return "parked" if "parked" in log.read(saga_id).values() else "compensated"
"""

WRONG += [
    ("does all again", "crash_goes_on", r"was done, and \w+ came after it\. It was called again, and now it refuses",
     [DOES_ALL_AGAIN]),
]  # fmt: skip
