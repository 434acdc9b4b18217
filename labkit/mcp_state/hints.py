"""Hints that a state was saved: for who listens now, and nobody else. None is kept, none is repeated."""

from collections.abc import Callable

from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent


class Hints:
    """Tells who listens that something was saved: each owner's listeners apart, as a URI is not a secret."""

    def __init__(self, who: Callable[[], str]) -> None:
        """`who` is asked in the request that listens, and in the one that saves."""
        self._who = who
        self._buses: dict[str, InMemorySubscriptionBus] = {}

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call it back for what this owner saves; returns what ends that."""
        return self._buses.setdefault(self._who(), InMemorySubscriptionBus()).subscribe(listener)

    async def publish(self, event: ServerEvent) -> None:
        """Tell those who listen now. Nobody else ever hears of it."""
        if bus := self._buses.get(self._who()):
            await bus.publish(event)
