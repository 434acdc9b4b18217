"""Who may look and who may command: a token for each run and right, which only who has our secret can make."""

import hashlib
import hmac
from enum import StrEnum


class Right(StrEnum):
    """What a token is good for. Who may command may look, too."""

    LOOK = "look"
    COMMAND = "command"


def token_for(secret: str, run: str, right: Right = Right.COMMAND) -> str:
    """The token to give to whoever may do this with the run. It is the same after a restart with the same secret.

    ValueError for a secret that could be guessed.
    """
    if len(secret) < 16:
        raise ValueError("a secret has 16 characters or more: take one of secrets.token_hex()")
    told = f"{Right(right)} {run}".encode(errors="surrogatepass")
    return f"{right}.{hmac.new(secret.encode(), told, hashlib.sha256).hexdigest()}"


def may(secret: str, run: str, right: Right, token: str) -> bool:
    """Whether this token gives the right. False for whatever is not right, never an error."""
    given = token.encode(errors="replace")
    enough = [Right.COMMAND] if right is Right.COMMAND else [*Right]
    return any(hmac.compare_digest(given, token_for(secret, run, each).encode()) for each in enough)
