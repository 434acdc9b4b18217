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

WRONG = [
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
    ("endless", "undo_order", r"undo_order (did not|hung|was)", [ENDLESS]),
    ("returns nothing", "undo_order", r"TypeError", [RETURNS_NOTHING]),
    ("steps for names", "undo_order", r"is there 0 times", [STEPS_FOR_NAMES]),
    ("does nothing", "crash_goes_on", r"the steps ran in the order \[\]", [DOES_NOTHING]),
    ("in the order of the list", "crash_goes_on", r"the steps ran in the order", [IN_LISTED_ORDER]),
    ("a crash is a failure", "crash_goes_on", r"a crash is no failure", [CRASH_IS_FAILURE]),
    ("a crash is a failure of the step", "crash_goes_on", r"a crash is no failure", [CRASH_IS_FAILURE_OF_THE_STEP]),
    ("skips what has started", "crash_goes_on", r"was never done", [SKIPS_WHAT_HAS_STARTED]),
    ("a random key", "crash_goes_on", r"ran 2 times, under 2 keys: the key changes", [RANDOM_KEY]),
    ("no key", "crash_goes_on", r"create_dns got no key", [NO_KEY]),
    ("one key for all", "crash_goes_on", r"issue_certificate got the key of create_dns", [ONE_KEY_FOR_ALL]),
    ("a key without the saga", "crash_goes_on", r"Two sagas called create_dns under one key", [KEY_WITHOUT_SAGA]),
    ("forgets to say completed", "crash_goes_on", r"delete_dns|expected 'completed'|was called", [FORGETS_COMPLETED]),
    ("in memory", "undoes_once", r"in the world", [IN_MEMORY]),
    ("never undoes", "undoes_once", r"issue_certificate refused, and run_saga left create_dns", [NEVER_UNDOES]),
    ("a random key for undoing", "undoes_once", r"under 2 keys: the key changes at a restart", [RANDOM_UNDO_KEY]),
    ("no key for undoing", "undoes_once", r"got no key", [NO_UNDO_KEY]),
    ("one key for both", "undoes_once", r"delete_dns got the key of create_dns", [ONE_KEY_FOR_BOTH]),
    (
        "returns nothing at the end",
        "undoes_once",
        r"nothing is left, and run_saga returned None",
        [RETURNS_NOTHING_AT_THE_END],
    ),
    ("raises after undoing", "undoes_once", r"raised RuntimeError.*catch the error, and undo", [RAISES_AFTER_UNDOING]),
    ("lets errors through", "undoes_once", r"A step failed, and run_saga raised ToolError", [LETS_ERRORS_THROUGH]),
    ("undoes forward", "undoes_once", r"delete_dns ran before revoke_certificate", [UNDOES_FORWARD]),
    ("undoes all but the last", "undoes_once", r"left create_dns in the world", [UNDOES_ALL_BUT_THE_LAST]),
    ("forgets the direction", "undoes_once", r"in the world: half of it", [DIRECTION_FORGOTTEN]),
    ("notes the direction late", "undoes_once", r"in the world: half of it", [DIRECTION_NOTED_LATE]),
    (
        "the failed step is not undone",
        "undoes_once",
        r"its answer was lost, and run_saga left",
        [FAILED_STEP_NOT_UNDONE],
    ),
    ("only what is done is undone", "undoes_once", r"its answer was lost, and run_saga left", [ONLY_DONE_UNDONE]),
    ("an error means: not done", "undoes_once", r"its answer was lost, and run_saga left", [RAISED_MEANS_NOT_DONE]),
    ("undone before the deed", "undoes_once", r"in the world", [UNDONE_BEFORE_THE_DEED]),
    ("no intent", "undoes_once", r"its answer was lost, and run_saga left", [NO_INTENT]),
    ("the intent in memory", "intent_first", r"create_dns has acted, and the log does not know it", [INTENT_IN_MEMORY]),
    (
        "an error stops the undoing",
        "parks",
        r"and run_saga raised ToolError.*catch the error, go on",
        [UNDO_STOPS_AT_AN_ERROR],
    ),
    ("parks and leaves", "parks", r"revoke_certificate refused, and delete_dns was never done", [PARKS_AND_LEAVES]),
    ("swallows the error", "parks", r"run_saga returned 'compensated'; expected 'parked'", [SWALLOWS_THE_ERROR]),
    ("always compensated", "parks", r"run_saga returned 'compensated'; expected 'parked'", [ALWAYS_COMPENSATED]),
    ("parked in memory", "parks", r"run_saga returned 'compensated'; expected 'parked'", [PARKED_IN_MEMORY]),
    ("parked before the deed", "undoes_once", r"in the world", [PARKED_BEFORE_THE_DEED]),
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
    "everything may have happened": [UNKNOWN_UNLESS_UNDONE],
    "a class": [IN_A_CLASS],
    "other words, tried again at every call": [SETTLES_FIRST],
    "a clear refusal is not undone": [REFUSALS_ARE_CLEAR],
    "level by level": [LEVEL_BY_LEVEL],
    "side by side, in a pool of threads": [IN_A_POOL_OF_THREADS],
    "side by side, by asyncio": [BY_ASYNCIO],
}
