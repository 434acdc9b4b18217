"""One state, several agents: whoever comes later reads it, goes on, and saves only over what it has read.

    no state → save as version 0 → version 1 → read, do a step, save over 1 → version 2 → … → completed
                                             → another was first: refused as stale → read again

states.py     what is stored, whose it is, and the version check: on any state store
server.py     the same by MCP (modelcontextprotocol.io): resources, two tools
hints.py      that a state was saved: for who listens now
tokens.py     who asks over HTTP
going_on.py   the agent's side: go on where another has stopped
connecting.py the same over HTTP, by a server that may be away
serving.py    the process: stdio, or HTTP on this machine

Nothing here is locked while an agent thinks. Two that do the same step act once, as both make its key of the key that
the server gives the state, and one save of the two is refused.
"""

from mcp.client.subscriptions import SubscriptionLost

from labkit.mcp_state.connecting import connect, outlast
from labkit.mcp_state.going_on import changed, go_on, read, save
from labkit.mcp_state.server import StateServer
from labkit.mcp_state.states import (
    SharedState,
    keep,
    list_states,
    read_artifact,
    read_state,
    save_state,
)

__all__ = [
    "SharedState", "StateServer", "SubscriptionLost", "changed", "connect", "go_on", "keep", "list_states", "outlast",
    "read", "read_artifact", "read_state", "save", "save_state",
]  # fmt: skip
