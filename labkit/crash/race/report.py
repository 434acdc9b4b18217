"""The result of a race as a learner has it: how many orders break it, the smallest of them, and what to look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.crash.asked import Race, Raced
from labkit.crash.client import CLIENT
from labkit.crash.jobs import Limits
from labkit.crash.lines import Line
from labkit.crash.race import picture
from labkit.crash.race.columns import columns, explained
from labkit.crash.race.found import Order, order, plain


class LostRaceError(AssertionError):
    """A race found an order that breaks the program, or could not prove that there is none."""


CROWDED = "there are orders in which two statements wait for one row or lock, and PostgreSQL chooses who goes on first"


@dataclass(frozen=True)
class RaceReport:
    """The orders that were run, in the order of exploration."""

    name: str
    workers: tuple[str, ...]
    orders: tuple[Order, ...]
    complete: bool
    """Whether these are all orders."""
    crowded: bool = False
    """Whether those are missing in which two statements wait for one thing, and PostgreSQL chooses the first."""
    problem: str | None = None
    """Why not all were run; None if nothing stood in the way."""
    problem_line: Line | None = None
    crash: bool = False
    asked: Race | None = field(default=None, repr=False, compare=False)
    limits: Limits = field(default_factory=Limits, repr=False, compare=False)

    @classmethod
    def of(cls, name: str, raced: Raced, asked: Race, limits: Limits) -> "RaceReport":
        """A report from what the zygote told."""
        found, line = tuple(map(order, raced.orders)), Line.first(raced.lines)
        complete, crowded = raced.complete and not raced.crowded, raced.complete and raced.crowded
        return cls(name, (*asked.workers,), found, complete, crowded, raced.problem, line, asked.crash, asked, limits)

    @property
    def broken(self) -> list[Order]:
        """The orders that break it, the smallest counterexample first: of fewest switches, then of fewest steps."""
        return sorted((o for o in self.orders if not o.survives), key=lambda o: (o.switches, len(o.steps)))

    @property
    def verdict(self) -> str:
        """How many orders break it, in one line."""
        if self.problem:
            return f"{self.name}: not explored"
        count, all_of_them = len(self.broken), len(self.orders)
        more = "" if self.complete else " (there are more)"
        orders = f"{all_of_them} {'order' if all_of_them == 1 else 'orders'}"
        return f"{self.name}: {count} of {orders}{more} {'breaks' if count == 1 else 'break'} it"

    def unproven(self) -> str:
        """Why this race proves nothing, though no order breaks it; empty if it does prove something."""
        steps = [step for order in self.orders for step in order.steps]
        idle = [
            n for n in self._functions if not any(s.worker == n and s.op not in {"RETURN", "raises"} for s in steps)
        ]
        always = [n for n in self._functions if self.orders and all(_raised(order, n) for order in self.orders)]
        if self.crowded:
            return f"{CROWDED}: these were not run"
        if not self.complete:
            return f"there are more than {len(self.orders)} orders, and these alone were run: raise the limit"
        if always:
            error = self.orders[0].ends[always[0]].raised
            return f"{always[0]} raised {error} in every order: let it come to its end first"
        if idle:
            return f"{idle[0]} did nothing that another could notice: it can lose no race"
        if len(self.orders) == 1:
            return "there is one order only: the workers share nothing"
        return ""

    @property
    def _functions(self) -> list[str]:
        codes = self.asked.workers if self.asked else {}
        return [name for name in self.workers if not isinstance(codes.get(name), float)]

    def assert_survives(self) -> None:
        """Raise LostRaceError unless all orders were run, none breaks it, and that proves something."""
        if self.problem:
            raise LostRaceError("\n".join(filter(None, [self.problem, str(self.problem_line or "")])))
        if self.broken:
            raise LostRaceError(f"{self.verdict}\n{self.explanation()}")
        if unproven := self.unproven():
            raise LostRaceError(f"{self.name}: {unproven}")

    def explanation(self) -> str:
        """The smallest counterexample; empty if there is none."""
        if self.problem or not self.broken:
            return ""
        worst = self.broken[0]
        everywhere = "It breaks in every order, also where nothing overlaps: so it is no race." if self._always else ""
        return "\n".join(filter(None, [worst.reason, columns(worst, self.workers), explained(worst), everywhere]))

    @property
    def _always(self) -> bool:
        return self.complete and bool(self.orders) and len(self.broken) == len(self.orders)

    def raised(self) -> str:
        """How often each worker raised: that breaks nothing by itself, and is not kept quiet."""
        told = []
        for name in self._functions:
            errors = [order.ends[name].raised for order in self.orders if _raised(order, name)]
            told += [f"{name} raised {e} in {errors.count(e)} of {len(self.orders)} orders" for e in sorted({*errors})]
        return "\n".join(told)

    def replay(self, names: Sequence[str] | int) -> "Order":
        """Run one order once more: the names of who takes each step, or the number of an order in `orders`."""
        wanted = self.orders[names].names if isinstance(names, int) else tuple(names)
        timed = any(step.op == "look" for order in self.orders for step in order.steps)
        raced = CLIENT.ask(replace(self.asked, only=wanted, timed=timed), Raced, self.limits)
        if raced.problem or not raced.orders:
            raise ValueError(raced.problem or "this order cannot be run")
        return order(raced.orders[0])

    def __str__(self) -> str:
        where = [self.problem, str(self.problem_line or "")] if self.problem else []
        unproven = "" if self.problem or self.broken else self.unproven()
        parts = [
            self.verdict,
            *where,
            self.explanation(),
            self.raised(),
            unproven and f"It proves nothing: {unproven}.",
        ]
        return "\n".join(filter(None, parts))

    __repr__ = __str__

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data  # noqa: PLC0415 - only IPython calls this

        if not self.problem and self.orders:
            image = picture.strip(self.orders, self.workers, self.verdict)
            data = {"image/png": image, "text/plain": self.verdict}
            publish_display_data(data, {"image/png": {"alt": self.verdict}})
            if more := "\n".join(str(self).split("\n")[1:]):
                print(more)
        else:
            print(self)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "name": self.name,
            "workers": [*self.workers],
            "orders": [plain(order) for order in self.orders],
            "complete": self.complete,
            "crowded": self.crowded,
            "problem": self.problem,
        }


def _raised(order: Order, name: str) -> bool:
    return name in order.ends and bool(order.ends[name].raised)
