"""What trying again promises: how long it waits, what it tries again, and when it gives up."""

import asyncio
import random
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from functools import partial
from itertools import count, islice, pairwise
from string import printable
from threading import Barrier
from types import SimpleNamespace

import httpx2
import openai
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from labkit.backoff import (
    Policy,
    RetryBudget,
    decorrelated,
    exponential,
    full_jitter,
    is_retryable,
    jittered,
    retry,
    retry_after,
    retry_async,
)
from labkit.clock import FakeClock
from labkit.crash import trial
from labkit.deadlines import Deadline, DeadlineExceeded

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
steady = partial(Policy, jitter=None)
"""A policy whose delays are slept as they are."""
THREE, FIVE = steady(max_attempts=3), steady()


class Fails:
    """A call that raises each of these errors in turn and then returns "done"; it counts how often it was made."""

    def __init__(self, *errors):
        self.errors = errors
        self.calls = 0

    def __call__(self, *_):
        """The next error, or "done"."""
        self.calls += 1
        if self.calls <= len(self.errors):
            raise self.errors[self.calls - 1]
        return "done"


def resets(number):
    """So many connection errors, all different."""
    return [ConnectionResetError(f"reset {n}") for n in range(1, number + 1)]


def asks_for(said):
    """A lost connection whose server asked for this wait."""
    error = ConnectionError()
    error.response = SimpleNamespace(headers={"retry-after": said})
    return error


def blocking(fn, policy=FIVE, sleep=lambda seconds: None):
    """What `retry` makes of this call."""
    return retry(fn, policy, sleep)


def coroutine(fn):
    """A coroutine function that does the same."""

    async def call(*args):
        return fn(*args)

    return call


def awaited(fn, policy=FIVE, sleep=lambda seconds: None):
    """What `retry_async` makes of this call."""
    return asyncio.run(retry_async(coroutine(fn), policy, coroutine(sleep)))


def attempts_of(run, policy=THREE):
    """How many attempts a call that always fails gets."""
    call = Fails(*resets(99))
    with pytest.raises(ConnectionResetError):
        run(call, policy)
    return call.calls


both = pytest.mark.parametrize("run", [blocking, awaited])
"""What `retry` promises, `retry_async` promises too."""
ENDS = [ConnectionError(), ValueError(), KeyboardInterrupt(), asyncio.CancelledError()]
ends = pytest.mark.parametrize("errors", [[], *([error] * 9 for error in ENDS)])
"""The ways in which a retry ends: success, and errors of every kind."""


def test_exponential_delays_double_until_the_cap():
    """One second, two, four …, and never more than a minute."""
    assert list(islice(exponential(), 9)) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(
    ("base", "factor", "cap", "delays"),
    [
        (0.5, 3, 10, [0.5, 1.5, 4.5, 10, 10]),
        (2, 2, 8, [2, 4, 8, 8, 8]),
        (90, 2, 60, [60, 60, 60, 60, 60]),
        (3, 1, 60, [3, 3, 3, 3, 3]),
        (0, 2, 60, [0, 0, 0, 0, 0]),
    ],
)
def test_exponential_delays_follow_base_factor_and_cap(base, factor, cap, delays):
    """The first is `base`, each next one `factor` times longer, and the cap holds from the first on."""
    assert list(islice(exponential(base, factor, cap), 5)) == delays


def test_a_service_that_is_down_for_days_overflows_nothing():
    """The five-thousandth delay is as long as the cap: 2**5000 is never computed."""
    assert next(islice(exponential(), 5_000, None)) == 60
    assert next(islice(decorrelated(random.Random(1)), 5_000, None)) <= 60


@given(st.floats(0, 1e9), st.integers())
def test_full_jitter_is_never_longer_than_the_delay(delay, seed):
    """Jitter shortens a delay and never makes it negative."""
    assert 0 <= full_jitter(delay, random.Random(seed)) <= delay


def are_spread(draws, low, high):
    """Whether all lie between the two, and every tenth of the way gets about a tenth of them."""
    tenths = [10 * (draw - low) // (high - low) for draw in draws]
    return set(tenths) == set(range(10)) and all(0.8 < 10 * tenths.count(n) / len(draws) < 1.2 for n in range(10))


def test_full_jitter_spreads_callers_over_the_whole_delay():
    """Every tenth of the delay gets about a tenth of the callers, so their mean is near half of it."""
    rng = random.Random(1)
    draws = [full_jitter(10.0, rng) for _ in range(10_000)]
    assert are_spread(draws, 0, 10)
    assert 4.8 < sum(draws) / len(draws) < 5.2


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: [full_jitter(10, rng) for _ in range(5)],
        lambda rng: list(map(jittered(rng), [10] * 5)),
        lambda rng: list(islice(decorrelated(rng), 5)),
    ],
    ids=["full_jitter", "jittered", "decorrelated"],
)
def test_chance_comes_from_the_generator_that_is_given(draw):
    """The same seed gives the same delays, another seed others."""
    assert draw(random.Random(1)) == draw(random.Random(1)) != draw(random.Random(2))


def test_without_a_generator_no_two_policies_jitter_alike():
    """Even if the agents that made them have seeded their chance alike."""
    draws = set()
    for _ in range(100):
        random.seed(1)
        draws.add(Policy().jitter(1.0))
    assert len(draws) == 100


@given(st.integers(), st.floats(0.01, 100), st.floats(0.01, 1_000))
def test_a_decorrelated_delay_is_at_most_three_times_the_one_before(seed, base, cap):
    """No delay is shorter than `base`, none longer than the cap, and none leaps."""
    delays = list(islice(decorrelated(random.Random(seed), base, cap), 20))
    for before, delay in pairwise([base, *delays]):
        assert min(base, cap) <= delay <= cap
        assert delay <= before * 3 * (1 + 1e-12)  # uniform may round up


@pytest.mark.parametrize(("luck", "delays"), [(min, [1, 1, 1, 1, 1]), (max, [3, 9, 27, 60, 60])])
def test_decorrelated_delays_use_the_whole_range(luck, delays):
    """The luckiest caller always waits `base`, the unluckiest three times longer each time, up to the cap."""
    rng = SimpleNamespace(uniform=luck)
    assert list(islice(decorrelated(rng), 5)) == delays


def raised_by_the_client(answer):
    """The error that OpenAI's own client raises when the network does this."""
    network = httpx2.Client(transport=httpx2.MockTransport(answer))
    client = openai.OpenAI(api_key="none", max_retries=0, http_client=network)
    with pytest.raises(openai.OpenAIError) as caught:
        client.models.list()
    return caught.value


def refused(status, error=None, **headers):
    """The error for an answer with this status, this explanation, and these headers, written with _ for -."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return raised_by_the_client(lambda request: httpx2.Response(status, headers=headers, json={"error": error or {}}))


NO_MONEY = {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}
TOO_FAST = {"message": "insufficient_quota is not meant", "type": "requests", "code": "rate_limit_exceeded"}


@pytest.mark.parametrize(
    ("status", "kind", "again"),
    [
        (400, openai.BadRequestError, False),
        (401, openai.AuthenticationError, False),
        (403, openai.PermissionDeniedError, False),
        (404, openai.NotFoundError, False),
        (408, openai.APIStatusError, True),
        (422, openai.UnprocessableEntityError, False),
        (429, openai.RateLimitError, True),
        (500, openai.InternalServerError, True),
        (501, openai.InternalServerError, False),
        (502, openai.InternalServerError, True),
        (503, openai.InternalServerError, True),
        (504, openai.InternalServerError, True),
    ],
)
def test_a_status_decides_whether_a_model_is_asked_again(status, kind, again):
    """Overload and a broken server pass; a wrong question or key stays wrong."""
    error = refused(status)
    assert type(error) is kind
    assert is_retryable(error) is again


@pytest.mark.parametrize(
    ("explanation", "again"),
    [(NO_MONEY, False), (TOO_FAST, True), ({"code": None}, True), ({"code": 429}, True), ({}, True)],
)
def test_the_code_tells_a_used_up_quota_from_calls_that_came_too_fast(explanation, again):
    """Both are a 429, but the one passes by itself, and the other when someone pays."""
    error = refused(429, explanation)
    assert type(error) is openai.RateLimitError
    assert is_retryable(error) is again


@both
def test_a_used_up_quota_is_not_tried_again(run):
    """Whatever Retry-After says: one attempt, no delay."""
    call, slept = Fails(refused(429, NO_MONEY, retry_after="1")), []
    with pytest.raises(openai.RateLimitError, match="current quota"):
        run(call, None, slept.append)
    assert (call.calls, slept) == (1, [])


@pytest.mark.parametrize(
    ("network_error", "kind"),
    [(httpx2.ConnectError, openai.APIConnectionError), (httpx2.ReadTimeout, openai.APITimeoutError)],
)
def test_a_model_that_cannot_be_reached_is_asked_again(network_error, kind):
    """The client wraps a lost connection in errors of its own, which have no status."""

    def answer(request):
        raise network_error("lost", request=request)

    error = raised_by_the_client(answer)
    assert type(error) is kind
    assert is_retryable(error) is True


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionError(), True),
        (ConnectionResetError(), True),
        (BrokenPipeError(), True),
        (TimeoutError(), True),
        (OSError("disk full"), False),
        (ValueError(), False),
        (KeyError(), False),
        (openai.OpenAIError(), False),
        (DeadlineExceeded(), False),
    ],
)
@pytest.mark.parametrize("loaded", [True, False], ids=["with openai", "without"])
def test_a_lost_connection_is_tried_again_and_a_wrong_argument_is_not(error, again, loaded, monkeypatch):
    """Only what may pass by itself is tried again, and a deadline that has passed does not."""
    if not loaded:
        monkeypatch.delitem(sys.modules, "openai")
    assert is_retryable(error) is again


@pytest.mark.parametrize(("status", "again"), [(503, True), (400, False), (None, True)])
def test_a_status_says_more_than_the_kind_of_error(status, again):
    """A connection error that carries a status is judged by it, whichever library it is from."""
    error = ConnectionError()
    error.status_code = status
    assert is_retryable(error) is again


def test_telling_errors_apart_does_not_load_openai():
    """An agent without a model does not wait a second for a library whose errors it never sees."""
    code = "import sys; from labkit.backoff import is_retryable as f; print(f(TimeoutError()), 'openai' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        ("0.25", 0.25),
        ("0", 0),
        ("-5", 0),
        ("inf", 0),
        ("nan", 0),
        ("1e999", 0),
        ("", 0),
        ("soon", 0),
        ("Mon, 01 Jun 2026 12:00:30 GMT", 30),
        ("Mon, 01 Jun 2026 15:00:30 +0300", 30),
        ("Mon, 01 Jun 2026 12:00:00 GMT", 0),
        ("Mon, 01 Jun 2026 11:59:30 GMT", 0),
        ("Mon, 01 Jun 2026 12:00:30 -0000", 0),
        ("Mon, 01 Jun 2026 12:00:30 +99999999999999999999", 0),
        ("Mon, 99 Jun 2026 12:00:30 GMT", 0),
    ],
)
def test_the_server_says_how_long_to_wait_in_seconds_or_as_a_date(said, seconds):
    """Retry-After is read in both its forms; a time that has passed, or nonsense, asks for nothing."""
    assert retry_after(refused(429, retry_after=said), NOON) == seconds


@given(st.text(printable) | st.integers().map("Mon, 01 Jun 2026 12:00:30 {:+}".format))
def test_whatever_a_server_says_the_wait_is_a_number_of_seconds(said):
    """No header makes retrying itself fail, or wait for ever."""
    assert 0 <= retry_after(asks_for(said), NOON) < float("inf")


def test_a_server_that_says_nothing_asks_for_no_wait():
    """An answer without the header, an error without an answer, and one whose answer never came."""
    never_came = openai.OpenAIError()
    never_came.response = None
    assert [retry_after(error) for error in (refused(503), ConnectionError(), never_came)] == [0, 0, 0]


def test_a_date_is_compared_with_the_present():
    """Who does not say what time it is means now."""
    with time_machine.travel(NOON, tick=False):
        assert retry_after(refused(503, retry_after="Mon, 01 Jun 2026 12:01:00 GMT")) == 60


@both
def test_what_the_call_returns_is_returned(run):
    """Where nothing fails, the call is made once and nothing is slept."""
    call, slept = Fails(), []
    assert run(call, sleep=slept.append) == "done"
    assert (call.calls, slept) == (1, [])


@both
@pytest.mark.parametrize("failures", range(5))
def test_a_call_is_tried_until_it_succeeds(run, failures):
    """One attempt more than there were failures, as long as five are enough."""
    call = Fails(*resets(failures))
    assert run(call) == "done"
    assert call.calls == failures + 1


@both
def test_nothing_is_slept_after_the_last_attempt(run):
    """Four attempts have three delays between them, the delays of the policy."""
    call, slept = Fails(*resets(9)), []
    with pytest.raises(ConnectionResetError):
        run(call, steady(max_attempts=4), slept.append)
    assert (call.calls, slept) == (4, [1, 2, 4])


@both
def test_without_jitter_the_delays_are_slept_as_they_are(run):
    """Policy(jitter=None) gives up after five attempts and 15 seconds to the dot."""
    call, slept = Fails(*resets(9)), []
    with pytest.raises(ConnectionResetError, match="reset 5"):
        run(call, Policy(jitter=None), slept.append)
    assert (call.calls, slept) == (5, [1, 2, 4, 8])


def delays_of(callers, run, policy):
    """The four delays of each of so many callers who fail five times."""
    slept = [[] for _ in range(callers)]
    for delays in slept:
        with pytest.raises(ConnectionResetError, match="reset 5"):
            run(Fails(*resets(9)), policy, delays.append)
    return slept


def test_callers_that_failed_together_do_not_return_together():
    """Each of the four delays is spread from nothing to one, two, four, eight seconds."""
    slept = delays_of(3_000, blocking, Policy(jitter=jittered(random.Random(1))))
    for longest, delays in zip([1, 2, 4, 8], zip(*slept, strict=True), strict=True):
        assert are_spread(delays, 0, longest)


@both
def test_without_a_policy_there_are_five_attempts_and_full_jitter(run, monkeypatch):
    """It draws from the chance that the process has now, not from that of the import."""
    seeded, chance = Policy(jitter=jittered(random.Random(1))), random.Random(1)
    monkeypatch.setattr(random, "Random", lambda: chance)
    assert delays_of(10, run, None) == delays_of(10, run, seeded)


def in_a_loop(fn, *policy):
    """What `retry_async` makes of this call if it must find its own sleep."""
    return asyncio.run(retry_async(coroutine(fn), *policy))


bare = pytest.mark.parametrize("run", [retry, in_a_loop])
"""Both, given nothing but the call."""


@bare
def test_without_a_sleep_it_is_the_one_that_the_process_has_now(run, monkeypatch):
    """`retry` calls time.sleep and `retry_async` awaits asyncio.sleep, also if they were replaced after the import."""
    slept = []
    module, sleep = (time, slept.append) if run is retry else (asyncio, coroutine(slept.append))
    monkeypatch.setattr(module, "sleep", sleep)
    assert run(Fails(*resets(3)), FIVE) == "done"
    assert slept == [1, 2, 4]


@bare
def test_in_the_crash_lab_a_retry_takes_only_the_worlds_time(run):
    """Twenty minutes of Retry-After, really slept, would hang the child; and its jitter is the same at every run."""
    once, again = (trial(lambda: run(Fails(*[asks_for("300") for _ in range(4)]))) for _ in range(2))
    assert (once.how, once.value) == ("returned", "done"), once.failure
    assert 1_200 < once.world.elapsed() == again.world.elapsed() < 1_215


@both
def test_attempts_and_delays_alternate(run):
    """A delay comes after a failure and before the next attempt, never elsewhere."""
    events, call = [], Fails(*resets(2))
    run(lambda: [events.append("call"), call()], sleep=events.append)
    assert events == ["call", 1, "call", 2, "call"]


@both
def test_every_call_begins_with_the_first_delay(run):
    """Two calls under one policy do not continue each other's delays."""
    slept = []
    for _ in range(2):
        run(Fails(*resets(2)), FIVE, slept.append)
    assert slept == [1, 2, 1, 2]


@both
def test_an_error_that_will_not_pass_is_raised_at_once(run):
    """A wrong argument is as wrong the second time: one attempt, no delay."""
    call, slept = Fails(ValueError("no such tool")), []
    with pytest.raises(ValueError, match="no such tool"):
        run(call, sleep=slept.append)
    assert (call.calls, slept) == (1, [])


@both
def test_an_error_that_will_not_pass_ends_the_attempts_whenever_it_comes(run):
    """Each error is judged by itself, not by the first one."""
    call = Fails(ConnectionError(), ValueError("after all"))
    with pytest.raises(ValueError, match="after all"):
        run(call)
    assert call.calls == 2


@both
def test_the_policy_decides_what_is_tried_again(run):
    """Who knows their errors better says so."""
    policy = Policy(is_retryable=lambda error: isinstance(error, KeyError))
    call, other = Fails(KeyError()), Fails(ConnectionError())
    assert run(call, policy) == "done"
    with pytest.raises(ConnectionError):
        run(other, policy)
    assert (call.calls, other.calls) == (2, 1)


@both
def test_a_deadline_that_has_passed_is_not_tried_again(run):
    """DeadlineExceeded means that there is no time, and trying again makes none."""
    call, slept = Fails(DeadlineExceeded("too late")), []
    with pytest.raises(DeadlineExceeded, match="too late"):
        run(call, sleep=slept.append)
    assert (call.calls, slept) == (1, [])


@both
def test_the_last_error_is_raised_as_it_was(run):
    """The very object, with its own traceback and cause, and blamed on no earlier attempt."""
    errors = resets(3)
    errors[-1].__cause__ = cause = OSError("the cable")
    call = Fails(*errors)

    def the_place_to_look_at():
        return call()

    with pytest.raises(ConnectionResetError) as caught:
        run(the_place_to_look_at, THREE)
    assert caught.value is errors[-1]
    assert [frame.name for frame in traceback.extract_tb(errors[-1].__traceback__)][-2:] == [
        "the_place_to_look_at",
        "__call__",
    ]
    assert (caught.value.__context__, caught.value.__cause__) == (None, cause)


@both
@pytest.mark.parametrize("attempts", [0, -1])
def test_no_attempts_at_all_are_refused(run, attempts):
    """A policy that could return nothing and raise nothing is an error of its own, and the call is not made."""
    call = Fails()
    with pytest.raises(ValueError, match=f"max_attempts is {attempts}: at least one"):
        run(call, Policy(max_attempts=attempts))
    assert call.calls == 0


@both
def test_one_attempt_is_one_attempt(run):
    """The smallest policy calls once and never waits."""
    call, slept = Fails(*resets(2)), []
    with pytest.raises(ConnectionResetError, match="reset 1"):
        run(call, Policy(max_attempts=1), slept.append)
    assert (call.calls, slept) == (1, [])


@both
def test_when_the_delays_end_so_do_the_attempts(run):
    """A list of two delays means three attempts, and still the call's own error is raised."""
    call, slept = Fails(*resets(9)), []
    with pytest.raises(ConnectionResetError, match="reset 3"):
        run(call, steady(delays=lambda: iter([5, 6])), slept.append)
    assert slept == [5, 6]


@both
def test_jitter_makes_the_delay_that_is_slept(run):
    """The sequence goes on undisturbed, only what is slept changes."""
    slept = []
    run(Fails(*resets(3)), Policy(jitter=lambda delay: delay / 2), slept.append)
    assert slept == [0.5, 1, 2]


@both
def test_without_jitter_the_longer_of_delay_and_retry_after_is_slept(run):
    """What the server asks wins over a shorter delay; a longer delay stays."""
    slept = []
    run(Fails(refused(429, retry_after="7"), refused(503), refused(429, retry_after="3")), FIVE, slept.append)
    assert slept == [7, 2, 4]


@both
def test_jitter_comes_on_top_of_retry_after(run):
    """It is the sequence's delay that is jittered, never the wait that the server asked for."""
    slept = []
    errors = refused(429, retry_after="7"), refused(503), refused(429, retry_after="3")
    run(Fails(*errors), Policy(jitter=lambda delay: delay / 2), slept.append)
    assert slept == [7.5, 1, 5]


@given(st.floats(0, 300), st.integers())
def test_a_delay_is_never_shorter_than_the_server_asked(asked, seed):
    """However the dice fall, and with no dice; nor is it ever longer by more than the sequence's own delay."""
    for jitter in (None, jittered(random.Random(seed))):
        slept = []
        blocking(Fails(*[asks_for(str(asked))] * 4), Policy(jitter=jitter), slept.append)
        for longest, delay in zip([1, 2, 4, 8], slept, strict=True):
            assert asked <= delay <= asked + longest


def test_callers_that_were_told_the_same_retry_after_do_not_return_together():
    """Asked to wait 7 seconds, they return spread over the second that follows, and none before."""
    policy, slept = Policy(jitter=jittered(random.Random(1))), []
    for _ in range(3_000):
        blocking(Fails(asks_for("7")), policy, slept.append)
    assert are_spread(slept, 7, 8)


@both
@pytest.mark.parametrize("jitter", [None, lambda delay: 0.5], ids=["steady", "jitter"])
@pytest.mark.parametrize(
    ("knobs", "said", "waits"),
    [
        ({}, "300", True),
        ({}, "300.001", False),
        ({}, "1e300", False),
        ({}, "Tue, 02 Jun 2026 12:00:00 GMT", False),
        ({"patience": 9}, "9", True),
        ({"patience": 9}, "10", False),
        ({"patience": 1e4}, "3600", True),
        ({"patience": 0}, "0", True),
        ({"patience": 0}, "0.1", False),
    ],
)
def test_who_is_asked_to_wait_longer_than_patience_gives_up_at_once(run, jitter, knobs, said, waits):
    """Five minutes, if the policy does not say otherwise, are waited for; more is not, and it costs no budget."""
    policy, slept = Policy(jitter=jitter, budget=RetryBudget(most=1), **knobs), []
    error = asks_for(said)
    call = Fails(error)
    with time_machine.travel(NOON, tick=False):
        if waits:
            assert run(call, policy, slept.append) == "done"
        else:
            with pytest.raises(ConnectionError) as caught:
                run(call, policy, slept.append)
            assert caught.value is error
    assert (call.calls, len(slept)) == ((2, 1) if waits else (1, 0))
    assert policy.budget.spend() is not waits


@both
def test_patience_does_not_limit_the_delays_of_the_policy(run):
    """It is for what others ask: a long delay of one's own, and jitter on top of what was asked, are slept."""
    slept = []
    errors = [*resets(2), asks_for("10")]
    run(Fails(*errors), Policy(delays=partial(exponential, 30), jitter=lambda delay: delay, patience=10), slept.append)
    assert slept == [30, 60, 70]


def test_a_policy_cannot_be_changed():
    """Many calls may share it, so none may turn its knobs."""
    with pytest.raises(FrozenInstanceError):
        Policy().max_attempts = 100


@both
@pytest.mark.parametrize(
    ("left", "slept"), [(0, []), (1, []), (3, [1]), (7, [1, 2]), (7.1, [1, 2, 4]), (99, [1, 2, 4, 8])]
)
def test_no_delay_is_begun_that_would_use_up_the_time_left(run, left, slept):
    """It gives up at once with the call's own error, instead of sleeping towards a deadline that it would miss."""
    clock, naps = FakeClock(), []
    deadline = Deadline.after(left, clock)

    def sleep(seconds):
        naps.append(seconds)
        clock.sleep(seconds)

    call = Fails(*resets(9))
    with pytest.raises(ConnectionResetError, match=f"reset {len(slept) + 1}"):
        run(call, steady(remaining=deadline.remaining), sleep)
    assert naps == slept
    assert deadline.remaining() > 0 or left == 0


@both
@pytest.mark.parametrize(("jitter", "delay"), [(None, 60), (lambda delay: 0.5, 60.5), (lambda delay: 0, 60)])
@pytest.mark.parametrize("more", [0, 0.1])
def test_the_server_cannot_ask_for_more_time_than_is_left(run, jitter, delay, more):
    """It is the delay as it would be slept that counts, Retry-After, jitter and all."""
    slept = []
    with nullcontext() if more else pytest.raises(openai.RateLimitError):
        run(Fails(refused(429, retry_after="60")), Policy(jitter=jitter, remaining=lambda: delay + more), slept.append)
    assert slept == ([delay] if more else [])


@both
def test_jitter_counts_when_time_is_measured(run):
    """A delay that jitter makes short enough is slept."""
    slept = []
    assert run(Fails(*resets(1)), Policy(jitter=lambda delay: 0.4, remaining=lambda: 0.5), slept.append) == "done"
    assert slept == [0.4]


@pytest.mark.parametrize(("seconds", "cancelled"), [(0, []), (0.01, ["in the midst"])])
def test_an_attempt_that_its_deadline_ends_is_not_tried_again(seconds, cancelled):
    """Refused or cut off: there is no second attempt, even if the policy knows nothing of the deadline."""
    deadline, slept, seen, starts = Deadline.after(seconds, FakeClock()), [], [], count(1)

    async def cut_off():
        next(starts)
        async with deadline.scope():
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("in the midst")

    with pytest.raises(DeadlineExceeded):
        asyncio.run(retry_async(cut_off, sleep=coroutine(slept.append)))
    assert (next(starts), slept, seen) == (2, [], cancelled)


def test_an_attempt_that_ran_out_of_its_own_time_is_tried_again():
    """A TimeoutError inside a deadline's scope is no deadline: another attempt may be faster."""
    deadline, call = Deadline.after(60, FakeClock()), Fails(TimeoutError("too slow"))

    async def slow_at_first():
        async with deadline.scope():
            return call()

    assert asyncio.run(retry_async(slow_at_first, FIVE, coroutine(lambda seconds: None))) == "done"
    assert call.calls == 2


@both
def test_a_service_that_is_down_is_not_hammered(run):
    """A hundred calls that fail are a hundred attempts and ten retries, not five hundred attempts."""
    policy = Policy(budget=RetryBudget())
    assert sum(attempts_of(run, policy) for _ in range(100)) == 110


@both
def test_without_budget_the_first_error_is_raised_at_once(run):
    """Nothing is slept for a retry that will not be made."""
    call, slept = Fails(*resets(9)), []
    with pytest.raises(ConnectionResetError, match="reset 1"):
        run(call, Policy(budget=RetryBudget(most=0)), slept.append)
    assert (call.calls, slept) == (1, [])


@both
@pytest.mark.parametrize(("successes", "attempts"), [(9, 1), (10, 2)])
def test_ten_successes_earn_one_retry(run, successes, attempts):
    """With nothing in store, nine are not enough, and the tenth is."""
    policy = Policy(budget=RetryBudget(ratio=0.1, most=1))
    assert policy.budget.spend()
    for _ in range(successes):
        run(Fails(), policy)
    assert attempts_of(run, policy) == attempts


@both
def test_only_success_earns(run):
    """A call that fails for good, too, gives nothing back."""
    policy = Policy(budget=RetryBudget(ratio=1, most=1))
    assert policy.budget.spend()
    with pytest.raises(ValueError, match="wrong"):
        run(Fails(ValueError("wrong")), policy)
    assert not policy.budget.spend()
    run(Fails(), policy)
    assert policy.budget.spend()


@both
def test_a_retry_that_time_does_not_allow_costs_no_budget(run):
    """What was not made is not paid for."""
    budget = RetryBudget(most=1)
    with pytest.raises(ConnectionResetError):
        run(Fails(*resets(1)), steady(budget=budget, remaining=lambda: 0.5))
    assert run(Fails(*resets(1)), Policy(budget=budget)) == "done"


def test_a_retry_that_was_refused_takes_nothing_from_the_budget():
    """Half a retry in store is still half a retry after three refusals."""
    budget = RetryBudget(ratio=0.5, most=1)
    assert budget.spend()
    budget.earn()
    assert [budget.spend() for _ in range(3)] == [False] * 3
    budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("most", [0, 0.5, 0.999, 1, 1.999, 2, 10])
def test_a_part_of_a_retry_is_none(most):
    """What is in store is spent in whole retries only, at the start and after any number of successes."""
    budget = RetryBudget(most=most)
    for _ in range(2):
        assert sum(budget.spend() for _ in range(20)) == int(most)
        for _ in range(1_000):
            budget.earn()


@given(st.integers(1, 100), st.integers(1, 20))
def test_successes_earn_what_the_ratio_says_however_it_is_rounded(successes, retries):
    """At one in n, each n successes are one retry, no more and no less, also where n times 1/n is not quite 1."""
    budget = RetryBudget(ratio=1 / successes, most=retries + 1)
    while budget.spend():
        pass
    for _ in range(successes * retries - 1):
        budget.earn()
    assert [budget.spend() for _ in range(retries)] == [True] * (retries - 1) + [False]
    budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


@given(st.lists(st.booleans()), st.sampled_from([0, 0.1, 0.2, 0.25, 0.3, 1 / 3, 1]), st.integers(0, 5))
def test_retries_are_never_more_than_were_stored_and_earned(history, ratio, most):
    """However successes and failures alternate; and what is stored never exceeds `most`."""
    budget, earned, spent = RetryBudget(ratio, most), 0, 0
    for success in history:
        if success:
            budget.earn()
            earned += 1
        else:
            spent += budget.spend()
        assert spent <= most + ratio * earned + 1e-9
    for _ in range(1_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(10)) == (most if ratio else most - spent)


@pytest.mark.parametrize("inner", [blocking, awaited])
def test_retries_do_not_multiply(inner):
    """Three attempts around three attempts are three calls, not nine, and only the outer one waits."""
    call, inside, outside = Fails(*resets(99)), [], []
    with pytest.raises(ConnectionResetError, match="reset 3"):
        blocking(lambda: inner(call, THREE, inside.append), THREE, outside.append)
    assert (call.calls, inside, outside) == (3, [], [1, 2])


def test_retries_do_not_multiply_between_coroutines():
    """Three layers, the innermost without await, make three calls in all."""
    call, slept = Fails(*resets(99)), []
    pause = coroutine(slept.append)

    async def inner():
        return await retry_async(coroutine(lambda: retry(call, THREE, slept.append)), THREE, pause)

    with pytest.raises(ConnectionResetError, match="reset 3"):
        asyncio.run(retry_async(inner, THREE, pause))
    assert (call.calls, slept) == (3, [1, 2])


@both
def test_every_retry_inside_an_attempt_gets_one_attempt(run):
    """The end of an inner one, by success or by error, does not end the outer one."""
    seen = []

    def inner():
        blocking(Fails())
        seen.extend(attempts_of(blocking) for _ in range(2))

    run(inner)
    assert seen == [1, 1]


@ends
@both
def test_after_the_outer_retry_retrying_works_again(run, errors):
    """However it ended, the next call has all its attempts."""
    with suppress(BaseException):
        run(Fails(*errors))
    assert attempts_of(run) == 3


@ends
def test_after_the_outer_retry_the_same_coroutine_retries_again(errors):
    """So, too, within one task."""
    call, pause = Fails(*resets(2)), coroutine(lambda seconds: None)

    async def one_after_the_other():
        with suppress(BaseException):
            await retry_async(coroutine(Fails(*errors)), sleep=pause)
        return await retry_async(coroutine(call), sleep=pause)

    assert asyncio.run(one_after_the_other()) == "done"
    assert call.calls == 3


def test_a_policy_that_is_refused_leaves_no_trace():
    """After max_attempts=0, the next call has all its attempts."""
    with pytest.raises(ValueError, match="at least one"):
        retry(Fails(), Policy(max_attempts=0))
    assert attempts_of(blocking) == 3


def test_a_task_that_retries_beside_another_is_not_inside_it():
    """Two coroutines that retry at the same time have all their attempts each."""
    begun = []

    async def attempt(name):
        begun.append(name)
        await asyncio.sleep(0)  # the other one is now in the midst of its attempt, too
        if begun.count(name) < 3:
            raise ConnectionError
        return name

    async def pause(_):
        await asyncio.sleep(0)

    async def side_by_side():
        names = "ab"
        return await asyncio.gather(*(retry_async(lambda name=name: attempt(name), sleep=pause) for name in names))

    assert asyncio.run(side_by_side()) == ["a", "b"]
    assert begun == ["a", "b"] * 3


def test_a_thread_that_retries_beside_another_is_not_inside_it():
    """Two threads that retry at the same time have all their attempts each."""
    together = Barrier(2, timeout=10)

    def fails():
        together.wait()
        raise ConnectionResetError

    def attempts():
        tries = count()
        with pytest.raises(ConnectionResetError):
            retry(lambda: [next(tries), fails()], THREE, lambda seconds: None)
        return next(tries)

    with ThreadPoolExecutor(2) as pool:
        assert [future.result(30) for future in [pool.submit(attempts) for _ in range(2)]] == [3, 3]


@both
@pytest.mark.parametrize("stop", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
def test_who_wants_to_stop_is_not_held_up(run, stop):
    """Cancellation and Ctrl-C pass through an attempt at once, whatever the policy thinks of them."""
    call, slept = Fails(stop()), []
    with pytest.raises(stop):
        run(call, Policy(is_retryable=lambda error: True), slept.append)
    assert (call.calls, slept) == (1, [])


@both
@pytest.mark.parametrize("stop", [asyncio.CancelledError, KeyboardInterrupt])
def test_who_wants_to_stop_during_a_delay_is_not_held_up(run, stop):
    """Nothing is tried after a delay that was broken off."""
    call = Fails(*resets(9))
    with pytest.raises(stop):
        run(call, sleep=Fails(stop()))
    assert call.calls == 1


def test_a_task_cancelled_during_a_delay_ends_there():
    """The delay of `retry_async` can be cancelled, as `asyncio.sleep` can."""
    call = Fails(*resets(9))

    async def cancel_while_it_waits():
        waiting = asyncio.Event()

        async def pause(_):
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(retry_async(coroutine(call), sleep=pause))
        await waiting.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_while_it_waits())
    assert call.calls == 1
