"""Where requests to the model go: to the scripted server, or to a real one if the environment names one.

OPENAI_BASE_URL     the address of a server that speaks OpenAI's protocol
OPENAI_API_KEY      its key; alone it means OpenAI's own server
"""

import os
from typing import NamedTuple

from labkit.llm import server
from labkit.world import current


class Endpoint(NamedTuple):
    """A server and the key for it."""

    url: str
    key: str
    scripted: bool


def endpoint(*, scripted: bool = False) -> Endpoint:
    """Where a client that is made now sends its requests. In a notebook this starts the scripted server."""
    url, key = os.environ.get("OPENAI_BASE_URL"), os.environ.get("OPENAI_API_KEY")
    if (url or key) and not scripted:
        return Endpoint(url or "https://api.openai.com/v1", key or "none", scripted=False)
    return Endpoint(f"http://127.0.0.1:{current().port or server.here()}/v1", "scripted", scripted=True)
