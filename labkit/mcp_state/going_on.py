"""The agent's side: go on where another agent has stopped, by what the state says, never by what one remembers.

read → the first step of the plan that no fact tells of → do it, under its key → save → read …
                                                            → refused, or no answer: read again

What an agent remembers is gone when it is killed, and old when another has saved; so it reads before each step.
"""

from collections.abc import Callable, Mapping

import anyio
import anyio.to_thread
from mcp import Client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost

from labkit.agent_state import Fact, StatePatch, apply
from labkit.idempotency import step_key
from labkit.mcp_state.states import SharedState
from labkit.task import TaskState

Steps = Mapping[str, Callable[[str], str]]
"""Step → what does it: it is given the step's key, and returns what is to be known of it."""
ATTEMPTS = 10
"""Of saving one step, while others save, too."""


async def read(client: Client, uri: str) -> SharedState:
    """The state as it is stored now. MCPError if there is none, or no answer."""
    found = await client.read_resource(uri, cache_mode="refresh")
    return SharedState.model_validate_json(found.contents[0].text)


async def save(client: Client, uri: str, state: SharedState) -> int:
    """Save over the version that was read; returns the new one. ValueError, in the server's words, if it refuses."""
    arguments = {"uri": uri, "version": state.version, "state": state.model_dump(mode="json")}
    answer = await client.call_tool("save_state", arguments)
    said = answer.content[0].text
    if answer.is_error:
        raise ValueError(said)
    return int(said)


async def go_on(client: Client, uri: str, steps: Steps) -> SharedState:
    """Do what the plan has and the facts lack, and return the completed state; whoever began it.

    Each step is done under a key that is made of the state's key and the step. So a tool that keeps it acts once,
    although the agent before died between the tool and the save, or still lives; and another owner's state of the same
    URI has other keys. MCPError if the server cannot be reached: call it again. ValueError if the plan names a step
    that is not in `steps`, the state has no key, or the server refuses what is not stale.
    """
    failed = 0
    while (state := await read(client, uri)).state is not TaskState.COMPLETED:
        try:
            await save(client, uri, await one_step(state, steps))
            failed = 0
        except ValueError:
            failed += 1
            if failed == ATTEMPTS or (await read(client, uri)).version == state.version:
                raise  # not stale: to read again would not help
    return state


async def one_step(state: SharedState, steps: Steps) -> SharedState:
    """Do one step; the state that is to be saved over this one. ValueError for a step or key that nobody knows."""
    if state.state is not TaskState.RUNNING:
        return state.to(TaskState.PENDING if state.state is TaskState.FAILED else TaskState.RUNNING)
    known = {fact.key for fact in state.known_facts}
    step = next((step for step in state.plan if step not in known), None)
    if step is None:
        return state.to(TaskState.COMPLETED)
    if step not in steps:
        raise ValueError(f"the plan has the step {step!r}, which is none of {', '.join(steps)}")
    if not state.key:
        raise ValueError("the state has no key: read it from its server, which gives it one")
    result = await anyio.to_thread.run_sync(steps[step], step_key(state.key, step))
    return apply(state, StatePatch(add_facts=(Fact(key=step, value=result),)))


async def changed(client: Client, uri: str, version: int, *, poll: float = 1.0) -> SharedState:
    """Wait until the state is newer than `version`, and return it. Read again after each hint, and every `poll` s.

    A hint that is missed costs at most `poll` seconds. Put it into `anyio.fail_after` for a limit.
    """
    while (state := await read(client, uri)).version <= version:
        with anyio.move_on_after(poll):
            try:
                await _hint(client, uri, version)
            except (SubscriptionLost, ListenNotSupportedError):
                await anyio.sleep(poll)  # the server was killed, or speaks the older protocol
    return state


async def _hint(client: Client, uri: str, version: int) -> None:
    """Return when there is a hint, or was reason for one before anybody listened."""
    async with client.listen(resource_subscriptions=[uri]) as hints:
        if (await read(client, uri)).version <= version:
            await anext(hints, None)
