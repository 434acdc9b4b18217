"""The row of chapter 10: what happens to an order is told to billing and to the customer: all of it, and once."""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

from labkit import world
from labkit.crash import Observation, Report, service, sweep, trial
from labkit.crash.race.api import race
from labkit.crash.race.report import RaceReport
from labkit.gauntlet.parts import Parts
from labkit.gauntlet.service import customer, news
from labkit.gauntlet.service.schemas import at, column, create, rows
from labkit.grading.judge.survival import did

ORDERS = 40
FAULTS = ["transient", "ambiguous"]
"""Of the customer's server: it cannot take our first message, and its answer to the next is lost."""
POST = "POST /orders"
SPANS = [5, 15, 45, 135, 405, 1215, 3645, 10935, 32805, 43200, 43200]
"""Seconds, of which at least half pass before the next attempt."""


def tells_others(parts: Parts) -> Iterator[Report | RaceReport]:
    """Two events of an order, told to billing and to the customer; a receiver that fails, and strangers that lie.

    Then those who come at the same moment: two who record, with the relay; and an event that comes twice.
    """
    run = partial(_tell_all, parts)
    yield sweep(run, run, _all_told, partial(_setup, parts), name="events")
    setup = partial(create, "events", "billing", apart=False)
    both = {"A": partial(_record, parts, "taken"), "B": partial(_record, parts, "online")}
    yield race({**both, "relay": partial(_relay, parts)}, _in_order, setup, limit=ORDERS, name="two record")
    twice = {who: partial(news.receive, parts, "order-1/1") for who in "AB"}
    yield race(twice, _billed_once, setup, limit=ORDERS, name="an event comes twice")
    _gives_up(parts)


def _setup(parts: Parts) -> None:
    create("events", "billing", "house")
    world.arrange(tools={customer.INSIDE: "reached"})
    service(customer.Customer(parts), faults=FAULTS)


def _tell_all(parts: Parts) -> dict[str, Any]:
    news.change(parts, "order-1", "placed", "taken")
    news.change(parts, "order-1", "taken", "online")
    news.pass_on(parts, customer.OURS, customer.FOREIGN)
    news.deliver_all(parts)
    customer.intrude(parts)
    return {}


def _all_told(seen: Observation) -> None:
    assert rows("SELECT state FROM house.orders") == [("online",)], "the order is not online"
    billed = column("SELECT event FROM billing.bills")
    assert sorted(billed) == ["order-1/1", "order-1/2"], f"billing acted on {', '.join(billed) or 'nothing'}"
    assert billed == sorted(billed), f"billing was told in the order {', '.join(billed)}"
    told_customer(seen, 2)


def told_customer(seen: Observation, count: int) -> None:
    """The customer's server has acted on each event of the order, once and in order, and on nothing else."""
    inside = [call.arguments["address"] for call in seen.ledger if call.tool == customer.INSIDE]
    assert not inside, f"a webhook was posted to {inside[0]}, an address of our own"
    acted = [(call.arguments["run"], call.arguments["number"]) for call in seen.ledger if call.tool == POST]
    strange = [run for run, _ in acted if run != "order-1"]
    assert not strange, f"the customer believed a message that we never sent: it tells of {strange[0]}"
    numbers = [number for _, number in acted]
    assert numbers == [f"{n}" for n in range(1, count + 1)] or numbers == [*range(1, count + 1)], (
        f"the customer has acted on the events {numbers}; expected {[*range(1, count + 1)]}"
    )
    states = sorted(rows("SELECT url, state FROM house.deliveries"))
    bad = [f"{url} is {state}" for url, state in states if (url == customer.OURS) != (state == news.DELIVERED)]
    assert not bad, f"the delivery to {bad[0]}"


def _record(parts: Parts, what: str) -> int:
    with at("events") as conn, conn.begin():
        return int(parts["record"](conn, "order-1", what, {}))


def _relay(parts: Parts) -> int:
    with at("events") as conn:
        return int(parts["relay"](conn, lambda event: world.tool("notify", service=f"{event.number}")))


def _in_order(seen: Observation) -> None:
    ends = [end.raised or end.returned for end in (seen.workers[who] for who in "AB")]
    assert {*ends} == {1, 2}, f"two recorded at once; record came to {ends[0]} and {ends[1]}; expected 1 and 2"
    sent = [int(call.arguments["service"]) for call in seen.ledger]
    assert sent == [1, 2][: len(sent)], f"two recorded at once; the relay sent event {sent[0]} before the one before it"
    marked = column("SELECT number FROM outbox WHERE sent ORDER BY number")
    assert marked == sent, f"two recorded at once; the relay sent {sent}, and marked {marked}"


def _billed_once(seen: Observation) -> None:
    ends = [str(end.raised or end.returned) for end in seen.workers.values()]
    ((count,),) = rows("SELECT count(*) FROM bills")
    assert count == 1, f"an event came twice at once, and was billed {count} times"
    assert sorted(ends) == ["False", "True"], f"an event came twice at once; receive came to {' and '.join(ends)}"


def _gives_up(parts: Parts) -> None:
    """A receiver that is away for good: after twelve attempts a human has to look."""
    seen = trial(partial(_delays, parts))
    happened = "A receiver was away for good. next_attempt"
    assert seen.how == "returned", f"{happened} {did(seen)}"
    for number, (delay, span) in enumerate(zip(seen.value, [*SPANS, None], strict=True), 1):
        assert delay is None or isinstance(delay, int | float), f"{happened} returned {delay!r}, no seconds"
        if span is None or delay is None:
            assert delay is span, f"{happened} returned {delay} after attempt {number}; it is the twelfth that ends it"
        else:
            assert span / 2 <= delay <= span, f"{happened} returned {delay:g} after attempt {number}; at most {span}"


def _delays(parts: Parts) -> list[float | None]:
    return [parts["next_attempt"](n, None, Random(n)) for n in range(1, len(SPANS) + 2)]
