"""The services that `setup` started: applications, each in a process of its own beside the world's.

{"apps": [[name, pickle, search path, faults], …], "log": [[number, elapsed, request, what was answered], …]}

is all that is remembered of them. Before a child first asks one, it is made anew from its pickle and given the log's
requests again, each at its virtual time; what it answers must be what it answered then, or its state is not put back.
"""

import hashlib
import json
import shutil
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from labkit.crash.channel import hear, tell
from labkit.crash.child import hosted
from labkit.crash.jobs import FIRST_PORT, SERVICES, ServiceError
from labkit.isolation import process
from labkit.isolation.confine import Confinement
from labkit.world import Call, Fault, World

Data = dict[str, Any]
SECONDS = 8.0
"""Real time for one answer: less than a child's own limit, or its end would say nothing of the service."""
SAFE = {"GET", "HEAD", "OPTIONS"}
"""Methods that change nothing (RFC 9110)."""


class Host:
    """An application's process."""

    def __init__(self, number: int, app: list[Any], folder: Path, confinement: Confinement | None) -> None:
        _, code, path, _ = app
        shutil.rmtree(folder, ignore_errors=True)
        self._channel, theirs = Pipe()
        arguments = (number, code.encode("latin-1"), path, folder, confinement)
        self._pid = process.start(hosted.main, [theirs], arguments)
        theirs.close()

    def ask(self, elapsed: float, request: Data | None) -> Data:
        """What it answers; without a request, whether it can be made at all. ServiceError if it does not."""
        tell(self._channel, [elapsed, request])
        try:
            if not self._channel.poll(SECONDS):
                raise ServiceError(f"did not answer within {SECONDS:g} s")
            told = hear(self._channel)
        except (EOFError, OSError):
            raise ServiceError("ended its process") from None
        if "error" in told:
            raise ServiceError(told["error"])
        if request and "status" not in told:
            raise ServiceError("did not answer at all")
        return told

    def end(self) -> None:
        """Kill it."""
        self._channel.close()
        process.end(self._pid)


class Services:
    """What the world's process knows of them."""

    def __init__(self, world: World, folder: Path | None, confinement: Confinement | None) -> None:
        self._world, self._folder, self._confinement = world, folder or Path("services"), confinement
        self._hosts: dict[int, Host] = {}
        self.begin({"apps": [], "log": []})

    def begin(self, memory: Data) -> None:
        """A child begins, in a world with this memory."""
        for host in self._hosts.values():
            host.end()
        self._hosts = {}
        self._apps, self._log = [*memory["apps"]], [*memory["log"]]

    def content(self) -> Data:
        """What is to be remembered."""
        return {"apps": self._apps, "log": self._log}

    def serve(self, name: str, app: str, path: list[str], faults: list[str]) -> int:
        """Start a service; returns its port. ServiceError if it cannot be made, or the name is taken."""
        if any(name == other for other, *_ in self._apps):
            raise ServiceError(f'has the name of another ({name!r}): name each as you like, service(app, "shop")')
        if len(self._apps) == SERVICES:
            raise ServiceError(f"is one of more than {SERVICES}")
        self._apps.append([name, app, path, faults])
        self._host(len(self._apps) - 1)
        return FIRST_PORT + len(self._apps) - 1

    def service(self, number: int) -> str | None:
        """Its name, if there is one of this number."""
        return self._apps[number][0] if number < len(self._apps) else None

    def http(self, number: int, request: Data) -> Data:
        """What it answers, with the time; recorded first. ServiceError if it does not answer."""
        name, _, _, faults = self._apps[number]
        at, made = self._world.elapsed(), _call(name, request, self._world.elapsed())
        self._world.calls.append(made)
        fault = _fault(faults, sum(other == number for other, *_ in self._log))
        if refusal := REFUSALS.get(fault):
            told, answered = {"status": refusal, "headers": [], "seconds": 0.0, "pieces": [], "endless": False}, ""
        else:
            told = self._host(number).ask(at, request)
            answered = _digest(told)
            if _has_acted(request, told):
                self._world.ledger.append(made)
        self._log.append([number, at, request, answered])
        return {**told, "at": at, "lost": fault == Fault.AMBIGUOUS}

    def _host(self, number: int) -> Host:
        """Its process, which has had all requests of the log."""
        if number not in self._hosts:
            host = Host(number, self._apps[number], self._folder / str(number), self._confinement)
            self._hosts[number] = host
            host.ask(0.0, None)
            for _, at, request, answered in [each for each in self._log if each[0] == number and each[3]]:
                if _digest(host.ask(at, request)) != answered:
                    again = f"{request['method']} {request['target']}"
                    raise ServiceError(f"answers {again} otherwise when it is repeated, so its state is not put back")
        return self._hosts[number]


REFUSALS = {Fault.TRANSIENT: 503, Fault.PERMANENT: 403}
"""The status by which a service refuses, before its application has heard of the request."""


def _fault(faults: list[str], index: int) -> str:
    """Fault number i meets request number i; a permanent one stays."""
    before = faults[: index + 1]
    if Fault.PERMANENT in before:
        return Fault.PERMANENT
    return before[index] if index < len(before) else Fault.NONE


def _digest(told: Data) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _call(name: str, request: Data, elapsed: float) -> Call:
    """A request as the world remembers it: POST /orders, with the fields of its query and of its body."""
    path, _, query = request["target"].partition("?")
    arguments: Data = dict(parse_qsl(query))
    headers = {name.lower(): value for name, value in request["headers"]}
    text = request["body"].encode("latin-1").decode(errors="replace")
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        body = dict(parse_qsl(text)) if form else {"body": text}
    arguments.update(body if isinstance(body, dict) else {"body": body})
    return Call(f"{request['method']} {name}{path}", arguments, headers.get("idempotency-key"), elapsed / 60)


def _has_acted(request: Data, told: Data) -> bool:
    """Whether this reply tells of something done: not of a refusal, a look, or what was done before under its key."""
    repeated = any((name.lower(), value) == ("idempotent-replayed", "true") for name, value in told["headers"])
    return request["method"] not in SAFE and told["status"] < 400 and not repeated
