"""The queue in the race lab: who submits, takes, finishes and parks at once, and the wrong ways to do it.

Each guarantee is a function of who has to keep it: labkit's own way does, in every order, and a wrong one does not.
"""

from functools import partial

from labkit import Deadline, WorldClock, ack, after, claims, database, race, sweep, tasks, tool
from labkit.claims import LEASE
from labkit.idempotency import KeyReusedError
from labkit.postgres import PostgresStateStore, create_schema

LIMIT = 2


def tables():
    create_schema(database.engine())


def stored(name):
    return PostgresStateStore(database.engine()).get(tasks.QueuedTask, name)


def how_many():
    return len(PostgresStateStore(database.engine()).list_ids(tasks.QueuedTask))


def submit(name, user_input="deploy"):
    return tasks.submit(database.engine(), user_input, name, limit=LIMIT, clock=WorldClock())


def one_waits():
    tables()
    submit("first")


def submit_or_hear_why(way, name):
    try:
        return way(name)
    except (tasks.QueueFullError, KeyReusedError) as error:
        return type(error).__name__


def ends(seen):
    return [end.returned for end in seen.workers.values() if end.how == "returned"]


# exact at the limit


def check_then_insert(name):
    """The wrong way: it looks whether there is room, and later takes it."""
    engine = database.engine()
    if how_many() >= LIMIT:
        raise tasks.QueueFullError(f"the task {name} was not accepted")
    return tasks.submit(engine, "deploy", name, limit=1000, clock=WorldClock())


def only_one_had_room(seen):
    assert how_many() == LIMIT, f"{how_many()} tasks are waiting, and {LIMIT} may"
    assert "QueueFullError" in ends(seen)


def submit_at_the_limit(way):
    """There is room for one. Of three that submit, PostgreSQL itself would choose one: not all orders can be run."""
    workers = {name: partial(submit_or_hear_why, way, name) for name in ("a", "b")}
    return race(workers, only_one_had_room, one_waits)


# one key, one task


def first_or_refused(seen):
    assert sorted(ends(seen)) == ["KeyReusedError", "order 7"]


def submit_two_inputs():
    """Both under one key."""
    ways = {name: partial(submit, user_input=name) for name in ("deploy", "destroy")}
    return race(
        {name: partial(submit_or_hear_why, way, "order 7") for name, way in ways.items()}, first_or_refused, tables
    )


def one_task(seen):
    assert how_many() == 1
    assert set(ends(seen)) == {"order 7"}


def submit_one_key(*, crash=False):
    """If one of them is killed, somebody submits again."""
    again = partial(submit, "order 7")
    return race([again, again], one_task, tables, crash=crash, recover=again if crash else None)


# each task is one worker's


def submit_two():
    one_waits()
    submit("second")


def work():
    for held in tasks.take(database.engine(), clock=WorldClock()):
        tasks.finish(database.engine(), held, tool("charge", customer=held.id, amount=1), clock=WorldClock())


def each_is_worked_on_once(seen):
    assert sorted(call.arguments["customer"] for call in seen.ledger) == ["first", "second"]
    assert {stored(name).state for name in ("first", "second")} == {"completed"}


def work_on_both():
    """Two workers, and two tasks."""
    return race([work, work], each_is_worked_on_once, submit_two)


def take_one():
    return [held.id for held in tasks.take(database.engine(), clock=WorldClock())]


def nobody_shares(seen):
    taken = [name for names in ends(seen) for name in names]
    assert sorted(taken) == ["first", "second"], f"taken: {taken}"


def take_at_once(workers=2):
    """Of three workers, one finds nothing."""
    return race([take_one] * workers, nobody_shares, submit_two)


# the last claim has the last word


def held_once():
    """A worker takes the task before the race."""
    one_waits()
    tasks.take(database.engine(), clock=WorldClock())


def finish_what_was_held(finish):
    """As the worker that has token 1."""
    running = tasks.QueuedTask(id="first", user_input="deploy", state="running", version=2)
    return finish(database.engine(), claims.Claim(running, 1, WorldClock().now()), "by claim 1", clock=WorldClock())


BY_ID = """UPDATE labkit_records SET state = 'completed',
    body = jsonb_set(body::jsonb, '{result}', to_jsonb(%s::text)) WHERE id = %s"""


def finish_by_id(_, held, result, **__):
    """The wrong way: whoever comes last writes."""
    with database.engine().begin() as connection:
        return connection.exec_driver_sql(BY_ID, (result, held.id)).rowcount == 1


def take_and_finish():
    return any(
        tasks.finish(database.engine(), held, f"by claim {held.token}", clock=WorldClock())
        for held in tasks.take(database.engine(), clock=WorldClock())
    )


def last_claim_counts(seen):
    by = "by claim 2" if seen.workers["other"].returned else "by claim 1"
    assert stored("first").result == by, f"the user sees {stored('first').result}"


def zombie(finish=tasks.finish):
    """One minute passes at some moment: then the lease is over."""
    workers = {"first": partial(finish_what_was_held, finish), "other": take_and_finish, "time": after(LEASE + 1)}
    return race(workers, last_claim_counts, held_once)


def park_if_it_is_over():
    return len(tasks.take(database.engine(), attempts=1, clock=WorldClock()))


def finished_or_parked(seen):
    task, finished = stored("first"), seen.workers["first"].returned
    assert seen.workers["other"].returned == 0, "it was taken once too often"
    found = task.state, task.result, task.forgiven
    assert found == (("completed", "by claim 1", 0) if finished else ("failed", None, 2)), f"there is {found}"


def park_or_finish(finish=tasks.finish):
    """Its only attempt is under way when somebody looks whether it is over."""
    workers = {
        "first": partial(finish_what_was_held, finish),
        "other": park_if_it_is_over,
        "time": after(LEASE + 1),
    }
    return race(workers, finished_or_parked, held_once)


def wait_for_it():
    clock = WorldClock()
    return tasks.wait(database.engine(), "first", Deadline.after(1000, clock), clock=clock).result


def heard(seen):
    assert seen.workers["waiter"].returned == "by claim 1"


def wait_and_finish():
    """Whoever waits, and whoever works."""
    return race({"waiter": wait_for_it, "first": partial(finish_what_was_held, tasks.finish)}, heard, held_once)


# what is accepted is done, once, and its result is there


def done_once(seen):
    assert len(seen.ledger) <= 1, f"deployed {len(seen.ledger)} times"
    if seen.acknowledged:
        assert len(seen.ledger) == 1, "an accepted task is lost"
        assert seen.state == "container shop is up", "the result is lost"


IN_MEMORY = []


def submit_in_memory(name):
    """The wrong way: a queue that dies with its process."""
    IN_MEMORY.append(name)


def result_from_memory():
    return tool("deploy_container", service="shop", key=IN_MEMORY.pop()) if IN_MEMORY else None


def submit_by_the_clock(_):
    """The wrong way: whoever submits again, submits another task."""
    submit(f"order at {WorldClock().now()}")


def work_on_all():
    result = None
    while held := tasks.take(database.engine(), clock=WorldClock()):
        result = tool("deploy_container", service="shop", key=held[0].id)
        tasks.finish(database.engine(), held[0], result, clock=WorldClock())
    return result


def result_in_the_row():
    work_on_all()
    task = stored("order 7")
    return task and task.result


def killed(submit=submit, result=result_in_the_row, *, again=False, depth=1):
    """Who submits, works and asks is killed at each point; a minute later comes whoever works, or submits `again`."""

    def run():
        submit("order 7")
        ack("submitted")
        return result()

    def go_on():
        WorldClock().sleep(LEASE + 1)
        return result()

    def begin_again():
        WorldClock().sleep(LEASE + 1)
        return run()

    return sweep(run, begin_again if again else go_on, done_once, tables, depth=depth)
