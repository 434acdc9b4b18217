"""A verdict in a live notebook: each case as it is judged, what broke it, the line, and hints that come one by one."""

from collections import Counter
from html.parser import HTMLParser

import nbformat
import pytest
from nbclient import NotebookClient

from labkit.grading.judge.beside import JudgeFailedError
from labkit.grading.judge.criteria import find
from labkit.grading.judge.judge import Result, Status, Verdict
from labkit.grading.judge.request import News
from labkit.grading.notebook.submission import Submission
from labkit.grading.verdict_view import REPLAY, Shown, code, live

EXERCISE, CASES = find("01")
EVIL = "<script>alert(1)</script>\"'&\x1b[31m"
SAVE = "# answer: save_task\ndef save_task(task, path):\n    path.write_text('')\n"


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, _):  # noqa: D102 - of HTMLParser
        self.found.append(tag)


def verdict(case=CASES[0], status=Status.FAIL, said="it broke", where="save_task, line 3: path.write_text('')"):
    """A verdict on a case."""
    found = Verdict.of(case, status, said)
    found.where, found.next, found.score = where, case.next, said
    return found


def view(failed=None, answers=None, page=""):
    """A view on exercise 1 whose first case failed; what it showed, one after the other."""
    shown = Shown(
        EXERCISE, CASES, Submission(answers=answers or {"save_task": SAVE}), Counter() if failed is None else failed
    )
    said = []
    shown.handle = type("Handle", (), {"update": lambda _, data, raw: said.append(data)})()

    def judge(tell):
        tell(News(verdict=verdict(), page=page))
        rest = [Verdict.of(case, Status.NOT_JUDGED, "not judged: needs it") for case in CASES[1:]]
        for each in rest:
            tell(News(verdict=each))
        return Result(stem="01_file_storage", title="It", seed=0, verdicts=[verdict(), *rest], notes=["odd"])

    shown.judged(judge)
    return said


@pytest.mark.parametrize("error", [KeyboardInterrupt, JudgeFailedError])
def test_a_check_that_was_stopped_says_so(error):
    """Nothing is left that looks as if it were still being judged, and what is judged stays."""
    shown = Shown(EXERCISE, CASES, Submission(answers={"save_task": SAVE}), Counter())
    said = []
    shown.handle = type("Handle", (), {"update": lambda _, data, raw: said.append(data)})()

    def judge(tell):
        tell(News(verdict=verdict(), page=""))
        raise error

    with pytest.raises(error):
        shown.judged(judge)
    assert said[-1]["text/plain"] == f"stopped: 1 of {len(CASES)} cases judged"
    assert "1 judged; the check was stopped" in said[-1]["text/html"]
    assert not [word for word in ("judging …", "waiting …") if word in said[-1]["text/html"]]
    assert said[-1]["text/html"].count("not judged") == len(CASES) - 1
    assert "it broke" in said[-1]["text/html"]


def test_each_case_is_shown_as_it_is_judged():
    """First all wait but one; then each has its verdict, and what is left says so."""
    before, first, *_, last = view()
    assert before["text/html"].count("waiting …") == len(CASES) - 1
    assert before["text/html"].count("judging …") == 1
    assert "1 judged" in first["text/html"]
    assert first["text/html"].count("waiting …") == len(CASES) - 2
    assert not any(word in last["text/html"] for word in ("waiting …", "judging …", "1 judged"))
    assert "Note: odd" in last["text/html"]
    assert last["text/plain"].startswith("01 It: 0 of 6 cases met\nFAIL  saves_whole")


def test_a_failed_case_shows_its_line_its_picture_and_closed_hints():
    """The line that the verdict names is marked by more than colour."""
    shown = view(page="<b>the picture</b>")[-1]["text/html"]
    assert "<mark>→    3      path.write_text(&#39;&#39;)</mark>" in shown
    assert "<b>the picture</b>" in shown
    assert shown.count("Hint 1 of 3") == 1
    assert "<details><summary>Hint 1 of 3" in shown


def test_a_case_that_fails_again_and_again_is_helped_more_each_time():
    """The third time with its replay, then with a hint, then with the next; a case that is met begins anew."""
    failed, seen = Counter(), []
    for _ in range(5):
        wanted = Shown(EXERCISE, CASES, Submission(), failed).wanted["replayed"]
        seen.append((wanted, view(failed)[-1]["text/html"].count("<details open><summary>Hint")))
    assert [(sorted(wanted), hints) for wanted, hints in seen] == [
        ([], 0), ([], 0), (["saves_whole"], 0), (["saves_whole"], 1), (["saves_whole"], 2),
    ]  # fmt: skip
    assert REPLAY == 3
    shown = Shown(EXERCISE, CASES, Submission(), failed)
    shown.handle = type("Handle", (), {"update": lambda *_, **__: None})()
    shown._told(News(verdict=verdict(status=Status.PASS)))
    assert failed["01.saves_whole"] == 0


def test_how_it_is_done_stands_behind_the_last_hint_and_behind_what_is_met():
    """Folded up, and open only for who has had all hints and failed again."""
    closed, opened = "<details><summary>How it is done", "<details open><summary>How it is done"
    shown = [view(Counter({"01.saves_whole": failed}))[-1]["text/html"] for failed in (0, REPLAY + 2, REPLAY + 3)]
    assert [(html.count(closed), html.count(opened)) for html in shown] == [(1, 0), (1, 0), (0, 1)]
    assert shown[0].index("Hint 3 of 3") < shown[0].index("How it is done")
    met = Shown(EXERCISE, CASES, Submission(), Counter())
    met.rows["saves_whole"].verdict = verdict(status=Status.PASS)
    assert "the file holds neither of them" in met.html()
    assert "Hint" not in met.html()


@pytest.mark.parametrize("status", Status)
def test_what_a_student_wrote_is_never_markup(status):
    """In no field of a verdict, in no line of an answer, in no note."""
    found = []
    for text in ("x" * len(EVIL), EVIL):
        shown = Shown(EXERCISE, CASES[:1], Submission(answers={"save_task": f"{text}\n{text}"}), Counter())
        shown.handle = type("Handle", (), {"update": lambda *_, **__: None})()
        told = verdict(status=status, said=text, where=f"line 2: {text}")
        shown._told(News(verdict=told))
        html = shown.html(Result(stem="01_it", title="It", seed=0, verdicts=[told], notes=[text]))
        found.append(Tags(html).found)
        assert "\x1b" not in html
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ("save_task, line 3: path.write_text('')", [1, 2, 3, 4]), ("line 3: other", []), ("", []), ("line 99: x", []),
        ("line 1: # answer: save_task", [1, 2, 3, 4]), ("line 4: ", []),
    ],
)  # fmt: skip
def test_the_line_is_shown_only_if_the_answer_has_it(where, numbers):
    """A line that says something else there is of another cell, or of nobody."""
    assert [number for number, *_ in code(verdict(where=where), CASES[0], {"save_task": SAVE})] == numbers


def test_nobody_looks_at_a_test_or_a_script():
    """Then a check prints text."""
    assert not live()


@pytest.mark.parametrize("progress", ["on", "off"])
def test_a_check_shows_its_view_in_a_live_notebook_and_text_where_nobody_looks(progress, monkeypatch, tmp_path):
    """One line of error in both; the committed outputs and nbval's are of the second kind."""
    monkeypatch.setenv("LABKIT_PROGRESS", progress)
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    source = 'from labkit import check\ncheck("01.saves_whole")'
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}, allow_errors=True).execute()
    shown, error = notebook.cells[0].outputs
    text = "01 File storage: 0 of 1 cases met\nFAIL  saves_whole  a crash leaves"
    if progress == "on":
        assert shown.data["text/plain"].startswith(text)
        assert "✕ failed" in shown.data["text/html"]
        assert shown.metadata == {}
    else:
        assert shown.output_type == "stream"
        assert shown.text.startswith(text)
    assert error.traceback == ["CriteriaNotMet: 0 of 1 cases met; failed: saves_whole"]
