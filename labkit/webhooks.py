"""Webhooks: tell a stranger over HTTP what has happened, so that they can believe it and need not open our house.

A message is signed as Standard Webhooks says (standardwebhooks.com): a secret that both know, an HMAC over its id, its
time and its body. The receiver checks the three, and keeps the id, as a message comes at least once. The sender retries
for about three days, then gives up: that is a dead letter, for a human. The URL is a stranger's word: whoever can name
it must not reach what only we can reach (server-side request forgery).
"""

import hmac
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import httpcore
import httpx
from standardwebhooks import Webhook

from labkit.address_guard import GuardedBackend, RefusedAddressError
from labkit.backoff import exponential, full_jitter, parse_retry_after

TOLERANCE = 300.0
"""Seconds by which a message may be older, or newer, than the receiver's clock says."""
ATTEMPTS = 18
"""After these there is no other: three days, more or less."""
LONGEST = 86400.0
"""Seconds of a Retry-After that are waited for."""


def sign(secret: str, event_id: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers of a message, sent at `now` (Unix seconds). ValueError for an id with a dot, a body not UTF-8.

    The signature is over id, time and body with dots between: with a dot in the id it would fit another message, too.
    """
    if "." in event_id:
        raise ValueError(f"a message's id must not contain a dot: {event_id}")
    at = datetime.fromtimestamp(int(now), UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": Webhook(secret).sign(event_id, at, body.decode()),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a message is from whoever has the secret, and not much older or newer than `now` (Unix seconds).

    `body` is what came over the wire: parsed and written anew it is another text. One of the signatures must fit, as
    secrets are changed. Whether the message came before is not known here: keep its id in its effect's transaction.
    """
    found = {name.lower(): value for name, value in headers.items()}
    at = found.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdigit() and len(at) < 16) or abs(now - int(at)) > TOLERANCE:
        return False
    try:
        right = sign(secret, found["webhook-id"], body, int(at))["webhook-signature"].encode()
    except (KeyError, ValueError):
        return False
    given = found.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right, each.encode(errors="replace")) for each in given)


def next_attempt(failed: int, retry_after: float | None = None, rng: random.Random | None = None) -> float | None:
    """Seconds until the next attempt after `failed` ones, at least 1; None: give up. Not before `retry_after` seconds.

    From about 5 seconds to 12 hours, half of each by chance: who failed together does not return together.
    """
    if failed >= ATTEMPTS:
        return None
    delay = next(islice(exponential(5.0, 3.0, 43200.0), failed - 1, None))
    return max(delay / 2 + full_jitter(delay / 2, rng or random.Random()), min(retry_after or 0.0, LONGEST))


LOST = httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError


@dataclass(frozen=True)
class Answer:
    """What came of an attempt."""

    status: int | None
    """None: no answer, and nobody knows whether the message has arrived."""
    retry_after: float = 0.0
    """Seconds, as the receiver asks for; 0: it does not."""
    problem: str = ""
    """Why there is no answer."""

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """Whether there is no use in another attempt: the receiver is gone for good, or must not be reached."""
        return self.status == 410 or self.problem.startswith("refused")


def deliver(
    url: str, headers: Mapping[str, str], body: bytes, seconds: float = 15.0, allow: Collection[str] = ()
) -> Answer:
    """POST a message, once. Nothing is raised: what went wrong is in the answer.

    `seconds` is for all of it, however slowly the receiver answers. A redirect is not followed, and the body of the
    answer not read. `allow`: addresses that may be reached though they are inner ones, for receivers on this machine.
    """
    try:
        target = _target(url)
        backend = GuardedBackend(seconds, allow)
        sent = [*headers.items(), ("content-type", "application/json")]
        with (
            httpcore.ConnectionPool(network_backend=backend) as pool,
            pool.stream("POST", target, headers=sent, content=body) as answer,
        ):
            said = {name.lower(): value for name, value in answer.headers}.get(b"retry-after", b"")
            return Answer(answer.status, parse_retry_after(said.decode("latin-1")))
    except RefusedAddressError as error:
        return Answer(None, problem=f"refused: {error}")
    except (*LOST, OSError) as error:
        return Answer(None, problem=f"no answer: {type(error).__name__}")


def _target(url: str) -> httpcore.URL:
    """RefusedAddressError for what is no URL of a webhook."""
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        target = None
    if target is None or target.scheme not in {"http", "https"} or not target.host or target.userinfo:
        raise RefusedAddressError("a webhook's URL is http or https, a host and a path")
    return httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
