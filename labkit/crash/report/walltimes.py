"""Times of the real clock, as a program that was given one has them in its files, put so that a page is the same again.

A sweep's own time is virtual, and stays as it is. A page that is saved is compared, and tells nobody when it was made.
"""

import re
from datetime import UTC, datetime, timedelta

NEAR = timedelta(days=2)
"""How far from now a time may be that the real clock showed: kernels live long, and clocks have zones."""
WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)?|(?<![\d.])\d{10}(?:\.\d+)?(?![\d.])"
)


class WallTimes:
    """What the real clock showed, by number: the same time has the same number."""

    def __init__(self) -> None:
        self._now, self._numbers = datetime.now(UTC), dict[datetime, int]()

    def put(self, text: str) -> str:
        """The text with "(real time 1)" in the place of each such time."""
        return WRITTEN.sub(lambda found: self._name(found[0]), text)

    def _name(self, written: str) -> str:
        try:
            moment = (
                datetime.fromisoformat(written) if "-" in written[:5] else datetime.fromtimestamp(float(written), UTC)
            )
        except (ValueError, OverflowError, OSError):
            return written
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if abs(moment - self._now) > NEAR:
            return written
        return f"(real time {self._numbers.setdefault(moment, len(self._numbers) + 1)})"
