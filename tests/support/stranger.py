"""A stranger's server for webhooks: it fails, hangs, is slow, and is killed; its inbox is a database.

python stranger.py DSN PORT LIFE    says its port, and serves until it is killed
"""

import base64
import json
import random
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import sqlalchemy as sa

from labkit import webhooks
from labkit.events import create_tables, receive
from labkit.postgres import PostgresStateStore, connect, in_transaction

SECRET = "whsec_" + base64.b64encode(b"a" * 24).decode()
SECONDS = 1.0
"""An attempt has so long."""
SENDERS = 4
OPEN = "SELECT count(*) FROM labkit_records WHERE kind = 'webhook' AND state IN ('pending', 'running')"


class Stranger(BaseHTTPRequestHandler):
    """Applies each message once, in a transaction; of its answers, a third are none, or no good ones."""

    def do_POST(self):
        """As chance has it, but what has arrived is believed only if it is signed."""
        body = self.rfile.read(int(self.headers["content-length"]))
        message = json.loads(body)
        if not webhooks.verify(SECRET, dict(self.headers), body, time.time()):
            return self.answer(401)
        if message["gone"] or message["failing"]:
            return self.answer(410 if message["gone"] else 500)
        luck = self.server.rng.random()
        if luck < 0.15:
            return self.answer(503, ("retry-after", "1"))
        if luck < 0.18:
            return time.sleep(SECONDS + 0.5)

        def apply(conn):
            conn.exec_driver_sql("INSERT INTO applied VALUES (%s)", (self.headers["webhook-id"],))

        in_transaction(self.server.engine, lambda conn: receive(conn, self.headers["webhook-id"], apply))
        if luck < 0.25:
            return None  # it has acted, and nobody hears of it
        if luck < 0.35:
            time.sleep(0.1)
        return self.answer(204)

    def answer(self, status, *headers):
        """A status and no body."""
        self.send_response(status)
        for name, value in (*headers, ("content-length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Nothing."""


def serve(url, port, life):
    """Until it is killed."""
    with ThreadingHTTPServer(("127.0.0.1", port), Stranger) as server:
        server.handle_error = lambda *_: None  # who asked may be gone
        server.engine, server.rng = connect(url), random.Random(life)
        print(server.server_port, flush=True)
        server.serve_forever()


class Lives:
    """One server after the other, on the same port."""

    def __init__(self, url):
        self.url, self.port, self.life = url, 0, 0
        self.begin()

    def begin(self):
        """The next life."""
        command = [sys.executable, str(Path(__file__)), self.url, str(self.port), str(self.life)]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.server.stdout.readline())
        self.life += 1

    def kill(self):
        """With whatever it is at."""
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()


@contextmanager
def senders(engine, over):
    """Threads that deliver what is due."""

    def send():
        while not over.is_set():
            webhooks.deliver_due(engine, lambda _: SECRET, seconds=SECONDS, allow=["127.0.0.1"])
            over.wait(0.02)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def soon(failed, retry_after, rng):
    """`next_attempt`, two hundred times as fast, and three seconds at most."""
    delay = webhooks.next_attempt(failed, retry_after, rng)
    return delay and min(delay / 200, 3.0)


def is_hopeless(number):
    """Whether the stranger never takes this message: it is gone for good, or always failing."""
    return number % 50 in {7, 9}


def deliver_all(url, count, kills):
    """The numbers of messages that were applied, of those applied twice, and the dead letters by their event ids.

    Who was unlucky at every attempt is a dead letter, too. A human sends those again, when nobody is killed any more.
    """
    engine = connect(url, pool_size=SENDERS + 1)
    create_tables(engine)
    PostgresStateStore(engine)
    over, lives, killed = threading.Event(), None, 0
    try:
        with engine.begin() as conn:
            conn.exec_driver_sql("CREATE TABLE applied (id text)")
        lives = Lives(url)
        for number in range(count):
            body = json.dumps({"gone": number % 50 == 7, "failing": number % 50 == 9})
            webhooks.submit(engine, f"http://127.0.0.1:{lives.port}/", f"run-7/{number}", body)
        with senders(engine, over):
            while scalar(engine, OPEN):
                over.wait(0.5)
                if killed < kills:
                    lives.kill()
                    killed += 1
                    over.wait(0.2)
                    lives.begin()
            while unlucky := [each for each in webhooks.dead_letters(engine) if not is_hopeless(number_of(each))]:
                assert all("given up after attempt 18 of 18" in each.error for each in unlucky)
                for each in unlucky:
                    webhooks.submit_again(engine, each.id)
                while scalar(engine, OPEN):
                    over.wait(0.5)
        letters = {letter.event_id: letter.error for letter in webhooks.dead_letters(engine)}
        rows, ids = (
            scalar(engine, "SELECT count(*) FROM applied"),
            scalar(engine, "SELECT count(DISTINCT id) FROM applied"),
        )
        return ids, rows - ids, letters
    finally:
        if lives:
            lives.kill()
        engine.dispose()


def number_of(letter):
    """Of the message."""
    return int(letter.event_id.partition("/")[2])


def scalar(engine: sa.Engine, statement):
    """What one statement says."""
    with engine.connect() as conn:
        return conn.exec_driver_sql(statement).scalar()


def assert_all_applied_once(url, count, kills):
    """But the hopeless: each of those is a dead letter, which says why."""
    applied, twice, letters = deliver_all(url, count, kills)
    dead = {f"run-7/{n}": 410 if n % 50 == 7 else 500 for n in range(count) if is_hopeless(n)}
    assert letters.keys() == dead.keys(), letters
    assert (applied, twice) == (count - len(dead), 0)
    assert all(letters[event].endswith(f"the last answer: {status}") for event, status in dead.items())


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
