"""A report as HTML: no script, nothing from outside, nothing of a stranger's as markup, and readable by its words."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labkit.crash.asked import Failure, Left, PointLeft
from labkit.crash.lines import Line
from labkit.crash.report import kept, page
from labkit.crash.report.findings import KILLED, POWER_CUT, Effect, Findings
from labkit.crash.report.replay import Replay
from labkit.crash.report.report import Report
from labkit.world import Call

EVIL = "<script>alert('x')</script>\"'&<img src=x onerror=alert(1)>\x1b[31m\0\u202e"
STYLE = (Path(page.__file__).parent / "templates" / "style.css").read_text()


class Parsed(HTMLParser):
    """The tags of a page, its attributes, and its text without the style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text, self.quiet = [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attributes):  # noqa: D102 - of HTMLParser, as the next two
        self.tags.append(tag)
        self.attributes += attributes
        self.quiet = tag == "style"

    def handle_endtag(self, _):  # noqa: D102
        self.quiet = False

    def handle_data(self, data):  # noqa: D102
        self.text += "" if self.quiet else data


def found(text: str = "it", points: int = 3) -> Report:
    """A report whose every text is `text`, and whose crash points break but the first."""
    said = [Failure(text, "AssertionError"), Failure(text, text, [["nowhere.py", text, 1]])]
    calls = [{"tool": "charge", "arguments": {"customer": text, "amount": text}}]
    lost = [
        Left(role, failure, {text: text}, {text: f"{text}!"}, calls, text, model, text, again=text, stranger=7)
        for role, failure, model in (("invariant", said[0], KILLED), ("recover", said[1], POWER_CUT))
    ]
    fine = replace(lost[0], failure=None)
    line = Line("nowhere.py", text, 3)
    effects = [Effect("tool" if k == 1 else "write", text, line) for k in range(points - 1)]
    left = [PointLeft(k, [fine] if k == 0 else lost, text) for k in range(points)]
    return Report(text, effects, kept.points(left), power=True, ignored=(text,), native=(text,))


@pytest.mark.parametrize("points", [3, 40])
def test_what_a_program_printed_or_named_is_never_markup(points):
    """Text of a stranger in every field: it is shown as text, and what is not seen is taken out."""
    plain, evil = page.report(found("x" * len(EVIL), points)), page.report(found(EVIL, points))
    assert Parsed(evil).tags == Parsed(plain).tags
    assert {name for name, _ in Parsed(evil).attributes} == {name for name, _ in Parsed(plain).attributes}
    assert "<script>alert('x')</script>" in Parsed(evil).text
    assert not {"\x1b", "\0", "\u202e"} & set(evil)


def test_nor_in_a_replay():
    """The same holds for one crash point, run again."""
    shown = [
        Replay(text, {text: text}, {text: f"{text}!", "new": text}, [Call("charge", {"customer": text})], text, text)
        for text in ("it", EVIL)
    ]
    plain, evil = (each._repr_html_() for each in shown)
    assert Parsed(evil).tags == Parsed(plain).tags


def test_it_needs_no_script_and_nothing_from_outside():
    """No script, no address, no id that another output might share."""
    shown = Parsed(page.report(found(points=40)))
    assert not {"script", "iframe", "img", "link", "a", "form", "input"} & {*shown.tags}
    assert not {name for name, _ in shown.attributes if name.startswith("on") or name in {"src", "href", "id", "style"}}
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_it_is_the_same_each_time():
    """Nothing in it hangs on the moment or on chance: nbval compares it."""
    assert page.report(found()) == page.report(found())


def test_its_words_say_what_its_colours_say():
    """Without style and SVG, as in a notebook that is not trusted, each row still says what breaks where."""
    text = " ".join(Parsed(page.report(found("it"))).text.split())
    assert "0 process killed: ○ survives; power cut: ○ survives; before write it" in text
    assert "1 process killed: ✕ breaks; power cut: ✕ breaks; before tool it after line 3" in text
    assert "✕ breaks Killed after line 3 had done write it, before tool it" in text
    assert "changed: it!" in text
    many = " ".join(Parsed(page.report(found("it", 40))).text.split())
    assert "1–39 process killed: ✕ breaks at 1–39; power cut: ✕ breaks at 1–39; it 39 of 39 break it" in many


def test_a_report_that_explored_nothing_has_its_verdict_alone():
    """Nothing to open is offered."""
    shown = Parsed(page.report(Findings("it", [], [], problem="it raised")))
    assert "it: not explored" in shown.text
    assert "details" not in shown.tags


def luminance(colour: str) -> float:
    """By WCAG 2, of #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    """By WCAG 2: 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_its_colours_are_told_apart_from_what_is_behind_them():
    """Text of its own colour at least 4.5 to 1, in any theme; marks at least 3 to 1 on white and on black."""
    pairs = re.findall(r"background: (#\w{6}); color: (#\w{6})", STYLE)
    assert len(pairs) == 3
    assert min(contrast(*pair) for pair in pairs) >= 4.5
    marks = {*re.findall(r"(?:fill|stroke): (#\w{6})", STYLE)}
    assert len(marks) == 2
    assert min(contrast(mark, theme) for mark in marks for theme in ("#ffffff", "#111111")) >= 3
