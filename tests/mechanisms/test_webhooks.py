"""What webhooks promise: who is believed, when to try again, and that a receiver can do the sender no harm."""

import base64
import logging
import random
import threading
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, takewhile
from unittest.mock import Mock

import h11
import outboxes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from labkit.claims import LEASE
from labkit.clock import FakeClock
from labkit.idempotency import KeyReusedError
from labkit.postgres import PostgresStateStore, create_schema
from labkit.store import NotFoundError
from labkit.task import IllegalTransitionError
from labkit.webhooks import (
    ATTEMPTS,
    LONGEST,
    TOLERANCE,
    Answer,
    Delivery,
    dead_letters,
    deliver,
    deliver_due,
    next_attempt,
    sign,
    submit,
    submit_again,
    verify,
)

SECRET, OTHER = ("whsec_" + base64.b64encode(key * 24).decode() for key in (b"a", b"b"))
NOW = 1_700_000_000.0
BODY = '{"type": "run.completed", "name": "Öl"}'.encode()
HEADERS = sign(SECRET, "msg_1", BODY, NOW)


def test_a_message_is_signed_as_others_verify_it():
    """By the library that receivers elsewhere use."""
    headers = sign(SECRET, "msg_1", BODY, time.time())
    assert Webhook(SECRET).verify(BODY, headers)["type"] == "run.completed"


@given(st.binary(max_size=40), st.text(st.characters(codec="ascii"), max_size=20))
def test_what_was_signed_is_verified_whatever_it_is(body, event_id):
    """Bodies that are no UTF-8, and ids that no header could hold, are refused when they are signed."""
    try:
        headers = sign(SECRET, event_id, body, NOW)
    except ValueError:
        return
    assert h11.Request(method="POST", target="/", headers=[("host", "h"), *headers.items()])
    assert verify(SECRET, headers, body, NOW)


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        (HEADERS, BODY + b" ", NOW),
        (HEADERS, b"", NOW),
        (HEADERS, b"\xff", NOW),
        (HEADERS, BODY, NOW + TOLERANCE + 1),
        (HEADERS, BODY, NOW - TOLERANCE - 1),
        (HEADERS, BODY, float("nan")),
        (HEADERS | {"webhook-id": "msg_2"}, BODY, NOW),
        (HEADERS | {"webhook-id": ""}, BODY, NOW),
        (HEADERS | {"webhook-timestamp": str(int(NOW) + 1)}, BODY, NOW),
        (sign(OTHER, "msg_1", BODY, NOW), BODY, NOW),
        ({}, BODY, NOW),
    ],
)
def test_a_message_that_was_changed_forged_or_kept_is_not_believed(headers, body, now):
    """Each of id, time and body is signed; and who listened cannot send it again tomorrow."""
    assert not verify(SECRET, headers, body, now)


MALFORMED = ["", " ", "-1", "1e9", "1.7e9", "nan", "inf", "\uff19", "9" * 400, "0x10", "\udcff", "soon", "1700000000 "]


@pytest.mark.parametrize("text", MALFORMED)
@pytest.mark.parametrize("header", ["webhook-timestamp", "webhook-signature"])
def test_what_is_malformed_is_false_and_no_error(header, text):
    """A receiver that raises at a stranger's header can be stopped by anybody."""
    assert not verify(SECRET, HEADERS | {header: text}, BODY, NOW)


@pytest.mark.parametrize("text", ["v1", "v1,", ",", "v2," + "A" * 44, "v1,Ä", "v1a,x v1,y", "v1," + "A" * 9999])
def test_a_signature_of_no_known_form_is_false(text):
    """Also of another version, and of another length."""
    assert not verify(SECRET, HEADERS | {"webhook-signature": text}, BODY, NOW)


def test_one_of_several_signatures_is_enough_and_names_of_headers_have_no_case():
    """While a secret is changed, senders sign with the old and with the new one."""
    both = f"{sign(OTHER, 'msg_1', BODY, NOW)['webhook-signature']} {HEADERS['webhook-signature']}"
    assert verify(
        SECRET, {name.title(): value for name, value in HEADERS.items()} | {"Webhook-Signature": both}, BODY, NOW
    )


@pytest.mark.parametrize("name", ["webhook-id", "Webhook-Id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_that_is_there_twice_is_not_believed(name, first):
    """Whoever keeps the other id takes an old message for a new one: http.server gives the first, a dict the last."""
    headers = Message()
    for each, value in [(name, "other"), *HEADERS.items()] if first else [*HEADERS.items(), (name, "other")]:
        headers[each] = value
    assert not verify(SECRET, headers, BODY, NOW)
    del headers[name]
    headers[name], headers["x-other"], headers["X-Other"] = HEADERS[name.lower()], "a", "b"
    assert verify(SECRET, headers, BODY, NOW)


def test_no_signature_fits_two_messages():
    """The id "a", sent at 1 with the body "2.b", would be the id "a.1", sent at 2 with the body "b"."""
    with pytest.raises(ValueError, match="must not contain a dot"):
        sign(SECRET, "a.1", b"b", NOW)
    headers = sign(SECRET, "a", f"{int(NOW)}.b".encode(), NOW)
    assert not verify(SECRET, headers | {"webhook-id": f"a.{int(NOW)}"}, b"b", NOW)


def test_a_secret_that_is_none_is_said_and_not_taken_for_a_forged_message():
    """The receiver's own mistake: every message would be refused, and nobody would know why."""
    with pytest.raises(Exception, match=r"empty|padding|base64"):
        verify("whsec_", HEADERS, BODY, NOW)


def test_attempts_come_later_and_later_and_end_after_some_days():
    """At most half of each delay is chance."""
    rng = random.Random(1)
    delays = list(takewhile(lambda delay: delay is not None, (next_attempt(failed, None, rng) for failed in count(1))))
    assert len(delays) == ATTEMPTS - 1
    assert 2.5 <= delays[0] <= 5
    assert max(delays) <= 43200
    assert 2 * 86400 < sum(delays) < 4 * 86400
    assert len({next_attempt(5, None, random.Random(seed)) for seed in range(20)}) == 20


@given(st.integers(1, ATTEMPTS - 1), st.floats(0, 1e9))
def test_no_attempt_comes_before_the_receiver_asks_for_it(failed, retry_after):
    """But none waits for longer than a day."""
    delay = next_attempt(failed, retry_after, random.Random(0))
    assert min(retry_after, LONGEST) <= delay <= LONGEST


@pytest.mark.parametrize(
    ("answer", "delivered", "final"),
    [
        (Answer(200), True, False),
        (Answer(204), True, False),
        (Answer(302), False, False),
        (Answer(400), False, False),
        (Answer(410), False, True),
        (Answer(503), False, False),
        (Answer(None, problem="no answer: ReadTimeout"), False, False),
        (Answer(None, problem="refused: h is at 10.0.0.1"), False, True),
    ],
)
def test_an_answer_says_whether_the_message_is_there_and_whether_to_try_again(answer, delivered, final):
    """410 says that nobody will ever listen there again; every other status may be another one tomorrow."""
    assert (answer.is_delivered, answer.is_final) == (delivered, final)


class Receiver(BaseHTTPRequestHandler):
    """Answers as its path says."""

    def do_POST(self):
        """Keep the message, and answer."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        match self.path.strip("/").split("/"):
            case ["close"]:
                self.close_connection = True
                return
            case ["slow"]:
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            case ["endless"]:
                self.send_response(200)
                self.end_headers()
                while True:
                    self.wfile.write(b"x" * 65536)
            case ["junk"]:
                self.wfile.write(b"\0\xff" * 100)
            case [status, *more]:
                self.send_response(int(status))
                for name, value in zip(more[::2], more[1::2], strict=True):
                    self.send_header(name, value.replace("|", "/"))
                self.send_header("content-length", "0")
                self.end_headers()

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def receiver():
    """A real server, which keeps what it got; it ends with the test."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.got, server.daemon_threads, server.block_on_close = [], True, False
        server.handle_error = lambda *_: None  # whoever does not read to the end breaks the pipe
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def send(receiver, path, seconds=5.0):
    """One message to a receiver on this machine."""
    return deliver(f"http://127.0.0.1:{receiver.server_port}/{path}", HEADERS, BODY, seconds, allow=("127.0.0.1",))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("path", "status", "retry_after", "problem"),
    [
        ("200", 200, 0.0, ""),
        ("302/location/http:||127.0.0.1:1|", 302, 0.0, ""),
        ("429/retry-after/7", 429, 7.0, ""),
        ("503/retry-after/soon", 503, 0.0, ""),
        ("endless", 200, 0.0, ""),
        ("close", None, 0.0, "no answer: RemoteProtocolError"),
        ("junk", None, 0.0, "no answer: RemoteProtocolError"),
    ],
)
def test_whatever_a_receiver_does_is_an_answer(receiver, path, status, retry_after, problem):
    """It gets the message once, byte for byte; no redirect is followed, and no endless body read."""
    assert send(receiver, path) == Answer(status, retry_after, problem)
    ((_, headers, body),) = receiver.got
    assert body == BODY
    assert verify(SECRET, headers, body, NOW)


@pytest.mark.timeout(60)
def test_a_receiver_that_answers_a_byte_at_a_time_is_left_in_time(receiver):
    """The limit is for the whole attempt, not for each read."""
    answer = send(receiver, "slow", seconds=0.5)
    assert (answer.status, answer.problem.partition(":")[0]) == (None, "no answer")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/200", "http://127.1:{port}/200", "http://2130706433:{port}/200", "http://[::1]:{port}/200",
        "http://[::ffff:127.0.0.1]:{port}/200", "http://localhost:{port}/200", "http://①②⑦.0.0.1:{port}/200",
        "http://user@127.0.0.1:{port}/200", "http://127.0.0.1:{port}@8.8.8.8/", "ftp://127.0.0.1:{port}/200", "file:///etc/passwd",
        "//127.0.0.1:{port}/200", "127.0.0.1:{port}/200", "", "http://", "http:///200", "http://[::1", "http://127.0.0.1:99999/",
    ],
)  # fmt: skip
def test_no_url_reaches_a_server_of_ours(receiver, url):
    """Nor does it raise; and there is no other attempt."""
    answer = deliver(url.format(port=receiver.server_port), HEADERS, BODY)
    assert answer.is_final
    assert answer.problem.startswith("refused: ")
    assert not receiver.got


def test_nothing_listens_there():
    """As at a receiver that is down."""
    answer = deliver("http://127.0.0.1:1/", HEADERS, BODY, allow=("127.0.0.1",))
    assert answer == Answer(None, problem="no answer: ConnectError")


@pytest.mark.parametrize("host", ["xn--a", "xn--", "xn--.invalid", "xn--ls8h.invalid"])
def test_a_name_that_cannot_be_decoded_is_no_answer(monkeypatch, host):
    """What raises stops all deliveries that would come after it."""
    monkeypatch.setattr("socket.getaddrinfo", Mock(side_effect=OSError))
    assert deliver(f"http://{host}/", HEADERS, BODY) == Answer(None, problem="no answer: OSError")


SECONDS = 5.0
HELD = SECONDS + LEASE + 1
"""After so many seconds a dead worker's delivery is due again."""


class Sender:
    """Whoever submits messages to the receiver and delivers what is due, by a clock that stands still."""

    def __init__(self, engine, receiver):
        create_schema(engine)
        self.engine, self.receiver, self.clock = engine, receiver, FakeClock()
        self.store = PostgresStateStore(engine)

    def submit(self, path, event_id="run-7/1", body='{"type": "run.completed"}'):
        """The id of a delivery to this path."""
        url = f"http://127.0.0.1:{self.receiver.server_port}/{path}"
        return submit(self.engine, url, event_id, body, clock=self.clock)

    def deliver(self, secret_of=lambda _: SECRET):
        """How many attempts were due."""
        rng, allow = random.Random(0), ["127.0.0.1"]
        return deliver_due(self.engine, secret_of, seconds=SECONDS, allow=allow, clock=self.clock, rng=rng)

    def stored(self, delivery_id):
        """State and last answer."""
        delivery = self.store.get(Delivery, delivery_id)
        return delivery.state, delivery.last_answer


@pytest.fixture
def sender(engine, receiver):
    """With an empty database."""
    return Sender(engine, receiver)


@pytest.mark.timeout(60)
def test_a_stored_delivery_is_posted_once_and_no_secret_is_kept_or_logged(sender, receiver, caplog):
    """The message is signed by the time of the attempt; afterwards nothing is due."""
    caplog.set_level(logging.DEBUG)
    delivery = sender.submit("204")
    sender.clock.sleep(3600)
    assert [sender.deliver(), sender.deliver()] == [1, 0]
    assert sender.stored(delivery) == ("completed", "204")
    ((_, headers, body),) = receiver.got
    assert verify(SECRET, headers, body, sender.clock.now().timestamp())
    with sender.engine.connect() as conn:
        (row,) = conn.exec_driver_sql("SELECT r::text FROM labkit_records r").scalars()
    key = SECRET.removeprefix("whsec_")
    assert "run.completed" in row
    assert key not in row + caplog.text


@pytest.mark.timeout(60)
def test_the_same_event_is_the_same_delivery(sender, receiver):
    """Whatever has become of it; to another URL it is another one, and with another body none."""
    delivery = sender.submit("200")
    sender.deliver()
    assert sender.submit("200") == delivery
    assert sender.submit("200", body=b'{"type": "run.completed"}') == delivery, "as it is stored"
    with pytest.raises(KeyReusedError):
        sender.submit("200", body="other")
    assert sender.deliver() == 0
    sender.submit("201")
    assert sender.deliver() == 1
    assert [path for path, *_ in receiver.got] == ["/200", "/201"]


@pytest.mark.parametrize("event_id", ["", "a.b", "прогон/1", "a b", "a\n"])
def test_an_id_that_no_receiver_could_be_told_is_not_submitted(sender, event_id):
    """It would fail at every attempt, for three days."""
    with pytest.raises(ValueError, match="a message's id must not contain"):
        sender.submit("200", event_id)
    assert sender.deliver() == 0


def test_a_body_that_cannot_be_sent_is_not_submitted(sender):
    """Half of a surrogate pair: it would stop every call of the sender, and what is due after it."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        sender.submit("200", body="\ud83d")
    assert sender.deliver() == 0


@pytest.mark.timeout(60)
def test_no_attempt_is_made_before_it_is_due(sender, receiver):
    """Not before the receiver asks for it, and other deliveries do not wait meanwhile."""
    delivery = sender.submit("503/retry-after/600")
    assert sender.deliver() == 1
    assert sender.stored(delivery) == ("running", "503")
    sender.submit("200")
    sender.clock.sleep(599)
    assert sender.deliver() == 1
    sender.clock.sleep(2)
    assert sender.deliver() == 1
    assert [path for path, *_ in receiver.got] == ["/503/retry-after/600", "/200", "/503/retry-after/600"]


@pytest.mark.timeout(120)
def test_after_the_last_attempt_it_is_a_dead_letter_that_a_human_can_send_again(sender, receiver):
    """It says why, and its attempts begin anew."""
    delivery = sender.submit("500")
    for submitted in (1, 2):
        attempts = 0
        while not dead_letters(sender.engine):
            attempts += sender.deliver()
            sender.clock.sleep(LONGEST)
        (letter,) = dead_letters(sender.engine)
        assert (letter.id, attempts, len(receiver.got)) == (delivery, ATTEMPTS, submitted * ATTEMPTS)
        assert letter.error == f"given up after attempt {ATTEMPTS} of {ATTEMPTS}; the last answer: 500"
        assert sender.deliver() == 0
        submit_again(sender.engine, delivery, clock=sender.clock)
    assert sender.deliver() == 1


@pytest.mark.timeout(60)
def test_what_is_final_is_a_dead_letter_at_once(sender):
    """A receiver that is gone for good, and an address that must not be reached."""
    gone = sender.submit("410")
    inner = submit(sender.engine, "http://10.0.0.1/", "run-7/2", "{}", clock=sender.clock)
    assert sender.deliver() == 2
    letters = {letter.id: letter.error for letter in dead_letters(sender.engine)}
    assert letters.keys() == {gone, inner}
    assert letters[gone] == f"given up after attempt 1 of {ATTEMPTS}; the last answer: 410"
    assert "refused: 10.0.0.1 is at 10.0.0.1" in letters[inner]


@pytest.mark.timeout(60)
def test_only_a_dead_letter_is_submitted_again(sender):
    """Not what is on its way, or has arrived: it would be sent twice at once."""
    with pytest.raises(NotFoundError):
        submit_again(sender.engine, "none", clock=sender.clock)
    for path in ("200", "503"):
        delivery = sender.submit(path)
        for _ in range(2):
            with pytest.raises(IllegalTransitionError):
                submit_again(sender.engine, delivery, clock=sender.clock)
            sender.deliver()


class Killed(BaseException):
    """As a kill ends the attempt."""


@pytest.mark.timeout(60)
def test_an_attempt_that_was_killed_is_made_again_and_counts(sender, receiver):
    """When its lease is over; a message that kills its workers is given up."""

    def die(_):
        raise Killed

    delivery = sender.submit("200")
    for _ in range(ATTEMPTS):
        with pytest.raises(Killed):
            sender.deliver(die)
        assert sender.deliver() == 0
        sender.clock.sleep(HELD)
    assert sender.deliver() == 1
    assert [letter.id for letter in dead_letters(sender.engine)] == [delivery]
    assert not receiver.got
    submit_again(sender.engine, delivery, clock=sender.clock)
    sender.deliver()
    assert sender.stored(delivery) == ("completed", "200")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", ["200", "503", "410"])
def test_an_attempt_holds_no_transaction_and_another_takes_what_it_has_not(sender, path):
    """One that comes back after its lease changes nothing: the delivery is another's."""
    delivery = sender.submit(path)
    seen = []

    def meanwhile(_):
        with sender.engine.connect() as conn:
            query = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
            seen.append(conn.exec_driver_sql(f"{query} AND datname = current_database()").scalar())
        sender.submit("201")
        seen.append(sender.deliver())
        sender.clock.sleep(HELD)
        seen.append(sender.deliver())
        return SECRET

    sender.deliver(meanwhile)
    assert seen == [0, 1, 1]
    after = {"200": ("completed", "200"), "503": ("running", "503"), "410": ("failed", "410")}
    assert sender.stored(delivery) == after[path]


def test_no_kill_loses_a_message_or_has_it_applied_twice():
    """From the transaction to the stranger's server: before it is sent, acted but unanswered, answered."""
    report = outboxes.delivered_through()
    report.assert_survives(effects=16)
    assert {"POST /hook", "reply 204"} <= {str(effect) for effect in report.effects}


def test_a_message_that_is_posted_once_and_kept_nowhere_does_not_pass():
    """The test above notices, if the server fails once."""
    assert "applied [] of ['1 build']" in str(outboxes.delivered_through(outboxes.by_one_post, faults=["transient"]))
