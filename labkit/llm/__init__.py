"""A model on this machine that follows a script: real HTTP, the real OpenAI client, virtual seconds, planned faults.

use(script, faults)         what the model of the current world says from now on
client(clock)               openai's client, bound to it, or to OPENAI_BASE_URL and OPENAI_API_KEY if these are set
endpoint()                  which of them that is
server.listen, .answer      the server itself, for whichever process the world lives in
"""

from labkit.llm.client import async_client, client
from labkit.llm.endpoint import endpoint
from labkit.llm.scripts import (
    CUT,
    DEPLOY,
    DISK,
    GARBLED,
    NEVER,
    Fault,
    Turn,
    dripping,
    failing,
    late,
    rate_limited,
    use,
)

__all__ = [
    "CUT", "DEPLOY", "DISK", "GARBLED", "NEVER", "Fault", "Turn", "async_client", "client", "dripping", "endpoint",
    "failing", "late", "rate_limited", "use",
]  # fmt: skip
