"""States that several agents share: whoever comes later goes on, nobody is overwritten, and nobody sees another's."""

import asyncio
import json
import string
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import pytest
import shared_states
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client, MCPError
from shared_states import NEW, STEPS, URI, WHO

from labkit.files import write_atomically
from labkit.mcp_state import (
    StateServer,
    changed,
    go_on,
    keep,
    list_states,
    outlast,
    read,
    read_artifact,
    read_state,
    save,
    save_state,
    tokens,
)
from labkit.mcp_state.going_on import one_step
from labkit.mcp_state.states import LARGEST, LARGEST_ARTIFACT, LONGEST_STEP, SharedState
from labkit.mcp_state.tokens import TokenFile, issue
from labkit.memory import MemoryStateStore
from labkit.store import NotFoundError, StoreError, VersionConflictError
from labkit.task import IllegalTransitionError

OTHER = "state://agents/a/tasks/blog"
NAMES = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=64)
SECONDS = 30
"""What a test may wait for."""


@pytest.fixture
def store():
    """Ada's agent a has begun."""
    store = MemoryStateStore()
    save_state(store, WHO, URI, 0, NEW)
    return store


def spoken(store, talk, owner=WHO, **options):
    """What `talk(client)` returns, with a client of a server in this process."""

    async def connected():
        with anyio.fail_after(SECONDS):
            async with Client(StateServer(store, owner), **options) as client:
                return await talk(client)

    return asyncio.run(connected())


def refused(store, tool="save_state", **arguments):
    """What the client is told, when a tool refuses."""

    async def talk(client):
        answer = await client.call_tool(tool, {"uri": URI, "version": 1, "state": NEW, **arguments})
        assert answer.is_error
        return answer.content[0].text

    return spoken(store, talk).removeprefix(f"Error executing tool {tool}: ")


# versions


def test_what_was_read_is_saved_over_and_the_version_counts(store):
    """From 0, which is new."""
    assert read_state(store, WHO, URI).version == 1
    assert save_state(store, WHO, URI, 1, NEW | {"goal": "deploy the blog"}) == 2
    assert read_state(store, WHO, URI).goal == "deploy the blog"


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_stale_version_is_refused_and_nothing_is_saved(store, version):
    """So is a version that never was, and a state that is new a second time."""
    save_state(store, WHO, URI, 1, NEW)
    with pytest.raises(VersionConflictError, match=r"Nothing was saved\. Read it again"):
        save_state(store, WHO, URI, version, NEW | {"goal": "another"})
    assert read_state(store, WHO, URI).goal == NEW["goal"]


def test_what_completed_stays_completed(store):
    """As a task does."""
    save_state(store, WHO, URI, 1, NEW | {"state": "completed"})
    with pytest.raises(IllegalTransitionError):
        save_state(store, WHO, URI, 2, NEW)


def test_what_was_read_can_be_saved_as_it_is(store):
    """The document with the version in it, and with keys that nobody here knows."""

    async def talk(client):
        state = await read(client, URI)
        return await save(client, URI, state.model_copy(update={"mood": "good"})), await read(client, URI)

    version, state = spoken(store, talk)
    assert (version, state.goal, state.mood) == (2, NEW["goal"], "good")


# whose it is


@given(owner=NAMES, other=NAMES, agent=NAMES, task=NAMES)
def test_what_is_not_yours_looks_as_if_it_were_not_there(owner, other, agent, task):
    """The refusal is the same to the letter, and the other one can have a state of that name."""
    store, uri = MemoryStateStore(), f"state://agents/{agent}/tasks/{task}"
    with pytest.raises(NotFoundError) as missing:
        read_state(store, other, uri)
    save_state(store, owner, uri, 0, NEW)
    if other != owner:
        for look in (partial(read_state, store, other, uri), partial(save_state, store, other, uri, 1, NEW)):
            with pytest.raises(NotFoundError):
                look()
        with pytest.raises(NotFoundError) as foreign:
            read_state(store, other, uri)
        assert str(foreign.value) == str(missing.value)
        assert list_states(store, other) == []
        assert save_state(store, other, uri, 0, {"goal": "mine"}) == 1
    assert read_state(store, owner, uri).goal == NEW["goal"]


def test_a_foreign_task_and_a_missing_one_are_told_in_the_same_words(store):
    """Over the protocol, with code and data."""

    async def talk(client):
        answers = []
        for uri in (URI, OTHER):
            with pytest.raises(MCPError) as error:
                await client.read_resource(uri)
            answers.append((error.value.code, error.value.message.replace(uri, ""), error.value.data == {"uri": uri}))
        return answers

    foreign, missing = spoken(store, talk, owner="bob")
    assert foreign == missing


def test_who_asks_is_no_argument(store):
    """No tool has one, and an argument that is not asked for changes nothing."""

    async def talk(client):
        tools = (await client.list_tools()).tools
        await client.call_tool("save_state", {"uri": OTHER, "version": 0, "state": NEW, "who": "bob", "owner": "bob"})
        return {name for tool in tools for name in tool.input_schema["properties"]}

    assert spoken(store, talk) == {"uri", "version", "state", "step", "content"}
    assert list_states(store, WHO) == [OTHER, URI]


def test_a_list_has_all_that_is_theirs_page_by_page():
    """And nothing else, whoever comes before or after in the store."""
    store, wanted = MemoryStateStore(), [f"state://agents/a/tasks/{number:03}" for number in range(250)]
    for uri in wanted:
        save_state(store, WHO, uri, 0, NEW)
    for owner in ("ad", "ada-", "adb", "a"):
        save_state(store, owner, URI, 0, NEW)

    async def talk(client):
        found, cursor = [], None
        while True:
            page = await client.list_resources(cursor=cursor)
            found.append([resource.uri for resource in page.resources])
            if (cursor := page.next_cursor) is None:
                return found

    pages = spoken(store, talk)
    assert [len(page) for page in pages] == [100, 100, 50]
    assert sum(pages, []) == wanted  # noqa: RUF017 - three of them


def test_a_record_that_no_uri_can_name_is_passed_over():
    """Another program has put it there; the pages are as long as ever, and nothing behind it is hidden."""
    store, wanted = MemoryStateStore(), [f"state://agents/a/tasks/{number:03}" for number in range(103)]
    for uri in wanted:
        save_state(store, WHO, uri, 0, NEW)
    for name in ("ada/", "ada/a", "ada/a/", "ada/a/000/b", "ada/a/000\n", "ada/A/b", "ada//b", "ada/zz", "adb"):
        store.insert(SharedState(id=name, goal="none"))
    assert list_states(store, WHO) == wanted[:100]
    assert list_states(store, WHO, after=wanted[99]) == wanted[100:]


@pytest.mark.parametrize("cursor", ["nonsense", "ada/", "state://agents/../tasks/b", "\0"])
def test_a_cursor_of_ones_own_shows_nobody_elses(store, cursor):
    """It is read as a URI, or as the beginning."""
    save_state(store, "bob", URI, 0, NEW)
    assert list_states(store, WHO, after=cursor) == [URI]


# large results


def test_a_large_result_is_kept_beside_the_state_and_read_by_reference(store):
    """Once the state names it."""
    log = "line\n" * 50_000

    async def talk(client):
        answer = await client.call_tool("keep_artifact", {"uri": URI, "step": "build", "content": log})
        state = await read(client, URI)
        kept = answer.content[0].text
        with pytest.raises(MCPError, match="has no artifact"):
            await client.read_resource(f"{URI}/artifacts/{name(kept)}")
        await save(client, URI, state.model_validate(state.model_dump() | {"artifacts": [json_of(kept)]}))
        return name(kept), (await client.read_resource(f"{URI}/artifacts/{name(kept)}")).contents[0].text

    made, content = spoken(store, talk)
    assert content == log
    assert len(read_state(store, WHO, URI).model_dump_json()) < 3000
    assert made.startswith("tool_result_")


def json_of(text):
    """What a tool has returned."""
    return json.loads(text)


def name(text):
    """Of an artifact."""
    return json_of(text)["artifact_id"]


def test_an_artifact_of_another_task_is_not_read_by_its_id(store):
    """Although somebody writes it into a state of his own."""
    kept = keep(store, WHO, URI, "build", "the password is swordfish")
    save_state(store, "bob", URI, 0, NEW | {"artifacts": [kept.model_dump()]})
    with pytest.raises(NotFoundError, match="has no artifact"):
        read_artifact(store, "bob", URI, kept.artifact_id)


# bad input


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"state": []}, "not an agent state: it is an object of JSON, with a goal"),
        ({"state": None}, "not an agent state: it is an object of JSON, with a goal"),
        ({"state": {}}, "not an agent state: goal: Field required"),
        ({"state": {"goal": 1, "plan": 2}}, "not an agent state: goal: Input should be a valid string, and 1 more"),
        ({"state": NEW | {"state": "asleep"}}, "not an agent state: state: Input should be"),
        ({"state": NEW | {"goal": "x" * LARGEST}}, f"and {LARGEST} is the most: keep large results as artifacts"),
        ({"version": -1}, "-1 is no version"),
        ({"version": 2**70}, "is no version"),
        ({"version": 7}, "stale: version 7"),
        ({"uri": "state://agents/A/tasks/b"}, "not the URI of a state: state://agents/{agent_id}/tasks/{task_id}"),
        ({"uri": f"{URI}/../c"}, "not the URI of a state"),
        ({"uri": OTHER}, "save it as version 0 first"),
        ({"state": NEW | {"state": "pending"}, "version": 2}, "stale"),
    ],
)
def test_what_is_no_state_is_refused_in_one_line_that_the_client_sees(store, arguments, line):
    """And the server goes on."""
    said = refused(store, **arguments)
    assert line in said
    assert "\n" not in said
    assert read_state(store, WHO, URI).version == 1


def test_an_artifact_that_is_too_large_is_refused(store):
    """With what to do."""
    said = refused(store, "keep_artifact", step="build", content="x" * (LARGEST_ARTIFACT + 1))
    assert said.endswith("is the most: keep parts")


def test_a_step_that_is_no_name_is_refused(store):
    """It is in the state, twice."""
    said = refused(store, "keep_artifact", step="x" * (LONGEST_STEP + 1), content="a log")
    assert said == "the step has 1001 characters, and 1000 is the most: it is a name"
    assert keep(store, WHO, URI, "x" * LONGEST_STEP, "a log").step == "x" * LONGEST_STEP


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        ("save_state", {"version": "newest"}, "version: Input should be a valid integer"),
        ("save_state", {"version": None}, "version: Input should be a valid integer"),
        ("save_state", {"uri": 7}, "uri: Input should be a valid string"),
        ("keep_artifact", {"step": "build"}, "content: Field required"),
        ("keep_artifact", {"step": 7, "content": 8}, "step: Input should be a valid string, and 1 more"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_in_one_line(store, tool, arguments, line):
    """As whatever else is no state."""
    said = refused(store, tool, **arguments)
    assert said.startswith(line)
    assert "\n" not in said


def test_what_ails_the_store_is_not_told_to_strangers():
    """It has addresses in it, perhaps a password."""

    class Broken(MemoryStateStore):
        def save(self, *_, **__):
            raise StoreError("cannot connect to 10.0.0.7")

        get = list_ids = save

    async def talk(client):
        for ask in (client.list_resources(), client.read_resource(URI)):
            with pytest.raises(MCPError) as error:
                await ask
            assert error.value.message == words

    words = "the store failed: nobody knows what was saved, so read again before you save again"
    assert refused(Broken()) == words
    spoken(Broken(), talk)


@pytest.mark.parametrize("owner", ["Ada", "", "a/b", "a b", "x" * 65])
def test_a_name_that_could_be_another_is_none(store, owner):
    """Upper case, slashes: what a file system or a URI might read otherwise."""
    with pytest.raises(ValueError, match="cannot own a state"):
        read_state(store, owner, URI)


def test_a_client_of_the_older_protocol_reads_and_saves_and_has_no_hints(store):
    """It is told so, and `changed` asks instead."""

    async def talk(client):
        with pytest.raises(MCPError, match="Method not found"):
            await client.subscribe_resource(URI)
        version = await save(client, URI, await read(client, URI))
        return client.protocol_version, version, (await changed(client, URI, 1, poll=0.01)).version

    with pytest.warns(UserWarning, match="resources/subscribe is removed"):
        protocol, *versions = spoken(store, talk, mode="legacy")
    assert protocol < "2026"
    assert versions == [2, 2]


# hints


def test_who_waits_is_told_when_another_has_saved(store):
    """Long before it would have asked."""

    async def talk(client):
        async def another():
            await anyio.sleep(0.1)
            await save(client, URI, await read(client, URI))

        async with anyio.create_task_group() as group:
            group.start_soon(another)
            return (await changed(client, URI, 1, poll=3600)).version

    assert spoken(store, talk) == 2


def test_who_has_missed_the_hint_reads_again(store):
    """What another server's client saves, nobody here is told; the state says it."""

    async def talk(client):
        async def another():
            await anyio.sleep(0.1)
            save_state(store, WHO, URI, 1, NEW)

        async with anyio.create_task_group() as group:
            group.start_soon(another)
            return (await changed(client, URI, 1, poll=0.2)).version

    assert spoken(store, talk) == 2


# tokens


def test_a_token_says_whose_states_and_is_not_in_the_file(tmp_path):
    """Two agents of one owner have two; one is taken back by deleting its line."""
    path = tmp_path / "tokens"
    first, second = issue(path, "ada", "a"), issue(path, "ada", "b")
    tokens = TokenFile(path)

    def whose(token):
        found = asyncio.run(tokens.verify_token(token))
        return found and (found.subject, found.client_id)

    assert (whose(first), whose(second)) == (("ada", "a"), ("ada", "b"))
    assert first not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    path.write_text(path.read_text().splitlines()[1])
    assert (whose(first), whose(second)) == (None, ("ada", "b"))
    assert whose("") is whose("ü\udcff") is None
    path.write_text("nonsense\n\nabc\n")
    assert whose(second) is None


def test_without_a_file_that_can_be_read_nobody_is_known(tmp_path):
    """It is gone, another thing, or not UTF-8; a bad line does not take the others with it, and all is well after."""
    path = tmp_path / "tokens"
    token = issue(path, "ada", "a")
    whole, verify = path.read_bytes(), TokenFile(path).verify_token
    path.unlink()
    assert asyncio.run(verify(token)) is None
    path.mkdir()
    assert asyncio.run(verify(token)) is None
    path.rmdir()
    path.write_bytes(whole.decode().encode("utf-16"))
    assert asyncio.run(verify(token)) is None
    path.write_bytes(b"\xff\xfe \xff\n" + whole)
    assert asyncio.run(verify(token)).subject == "ada"


def test_of_tokens_that_are_issued_at_once_none_is_lost(tmp_path, monkeypatch):
    """Whoever is between reading and writing is waited for."""

    def slowly(*what):
        time.sleep(0.05)
        write_atomically(*what)

    monkeypatch.setattr(tokens, "write_atomically", slowly)
    with ThreadPoolExecutor(4) as pool:
        issued = [*pool.map(partial(issue, tmp_path / "tokens", "ada"), "abcd", timeout=SECONDS)]
    verify = TokenFile(tmp_path / "tokens").verify_token
    assert [asyncio.run(verify(token)).client_id for token in issued] == [*"abcd"]


def test_a_line_without_its_end_is_not_glued_to_the_next(tmp_path):
    """Some editors leave the newline out."""
    path = tmp_path / "tokens"
    first = issue(path, "ada", "a")
    path.write_text(path.read_text().rstrip("\n"))
    second = issue(path, "ada", "b")
    found = [asyncio.run(TokenFile(path).verify_token(token)) for token in (first, second)]
    assert [access and access.client_id for access in found] == ["a", "b"]


# go on


def test_b_goes_on_where_a_stopped(store):
    """A has died after its first step; B does the second one alone."""
    done, facts = [], [{"key": "create_dns", "value": "done"}]
    save_state(store, WHO, URI, 1, NEW | {"known_facts": facts})
    steps = {step: lambda key, step=step: done.append(step) or "done" for step in STEPS}
    state = spoken(store, lambda client: go_on(client, URI, steps))
    assert (done, state.state, state.version) == (["charge"], "completed", 4)


@pytest.mark.parametrize("begun", ["pending", "failed"])
def test_b_goes_on_with_what_is_pending_or_failed(store, begun):
    """By the legal transitions."""
    save_state(store, WHO, OTHER, 0, {"goal": "none", "state": begun})
    assert spoken(store, lambda client: go_on(client, OTHER, {})).state == "completed"


def test_a_step_that_nobody_knows_is_said(store):
    """Not tried for ever."""
    with pytest.raises(ExceptionGroup) as error:
        spoken(store, lambda client: go_on(client, URI, {}))
    assert error.group_contains(ValueError, match="has the step 'create_dns', which is none of")


def test_who_was_overtaken_reads_again_and_goes_on(store):
    """Another agent saves between its read and its save; no step is lost and none is done twice."""
    done = []

    def step(key):
        if not done:
            save_state(store, WHO, URI, 1, NEW | {"open_questions": ["why?"]})
        done.append(key)
        return "done"

    state = spoken(store, lambda client: go_on(client, URI, dict.fromkeys(STEPS, step)))
    assert len(done) == len({*done}) + 1
    assert state.open_questions == ("why?",)


def test_a_server_that_is_not_there_is_said():
    """After as many attempts as were asked for."""
    nobody = partial(Client, "http://127.0.0.1:9/mcp")  # the port of "discard"
    with pytest.raises(ConnectionError, match="no server was there at 2 attempts"):
        asyncio.run(outlast(nobody, lambda client: go_on(client, URI, STEPS), attempts=2, delay=0.01))


def test_the_steps_of_two_owners_have_different_keys(store):
    """Although URI, plan and steps are the same; both agents of one owner make the same ones, each time."""

    def keys(owner, version):
        save_state(store, owner, URI, version, NEW)
        used = []
        steps = dict.fromkeys(STEPS, lambda key: used.append(key) or "done")
        spoken(store, lambda client: go_on(client, URI, steps), owner)
        return used

    adas, bobs = keys(WHO, 1), keys("bob", 0)
    assert len({*adas, *bobs}) == 4
    assert '["1727480af9c1a7e1", "charge"]' in adas


def test_no_client_sets_the_key_of_a_state(store):
    """It is not stored, whatever is saved; and a state that was never read from a server has none."""
    save_state(store, WHO, URI, 1, NEW | {"key": "bob's"})
    save_state(store, WHO, OTHER, 0, {"goal": "none", "key": 7})
    assert "key" not in read_state(store, WHO, URI).document()

    async def talk(client):
        return [(await read(client, uri)).key for uri in (URI, OTHER)]

    ours, others = spoken(store, talk)
    assert len({ours, others, "bob's"}) == 3
    with pytest.raises(ValueError, match="the state has no key"):
        asyncio.run(one_step(read_state(store, WHO, URI), STEPS))


# killed at every point, and in every order


@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("where", [shared_states.in_files, shared_states.in_postgres])
def test_agent_a_is_killed_at_every_point_and_b_goes_on(where):
    """The real client and server in one process: each effect on tools and store; no tool acts twice."""
    shared_states.goes_on(store=where).assert_survives()


@pytest.mark.long
@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("wrong", [shared_states.with_ones_own_key, shared_states.saved_first])
def test_a_key_of_ones_own_or_a_save_before_the_tool_does_not_pass(wrong):
    """The test above notices."""
    assert shared_states.goes_on(wrong, shared_states.in_postgres).broken


@pytest.mark.parametrize("where", [shared_states.in_files, shared_states.in_postgres])
def test_a_save_is_whole_or_not_at_all(where):
    """Killed twice, and in files by a power cut as well."""
    shared_states.saves(where).assert_survives()
    shared_states.saves(where, depth=2).assert_survives()


def test_of_two_that_read_think_and_save_none_is_overwritten():
    """In every order."""
    shared_states.two_learn(store=shared_states.in_postgres).assert_survives()


@pytest.mark.long
def test_without_the_version_that_was_read_one_is_overwritten():
    """Whether there is no version, or the newest one is taken: the race notices."""
    assert shared_states.two_learn(shared_states.by_the_newest_version, shared_states.in_postgres).broken
    assert shared_states.two_learn(shared_states.without_a_version, setup=shared_states.naive).broken
