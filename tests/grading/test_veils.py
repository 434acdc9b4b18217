"""Where names are hidden, no page and no list for a second grader gives one away."""

import re

import pytest
from own_class import RIGHT, WRONG, everything, hand_in, make_criteria, quickly

from labkit.cli import main
from labkit.grading.gradebook.results import Grade
from labkit.grading.gradebook.veils import pseudonyms, veiled

POLICY = """
anonymous = true
[roster]
"Ada Lovelace" = { canvas = 4711, sis = "S0815", login = "alove@example.edu" }
"Bob Boole" = { names = ["bboole"] }
[late]
per_day = 0.1
[due]
90 = 2026-10-12T12:00:00
[sample]
students = 9
[[overrides]]
student = "Bob Boole"
of = "90"
comment = "Bob Boole and ADA LOVELACE worked together."
by = "Grace"
"""
NAMES = re.compile(r"lovelace|\bada|alove|4711|s0815|boole|bob|twombly|922|\beve_", re.IGNORECASE)
LONG = RIGHT + "".join(f"\n\ndef step_{n}(x):\n    return [x + {n}, x * {n}]\n" for n in range(9))


@pytest.mark.long
def test_no_page_gives_a_name_away(tmp_path, monkeypatch):
    """Not by notes, names of files, alike answers, comments or links; nor by what the pages are called."""
    quickly(monkeypatch)
    monkeypatch.chdir(tmp_path)
    make_criteria(tmp_path / "criteria")
    hand_in(tmp_path / "class", ".", LONG, "lovelaceada_LATE_4711_12_90_double.ipynb.txt")
    (tmp_path / "class/lovelaceada_LATE_4711_13_holiday of Lovelace.ipynb").write_text("{")
    hand_in(tmp_path / "class", "bboole", LONG, "bboole_BOB_90_double.ipynb.json")
    (tmp_path / "class/bboole/ada lovelace.ipynb").write_text("{")
    hand_in(tmp_path / "class", "Cy Twombly_922_assignsubmission_file_", WRONG, "twombly_cy.ipynb.txt")
    hand_in(tmp_path / "class", ".", WRONG, "eve_90_double.ipynb").write_text("")
    (tmp_path / "book").mkdir()
    (tmp_path / "book/policy.toml").write_text(POLICY)
    assert main(["grade", "class", "--out", "book", "--criteria", "criteria", "--jobs", "1", "--trust"]) == 0
    files = everything(tmp_path / "book")
    pages = {name: data.decode() for name, data in files.items() if name.endswith(".html") or name == "sample.csv"}
    assert len(pages) == 6
    assert "alike: " in pages["class.html"]
    assert {name: NAMES.findall(name + text) for name, text in pages.items()} == {name: [] for name in pages}
    assert "Ada Lovelace" in files["canvas.csv"].decode()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("ada", "ada_03.ipynb is not named .ipynb"),
        ("Ada Lovelace", "lovelaceada_4711_12.ipynb counts"),
        ("Ada Lovelace", "ADA-LOVELACE/x.ipynb counts"),
        ("Ada Lovelace", "s05/Lovelace final.ipynb counts"),
    ],
)
def test_a_name_is_found_however_a_file_has_it(name, note):
    """Between underscores, in another order or case, or the surname alone; the rest is as it was."""
    grade = Grade.of(name, [], [], [note], {})
    (shown,) = veiled(grade, pseudonyms([grade])).notes
    assert not re.search("ada|lovelace", shown, re.IGNORECASE)
    assert shown.split()[-1] == note.split()[-1]
