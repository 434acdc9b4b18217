"""Answers to exercise 3 that graders must tell apart. WRONG: what it is, the case it breaks, what must be said, cells.

RIGHT: other shapes of a correct answer. What is not given is taken from the solution.
"""

NO_CAP = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while True:
        yield delay
        delay *= factor
"""

FIRST_PASSES_THE_CAP = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while True:
        yield delay
        delay = min(delay * factor, cap)
"""

ENDS_AT_THE_CAP = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while delay < cap:
        yield delay
        delay *= factor
"""

STARTS_AGAIN_AT_THE_CAP = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while True:
        yield min(delay, cap)
        delay = delay * factor if delay * factor <= cap else min(base, cap)
"""

STOPS_BELOW_THE_CAP = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = min(base, cap)
    while True:
        yield delay
        if delay * factor <= cap:
            delay *= factor
"""

LINEAR = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while True:
        yield min(delay, cap)
        delay += base * (factor - 1)
"""

STARTS_TOO_LATE = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while True:
        delay = min(delay * factor, cap)
        yield delay
"""

CONSTANT = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    while True:
        yield min(base, cap)
"""

SQUARES = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    for n in range(10_000):
        yield min(2**n, cap)
"""

FROM_THE_CLOCK = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    start = time.monotonic()
    while True:
        yield min(cap, base * factor ** int(time.monotonic() - start))
"""

SLEEPS_AFTER_THE_LAST = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for delay in islice(delays(), max_attempts):
        try:
            return fn()
        except Exception as error:
            last = error
            if not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
    raise last
"""

SLEEPS_BEFORE_THE_FIRST = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt, delay in enumerate(islice(delays(), max_attempts), 1):
        time.sleep(jitter(delay) if jitter else delay)
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
"""

NEVER_SLEEPS = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt in range(1, max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
"""

ALL_IN_ONE = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt in range(max_attempts):
        try:
            return fn()
        except {caught}:
            {check}
            if attempt == max_attempts - 1:
                {end}
        delay = {delay}
        time.sleep({slept})
"""

PARTS = {
    "caught": "Exception as error",
    "check": "if not is_retryable(error): raise",
    "end": "raise",
    "delay": "min(60, 2**attempt)",
    "slept": "jitter(delay) if jitter else delay",
}


def loop(**changed: str) -> str:
    """A retry loop as many write it, with parts of it changed."""
    return ALL_IN_ONE.format(**PARTS | changed)


RETRIES_EVERYTHING = loop(check="pass")
RETRIES_WHAT_IT_LIKES = loop(check="if not isinstance(error, OSError): raise")
CATCHES_EVERYTHING = loop(caught="BaseException as error")
ASKS_ONCE = loop(check="if attempt == 0 and not is_retryable(error): raise")
ASKS_ABOUT_THE_TYPE = loop(check="if not is_retryable(type(error)): raise")
ASKS_THE_WRONG_WAY = loop(check="if is_retryable(error): raise")
SLEEPS_BEFORE_IT_ASKS = loop(check="time.sleep(0.5)\n            if not is_retryable(error): raise")
PERMANENT_IS_WRAPPED = loop(check="if not is_retryable(error): raise RuntimeError('permanent') from error")
SWALLOWS = loop(end="return None")
RETURNS_THE_ERROR = loop(end="return error")
WRAPS = loop(end="raise RuntimeError(f'failed after {max_attempts} attempts') from error")
COPIES = loop(end="raise type(error)(*error.args)")
NO_CAP_OF_ITS_OWN = loop(delay="2**attempt")
IGNORES_JITTER = loop(slept="delay")
ADDS_JITTER = loop(slept="delay + jitter(delay) if jitter else delay")
HALVES_JITTER = loop(slept="delay / 2 + jitter(delay / 2) if jitter else delay")
JITTERS_ONE_SECOND = loop(slept="delay * jitter(1) if jitter else delay")

ONE_TOO_MANY = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for delay in islice(delays(), max_attempts):
        try:
            return fn()
        except Exception as error:
            if not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
    return fn()
"""

ONE_TOO_FEW = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt, delay in enumerate(delays(), 1):
        try:
            return fn()
        except Exception as error:
            if attempt >= max_attempts - 1 or not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""

FIRST_ERROR = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    errors = []
    for delay in [*islice(delays(), max_attempts - 1), None]:
        try:
            return fn()
        except Exception as error:
            errors.append(error)
            if not is_retryable(error):
                raise
        if delay is not None:
            time.sleep(jitter(delay) if jitter else delay)
    raise errors[0]
"""

TRUTH = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between, value = islice(delays(), max_attempts - 1), None
    for attempt in range(max_attempts):
        try:
            value = fn()
            if value:
                return value
        except Exception as error:
            if attempt == max_attempts - 1 or not is_retryable(error):
                raise
        for delay in islice(between, 1):
            time.sleep(jitter(delay) if jitter else delay)
    return value
"""

LOSES_THE_VALUE = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            fn()
            break
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""

SLEEPS_AFTER_SUCCESS = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        failed = value = None
        try:
            value = fn()
        except Exception as error:
            failed = error
        delay = next(between, None)
        if failed and (delay is None or not is_retryable(failed)):
            raise failed
        if delay is not None:
            time.sleep(jitter(delay) if jitter else delay)
        if not failed:
            return value
"""

TWO_LAYERS = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    def inner():
        return one_layer(fn, max_attempts, is_retryable, jitter)

    return one_layer(inner, max_attempts, is_retryable, jitter)


def one_layer(fn, max_attempts, is_retryable, jitter):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""

ONE_SEQUENCE_FOR_ALL = """
# answer: execute_with_retry
FOUR = [1, 2, 4]


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for delay in [*FOUR, None]:
        try:
            return fn()
        except Exception as error:
            if delay is None or not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""

COMPOUNDS = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    delay = 1
    for attempt in range(1, max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
        if jitter:
            delay = jitter(delay)
        time.sleep(delay)
        delay = min(delay * 2, 60)
"""

ONCE = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    return fn()
"""

NOTHING = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    return "done"
"""

FOR_EVER = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for delay in delays():
        try:
            return fn()
        except Exception as error:
            if not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""

SYNCHRONOUS_IN_NAME_ONLY = """
# answer: execute_with_retry
async def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    return fn()
"""

MISSPELT = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for delay in islice(delay_times(), max_attempts):
        return fn()
"""

HELPER_OUTSIDE = loop(delay="grown(attempt)")

EQUAL_JITTER = """
# answer: full_jitter
def full_jitter(delay, rng):
    return delay / 2 + rng.uniform(0, delay / 2)
"""

AROUND_THE_DELAY = """
# answer: full_jitter
def full_jitter(delay, rng):
    return delay * rng.uniform(0.9, 1.1)
"""

A_SECOND_ON_TOP = """
# answer: full_jitter
def full_jitter(delay, rng):
    return delay + rng.uniform(0, 1)
"""

NO_JITTER = """
# answer: full_jitter
def full_jitter(delay, rng):
    return delay
"""

GLOBAL_CHANCE = """
# answer: full_jitter
def full_jitter(delay, rng):
    return random.uniform(0, delay)
"""

SEEDED_INSIDE = """
# answer: full_jitter
def full_jitter(delay, rng):
    return random.Random(42).uniform(0, delay)
"""

ITS_OWN_SEQUENCE = """
# answer: full_jitter
mine = {}


def full_jitter(delay, rng):
    return mine.setdefault(id(rng), random.Random(42)).uniform(0, delay)
"""

WHOLE_SECONDS = """
# answer: full_jitter
def full_jitter(delay, rng):
    return rng.choice([0, delay / 4, delay / 2, delay])
"""

BELL = """
# answer: full_jitter
def full_jitter(delay, rng):
    return min(delay, max(0, rng.gauss(delay / 2, delay / 6)))
"""

TWO_DRAWS = """
# answer: full_jitter
def full_jitter(delay, rng):
    return delay * rng.random() * rng.random()
"""

A_FRACTION = """
# answer: full_jitter
def full_jitter(delay, rng):
    return rng.random()
"""

RETURNS_TEXT = """
# answer: full_jitter
def full_jitter(delay, rng):
    return f"{rng.uniform(0, delay)} s"
"""

NOT_PYTHON = """
# answer: delays
def delays(base=1, factor=2, cap=60)
    yield base
"""

PATCHES_SLEEP = """
# answer: execute_with_retry
time.sleep = lambda seconds: None


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt, delay in enumerate(delays(), 1):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""

ARRANGES = """
# answer: execute_with_retry
from labkit import arrange


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    arrange(faults={})
    return fn()
"""

ANOTHER_WORLD = """
# answer: execute_with_retry
import labkit.world


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    labkit.world.attach(labkit.world.World())
    return fn()
"""

LOOKS_INTO_FN = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    cells = dict(zip(fn.__code__.co_freevars, fn.__closure__))
    return cells["value"].cell_contents
"""

LOOKS_INTO_THE_STACK = """
# answer: execute_with_retry
import sys


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    judge = sys._getframe(1).f_locals
    judge["errors"].extend(kind("attempt failed") for kind in judge["plan"][:max_attempts])
    time.sleep(7)
    raise judge["errors"][-1]
"""

LEAVES = """
# answer: execute_with_retry
import os


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    os._exit(0)
"""

WHOLE_MILLISECONDS = """
# answer: delays
def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    delay = min(base, cap)
    while True:
        yield delay
        delay = min(round(delay * factor, 3), cap)  # no clock needs more than milliseconds
"""

FIXED_TIMETABLE = '''
# answer: execute_with_retry
def execute_with_retry(
    fn: Callable[[], Any],
    max_attempts: int,
    is_retryable: Callable[[Exception], bool],
    jitter: Callable[[float], float] | None = None,
) -> Any:
    """Attempts by a timetable, so that the delays do not drift."""
    due = time.monotonic()
    waits = delays()
    for attempt in range(1, max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
        delay = next(waits)
        due += delay if jitter is None else jitter(delay)
        time.sleep(max(0.0, due - time.monotonic()))
'''

TABLE_OF_SEVEN_DELAYS = """
# answer: execute_with_retry
def execute_with_retry(
    fn: Callable[[], Any],
    max_attempts: int,
    is_retryable: Callable[[Exception], bool],
    jitter: Callable[[float], float] | None = None,
) -> Any:
    table = list(islice(delays(), 7))  # 1, 2, 4, 8, 16, 32, 60: it does not grow any more
    for attempt, delay in zip(range(max_attempts - 1), table):
        try:
            return fn()
        except Exception as error:
            if not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
    return fn()
"""

ANTITHETIC_PAIRS = '''
# answer: full_jitter
_other_half: list[float] = []


def full_jitter(delay: float, rng: random.Random) -> float:
    """Antithetic variates: every second draw mirrors the one before, which halves the variance."""
    if _other_half:
        share = 1 - _other_half.pop()
    else:
        share = rng.random()
        _other_half.append(share)
    return delay * share
'''

ONE_DELAY_FOR_ALL_ITERATORS = """
# answer: delays
_now = {"delay": None}


def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    _now["delay"] = base
    while True:
        yield min(_now["delay"], cap)
        _now["delay"] = min(_now["delay"] * factor, cap)
"""

GROWS_A_HUNDRED_TIMES = """
# answer: delays
def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    delay = base
    for _ in range(100):  # long before this every delay is at its cap
        yield min(delay, cap)
        delay = min(delay * factor, cap)
    while True:
        yield min(delay, cap)
"""

TEN_MINUTES_AT_MOST = """
# answer: execute_with_retry
PATIENCE = 600.0


def execute_with_retry(
    fn: Callable[[], Any],
    max_attempts: int,
    is_retryable: Callable[[Exception], bool],
    jitter: Callable[[float], float] | None = None,
) -> Any:
    slept = 0.0
    for attempt, delay in enumerate(delays(), start=1):
        try:
            return fn()
        except Exception as error:
            if attempt >= max_attempts or slept > PATIENCE or not is_retryable(error):
                raise
        seconds = delay if jitter is None else jitter(delay)
        time.sleep(seconds)
        slept += seconds
"""

REMEMBERS_ANSWERS = """
# answer: execute_with_retry
_answers = {}


def execute_with_retry(
    fn: Callable[[], Any],
    max_attempts: int,
    is_retryable: Callable[[Exception], bool],
    jitter: Callable[[float], float] | None = None,
) -> Any:
    if fn in _answers:
        return _answers[fn]
    for delay in islice(delays(), max_attempts - 1):
        try:
            value = _answers[fn] = fn()
            return value
        except Exception as error:
            if not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
    value = _answers[fn] = fn()
    return value
"""

LOOKS_INTO_A_GROUP_OF_ONE = """
# answer: execute_with_retry
def execute_with_retry(
    fn: Callable[[], Any],
    max_attempts: int,
    is_retryable: Callable[[Exception], bool],
    jitter: Callable[[float], float] | None = None,
) -> Any:
    waits = delays()
    for attempt in range(1, max_attempts + 1):
        try:
            return fn()
        except Exception as caught:
            error = caught
        while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
            (error,) = error.exceptions
        if attempt == max_attempts or not is_retryable(error):
            raise error
        delay = next(waits)
        time.sleep(delay if jitter is None else jitter(delay))
"""

WRONG = [
    ("one delay for all iterators", "grows", "were taken in turn", [ONE_DELAY_FOR_ALL_ITERATORS]),
    ("grows a hundred times", "capped", "should be the cap", [GROWS_A_HUNDRED_TIMES]),
    ("ten minutes at most", "gives_up", "attempts came; expected", [TEN_MINUTES_AT_MOST]),
    ("answers are remembered by function", "returns_value", "with the same function", [REMEMBERS_ANSWERS]),
    ("looks into a group of one", "gives_up", "max_attempts is 3", [LOOKS_INTO_A_GROUP_OF_ONE]),
    ("whole milliseconds", "grows", "expected", [WHOLE_MILLISECONDS]),
    ("a fixed timetable", "grows", "Every attempt took", [FIXED_TIMETABLE]),
    ("a table of seven delays", "grows", "With max_attempts=", [TABLE_OF_SEVEN_DELAYS]),
    ("every second draw mirrors the one before", "spreads", "take all chance from rng", [ANTITHETIC_PAIRS]),
    ("no cap", "capped", r"1, 2, 4, 8, 16, 32, 64, 128: delay 7 is 64, the cap is 60", [NO_CAP]),
    ("the first delay passes the cap", "capped", r"delay 1 is \d+, the cap is \d+", [FIRST_PASSES_THE_CAP]),
    ("ends at the cap", "capped", r"delays\(\) ended after 6 delays: it must go on", [ENDS_AT_THE_CAP]),
    ("starts again at the cap", "capped", r"delay 150 is .* and should be the cap, 60", [STARTS_AGAIN_AT_THE_CAP]),
    ("stops below the cap", "capped", r"delay 150 is 32, and should be the cap, 60", [STOPS_BELOW_THE_CAP]),
    ("linear", "grows", r"Delays 1, 2, 3; expected 1, 2, 4: .* twice as long", [LINEAR]),
    ("begins with the second delay", "grows", r"Delays 2, 4, 8; expected 1, 2, 4: the first delay is 1",
     [STARTS_TOO_LATE]),
    ("constant", "grows", r"Delays 1, 1, 1; expected 1, 2, 4", [CONSTANT]),
    ("base and factor ignored", "grows", r"delays\(base=.*gave 1, 2, 4, 8, 16.*; expected", [SQUARES]),
    ("delays from the clock", "capped", r"should be the cap", [FROM_THE_CLOCK]),
    ("not Python", "capped", r"delays: line 2 is not Python: expected ':'", [NOT_PYTHON]),
    ("sleeps after the last attempt", "grows",
     r"Delays 1, 2, 4, 8; expected 1, 2, 4: you slept after the last attempt", [SLEEPS_AFTER_THE_LAST]),
    ("sleeps before the first attempt", "grows", r"Delays 1, 2, 4, 8; .* first attempt came only after 1 s",
     [SLEEPS_BEFORE_THE_FIRST]),
    ("never sleeps", "grows", r"Delays 0, 0, 0; .*no time passed", [NEVER_SLEEPS]),
    ("one attempt too many", "grows", r"Delays 1, 2, 4, 8; .*there were 5 attempts, and max_attempts is 4",
     [ONE_TOO_MANY]),
    ("no cap of its own", "grows", r"16, 32, 64.*; delays\(\) gives 1, 2, 4, 8, 16, 32, 60", [NO_CAP_OF_ITS_OWN]),
    ("patches time.sleep", "grows", r"Delays 0, 0, 0; .*no time passed", [PATCHES_SLEEP]),
    ("hard-coded delays", "grows", r"With max_attempts=\d+, execute_with_retry slept 1, 2, 4; delays\(\) gives",
     [ONE_SEQUENCE_FOR_ALL]),
    ("a misspelt name", "grows", r"raised NameError: name 'delay_times' is not defined at execute_with_retry, line 3",
     [MISSPELT]),
    ("helper outside the answer cells", "grows", r"`grown` is defined outside the answer cells",
     [HELPER_OUTSIDE, "def grown(attempt):\n    return 2**attempt\n"]),
    ("does nothing", "grows", r"there were 0 attempts, .*execute_with_retry returned 'done'", [NOTHING]),
    ("arranges the world", "grows", r"raised ToolError: only `setup` may arrange", [ARRANGES]),
    ("leaves by os._exit", "grows", r"ended by itself, with exit status 0", [LEAVES]),
    ("tries once", "grows", r"Delays none; expected 1, 2, 4: there was 1 attempt", [ONCE]),
    ("one attempt too many", "gives_up", r"max_attempts is \d, every attempt failed, and \d attempts came; expected",
     [ONE_TOO_MANY]),
    ("one attempt too few", "gives_up", r"max_attempts is \d, every attempt failed, and \d attempts? came; expected",
     [ONE_TOO_FEW]),
    ("tries for ever", "gives_up", r"every attempt failed, and \d+ attempts came", [FOR_EVER]),
    ("two layers", "gives_up", r"max_attempts is (\d), every attempt failed, and (9|16|25|36) attempts came",
     [TWO_LAYERS]),
    ("swallows the error", "gives_up", r"execute_with_retry returned None; expected the error of attempt", [SWALLOWS]),
    ("returns the error", "gives_up", r"returned \w+Error\('attempt \d failed'.*; expected", [RETURNS_THE_ERROR]),
    ("wraps the error", "gives_up", r"raised RuntimeError: failed after \d attempts at execute_with_retry, line",
     [WRAPS]),
    ("raises a copy", "gives_up", r"raised TypeError.* raise type\(error\).*; expected the error of attempt \d itself", [COPIES]),
    ("the first error", "gives_up", r"raised the error of attempt 1; expected the error of attempt", [FIRST_ERROR]),
    ("tries once", "gives_up", r"and 1 attempt came", [ONCE]),
    ("another world", "gives_up", r"and 0 attempts came", [ANOTHER_WORLD]),
    ("looks into the stack", "gives_up", r"and 0 attempts came", [LOOKS_INTO_THE_STACK]),
    ("truth for success", "returns_value", r"returned None, and \d attempts came: any value is a success", [TRUTH]),
    ("loses the value", "returns_value", r"returned 'reply \d+'; execute_with_retry returned None", [LOSES_THE_VALUE]),
    ("sleeps after success", "returns_value", r"slept 1 s more before it returned it", [SLEEPS_AFTER_SUCCESS]),
    ("tries once", "returns_value", r"Attempt 2 of at most 2 returned 0, but only 1 attempt came", [ONCE]),
    ("looks into fn", "returns_value", r"but only 0 attempts came", [LOOKS_INTO_FN]),
    ("a coroutine", "returns_value", r"only 0 attempts came: execute_with_retry returned a coroutine.*async def",
     [SYNCHRONOUS_IN_NAME_ONLY]),
    ("every error retried", "permanent_once", r"is_retryable says no to the \w+ of attempt 1, and \d attempts came",
     [RETRIES_EVERYTHING]),
    ("a classification of its own", "permanent_once", r"is_retryable says no to the", [RETRIES_WHAT_IT_LIKES]),
    ("asks only once", "permanent_once", r"says no to the \w+ of attempt [23], and \d attempts came", [ASKS_ONCE]),
    ("asks about the type", "permanent_once", r"of attempt [23], and 1 attempt came", [ASKS_ABOUT_THE_TYPE]),
    ("asks the wrong way", "permanent_once", r"of attempt 1, and 2 attempts came; expected 1", [ASKS_THE_WRONG_WAY]),
    ("sleeps before it asks", "permanent_once", r"slept 0.5 s before it raised it", [SLEEPS_BEFORE_IT_ASKS]),
    ("wraps what is permanent", "permanent_once", r"raised RuntimeError: permanent .*expected this error itself",
     [PERMANENT_IS_WRAPPED]),
    ("catches KeyboardInterrupt", "permanent_once", r"KeyboardInterrupt came in attempt 1: .*and \d attempts came",
     [CATCHES_EVERYTHING]),
    ("jitter ignored", "spreads", r"jitter was called 0 times for the \d delays between them", [IGNORES_JITTER]),
    ("jitter added", "spreads", r"jitter made .* of delay 1, which was 1; execute_with_retry slept 1\.\d+ s",
     [ADDS_JITTER]),
    ("half jitter", "spreads", r"Before delay 1, jitter was given 0.5; without jitter this delay is 1",
     [HALVES_JITTER]),
    ("jitter of one second", "spreads", r"Before delay 2, jitter was given 1; without jitter this delay is 2",
     [JITTERS_ONE_SECOND]),
    ("jitter compounds", "spreads", r"Before delay 2, jitter was given .*; without jitter this delay is 2",
     [COMPOUNDS]),
    ("equal jitter", "spreads", r"Of 1001 draws .* 0 lay between", [EQUAL_JITTER]),
    ("ten per cent", "spreads", r"gave [\d.]+; expected 0 to", [AROUND_THE_DELAY]),
    ("a second on top", "spreads", r"gave [\d.]+; expected 0 to", [A_SECOND_ON_TOP]),
    ("no jitter", "spreads", r"each time: it does not spread", [NO_JITTER]),
    ("global chance", "spreads", r"Two generators with one seed gave different delays", [GLOBAL_CHANCE]),
    ("seeded inside", "spreads", r"each time: it does not spread", [SEEDED_INSIDE]),
    ("a sequence of its own", "spreads", r"take all chance from rng", [ITS_OWN_SEQUENCE]),
    ("a few values", "spreads", r"Of 1001 draws .* 0 lay between", [WHOLE_SECONDS]),
    ("a bell", "spreads", r"Of 1001 draws .* each tenth is as likely", [BELL]),
    ("two draws", "spreads", r"Of 1001 draws .* each tenth is as likely", [TWO_DRAWS]),
    ("a fraction of a second", "spreads", r"Of 1001 draws", [A_FRACTION]),
    ("text", "spreads", r"full_jitter\(.* raised ValueError|expected a number", [RETURNS_TEXT]),
]  # fmt: skip

FORMULA_AND_RANGE = [
    """
# answer: delays
import itertools


def delays(base=1, factor=2, cap=60):
    def delay(n):
        try:
            return min(cap, base * factor**n)
        except OverflowError:
            return cap if base else 0

    return (delay(n) for n in itertools.count())
""",
    """
# answer: full_jitter
def full_jitter(delay, rng):
    return delay * rng.random()
""",
    """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    waits = delays()
    for attempt in range(max_attempts):
        try:
            result = fn()
        except Exception as e:
            if not is_retryable(e) or attempt == max_attempts - 1:
                raise e
            wait = next(waits)
            if jitter is not None:
                wait = jitter(wait)
            time.sleep(wait)
        else:
            return result
""",
]

CLASSES = [
    '''
# answer: delays
class Delays:
    """An iterator of its own."""

    def __init__(self, base, factor, cap):
        self.next, self.factor, self.cap = base, factor, cap

    def __iter__(self):
        return self

    def __next__(self):
        delay = min(self.next, self.cap)
        self.next = delay * self.factor
        return delay


def delays(base=1, factor=2, cap=60):
    return Delays(base, factor, cap)
''',
    '''
# answer: execute_with_retry
class Retry:
    """Remembers the attempts of one call."""

    def __init__(self, fn, most, is_retryable, jitter):
        self.fn, self.left, self.is_retryable, self.jitter = fn, most, is_retryable, jitter or (lambda delay: delay)
        self.delays = iter(delays())

    def attempt(self):
        self.left -= 1
        try:
            return True, self.fn()
        except Exception as error:
            if self.left == 0 or not self.is_retryable(error):
                raise
            return False, None

    def run(self):
        while True:
            done, value = self.attempt()
            if done:
                return value
            time.sleep(self.jitter(next(self.delays)))


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    return Retry(fn, max_attempts, is_retryable, jitter).run()
''',
]

RECURSION = [
    """
# answer: delays
def delays(base=1, factor=2, cap=60):
    yield min(base, cap)
    while base < cap:
        base = min(base * factor, cap)
        yield base
    while True:
        yield cap
""",
    '''
# answer: execute_with_retry
from time import sleep


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None, waits=None, nap=sleep):
    """Each attempt hands on what is left of the delays."""
    waits = delays() if waits is None else waits
    try:
        return fn()
    except Exception as error:
        if max_attempts == 1 or not is_retryable(error):
            raise
    wait = next(waits)
    nap(wait if jitter is None else jitter(wait))
    return execute_with_retry(fn, max_attempts - 1, is_retryable, jitter, waits, nap)
''',
]

ASYNC_INSIDE = [
    """
# answer: execute_with_retry
import asyncio


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    async def outcome():
        between = islice(delays(), max_attempts - 1)
        while True:
            try:
                return fn(), None
            except Exception as error:
                delay = next(between, None)
                if delay is None or not is_retryable(error):
                    return None, error
            await asyncio.sleep(jitter(delay) if jitter else delay)

    value, error = asyncio.run(outcome())
    if error is not None:
        raise error
    return value
"""
]

LABKITS_CLOCK = [
    """
# answer: execute_with_retry
from labkit import SystemClock


def attempt(fn):
    try:
        return fn(), None
    except Exception as error:
        return None, error


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None, clock=SystemClock()):
    value, error = attempt(fn)
    pauses = map(jitter, delays()) if jitter else delays()
    tries = 1
    while error is not None and is_retryable(error) and tries < max_attempts:
        clock.sleep(next(pauses))
        value, error = attempt(fn)
        tries += 1
    if error is not None:
        raise error
    return value
"""
]

IN_SLICES = [
    """
# answer: delays
from itertools import accumulate, repeat


def delays(base=1.0, factor=2.0, cap=60.0):
    return accumulate(repeat(factor), lambda delay, by: min(delay * by, cap), initial=min(base, cap))
""",
    """
# answer: full_jitter
def full_jitter(delay, rng, least=0.0):
    share = rng.uniform(0, 1)
    return least + (1 - share) * (delay - least)
""",
    """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    remaining = list(islice(delays(), max_attempts - 1))
    while True:
        try:
            return fn()
        except BaseException as error:
            if not isinstance(error, Exception):
                raise
            if not is_retryable(error):
                raise
            if not remaining:
                raise
        rest = remaining.pop(0) if jitter is None else jitter(remaining.pop(0))
        while rest > 0:
            time.sleep(min(rest, 0.75))
            rest -= 0.75
""",
]

UNTIL_THEN = [
    """
# answer: execute_with_retry
def wait_until(moment):
    while (left := moment - time.time()) > 0:
        time.sleep(left)


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    import contextlib

    *waits, _ = islice(delays(), max_attempts)
    for wait in waits:
        try:
            return fn()
        except Exception as error:
            if not is_retryable(error):
                raise
        wait_until(time.time() + (wait if jitter is None else jitter(wait)))
    return fn()
"""
]

RIGHT = {
    "a formula, a range and an else": FORMULA_AND_RANGE,
    "an iterator and a class": CLASSES,
    "recursion, extra parameters": RECURSION,
    "async inside": ASYNC_INSIDE,
    "labkit's clock, errors as values": LABKITS_CLOCK,
    "sleeps in slices": IN_SLICES,
    "waits until a moment": UNTIL_THEN,
}

# Written without sight of the cases.

WRONG += [
    (
        "recursive delays",
        "capped",
        r"delays\(\), after 9\d\d delays, raised RecursionError: .* at delays, line \d: .*: it must go on",
        [
            """
# answer: delays
def delays(base=1, factor=2, cap=60):
    yield min(base, cap)
    yield from delays(min(base * factor, cap), factor, cap)
"""
        ],
    ),
    (
        "a long list of delays that ends",
        "capped",
        r"delays\(\) ended after 500 delays: it must go on, at the cap",
        [
            """
# answer: delays
def delays(base=1, factor=2, cap=60):
    for n in range(500):
        yield min(base * factor ** n, cap)
"""
        ],
    ),
    (
        "whole seconds only",
        "capped",
        r"gave 0, .*expected 0\.|delay 150 is \d+, and should be the cap, \d+\.5",
        [
            """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = base
    while True:
        yield int(min(delay, cap))
        delay = min(delay * factor, cap)
"""
        ],
    ),
    (
        "power of a float overflows",
        "capped",
        r"after 1,024 delays, raised OverflowError: .* at delays, line 5",
        [
            """
# answer: delays
def delays(base=1, factor=2, cap=60):
    n = 0
    while True:
        yield min(float(base) * float(factor) ** n, cap)
        n += 1
"""
        ],
    ),
    (
        "doubles whatever the factor",
        "grows",
        r"gave .*; expected",
        [
            """
# answer: delays
def delays(base=1, factor=2, cap=60):
    delay = min(base, cap)
    while True:
        yield delay
        delay = min(delay + delay, cap)
"""
        ],
    ),
    (
        "one generator for the module",
        "grows",
        r"Delays of a later call in the same process: .*; expected 1, 2, 4: each call begins with the first",
        [
            """
# answer: execute_with_retry
GAPS = delays()
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt in range(max_attempts):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts - 1 or not is_retryable(error):
                raise
        delay = next(GAPS)
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "a generator as default",
        "grows",
        r"Delays of a later call in the same process: .*; expected 1, 2, 4: each call begins with the first",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None, gaps=delays()):
    for attempt in range(1, max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
            delay = next(gaps)
            time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "attempts are counted for the process",
        "gives_up",
        r"max_attempts is 2, every attempt failed, and 1 attempt came; expected 2",
        [
            """
# answer: execute_with_retry
failures = 0
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    global failures
    for delay in delays():
        try:
            return fn()
        except Exception as error:
            failures += 1
            if failures >= max_attempts or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "tries BaseException again",
        "permanent_once",
        r"KeyboardInterrupt came in attempt 1: somebody wants to stop, and \d attempts came",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except BaseException as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "cancellation is an error like another",
        "permanent_once",
        r"CancelledError came in attempt 1: somebody wants to stop, and \d attempts came",
        [
            """
# answer: execute_with_retry
import asyncio
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except (Exception, asyncio.CancelledError) as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "SystemExit is swallowed",
        "permanent_once",
        r"SystemExit came in attempt 1: .*, and execute_with_retry returned None; expected this error itself",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except (SystemExit, GeneratorExit):
            return None
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "asks once for each class of error",
        "permanent_once",
        r"is_retryable says no to the \w+ of attempt [23], and \d attempts came",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    known = {}
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            if type(error) not in known:
                known[type(error)] = is_retryable(error)
            delay = next(between, None)
            if delay is None or not known[type(error)]:
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "asks about a fresh error of that class",
        "permanent_once",
        r"is_retryable says no to the \w+ of attempt [23], and 1 attempt came; expected",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(type(error)(str(error))):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "a jitter of zero counts as none",
        "spreads",
        r"jitter made 0 of delay \d, which was \d; execute_with_retry slept \d s",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep((jitter and jitter(delay)) or delay)
"""
        ],
    ),
    (
        "a copy of the last error",
        "gives_up",
        r"raised TypeError: .* at execute_with_retry, line 11: .*; expected the error of attempt \d itself",
        [
            """
# answer: execute_with_retry
import copy
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise copy.copy(error)
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "the last error caused by the first",
        "gives_up",
        r"raised the error of attempt \d, with \w+\('attempt 1 failed'\) as its cause; expected",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    first = None
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            first = first or error
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise error from first
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "two attempts at least",
        "gives_up",
        r"max_attempts is 1, every attempt failed, and 2 attempts came; expected 1",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max(max_attempts - 1, 1))
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "five delays are all it knows",
        "gives_up",
        r"max_attempts is 7, every attempt failed, and 6 attempts came; expected 7",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = iter([1, 2, 4, 8, 16][:max_attempts - 1])
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "powers of its own, without the cap",
        "grows",
        r"slept 1, 2, 4, 8, 16, 32, 64.*; delays\(\) gives 1, 2, 4, 8, 16, 32, 60",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt in range(max_attempts):
        try:
            return fn()
        except Exception as error:
            if attempt + 1 == max_attempts or not is_retryable(error):
                raise
        delay = 2 ** attempt
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "whole seconds of jitter",
        "spreads",
        r"1001 draws of full_jitter\(.*, rng\) gave only 52 different delays",
        [
            """
# answer: full_jitter
def full_jitter(delay, rng):
    return rng.randint(0, int(delay))
"""
        ],
    ),
    (
        "never more than ten seconds of jitter",
        "spreads",
        r"Of 1001 draws .* 0 lay between",
        [
            """
# answer: full_jitter
def full_jitter(delay, rng):
    return rng.uniform(0, min(delay, 10))
"""
        ],
    ),
    (
        "triangular",
        "spreads",
        r"Of 1001 draws .* each tenth is as likely",
        [
            """
# answer: full_jitter
def full_jitter(delay, rng):
    return rng.triangular(0, delay)
"""
        ],
    ),
    (
        "milliseconds of jitter",
        "spreads",
        r"1001 draws of full_jitter\(.*, rng\) gave only \d+ different delays",
        [
            """
# answer: full_jitter
def full_jitter(delay, rng):
    return round(rng.uniform(0, delay), 1)
"""
        ],
    ),
    (
        "a falsy value is a failure",
        "returns_value",
        r"returned (\[\]|\{\}), and \d attempts came: any value is a success",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    value = None
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            value = fn()
            if value or value is None or isinstance(value, (str, int)):
                return value
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        else:
            delay = next(between, None)
            if delay is None:
                return value
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "a returned error is raised",
        "returns_value",
        r"returned ValueError\(.*\); execute_with_retry raised ValueError: .* line 8: raise value",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            value = fn()
            if isinstance(value, Exception):
                raise value
            return value
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "a remembered value",
        "returns_value",
        r"returned None, but only 0 attempts came: execute_with_retry returned 'reply \d+'",
        [
            """
# answer: execute_with_retry
last = {}
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            if "value" not in last:
                last["value"] = fn()
            return last["value"]
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "jitter of jitter",
        "spreads",
        r"Before delay 2, jitter was given .*; without jitter this delay is 2",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    delay = 1
    for attempt in range(max_attempts):
        try:
            return fn()
        except Exception as error:
            if attempt + 1 == max_attempts or not is_retryable(error):
                raise
        delay = delay if jitter is None else jitter(delay)
        time.sleep(delay)
        delay = min(delay * 2, 60)
"""
        ],
    ),
    (
        "and or",
        "spreads",
        r"jitter made 0 of delay \d, which was \d; execute_with_retry slept \d s",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(jitter and jitter(delay) or delay)
"""
        ],
    ),
    (
        "delays as a default",
        "grows",
        r"Delays of a later call in the same process: .*; expected 1, 2, 4: each call begins with the first",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None, waits=delays()):
    for attempt in range(1, max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
            delay = next(waits)
            time.sleep(jitter(delay) if jitter else delay)
"""
        ],
    ),
    (
        "a fixed list",
        "capped",
        r"delay 7 is 60, the cap is \d+",
        [
            """
# answer: delays
from itertools import chain, repeat


def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    return chain([1, 2, 4, 8, 16, 32], repeat(60))
"""
        ],
    ),
    (
        "whole seconds only",
        "grows",
        r"gave 0, .*expected 0\.|delay 150 is \d+, and should be the cap, \d+\.5",
        [
            """
# answer: delays
def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    n = 0
    while True:
        yield int(min(cap, base * factor**n))
        n += 1
"""
        ],
    ),
    (
        "always the first delay",
        "grows",
        r"Delays 1, 1, 1; expected 1, 2, 4: the first delay is 1, and each next one is twice as long",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt in range(max_attempts):
        try:
            return fn()
        except Exception as e:
            if not is_retryable(e) or attempt + 1 == max_attempts:
                raise
            d = next(delays())
            time.sleep(jitter(d) if jitter else d)
"""
        ],
    ),
    (
        "busy wait",
        "grows",
        r"execute_with_retry slept 1, 2, 4, 8(?:\.1)?, .*; delays\(\) gives",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        end = time.monotonic() + (delay if jitter is None else jitter(delay))
        while time.monotonic() < end:
            pass
"""
        ],
    ),
    (
        "a budget of its own",
        "gives_up",
        r"max_attempts is 7, every attempt failed, and \d attempts came; expected 7",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None, max_elapsed=30):
    start = time.monotonic()
    for attempt, delay in enumerate(delays(), start=1):
        try:
            return fn()
        except Exception as e:
            out_of_time = time.monotonic() - start + delay > max_elapsed
            if attempt >= max_attempts or out_of_time or not is_retryable(e):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""
        ],
    ),
    (
        "fn is given the attempt",
        "returns_value",
        r"raised TypeError: fn\(\) takes 0 positional arguments but 1 was given at execute_with_retry, line 5",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt, delay in enumerate(delays(), 1):
        try:
            return fn(attempt)
        except Exception as error:
            if attempt == max_attempts or not is_retryable(error):
                raise
            time.sleep(jitter(delay) if jitter else delay)
"""
        ],
    ),
    (
        "recursion that does not count",
        "gives_up",
        r"every attempt failed, and 51 attempts came \(execute_with_retry returned 'done'\)",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    try:
        return fn()
    except Exception as error:
        if max_attempts <= 1 or not is_retryable(error):
            raise
    delay = next(delays())
    time.sleep(jitter(delay) if jitter else delay)
    return execute_with_retry(fn, max_attempts, is_retryable, jitter)
"""
        ],
    ),
    (
        "another order of parameters",
        "returns_value",
        r"raised TypeError: unsupported operand .* at execute_with_retry, line 3",
        [
            """
# answer: execute_with_retry
def execute_with_retry(fn, is_retryable, max_attempts=3, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
        ],
    ),
    (
        "randint",
        "spreads",
        r"1001 draws of full_jitter\(.*, rng\) gave only 52 different delays",
        [
            """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return rng.randint(0, int(delay))
"""
        ],
    ),
    (
        "rounded",
        "spreads",
        r"1001 draws of full_jitter\(.*, rng\) gave only 52 different delays",
        [
            """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return round(rng.uniform(0, delay))
"""
        ],
    ),
    (
        "decorrelated",
        "spreads",
        r"gave [\d.]+; expected 0 to",
        [
            """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return min(60, rng.uniform(1, delay * 3))
"""
        ],
    ),
    (
        "at least ten milliseconds",
        "spreads",
        r"full_jitter\(0, rng\) gave 0.01; expected 0",
        [
            """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return max(0.01, rng.uniform(0, delay))
"""
        ],
    ),
]

RIGHT |= {
    "accumulate": [
        """
# answer: delays
from itertools import accumulate, repeat
def delays(base=1, factor=2, cap=60):
    return accumulate(repeat(factor), lambda delay, times: min(delay * times, cap), initial=min(base, cap))
"""
    ],
    "an iterator class": [
        """
# answer: delays
class delays:
    def __init__(self, base=1, factor=2, cap=60):
        self.next, self.factor, self.cap = base, factor, cap
    def __iter__(self):
        return self
    def __next__(self):
        now = min(self.next, self.cap)
        self.next = min(self.next * self.factor, self.cap)
        return now
"""
    ],
    "powers, and the cap where they overflow": [
        """
# answer: delays
from itertools import count
def delays(base=1, factor=2, cap=60):
    for n in count():
        try:
            delay = base * factor ** n
        except OverflowError:
            delay = cap
        yield min(delay, cap)
"""
    ],
    "for, and raise at the end": [
        """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    last = None
    gaps = delays()
    for attempt in range(max_attempts):
        if last is not None:
            gap = next(gaps)
            time.sleep(gap if jitter is None else jitter(gap))
        try:
            return fn()
        except Exception as error:
            last = error
            if not is_retryable(error):
                break
    raise last
"""
    ],
    "recursive attempts": [
        """
# answer: execute_with_retry
from time import sleep
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    pause = jitter or (lambda seconds: seconds)
    def attempt(left, gaps):
        try:
            return fn()
        except Exception as error:
            if left == 1 or not is_retryable(error):
                raise
        sleep(pause(next(gaps)))
        return attempt(left - 1, gaps)
    return attempt(max_attempts, delays())
"""
    ],
    "a class with __call__": [
        """
# answer: execute_with_retry
class Retry:
    def __init__(self, max_attempts, is_retryable, jitter):
        self.left, self.ask, self.jitter = max_attempts, is_retryable, jitter
        self.gaps = delays(cap=60)
    def again(self, error):
        self.left -= 1
        return self.left > 0 and self.ask(error)
    def __call__(self, fn):
        while True:
            try:
                return fn()
            except Exception as error:
                if not self.again(error):
                    raise
            gap = next(self.gaps)
            if self.jitter is not None:
                gap = self.jitter(gap)
            if gap > 0:
                time.sleep(gap)
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    return Retry(max_attempts, is_retryable, jitter)(fn)
"""
    ],
    "random times delay": [
        """
# answer: full_jitter
def full_jitter(delay, rng):
    return (1 - rng.random()) * delay
"""
    ],
    "numpy delays": [
        """
# answer: delays
import numpy as np
def delays(base=1, factor=2, cap=60):
    delay = np.float64(base)
    while True:
        yield np.minimum(delay, cap)
        delay = np.minimum(delay * factor, cap)
"""
    ],
    "a list of gaps, made first": [
        """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    gaps = [0.0, *islice(delays(), max_attempts - 1)]
    for number, gap in enumerate(gaps, 1):
        if number > 1:
            time.sleep(jitter(gap) if jitter else gap)
        try:
            value = fn()
        except Exception as error:
            if number == len(gaps):
                raise
            if not is_retryable(error):
                raise
        else:
            return value
"""
    ],
    "BaseException is let through first": [
        """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return fn()
        except BaseException as error:
            if not isinstance(error, Exception) or not is_retryable(error):
                raise
            delay = next(between, None)
            if delay is None:
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""
    ],
    "future annotations and a dataclass": [
        """
# answer: execute_with_retry
import time as clock_time
from dataclasses import dataclass, field
@dataclass
class Gaps:
    left: int
    source: Iterator = field(default_factory=lambda: delays())
    def next(self):
        self.left -= 1
        return next(self.source) if self.left > 0 else None
def execute_with_retry(fn: Callable, max_attempts: int, is_retryable: Callable, jitter: Callable | None = None) -> Any:
    gaps = Gaps(max_attempts)
    while True:
        try:
            return fn()
        except Exception as error:
            gap = gaps.next()
            if gap is None or not is_retryable(error):
                raise error
        clock_time.sleep(gap if jitter is None else jitter(gap))
"""
    ],
    "logarithms": [
        """
# answer: delays
import math
def delays(base=1, factor=2, cap=60):
    n = 0
    while True:
        delay = math.exp(math.log(base) + n * math.log(factor)) if n * math.log(factor) < 500 else cap
        yield min(delay, cap)
        n += 1
"""
    ],
    "accumulate and zip": [
        """
# answer: delays
from itertools import accumulate, chain, repeat, takewhile


def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    if base >= cap or factor <= 1:
        return repeat(min(base, cap)) if factor <= 1 else repeat(cap)
    powers = accumulate(repeat(factor), float.__mul__ if isinstance(base, float) and isinstance(factor, float) else
                        lambda one, other: one * other, initial=base)
    return chain(takewhile(lambda delay: delay < cap, powers), repeat(cap))
""",
        """
# answer: execute_with_retry
from itertools import zip_longest
from operator import call


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    gaps = islice(delays(), max_attempts - 1)
    attempts = repeat(fn, max_attempts)
    for attempt, gap in zip_longest(attempts, gaps):
        try:
            value = call(attempt)
        except Exception as error:
            if gap is None:
                raise error from error.__cause__
            if is_retryable(error):
                time.sleep((jitter or (lambda same: same))(gap))
                continue
            raise
        return value
""",
        """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return delay * rng.betavariate(1, 1)
""",
    ],
    "in a worker thread": [
        """
# answer: delays
class Doubling:
    '''Delays as an object whose iterator is a generator method.'''

    def __init__(self, base, factor, cap):
        self.base, self.factor, self.cap = base, factor, cap

    def __iter__(self):
        delay = self.base
        while delay < self.cap:
            yield delay
            delay *= self.factor
        while True:
            yield self.cap


def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    return iter(Doubling(base, factor, cap))
""",
        """
# answer: execute_with_retry
from concurrent.futures import ThreadPoolExecutor


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    with ThreadPoolExecutor(max_workers=1) as pool:
        for delay in [*islice(delays(), max_attempts - 1), None]:
            future = pool.submit(fn)
            error = future.exception()
            if error is None:
                return future.result()
            if delay is None or not isinstance(error, Exception) or not is_retryable(error):
                raise error
            time.sleep(jitter(delay) if jitter else delay)
""",
        """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return delay * rng.getrandbits(53) / 2**53
""",
    ],
    "match on outcomes": [
        """
# answer: execute_with_retry
from dataclasses import dataclass


@dataclass(frozen=True)
class Done:
    value: object


@dataclass(frozen=True, eq=False)
class Failed:
    error: Exception


class ExecuteWithRetry:
    '''Callable, without any state of its own.'''

    @staticmethod
    def outcome(fn):
        try:
            return Done(fn())
        except Exception as error:
            return Failed(error)

    def __call__(self, fn, max_attempts, is_retryable, jitter=None):
        gaps = islice(delays(), max_attempts - 1)
        while True:
            match self.outcome(fn), next(gaps, None):
                case Done(value), _:
                    return value
                case Failed(error), gap if gap is not None and is_retryable(error):
                    time.sleep(gap if not jitter else jitter(gap))
                case Failed(error), _:
                    raise error


execute_with_retry = ExecuteWithRetry()
""",
        """
# answer: full_jitter
full_jitter = lambda delay, rng: random.Random(rng.getrandbits(64)).uniform(0, delay)
""",
    ],
    "backoff style": [
        """
# answer: delays
from functools import partial, wraps
from itertools import count
from math import inf, log


def _nth(n, base, factor, cap):
    if base >= cap:
        return cap
    enough = inf if factor <= 1 else log(cap / base, factor) + 1
    return cap if n > enough else min(cap, base * factor**n)


def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    return map(partial(_nth, base=base, factor=factor, cap=cap), count())
""",
        """
# answer: execute_with_retry
def on_exception(wait_gen, exception, *, max_tries, giveup, jitter):
    def decorate(target):
        @wraps(target)
        def retry(*args, **kwargs):
            tries, wait = 0, wait_gen()
            while True:
                tries += 1
                try:
                    ret = target(*args, **kwargs)
                except exception as e:
                    if giveup(e) or tries == max_tries:
                        raise
                    value = next(wait)
                    seconds = value if jitter is None else jitter(value)
                    time.sleep(seconds)
                else:
                    return ret

        return retry

    return decorate


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    decorated = on_exception(
        delays, Exception, max_tries=max_attempts, giveup=lambda e: not is_retryable(e), jitter=jitter
    )(fn)
    return decorated()
""",
    ],
    "sleeps by fifths": [
        """
# answer: execute_with_retry
TICK = 0.2


def nap(seconds):
    ticks = round(seconds / TICK)
    for _ in range(ticks):
        time.sleep(TICK)
    if seconds - ticks * TICK > 1e-9:
        time.sleep(seconds - ticks * TICK)


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    for attempt, delay in enumerate(delays(), start=1):
        try:
            return fn()
        except Exception as error:
            if attempt >= max_attempts or not is_retryable(error):
                raise
        if jitter is None:
            nap(delay)
        else:
            time.sleep(jitter(delay))
"""
    ],
}

FALSY_IS_NOT_GIVEN = """
# answer: delays
def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    base, factor, cap = base or 1, factor or 2, cap or 60
    current = base
    while True:
        yield cap if current > cap else current
        current = current * factor
"""

IN_HUNDRED_PARTS = """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return delay * rng.randrange(101) / 100
"""

IN_MILLISECONDS = """
# answer: full_jitter
def full_jitter(delay: float, rng: random.Random) -> float:
    return rng.randint(0, int(delay * 1000)) / 1000
"""

WRONG += [
    ("a cap of zero is taken for none given", "capped", r"delays\(cap=0\) gave .*the cap is 0", [FALSY_IS_NOT_GIVEN]),
    ("in hundred parts", "spreads", r"draws of full_jitter.* gave only \d+ different delays", [IN_HUNDRED_PARTS]),
    ("in milliseconds, as integers", "spreads", r"gave 0 each time: it does not spread", [IN_MILLISECONDS]),
]


# Values that cannot be compared, states that last, and other shapes.

WITH = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
"""

COMPARED_WITH_A_MARK = (
    WITH
    + """
    missing = value = object()
    for left, delay in zip(range(max_attempts - 1, -1, -1), delays()):
        try:
            value = fn()
        except Exception as error:
            if not left or not is_retryable(error):
                raise
            time.sleep(jitter(delay) if jitter else delay)
        if value != missing:
            return value
"""
)

EXPONENT_OF_SIX = """
# answer: delays
def delays(base=1, factor=2, cap=60):
    power = 0
    while True:
        yield min(base * factor**power, cap)
        power = min(power + 1, 6)
"""

ERRORS_IN_A_DEFAULT = (
    "# answer: execute_with_retry\n"
    "def execute_with_retry(fn, max_attempts, is_retryable, jitter=None, errors=[]):\n"
    """
    for delay in delays():
        try:
            return fn()
        except Exception as error:
            errors.append(error)
            if len(errors) >= max_attempts or not is_retryable(error):
                raise
        time.sleep(jitter(delay) if jitter else delay)
"""
)

ALL_ERRORS_IN_A_GROUP = (
    WITH
    + """
    errors = []
    for left, delay in zip(range(max_attempts - 1, -1, -1), delays()):
        try:
            return fn()
        except Exception as error:
            errors.append(error)
            if not is_retryable(error):
                raise
        if left:
            time.sleep(jitter(delay) if jitter else delay)
    raise ExceptionGroup("all attempts failed", errors)
"""
)

COMPARED_BY_IDENTITY = COMPARED_WITH_A_MARK.replace("value != missing", "value is not missing")

A_CONTEXT_FOR_EACH_ATTEMPT = """
# answer: execute_with_retry
from contextlib import contextmanager


@contextmanager
def attempt(again, pause):
    try:
        yield
    except Exception as error:
        if not again(error):
            raise
        time.sleep(pause())


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    gaps, shake = iter(delays()), jitter or float
    for number in range(1, max_attempts + 1):
        with attempt(lambda error: number < max_attempts and is_retryable(error), lambda: shake(next(gaps))):
            return fn()
"""

POLICY = """
# answer: execute_with_retry
from dataclasses import dataclass, field


@dataclass
class Policy:
    left: int
    gaps: Iterator[float] = field(default_factory=delays)

    def again(self):
        self.left -= 1
        return self.left > 0


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    policy = Policy(max_attempts)
    while True:
        try:
            value = fn()
        except Exception as error:
            if not (is_retryable(error) and policy.again()):
                raise
            gap = next(policy.gaps)
            time.sleep(jitter(gap) if jitter is not None else gap)
        else:
            return value
"""

PARTIAL_STEPS = """
# answer: delays
from functools import partial
from itertools import accumulate, repeat


def _next(factor, cap, last, _):
    return min(last * factor, cap)


def delays(base=1, factor=2, cap=60):
    return accumulate(repeat(None), partial(_next, factor, cap), initial=min(base, cap))
"""


def _jitter(value):
    return [f"# answer: full_jitter\ndef full_jitter(delay, rng):\n    return {value}\n"]


WRONG += [
    ("compared with a mark", "returns_value", r"raised ValueError: which of the numbers\?", [COMPARED_WITH_A_MARK]),
    ("an exponent of six at most", "capped", r"and should be the cap", [EXPONENT_OF_SIX]),
    ("errors in a default", "grows", r"Delays", [ERRORS_IN_A_DEFAULT]),
    ("errors in a default", "gives_up", r"max_attempts is \d, every attempt failed, and", [ERRORS_IN_A_DEFAULT]),
    ("all errors in a group", "gives_up", r"raised ExceptionGroup", [ALL_ERRORS_IN_A_GROUP]),
    ("squared", "spreads", r"each tenth is as likely", _jitter("delay * rng.random() ** 2")),
    ("an exponential law", "spreads", r"each tenth", _jitter("min(rng.expovariate(2 / delay), delay) if delay else 0")),
    ("a choice of hundred parts", "spreads", r"only 10\d different", _jitter("delay * rng.choice(range(101)) / 100")),
]  # fmt: skip

RIGHT |= {
    "compared by identity": [COMPARED_BY_IDENTITY],
    "a context for each attempt": [A_CONTEXT_FOR_EACH_ATTEMPT],
    "a dataclass as policy": [POLICY],
    "partial steps": [PARTIAL_STEPS],
    "two draws, modulo one": _jitter("(rng.random() + rng.random()) % 1 * delay"),
    "random bits": _jitter("delay * (rng.getrandbits(53) / 2**53)"),
}

GUARDED = """
# answer: execute_with_retry
class Guard:
    def __init__(self, ask):
        self.ask = ask

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return isinstance(error, Exception) and bool(self.ask(error))


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    waits = delays()
    for _ in range(max_attempts - 1):
        with Guard(is_retryable):
            return fn()
        delay = next(waits)
        if jitter is not None:
            delay = jitter(delay)
        if delay > 0:
            time.sleep(delay)
    return fn()
"""

WRONG += [
    (f"chance from {clock}", "spreads", r"one seed gave different delays: take all chance from rng",
     _jitter(f"(rng.random() + {clock} % 1) % 1 * delay"))
    for clock in ("time.time()", "time.perf_counter()", "time.monotonic()", "time.time_ns() / 10**9")
]  # fmt: skip

RIGHT |= {
    "a guard of its own": [GUARDED],
    "a beta law": _jitter("rng.betavariate(1, 1) * delay"),
    "in thousand-millionths": _jitter("rng.randint(0, 10**9) / 10**9 * delay"),
}

CHANCE = {
    "a process id": ("os.getpid() % 1009 / 1009", "import os\n"),
    "a seed from the process id": ("random.Random(f'{rng.random()} {os.getpid()}').random()", "import os\n"),
    "the hour": ("int(time.time() / 600) % 1009 / 1009", ""),
    "the id of a function": ("id(full_jitter) // 16 % 1009 / 1009", ""),
    "the id of rng": ("id(rng) // 16 % 1009 / 1009", ""),
    "the hash of a text": ("hash('full jitter') % 1009 / 1009", ""),
    "an uuid of the process": ("SALT", "import uuid\n\nSALT = uuid.uuid4().int % 1009 / 1009\n"),
    "an uuid by time": ("uuid.uuid1().time % 1009 / 1009", "import uuid\n"),
    "bytes drawn once": ("SALT", "import os\n\nSALT = os.urandom(1)[0] / 256\n"),
    "secrets": ("secrets.randbelow(1009) / 1009", "import secrets\n"),
    "the system": ("random.SystemRandom().random()", ""),
    "a module's own draw": ("SALT", "SALT = random.random()\n"),
    "when it was loaded": ("SALT", "SALT = time.time() / 700 % 1\n"),
}
"""Source → what is added to a draw of rng, and what stands before it."""


def _salted(value: str, before: str) -> list[str]:
    return [cell.replace("def ", f"{before}\n\ndef ", 1) for cell in _jitter(f"(rng.random() + {value}) % 1 * delay")]


IN_A_GENERATOR = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    def attempts():
        for left, delay in zip(range(max_attempts - 1, -1, -1), delays()):
            try:
                yield fn()
                return
            except Exception as error:
                if not left or not is_retryable(error):
                    raise
            time.sleep(delay if jitter is None else jitter(delay))

    return next(attempts())
"""

IN_A_COROUTINE = """
# answer: execute_with_retry
import asyncio


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    async def attempts():
        between = islice(delays(), max_attempts - 1)
        while True:
            try:
                return fn()
            except Exception as error:
                delay = next(between, None)
                if delay is None or not is_retryable(error):
                    raise
            await asyncio.sleep(jitter(delay) if jitter else delay)

    return asyncio.run(attempts())
"""

NEXT_OF_A_MAP = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    while True:
        try:
            return next(map(lambda _: fn(), [0]), None)
        except Exception as error:
            delay = next(between, None)
            if delay is None or not is_retryable(error):
                raise
        time.sleep(delay if jitter is None else jitter(delay))
"""

LOOP_OVER_CALLS = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between, last = islice(delays(), max_attempts - 1), None
    for _ in range(max_attempts):
        try:
            for value in iter(fn, object()):
                return value
        except Exception as error:
            last = error
            if not is_retryable(error):
                raise
        for delay in islice(between, 1):
            time.sleep(delay if jitter is None else jitter(delay))
    if last:
        raise last
"""

TAKEN_FOR_THE_LAST_DELAY = """
# answer: execute_with_retry
def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between, last = islice(delays(), max_attempts - 1), None
    try:
        while True:
            try:
                return fn()
            except StopIteration:
                raise
            except Exception as error:
                last = error
                if not is_retryable(error):
                    raise
            delay = next(between)
            time.sleep(delay if jitter is None else jitter(delay))
    except StopIteration:
        if last:
            raise last
"""

OUTCOMES_OF_A_GENERATOR = """
# answer: execute_with_retry
def outcomes(fn):
    while True:
        try:
            value = fn()
        except Exception as error:
            yield error, None
        else:
            yield None, value


def execute_with_retry(fn, max_attempts, is_retryable, jitter=None):
    between = islice(delays(), max_attempts - 1)
    for error, value in outcomes(fn):
        if error is None:
            return value
        try:
            delay = next(between)
        except StopIteration:
            raise error
        if not is_retryable(error):
            raise error
        time.sleep(delay if jitter is None else jitter(delay))
"""

STOPS_THE_LOOP = {
    "StopIteration in a generator": ("raised RuntimeError: generator raised StopIteration at ", IN_A_GENERATOR),
    "StopIteration in a coroutine": ("raised RuntimeError: coroutine raised StopIteration at ", IN_A_COROUTINE),
    "StopIteration in a map": ("returned None", NEXT_OF_A_MAP),
    "StopIteration in a loop over calls": ("(returned (None|'done')|attempts came)", LOOP_OVER_CALLS),
    "StopIteration taken for the last delay": ("returned None", TAKEN_FOR_THE_LAST_DELAY),
}

WRONG += [
    *((f"chance from {source}", "spreads", r"take all chance from rng", _salted(*made))
      for source, made in CHANCE.items()),
    *((what, "gives_up", f"with StopIteration, and .*{told}", [cell]) for what, (told, cell) in STOPS_THE_LOOP.items()),
    *((what, "permanent_once", f"no to the StopIteration of attempt 2, and .*{told}", [cell])
      for what, (told, cell) in STOPS_THE_LOOP.items()),
]  # fmt: skip

RIGHT |= {
    "outcomes of a generator": [OUTCOMES_OF_A_GENERATOR],
    "seeded by a draw and its hash": _jitter("random.Random(hash((rng.random(), delay))).random() * delay"),
    "a generator seeded by another": _jitter("random.Random(rng.getrandbits(64)).uniform(0, delay)"),
}

WRONG += [
    ("power overflows", "capped", r"delays\(base=0.5, factor=2.0\), after 1,024 delays, raised OverflowError",
     ['''\
# answer: delays
from itertools import count


def delays(base: float = 1, factor: float = 2, cap: float = 60) -> Iterator[float]:
    """Yield base, base * factor, base * factor² … seconds, none longer than cap. Without end."""
    for n in count():
        yield min(cap, base * factor**n)
''']),
]  # fmt: skip
