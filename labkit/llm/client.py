"""openai's clients, bound to the scripted server or to a real one (`labkit.llm.endpoint`). Their time is a clock's."""

from typing import TYPE_CHECKING

from labkit.clock import Clock
from labkit.llm.endpoint import endpoint

if TYPE_CHECKING:
    import openai


def client(
    clock: Clock, *, timeout: float | None = 60.0, max_retries: int = 0, scripted: bool = False
) -> "openai.OpenAI":
    """openai's client. What the scripted server delays, and the pauses between retries, pass on `clock`.

    `timeout` is in seconds of that clock, for each silence of the server: a reply that comes in drips may take longer.
    With `scripted`, the environment is not looked at: for lessons that need the script and its faults.
    """
    from labkit.llm import patient  # noqa: PLC0415 - openai takes most of a second, and a server does not need it

    return patient.client(clock, endpoint(scripted=scripted), timeout=timeout, max_retries=max_retries)


def async_client(
    clock: Clock, *, timeout: float | None = 60.0, max_retries: int = 0, scripted: bool = False
) -> "openai.AsyncOpenAI":
    """The same for `async` code. With a SystemClock it waits in the event loop: others go on, and it can be cancelled.

    With any other clock a wait is that clock's sleep, and nothing else runs meanwhile.
    """
    from labkit.llm import patient  # noqa: PLC0415 - as above

    return patient.async_client(clock, endpoint(scripted=scripted), timeout=timeout, max_retries=max_retries)
