"""`service`: HTTP of a program's own to an application that the lab puts back at every crash point."""

import asyncio
import http.client
import itertools
import json
import os
import random
import sqlite3
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import requests

from labkit import ack, arrange, service, standing, sweep, tool
from labkit.crash import CrashLabError, Stop, trial

URL = "http://127.0.0.1:8001"


class Shop:
    """Takes orders (WSGI): one for each idempotency key, and for each request without one. It takes two seconds."""

    def __init__(self):
        self.orders = {}

    def __call__(self, environ, start_response):
        """Take an order, or tell all."""
        if environ["REQUEST_METHOD"] == "GET":
            start_response("200 OK", [("content-type", "application/json")])
            return [json.dumps(list(self.orders.values())).encode()]
        time.sleep(2)
        key = environ.get("HTTP_IDEMPOTENCY_KEY", str(len(self.orders)))
        replayed = [("Idempotent-Replayed", "true")] if key in self.orders else []
        self.orders[key] = json.load(environ["wsgi.input"])
        start_response("201 Created", replayed)
        return [b'{"order": 1}']


async def ticker(scope, receive, send):
    """Server-sent events (ASGI): three, a minute apart."""
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(3):
        await asyncio.sleep(60)
        await send({"type": "http.response.body", "body": f"data: {number}\n\n".encode(), "more_body": True})
    await send({"type": "http.response.body"})


def open_shop():
    return service(Shop())


def headers(key):
    return {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}


def by_urllib(key):
    request = urllib.request.Request(f"{URL}/orders", b'{"item": 3}', headers(key))
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert (reply.status, json.load(reply)) == (201, {"order": 1})


def by_http_client(key):
    connection = http.client.HTTPConnection("127.0.0.1", 8001, timeout=10)
    connection.request("POST", "/orders", b'{"item": 3}', headers(key))
    assert connection.getresponse().read() == b'{"order": 1}'
    connection.close()


def by_requests(key):
    requests.post(f"{URL}/orders", json={"item": 3}, headers=headers(key), timeout=10).raise_for_status()


def by_httpx(key):
    httpx.post(f"{URL}/orders", json={"item": 3}, headers=headers(key)).raise_for_status()


def by_async_httpx(key):
    async def order():
        async with httpx.AsyncClient() as client:
            reply = await client.post(f"{URL}/orders", json={"item": 3}, headers=headers(key))
            assert reply.json() == {"order": 1}

    asyncio.run(order())


def side_by_side():
    """Two orders at once, by a client each."""

    async def order():
        async with httpx.AsyncClient() as client:
            return (await client.post(f"{URL}/orders", json={"item": 3})).status_code

    async def orders():
        return await asyncio.gather(order(), order())

    return asyncio.run(orders())


def by_asyncio(key):
    """As aiohttp does it: a transport of asyncio's own."""

    async def order():
        reader, writer = await asyncio.open_connection("127.0.0.1", 8001)
        lines = [
            "POST /orders HTTP/1.1",
            "Host: shop",
            "Content-Length: 11",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers(key).items()),
        ]
        writer.write("\r\n".join([*lines, "", '{"item": 3}']).encode())
        await writer.drain()
        assert (await reader.read()).startswith(b"HTTP/1.1 201")
        writer.close()
        await writer.wait_closed()

    asyncio.run(order())


CLIENTS = [by_urllib, by_http_client, by_requests, by_httpx, by_async_httpx, by_asyncio]


def ordered_once(o):
    """The service has one order, and the ledger says the same."""
    with urllib.request.urlopen(f"{URL}/orders") as reply:
        assert json.load(reply) == [{"item": 3}], "it is not ordered once"
    assert [(call.tool, call.arguments) for call in o.ledger] == [("POST /orders", {"item": 3})]


def ordering(by, key):
    """A program that orders and notes that it has, and its recovery."""

    def run():
        by(key)
        Path("done").touch()

    def recover():
        if not Path("done").exists():
            run()

    return run, recover


@pytest.mark.parametrize("by", CLIENTS)
def test_a_request_has_a_crash_point_before_it_after_it_and_after_the_reply(by):
    """Whichever client sends it: what a repeated request does twice breaks, what has a key survives."""
    right = sweep(*ordering(by, "order-1"), ordered_once, open_shop)
    right.assert_survives()
    assert [str(effect) for effect in right.effects] == ["POST /orders", "reply 201", "open done", "RETURN"]
    wrong = sweep(*ordering(by, ""), ordered_once, open_shop)
    assert [point.k for point in wrong.broken] == [1, 2]
    assert "had done POST /orders, before reply 201: it is not ordered once" in str(wrong)


def test_requests_side_by_side_are_answered_although_one_connection_is_closed():
    """Of clients that wait in one loop, whoever has its answer may close its connection first."""
    assert trial(side_by_side, open_shop).value == [201, 201]
    assert sweep(side_by_side, list, lambda seen: None, open_shop).problem is None


@pytest.mark.slow
def test_five_sweeps_say_the_same():
    """A verdict does not change."""
    said = {str(sweep(*ordering(by_urllib, ""), ordered_once, open_shop)) for _ in range(5)}
    assert len(said) == 1


def keeps_in_a_variable():
    count = itertools.count(1)

    def app(_, start_response):
        start_response("200 OK", [])
        return [str(next(count)).encode()]

    return app


def keeps_in_a_file():
    path = Path("count")

    def app(_, start_response):
        path.write_text(str(int(path.read_text()) + 1 if path.exists() else 1))
        start_response("200 OK", [])
        return [path.read_bytes()]

    return app


def keeps_in_sqlite():
    connection = sqlite3.connect("count.db")
    connection.execute("CREATE TABLE counted (n)")

    def app(_, start_response):
        with connection:
            connection.execute("INSERT INTO counted VALUES (1)")
        start_response("200 OK", [])
        return [str(connection.execute("SELECT count(*) FROM counted").fetchone()[0]).encode()]

    return app


def post(path="/", data=b"", **options):
    with urllib.request.urlopen(urllib.request.Request(URL + path, data, **options), timeout=10) as reply:
        return reply.read().decode()


@pytest.mark.parametrize("make", [keeps_in_a_variable, keeps_in_a_file, keeps_in_sqlite])
def test_what_a_service_keeps_outlives_the_program_and_is_put_back_for_each_point(make):
    """The recovery finds what the killed run had done, and each run what setup had: no more, and no less."""

    def setup():
        service(make)
        assert post() == "1"

    def run():
        assert [post(), post()] == ["2", "3"]

    def counted_on(o):
        assert int(o.state) == len(o.calls), o

    sweep(run, post, counted_on, setup).assert_survives(effects=4)


def answers_by(what):
    def app(_, start_response):
        start_response("200 OK", [])
        return [str(what()).encode()]

    return app


def now_and_by_chance():
    return [time.time(), time.monotonic(), random.random(), uuid.uuid4(), os.urandom(4), id(Shop), os.getpid()]


def test_time_and_chance_of_a_service_are_put_back():
    """They are virtual, as those of a program are."""

    def setup():
        service(answers_by(now_and_by_chance))

    sweep(lambda: (post(), post()), post, lambda o: None, setup).assert_survives()


def test_a_service_that_answers_otherwise_when_it_is_repeated_is_refused():
    """What it keeps is not put back, so nothing is proved."""

    def setup():
        service(answers_by(lambda: Path("/proc/sys/kernel/random/uuid").read_text()))

    report = sweep(lambda: (post("/a"), post("/b")), lambda: post("/c"), lambda o: None, setup)
    assert "which answers POST /a otherwise when it is repeated, so its state is not put back" in report.problem


def test_a_stream_has_a_crash_point_after_each_event():
    """And the program's time goes on with the events."""

    def follow():
        with httpx.stream("GET", f"{URL}/events", timeout=100) as reply:
            for line in filter(None, reply.iter_lines()):
                ack(f"{line} at {time.monotonic():.0f}")

    report = sweep(follow, lambda: None, lambda o: None, lambda: service(ticker))
    events = [f"ACK data: {n} at {1060 + 60 * n}" for n in range(3)]
    expected = ["GET /events", "reply 200"]
    for number, event in enumerate(events, 1):
        expected += [f"event {number}", event]
    assert [str(effect) for effect in report.effects] == [*expected, "RETURN"]
    report.assert_survives()


def test_a_stream_of_an_asynchronous_client_has_the_same_crash_points():
    """asyncio waits for events as for anything else."""

    async def follow():
        async with httpx.AsyncClient(timeout=100) as client, client.stream("GET", f"{URL}/events") as reply:
            async for line in reply.aiter_lines():
                if line:
                    ack(line)

    report = sweep(lambda: asyncio.run(follow()), lambda: None, lambda o: None, lambda: service(ticker) and None)
    assert [effect.op for effect in report.effects] == ["GET", "reply", *["event", "ACK"] * 3, "RETURN"]


def without_end(_, start_response) -> Iterator[bytes]:
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in itertools.count():
        time.sleep(1)
        yield f"data: {number}\n\n".encode()


def test_a_stream_without_end_is_read_as_far_as_the_program_likes():
    """Up to a hundred events; more are refused."""

    def follow(most):
        with httpx.stream("GET", URL, timeout=100) as reply:
            for _ in zip(range(most), reply.iter_text(), strict=False):
                pass

    def setup():
        service(without_end)

    sweep(lambda: follow(5), lambda: None, lambda o: None, setup).assert_survives(effects=6)
    refused = sweep(lambda: follow(200), lambda: None, lambda o: None, setup)
    assert "read a reply of the service to an end that it does not have" in refused.problem


@pytest.mark.parametrize(
    ("send", "error"),
    [
        (lambda: urllib.request.urlopen(URL, b"{}", timeout=1), TimeoutError),
        (lambda: requests.post(URL, b"{}", timeout=1), requests.ReadTimeout),
        (lambda: httpx.post(URL, content=b"{}", timeout=1), httpx.ReadTimeout),
        (lambda: asyncio.run(httpx.AsyncClient(timeout=1).post(URL, content=b"{}")), httpx.ReadTimeout),
    ],
    ids=["urllib", "requests", "httpx", "async httpx"],
)
def test_timeouts_follow_the_virtual_clock(send, error):
    """The service takes two seconds, the client waits for one; the service has acted all the same."""

    def run():
        with pytest.raises(error):
            send()
        assert time.monotonic() == 1001

    def acted(o):
        assert len(o.ledger) == 1

    seen = trial(run, open_shop)
    assert (seen.how, len(seen.world.ledger), seen.effects) == ("returned", 1, ["POST ", "POST /", "RETURN"][1:])


def test_faults_come_before_the_service_acts_or_after_it():
    """As those of the world's tools: each meets one request, and a permanent one stays."""

    def setup():
        service(Shop(), faults=["transient", "ambiguous", "none", "permanent"])

    def status():
        try:
            return requests.post(URL, json={"item": 1}, timeout=10).status_code
        except requests.ConnectionError:
            return "lost"

    seen = trial(lambda: [status() for _ in range(5)], setup)
    assert seen.value == [503, "lost", 201, 403, 403]
    assert (len(seen.world.calls), len(seen.world.ledger)) == (5, 2)


def test_the_world_remembers_who_asked_what():
    """Fields of query, JSON and forms, and the key; what only looks, was refused or replayed has done nothing."""

    def app(environ, start_response):
        start_response("404 Not Found" if environ["PATH_INFO"] == "/nobody" else "200 OK", [])
        return []

    def setup():
        assert (service(app), service(app, "bank")) == (URL, "http://127.0.0.1:8002")

    def run():
        tool("create_dns", service="shop")
        requests.get(f"{URL}/orders?item=3", timeout=1)
        requests.post(f"{URL}/orders?dry=no", json={"item": 3}, headers={"Idempotency-Key": "k"}, timeout=1)
        requests.post("http://127.0.0.1:8002/transfers", {"to": "b"}, timeout=1)
        requests.put(f"{URL}/note", b"some words", timeout=1)
        requests.delete(f"{URL}/nobody", timeout=1)
        requests.post(f"{URL}/list", json=[1], timeout=1)

    memory = trial(run, setup).world
    assert [(call.tool, call.arguments, call.key) for call in memory.calls[1:]] == [
        ("GET /orders", {"item": "3"}, None),
        ("POST /orders", {"dry": "no", "item": 3}, "k"),
        ("POST bank/transfers", {"to": "b"}, None),
        ("PUT /note", {"body": "some words"}, None),
        ("DELETE /nobody", {}, None),
        ("POST /list", {"body": [1]}, None),
    ]
    applied = ["create_dns", "POST /orders", "POST bank/transfers", "PUT /note", "POST /list"]
    assert [call.tool for call in memory.ledger] == applied
    assert [call.tool for call in standing(memory.ledger)] == ["create_dns"]


def test_a_connection_may_carry_several_requests_and_large_ones():
    """Kept alive, both ways larger than any buffer."""

    def echo(environ, start_response):
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    def run():
        with requests.Session() as session, httpx.Client() as client:
            for size in (0, 10, 3_000_000):
                assert len(session.post(URL, b"x" * size, timeout=1).content) == size
                assert len(client.post(URL, content=b"x" * size).content) == size

    assert trial(run, lambda: service(echo) and None).how == "returned"


def test_asgi_applications_are_told_that_they_begin():
    """The lifespan of ASGI: what is made at startup is there."""
    state = {}

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            state["begun"] = b"yes"
            await send({"type": "lifespan.startup.complete"})
            return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": state.get("begun", b"no")})

    assert trial(post, lambda: service(app) and None).value == "yes"


def fails(_, start_response):
    start_response("200 OK", [])
    raise KeyError("item")


def refused_by(app, run=post, **options):
    """How a sweep ends whose setup starts this service."""
    report = sweep(run, lambda: None, lambda o: None, lambda: service(app, **options) and None)
    return f"{report.problem}"


def says_nothing(*_):
    return []


def writes_elsewhere(*_):
    Path("/opt/labkit-outside").write_text("x")


def uses_a_tool(*_):
    tool("notify", service="shop")


def lies_about_its_length(_, start_response):
    start_response("200 OK", [("Content-Length", "3")])
    return [b"four"]


async def waits_for_ever(_, __, ___):
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    ("app", "line"),
    [
        (fails, "run was going to use the service, which raised KeyError: 'item' in fails, line "),
        (says_nothing, "which did not answer at all"),
        (writes_elsewhere, "which was going to write to /opt/labkit-outside, outside its folder"),
        (uses_a_tool, "a service can use no tools of the world"),
        (lies_about_its_length, "which answered what is no HTTP (Too much data for declared Content-Length)"),
    ],
)
def test_a_service_that_does_not_answer_is_named_with_the_reason(app, line):
    """In one line, and no verdict is given."""
    assert line in refused_by(app)
    assert "\n" not in refused_by(app)


@pytest.mark.parametrize(
    ("start", "line"),
    [
        (lambda: service(3), "TypeError: a service is a WSGI or ASGI application, not int"),
        (lambda: service(lambda: 3), "the service cannot be started: it raised TypeError: a service is a WSGI or ASGI"),
        (lambda: service(lambda: 1 / 0), "it raised ZeroDivisionError: division by zero in <lambda>, line "),
        (lambda: service(Shop(), "My Shop"), "a service is named by small letters, digits and hyphens, not 'My Shop'"),
        (lambda: service(Shop(), faults=["slow"]), "a fault is none, transient, permanent, ambiguous, not 'slow'"),
        (lambda: [service(Shop()), service(Shop())], "has the name of another ('')"),
        (lambda: service(Locked()), "Locked uses something that cannot travel"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(start, line):
    """What it is, and what is wanted."""
    problem = sweep(post, lambda: None, lambda o: None, start).problem
    assert line in problem
    assert "\n" not in problem


class Locked(Shop):
    """Cannot travel."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


def test_a_service_is_started_in_setup_alone():
    """In the program, its recovery or a notebook it would not be put back."""
    with pytest.raises(CrashLabError, match="belongs into the setup of a sweep"):
        service(Shop())
    assert "belongs into the setup" in sweep(lambda: service(Shop()), lambda: None, lambda o: None).problem
    report = sweep(lambda: Path("a").touch(), lambda: service(Shop()), lambda o: None)
    assert "belongs into the setup" in str(report)


def test_other_addresses_and_other_protocols_are_refused():
    """The port of no service, TLS, and what is no HTTP at all."""
    assert "was going to connect to 127.0.0.1:8002" in refused_by(
        Shop(), lambda: requests.get("http://127.0.0.1:8002", timeout=1)
    )
    assert "speak HTTP to it, without TLS" in refused_by(
        Shop(), lambda: requests.get("https://127.0.0.1:8001", timeout=1)
    )


def test_a_killed_request_has_not_been_sent():
    """The service has not heard of it."""
    seen = trial(post, open_shop, stop=Stop(before="POST"))
    assert (seen.how, seen.world.calls) == ("stopped", [])


def test_the_world_s_own_faults_stay_its_tools_own():
    """A service's request is no tool that can be arranged."""
    with pytest.raises(ValueError, match="has no tool 'POST /orders'"):
        arrange(faults={"POST /orders": ["transient"]})
