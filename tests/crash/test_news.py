"""News of a child: what is counted instead of told, and what is taken for none."""

from pathlib import Path

import pytest

from labkit import sweep
from labkit.crash.news import Done, Opened, Repeated, Returned, parse, plain

RECORDED = [Opened(handle=0, path="a"), Done(op="write", target="a", lines=[], handle=0, offset=0, data="x")]


def test_what_is_repeated_is_taken_from_the_recording():
    """A count stands for so many news, and what follows is told."""
    end = Returned(loaded=[])
    assert parse([plain(Repeated(count=2)), plain(end)], RECORDED) == [*RECORDED, end]


@pytest.mark.parametrize("count", [0, -1, 3, 10**9])
def test_more_than_was_recorded_is_no_news(count):
    """Code under test may write to the socket, and gets nothing by a wrong count."""
    with pytest.raises(ValueError, match="no news"):
        parse([plain(Repeated(count=count))], RECORDED)


@pytest.mark.long
def test_content_that_differs_between_runs_is_what_the_kill_left():
    """Effects of the same names are the same run; the model of the disk has the bytes of the run that was killed."""

    def run():
        for number in range(3):
            Path(f"note-{number}").write_text(Path("/proc/self/stat").read_text())  # another process, another id
            Path("last").write_text(str(number))

    report = sweep(run, lambda: None, lambda seen: None, power=True)
    assert report.problem is None
    assert not report.broken
