"""What the scripted model promises: openai's real client, over real HTTP, meets every fault, and nobody waits."""

import asyncio
import json
import random
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from labkit.clock import FakeClock, SystemClock
from labkit.llm import (
    CUT,
    DEPLOY,
    DISK,
    GARBLED,
    NEVER,
    Turn,
    async_client,
    client,
    dripping,
    failing,
    late,
    rate_limited,
    server,
    transport,
    use,
)
from labkit.llm.endpoint import endpoint
from labkit.world import World, WorldClock, attach, current

ASKED = [{"role": "user", "content": "The disk is full, sort it out."}]
DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """A new world in this process, no real model in the environment, and nobody who really sleeps."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"a real sleep of {seconds} s"))
    random.seed(1)  # openai's pauses between retries are drawn
    before = current()
    yield attach(World())
    attach(before)


def ask(asking, messages=ASKED, **settings):
    """One chat completion."""
    return asking.chat.completions.create(model="scripted", messages=messages, **settings)


def said(kind, clock, **settings):
    """One chat completion by a new client of this kind."""

    async def run():
        async with async_client(clock, **settings) as asking:
            return await ask(asking)

    return ask(client(clock, **settings)) if kind is client else asyncio.run(run())


def spoken(text="hello", times=1):
    """The messages of a talk in which the model has spoken so often."""
    return [*ASKED, *({"role": "assistant", "content": text} for _ in range(times))]


def raw(request, world=None):
    """The bytes that `answer` sends for these bytes of a client who then says no more."""
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    with ours:
        ours.sendall(request)
        ours.shutdown(socket.SHUT_WR)
        server.answer(theirs, world or World())
        return b"".join(iter(lambda: ours.recv(65536), b""))


def http(body, method="POST", path="/v1/chat/completions", key="Bearer key"):
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: here\r\nAuthorization: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def parsed(reply):
    """Status and JSON of a reply."""
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


# What the model says


def test_the_model_says_what_the_script_says():
    """A turn of text is a completion that has ended."""
    use([Turn("Good morning.")])
    choice = ask(client(FakeClock())).choices[0]
    assert (choice.message.content, choice.message.tool_calls, choice.finish_reason) == ("Good morning.", None, "stop")


def test_the_model_calls_tools():
    """A turn of calls names each tool with its arguments as JSON text, and text may come with it."""
    use([Turn("At once.", (("check_disk", {}), ("clean_logs", {"days": 30})))])
    choice = ask(client(FakeClock())).choices[0]
    called = [
        (call.type, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls
    ]
    assert called == [("function", "check_disk", {}), ("function", "clean_logs", {"days": 30})]
    assert (choice.message.content, choice.finish_reason) == ("At once.", "tool_calls")


def test_arguments_can_be_nonsense():
    """Arguments given as text are sent as they are: real models write JSON that nobody can parse."""
    use([Turn(calls=(("clean_logs", '{"days": thirty'),))])
    asking = client(FakeClock())
    assert ask(asking).choices[0].message.tool_calls[0].function.arguments == '{"days": thirty'
    chunks = [chunk.choices[0].delta.tool_calls for chunk in ask(asking, stream=True)]
    assert "".join(calls[0].function.arguments for calls in chunks if calls) == '{"days": thirty'


@pytest.mark.parametrize("script", [DISK, DEPLOY])
def test_the_model_is_stateless(script):
    """Which turn comes next follows from the messages alone: in any order, as often as one likes, after any crash."""
    use(script)
    asking, order = client(FakeClock()), [*range(len(script))] * 2
    random.shuffle(order)
    for turn in order:
        message = ask(asking, spoken(times=turn)).choices[0].message
        called = tuple((call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ())
        assert (message.content, called) == (script[turn].content, script[turn].calls)


def test_after_its_script_the_model_is_done():
    """An agent that asks once too often gets a text, no call."""
    use([Turn("only")])
    choice = ask(client(FakeClock()), spoken(times=5)).choices[0]
    assert (choice.message.content, choice.finish_reason) == (
        "Everything is done; there is nothing left to say.",
        "stop",
    )


BY_WHAT_IS_SHOWN = (
    Turn("blue it is", shown=("namespace: blue",), hidden=("done",)),
    Turn("green\nit is", shown=("namespace: green", 'said "go"'), hidden=("done",)),
    Turn("which namespace?", hidden=("namespace",)),
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("namespace: blue", "blue it is"),
        ('namespace: green\nshe said "go"', "green\nit is"),
        ("put the shop online", "which namespace?"),
        ("namespace: blue, done", "Everything is done; there is nothing left to say."),
    ],
)
@pytest.mark.parametrize("spoke", [0, 2])
def test_a_script_can_answer_from_what_the_model_is_shown(here, text, answer, spoke):
    """The first turn whose conditions are met, however often the model has spoken, in both APIs."""
    use(BY_WHAT_IS_SHOWN)
    asking, messages = client(FakeClock()), [{"role": "user", "content": text}, *spoken(times=spoke)[1:]]
    assert ask(asking, messages).choices[0].message.content == answer
    assert asking.responses.create(model="scripted", input=messages).output_text == answer
    parts = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    assert ask(asking, parts).choices[0].message.content == answer
    assert World().restore(here.to_json()).model["turns"] == here.model["turns"]


def test_a_model_without_a_script_says_what_to_do():
    """Who forgot `use` is told."""
    assert "labkit.llm.use(turns)" in ask(client(FakeClock())).choices[0].message.content


def test_a_repeated_request_gets_the_same_content_under_other_ids(here):
    """As in real life: who asks again after a crash cannot recognise a call by its id."""
    use(DISK)
    asking = client(FakeClock())
    first, second = (ask(asking).model_dump() for _ in range(2))
    ids = [(reply.pop("id"), reply["choices"][0]["message"]["tool_calls"][0].pop("id")) for reply in (first, second)]
    assert first == second
    assert ids == [("chatcmpl-1", "call_1_0"), ("chatcmpl-2", "call_2_0")]
    again = World().restore(json.loads(json.dumps(here.to_json())))
    attach(again)
    assert ask(asking).id == "chatcmpl-3"


def test_a_reply_is_dated_by_the_world(here):
    """`created` follows the world's clock, so that it is the same at every run."""
    here.sleep(90)
    assert ask(client(FakeClock())).created == int(FakeClock().now().timestamp()) + 90


@pytest.mark.parametrize(
    "turn", [Turn("Two words."), *DISK, Turn("", (("a", {}), ("b", '{"long": "' + "x" * 99))), Turn()]
)
def test_a_stream_says_the_same_as_a_whole_reply(turn):
    """The chunks put together are the message: role, text, calls and the reason for the end."""
    use([turn])
    asking = client(FakeClock())
    whole = ask(asking).choices[0]
    chunks = [chunk.choices[0] for chunk in ask(asking, stream=True)]
    deltas = [chunk.delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == (whole.message.content or "")
    parts = [part for delta in deltas for part in delta.tool_calls or ()]
    for index, call in enumerate(whole.message.tool_calls or ()):
        first, *others = [part for part in parts if part.index == index]
        assert (first.id, first.function.name) == (call.id.replace("_1_", "_2_"), call.function.name)
        assert "".join(part.function.arguments for part in others) == call.function.arguments
    assert (deltas[0].role, [chunk.finish_reason for chunk in chunks if chunk.finish_reason]) == (
        "assistant",
        [whole.finish_reason],
    )


def test_a_stream_tells_its_usage_if_asked():
    """`include_usage` adds a last chunk without choices, with the same count as the whole reply; else there is none."""
    use(DEPLOY)
    asking = client(FakeClock())
    usage = ask(asking).usage
    chunks = [*ask(asking, stream=True, stream_options={"include_usage": True})]
    assert ([chunk.usage for chunk in chunks], chunks[-1].choices) == ([None] * (len(chunks) - 1) + [usage], [])
    assert all("usage" not in chunk.model_fields_set for chunk in ask(asking, stream=True))


def test_a_stream_ends_with_done():
    """Clients that are not openai's look for it."""
    request = {"messages": ASKED, "stream": True}
    assert raw(http(json.dumps(request).encode())).endswith(b"}\n\ndata: [DONE]\n\n")


def test_tokens_are_counted_by_what_is_read_and_said():
    """About four characters to a token: longer messages cost more, longer replies too."""
    use([Turn("x" * 400), Turn("x")])
    asking = client(FakeClock())
    long, short = ask(asking).usage, ask(asking, spoken("y" * 4000)).usage
    assert (long.completion_tokens, short.completion_tokens) == (100, 1)
    assert 1000 <= short.prompt_tokens - long.prompt_tokens <= 1020
    assert long.total_tokens == long.prompt_tokens + long.completion_tokens


def test_the_responses_api_plays_the_same_script(here):
    """Calls, their results and the final text, with the whole input sent each time; items in a row are one turn."""
    use([Turn("Let me see.", (("check_disk", {"path": "/"}), ("clean_logs", {}))), Turn("There is room again.")])
    asking = client(FakeClock())
    first = asking.responses.create(model="scripted", input="The disk is full.")
    assert [item.type for item in first.output] == ["message", "function_call", "function_call"]
    call = first.output[1]
    assert (call.name, call.arguments, call.call_id) == ("check_disk", '{"path": "/"}', "call_1_0")
    done = [{"type": "function_call_output", "call_id": item.call_id, "output": "ok"} for item in first.output[1:]]
    second = asking.responses.create(model="scripted", input=[*ASKED, *first.output, *done])
    assert (second.output_text, second.status, second.id) == ("There is room again.", "completed", "resp_2")
    assert [call.arguments["turn"] for call in here.calls] == [0, 1]


@pytest.mark.parametrize("more", [{"stream": True}, {"previous_response_id": "resp_1"}])
def test_what_the_responses_api_does_not_have_here_is_refused(more):
    """No stream and no memory on the server: it says so, and does not begin the script again."""
    with pytest.raises(openai.BadRequestError, match="This server"):
        client(FakeClock()).responses.create(model="scripted", input="hello", **more)


def test_replies_have_the_shape_that_openai_documents():
    """Every field that openai's types require is there, with a value of its type."""
    use(DEPLOY)
    request = json.dumps({"model": "m", "messages": ASKED, "input": "hello", "stream_options": {"include_usage": True}})
    world = World(model=current().model)
    ChatCompletion.model_validate(parsed(raw(http(request.encode()), world))[1])
    Response.model_validate(parsed(raw(http(request.encode(), path="/v1/responses"), world))[1])
    stream = raw(http(request.replace("{", '{"stream": true, ', 1).encode()), world).decode()
    for event in stream.split("data: ")[1:-1]:
        ChatCompletionChunk.model_validate_json(event)


def test_the_models_are_listed():
    """The smallest request that shows whether a server is there."""
    assert [model.id for model in client(FakeClock()).models.list()] == ["scripted"]


# What the world remembers


def test_every_request_is_remembered_with_its_turn_status_and_minute(here):
    """The judge sees how often the model was asked, and what for; time is the world's."""
    use(DISK, [None, rate_limited(), CUT])
    asking = client(WorldClock())
    for messages in (spoken(times=0), spoken(times=1), spoken(times=2)):
        try:
            ask(asking, messages)
        except openai.APIError:
            here.sleep(58)
    told = [(call.tool, *call.arguments.values(), call.minute) for call in here.calls]
    assert told == [("model", 0, 200, 0, 0), ("model", 1, 429, 0, 2 / 60), ("model", 2, 0, 0, 1)]
    assert [*here.calls[0].arguments] == ["turn", "status", "retry"]
    assert (here.model["requests"], here.ledger) == (3, [])


def test_a_request_is_counted_even_if_nobody_hears_the_reply():
    """It is remembered before a byte is sent: a client that died while it waited has asked all the same."""
    world = World(model={"turns": [], "faults": []})
    ours, theirs = socket.socketpair()
    ours.sendall(http(json.dumps({"messages": ASKED}).encode()))
    ours.close()
    server.answer(theirs, world)
    assert (len(world.calls), world.model["requests"]) == (1, 1)


def test_half_a_request_was_never_made():
    """A client that is killed while it speaks has asked nothing."""
    world, whole = World(), http(json.dumps({"messages": ASKED}).encode())
    for length in range(len(whole)):
        raw(whole[:length], world)
    assert (world.calls, world.model) == ([], {})


def test_the_server_answers_for_the_world_that_is_current():
    """A client made before may go on: the server in this process follows `attach`."""
    asking = client(FakeClock())
    worlds = [attach(World(model={"turns": [{"content": name, "calls": [], "seconds": 1}]})) for name in "ab"]
    assert ask(asking).choices[0].message.content == "b"
    attach(worlds[0])
    assert ask(asking).choices[0].message.content == "a"
    assert [len(world.calls) for world in worlds] == [1, 1]


def test_a_request_is_two_effects_of_the_world():
    """The crash lab can kill after the request is done and before the reply is seen; none is seen that never comes."""
    seen = []

    class Seeing(World):
        def exchange(self, op, target, perform):
            seen.append((op, target, len(self.calls)))
            return perform()

    attach(Seeing())
    use(DISK, [None, NEVER])
    asking = client(FakeClock())
    ask(asking)
    with pytest.raises(openai.APITimeoutError):
        ask(asking)
    assert seen == [("POST", "chat/completions", 0), ("reply", "200", 1), ("POST", "chat/completions", 1)]


def test_what_an_exchange_raises_arrives_unchanged():
    """An error of the crash lab is not taken for one of the network."""

    class Refusing(World):
        def exchange(self, *_):
            raise LookupError("not today")

    asking = client(FakeClock(), max_retries=2)
    attach(Refusing())
    with pytest.raises(LookupError, match="not today"):
        ask(asking)


# What goes wrong


@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        (rate_limited(), openai.RateLimitError, 0),
        (failing(), openai.InternalServerError, 0),
        (failing(503), openai.InternalServerError, 0),
        (failing(400), openai.BadRequestError, 0),
        (failing(401), openai.AuthenticationError, 0),
        (failing(403), openai.PermissionDeniedError, 0),
        (failing(404), openai.NotFoundError, 0),
        (failing(418), openai.APIStatusError, 0),
        (late(61), openai.APITimeoutError, 60),
        (NEVER, openai.APITimeoutError, 60),
        (CUT, openai.APIConnectionError, 0),
        (GARBLED, json.JSONDecodeError, 2),
        (dripping(3, 61), openai.APITimeoutError, 60),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("kind", [client, async_client])
def test_each_fault_is_the_error_that_it_would_be(kind, fault, error, seconds):
    """The real client's own errors, after exactly the time that they take; the next request is well again."""
    clock = FakeClock()
    use(DISK, [fault])
    with pytest.raises(error) as caught:
        said(kind, clock)
    assert (type(caught.value), clock.monotonic()) == (error, seconds)
    assert said(kind, clock).choices[0].finish_reason == "tool_calls"
    assert clock.monotonic() == seconds + 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_garbled_reply_is_noticed(stream):
    """A brace is missing: openai lets the parser's error through, which is not one of its own."""
    use(DISK, [GARBLED])
    with pytest.raises(json.JSONDecodeError):
        [*ask(client(FakeClock()), stream=stream)]


def test_retry_after_can_be_read():
    """The server's wish is in the error's headers."""
    use(DISK, [rate_limited(7.5), rate_limited()])
    for wish in ("7.5", None):
        with pytest.raises(openai.RateLimitError) as caught:
            ask(client(FakeClock()))
        assert caught.value.response.headers.get("retry-after") == wish


def test_a_reply_takes_its_virtual_time():
    """The turn's seconds, or those of the fault; none of yours."""
    use([Turn("hello", seconds=7)], [None, late(50), dripping(3, 20)])
    clock, times = FakeClock(), []
    for _ in range(4):
        ask(client(clock))
        times.append(clock.monotonic())
    assert times == [7, 57, 117, 124]


@pytest.mark.parametrize("timeout", [0.001, 3, 59.5])
def test_a_timeout_takes_exactly_the_timeout(timeout):
    """It is virtual, so that a slow machine does not meet it: a reply that takes no longer arrives."""
    use(DISK, [NEVER, late(timeout)])
    clock = FakeClock()
    asking = client(clock, timeout=timeout)
    with pytest.raises(openai.APITimeoutError):
        ask(asking)
    assert clock.monotonic() == timeout
    assert ask(asking).choices
    assert clock.monotonic() == 2 * timeout


@pytest.mark.parametrize("timeout", [None, 2 * DAY])
def test_without_a_timeout_one_waits_until_the_connection_is_gone(timeout):
    """A day later it is dropped, which is no timeout."""
    use(DISK, [NEVER])
    clock = FakeClock()
    with pytest.raises(openai.APIConnectionError) as caught:
        ask(client(clock, timeout=timeout))
    assert (type(caught.value), clock.monotonic()) == (openai.APIConnectionError, DAY)


def test_a_reply_in_drips_outlives_the_read_timeout():
    """A read timeout limits each silence, not the whole: a request can last for hours under a limit of a minute."""
    use(DISK, [dripping(100, 59)])
    clock = FakeClock()
    assert ask(client(clock, timeout=60)).choices[0].finish_reason == "tool_calls"
    assert clock.monotonic() == 5900


def test_who_reads_a_stream_sees_time_pass():
    """The words come one after the other; a silence that is too long ends the stream in its middle."""
    use([Turn("one two three four five")], [dripping(4, 10), dripping(4, 10)])
    clock = FakeClock()
    times = [clock.monotonic() for _ in ask(client(clock), stream=True)]
    assert (times[0], times[-1], sorted(times)) == (10, 40, times)
    with pytest.raises(openai.APITimeoutError):
        ask(client(clock, timeout=9), stream=True)


@pytest.mark.parametrize("kind", [client, async_client])
def test_the_default_client_asks_three_times(here, kind):
    """openai retries twice by itself, and says so in a header; its pauses pass on the given clock."""
    use(DISK, [rate_limited(), failing(500), rate_limited(retry_after=10), failing(503), rate_limited(retry_after=20)])
    clock = FakeClock()

    with pytest.raises(openai.RateLimitError):
        said(kind, clock, max_retries=2)
    assert [call.arguments["retry"] for call in here.calls] == [0, 1, 2]
    assert 0.375 + 0.75 <= clock.monotonic() <= 0.5 + 1
    before = clock.monotonic()
    assert said(kind, clock, max_retries=2).choices
    assert [call.arguments["status"] for call in here.calls] == [429, 500, 429, 503, 429, 200]
    assert 0.375 + 20 + 2 <= clock.monotonic() - before <= 0.5 + 20 + 2


def test_a_client_with_other_options_keeps_its_clock(here):
    """`with_options` changes the timeout or the retries of one request; time remains virtual."""
    use(DISK, [rate_limited(10), rate_limited(20), NEVER])
    clock = FakeClock()
    asking = client(clock, timeout=None)
    with pytest.raises(openai.APITimeoutError):
        ask(asking.with_options(max_retries=2, timeout=5))
    assert (len(here.calls), clock.monotonic()) == (3, 35)


def test_faults_that_make_no_sense_are_refused():
    """At once, and not when the request comes."""
    for wrong in (lambda: failing(200), lambda: late(-1), lambda: late(float("nan")), lambda: dripping(0, 1)):
        with pytest.raises(ValueError, match=r"is no error|cannot come"):
            wrong()


def test_a_script_that_is_none_is_a_servers_error(here):
    """The model is plain data that anybody may arrange; what cannot be followed is said, and the server goes on."""
    for model in ({"turns": 5}, {"turns": ["hello"]}, {"turns": [], "faults": [{"no": 1}]}, {"requests": "many"}):
        here.arrange(model=model)
        with pytest.raises(openai.InternalServerError, match="The model has no proper script"):
            ask(client(FakeClock()))


# What the server understands


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        (http(b"{"), 400, "invalid_request_error"),
        (http(b"[]"), 400, "invalid_request_error"),
        (http(b"[" * 200_000), 400, "invalid_request_error"),
        (http(b"{}"), 400, "invalid_request_error"),
        (http(b'{"messages": []}'), 400, "invalid_request_error"),
        (http(b'{"messages": ["hello"]}'), 400, "invalid_request_error"),
        (http(b"{}", path="/v1/responses"), 400, "invalid_request_error"),
        (http(b'{"messages": [{}]}', key=""), 401, "authentication_error"),
        (http(b'{"messages": [{}]}', key="Bearer "), 401, "authentication_error"),
        (http(b"", "GET", "/v1/models", key="Basic key"), 401, "authentication_error"),
        (http(b"{}", path="/v1/embeddings"), 404, "invalid_request_error"),
        (http(b"", "GET"), 404, "invalid_request_error"),
        (http(b"", "DELETE", "/v1/models"), 404, "invalid_request_error"),
        (http(b"", "BREW"), 501, "server_error"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400, "invalid_request_error"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "invalid_request_error"),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 413, "invalid_request_error"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "invalid_request_error"),
    ],
)
def test_what_cannot_be_done_is_refused_as_openai_would(request_, status, kind):
    """A status, and JSON with message, type, param and code."""
    found, body = parsed(raw(request_))
    assert (found, body["error"]["type"], [*body["error"]]) == (status, kind, ["message", "type", "param", "code"])


def test_a_refused_request_is_remembered_and_uses_up_its_fault(here):
    """Request number i meets fault number i, whatever it was."""
    use(DISK, [rate_limited(), rate_limited()])
    with pytest.raises(openai.BadRequestError, match="`messages` must be a list"):
        ask(client(FakeClock()), [])
    for error in (openai.RateLimitError, None):
        if error:
            with pytest.raises(error):
                ask(client(FakeClock()))
        else:
            ask(client(FakeClock()))
    assert [(call.arguments["turn"], call.arguments["status"]) for call in here.calls] == [
        (None, 400),
        (0, 429),
        (0, 200),
    ]


PIECES = st.sampled_from(
    [
        b"POST ",
        b"GET ",
        b"/v1/chat/completions",
        b" HTTP/1.1",
        b"\r\n",
        b"\r\n\r\n",
        b"Content-Length: 9",
        b"\x00",
        b"{}",
    ]
)


@given(garbage=st.binary() | st.lists(PIECES, max_size=12).map(b"".join))
def test_garbage_never_stops_the_server(garbage):
    """Whatever arrives, the connection is closed and nothing is raised."""
    world = World()
    raw(garbage, world)
    assert (world.calls, world.model) == ([], {})


@pytest.mark.parametrize("said", [b"", b"POST /v1/chat", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_client_that_falls_silent_is_given_up(monkeypatch, said):
    """After some real seconds: whoever says half a sentence does not stop the world."""
    monkeypatch.setattr(server._Handler, "timeout", 0.01)
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    with ours:
        ours.sendall(said)
        server.answer(theirs, World())
        assert ours.recv(9) == b""


def test_a_connection_that_is_gone_is_no_error():
    """Closed by the client or by ourselves: nothing is raised."""
    ours, theirs = socket.socketpair()
    ours.close()
    server.answer(theirs, World())
    server.answer(theirs, World())


# Other servers

ANOTHER = """
import gzip, json
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": self.headers["authorization"]}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "real", "choices": choices}
        body = gzip.compress(json.dumps(reply).encode())
        self.send_response(200)
        for name, value in {"content-type": "application/json", "content-encoding": "gzip"}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def another():
    """The address of a server that is none of ours, in a process of its own, which is ended by its id."""
    with subprocess.Popen([sys.executable, "-c", ANOTHER], stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.kill()


@pytest.mark.parametrize("key", [None, "secret"])
@pytest.mark.parametrize("kind", [client, async_client])
def test_the_environment_names_a_real_server(here, monkeypatch, another, kind, key):
    """OPENAI_BASE_URL and OPENAI_API_KEY go first: the script is not asked, and no time passes but the real one."""
    monkeypatch.setenv("OPENAI_BASE_URL", another)
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    clock = FakeClock()
    assert said(kind, clock).choices[0].message.content == f"Bearer {key or 'none'}"
    assert (here.calls, clock.monotonic()) == ([], 0)


def test_a_key_alone_means_openais_own_server(monkeypatch):
    """Its certificate is verified."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    where = endpoint()
    assert (where.url, where.key, where.scripted) == ("https://api.openai.com/v1", "secret", False)
    for made in (client(FakeClock()), async_client(FakeClock())):
        assert str(made.base_url) == "https://api.openai.com/v1/"
        assert made._client._transport._pool._ssl_context.verify_mode is ssl.CERT_REQUIRED


def test_a_lesson_keeps_to_its_script_whatever_the_environment(here, monkeypatch):
    """`scripted` wins over both variables: a lesson needs its faults, and nobody is to pay for them."""
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    use([Turn("as written")])
    assert ask(client(FakeClock(), scripted=True)).choices[0].message.content == "as written"
    answer = asyncio.run(async_client(FakeClock(), scripted=True).chat.completions.create(model="m", messages=ASKED))
    assert answer.choices[0].message.content == "as written"
    assert len(here.calls) == 2


def test_a_proxy_is_for_the_world_outside(monkeypatch):
    """The scripted server is reached directly, a real one by the way that the environment names."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert ask(client(FakeClock())).choices
    assert transport._proxy("https://api.openai.com/v1") == "http://127.0.0.1:9"


@pytest.mark.parametrize("kind", [client, async_client])
@pytest.mark.parametrize("url", ["refused", "nonsense"])
def test_a_server_that_is_not_there_is_a_connection_error(monkeypatch, kind, url):
    """Refused or without sense: openai's own error, after as many tries as were allowed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        refused = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", refused if url == "refused" else url)
    clock = FakeClock()
    with pytest.raises(openai.APIConnectionError):
        said(kind, clock, max_retries=1)
    assert 0.375 <= clock.monotonic() <= 0.5


# async


def test_waiting_can_be_cancelled(here):
    """With the machine's clock a late reply is awaited in the event loop: others go on, and a deadline can end it."""
    use(DISK, [NEVER])

    async def run():
        waiting = asyncio.create_task(ask(async_client(SystemClock(), timeout=None)))
        await asyncio.sleep(0)
        assert (len(here.calls), waiting.done()) == (1, False)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())


def test_requests_at_once_wait_together():
    """Ten agents that ask at the same time in an event loop share the seconds of the model."""
    use([Turn("hello", seconds=0.001)])

    async def run():
        async with async_client(SystemClock()) as asking:
            return await asyncio.gather(*(ask(asking) for _ in range(10)))

    assert {reply.choices[0].message.content for reply in asyncio.run(run())} == {"hello"}


def test_an_async_stream_comes_in_pieces():
    """The same chunks, with the same time between them."""
    use([Turn("one two three four five")], [dripping(4, 10)])
    clock = FakeClock()

    async def run():
        return [clock.monotonic() async for _ in await ask(async_client(clock), stream=True)]

    times = asyncio.run(run())
    assert (times[0], times[-1], sorted(times)) == (10, 40, times)


# What it costs


def test_the_server_is_light():
    """The process that the world lives in loads neither openai nor httpx2, and no test bench."""
    code = "import sys, labkit.llm, labkit.llm.server as s; s.listen().close(); print(*sys.modules)"
    folder = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    loaded = set(done.stdout.split())
    assert loaded & {"openai", "httpx2", "httpcore2", "pydantic", "asyncio"} == set()
    assert not any(name.startswith("labkit.crash") for name in loaded)


def test_a_reply_can_be_read_as_soon_as_there_are_clients():
    """The validator is made with them, once, and not by the first reply of each process that a sweep forks."""
    code = "import labkit.llm.patient, openai.types.chat as c; print(c.ChatCompletion.__pydantic_complete__)"
    folder = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    assert done.stdout == "True\n"
