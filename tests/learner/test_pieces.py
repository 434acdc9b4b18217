"""The pieces of chapters: what they show comes of labkit's mechanisms, the same each time, in words as in pictures."""

import random
import re
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from labkit import arrange, step_key, tool
from labkit.agent_state import AgentState, Artifact, Fact
from labkit.backoff import exponential, full_jitter
from labkit.context import count_tokens, select_context
from labkit.learner.pieces import backoff, lease, play, saga, window
from labkit.learner.pieces.play import Control
from labkit.learner.pieces.view import Bar, Lane, View
from labkit.world import ToolError

EVIL = "<script>alert('x')</script>\"'&\x1b[31m"
KINDS = (("good", "well"), ("bad", "not"), ("plain", "else"))


def luminance(colour):
    """By WCAG 2, of #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one, other):
    """By WCAG 2: 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def example(text="it"):
    """A view whose every text is `text`."""
    lanes = (Lane(text, (Bar(0, 1, text, "good"), Bar(1, 2, text, "bad", 0.5))), Lane(text, (Bar(2, 4, text),)))
    return View(text, lanes, text, 4, tuple((kind, text) for kind, _ in KINDS))


def test_what_is_shown_is_never_markup():
    """Names and texts may come from a program: they are escaped, and what is not seen is taken out."""
    plain, evil = example().html(), example(EVIL).html()
    tags = partial(re.findall, r"<(\w+)")
    assert tags(plain) == tags(evil)
    assert "\x1b" not in evil


def test_the_view_needs_no_script_and_tells_its_picture_in_words():
    """No address, no id that another output might share; each bar stands in the table, and its kind has a sign."""
    html = example().html()
    assert not re.findall(r"<script|\bsrc=|href=|\bid=|\bon[a-z]+=", html)
    assert "0–1 it; 1–2 it" in html
    assert html.count('class="over"') == 2, (
        "what is red is crossed out, what is grey has a line, what is green has none"
    )
    assert 'aria-label="it"' in html


def test_it_is_the_same_each_time():
    """Page and picture to the byte, with a text beside the picture."""
    one, other = (example()._repr_mimebundle_() for _ in range(2))
    assert one == other
    data, metadata = one
    assert data.keys() == {"text/html", "image/png", "text/plain"}
    assert metadata["image/png"]["alt"] == "it"


def test_a_long_lane_is_told_as_far_as_anybody_reads():
    """And says how much more there is."""
    lane = Lane("requests", tuple(Bar(n, n + 1, "x") for n in range(15)))
    assert View("t", (lane,), "s", 15, KINDS).words(lane).endswith("; and 3 more")
    assert View("t", (Lane("none", ()),), "s", 1, KINDS).words(Lane("none", ())) == "nothing"


def test_where_nobody_looks_on_there_is_the_first_view(work, monkeypatch):  # noqa: ARG001 - nothing is kept
    """No widget, so that nbval compares it and nothing of a widget is stored."""
    shown = []
    monkeypatch.setattr(play, "display", shown.append)
    play.play(lambda one, other: (one, other), Control("a", (1, 2), 2), Control("b", "xy", "x"))
    assert shown == [(2, "x")]


def test_each_choice_has_its_view():
    """Labelled radio buttons, and a rule for each view: the first is chosen, and is the text of the whole."""
    board = play.Board(
        lambda one, many: example(f"{one} of {many}"), Control("one", (1, 2), 2), Control(EVIL, range(3), 0)
    )
    html = board.html()
    assert [view.title for view in board.views.values()] == [f"{a} of {b}" for a in (1, 2) for b in range(3)]
    assert str(board).startswith("2 of 0")
    assert "<legend>one</legend>" in html
    assert html.count("<input") == html.count("<label>") == 5
    assert re.findall(r'name="(.)" value="(.)" checked', html) == [("0", "1"), ("1", "0")]
    assert html.count("{ display: block }") == 6
    assert '.labkit-play:has(.of0 :checked[value="1"]):has(.of1 :checked[value="0"]) > .at-1-0 ' in html
    assert html.count(" hidden>") == 5
    assert "<script>" not in html


@pytest.mark.parametrize("jitter", ["none", "full"])
def test_the_load_is_what_the_delays_make_it(jitter):
    """Played through second by second, by a simpler program: the same requests in the same seconds."""
    rng, load = random.Random(1), Counter()
    own = [exponential(base=4, cap=30) for _ in range(60)]
    delay = (lambda each: full_jitter(next(each), rng)) if jitter == "full" else next
    due = [(delay(each), number) for number, each in enumerate(own)]
    while due:
        second, number = min(due)
        due.remove((second, number))
        load[int(second)] += 1
        if load[int(second)] > backoff.SERVED:
            due.append((second + delay(own[number]), number))
    assert backoff.storm(4, 30, jitter, 60) == load
    view = backoff.view(4, 30, jitter, 60)
    assert view.title.startswith(f"All 60 are served in second {max(load)}: {load.total()} requests")
    drawn = {bar.start: bar.kind for bar in view.lanes[0].bars}
    assert drawn == {s: "bad" if n > 10 else "good" for s, n in load.items() if s < backoff.SHOWN}


@pytest.mark.parametrize(
    ("seconds", "stall", "said"),
    [
        (60, 50, "in time: its write counts"),
        (60, 70, "after its lease, and before B looked: its write counts"),
        (60, 100, "when B had the task: A's write is refused, and B's counts"),
        (30, 50, "when B had the task: A's write is refused, and B's counts"),
        (120, 100, "in time: its write counts"),
    ],
)
def test_the_zombie_is_refused_by_the_database(seconds, stall, said):
    """Whose result counts is what `claims.finish` says."""
    view = lease.view(seconds, stall)
    assert said in view.title
    a, b, _ = view.lanes
    assert a.bars[-1].kind == ("bad" if "refused" in said else "good")
    assert bool(b.bars) is ("B had the task" in said)


NAMES = ("create_dns", "deploy_container")


def make_both():
    """Two things, or what a new process makes of them."""
    for name in NAMES:
        try:
            tool(name, service="shop", key=step_key("shop", name))
        except ToolError:
            tool("delete_dns", service="shop", key=step_key("shop", "delete_dns"))


@pytest.mark.long
def test_the_board_shows_what_each_crash_leaves(monkeypatch):
    """At death, and after the restart: the world's ledger, not what the program believes."""
    views = []
    monkeypatch.setattr(saga, "play", lambda view, control: views.extend(map(view, control.options)))
    saga.saga_board(make_both, partial(arrange, faults={}), NAMES)
    assert [re.findall(r"(\d) of 2", view.title) for view in views] == [["0", "2"], ["1", "2"], ["2", "2"], ["2", "2"]]
    assert [len(view.lanes[0].bars) for view in views] == [1, 2, 2, 2]
    assert "Killed" in views[1].title
    assert views[1].words(views[1].lanes[0]) == "there when it died; there after the restart"
    assert {bar.kind for lane in views[1].lanes for bar in lane.bars} == {"good", "bad"}


STATE = AgentState(
    id="run-1",
    state="running",
    goal="Put the shop online.",
    plan=("deploy the shop",),
    known_facts=tuple(Fact(key=f"report {n}", value="all is well here") for n in range(9)),
    artifacts=(
        Artifact(artifact_id="log", type="t", summary="the log", bytes=9, step="deploy the shop", excerpt="a\nb"),
    ),
)


@pytest.mark.parametrize("room", [40, 80, 200])
def test_the_meter_counts_what_the_model_is_shown(room):
    """Its parts add up to the tokens of the slice, and what is free to the room."""
    chosen = select_context(STATE, "deploy the shop", room, count_tokens)
    view = window.view(STATE, "deploy the shop", room)
    used = count_tokens(chosen.render())
    assert view.title.startswith(f"{used} of {room} tokens: {len(chosen.facts)} of 9 facts")
    bars = [bar for lane in view.lanes for bar in lane.bars]
    assert sum(bar.end - bar.start for bar in bars if bar.kind == "good") == used
    assert max(bar.end for bar in bars) == room or used == room


def test_what_does_not_fit_is_said():
    """The error of `select_context`, in place of a window."""
    view = window.view(STATE, "deploy the shop", 5)
    assert "Nothing can be shown" in view.title
    assert view.lanes[0].bars[0].kind == "bad"


def test_its_colours_are_told_apart_from_what_is_behind_them():
    """By WCAG 2, at least 3 to 1 on white and on black; text has the colour of its surroundings."""
    style = (Path(play.__file__).parent / "templates/pieces.css").read_text("utf-8")
    marks = re.findall(r"fill: (#\w{6})", style)
    assert len(marks) == 3
    assert min(contrast(mark, theme) for mark in marks for theme in ("#ffffff", "#111111")) >= 3
    assert not re.findall(r"(?<![-\w])color:|background", style)


def test_no_piece_is_longer_than_it_may_be():
    """Small enough to be read beside the chapter."""
    folder = Path(play.__file__).parent
    assert [path.name for path in folder.glob("*.py") if len(path.read_text("utf-8").splitlines()) > 120] == []
