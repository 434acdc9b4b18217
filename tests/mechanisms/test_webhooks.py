"""What webhooks promise: who is believed, when to try again, and that a receiver can do the sender no harm."""

import base64
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from labkit.webhooks import ATTEMPTS, LONGEST, TOLERANCE, Answer, deliver, next_attempt, sign, verify

SECRET, OTHER = ("whsec_" + base64.b64encode(key * 24).decode() for key in (b"a", b"b"))
NOW = 1_700_000_000.0
BODY = '{"type": "run.completed", "name": "Öl"}'.encode()
HEADERS = sign(SECRET, "msg_1", BODY, NOW)


def test_a_message_is_signed_as_others_verify_it():
    """By the library that receivers elsewhere use."""
    headers = sign(SECRET, "msg_1", BODY, time.time())
    assert Webhook(SECRET).verify(BODY, headers)["type"] == "run.completed"


@given(st.binary(max_size=40), st.text(st.characters(codec="ascii", exclude_characters="."), min_size=1, max_size=20))
def test_what_was_signed_is_verified_whatever_it_is(body, event_id):
    """Bodies that are no UTF-8 are refused when they are signed."""
    try:
        headers = sign(SECRET, event_id, body, NOW)
    except UnicodeDecodeError:
        return
    assert verify(SECRET, headers, body, NOW)


@pytest.mark.parametrize(
    ("headers", "body", "now"),
    [
        (HEADERS, BODY + b" ", NOW),
        (HEADERS, b"", NOW),
        (HEADERS, b"\xff", NOW),
        (HEADERS, BODY, NOW + TOLERANCE + 1),
        (HEADERS, BODY, NOW - TOLERANCE - 1),
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
