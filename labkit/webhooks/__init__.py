"""Webhooks: tell a stranger over HTTP what has happened, so that they can believe it and need not open our house.

A message is signed as Standard Webhooks says (standardwebhooks.com): a secret that both know, an HMAC over its id, its
time and its body. The receiver checks the three, and keeps the id, as a message comes at least once. The sender retries
for about three days, then gives up: that is a dead letter, for a human. The URL is a stranger's word: whoever can name
it must not reach what only we can reach (server-side request forgery).

    submit → pending → deliver_due: running, while it is posted
                           → completed: the receiver has it
                           → running: the next attempt is due when the lease is over → pending
                           → failed, a dead letter → submit_again, by a human: pending
"""

from labkit.webhooks.deliveries import Delivery, dead_letters, deliver_due, submit, submit_again
from labkit.webhooks.sending import ATTEMPTS, LONGEST, Answer, deliver, next_attempt
from labkit.webhooks.signing import TOLERANCE, sign, verify

__all__ = [
    "ATTEMPTS", "LONGEST", "TOLERANCE", "Answer", "Delivery", "dead_letters", "deliver", "deliver_due", "next_attempt",
    "sign", "submit", "submit_again", "verify",
]  # fmt: skip
