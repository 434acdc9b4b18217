"""One attempt to deliver a message, and when there is another."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice

import httpcore
import httpx

from labkit.address_guard import GuardedBackend, RefusedAddressError
from labkit.backoff import exponential, full_jitter, parse_retry_after

ATTEMPTS = 18
"""After these there is no other: three days, more or less."""
LONGEST = 86400.0
"""Seconds of a Retry-After that are waited for."""


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
    # not `host`, which decodes "xn--…", and raises if that is nonsense
    if target is None or target.scheme not in {"http", "https"} or not target.raw_host or target.userinfo:
        raise RefusedAddressError("a webhook's URL is http or https, a host and a path")
    return httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
