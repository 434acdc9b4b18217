"""Answers to exercise 4 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. CHEATS go for the judge. What is not given is taken from the solution.
"""

LIMIT_ALWAYS = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return limit
"""

REST_ALWAYS = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return deadline.remaining()
"""

THE_GREATER = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return max(limit, deadline.remaining())
"""

WHOLE_SECONDS = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return min(limit, int(deadline.remaining()))
"""

WITH_A_MARGIN = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return min(limit, deadline.remaining() - 1)
"""

ONLY_IF_IT_FITS = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() < limit:
        raise DeadlineExceeded("the step might not fit")
    return limit
"""

AS_TIMEDELTA = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return timedelta(seconds=min(limit, deadline.remaining()))
"""

ZERO_IS_TIME = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() < 0:
        raise DeadlineExceeded("over")
    return min(limit, deadline.remaining())
"""

NEVER_RAISES = """
# answer: step_timeout
def step_timeout(deadline, limit):
    return max(0, min(limit, deadline.remaining()))
"""

NONE_WHEN_OVER = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() > 0:
        return min(limit, deadline.remaining())
"""

ANOTHER_ERROR = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise TimeoutError("over")
    return min(limit, deadline.remaining())
"""

ITS_OWN_ERROR = """
# answer: step_timeout
class DeadlineExceeded(Exception):
    pass


def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return min(limit, deadline.remaining())
"""

HARD_CODED = """
# answer: step_timeout
def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return 60.0 if limit == 60 else 120.0
"""

NOT_PYTHON = """
# answer: step_timeout
def step_timeout(deadline, limit)
    return limit
"""

HELPER_OUTSIDE = """
# answer: step_timeout
def step_timeout(deadline, limit):
    return less(limit, deadline.remaining())
"""

RUN = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    {make}
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            try:
                {work}
            except Exception as error:
                return store.save(task.to(TaskState.FAILED, error=f"{{name}}: {{error!r}}"))
            task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED))
"""
"""A right answer but for two places."""


def _run(
    make: str = "deadline = Deadline(task.deadline, clock)", work: str = "result = step(step_timeout(deadline, limit))"
):
    return RUN.format(make=make, work=work)


PER_STEP_ONLY = _run(work="result = step(limit)")

LOOK_BETWEEN = _run(work="deadline.check(); result = step(limit)")

LOOK_TOO_LATE = _run(
    work="result = step(max(0, min(limit, deadline.remaining())))",
)

ASKED_ONCE = _run(
    make="deadline = Deadline(task.deadline, clock); allowed = step_timeout(deadline, limit)",
    work="deadline.check(); result = step(allowed)",
)

NO_TIMEOUT = _run(work="deadline.check(); result = step(None)")

EQUAL_SHARES = _run(
    make="deadline = Deadline(task.deadline, clock); share = deadline.remaining() / len(steps)",
    work="result = step(min(share, step_timeout(deadline, limit)))",
)

ANEW = _run(make="deadline = Deadline.after((task.deadline - task.created_at).total_seconds(), clock)")

ANEW_BY_HAND = _run(
    make="end = clock.monotonic() + (task.deadline - task.created_at).total_seconds()",
    work="""if clock.monotonic() >= end:
                    raise DeadlineExceeded("over")
                result = step(min(limit, end - clock.monotonic()))""",
)

SINCE_THE_LAST_SAVE = _run(
    make="""left = task.deadline - task.created_at
    deadline = Deadline(task.updated_at + left, clock)""",
)

ANEW_AND_STORED = _run(
    make="""left = task.deadline - task.created_at
    task = task.model_copy(update={"deadline": clock.now() + left})
    deadline = Deadline(task.deadline, clock)""",
)

DEADLINE_DROPPED = _run(
    make="""deadline = Deadline(task.deadline, clock)
    task = task.model_copy(update={"deadline": None})""",
)

WALL_CLOCK = _run(
    work="""left = (task.deadline - clock.now()).total_seconds()
                if left <= 0:
                    raise DeadlineExceeded("over")
                result = step(min(limit, left))""",
)

DEADLINE_FOR_EACH_STEP = _run(work="result = step(step_timeout(Deadline(task.deadline, clock), limit))")

CLOCK_OF_ITS_OWN = """
# answer: run_steps
from labkit import SystemClock
""" + _run(make="deadline = Deadline(task.deadline, SystemClock())").replace("# answer: run_steps\n", "")

THE_MACHINES_TIME = _run(
    make="""import time
    end = time.monotonic() + (task.deadline - datetime.now(UTC)).total_seconds()""",
    work="""if time.monotonic() >= end:
                    raise DeadlineExceeded("over")
                result = step(min(limit, end - time.monotonic()))""",
)

ANY_ERROR_IS_RAISED = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            task = store.save(task.finished(name, step(step_timeout(deadline, limit))))
    return store.save(task.to(TaskState.COMPLETED))
"""

CAUGHT = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    given = task
    for name, step in steps.items():
        if name not in task.journal:
            try:
                result = step(step_timeout(deadline, limit))
            except {errors} as error:
                {then}
            task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED))
"""
"""A right answer but for what it does with errors."""


def _caught(
    errors: str = "Exception", then: str = "return store.save(task.to(TaskState.FAILED, error=name + repr(error)))"
):
    return CAUGHT.format(errors=errors, then=then)


ONLY_DEADLINES = _caught("DeadlineExceeded")
ONLY_TIMEOUTS = _caught("TimeoutError")
ONLY_TIME = _caught("(DeadlineExceeded, TimeoutError)")
FAILED_NOT_SAVED = _caught(then="return task.to(TaskState.FAILED, error=name + repr(error))")
NO_REASON = _caught(then="return store.save(task.to(TaskState.FAILED))")
EMPTY_REASON = _caught(then='return store.save(task.to(TaskState.FAILED, error=" "))')
ONE_REASON = _caught(then='return store.save(task.to(TaskState.FAILED, error="the task has failed"))')
STALE_TASK = _caught(then="return store.save(given.to(TaskState.FAILED, error=name + repr(error)))")
JOURNAL_DROPPED = _caught(
    then='return store.save(task.to(TaskState.FAILED, error=name + repr(error)).model_copy(update={"journal": {}}))'
)
JOURNAL_NOT_OF_STEPS = _caught(then="task = store.save(task.finished(name, 'failed')); break")
STEP_SKIPPED = _caught(then="continue")
FAILURE_IS_PENDING = _caught(then="return store.save(task.to(TaskState.PENDING, error=name + repr(error)))")
RETURNS_NOTHING = _caught(then="store.save(task.to(TaskState.FAILED, error=name + repr(error))); return")
RETURNS_AN_OLD_TASK = _caught(then="store.save(task.to(TaskState.FAILED, error=name + repr(error))); return task")

SAVED_AT_THE_END = _run().replace(
    "task = store.save(task.finished(name, result))", "task = task.finished(name, result)"
)

JOURNAL_IGNORED = _run().replace("if name not in task.journal:", "if True:")

JOURNALLED_BEFORE = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name not in task.journal:
            before = task
            try:
                timeout = step_timeout(deadline, limit)
                task = store.save(task.finished(name, ""))
                result = step(timeout)
            except Exception as error:
                kept = task.model_copy(update={"journal": before.journal})
                return store.save(kept.to(TaskState.FAILED, error=f"{name}: {error!r}"))
            task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED))
"""

GIVES_UP_AFTER_A_CRASH = _run(
    make="""deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.RUNNING:
        return store.save(task.to(TaskState.FAILED, error="the process died"))"""
)

ONE_STEP_AFTER_A_CRASH = _run(
    make="""deadline, only = Deadline(task.deadline, clock), task.state is TaskState.RUNNING""",
).replace(
    "task = store.save(task.finished(name, result))",
    """task = store.save(task.finished(name, result))
            if only:
                return task""",
)

FAILED_IN_ADVANCE = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline, journal, reason = Deadline(task.deadline, clock), dict(task.journal), None
    task = store.save(task.to(TaskState.FAILED, error="in case it dies"))
    for name, step in steps.items():
        if name not in journal and reason is None:
            try:
                journal[name] = step(step_timeout(deadline, limit))
            except Exception as error:
                reason = repr(error)
    task = store.save(task.to(TaskState.PENDING))
    task = store.save(task.to(TaskState.RUNNING).model_copy(update={"journal": journal}))
    return store.save(task.to(TaskState.FAILED, error=reason) if reason else task.to(TaskState.COMPLETED))
"""

NEVER_COMPLETES = _run().replace("return store.save(task.to(TaskState.COMPLETED))", "return task")

RUNS_BACKWARDS = _run().replace("in steps.items()", "in reversed(steps.items())")

DOES_NOTHING = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    return task
"""

ENDLESS = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    while True:
        pass
"""

ONE_DEADLINE_FOR_EACH_TASK_ID = """
# answer: run_steps
_deadlines: dict[str, Deadline] = {}


def run_steps(task, steps, store, clock, limit) -> Task:
    if task.id not in _deadlines:
        _deadlines[task.id] = Deadline(task.deadline, clock)
    deadline = _deadlines[task.id]
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        left = deadline.remaining()
        if left <= 0:
            return store.save(task.to(TaskState.FAILED, error=f"{name} could not start: DeadlineExceeded"))
        try:
            result = step(min(limit, left))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name} failed: {type(error).__name__}: {error}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""

NAME_FOUND_IN_PRINTED_JOURNAL = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    task = task if task.state is not TaskState.PENDING else store.save(task.to(TaskState.RUNNING))
    deadline = Deadline(task.deadline, clock)
    for name, step in steps.items():
        if name in str(task.journal):
            continue
        left = deadline.remaining()
        if left <= 0:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: DeadlineExceeded: it could not start"))
        try:
            result = step(min(limit, left))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {type(error).__name__}: {error}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""

FIRST_ARGUMENT_OF_THE_ERROR = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    task = task if task.state is not TaskState.PENDING else store.save(task.to(TaskState.RUNNING))
    deadline = Deadline(task.deadline, clock)
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            left = deadline.remaining()
            if left <= 0:
                raise DeadlineExceeded("the deadline has passed, it could not start")
            result = step(min(limit, left))
        except Exception as error:
            reason = f"{name}: {type(error).__name__}: {error.args[0]}"
            return store.save(task.to(TaskState.FAILED, error=reason))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""

CUT_TO_TWO_HUNDRED = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            why = f"{type(error).__name__}: {error} (in step {name})"
            return store.save(task.to(TaskState.FAILED, error=why[:200]))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""

TEMPLATE_WITH_BRACES = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            template = "step {step}: " + f"{type(error).__name__}: {error}"
            return store.save(task.to(TaskState.FAILED, error=template.format(step=name)))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""

DEADLINE_CACHED_BY_MOMENT = '''
# answer: run_steps
_deadlines: dict[datetime, Deadline] = {}


def run_steps(task, steps, store, clock, limit) -> Task:
    """Make the Deadline once in each process, not once in each step."""
    deadline = _deadlines.get(task.deadline) or _deadlines.setdefault(task.deadline, Deadline(task.deadline, clock))
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {type(error).__name__}: {error}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
'''

WRONG = [
    ("a reason cut to 200 characters", "saves_failure", "say which step failed", [CUT_TO_TWO_HUNDRED]),
    ("a template with the error in it", "saves_failure", "and run_steps raised", [TEMPLATE_WITH_BRACES]),
    ("a deadline is kept by its moment", "run_deadline", "and another clock", [DEADLINE_CACHED_BY_MOMENT]),
    ("a name is looked for in the printed journal", "restart_keeps_deadline", "ran nothing; expected", [NAME_FOUND_IN_PRINTED_JOURNAL]),
    ("the first argument of an error that has none", "saves_failure", "IndexError", [FIRST_ARGUMENT_OF_THE_ERROR]),
    ("the first deadline of that id", "run_deadline", "An earlier task with the same id", [ONE_DEADLINE_FOR_EACH_TASK_ID]),
    ("limit, whatever is left", "operation_deadline", r"With \d+ s left and .* returned 60; expected \d+",
     [LIMIT_ALWAYS]),
    ("limit, whatever is left", "run_deadline", r"Ended at 3\d\d s, deadline \d+ s. \w+ began at 240 s, and was given",
     [LIMIT_ALWAYS]),
    ("what is left, whatever the limit", "operation_deadline", r"returned \d{3}; expected \d\d$", [REST_ALWAYS]),
    ("the greater of the two", "operation_deadline", r"returned 60; expected \d+$", [THE_GREATER]),
    ("whole seconds", "operation_deadline", r"With 0.5 s left .* returned 0; expected 0.5", [WHOLE_SECONDS]),
    ("a second less", "operation_deadline", r"expected \d+$", [WITH_A_MARGIN]),
    ("only a step that surely fits", "operation_deadline", r"raised DeadlineExceeded; expected \d+$",
     [ONLY_IF_IT_FITS]),
    ("a timedelta", "operation_deadline", r"returned datetime.timedelta\(seconds=\d+\); expected \d+", [AS_TIMEDELTA]),
    ("made up numbers", "operation_deadline", r"returned 60; expected \d+$", [HARD_CODED]),
    ("zero counts as time", "no_late_start", r"With 0 s left, step_timeout returned 0; expected DeadlineExceeded",
     [ZERO_IS_TIME]),
    ("never raises", "no_late_start", r"With 0 s left, step_timeout returned 0; expected", [NEVER_RAISES]),
    ("None when it is over", "no_late_start", r"With 0 s left, step_timeout returned None; expected", [NONE_WHEN_OVER]),
    ("another error", "no_late_start", r"With 0 s left.* raised TimeoutError: over at step_timeout, line 4",
     [ANOTHER_ERROR]),
    ("an error class of its own", "no_late_start", r"raised DeadlineExceeded of its own, not that of the given cell",
     [ITS_OWN_ERROR]),
    ("not Python", "run_deadline", r"step_timeout: line 2 is not Python: expected ':'", [NOT_PYTHON]),
    ("helper outside the answer cells", "operation_deadline", r"`less` is defined outside the answer cells",
     [HELPER_OUTSIDE, "def less(a, b):\n    return min(a, b)\n"]),
    ("a limit per step for the total", "run_deadline", r"Ended at 480 s, deadline \d+ s. \w+ began at 360 s, and was",
     [PER_STEP_ONLY]),
    ("a limit per step for the total", "no_late_start", r"began at \d+ s, deadline \d+ s: then nothing may start",
     [PER_STEP_ONLY]),
    ("looked at between steps", "run_deadline",
     r"Ended at 360 s, deadline \d+ s. \w+ began at 240 s, and was given \d+ s",
     [LOOK_BETWEEN]),
    ("looked at between steps", "operation_deadline", r"began with \d+ s left .* It was given \d+; expected \d+",
     [LOOK_BETWEEN]),
    ("handed down without a look", "no_late_start", r"began at (\d+) s, deadline \1 s: then nothing", [LOOK_TOO_LATE]),
    ("asked once for all steps", "run_deadline", r"Ended at 3\d\d s, deadline", [ASKED_ONCE]),
    ("no timeout at all", "operation_deadline", r"It was given None, not a number; expected", [NO_TIMEOUT]),
    ("a share of the time for each step", "operation_deadline", r"It was given [\d.]+; expected \d+", [EQUAL_SHARES]),
    ("counted from the start of the process", "restart_keeps_deadline",
     r"Ended at \d+ s.* that started at \d+ s (gave|began)", [ANEW]),
    ("counted from the start, by hand", "restart_keeps_deadline",
     r"Ended at \d+ s.* that started at \d+ s (gave|began)", [ANEW_BY_HAND]),
    ("counted from the last save", "restart_keeps_deadline", r"Ended at \d+ s.* that started at \d+ s (gave|began)",
     [SINCE_THE_LAST_SAVE]),
    ("counted from the start, and stored", "restart_keeps_deadline",
     r"The deadline in the store was (\d+) s, and is (?!\1)\d+ s now", [ANEW_AND_STORED]),
    ("deadline dropped", "restart_keeps_deadline", r"The deadline in the store was \d+ s, and is gone",
     [DEADLINE_DROPPED]),
    ("wall time inside the process", "run_deadline", r"Ended at .* Wall time was set back by an hour", [WALL_CLOCK]),
    ("a Deadline for each step", "run_deadline", r"Ended at .* Wall time was set back", [DEADLINE_FOR_EACH_STEP]),
    ("a clock of its own", "run_deadline", r"Ended at .* shows another day than the machine's", [CLOCK_OF_ITS_OWN]),
    ("the machine's time", "run_deadline", r"Ended at .* shows another day than the machine's", [THE_MACHINES_TIME]),
    ("every error is raised", "saves_failure",
     r"The deadline came while .* raised ToolTimeoutError.* expected the failed task",
     [ANY_ERROR_IS_RAISED]),
    ("only deadlines are caught", "saves_failure", r"The deadline came while .* raised ToolTimeoutError",
     [ONLY_DEADLINES]),
    ("only timeouts are caught", "saves_failure", r"The deadline came between two steps, .* raised DeadlineExceeded",
     [ONLY_TIMEOUTS]),
    ("only time is caught", "saves_failure", r"refused to work, and run_steps raised ToolError", [ONLY_TIME]),
    ("failure not saved", "saves_failure", r"the task in the store is running; expected a failed one",
     [FAILED_NOT_SAVED]),
    ("failure is pending", "saves_failure", r"the task in the store is pending .*; expected a failed one",
     [FAILURE_IS_PENDING]),
    ("no reason", "saves_failure", r"the error of the failed task is None: say why", [NO_REASON]),
    ("an empty reason", "saves_failure", r"the error of the failed task is ' ': say why", [EMPTY_REASON]),
    ("one reason for everything", "saves_failure",
     r"the error of the failed task is 'the task has failed': say which step", [ONE_REASON]),
    ("an old version saved", "saves_failure", r"raised VersionConflictError", [STALE_TASK]),
    ("journal dropped", "saves_failure", r"\w+, \w+ had been done; the journal in the store has nothing",
     [JOURNAL_DROPPED]),
    ("a failed step journalled", "saves_failure", r"the task in the store is completed; expected a failed one",
     [JOURNAL_NOT_OF_STEPS]),
    ("a failed step skipped", "saves_failure", r"the task in the store is completed; expected a failed one",
     [STEP_SKIPPED]),
    ("returns nothing", "saves_failure", r"The failed task is in the store, and run_steps returned None",
     [RETURNS_NOTHING]),
    ("returns an old task", "saves_failure", r"run_steps returned a running task; expected that task",
     [RETURNS_AN_OLD_TASK]),
    ("saved at the end", "restart_keeps_deadline", r"had finished before, and ran again", [SAVED_AT_THE_END]),
    ("journal ignored", "restart_keeps_deadline", r"was journalled as finished, and ran again", [JOURNAL_IGNORED]),
    ("journalled before it ran", "restart_keeps_deadline", r"was journalled as finished, and had never run",
     [JOURNALLED_BEFORE]),
    ("gives up after a crash", "restart_keeps_deadline", r"started at 60 s had \d+ s left, and began no further step",
     [GIVES_UP_AFTER_A_CRASH]),
    ("one step after a crash", "restart_keeps_deadline", r"\w+, \w+ in its journal, and run_steps ran \w+; expected",
     [ONE_STEP_AFTER_A_CRASH]),
    ("failed in advance", "restart_keeps_deadline", r"With \d+ s left, the task in the store was failed already",
     [FAILED_IN_ADVANCE]),
    ("never completes", "run_deadline", r"With 4000 s .* the task in the store is running; expected a completed one",
     [NEVER_COMPLETES]),
    ("last step first", "run_deadline", r"With 4000 s .* run_steps ran .*; expected", [RUNS_BACKWARDS]),
    ("does nothing", "run_deadline", r"With 4000 s .* run_steps ran nothing; expected", [DOES_NOTHING]),
    ("does not end", "run_deadline", r"did not end after a second of work at run_steps, line 3: while True:",
     [ENDLESS]),
]  # fmt: skip

A_WORLD_OF_ITS_OWN = _run(
    make="""from labkit import World, attach
    attach(World())
    deadline = Deadline(task.deadline, clock)""",
    work="result = step(limit)",
)

STOPS_THE_CLOCK = """
# answer: run_steps
import time

from labkit import SystemClock, WorldClock

WorldClock.monotonic = lambda self: 0.0
SystemClock.monotonic = lambda self: 0.0
time.monotonic = lambda: 0.0
""" + PER_STEP_ONLY.replace("# answer: run_steps\n", "")

ARRANGES = _run(
    make="""from labkit import arrange
    arrange(faults={"notify": ["transient"]})
    deadline = Deadline(task.deadline, clock)"""
)

PATCHES_THE_TOOL = """
# answer: run_steps
from labkit import world

world.tool = lambda name, **arguments: "done"
""" + _run().replace("# answer: run_steps\n", "")

PATCHES_THE_STORE = """
# answer: run_steps
from labkit import FileStateStore

FileStateStore.save = lambda self, task: task
""" + _run().replace("# answer: run_steps\n", "")

PATCHES_JSON = """
# answer: run_steps
import json

dumps = json.dumps


def forged(value, *args, **options):
    for news in value if isinstance(value, list) else ():
        if isinstance(news, dict) and news.get("news") == "Returned":
            news["value"] = {"state": "completed"}
    return dumps(value, *args, **options)


json.dumps = forged
""" + DOES_NOTHING.replace("# answer: run_steps\n", "")

FORGES_THE_JOURNAL = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name in steps:
        task = store.save(task.finished(name, f"{name} is done"))
    return store.save(task.to(TaskState.COMPLETED))
"""

TELLS_THE_USER = _run(
    make="""from labkit import ack
    ack('[9000, false, []]')
    deadline = Deadline.after((task.deadline - task.created_at).total_seconds(), clock)"""
)

LOOKS_AT_THE_STACK = """
# answer: step_timeout
import sys


def step_timeout(deadline, limit):
    frame = sys._getframe()
    while frame:
        for name in ("expected", "right", "answer"):
            if isinstance(frame.f_locals.get(name), (int, float)):
                return frame.f_locals[name]
        frame = frame.f_back
    return limit
"""

PATCHES_MIN = """
# answer: step_timeout
import builtins

builtins.min = lambda *numbers: numbers[-1]


def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return min(deadline.remaining(), limit)
"""

EQUALS_EVERYTHING = """
# answer: step_timeout
class Any(float):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    __hash__ = float.__hash__


def step_timeout(deadline, limit):
    if deadline.remaining() <= 0:
        raise DeadlineExceeded("over")
    return Any(limit)
"""

LEAVES = """
# answer: run_steps
import os


def run_steps(task, steps, store, clock, limit):
    os._exit(0)
"""

KILLS_ITS_PARENT = """
# answer: run_steps
import os, signal


def run_steps(task, steps, store, clock, limit):
    os.kill(os.getppid(), signal.SIGKILL)
"""

DELETES_THE_TASK = """
# answer: run_steps
import shutil


def run_steps(task, steps, store, clock, limit):
    shutil.rmtree("tasks")
    return task.model_copy(update={"state": TaskState.COMPLETED})
"""

CHEATS = [
    ("a world of its own", "run_deadline", r"ran nothing|no step began|Ended at", [A_WORLD_OF_ITS_OWN]),
    ("stops the clocks", "run_deadline", r"Ended at \d+ s, deadline", [STOPS_THE_CLOCK]),
    ("arranges the world", "run_deadline", r"only `setup` may arrange the world", [ARRANGES]),
    ("patches the tool", "run_deadline", r"ran nothing", [PATCHES_THE_TOOL]),
    ("patches the store", "run_deadline", r"the task in the store is pending", [PATCHES_THE_STORE]),
    ("forges what children tell", "run_deadline", r"hid how it ended", [PATCHES_JSON]),
    ("forges the journal", "run_deadline", r"ran nothing", [FORGES_THE_JOURNAL]),
    ("forges the journal", "saves_failure", r"the task in the store is completed", [FORGES_THE_JOURNAL]),
    ("tells the user in our place", "restart_keeps_deadline", r"acknowledged something", [TELLS_THE_USER]),
    ("looks at the stack", "operation_deadline", r"returned 60; expected", [LOOKS_AT_THE_STACK]),
    ("patches min", "operation_deadline", r"returned 60; expected", [PATCHES_MIN]),
    ("equals everything", "operation_deadline", r"returned 60; expected", [EQUALS_EVERYTHING]),
    ("leaves by os._exit", "run_deadline", r"ended by itself, with exit status 0", [LEAVES]),
    ("kills its parent", "run_deadline", r"raised PermissionError: \[Errno 1\] Operation", [KILLS_ITS_PARENT]),
    ("deletes the task", "run_deadline", r"ran nothing", [DELETES_THE_TASK]),
]

BY_HAND = [
    """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    end = clock.monotonic() + (task.deadline - clock.now()).total_seconds()
    task = store.save(task.to(TaskState.RUNNING))
    for name in [name for name in steps if name not in task.journal]:
        left = end - clock.monotonic()
        if left <= 0:
            return store.save(task.to("failed", error=f"no time was left for {name}"))
        try:
            answer = steps[name](timeout=left if left < limit else limit)
        except TimeoutError as late:
            return store.save(task.to("failed", error=f"{name} took too long: {late}"))
        except Exception as problem:
            return store.save(task.to("failed", error=f"{name} failed: {problem}"))
        task = store.save(task.finished(name, answer))
    return store.save(task.to("completed", result="all done"))
"""
]

A_CLASS_BEHIND = [
    '''
# answer: run_steps
from labkit.store import StoreError


class Run:
    """A task while this process works on it."""

    def __init__(self, task, store, deadline, limit):
        self.task, self.store, self.deadline, self.limit = task, store, deadline, limit

    def save(self, task):
        self.task = self.store.save(task)
        return self.task

    def go_on(self, steps):
        for name in steps:
            if name not in self.task.journal:
                result = steps[name](step_timeout(self.deadline, self.limit))
                self.save(self.task.finished(name, result))
        return self.save(self.task.to(TaskState.COMPLETED, result=str(len(steps))))

    def carry_out(self, steps):
        try:
            if self.task.state is not TaskState.RUNNING:
                self.save(self.task.to(TaskState.RUNNING))
            return self.go_on(steps)
        except StoreError:
            raise
        except Exception as error:
            at = next(name for name in steps if name not in self.task.journal)
            return self.save(self.task.to(TaskState.FAILED, error=f"{at}: {type(error).__name__}: {error}"))


def run_steps(task, steps, store, clock, limit):
    return Run(task, store, Deadline(task.deadline, clock), limit).carry_out(steps)
'''
]

HELPERS_AND_DEFAULTS = [
    """
# answer: step_timeout
def seconds_left(deadline, now=None):
    return deadline.remaining() if now is None else now


def step_timeout(deadline, limit, least=0.0):
    left = seconds_left(deadline)
    if left > least:
        return sorted([float(limit), float(left)])[0]
    raise DeadlineExceeded(f"{left:g} s are left")
""",
    """
# answer: run_steps
def fail(task, store, reason):
    return store.save(task.to(TaskState.FAILED, error=reason))


def run_steps(task, steps, store, clock, limit, log=None):
    deadline = Deadline(task.deadline, clock)
    log = [] if log is None else log
    task = store.save(task.to(TaskState.RUNNING))
    todo = list(steps)
    while todo:
        name = todo.pop(0)
        if name in task.journal:
            continue
        try:
            seconds = step_timeout(deadline, limit)
        except DeadlineExceeded as over:
            return fail(task, store, f"before {name}: {over}")
        try:
            log.append(steps[name](seconds))
        except BaseException as error:
            return fail(task, store, f"in {name}: {error!r}")
        task = store.save(task.finished(name, log[-1]))
    return store.save(task.to(TaskState.COMPLETED, result="; ".join(task.journal.values())))
""",
]

RECURSIVE = [
    """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    return go_on(store.save(task.to(TaskState.RUNNING)), steps, store, Deadline(task.deadline, clock), limit)


def go_on(task, steps, store, deadline, limit):
    lacking = [name for name in steps if name not in task.journal]
    if not lacking:
        return store.save(task.to(TaskState.COMPLETED, result="ok"))
    try:
        result = steps[lacking[0]](step_timeout(deadline, limit))
    except Exception as error:
        return store.save(task.to(TaskState.FAILED, error=f"{lacking[0]}: {error!r}"))
    return go_on(store.save(task.finished(lacking[0], result)), steps, store, deadline, limit)
"""
]

ASYNC_INSIDE = [
    """
# answer: run_steps
import asyncio


async def carry_out(task, steps, store, deadline, limit):
    for name, step in steps.items():
        if name not in task.journal:
            await asyncio.sleep(0)
            try:
                result = step(step_timeout(deadline, limit))
            except Exception as error:
                return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
            task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED))


def run_steps(task, steps, store, clock, limit):
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    return asyncio.run(carry_out(task, steps, store, Deadline(task.deadline, clock), limit))
"""
]

READS_AND_SAVES_MORE = [
    """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    for name, step in steps.items():
        task = store.save(store.get(Task, task.id).to(TaskState.RUNNING, result=f"at {name}"))
        if name in task.journal:
            continue
        try:
            allowed = step_timeout(deadline, limit)
            outcome = step(allowed)
        except Exception as error:
            task = store.get(Task, task.id)
            return store.save(task.to(TaskState.FAILED, error=f"{type(error).__name__} in {name}"))
        store.save(store.get(Task, task.id).finished(name, outcome))
    return store.save(store.get(Task, task.id).to(TaskState.COMPLETED))
"""
]

FAILS_BEFORE_IT_RUNS = [
    """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline, reason = Deadline(task.deadline, clock), None
    for name in steps:
        if reason is None and name not in task.journal:
            if task.state is TaskState.PENDING and deadline.remaining() > 0:
                task = store.save(task.to(TaskState.RUNNING))
            try:
                deadline.check()
                task = store.save(task.finished(name, steps[name](min(limit, deadline.remaining()))))
            except Exception as error:
                reason = f"{name}: {error}"
    if reason is None:
        return store.save(task.to(TaskState.COMPLETED, result="done"))
    return store.save(task.to(TaskState.FAILED, error=reason))
"""
]

RIGHT = {
    "by hand, with the clock given": BY_HAND,
    "a class behind the function": A_CLASS_BEHIND,
    "helpers and extra parameters": HELPERS_AND_DEFAULTS,
    "recursive": RECURSIVE,
    "async inside": ASYNC_INSIDE,
    "reads and saves more than needed": READS_AND_SAVES_MORE,
    "fails without having run": FAILS_BEFORE_IT_RUNS,
}


SOLVED = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="; ".join(task.journal.values())))
"""
DEADLINE = "    deadline = Deadline(task.deadline, clock)\n"
LOOP = "    for name, step in steps.items():\n"
FAIL = '            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))\n'
REASON = 'f"{name}: {error!r}"'
DONE = '    return store.save(task.to(TaskState.COMPLETED, result="; ".join(task.journal.values())))\n'
FINISHED = "        task = store.save(task.finished(name, result))\n"


def _but(*changes):
    """The solution with other texts in some places: old and new, by turns."""
    cell = SOLVED
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in cell
        cell = cell.replace(old, new)
    return [cell]


# Written without sight of the cases.

WRONG += [
    ('over before it begins: returned, never stored', 'saves_failure',
     r"passed 0 s before run_steps was called, and the task in the store is pending; expected",
     _but(DEADLINE, DEADLINE + """\
    if deadline.remaining() <= 0:
        return task.to(TaskState.FAILED, error='the deadline has passed')
""")),
    ('goes on after a failed step', 'saves_failure',
     r"No answer came from (\w+) in its time, and after that run_steps ran (?!\1)\w+: an error ends",
     _but(FAIL, """\
            reason = f"{name}: {error!r}"
            continue
""", LOOP, '    reason = None\n' + LOOP, '    return store.save(task.to(TaskState.COMPLETED', """\
    if reason:
        return store.save(task.to(TaskState.FAILED, error=reason))
    return store.save(task.to(TaskState.COMPLETED""")),
    ('a reason without the step', 'saves_failure',
     r"the error of the failed task is .*: say which step failed", _but(REASON, "repr(error)")),
    ('a reason that says nothing', 'saves_failure',
     r"the error of the failed task is 'the run failed': say which step failed",
     _but(REASON, "'the run failed'")),
    ('only OSErrors and deadlines', 'saves_failure',
     r"(\w+) raised (AssertionError|KeyError|RefusedError)\('it did not work'\), and run_steps raised \2: '?it did not work",
     _but('except Exception as', 'except (OSError, ValueError, RuntimeError, DeadlineExceeded) as')),
    ('one deadline for the process', 'run_deadline',
     r"Ended at \d+ s, deadline \d+ s. \w+ began at \d+ s, and was given \d+ s",
     _but(DEADLINE, """\
    if not known:
        known.append(Deadline(task.deadline, clock))
    deadline = known[0]
""", 'def run_steps', """\
known = []
def run_steps""")),
    ('a deadline per task id', 'restart_keeps_deadline',
     r"Ended at \d+ s, deadline \d+ s: the process that started at \d+ s gave \w+ \d+ s, and \d+ s were left",
     _but(DEADLINE, DEADLINE + """\
    if task.journal or task.state is TaskState.RUNNING:
        deadline = Deadline.after(300, clock)
""")),
    ('the zone is thrown away', 'run_deadline',
     r"Ended at .* The deadline in the task is written in another time zone, UTC\+[\d.]+ h",
     _but('Deadline(task.deadline, clock)', 'Deadline(task.deadline.replace(tzinfo=UTC), clock)')),
    ('at least one second', 'operation_deadline',
     r"With 0.5 s left and a limit of 60 s, step_timeout returned 1; expected 0.5",
     ["""
# answer: step_timeout
def step_timeout(deadline, limit):
    left = deadline.remaining()
    if left <= 0:
        raise DeadlineExceeded("over")
    return max(1, min(limit, left))
"""]),
    ('a second too few is none', 'operation_deadline',
     r"With 0.5 s left .* raised DeadlineExceeded; expected 0.5",
     ["""
# answer: step_timeout
def step_timeout(deadline, limit):
    left = deadline.remaining()
    if left < 1:
        raise DeadlineExceeded("over")
    return min(limit, left)
"""]),
    ('asks twice and subtracts', 'operation_deadline',
     r"With \d+ s left and a limit of 60 s, step_timeout returned [\d.]+; expected \d+",
     ["""
# answer: step_timeout
def step_timeout(deadline, limit):
    left = deadline.remaining()
    if left <= 0:
        raise DeadlineExceeded("over")
    return limit if limit <= left else left - 0.5
"""]),
    ('timeouts made once', 'operation_deadline',
     r"(\w+) began with (\d+) s left and a limit of (\d+) s. It was given \3; expected \2",
     _but(LOOP, '    timeout = None\n' + LOOP, 'step(step_timeout(deadline, limit))', 'step(timeout)',
          '        try:\n', """\
        try:
            timeout = timeout or step_timeout(deadline, limit)
""")),
    ('a step starts only with its whole limit', 'run_deadline',
     r"Ended at \d+ s, .* did not begin, with time left for it: run_steps returned a failed task.$",
     _but('        try:\n', """\
        try:
            if deadline.remaining() < limit:
                raise DeadlineExceeded('too late')
""")),
    ('counts the journal', 'restart_keeps_deadline',
     r"The task was running, with \w+, \w+ in its journal, and run_steps ran \w+, \w+; expected",
     _but(LOOP + """\
        if name in task.journal:
            continue
""", '    for name, step in list(steps.items())[len(task.journal):]:\n')),
    ('the failed task is of the beginning', 'saves_failure',
     r"\w+, \w+ had been done; the journal in the store has nothing",
     _but(LOOP, '    begun = task\n' + LOOP, 'store.save(task.to(TaskState.FAILED',
          "store.save(begun.model_copy(update={'version': task.version}).to(TaskState.FAILED")),
    ('returns what it gave to the store', 'saves_failure',
     r"run_steps returned a failed task with another (version|updated_at)\b.*; expected that task",
     _but(FAIL, """\
            failed = task.to(TaskState.FAILED, error=f"{name}: {error!r}")
            store.save(failed)
            return failed
""")),
    ('one more try', 'saves_failure',
     r"(\w+) could not be reached, and after that run_steps ran \1.*: an error ends the run",
     _but('            result = step(step_timeout(deadline, limit))\n', """\
            try:
                result = step(step_timeout(deadline, limit))
            except ConnectionError:
                result = step(step_timeout(deadline, limit))
""")),
    ('raises after saving when the deadline is over', 'saves_failure',
     r"between two steps, and run_steps raised DeadlineExceeded: .*; expected the failed task",
     _but('        except Exception as error:\n', """\
        except DeadlineExceeded as error:
            store.save(task.to(TaskState.FAILED, error=str(error)))
            raise
        except Exception as error:
""")),
    ('a time budget of its own from monotonic at import', 'restart_keeps_deadline',
     r"Even without a kill: Ended at \d+ s, deadline \d+ s: the process that started at",
     _but(DEADLINE, """\
    class Own:
        end = (task.deadline - task.updated_at).total_seconds() + clock.monotonic()
        def remaining(self):
            return self.end - clock.monotonic()
    deadline = Own()
""")),
    ('failed when a falsy result comes', 'run_deadline',
     r"The task is failed \(\w+: nothing came\)",
     _but(FINISHED, """\
        if not result:
            return store.save(task.to(TaskState.FAILED, error=f'{name}: nothing came'))
""" + FINISHED)),
    ('less than a second is nothing', 'operation_deadline',
     r"With 0.5 s left .* raised DeadlineExceeded; expected 0.5",
     ["""
# answer: step_timeout
def step_timeout(deadline: Deadline, limit: float) -> float:
    left = int(deadline.remaining())
    if left <= 0:
        raise DeadlineExceeded(f"{left} s left")
    return min(limit, deadline.remaining())
"""]),
    ('compared in whole seconds', 'no_late_start',
     r"With 0 s left, step_timeout returned 0; expected DeadlineExceeded",
     ["""
# answer: step_timeout
def step_timeout(deadline: Deadline, limit: float) -> float:
    left = deadline.remaining()
    if int(left) < 0:
        raise DeadlineExceeded("the deadline has passed")
    return max(0, min(limit, left))
"""]),
    ('goes on in a thread', 'operation_deadline',
     r"(\w+) began with (\d+) s left and a limit of (\d+) s. It was given \3; expected \2",
     ["""
# answer: run_steps
from concurrent.futures import ThreadPoolExecutor


def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        for name, step in steps.items():
            if name in task.journal:
                continue
            try:
                result = pool.submit(step, limit).result(timeout=step_timeout(deadline, limit))
            except Exception as error:
                return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
            task = store.save(task.finished(name, result))
        return store.save(task.to(TaskState.COMPLETED, result="ok"))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
"""]),
    ('looks after the step', 'run_deadline',
     r"Ended at \d+ s, deadline \d+ s. \w+ began at \d+ s, and was given \d+ s",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name in [name for name in steps if name not in task.journal]:
        try:
            result = steps[name](limit)
            deadline.check()
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('limit for the whole run', 'run_deadline',
     r"With 4000 s for 3 steps .* The task is failed .*no answer from",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline.after(limit, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('limit is used up', 'operation_deadline',
     r"began with \d+ s left and a limit of \d+ s. It was given \d+; expected \d+",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        began = clock.monotonic()
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        limit -= clock.monotonic() - began
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('five seconds of grace', 'run_deadline',
     r"Ended at \d+ s, deadline \d+ s. \w+ began at 240 s, and was given \d+ s",
     ["""
# answer: run_steps
GRACE = timedelta(seconds=5)


def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline + GRACE, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('late start raises', 'saves_failure',
     r"passed 0 s before run_steps was called, and run_steps raised DeadlineExceeded: .*line 4: deadline.check",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    deadline.check()
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('saved and raised', 'saves_failure',
     r"while a step ran, and run_steps raised ToolTimeoutError: .*; expected the failed task",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            store.save(task.to(TaskState.FAILED, error=f"{name}: {error}"))
            raise
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('tries again on timeout', 'saves_failure',
     r"while a step ran, and run_steps had more effects than the limit of 2000 allows",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        while name not in task.journal:
            try:
                task = store.save(task.finished(name, step(step_timeout(deadline, limit))))
            except TimeoutError:
                continue
            except Exception as error:
                return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('named after the function', 'run_deadline',
     r"run_steps ran \w+; expected \w+, .* The task is completed",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for step in steps.values():
        try:
            if step.__name__ in task.journal:
                continue
            result = step(step_timeout(deadline, limit))
            task = store.save(task.finished(step.__name__, result))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{error!r}"))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
    ('completed after a failure', 'saves_failure',
     r"No answer came from \w+ in its time, and after that run_steps ran \w+: an error ends",
     ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    errors = []
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            task = store.save(task.finished(name, step(step_timeout(deadline, limit))))
        except Exception as error:
            errors.append(f"{name}: {error!r}")
    if errors:
        return store.save(task.to(TaskState.FAILED, error="; ".join(errors)))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""]),
]  # fmt: skip

RIGHT |= {
    'class with own remaining': ["""
# answer: run_steps
class Left:
    def __init__(self, end, clock):
        self.end = clock.monotonic() + (end - clock.now()).total_seconds()
        self.clock = clock
    def remaining(self):
        return self.end - self.clock.monotonic()
def run_steps(task, steps, store, clock, limit):
    left = Left(task.deadline, clock)
    if task.state == "pending":
        task = store.save(task.to("running"))
    todo = [name for name in steps if name not in task.journal]
    for name in todo:
        try:
            out = steps[name](step_timeout(left, limit))
        except Exception as problem:
            return store.save(task.to("failed", error=f"step {name} failed: {problem!r}"))
        task = store.save(task.finished(name, out))
    return store.save(task.to(TaskState.COMPLETED, result=str(len(task.journal))))
"""],
    'a helper that yields': ["""
# answer: run_steps
def missing(task, steps):
    for name, step in steps.items():
        if name not in task.journal:
            yield name, step
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    task = store.save(task.to(TaskState.RUNNING))
    for name, step in missing(task, steps):
        try:
            timeout = step_timeout(deadline, limit)
            result = step(timeout)
        except Exception as error:
            why = f"{name}: {type(error).__name__}({error})"
            return store.save(task.to(TaskState.FAILED, error=why))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="done"))
"""],
    'fails before it runs, by its own check': ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    for name, step in steps.items():
        if name in task.journal:
            continue
        if deadline.remaining() <= 0:
            return store.save(task.to(TaskState.FAILED, error=f"{name} was not begun: the deadline had passed"))
        if task.state is not TaskState.RUNNING:
            task = store.save(task.to(TaskState.RUNNING))
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    if task.state is not TaskState.RUNNING:
        task = store.save(task.to(TaskState.RUNNING))
    return store.save(task.to(TaskState.COMPLETED, result="; ".join(task.journal.values())))
"""],
    'sorted by hand': ["""
# answer: step_timeout
def step_timeout(deadline, limit):
    left = deadline.remaining()
    if not left > 0:
        raise DeadlineExceeded(f"{-left} seconds too late")
    return sorted([left, limit])[0]
"""],
    'numpy': ["""
# answer: step_timeout
import numpy as np
def step_timeout(deadline, limit):
    left = np.float64(deadline.remaining())
    if left <= 0:
        raise DeadlineExceeded("the deadline has passed")
    return np.minimum(left, limit)
"""],
    'check of the deadline itself': ["""
# answer: step_timeout
def step_timeout(deadline, limit):
    if (left := deadline.remaining()) > 0:
        return limit if limit < left else left
    raise DeadlineExceeded
"""],
    'a while loop over a list': ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    queue = [name for name in steps if name not in task.journal]
    while queue:
        name = queue.pop(0)
        error = None
        try:
            result = steps[name](step_timeout(deadline, limit))
        except Exception as caught:
            error = caught
        if error is not None:
            task = store.save(task.to(TaskState.FAILED, error=name + " " + repr(error)))
            break
        task = store.save(task.finished(name, result))
    else:
        task = store.save(task.to(TaskState.COMPLETED, result=", ".join(task.journal)))
    return task
"""],
    'an inner function, and the end in finally': ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit):
    deadline = Deadline(task.deadline, clock)
    def one(task, name):
        result = steps[name](step_timeout(deadline, limit))
        return task.finished(name, result)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name in steps:
        if name not in task.journal:
            try:
                after = one(task, name)
            except Exception as error:
                return store.save(task.to(TaskState.FAILED, error=f"in step {name}: {type(error).__name__} {error}"))
            task = store.save(after)
    return store.save(task.to(TaskState.COMPLETED))
"""],
    'late at the end is failed': _but(DONE, """\
    if deadline.remaining() < 0:
        return store.save(task.to(TaskState.FAILED, error=f"{name} ended after the deadline"))
""" + DONE),
    'a traceback in the reason': _but(
        REASON, 'name + ": " + "".join(traceback.format_exception_only(error))', 'def run_steps',
        'import traceback\n\n\ndef run_steps'),
    'the simplest reason': _but(REASON, 'f"{name}: {error}"'),
    'the deadline read once more from the task': _but(DEADLINE, """\
    seconds = (task.deadline - clock.now()) / timedelta(seconds=1)
    deadline = Deadline.after(seconds, clock)
"""),
    'budget of its own': ["""
# answer: step_timeout
class StepTimeout:
    def __call__(self, deadline: Deadline, limit: float) -> float:
        deadline.check()
        return min([limit, deadline.remaining()])


step_timeout = StepTimeout()
""", """
# answer: run_steps
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Budget:
    at: datetime
    clock: Any
    end: float = field(init=False)

    def __post_init__(self):
        self.end = self.clock.monotonic() + self.at.timestamp() - self.clock.now().timestamp()

    def remaining(self):
        return self.end - self.clock.monotonic()

    def check(self):
        if not self.remaining() > 0:
            raise DeadlineExceeded("the budget is used up")


def run_steps(task, steps, store, clock, limit) -> Task:
    budget = Budget(task.deadline, clock)
    if task.state != TaskState.RUNNING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in ((name, step) for name, step in steps.items() if name not in task.journal):
        reason, result = None, None
        try:
            result = step(timeout=step_timeout(budget, limit))
        except DeadlineExceeded as over:
            reason = f"no time was left for {name} ({over})"
        except TimeoutError as late:
            reason = f"{name} did not answer in time ({late})"
        except Exception as error:
            reason = f"{name}: {type(error).__qualname__}: {error}"
        if reason:
            return store.save(task.to(TaskState.FAILED, error=reason))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result=str(len(steps))))
"""],
    'in a worker thread': ["""
# answer: run_steps
from concurrent.futures import ThreadPoolExecutor


def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="step") as pool:
        for name, step in steps.items():
            if name in task.journal:
                continue
            try:
                seconds = step_timeout(deadline, limit)
            except DeadlineExceeded as over:
                return store.save(task.to(TaskState.FAILED, error=f"before {name}: {over}"))
            future = pool.submit(step, seconds)
            if error := future.exception():
                return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
            task = store.save(task.finished(name, future.result()))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""],
    'match and generator': ["""
# answer: step_timeout
def step_timeout(deadline: Deadline, limit: float) -> float:
    match deadline.remaining():
        case left if left <= 0:
            raise DeadlineExceeded(f"over since {-left:g} s")
        case left if left < limit:
            return left
        case _:
            return limit
""", """
# answer: run_steps
def transitions(task, steps, deadline, limit):
    match task.state:
        case TaskState.PENDING:
            task = yield task.to(TaskState.RUNNING)
        case TaskState.RUNNING:
            pass
        case other:
            raise ValueError(f"a {other} task cannot be run")
    for name in steps:
        if name not in task.journal:
            try:
                result = steps[name](step_timeout(deadline, limit))
            except Exception as error:
                yield task.to(TaskState.FAILED, error=f"{name} ended the run: {error!r}")
                return
            task = yield task.finished(name, result)
    yield task.to(TaskState.COMPLETED, result="done")


def run_steps(task, steps, store, clock, limit) -> Task:
    way = transitions(task, steps, Deadline(task.deadline, clock), limit)
    change = next(way)
    try:
        while True:
            task = store.save(change)
            change = way.send(task)
    except StopIteration:
        return task
"""],
    'share that is left': ["""
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    total = (task.deadline - clock.now()).total_seconds()
    start = clock.monotonic()
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            if total <= 0 or (used := (clock.monotonic() - start) / total) >= 1:
                raise DeadlineExceeded("the deadline of the run has passed")
            result = step(min(limit, total * (1 - used)))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""],
}  # fmt: skip

EMPTY_IS_NOT_DONE = """
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    deadline = Deadline(task.deadline, clock)
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if task.journal.get(name):
            continue
        left = deadline.remaining()
        if left <= 0:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: DeadlineExceeded"))
        try:
            result = step(min(left, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="ok"))
"""

WRONG += [
    (
        "a step that returned nothing runs again",
        "restart_keeps_deadline",
        r"The task was running, with ",
        [EMPTY_IS_NOT_DONE],
    )
]


# Which step, and which error.

TO_BEGIN = """        try:
            timeout = step_timeout(deadline, limit)
        except DeadlineExceeded as error:
            return store.save(task.to(TaskState.FAILED, error=OVER))
        try:
            result = step(timeout)
"""
TRIED = """        try:
            result = step(step_timeout(deadline, limit))
"""
SKIPPED = """        if name in task.journal:
            continue
"""

WRONG += [
    ("a deadline of the step's own, without the step", "saves_failure", r"came between two steps, .*: say which step failed",
     _but("        except Exception as", """        except DeadlineExceeded as error:
            return store.save(task.to(TaskState.FAILED, error=f"the deadline has passed: {error!r}"))
        except Exception as""")),
    ("a deadline of the step's own gets out", "saves_failure", r"raised DeadlineExceeded\(.*, and run_steps raised Dead",
     _but("        except Exception as", """        except DeadlineExceeded:
            if deadline.remaining() > 0:
                raise
            return store.save(task.to(TaskState.FAILED, error=f"{name}: the deadline has passed"))
        except Exception as""")),
    ("whole seconds for each step", "operation_deadline", r"limit of [\d.]+ s. It was given \d+; expected [\d.]+$",
     _but("step(step_timeout(deadline, limit))", "step(int(step_timeout(deadline, limit)))")),
    ("all steps are named", "saves_failure", r"Both times the error is .*: that does not say why",
     _but(REASON, 'f"one of {list(steps)}: {error!r}"')),
    ("completed when it is over", "saves_failure", r"the task in the store is completed; expected a failed one",
     _but("        except Exception", "        except DeadlineExceeded:\n            break\n        except Exception")),
    ("a set of names", "run_deadline", r"run_steps ran", _but(LOOP, """\
    for name in set(steps) - set(task.journal):
        step = steps[name]
""")),
    ("the deadline is looked at before the journal", "saves_failure", r"(\w+) was done, and has not failed",
     _but(SKIPPED, """        if deadline.remaining() <= 0:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: could not start"))
""" + SKIPPED)),
    ("the step before is told as the one that failed", "saves_failure", r"(\w+) was done, and has not failed",
     _but(TRIED, TO_BEGIN.replace("OVER", 'f"{list(task.journal)[-1:]}: {error!r}"'))),
]  # fmt: skip

RIGHT |= {
    "a cached deadline": _but(
        "def run_steps", "from functools import lru_cache\n\n\nuntil = lru_cache(Deadline)\n\n\ndef run_steps",
        "Deadline(task.deadline, clock)", "until(task.deadline, clock)",
    ),
    "a queue of steps": _but(LOOP + SKIPPED, """\
    todo = [pair for pair in steps.items() if pair[0] not in task.journal][::-1]
    while todo and (pair := todo.pop()):
        name, step = pair
"""),
    "the type and the text": _but(REASON, 'f"{name}: {type(error).__name__}: {error}"'),
    "the lines of a traceback": _but(
        REASON, 'name + ": " + "".join(traceback.format_exception_only(error))',
        "def run_steps", "import traceback\n\n\ndef run_steps",
    ),
    "what was done, and what could not start": _but(
        TRIED, TO_BEGIN.replace("OVER", 'f"done: {list(task.journal)}; {name} could not start"'),
    ),
    "a sentence for each kind": _but(
        "        except Exception as", """        except DeadlineExceeded:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: no time"))
        except TimeoutError:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: no answer"))
        except Exception as""",
    ),
}  # fmt: skip

WRONG += [
    ("empty text not kept", "run_deadline", r"(\w+) returned '', and the journal has it not",
     ['''\
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    """Run the steps that the journal lacks, by task.deadline. Return the task, completed or failed, as it is stored."""
    deadline = Deadline(task.deadline, clock)
    if task.state == TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {type(error).__name__}: {error}"))
        if result:
            task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="all steps done"))
''']),
    ("monotonic of time", "no_late_start", r"The clock that run_steps was given showed \d+ s after .* began: read the time only from that",
     ['''\
# answer: run_steps
import time


def run_steps(task, steps, store, clock, limit) -> Task:
    """Run the steps that the journal lacks, by task.deadline. Return the task, completed or failed, as it is stored."""
    budget = Deadline(task.deadline, clock).remaining()
    started = time.monotonic()  # nobody can set this one
    if task.state == TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            left = budget - (time.monotonic() - started)
            if left <= 0:
                raise DeadlineExceeded(f"no time is left for {name}")
            result = step(min(limit, left))
        except Exception as error:
            return store.save(task.to(TaskState.FAILED, error=f"{name}: {type(error).__name__}: {error}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result="all steps done"))
''']),
]  # fmt: skip

WRONG += [
    ("name of the function", "saves_failure", r"failed task is .step step failed with .*: say which step",
     ['''\
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    """Run the steps that the journal lacks, by task.deadline. Return the task, completed or failed, as it is stored."""
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    deadline = Deadline(task.deadline, clock)
    for name, step in steps.items():
        if name in task.journal:
            continue
        try:
            result = step(step_timeout(deadline, limit))
        except Exception as error:
            what = getattr(step, "__name__", repr(step))
            return store.save(task.to(TaskState.FAILED, error=f"step {what} failed with {error!r}"))
        task = store.save(task.finished(name, result))
    return store.save(task.to(TaskState.COMPLETED, result=", ".join(steps)))
''']),
    ("deadline without step name", "saves_failure", r"the error of the failed task is .DeadlineExceeded.*: say which step failed or could not start",
     ['''\
# answer: step_timeout
def step_timeout(deadline: Deadline, limit: float) -> float:
    """Seconds that the next step may take: limit, or what is left if that is less. DeadlineExceeded at zero."""
    left = deadline.remaining()
    if left <= 0:
        raise DeadlineExceeded("the deadline has passed")
    return min(limit, left)
''', '''\
# answer: run_steps
def run_steps(task, steps, store, clock, limit) -> Task:
    """Run the steps that the journal lacks, by task.deadline. Return the task, completed or failed, as it is stored."""
    if task.state is TaskState.PENDING:
        task = store.save(task.to(TaskState.RUNNING))
    deadline = Deadline(task.deadline, clock)
    try:
        for name, step in steps.items():
            if name in task.journal:
                continue
            timeout = step_timeout(deadline, limit)
            try:
                result = step(timeout)
            except Exception as error:
                return store.save(task.to(TaskState.FAILED, error=f"step {name} failed: {error!r}"))
            task = store.save(task.finished(name, result))
    except DeadlineExceeded as late:
        return store.save(task.to(TaskState.FAILED, error=f"DeadlineExceeded: {late}"))
    return store.save(task.to(TaskState.COMPLETED, result=", ".join(steps)))
''']),
]  # fmt: skip
