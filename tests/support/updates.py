"""Progress and commands in the crash lab and in the race lab: labkit's own way, and the wrong ways to do it.

Each guarantee is a function of who has to keep it: labkit's own way does, at each point and in every order, and a wrong
one does not.
"""

import json
from dataclasses import replace
from functools import partial

from outboxes import CLOCK, RUN, execute

from labkit import PostgresStateStore, ack, database, in_transaction, llm, race, sweep
from labkit.agent import Agent
from labkit.agent.run import Budget
from labkit.agent.tools import Risk
from labkit.course import stories
from labkit.progress import (
    ProgressUpdate,
    Status,
    apply_commands,
    command,
    create_tables,
    followed,
    publish,
    resume,
    updates_after,
)


def tables():
    """Of labkit, and of the effects of commands."""
    create_tables(database.engine())
    execute("CREATE TABLE effects (id text)")


def update(step, status=Status.TOOL_RESULT, **fields):
    """What a run tells."""
    return ProgressUpdate(task=RUN, step=step, status=status, time=CLOCK.now(), **fields)


def told():
    """All that the run has told, in order."""
    return updates_after(database.engine(), RUN, batch=1000)[0]


# publishing


def publish_one(step, *, key=None):
    """In a transaction of its own."""
    return in_transaction(database.engine(), lambda conn: publish(conn, RUN, update(step), key=key))


def counted_in_the_process():
    """The wrong way: a number of this process, which begins again in the next one."""
    numbers = iter(range(1, 100))

    def publish_it(step):
        body = json.dumps(update(step).model_dump(mode="json"))
        statement = "INSERT INTO labkit_updates (run, number, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
        execute(statement, RUN, next(numbers), body)

    return publish_it


def none_is_lost(seen):
    """The numbers have no gap, and what was acknowledged was told."""
    found = told()
    assert [number for number, _ in found] == [*range(1, len(found) + 1)]
    steps = {each.step for _, each in found}
    assert steps >= {1, 2, 3}, f"told: {sorted(steps)}"
    assert steps >= {int(label) for label in seen.acknowledged}


def published_through(ways=lambda: publish_one, *, depth=1):
    """Three updates, each acknowledged; the process that comes next tells those that were not."""

    def run():
        publish_it, done = ways(), {each.step for _, each in told()}
        for step in (1, 2, 3):
            if step not in done:
                publish_it(step)
                ack(str(step))

    return sweep(run, run, none_is_lost, tables, depth=depth)


def gapless(seen):
    """And each has the number that it was told."""
    numbers = sorted(end.returned for end in seen.workers.values() if end.how == "returned")
    rows = [number for number, _ in told()]
    assert rows == [*range(1, len(rows) + 1)], f"the numbers are {rows}"
    assert {*numbers} <= {*rows}
    assert len({*numbers}) == len(numbers)


def two_publish(workers=2, *, crash=False):
    """In one run, at once."""
    ways = {f"{step}": partial(publish_one, step) for step in range(1, workers + 1)}
    return race(ways, gapless, tables, crash=crash, recover=partial(publish_one, 9) if crash else None)


def told_once(_):
    """Under one key."""
    assert [number for number, _ in told()] == [1]


def two_publish_one_key():
    """As a worker that was taken for dead, and its successor."""
    return race([partial(publish_one, 1, key="1")] * 2, told_once, tables)


# reading behind the last number


def tables_with_a_reader():
    """And what a reader has seen."""
    tables()
    execute("CREATE TABLE seen (number bigint)")
    execute("CREATE TABLE by_sequence (number bigint GENERATED ALWAYS AS IDENTITY, name text)")


def numbered_by_a_sequence(name):
    """The wrong way: the number is taken before the commit, and others commit meanwhile."""
    execute("INSERT INTO by_sequence (name) VALUES (%s)", str(name))


READ = "INSERT INTO seen SELECT number FROM {} WHERE number > (SELECT coalesce(max(number), 0) FROM seen)"


def read(table):
    """Whatever is behind the last that was seen."""
    execute(READ.format(table))


def none_is_skipped(table, _):
    """Now, or when it reads again."""
    read(table)
    missing = execute(f"SELECT number FROM {table} WHERE number NOT IN (TABLE seen)")  # noqa: S608
    assert not missing, f"skipped: {missing}"


def publish_and_read(way=publish_one, table="labkit_updates"):
    """Two publish, one reads meanwhile."""
    workers = {"first": partial(way, 1), "second": partial(way, 2), "reader": partial(read, table)}
    return race(workers, partial(none_is_skipped, table), tables_with_a_reader)


# commands


CANCEL = {"do": "cancel"}


def save():
    """And acknowledge, once it is committed."""
    new = in_transaction(database.engine(), lambda conn: command(conn, RUN, "c1", CANCEL, clock=CLOCK))
    ack("saved")
    return new


def kept_in_memory():
    """The wrong way: whoever asked believes that it is saved."""
    ack("saved")
    execute("INSERT INTO labkit_commands (run, id, what, saved_at) VALUES (%s, 'c1', '{}', now())", RUN)


def what_is_acknowledged_is_there(seen):
    """Before anybody sends it again."""
    rows = execute("SELECT id FROM labkit_commands")
    assert len(rows) == 1 or (not rows and not seen.acknowledged), f"{len(rows)} rows of {seen.acknowledged}"


def look():
    """A restart at which nobody sends anything."""
    return len(execute("SELECT id FROM labkit_commands"))


def saved_through(way=save, *, again=look, depth=1):
    """The user sends one; after a kill, perhaps again."""
    return sweep(way, again, what_is_acknowledged_is_there, tables, depth=depth)


def effect(conn, given):
    """In the database."""
    conn.exec_driver_sql("INSERT INTO effects VALUES (%s)", (given.id,))


def apply_all():
    """Effect and mark in one transaction."""
    done = in_transaction(database.engine(), lambda conn: apply_commands(conn, RUN, {"cancel": effect}, clock=CLOCK))
    return [each.id for each in done]


UNAPPLIED = "SELECT id FROM labkit_commands WHERE applied_at IS NULL ORDER BY number"
MARK = "UPDATE labkit_commands SET applied_at = now() WHERE id = %s"


def marked_first():
    """The wrong way: a kill between the two, and the effect never is."""
    for (command_id,) in execute(UNAPPLIED):
        execute(MARK, command_id)
        execute("INSERT INTO effects VALUES (%s)", command_id)


def effect_first():
    """The wrong way: a kill between the two, and the effect is twice; so it is if two do it at once."""
    for (command_id,) in execute(UNAPPLIED):
        execute("INSERT INTO effects VALUES (%s)", command_id)
        execute(MARK, command_id)


def commands_wait(*ids):
    """Of the user's."""
    tables()
    for command_id in ids:
        in_transaction(database.engine(), lambda conn, it=command_id: command(conn, RUN, it, CANCEL, clock=CLOCK))


def each_once(ids, _):
    """In order."""
    found = [command_id for (command_id,) in execute("TABLE effects")]
    assert found == [*ids], f"effects: {found}"


def applied_through(way=apply_all, *, depth=1):
    """Between two steps; after a kill, again."""
    return sweep(way, way, partial(each_once, ("c1", "c2")), partial(commands_wait, "c1", "c2"), depth=depth)


def two_apply(way=apply_all, *, crash=False):
    """A worker that was taken for dead, and its successor."""
    waiting, recover = partial(commands_wait, "c1"), way if crash else None
    return race([way, way], partial(each_once, ("c1",)), waiting, crash=crash, recover=recover)


def first_and_again(seen):
    """One was the first."""
    assert sorted(end.returned for end in seen.workers.values()) == [False, True]
    assert len(execute("SELECT id FROM labkit_commands")) == 1


def two_save():
    """One command, sent twice."""
    return race([save, save], first_and_again, tables)


# an agent that tells and obeys


def agent(approve=()):
    """With the disk's story, over rows."""
    store = PostgresStateStore(database.engine(), CLOCK)
    made = Agent(
        llm.client(CLOCK, scripted=True), stories.DISK.tools, store, CLOCK, budget=Budget(max_seconds=3600),
        limit=180, approve=frozenset(approve),
    )  # fmt: skip
    return followed(made, database.engine())


def begin():
    """A run that nobody has begun to work on."""
    tables()
    llm.use(stories.DISK.turns)
    agent().start(stories.DISK.goal, RUN)


def said():
    """What was told, in short."""
    return [(number, each.step, str(each.status), each.tool) for number, each in told()]


WHOLE = [
    (1, 1, "thinking", ""),
    (2, 2, "tool_call", "check_disk"),
    (3, 2, "tool_result", "check_disk"),
    (4, 3, "thinking", ""),
    (5, 4, "tool_call", "clean_logs"),
    (6, 4, "tool_result", "clean_logs"),
    (7, 5, "thinking", ""),
    (8, 5, "completed", ""),
]


def work(approve=()):
    """As a worker does, after each crash anew."""
    return resume(agent(approve), database.engine(), RUN).state


def told_whole(seen):
    """Each step once, in order, to the end, whatever was killed; and the tool has acted once."""
    assert said() == WHOLE, f"told: {said()}"
    assert [call.tool for call in seen.ledger] == ["clean_logs"]
    assert seen.state == "completed"


def worked_through(*, depth=1):
    """A run, told to its end."""
    return sweep(work, work, told_whole, begin, depth=depth)


def confirm(step=4, *, approved=True):
    """The user answers."""
    what = {"do": "confirm", "step": step, "approved": approved}
    return in_transaction(database.engine(), lambda conn: command(conn, RUN, f"confirm {step}", what, clock=CLOCK))


def ask_confirm_go_on(approve=(Risk.WRITE_LOCAL,), *, approved=True):
    """The run waits, the user answers, the run goes on."""
    work(approve)
    confirm(approved=approved)
    return work(approve)


ASKED = [*WHOLE[:4], (5, 4, "tool_call", "clean_logs"), *[(n + 1, *rest) for n, *rest in WHOLE[4:]]]


def asked_and_told(seen):
    """The question, and then as without one."""
    assert said() == ASKED, f"told: {said()}"
    assert [each.step for _, each in told() if each.asks] == [4]
    assert [call.tool for call in seen.ledger] == ["clean_logs"]
    assert execute(UNAPPLIED) == []


def confirmed_through(*, depth=1):
    """An approval given by a command."""
    return sweep(ask_confirm_go_on, ask_confirm_go_on, asked_and_told, begin, depth=depth)


def cancelled_at(step, way=None):
    """The user cancels when that step has ended."""
    one = agent()

    def tell(each):
        one.progress(each)
        if (each.step, each.status) == (step, Status.TOOL_RESULT):
            (way or save)()

    return resume(replace(one, progress=tell), database.engine(), RUN).state


def nothing_more_is_done(seen):
    """The second tool was not used, and all know how it ended, once."""
    assert seen.ledger == []
    assert said()[3:] == [(4, 3, "error", "")], f"told: {said()}"
    assert seen.state == "failed"
    assert execute(UNAPPLIED) == []


class Remembered:
    """The wrong way: a cancel that a process remembers."""

    told = False

    @classmethod
    def cancel(cls):
        """The user is told that it is saved."""
        cls.told = True
        ack("saved")


def cancel_kept_in_memory():
    """A worker that looks at a variable of its own."""
    Remembered.told = False
    one = agent()

    def tell(each):
        if Remembered.told and not each.ends:
            raise RuntimeError("cancelled")
        one.progress(each)
        if (each.step, each.status) == (2, Status.TOOL_RESULT):
            Remembered.cancel()

    return resume(replace(one, progress=tell), database.engine(), RUN).state


def after_the_cancel(seen):
    """What was acknowledged holds."""
    assert not (seen.acknowledged and seen.ledger), "cancelled, and done all the same"


def cancelled_through(*, depth=1):
    """A cancel between two steps; after a crash, it holds."""
    return sweep(partial(cancelled_at, 2), partial(cancelled_at, 2), nothing_more_is_done, begin, depth=depth)


def cancelled_in_memory():
    """After a crash, the worker knows nothing of it."""
    return sweep(cancel_kept_in_memory, work, after_the_cancel, begin)
