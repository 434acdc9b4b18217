"""The MCP server: states are resources that are read, and two tools save. Who asks is never an argument.

resources/list                  what is theirs, a page at a time
state://agents/…/tasks/…        the state, with its version, and the key of which those of its steps are made
…/artifacts/…                   a large result that the state names
save_state, keep_artifact       refuse in one line that the client sees
subscriptions/listen            a hint that a state was saved: not kept, not repeated

Whatever blocks runs in a thread: MCPServer does so for plain functions, and the two coroutines do it themselves.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import anyio.to_thread
from mcp import MCPError
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp_types import INTERNAL_ERROR, ListResourcesResult, PaginatedRequestParams, Resource
from pydantic import Field, ValidationError

from labkit.mcp_state import states
from labkit.mcp_state.hints import Hints
from labkit.store import NotFoundError, StateStore, StoreError, VersionConflictError

PAGE = 100
INSTRUCTIONS = (
    "Read a state, do the next step of its plan, and save it with the version that you read. If that is refused as "
    "stale, another agent was first: read again. Give a tool that takes an idempotency key one that is made of the "
    "state's `key` and the step, by the same rule in each agent. A notification is a hint; the resource is the truth."
)
SAYS = (NotFoundError, VersionConflictError, ValueError)
"""What is told as it is. What else a store raises is about the server, and not for strangers."""
JSON = "application/json"
Object = Annotated[Any, Field(json_schema_extra={"type": "object"})]
"""Checked by `save_state`, which refuses in one line; the schema is for the client."""


class StateServer(MCPServer):
    """Serves the states of a store: to one owner over stdio, or to whoever a token names over HTTP."""

    def __init__(self, store: StateStore, owner: str | None = None, **options: Any) -> None:
        """`owner` is who has started it; None: the subject of each request's token. `options` are MCPServer's."""
        self._store, self._owner = store, owner
        options |= {"subscriptions": Hints(self.who, options.get("token_verifier")), "middleware": [self._listing]}
        super().__init__("labkit-state", instructions=INSTRUCTIONS, log_level="WARNING", **options)
        self.resource(states.FORM, name="state", mime_type=JSON)(self.read_state)
        self.resource(states.ARTIFACT_FORM, name="artifact")(self.read_artifact)
        for tool in (self.save_state, self.keep_artifact):
            # with a schema of what it returns, a client would check that, and load jsonschema for a second
            self.add_tool(tool, structured_output=False)

    def who(self) -> str:
        """Who asks, now."""
        if self._owner is not None:
            return self._owner
        token = get_access_token()
        if token is None or not token.subject:
            raise ResourceError("no token came with this request: nobody knows who asks")
        return token.subject

    async def call_tool(self, name: str, *rest: Any) -> Any:
        """See MCPServer.call_tool; what its schema does not allow is refused in one line, too."""
        try:
            return await super().call_tool(name, *rest)
        except ToolError as refusal:
            if not isinstance(refusal.__cause__, ValidationError):
                raise
            raise ToolError(f"Error executing tool {name}: {states.first(refusal.__cause__)}") from None

    def read_state(self, agent_id: str, task_id: str) -> dict[str, Any]:
        """The state of a task: goal, plan, known_facts, artifacts by id, state, its version, and its key."""
        uri = states.FORM.format(agent_id=agent_id, task_id=task_id)
        with _told(ResourceError):
            return states.shown(uri, states.read_state(self._store, self.who(), uri))

    def read_artifact(self, agent_id: str, task_id: str, artifact_id: str) -> str:
        """A large result, whole."""
        uri = states.FORM.format(agent_id=agent_id, task_id=task_id)
        with _told(ResourceError):
            return states.read_artifact(self._store, self.who(), uri, artifact_id)

    async def save_state(self, uri: str, version: int, state: Object, ctx: Context) -> int:
        """Save a state over the version that was read (0: it is new); returns the new version. Refused if stale.

        `state` is the whole of it: {"goal": text, "plan": [step, …], "known_facts": [{"key", "value", "source"}, …],
        "open_questions": [text, …], "artifacts": [what keep_artifact returned, …], "state": "pending", "running",
        "completed" or "failed"}. Only the goal must be there; fields of your own are kept, but not
        those that the server makes: id, version, key.
        """
        with _told(ToolError):
            save = partial(states.save_state, self._store, self.who(), uri, version, state)
            saved = await anyio.to_thread.run_sync(save)
        await ctx.notify_resource_updated(uri)
        if saved == 1:
            await ctx.notify_resources_changed()
        return saved

    def keep_artifact(self, uri: str, step: str, content: str) -> dict[str, Any]:
        """Store a large result of a step; returns what to add to the state's `artifacts`."""
        with _told(ToolError):
            return states.keep(self._store, self.who(), uri, step, content).model_dump(mode="json")

    async def _listing(self, ctx: ServerRequestContext, call_next: Callable[..., Any]) -> Any:
        """Answer resources/list, of which MCPServer knows no pages and no caller; let the rest pass."""
        if ctx.method != "resources/list":
            return await call_next(ctx)
        cursor = PaginatedRequestParams.model_validate(ctx.params or {}).cursor or ""
        ask = partial(states.list_states, self._store, self.who(), after=cursor, limit=PAGE)
        try:
            with _told(ResourceError):
                uris = await anyio.to_thread.run_sync(ask)
        except ResourceError as refusal:
            raise MCPError(INTERNAL_ERROR, str(refusal)) from None  # as MCPServer does it for a resource
        found = [Resource(uri=uri, name=uri.removeprefix("state://"), mime_type=JSON) for uri in uris]
        return ListResourcesResult(resources=found, next_cursor=uris[-1] if len(uris) == PAGE else None)


@contextmanager
def _told(kind: type[Exception]) -> Iterator[None]:
    """Make the refusal one that the client sees: the text of any other exception stays on the server."""
    try:
        yield
    except NotFoundError as missing:
        raise (ResourceNotFoundError if kind is ResourceError else kind)(str(missing)) from None
    except SAYS as refusal:
        raise kind(str(refusal)) from None
    except StoreError as trouble:
        raise kind("the store failed: nobody knows what was saved, so read again before you save again") from trouble
