"""How a sweep is looked at: margin marks, line by line, the player, the picture. Each tells what really happened."""

import json
import os
from pathlib import Path

import ipywidgets
import pytest

from labkit.crash import POWER_CUT, sweep
from labkit.crash.report.picture import timeline
from labkit.crash.report.player import player


def write_old() -> None:
    Path("task.json").write_text("{}")


def load() -> dict:
    return json.loads(Path("task.json").read_text())


def save(number: int) -> None:
    text = json.dumps({"number": number})
    with open("task.json", "w") as file:
        file.write(text)


def run() -> None:
    save(7)
    os.mkdir("done")


def invariant(seen) -> None:
    assert seen.state in ({}, {"number": 7})


REPORT = sweep(run, load, invariant, write_old, power=True)
DEF = save.__code__.co_firstlineno


def test_the_margin_marks_the_lines_after_which_a_crash_breaks_it():
    """X where some crash after an effect of that line does harm, a dot where none does, each function once."""
    marks = {line[8:].split("  ", 1)[-1].strip(): line[2] for line in REPORT.source().splitlines() if line}
    assert marks['with open("task.json", "w") as file:'] == "X"
    assert marks["file.write(text)"] == " "
    assert marks['os.mkdir("done")'] == "X"
    calm = sweep(lambda: os.mkdir("done"), lambda: None, lambda seen: None)
    assert calm.source().startswith("  · ")


def test_stepping_shows_lines_variables_and_effects_up_to_the_crash_point():
    """Every line of the program in the order it ran, what changed, and each effect where it happened."""
    assert str(REPORT.step(1)).splitlines() == [
        f"crash point 1. Killed after line {DEF + 2} had done open-truncate task.json, before write task.json",
        "",
        f"  {DEF + 7:4}      save(7)",
        "            number = 7",
        f'  {DEF + 1:4}      text = json.dumps({{"number": number}})',
        """            text = '{"number": 7}'""",
        f'  {DEF + 2:4}      with open("task.json", "w") as file:',
        "            ⇒ open-truncate task.json",
        "            file = <_io.TextIOWrapper name='tas...n' mode='w' encoding='UTF-8'>",
        f"  {DEF + 3:4}          file.write(text)",
        f'  {DEF + 2:4}      with open("task.json", "w") as file:',
        "",
        "files at this point",
        "  task.json  (empty)",
    ]
    with pytest.raises(ValueError, match="there is no crash point 9: choose 0 to 4"):
        REPORT.step(9)


def test_the_player_shows_the_crash_point_that_its_slider_names(capsys):
    """It begins at the smallest counterexample; each position is a crash done for real."""
    widget = player(REPORT, REPORT.replay)
    (slider, model), _ = widget.children[0].children, widget.children[1]
    assert isinstance(slider, ipywidgets.IntSlider)
    assert (slider.value, slider.max) == (1, len(REPORT.points) - 1)
    assert "task.json  (empty)" in capsys.readouterr().out
    slider.value = 2
    assert "crash point 2. Killed" in capsys.readouterr().out
    model.value = POWER_CUT
    assert "crash point 2. Power cut" in capsys.readouterr().out
    slider.value = 0
    assert "At crash point 0 everything is durable: a power cut loses nothing." in capsys.readouterr().out


def test_a_report_and_a_replay_are_a_page_a_picture_and_text(capsys, monkeypatch):
    """A notebook chooses what it can show; nbval compares page and text, which say the same each time."""
    shown = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda *data: shown.append(data))
    REPORT._ipython_display_()
    REPORT._ipython_display_()
    (data, metadata), again = shown
    assert data == again[0]
    assert {*data} == {"text/html", "image/png", "text/plain"}
    assert metadata == {"image/png": {"alt": REPORT.verdict}}
    assert data["text/plain"] == f"{REPORT.verdict}\n{REPORT.table()}"
    assert "what the crash left" in data["text/html"]
    assert capsys.readouterr().out == f"{REPORT.explanation()}\n" * 2
    assert "what the crash left" in REPORT.replay(1)._repr_html_()


def test_a_report_is_plain_data_on_request():
    """It goes through JSON and back unchanged."""
    data = REPORT.to_json()
    assert json.loads(json.dumps(data)) == data
    assert [point["survives"] for point in data["points"]] == [point.survives for point in REPORT.points]


@pytest.mark.parametrize("effects", [1, 12, 60])
def test_every_report_has_a_picture(effects):
    """Roomy, tilted or crowded, with or without a second lane, always as wide as a notebook's column."""

    def make_folders() -> None:
        for number in range(effects):
            os.mkdir(str(number))

    report = sweep(make_folders, lambda: None, lambda seen: None, power=effects == 12)
    image = timeline(report)
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20], "big") == 900
