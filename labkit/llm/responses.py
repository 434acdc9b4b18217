"""POST /v1/responses: OpenAI's newer format, not streamed, and without a memory on the server."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from labkit.llm.answer import Answer
from labkit.llm.replies import Data, RefusedError, Reply

REPEATED: Data = {
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
"""The settings that a response repeats, and what they are if the request does not say."""


def turns_taken(body: Data) -> int:
    """How often the model has spoken in this input: its items in a row are one turn.

    RefusedError if there is no input, or if the request wants what this server does not have.
    """
    given = body.get("input")
    if body.get("stream"):
        raise RefusedError("This server streams chat completions only.", "stream")
    if body.get("previous_response_id") or body.get("conversation"):
        raise RefusedError("This server remembers no response: send the whole input.", "previous_response_id")
    if isinstance(given, str):
        return 0
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise RefusedError("`input` must be a text or a list of items, and not empty.", "input")
    return sum(ours and not before for before, ours in pairwise([False, *map(_is_ours, given)]))


def _is_ours(item: Data) -> bool:
    return item.get("role") == "assistant" or item.get("type") in ("function_call", "reasoning")


def reply(answer: Answer, body: Data) -> Reply:
    """A response."""
    head: dict[str, Any] = {"id": f"resp_{answer.number}", "object": "response", "status": "completed"}
    about = {"created_at": answer.created, "model": answer.model, "error": None, "incomplete_details": None}
    repeated = {name: body.get(name, usual) for name, usual in REPEATED.items()}
    return Reply.of({**head, **about, **repeated, "output": [*_items(answer)], "usage": _usage(answer)})


def _items(answer: Answer) -> Iterator[Data]:
    if answer.turn.content is not None:
        text = {"type": "output_text", "text": answer.turn.content, "annotations": [], "logprobs": []}
        message = {"id": f"msg_{answer.number}", "type": "message", "role": "assistant", "status": "completed"}
        yield {**message, "content": [text]}
    for index, (call_id, name, arguments) in enumerate(answer.calls()):
        call = {"id": f"fc_{answer.number}_{index}", "type": "function_call", "status": "completed"}
        yield {**call, "call_id": call_id, "name": name, "arguments": arguments}


def _usage(answer: Answer) -> Data:
    read, written = answer.tokens()
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
