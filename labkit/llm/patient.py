"""openai's clients with our transport below them; their pauses between retries pass on the clock they were given.

Imported only when a client is made: openai takes most of a second. The classes are made inside the functions because
`with_options` makes a client anew, by its class, and knows of no clock.
"""

from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletion

from labkit.clock import Clock
from labkit.llm.delays import pause
from labkit.llm.endpoint import Endpoint
from labkit.llm.transport import AsyncRealRoad, AsyncRoad, RealRoad, Road

ChatCompletion.model_rebuild()  # else the first reply makes its validator, in every process of a sweep anew


def client(clock: Clock, endpoint: Endpoint, **settings: Any) -> openai.OpenAI:
    """openai's client, for `endpoint`."""

    class Patient(openai.OpenAI):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._platform = "Unknown"  # or it would be found out in a thread, for a header

        def _sleep_for_retry(self, *, retries_taken: int, max_retries: int, options: Any, response: Any) -> None:
            headers = None if response is None else response.headers
            clock.sleep(self._calculate_retry_timeout(max_retries - retries_taken, options, headers))

    road = Road(clock) if endpoint.scripted else RealRoad(endpoint.url)
    below = httpx2.Client(transport=road, trust_env=False, follow_redirects=True)
    return Patient(base_url=endpoint.url, api_key=endpoint.key, http_client=below, **settings)


def async_client(clock: Clock, endpoint: Endpoint, **settings: Any) -> openai.AsyncOpenAI:
    """openai's asynchronous client, for `endpoint`."""

    class Patient(openai.AsyncOpenAI):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self._platform = "Unknown"  # or it would be found out in a thread, for a header

        async def _sleep_for_retry(self, *, retries_taken: int, max_retries: int, options: Any, response: Any) -> None:
            headers = None if response is None else response.headers
            await pause(clock, self._calculate_retry_timeout(max_retries - retries_taken, options, headers))

    road = AsyncRoad(clock) if endpoint.scripted else AsyncRealRoad(endpoint.url)
    below = httpx2.AsyncClient(transport=road, trust_env=False, follow_redirects=True)
    return Patient(base_url=endpoint.url, api_key=endpoint.key, http_client=below, **settings)
