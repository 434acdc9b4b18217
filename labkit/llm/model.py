"""The model behind the server: what it replies to a request, and what the world remembers of it.

It is stateless, as real ones are: which turn comes next is the number of its own messages in the request, or follows
from what it is shown, if the script has conditions. The world keeps the script and a count (`labkit.llm.scripts`), and
every request in `World.calls`, before anything is sent.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from labkit.clock import FakeClock
from labkit.llm import chat, responses
from labkit.llm.answer import Answer
from labkit.llm.replies import Data, RefusedError, Reply, Request, failure, parse
from labkit.llm.scripts import Fault, Turn
from labkit.world import Call, World

ENDPOINTS = {"/v1/chat/completions": chat, "/v1/responses": responses}
START = int(FakeClock().now().timestamp())
NO_SCRIPT = Turn("I have no script yet. Give me one: labkit.llm.use(turns).")
THE_END = Turn("Everything is done; there is nothing left to say.")


def respond(world: World, request: Request) -> Reply:
    """The reply to a request. One to the model is counted and recorded now, so before anything can be sent."""
    if request.method != "POST" or request.path not in ENDPOINTS:
        return _without_model(request)
    number = world.model["requests"] = world.model.get("requests", 0) + 1
    turn = None
    try:
        body = _understood(request)
        turn = ENDPOINTS[request.path].turns_taken(body)
        reply = _planned(world, request.path, body, turn, number)
    except RefusedError as refused:
        reply = refused.reply
    told = {"turn": turn, "status": 0 if reply.cut else reply.status, "retry": request.retry()}
    world.calls.append(Call("model", told, None, world.elapsed() / 60))
    return replace(reply, headers={**reply.headers, "x-request-id": f"req_{number}"})


def _without_model(request: Request) -> Reply:
    if not request.bearer():
        return failure(401)
    if (request.method, request.path) != ("GET", "/v1/models"):
        return failure(404, f"There is nothing at {request.method} {request.path}.")
    model = {"id": "scripted", "object": "model", "created": START, "owned_by": "labkit"}
    return Reply.of({"object": "list", "data": [model]})


def _understood(request: Request) -> Data:
    if not request.bearer():
        raise RefusedError(status=401)
    return parse(request.body)


def _planned(world: World, path: str, body: Data, turn: int, number: int) -> Reply:
    """What the script says at this turn, with the fault that is planned for this request."""
    said = _said(world, turn, "\n".join(_texts([body.get("messages"), body.get("input")])))
    read = json.dumps([body.get(name) for name in ("messages", "input", "tools")], ensure_ascii=False)
    answer = Answer(said, number, str(body.get("model")), START + int(world.elapsed()), read)
    return _spoiled(ENDPOINTS[path].reply(answer, body), said, _fault(world, number))


def _said(world: World, turn: int, read: str) -> Turn:
    if world.model.get("turns") is None:
        return NO_SCRIPT
    turns = [Turn.from_json(each) for each in world.model["turns"]]
    if any(each.shown or each.hidden for each in turns):
        return next((each for each in turns if each.fits(read)), THE_END)
    return turns[turn] if turn < len(turns) else THE_END


def _texts(data: Any) -> Iterator[str]:
    """Every text in a request's messages, whatever the form of its content."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list | dict):
        for part in data.values() if isinstance(data, dict) else data:
            yield from _texts(part)


def _fault(world: World, number: int) -> Fault:
    faults = world.model.get("faults", [])
    planned = faults[number - 1] if number <= len(faults) else None
    return Fault(**planned) if planned else Fault()


def _spoiled(reply: Reply, said: Turn, fault: Fault) -> Reply:
    """The reply after the fault has been applied. A delay travels in a header: the client lets that time pass."""
    if fault.status != 200:
        wait = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
        failed = failure(fault.status)
        return replace(failed, headers={**failed.headers, **wait})
    delay = "inf" if fault.ending == "never" else str(said.seconds if fault.seconds is None else fault.seconds)
    timing = {"x-lab-delay": delay, "x-lab-pieces": str(fault.pieces)}
    body = b"".join(reply.body.rpartition(b"}")[::2]) if fault.ending == "garbled" else reply.body
    return Reply(body, headers={**reply.headers, **timing}, cut=fault.ending == "cut")
