"""What a model server answers with: a chat completion, or something to be asked for again."""

from typing import Any


class ModelReplyError(ConnectionError):
    """The model server answered with something that is no chat completion. It may do better next time."""


def completion(body: bytes) -> Any:
    """The chat completion in a reply's body. ModelReplyError if it is none, or one without a choice."""
    from openai.types.chat import ChatCompletion  # noqa: PLC0415 - heavy, and loaded already by whoever made the client

    try:
        answer = ChatCompletion.model_validate_json(body)
    except ValueError as error:
        raise ModelReplyError(f"the model's reply is not a chat completion: {body[:60]!r}") from error
    if not answer.choices:
        raise ModelReplyError("the model's reply holds no choice")
    return answer
