"""A state that several agents share, in the crash lab and in the race lab: labkit's way, and the wrong ways.

The agent's side and the server are the real ones of `mcp`, in one process, so that the sweep sees what they do to the
store; or the server is a service beside it, and the sweep sees each request.
"""

import asyncio
import json
import uuid
from functools import partial
from pathlib import Path

from mcp import Client

from labkit import FileStateStore, WorldClock, ack, database, race, service, sweep, tool
from labkit.agent_state import Fact, StatePatch, apply
from labkit.files import write_atomically
from labkit.mcp_state import StateServer, go_on, read, read_state, save, save_state
from labkit.memory import MemoryStateStore
from labkit.postgres import PostgresStateStore
from labkit.store import VersionConflictError
from labkit.task import TaskState

WHO, URI = "ada", "state://agents/a/tasks/shop"
PLAN = ["create_dns", "charge"]
CLOCK = WorldClock()
NEW = {"goal": "deploy the shop", "plan": PLAN, "state": "running"}


def use(step, key):
    """A tool that keeps the key: what it did is in the ledger."""
    tool("charge", customer=step, amount=1, key=key)
    return f"{step} is done"


STEPS = {step: partial(use, step) for step in PLAN}


def in_files():
    """A store in the sandbox."""
    return FileStateStore("states", CLOCK)


def in_postgres():
    """A store in the sweep's database."""
    return PostgresStateStore(database.engine(), CLOCK)


def stored(store):
    """The state is there: agent A has saved its plan."""
    save_state(store(), WHO, URI, 0, NEW)


# agent A dies, agent B goes on


async def by_the_state(client):
    """Labkit's way."""
    return await go_on(client, URI, STEPS)


def key_of_ones_own(step, _):
    """The wrong way: the next agent has another key."""
    return use(step, str(uuid.uuid4()))


async def with_ones_own_key(client):
    """The wrong way: see above."""
    return await go_on(client, URI, {step: partial(key_of_ones_own, step) for step in PLAN})


async def saved_first(client):
    """The wrong way: a kill between the save and the tool, and nobody does the step."""
    while (state := await read(client, URI)).state is not TaskState.COMPLETED:
        known = {fact.key for fact in state.known_facts}
        step = next((step for step in state.plan if step not in known), None)
        if step is None:
            await save(client, URI, state.to(TaskState.COMPLETED))
        else:
            await save(client, URI, apply(state, StatePatch(add_facts=(Fact(key=step, value="done"),))))
            use(step, step)
    return state


def each_step_once(seen):
    """And the state says so."""
    done = [call.arguments["customer"] for call in seen.ledger if call.tool == "charge"]
    assert done == PLAN, f"done: {done} of {PLAN}"
    assert seen.state == "completed"


def agents(work, server):
    """An agent, from its connection to the end of the plan: A, and B after it."""

    async def connected():
        async with Client(server()) as client:
            return (await work(client)).state

    return asyncio.run(connected())


def in_one_process(store):
    """The server, beside its client."""
    return StateServer(store(), WHO)


def goes_on(work=by_the_state, store=in_files, *, depth=1):
    """A is killed at each effect on tools and store; B goes on."""
    agent = partial(agents, work, partial(in_one_process, store))
    return sweep(agent, agent, each_step_once, partial(stored, store), depth=depth)


def application():
    """The server as a service: it outlives A."""
    store = MemoryStateStore(clock=CLOCK)
    save_state(store, WHO, URI, 0, NEW)
    return StateServer(store, WHO).streamable_http_app(json_response=True)


def goes_on_over_http(work=by_the_state):
    """A is killed before and after each request and reply; B goes on."""
    agent = partial(agents, work, partial(str, "http://127.0.0.1:8001/mcp"))
    return sweep(agent, agent, each_step_once, partial(service, application))


def new_is_whole(seen):
    """What was acknowledged is there; else it may not be, but never half of it."""
    assert seen.state in ([], ["build", "deploy"]), seen.state
    assert seen.state or not seen.acknowledged, "what was acknowledged is gone"


def known_in(store):
    """What a new process finds."""
    return known(store())


def saves(store=in_files, *, depth=1):
    """Two facts, saved in one save: both are there after a kill, or none."""

    def run():
        facts = [{"key": key, "value": "done"} for key in ("build", "deploy")]
        save_state(store(), WHO, URI, 1, {**NEW, "known_facts": facts})
        ack("saved")
        return known(store())

    return sweep(
        run, lambda: known(store()), new_is_whole, partial(stored, store), depth=depth, power=store is in_files
    )


# two agents, one state


def known(store):
    """The keys of what the state knows."""
    return [fact.key for fact in read_state(store, WHO, URI).known_facts]


def learned(state, name):
    """What is saved over a state, when something has been learned."""
    return apply(state, StatePatch(add_facts=(Fact(key=name, value="seen"),))).document()


def by_version(store, name):
    """Labkit's way: read, think, save over what was read; if that is stale, again."""
    while True:
        state = read_state(store(), WHO, URI)
        try:
            return save_state(store(), WHO, URI, state.version, learned(state, name))
        except VersionConflictError:
            pass


def by_the_newest_version(store, name):
    """The wrong way: what it saves was thought of over an older one."""
    state = read_state(store(), WHO, URI)
    newest = read_state(store(), WHO, URI).version
    return save_state(store(), WHO, URI, newest, learned(state, name))


def without_a_version(_, name):
    """The wrong way: a file, written whole, by whoever is last."""
    facts = json.loads(Path("shared.json").read_text())
    write_atomically("shared.json", json.dumps([*facts, name]).encode())


def both_are_known(store, seen):
    """What each has learned, unless it was killed before it had an answer."""
    file = Path("shared.json")
    found = json.loads(file.read_text()) if file.exists() else known_in(store)
    lost = {name for name, end in seen.workers.items() if end.how == "returned"} - {*found}
    assert not lost, f"lost: what {', '.join(sorted(lost))} has learned"


def naive(_):
    """A file without a version."""
    Path("shared.json").write_text("[]")


def two_learn(way=by_version, store=in_files, setup=stored, *, crash=False):
    """At once: each reads, thinks and saves."""
    workers = {name: partial(way, store, name) for name in "ab"}
    recover = partial(known_in, store) if crash else None
    return race(workers, partial(both_are_known, store), partial(setup, store), crash=crash, recover=recover)
