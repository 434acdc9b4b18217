"""Hints that a state was saved: for who listens now, and nobody else. None is kept, none is repeated.

A request to listen lasts for hours. So its token is verified again before each hint: it may have been taken back.
"""

from collections.abc import Callable

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import TokenVerifier
from mcp.server.subscriptions import InMemorySubscriptionBus, ServerEvent


class Hints:
    """Tells who listens that something was saved: each owner's listeners apart, as a URI is not a secret."""

    def __init__(self, who: Callable[[], str], verifier: TokenVerifier | None) -> None:
        """`who` is asked in the request that listens, and in the one that saves. None: there are no tokens."""
        self._who, self._verifier = who, verifier
        self._buses: dict[tuple[str, str | None], InMemorySubscriptionBus] = {}
        """For each owner and token."""

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Call it back for what this owner saves; returns what ends that."""
        access = get_access_token()
        whose = self._who(), access and access.token
        return self._buses.setdefault(whose, InMemorySubscriptionBus()).subscribe(listener)

    async def publish(self, event: ServerEvent) -> None:
        """Tell those who listen now, and whose token is still theirs. Nobody else ever hears of it."""
        saver = self._who()
        for (owner, token), bus in [*self._buses.items()]:
            if owner == saver and await self._is_known(owner, token):
                await bus.publish(event)

    async def _is_known(self, owner: str, token: str | None) -> bool:
        if self._verifier is None or token is None:
            return True
        access = await self._verifier.verify_token(token)
        return access is not None and access.subject == owner
