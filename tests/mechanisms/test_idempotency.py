"""What run_once promises: the work under one key is done once, and a doubt is never taken for a no."""

import json
import sys
from functools import partial
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from races import race
from swept import BILL, PAID, arranged, paid_once, pay, pay_once_or_stop, pay_with_key

from labkit.backoff import is_retryable, retry_after
from labkit.clock import EPOCH, FakeClock
from labkit.crash import DidNotSurviveError, sweep
from labkit.files import FileStateStore
from labkit.idempotency import (
    LEASE,
    TTL,
    InProgressError,
    KeyReusedError,
    Once,
    UnknownOutcomeError,
    again,
    fingerprint,
    run_once,
    step_key,
)
from labkit.store import AlreadyExistsError, NotFoundError, VersionConflictError
from labkit.world import tool

SEPARATORS = ["", "/", ":", "-", ",", " ", '"', '", "', '"],["', "\\", "\0", "\n"]
CONTENT = st.recursive(
    st.none() | st.integers(0, 1) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=4,
)
"""Plain data out of so little that two are often alike."""


class Killed(BaseException):
    """Ends an attempt as SIGKILL does: nothing of labkit catches it, and nothing is tidied up."""


class Work:
    """Work that counts how often it was done, and returns another result each time."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        """Do it."""
        self.times += 1
        return f"receipt {self.times}"


def dies():
    """Work that the process does not live through."""
    raise Killed


def not_needed():
    """Work, or a question, that must not be reached."""
    pytest.fail("this ran")


@pytest.fixture
def clock():
    """Time that passes when the test says so."""
    return FakeClock()


@pytest.fixture
def work():
    """Work of a single test."""
    return Work()


@pytest.fixture
def store(tmp_path, clock):
    """A store in an empty folder."""
    return FileStateStore(tmp_path / "keys", clock)


@pytest.fixture
def once(store, clock):
    """run_once by the test's clock, in its store, under one key unless another is given."""

    def run(work, key="order 7", **options):
        return run_once(store, key, work, clock=clock, **options)

    return run


def die(once, **options):
    """An attempt that ends in mid-work."""
    with pytest.raises(Killed):
        once(dies, **options)


# Keys and fingerprints


@pytest.mark.parametrize("separator", SEPARATORS)
@given(parts=st.lists(st.text(max_size=2), min_size=3, max_size=4), data=st.data())
def test_every_step_has_a_key_of_its_own(separator, parts, data):
    """Two steps share a key only if task and step are the same, wherever one text is cut into the two names."""
    cuts = st.integers(1, len(parts) - 1)
    one, other = (
        (separator.join(parts[:cut]), separator.join(parts[cut:])) for cut in (data.draw(cuts), data.draw(cuts))
    )
    assert (step_key(*one) == step_key(*other)) == (one == other)


@given(*[st.tuples(st.text(max_size=4), st.text(max_size=4))] * 2)
def test_any_two_steps_have_different_keys(one, other):
    """As above, for names that nobody thought of."""
    assert (step_key(*one) == step_key(*other)) == (one == other)


def test_a_key_is_the_same_in_every_process_and_every_version():
    """What the world and the store remember under a key is found again: neither may change with a new labkit."""
    assert step_key("task 1", "charge") == '["task 1", "charge"]'
    assert fingerprint({"to": "Ada", "amount": 5}) == sha256(b'{"amount": 5, "to": "Ada"}').hexdigest()


@given(CONTENT, CONTENT)
def test_a_fingerprint_tells_requests_apart(one, other):
    """The same content has one fingerprint, any other content another."""
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


@given(st.dictionaries(st.text(max_size=3), st.dictionaries(st.text(max_size=3), CONTENT), max_size=4), st.randoms())
def test_the_order_of_keys_is_no_part_of_a_request(arguments, rng):
    """However deep it is: a dictionary that was built in another order is the same request."""

    def shuffled(thing):
        items = list(thing.items()) if isinstance(thing, dict) else []
        rng.shuffle(items)
        return {name: shuffled(value) for name, value in items} if isinstance(thing, dict) else thing

    assert fingerprint(shuffled(arguments)) == fingerprint(arguments)


# Once


def test_work_is_done_once_and_everybody_gets_its_result(once, work, clock):
    """The first call works; every later one within the time to live returns the stored result and asks nobody."""
    assert once(work) == "receipt 1"
    for _ in range(3):
        clock.sleep(LEASE)
        assert once(not_needed, unknown=not_needed) == "receipt 1"
    assert work.times == 1


def test_a_result_outlives_the_process_that_had_it(once, clock, tmp_path):
    """The record is in the store, not in memory: a process that opens the store anew finds it."""
    once(Work())
    assert run_once(FileStateStore(tmp_path / "keys"), "order 7", not_needed, clock=clock) == "receipt 1"


def test_every_key_stands_for_its_own_work(once, work):
    """Another key is another request, even with the same arguments."""
    assert [once(work, key, arguments=[5]) for key in ("a", "b", "a")] == ["receipt 1", "receipt 2", "receipt 1"]


def test_without_the_key_nothing_is_done(once):
    """The claim comes before the work: where it fails, nothing has happened."""
    with pytest.raises(ValueError, match="too long"):
        once(not_needed, "k" * 300)
    with pytest.raises(TypeError):
        once(not_needed, arguments=object())


@pytest.mark.parametrize("state", ["completed", "in progress", "unknown"])
@pytest.mark.parametrize("arguments", [None, {}, {"amount": 6}, {"amount": "5"}, {"amount": 5, "to": None}], ids=repr)
def test_one_key_with_other_arguments_is_refused(once, clock, state, arguments):
    """Wherever the key stands, another request under it is an error and changes nothing."""
    if state == "completed":
        once(Work(), arguments={"amount": 5})
    else:
        die(once, arguments={"amount": 5})
        clock.sleep(LEASE * (state == "unknown"))
    with pytest.raises(KeyReusedError, match="the key order 7 was used with other arguments"):
        once(not_needed, arguments=arguments, unknown=not_needed)
    clock.sleep(LEASE)
    assert once(Work(), arguments={"amount": 5}, unknown=again) == "receipt 1"


# While somebody works


def test_while_somebody_works_nobody_else_does(once):
    """Whoever comes in mid-work is told to come again, and that may help; the first one's result is kept."""

    def meanwhile():
        with pytest.raises(InProgressError, match="somebody else is working under the key order 7") as raised:
            once(not_needed, unknown=not_needed)
        assert is_retryable(raised.value)
        assert retry_after(raised.value) == LEASE
        return "mine"

    assert once(meanwhile) == "mine"
    assert once(not_needed) == "mine"


@pytest.mark.parametrize("lease", [None, 0.5, 600])
def test_a_worker_counts_as_alive_until_its_lease_expires(once, clock, lease):
    """Nobody asks what a worker has done, let alone works in its place, one moment too early."""
    options = {} if lease is None else {"lease": lease}
    lease = lease or LEASE
    die(once, **options)
    clock.sleep(lease - 0.25)
    with pytest.raises(InProgressError):
        once(not_needed, unknown=not_needed)
    clock.sleep(0.25)
    with pytest.raises(UnknownOutcomeError):
        once(not_needed)


def test_a_lease_begins_with_the_work_and_not_with_the_question(once, clock):
    """A human who takes an hour to say "do it again" has not used up the time of the one who then does it."""
    die(once)
    clock.sleep(LEASE)

    def works():
        clock.sleep(LEASE - 1)
        with pytest.raises(InProgressError):
            once(not_needed, unknown=not_needed)
        return "done"

    assert once(works, unknown=lambda: clock.sleep(3600)) == "done"


def test_work_that_outlasts_its_lease_is_kept_if_nobody_came(once, clock):
    """A late result is a result."""
    assert once(lambda: clock.sleep(10 * LEASE) or "late") == "late"
    assert once(not_needed) == "late"


def test_a_key_that_is_deleted_at_the_same_moment_is_tried_again_later(tmp_path):
    """Between the claim that failed and the look at who has the key, it was gone."""

    class JustDeleted(FileStateStore):
        def insert(self, record):
            raise AlreadyExistsError(record.id)

    with pytest.raises(InProgressError, match="deleted the key k"):
        run_once(JustDeleted(tmp_path), "k", not_needed)


# When nobody knows


def test_what_the_world_says_about_a_dead_attempt_is_its_result(once, clock):
    """The work does not run again, and the answer is asked for once."""
    die(once)
    clock.sleep(LEASE)
    assert once(not_needed, unknown=lambda: "receipt 9") == "receipt 9"
    clock.sleep(LEASE)
    assert once(not_needed, unknown=not_needed) == "receipt 9"


def test_an_empty_answer_is_an_answer(once, clock):
    """Only None means that the work was not done."""
    die(once)
    clock.sleep(LEASE)
    assert once(not_needed, unknown=str) == ""
    assert once(not_needed, unknown=not_needed) == ""


def test_work_may_run_again_where_the_world_notices_the_key(once, work, clock):
    """`again` lets it: once, and its result is kept."""
    die(once)
    clock.sleep(LEASE)
    assert once(work, unknown=again) == once(work, unknown=again) == "receipt 1"
    assert work.times == 1


def test_by_default_a_doubt_stays_a_doubt_until_somebody_decides(once, clock):
    """Neither time nor persistence makes a no of it; who finds out gives the answer, and it is kept."""
    die(once)
    for seconds in (LEASE, TTL, 365 * TTL):
        clock.sleep(seconds)
        with pytest.raises(UnknownOutcomeError, match="find out whether it acted") as raised:
            once(not_needed)
        assert not is_retryable(raised.value)
    assert once(not_needed, unknown=lambda: "receipt on paper") == "receipt on paper"
    assert once(not_needed) == "receipt on paper"


def test_a_question_that_fails_decides_nothing(once, clock):
    """The world could not be reached: the caller is told, and the next one asks again, at once."""
    die(once)
    clock.sleep(LEASE)
    error = ConnectionError("no way to the bank")
    with pytest.raises(ConnectionError) as raised:
        once(not_needed, unknown=partial(throw, error))
    assert raised.value is error
    assert once(not_needed, unknown=lambda: "receipt 9") == "receipt 9"


def throw(error):
    """Raise it."""
    raise error


def test_of_two_who_ask_about_one_dead_attempt_one_works(once, work, clock):
    """Both were told that nothing had happened; the version of the record lets one of them in."""
    die(once)
    clock.sleep(LEASE)

    def other_is_quicker():
        once(work, unknown=again)

    with pytest.raises(InProgressError, match="somebody else has just taken the key order 7"):
        once(not_needed, unknown=other_is_quicker)
    assert (once(not_needed), work.times) == ("receipt 1", 1)


# Results are forgotten


@pytest.mark.parametrize("ttl", [None, 1, 10 * TTL])
def test_a_result_is_kept_for_its_time_to_live_and_then_forgotten(once, work, clock, ttl):
    """The time counts from the end of the work; afterwards the key is new, for any arguments, and asks nobody."""
    options = {} if ttl is None else {"ttl": ttl}
    assert once(lambda: clock.sleep(40) or work(), arguments="old", **options) == "receipt 1"
    clock.sleep((ttl or TTL) - 0.5)
    assert once(not_needed, arguments="old", unknown=not_needed) == "receipt 1"
    clock.sleep(0.5)
    assert once(work, arguments="new", unknown=not_needed) == "receipt 2"
    assert once(not_needed, arguments="new") == "receipt 2"


# Errors of the work


def test_after_a_harmless_error_the_key_is_free_at_once(once, work):
    """Nothing can have happened: no lease is waited out, nobody is asked, and the request may even be another one."""
    error = ConnectionRefusedError("closed")
    asked = []
    with pytest.raises(ConnectionRefusedError) as raised:
        once(partial(throw, error), arguments="old", harmless=lambda error: asked.append(error) or True)
    assert raised.value is error
    assert asked == [error]
    assert once(work, arguments="new", unknown=not_needed) == "receipt 1"
    assert once(not_needed, arguments="new") == "receipt 1"


@pytest.mark.parametrize(
    "options", [{}, {"harmless": lambda error: isinstance(error, ConnectionRefusedError)}], ids=len
)
def test_after_any_other_error_the_outcome_is_unknown_at_once(once, options):
    """The answer was lost, the work perhaps done: no lease is waited out, but nothing runs until that is decided."""
    error = TimeoutError("no answer")
    with pytest.raises(TimeoutError) as raised:
        once(partial(throw, error), **options)
    assert raised.value is error
    with pytest.raises(UnknownOutcomeError):
        once(not_needed)
    with pytest.raises(KeyReusedError):
        once(not_needed, arguments="other", unknown=not_needed)
    assert once(not_needed, unknown=lambda: "receipt 9") == "receipt 9"


@pytest.mark.parametrize("known_at_once", [True, False])
def test_a_key_that_was_given_back_is_free_for_clocks_that_are_behind(once, store, known_at_once):
    """Two machines never agree on the time: what one gave back, the other does not take for a result or for work."""
    with pytest.raises(OSError, match="x"):
        once(partial(throw, OSError("x")), harmless=lambda error: known_at_once)
    yesterday = FakeClock(FakeClock().now().replace(day=1, hour=0))
    assert run_once(store, "order 7", Work(), clock=yesterday, unknown=again) == "receipt 1"


# Zombies


def test_a_zombie_cannot_overwrite_the_result_of_who_took_over(once, work, clock):
    """Its lease expired while it slept: what it brings in the end is refused, and it is told."""

    def sleeps():
        clock.sleep(LEASE)
        once(work, unknown=again)
        return "late"

    with pytest.raises(VersionConflictError):
        once(sleeps)
    assert once(not_needed) == "receipt 1"


def test_a_zombie_cannot_end_the_work_of_who_took_over(once, clock):
    """The same while the other is still at work: its key stays in progress."""

    def sleeps():
        clock.sleep(LEASE)
        die(once, unknown=again)
        return "late"

    with pytest.raises(VersionConflictError):
        once(sleeps)
    with pytest.raises(InProgressError):
        once(not_needed, unknown=not_needed)


@pytest.mark.parametrize("harmless", [True, False])
def test_a_zombie_that_fails_does_not_give_away_the_key_of_another(once, clock, harmless):
    """Its caller gets the error of the work itself; the key of who took over stays in progress."""
    error = ConnectionError("late")

    def sleeps():
        clock.sleep(LEASE)
        die(once, unknown=again)
        raise error

    with pytest.raises(ConnectionError) as raised:
        once(sleeps, harmless=lambda error: harmless)
    assert raised.value is error
    with pytest.raises(InProgressError):
        once(not_needed, unknown=not_needed)


@pytest.mark.parametrize("harmless", [True, False])
def test_an_error_is_not_hidden_by_a_key_that_is_gone(once, store, harmless):
    """Somebody deleted the record in mid-work: the caller gets the error of the work, and no record comes back."""
    error = ConnectionError("mine")

    def loses_its_key():
        store.delete(Once, "order 7")
        raise error

    with pytest.raises(ConnectionError) as raised:
        once(loses_its_key, harmless=lambda error: harmless)
    assert raised.value is error
    assert store.get(Once, "order 7") is None


def test_a_key_that_is_gone_does_not_come_back_with_a_result(once, store):
    """Somebody decided about the key in mid-work: the worker is told."""
    with pytest.raises(NotFoundError):
        once(lambda: store.delete(Once, "order 7") or "mine")
    assert store.get(Once, "order 7") is None


# Whatever happens


ENDS = ["returns", "dies before", "dies after", "refused", "answer lost"]


@given(st.lists(st.tuples(st.sampled_from([0, 1, LEASE, 3 * LEASE]), st.sampled_from(ENDS)), min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_its_attempts_end_the_work_takes_effect_once(tmp_path_factory, attempts):
    """Where the world can be asked: at most one effect, and whoever gets a result gets the same one."""
    clock, done, results = FakeClock(), [], []
    store = FileStateStore(tmp_path_factory.mktemp("keys"), clock)

    def work(end):
        if end == "dies before":
            raise Killed
        if end == "refused":
            raise ConnectionRefusedError
        done.append(f"receipt {len(done)}")
        if end != "returns":
            raise {"dies after": Killed, "answer lost": TimeoutError}[end]
        return done[0]

    for pause, end in [*attempts, (LEASE, "returns")]:
        clock.sleep(pause)
        options = {"unknown": lambda: done[0] if done else None, "clock": clock}
        try:
            call = partial(work, end)
            results.append(run_once(store, "k", call, harmless=lambda e: "refused" in type(e).__name__, **options))
        except (Killed, ConnectionRefusedError, TimeoutError, InProgressError):
            pass
    assert done == ["receipt 0"]
    assert set(results) == {"receipt 0"}


RACER = """
import json, os, sys
from labkit.files import FileStateStore
from labkit.idempotency import InProgressError, again, run_once
store, name = FileStateStore("keys"), sys.argv[1]

def work(key):
    with open("ledger", "ab", buffering=0) as ledger:
        ledger.write(f"{key} {name}\\n".encode())
    return name

print("ready", flush=True)
sys.stdin.readline()
results = {}
for key in range(20):
    try:
        results[key] = run_once(store, str(key), lambda: work(key), unknown=again)
    except InProgressError:
        pass
print(json.dumps(results))
"""


@pytest.mark.parametrize("left", ["nothing", "dead attempts"])
def test_of_many_processes_that_race_for_a_key_exactly_one_works(tmp_path, left):
    """Real processes, let go at once: for each key one worked, the others got its result or were told to wait."""
    if left == "dead attempts":
        for key in range(20):
            with pytest.raises(Killed):
                run_once(FileStateStore(tmp_path / "keys"), str(key), dies, clock=FakeClock(EPOCH))
    said = race([[sys.executable, "-c", RACER, f"racer {number}"] for number in range(4)], cwd=tmp_path)
    ledger = [line.split(" ", 1) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert sorted(int(key) for key, _ in ledger) == list(range(20))
    told = [(key, result) for results in map(json.loads, said) for key, result in results.items()]
    assert {*told} == {(key, worker) for key, worker in ledger}


# Crash points


def pay_again():
    """The mistake: to work again where the tool does not notice."""
    return pay(lambda: tool("charge", **BILL), unknown=again)


def take_for_done():
    """The other mistake: to take a doubt for a yes."""
    return pay(lambda: tool("charge", **BILL), unknown=lambda: PAID)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "reason"), [(pay_again, "charged 2 times"), (take_for_done, "charged 0 times")])
def test_a_sweep_of_a_wrong_answer_to_a_doubt_fails(program, reason):
    """The proof that the sweeps above look: `again` without a key charges twice, "it was done" loses a charge."""
    with pytest.raises(DidNotSurviveError, match=reason):
        sweep(program, program, paid_once, arranged("neither")).assert_survives()


def test_a_program_without_a_key_does_not_need_a_human_everywhere():
    """Stopping for a human is the exception: a crash before the claim or behind the result needs none."""
    report = sweep(pay_once_or_stop, pay_once_or_stop, paid_once, arranged("neither"))
    breaking = [str(report.effects[point.k - 1]) for point in report.broken]
    assert breaking != []
    assert 0 not in [point.k for point in report.broken]
    assert len(report.points) - 1 not in [point.k for point in report.broken]
    assert "tool charge" in breaking


def test_a_claim_is_stored_before_the_work_and_the_result_after_it():
    """Marked before the effect and after it: the tool is called between two records that are durable."""
    report = sweep(pay_with_key, pay_with_key, paid_once)
    labels = [str(effect) for effect in report.effects]
    called = labels.index("tool charge")
    assert labels[called - 1].startswith("fsync dir keys")
    assert labels[labels.index("ACK paid") - 1].startswith("fsync dir keys")
    assert called < labels.index("ACK paid")


def test_the_keys_in_doubt_can_be_listed(once, store):
    """Whoever must decide finds them by their state, with the time until which somebody may still be at work."""
    die(once, key="a")
    once(Work(), key="b")
    assert [record.id for record in store.list_by_state(Once, "in progress")] == ["a"]
