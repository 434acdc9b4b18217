"""Trying again without doing harm: how long to wait, what to try again, and when to give up.

Delays are pure sequences of seconds. `retry` and `retry_async` take them, and everything else, as parameters.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may be another one next time."""
_retrying: ContextVar[bool] = ContextVar("retrying", default=False)


def exponential(base: float = 1.0, factor: float = 2.0, cap: float = 60.0) -> Iterator[float]:
    """base, base·factor, base·factor² … seconds, none longer than `cap`. Without end."""
    delay = min(base, cap)
    while True:
        yield delay
        delay = min(delay * factor, cap)


def full_jitter(delay: float, rng: random.Random) -> float:
    """Uniform in [0, delay]: callers that failed together do not return together.

    Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return rng.uniform(0, delay)


def jittered(rng: random.Random | None = None) -> Callable[[float], float]:
    """Full jitter as a policy takes it. Without `rng`, chance decides."""
    return partial(full_jitter, rng=rng or random.Random())


def decorrelated(rng: random.Random, base: float = 1.0, cap: float = 60.0) -> Iterator[float]:
    """Each delay uniform in [base, three times the one before], none longer than `cap`. Same source."""
    delay = base
    while True:
        delay = min(cap, rng.uniform(base, delay * 3))
        yield delay


def is_retryable(error: Exception) -> bool:
    """Whether the same call may succeed later. Whether it is safe to repeat is yours to know."""
    openai = sys.modules.get("openai")  # its errors exist only where it is loaded
    if openai is not None and isinstance(error, openai.APIConnectionError):
        return True
    if getattr(error, "code", None) == "insufficient_quota":
        return False  # a 429, but only money helps
    status = getattr(error, "status_code", None)
    return status in RETRYABLE if status is not None else isinstance(error, (ConnectionError, TimeoutError))


def retry_after(error: Exception, now: datetime | None = None) -> float:
    """Seconds to wait, as the error says or as the server did (Retry-After: RFC 9110, 10.2.3); 0 if neither does."""
    if isinstance(seconds := getattr(error, "retry_after", None), float):
        return seconds
    return parse_retry_after(getattr(getattr(error, "response", None), "headers", {}).get("retry-after", ""), now)


def parse_retry_after(said: str, now: datetime | None = None) -> float:
    """Seconds that a Retry-After header asks for, as a number or as a date; 0 for what is neither."""
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(said) - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return seconds if 0 < seconds < float("inf") else 0.0


class RetryBudget:
    """Lets retries be a share of all calls: when a service is down, its callers stop hammering it.

    Each success earns `ratio` of a retry, up to `most` in store; it starts full. All calls to a service share one.
    """

    def __init__(self, ratio: float = 0.1, most: float = 10.0) -> None:
        self._ratio, self._most, self._left = ratio, most, most

    def earn(self) -> None:
        """A call has succeeded."""
        self._left = min(self._most, self._left + self._ratio)

    def spend(self) -> bool:
        """Take one retry; False if there is none."""
        if self._left < 1 - 1e-9:  # ten times 0.1 is a little less than 1
            return False
        self._left -= 1
        return True


@dataclass(frozen=True)
class Policy:
    """When to try again, and when to give up."""

    max_attempts: int = 5
    delays: Callable[[], Iterator[float]] = exponential
    jitter: Callable[[float], float] | None = field(default_factory=jittered)
    """Makes of each delay in the sequence the one that is slept. None: they are slept as they are."""
    is_retryable: Callable[[Exception], bool] = is_retryable
    remaining: Callable[[], float] | None = None
    """Seconds left for everything. No delay is begun that would use them up."""
    budget: RetryBudget | None = None
    patience: float = 300.0
    """The longest Retry-After, in seconds, that is waited for."""


class _Attempts:
    """Counts the attempts of one call, and says after each error how long to wait, or to give up."""

    def __init__(self, policy: Policy) -> None:
        if policy.max_attempts < 1:
            raise ValueError(f"max_attempts is {policy.max_attempts}: at least one attempt is needed")
        self._policy = policy
        retries = 0 if _retrying.get() else policy.max_attempts - 1  # one layer only, or attempts multiply
        self._delays = islice(policy.delays(), retries)

    def delay_after(self, error: Exception) -> float | None:
        """Seconds to wait before the next attempt; None to give up."""
        policy = self._policy
        delay = next(self._delays, None)
        if delay is None or not policy.is_retryable(error):
            return None
        asked = retry_after(error)
        # Whoever was told the same Retry-After would return at the same moment: jitter comes on top of it.
        delay = max(delay, asked) if policy.jitter is None else asked + policy.jitter(delay)
        if asked > policy.patience or (policy.remaining is not None and delay >= policy.remaining()):
            return None
        if policy.budget is not None and not policy.budget.spend():
            return None
        return delay

    def succeeded(self) -> None:
        if self._policy.budget is not None:
            self._policy.budget.earn()


def retry(fn: Callable[[], T], policy: Policy | None = None, sleep: Callable[[float], object] | None = None) -> T:
    """What `fn` returns, or the last error it raised, after at most `policy.max_attempts` attempts.

    An error that is not retryable is raised at once, and nothing is slept after the last attempt. Cancellation and
    KeyboardInterrupt pass through. Inside another retry `fn` gets one attempt: the outer one tries again.
    """
    attempts, outer = _Attempts(policy or Policy()), _retrying.set(True)
    try:
        while True:
            try:
                value = fn()
            except Exception as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
            else:
                attempts.succeeded()
                return value
            (sleep or time.sleep)(delay)
    finally:
        _retrying.reset(outer)


async def retry_async(
    fn: Callable[[], Awaitable[T]],
    policy: Policy | None = None,
    sleep: Callable[[float], Awaitable[object]] | None = None,
) -> T:
    """As `retry`, for a coroutine function."""
    attempts, outer = _Attempts(policy or Policy()), _retrying.set(True)
    try:
        while True:
            try:
                value = await fn()
            except Exception as error:
                delay = attempts.delay_after(error)
                if delay is None:
                    raise
            else:
                attempts.succeeded()
                return value
            await (sleep or asyncio.sleep)(delay)
    finally:
        _retrying.reset(outer)
