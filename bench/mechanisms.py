"""What does a retry cost where nothing goes wrong, and what where it does? Beside tenacity and stamina.

    python bench/mechanisms.py

A call that does nothing, by each of the three, with at most five attempts: once it succeeds at once, once it fails
first and nobody waits, and once there is a deadline as well. Then what a deadline costs beside the subtraction that it
stands for. The aim: not slower than either. The extra `bench` installs the two others.
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import count, repeat

from figures import compare, installed

from labkit import Deadline, SystemClock
from labkit.backoff import Policy, retry
from labkit.deadlines import step_timeout

HOW = {"turns": 5, "calls": 2000}
Call = Callable[[], object]
Retry = Callable[[Call], object]


def nothing() -> str:
    """A call that succeeds."""
    return "done"


def failing_first() -> Call:
    """A call that fails, succeeds, fails, and so on."""
    calls = count()

    def call() -> str:
        if next(calls) % 2 == 0:
            raise ConnectionError
        return "done"

    return call


def ours(policy: Policy) -> Retry:
    """By labkit."""
    return lambda call: retry(call, policy, lambda _: None)


def by_tenacity(seconds: float = 0) -> Retry:
    """By tenacity, which makes an object for each function that it tries again."""
    import tenacity  # noqa: PLC0415 - it need not be there

    stop = tenacity.stop_after_attempt(5)
    return tenacity.Retrying(
        stop=stop | tenacity.stop_after_delay(seconds) if seconds else stop,
        wait=tenacity.wait_none(),
        retry=tenacity.retry_if_exception_type(ConnectionError),
        sleep=lambda _: None,
    )


def by_stamina(seconds: float | None = None) -> Retry:
    """By stamina, without its logging."""
    import stamina  # noqa: PLC0415 - it need not be there

    stamina.instrumentation.set_on_retry_hooks([])
    waits = {"wait_initial": 0, "wait_max": 0, "wait_jitter": 0}
    return stamina.RetryingCaller(attempts=5, timeout=seconds, **waits).on(ConnectionError)


def main() -> None:
    """Measure and tell."""
    deadline = Deadline.after(3600, SystemClock())
    plain = Policy(delays=lambda: repeat(0.0))
    timed = Policy(delays=lambda: repeat(0.0), remaining=deadline.remaining)
    ways = {"labkit": (ours(plain), ours(timed))}
    for name, way in {"tenacity": by_tenacity, "stamina": by_stamina}.items():
        if installed(name, what=f"retry beside {name}"):
            ways[name] = way(), way(3600)
    for what, make, which in (
        ("retry, nothing fails", lambda: nothing, 0),
        ("retry, the first attempt fails", failing_first, 0),
        ("retry with a deadline, the first attempt fails", failing_first, 1),
    ):
        each = {name: partial(both[which], make()) for name, both in ways.items()}
        compare(what, each, aim=1, **HOW)
    bare = {"retry": partial(ways["labkit"][0], nothing), "the call alone": nothing}
    compare("retry", bare, limit="A policy, a sequence of delays and a context variable for each call.", **HOW)
    end = time.monotonic() + 3600
    asked = {"step_timeout": lambda: step_timeout(deadline, 5.0), "min": lambda: min(5.0, end - time.monotonic())}
    compare("what is left of a deadline", asked, **HOW)


if __name__ == "__main__":
    main()
