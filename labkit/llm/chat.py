"""POST /v1/chat/completions: the reply whole, or as the chunks of a stream."""

import json
import re
from collections.abc import Iterator
from typing import Any

from labkit.llm.answer import Answer
from labkit.llm.replies import Data, RefusedError, Reply


def turns_taken(body: Data) -> int:
    """How often the model has spoken in these messages. RefusedError if there are none."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise RefusedError("`messages` must be a list of messages, and not empty.", "messages")
    return sum(message.get("role") == "assistant" for message in messages)


def reply(answer: Answer, body: Data) -> Reply:
    """A completion; a stream of server-sent events if the request asks for one."""
    if not body.get("stream"):
        return Reply.of(_completion(answer))
    options = body.get("stream_options")
    usage = isinstance(options, dict) and bool(options.get("include_usage"))
    events = [*(json.dumps(chunk) for chunk in _chunks(answer, include_usage=usage)), "[DONE]"]
    text = "".join(f"data: {event}\n\n" for event in events)
    return Reply(text.encode(), headers={"content-type": "text/event-stream"})


def _completion(answer: Answer) -> Data:
    message: Data = {"role": "assistant", "content": answer.turn.content, "refusal": None}
    if answer.turn.calls:
        message["tool_calls"] = [_call(*call) for call in answer.calls()]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(answer)}
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def _chunks(answer: Answer, *, include_usage: bool) -> Iterator[Data]:
    usage: dict[str, Any] = {"usage": None} if include_usage else {}
    head = _head(answer, "chat.completion.chunk") | usage
    first = {"role": "assistant", "content": None if answer.turn.content is None else ""}
    for delta in [first, *_deltas(answer), {}]:
        reason = None if delta else _reason(answer)
        yield head | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
    if include_usage:
        yield head | {"choices": [], "usage": _usage(answer)}


def _deltas(answer: Answer) -> Iterator[Data]:
    """Word by word, and arguments by a few characters, which stand for tokens."""
    for word in re.findall(r"\s*\S+|\s+", answer.turn.content or ""):
        yield {"content": word}
    for index, (call_id, name, arguments) in enumerate(answer.calls()):
        yield {"tool_calls": [{"index": index, **_call(call_id, name, "")}]}
        for part in re.findall(r"(?s).{1,8}", arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _head(answer: Answer, kind: str) -> Data:
    return {"id": f"chatcmpl-{answer.number}", "object": kind, "created": answer.created, "model": answer.model}


def _call(call_id: str, name: str, arguments: str) -> Data:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _reason(answer: Answer) -> str:
    return "tool_calls" if answer.turn.calls else "stop"


def _usage(answer: Answer) -> Data:
    read, written = answer.tokens()
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
