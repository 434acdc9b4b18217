"""Who is believed: a signature over id, time and body, as Standard Webhooks has it."""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook

TOLERANCE = 300.0
"""Seconds by which a message may be older, or newer, than the receiver's clock says."""
SIGNED = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
NO_ID = re.compile(r"[^!-~]|\.|^$")


def check_id(event_id: str) -> None:
    """ValueError for what is no id of a message: with a dot, or with what no header can hold."""
    if NO_ID.search(event_id):
        raise ValueError(f"a message's id must not contain a dot, nor what is no visible ASCII: {event_id!r}")


def sign(secret: str, event_id: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers of a message, sent at `now` (Unix seconds). ValueError for such an id, or a body not UTF-8.

    The signature is over id, time and body with dots between: with a dot in the id it would fit another message, too.
    """
    check_id(event_id)
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
    A header that is there twice is not believed: the caller may read the other one.
    """
    given = [(name.lower(), value) for name, value in headers.items() if name.lower() in SIGNED]
    found = dict(given)
    at = found.get("webhook-timestamp", "")
    if len(given) != len(found) or not (at.isascii() and at.isdigit() and len(at) < 16):
        return False
    if not abs(now - int(at)) <= TOLERANCE:  # NaN is not, either
        return False
    try:
        right = sign(secret, found["webhook-id"], body, int(at))["webhook-signature"].encode()
    except (KeyError, ValueError):
        return False
    signatures = found.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right, each.encode(errors="replace")) for each in signatures)
