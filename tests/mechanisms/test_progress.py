"""Progress: whoever waits is told everything once and in order, and what they want is done once."""

import json
import threading
from dataclasses import replace
from functools import partial

import pytest
import updates
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from labkit import Deadline, DeadlineExceeded, PostgresStateStore, TaskState, World, attach, llm
from labkit.agent import Agent
from labkit.agent.tools import Risk
from labkit.agent.updates import LONGEST
from labkit.clock import EPOCH, FakeClock
from labkit.course import stories
from labkit.idempotency import KeyReusedError
from labkit.llm import Turn
from labkit.postgres import in_transaction
from labkit.progress import (
    ProgressUpdate,
    Status,
    apply_commands,
    command,
    create_tables,
    followed,
    frame,
    hint,
    publish,
    resume,
    stream,
    updates_after,
)
from labkit.progress.agents import _confirmed
from labkit.store import StoreError, VersionConflictError
from labkit.world import WorldClock, current

CANCEL = {"do": "cancel"}


@pytest.fixture
def engine(engine):
    """An engine on a database with the tables."""
    create_tables(engine)
    return engine


def an_update(step=1, status="tool_result", **fields):
    """What a run tells."""
    return ProgressUpdate(**{"task": "a", "step": step, "status": status, "time": EPOCH, **fields})


def tell(engine, run, update=None, **options):
    """Publish in a transaction of its own."""
    return in_transaction(engine, lambda conn: publish(conn, run, update or an_update(), **options))


def numbers(engine, run="a", last_id=0, **options):
    """The numbers of what is streamed."""
    return [number for number, _ in stream(engine, run, last_id, **options)]


def say(engine, command_id="c1", what=CANCEL, run="a"):
    """Save a command in a transaction of its own."""
    return in_transaction(engine, lambda conn: command(conn, run, command_id, what))


# updates


def test_an_update_is_told_with_its_transaction_or_not_at_all(engine):
    """Rolled back, it leaves no row and no gap in the numbers; each run has its own."""
    assert tell(engine, "a") == 1
    with engine.connect() as conn:
        assert publish(conn, "a", an_update()) == 2
    assert (tell(engine, "a"), tell(engine, "b")) == (2, 1)
    assert [number for number, _ in updates_after(engine, "a")[0]] == [1, 2]


def test_with_a_key_an_update_is_told_once(engine):
    """Whatever was told meanwhile; another run may have the same key."""
    assert [tell(engine, "a", key=key) for key in ("x", None, "y", "x", None)] == [1, 2, 3, 1, 4]
    assert tell(engine, "b", key="x") == 1


def test_what_is_no_update_is_refused(engine):
    """By one line that says what is wrong."""
    for fields in ({"step": 0}, {"status": "sleeping"}, {"message": "x" * (LONGEST + 1)}, {"task": ""}, {"odd": 1}):
        with pytest.raises(ValueError, match=next(iter(fields))):
            an_update(**fields)
    with engine.begin() as conn, pytest.raises(ValueError, match="a run has a name"):
        publish(conn, "", an_update())
    alone = engine.execution_options(isolation_level="AUTOCOMMIT")
    with alone.connect() as conn, pytest.raises(ValueError, match="autocommit"):
        publish(conn, "a", an_update())
    assert updates_after(engine, "a") == ([], False)


@given(st.text(max_size=50), st.text(max_size=20))
def test_a_frame_is_one_event_whatever_the_update_says(message, tool):
    """No line break ends it early; what comes out is what went in."""
    update = an_update(message=message, tool=tool)
    lines = frame(7, update).splitlines()
    assert (lines[0], lines[2:]) == ("id: 7", [""])
    assert frame(7, update).endswith("\n\n")
    field, _, data = lines[1].partition(": ")
    assert field == "data"
    assert ProgressUpdate.model_validate_json(data) == update


def test_any_text_is_told_as_it_is(engine):
    """Quotes, line breaks, NUL; but half a surrogate pair is no text, and an agent tells a question mark."""
    text = "Öl \0 '1' %s\n\r\n\u2028 {}"
    assert ProgressUpdate.cut("a\ud83d", task="a", step=1, status="error", time=EPOCH).message == "a?"
    tell(engine, "прогон 'a'", an_update(message=text))
    ((_, update),), _ = updates_after(engine, "прогон 'a'")
    assert update.message == text
    assert frame(1, update).count("\n") == 3


# the stream


def test_a_stream_ends_with_the_run(engine):
    """Also for whoever asks when it has ended, or has seen the end already."""
    for status in ("thinking", "completed"):
        tell(engine, "a", an_update(status=status))
    assert [numbers(engine, last_id=last) for last in (0, 1, 2)] == [[1, 2], [2], []]


def test_after_an_error_a_run_may_be_tried_again(engine):
    """Then the stream goes on behind it."""
    for status in ("error", "thinking", "error"):
        tell(engine, "a", an_update(status=status))
    assert [numbers(engine, last_id=last) for last in (0, 1, 3)] == [[1, 2, 3], [2, 3], []]


@pytest.mark.parametrize("last_id", [-1, 3, 10**30])
def test_a_number_that_was_never_told_is_refused(engine, last_id):
    """The text says what to ask for."""
    for _ in range(2):
        tell(engine, "a")
    with pytest.raises(ValueError, match="ask for what is after 0"):
        numbers(engine, last_id=last_id)


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_no_batch_loses_or_repeats(engine, batch):
    """And no more than a batch is kept."""
    for step in range(1, 8):
        tell(engine, "a", an_update(step, "completed" if step == 7 else "thinking"))
    assert numbers(engine, batch=batch) == [*range(1, 8)]
    found, _ = updates_after(engine, "a", 2, batch=batch)
    assert len(found) <= batch


def test_a_stream_waits_for_what_comes(engine):
    """It sleeps between two looks, and nothing that was told meanwhile is missed."""
    coming = [an_update(1), an_update(2), an_update(3, "completed")]

    def pause(_):
        tell(engine, "a", coming.pop(0))

    assert numbers(engine, pause=pause) == [1, 2, 3]


def test_a_stream_has_a_deadline(engine):
    """What does not end would be waited for for ever."""
    clock = FakeClock()
    with pytest.raises(DeadlineExceeded):
        numbers(engine, deadline=Deadline.after(10, clock), pause=clock.sleep)
    assert clock.monotonic() == 10


def test_what_is_told_between_listening_and_looking_is_heard(engine):
    """It listens first: told right after the first look, an update comes long before the next poll."""
    looked = threading.Event()
    told = threading.Thread(target=lambda: (looked.wait(30), tell(engine, "a", an_update(1, "completed")),
                                            hint(engine, "a")))  # fmt: skip
    told.start()
    reading = stream(engine, "a", poll=60, deadline=Deadline.after(120, WorldlyClock(looked)))
    assert [number for number, _ in reading] == [1]
    told.join(30)


class WorldlyClock(FakeClock):
    """Tells when somebody is about to wait."""

    def __init__(self, asked):
        super().__init__()
        self.asked, self.times = asked, 0

    def monotonic(self):
        """Asked when the deadline is made, and before each wait."""
        self.times += 1
        if self.times > 1:
            self.asked.set()
        assert self.times < 4, "the hint was not heard: it has waited for the next poll"
        return super().monotonic()


def test_a_slow_reader_holds_no_transaction_and_no_queue(engine):
    """Between two updates the table alone keeps what comes."""
    for step in range(1, 4):
        tell(engine, "a", an_update(step, "completed" if step == 3 else "thinking"))
    reading = stream(engine, "a", batch=1)
    assert next(reading)[0] == 1
    with engine.connect() as conn:
        query = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
        assert conn.exec_driver_sql(f"{query} AND datname = current_database()").scalar() == 0
    assert [number for number, _ in reading] == [2, 3]


# commands


def test_a_command_is_new_once(engine):
    """The same again is known; another run may have the same id."""
    assert [say(engine), say(engine), say(engine, "c2"), say(engine, run="b")] == [True, False, True, True]
    assert say(engine, "c3", {"do": "confirm", "step": 1}) is not say(engine, "c3", {"step": 1, "do": "confirm"})


@pytest.mark.parametrize("what", [{"do": "priority"}, {"do": "cancel", "odd": None}])
def test_an_id_means_one_command(engine, what):
    """Another content under it is an error, and changes nothing."""
    say(engine)
    with pytest.raises(KeyReusedError, match="another id"):
        say(engine, "c1", what)
    assert not say(engine)


@pytest.mark.parametrize("what", [{"do": float("nan")}, {"do": {1}}, 7, None, {}, {"do": ["cancel"]}, {"do": "a\0b"}])
def test_what_is_no_command_is_refused(engine, what):
    """Before anything is saved."""
    with pytest.raises((ValueError, TypeError)):
        say(engine, "c1", what)
    with pytest.raises(ValueError, match="a run and an id"):
        say(engine, "")
    assert say(engine)


def test_commands_are_applied_in_order_and_once(engine):
    """Those that nobody here can do wait on."""
    for command_id in ("c2", "c1"):
        say(engine, command_id, CANCEL)
    say(engine, "c3", {"do": "priority", "priority": 5})
    done = []

    def apply(*kinds):
        effects = dict.fromkeys(kinds, lambda _, each: done.append(each.id))
        return len(in_transaction(engine, lambda conn: apply_commands(conn, "a", effects)))

    assert [apply("cancel"), apply("cancel"), apply("cancel", "priority")] == [2, 0, 1]
    assert done == ["c2", "c1", "c3"]


def test_an_effect_that_fails_leaves_the_command(engine):
    """The mark goes with the effect."""
    say(engine)

    def fail(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_transaction(engine, lambda conn: apply_commands(conn, "a", {"cancel": fail}))
    done = in_transaction(engine, lambda conn: apply_commands(conn, "a", {"cancel": lambda *_: None}))
    assert [each.id for each in done] == ["c1"]


def test_tables_are_made_once_and_said_to_be_missing(database_url):
    """By whoever comes first."""
    from labkit.postgres import connect

    engine = connect(database_url)
    with pytest.raises(StoreError, match="tables are not in this database"):
        updates_after(engine, "a")
    create_tables(engine)
    create_tables(engine)
    assert updates_after(engine, "a") == ([], False)
    engine.dispose()


# an agent that tells and obeys


@pytest.fixture
def agent(engine):
    """Makes a followed agent in a new world; options replace what it is made of."""
    before = current()
    attach(World())

    def make(turns=stories.DISK.turns, **options):
        clock = WorldClock()
        llm.use(turns)
        made = Agent(llm.client(clock), stories.DISK.tools, PostgresStateStore(engine, clock), clock, **options)
        made.start(stories.DISK.goal, "a")
        return followed(made, engine)

    yield make
    attach(before)


def said(engine):
    """What was told, in short."""
    return [(each.step, str(each.status), each.message) for _, each in updates_after(engine, "a")[0]]


def test_an_agent_tells_its_steps(agent, engine):
    """Each model call and each tool call is a step; a result is told when it is saved."""
    assert resume(agent(), engine, "a").state is TaskState.COMPLETED
    assert [step for step, *_ in said(engine)] == [1, 2, 2, 3, 4, 4, 5, 5]
    assert [status for _, status, _ in said(engine)][-3:] == ["tool_result", "thinking", "completed"]


def test_what_was_told_is_not_told_again_when_a_run_is_resumed(agent, engine):
    """And what was saved, but not told, is."""
    one = agent()
    agent_without = replace(one, progress=None)
    assert resume(agent_without, engine, "a").state is TaskState.COMPLETED
    for _ in range(2):
        resume(one, engine, "a")
        assert [(step, status) for step, status, _ in said(engine)] == [(5, "completed")]


def test_without_a_callback_nothing_is_told(agent, engine):
    """As before chapter 11."""
    replace(agent(), progress=None).resume("a")
    assert said(engine) == []


def test_what_a_callback_raises_is_no_answer_of_a_tool(agent):
    """A ValueError would be told to the model; the run fails instead."""

    def refuse(each):
        if each.status is Status.TOOL_CALL:
            raise ValueError("no room")

    done = replace(agent(), progress=refuse).resume("a")
    assert (done.state, done.error) == (TaskState.FAILED, "RuntimeError: progress could not be told: no room")


def test_a_long_result_is_cut_for_those_who_watch(agent, engine):
    """The journal has it whole."""
    resume(agent((Turn("é" * 5000),)), engine, "a")
    assert said(engine)[-1][2] == "é" * (LONGEST - 1) + "…"


def test_a_cancelled_run_stays_cancelled(agent, engine):
    """However often it is resumed; its end is told once."""
    one = agent()
    say(engine)
    for _ in range(3):
        assert resume(one, engine, "a").error == "CancelledError: the user has cancelled it"
    assert said(engine) == [(1, "error", "CancelledError: the user has cancelled it")]
    assert current().ledger == []


def test_a_run_that_waits_for_a_human_can_be_cancelled(agent, engine):
    """It asks nothing any more."""
    one = agent(approve=frozenset(Risk))
    assert resume(one, engine, "a").question
    say(engine)
    done = resume(one, engine, "a")
    assert (done.state, done.question) == (TaskState.FAILED, None)


@pytest.mark.parametrize("approved", [True, False])
def test_a_confirmation_answers_the_question_of_its_step(agent, engine, approved):
    """And no other; a second one says nothing."""
    one = agent(approve=frozenset({Risk.WRITE_LOCAL}))
    assert resume(one, engine, "a").question
    for command_id, step in (("early", 2), ("x", 4), ("y", 4)):
        what = {"do": "confirm", "step": step, "approved": approved if command_id == "x" else not approved}
        say(engine, command_id, what)
    assert resume(one, engine, "a").state is TaskState.COMPLETED
    assert len(current().ledger) == approved
    with engine.connect() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM labkit_commands WHERE applied_at IS NULL").scalar() == 0


def test_a_slow_worker_answers_no_question_that_it_has_not_read(agent, engine):
    """Whoever still holds the first question neither answers the second by it nor takes the answer to it away."""
    asking = agent(approve=frozenset(Risk))
    slow = asking.resume("a")
    say(engine, "2", {"do": "confirm", "step": 2, "approved": True})
    asking.answer("a", approved=True)  # a worker that is killed before it can mark the command
    second = asking.resume("a")
    for _ in range(2):
        with pytest.raises(VersionConflictError):
            _confirmed(asking, engine, slow)
        assert asking.store.get(type(second), "a").question == second.question
        say(engine, "4", {"do": "confirm", "step": 4, "approved": True})
    assert resume(asking, engine, "a").state is TaskState.COMPLETED


@pytest.mark.parametrize("text", ["a" * 3900, "".join(map(chr, range(0x4E00, 0x4E00 + 3000))), "no text: \0"])
def test_whatever_an_error_says_it_can_be_told(agent, engine, text):
    """Its update has a key of few characters, however long the text is, and whatever is in it."""

    def fail(*_):
        raise RuntimeError(text)

    made = agent()
    failing = replace(made, tools=[replace(tool, use=fail) for tool in made.tools])
    assert resume(failing, engine, "a").state is TaskState.FAILED
    assert updates_after(engine, "a")[0][-1][1].status is Status.ERROR


def test_an_end_that_was_saved_and_not_told_can_be_told(agent, engine):
    """By whoever comes after the one that was killed in between; told again, it is not told twice."""
    made = agent()

    def until_the_end(each):
        if each.ends:
            raise KeyboardInterrupt
        made.progress(each)

    say(engine)
    killed = replace(made, progress=until_the_end)
    with pytest.raises(KeyboardInterrupt):
        killed.resume("a")
    for _ in range(2):
        made.tell("a")
    assert [each.status for _, each in updates_after(engine, "a")[0]] == ["error"]


def test_a_cancel_that_comes_too_late_changes_nothing(agent, engine):
    """The run has completed."""
    one = agent()
    resume(one, engine, "a")
    say(engine)
    assert resume(one, engine, "a").state is TaskState.COMPLETED
    assert said(engine)[-1][:2] == (5, "completed")


def test_while_the_database_is_down_a_run_stays_as_it_is(agent, engine):
    """It is not failed, and goes on when it is resumed."""
    one = agent()

    @event.listens_for(engine, "begin")
    def refuse(_):
        raise StoreError("down")

    with pytest.raises(StoreError):
        resume(one, engine, "a")
    event.remove(engine, "begin", refuse)
    assert resume(one, engine, "a").state is TaskState.COMPLETED


# swept and raced


@pytest.mark.slow(seconds=20)
@pytest.mark.timeout(300)
def test_no_kill_makes_a_gap_or_loses_an_update():
    """At each point; a counter in the process does."""
    updates.published_through().assert_survives(effects=12)
    assert updates.published_through(updates.counted_in_the_process).broken


@pytest.mark.long
def test_a_command_is_there_when_it_is_acknowledged_and_once():
    """At each point, also when it is sent again; one that a process remembers is not."""
    updates.saved_through().assert_survives(effects=2)
    updates.saved_through(again=updates.save).assert_survives(effects=2)
    assert updates.saved_through(updates.kept_in_memory).broken


def test_no_kill_applies_a_command_twice_or_never():
    """Marked before or behind the effect, it does."""
    updates.applied_through().assert_survives(effects=6)
    assert updates.applied_through(updates.marked_first).broken
    assert updates.applied_through(updates.effect_first).broken


@pytest.mark.parametrize(
    "proof",
    [updates.two_publish, partial(updates.two_publish, crash=True), updates.two_publish_one_key, updates.two_save],
    ids=["two publish", "one is killed", "one key", "one command twice"],
)
def test_no_order_makes_a_gap_or_takes_one_for_two(proof):
    """Whoever is first."""
    proof().assert_survives()


@pytest.mark.long
@pytest.mark.slow(seconds=20)
def test_no_order_lets_a_reader_skip_an_update():
    """One that commits late is waited for; over a sequence it is skipped."""
    updates.publish_and_read().assert_survives()
    assert "skipped" in str(updates.publish_and_read(updates.numbered_by_a_sequence, "by_sequence"))


@pytest.mark.long
@pytest.mark.slow(seconds=20)
def test_no_order_applies_a_command_twice():
    """Also if one is killed; two that look first, and mark later, do."""
    updates.two_apply().assert_survives()
    updates.two_apply(crash=True).assert_survives()
    assert updates.two_apply(updates.effect_first).broken


@pytest.mark.long
@pytest.mark.slow(seconds=90)
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "proof", [updates.worked_through, updates.confirmed_through, updates.cancelled_through], ids=lambda f: f.__name__
)
def test_no_kill_makes_an_agent_tell_or_obey_twice_or_never(proof):
    """Each step told once and in order, to the end; a confirmation and a cancel take effect once."""
    proof().assert_survives(effects=30)


@pytest.mark.long
@pytest.mark.slow(seconds=60)
@pytest.mark.timeout(300)
def test_a_cancel_that_a_process_remembers_is_forgotten():
    """The sweep above notices."""
    assert "cancelled, and done all the same" in str(updates.cancelled_in_memory())


def test_updates_are_told_as_json_without_what_is_usual():
    """Small, and readable by any client."""
    data = frame(1, an_update(total=3)).splitlines()[1].removeprefix("data: ")
    assert {"task", "step", "status", "time", "total"} == {*json.loads(data)}
