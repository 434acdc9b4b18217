"""From a notebook to a verdict: answers are found wherever they are, and nothing a student does writes the verdict."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from labkit.crash import trial
from labkit.crash.preload import BUT, shipped
from labkit.grading.judge.as_text import as_text
from labkit.grading.judge.criteria import Exercise, exercises, find
from labkit.grading.judge.judge import Sitting, Status, judge, judge_notebook
from labkit.grading.judge.rebuild import rebuild
from labkit.grading.notebook.cells import Cell, read_notebook
from labkit.grading.notebook.names import names_defined
from labkit.grading.notebook.submission import Submission, submission_from
from labkit.repository import UsageError, root

EXERCISE, CASES = find("01")
SOLUTION = root() / "solutions" / "01_file_storage.ipynb"
QUICK = [case for case in CASES if case.id == "reports_corrupt"]


def edited(tmp_path: Path, change) -> Path:
    """The solution's notebook after `change(cells)`, in a folder of its own."""
    notebook = json.loads(SOLUTION.read_text())
    change(notebook["cells"])
    path = tmp_path / "submission.ipynb"
    path.write_text(json.dumps(notebook))
    return path


def cell_of(cells: list[dict], name: str) -> dict:
    """The answer cell with this name."""
    return next(cell for cell in cells if "".join(cell["source"]).startswith(f"# answer: {name}"))


def test_an_answer_is_found_by_its_marker_wherever_it_is(tmp_path):
    """Moved, renumbered and retagged cells count as they are."""

    def shuffle(cells: list[dict]) -> None:
        cells.reverse()
        for number, cell in enumerate(cells):
            cell["id"], cell["metadata"] = f"x{number}", {"tags": ["skip", "raises-exception"]}

    result = judge_notebook(EXERCISE, edited(tmp_path, shuffle), QUICK)
    assert [verdict.status for verdict in result.verdicts] == [Status.PASS]


def test_an_answer_without_its_marker_is_found_by_cell_id(tmp_path):
    """And the report says so."""

    def unmark(cells: list[dict]) -> None:
        cell = cell_of(cells, "load_task")
        cell["source"] = "".join(cell["source"]).partition("\n")[2]

    result = judge_notebook(EXERCISE, edited(tmp_path, unmark), QUICK)
    assert result.verdicts[0].status is Status.PASS
    assert result.notes == ["the line `# answer: load_task` is gone; its cell was found by its id"]


def test_of_two_answers_the_last_counts_and_the_report_says_so(tmp_path):
    """No silent choice."""

    def double(cells: list[dict]) -> None:
        cells.append(
            {**cell_of(cells, "load_task"), "source": "# answer: load_task\ndef load_task(path):\n    return 1\n"}
        )

    result = judge_notebook(EXERCISE, edited(tmp_path, double), QUICK)
    assert result.verdicts[0].status is Status.FAIL
    assert "there are two cells `# answer: load_task`; the last one counts" in as_text(result)


@pytest.mark.long
def test_a_missing_answer_cell_is_named(tmp_path):
    """It costs the cases that need it, and no others."""
    path = edited(tmp_path, lambda cells: cells.remove(cell_of(cells, "resume")))
    result = judge_notebook(EXERCISE, path, CASES)
    told = {verdict.case: verdict for verdict in result.verdicts}
    assert told["saves_whole"].status is Status.PASS
    assert told["resumes"].what.startswith("The cell `# answer: resume` is missing")


def test_changed_given_and_check_cells_change_nothing(tmp_path):
    """The judged program has the instructor's given cells, whatever the student made of them."""

    def sabotage(cells: list[dict]) -> None:
        for cell in cells:
            if "given" in cell["metadata"].get("tags", []) or "check(" in "".join(cell["source"]):
                cell["source"] = "class CorruptState(Exception): pass\ncheck = print\n"

    result = judge_notebook(EXERCISE, edited(tmp_path, sabotage), QUICK)
    assert result.verdicts[0].status is Status.PASS


def test_a_case_whose_need_is_unmet_is_not_judged():
    """And says which case it needs."""
    submission = submission_from(read_notebook(SOLUTION), {})
    submission.answers["save_task"] = '# answer: save_task\ndef save_task(task, path):\n    open(path, "w")\n'
    result = judge(EXERCISE, submission, [case for case in CASES if case.id == "resumes"])
    assert [(v.status, v.what) for v in result.verdicts] == [(Status.NOT_JUDGED, "not judged: needs saves_whole")]


def test_a_case_is_judged_once_in_a_sitting(monkeypatch):
    """However often its verdict is needed, and after those that it depends on."""
    judged = []
    judges = {case.id: partial(lambda name, *_: judged.append(name), case.id) for case in CASES}
    monkeypatch.setattr(Exercise, "judges", lambda _: judges)
    sitting = Sitting(EXERCISE, submission_from(read_notebook(SOLUTION), {}))
    for case in [*reversed(CASES), *CASES]:
        assert sitting.verdict(case).status is Status.PASS
    assert sorted(judged) == sorted(judges)
    for case in CASES:
        assert all(judged.index(needed) < judged.index(case.id) for needed in case.depends_on)


def test_the_program_is_given_cells_and_answers_in_the_instructors_order():
    """Nothing else of the submission is in it."""
    submission = Submission(answers={"resume": "# answer: resume\n1"}, elsewhere={"helper"})
    files = [source.file for source in rebuild(EXERCISE, submission).sources]
    order = ["<given 1>", "<answer save_task>", "<answer load_task>", "<given 4>", "<answer resume>"]
    assert files == order


def test_the_judge_never_runs_a_students_code_in_its_own_process():
    """Code at the top of an answer cell runs in children only."""
    submission = submission_from(read_notebook(SOLUTION), {})
    submission.answers["load_task"] += f"\nassert os.getpid() != {os.getpid()}\n"
    assert judge(EXERCISE, submission, QUICK).verdicts[0].status is Status.PASS


@pytest.mark.slow
def test_verdicts_are_the_same_every_time():
    """Ten judgements of a wrong answer say the same to the letter."""
    submission = submission_from(read_notebook(SOLUTION), {})
    submission.answers["load_task"] = "# answer: load_task\ndef load_task(path):\n    return {'seen': object()}\n"
    assert len({as_text(judge(EXERCISE, submission, QUICK)) for _ in range(10)}) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no notebook"),
        ("{", "is not a notebook"),
        ("[]", "is not a notebook"),
        ('{"cells": 1}', "is not"),
    ],
)
def test_a_damaged_notebook_is_one_clear_line(tmp_path, content, complaint):
    """Its name and what is wrong with it."""
    path = tmp_path / "broken.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=complaint) as caught:
        read_notebook(path)
    assert "broken.ipynb" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["01", "1", "01_file_storage"])
def test_an_exercise_has_three_names(name):
    """The number, the short number, the stem; a case is named behind a dot."""
    assert find(name)[0].stem == "01_file_storage"
    assert [case.id for case in find(f"{name}.resumes")[1]] == ["resumes"]


@pytest.mark.parametrize("name", ["99", "", "01.nothing", "../01", "08"])
def test_an_unknown_exercise_names_those_that_exist(name):
    """One line that says what to choose."""
    with pytest.raises(UsageError, match=r"choose from (01|saves_whole)"):
        find(name)


def test_a_report_reads_as_promised():
    """Each verdict begins with a word; what is not met says what, where and what next."""
    submission = submission_from(read_notebook(SOLUTION), {})
    submission.answers["save_task"] = (
        '# answer: save_task\ndef save_task(task, path):\n    with open(path, "w") as file:\n'
        "        file.write(task.model_dump_json())\n"
    )
    submission.answers["resume"] = EXERCISE.stubs["resume"].source
    assert as_text(judge(EXERCISE, submission, CASES)) == (
        "01 File storage: 2 of 6 cases met\n"
        "FAIL  saves_whole         1 of 5 crash points breaks it\n"
        "      What   Killed after line 3 had done open-truncate task.json, before write task.json: task.json\n"
        "             is empty. load_task raised CorruptState: task.json does not hold a task at load_task,\n"
        '             line 13: raise CorruptState(f"{path} does not hold a task") …\n'
        '      Where  save_task, line 3: with open(path, "w") as file:\n'
        '      Next   At that moment, which file could still be read?   hint("01.saves_whole")\n'
        "PASS  keeps_acknowledged  what save_task returned from is there, and what it could not save it reports\n"
        "PASS  reports_corrupt     a damaged file is reported, never taken for a new task\n"
        "TODO  resumes             a restart runs only what the journal lacks\n"
        "TODO  stays_completed     a completed task is returned as it is\n"
        "----  survives_power_cut  not judged: needs saves_whole"
    )


def test_names_are_found_however_they_are_defined():
    """Functions, classes, assignments, imports; a cell that does not parse defines nothing."""
    source = "import os.path, json as j\nfrom a import b\nx, (y, z) = 1, (2, 3)\nclass C: pass\nfor i in x: pass"
    source += "\ndef f(): pass"
    assert names_defined(source) == {"os", "j", "b", "x", "y", "z", "f", "C", "i"}
    assert names_defined("%%time\nx = 1") == set()


def test_a_marker_is_the_first_line_of_a_cell():
    """A marker further down is text like any other."""
    assert Cell("\n# answer: save_task\nx = 1").answer == "save_task"
    assert Cell("x = 1\n# answer: save_task").answer is None


def in_ipython(*cells: str) -> str:
    """What a fresh IPython prints for these cells."""
    program = f"""
import re
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
for cell in {cells!r}:
    shell.run_cell(cell)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, "NO_COLOR": "1"}
    )
    return done.stdout


def test_check_in_a_notebook_judges_the_cells_that_were_run():
    """The last source of each answer cell counts, saved or not, and the verdict is the terminal's."""
    answers = [cell.source for cell in read_notebook(SOLUTION) if cell.answer]
    answers = [cell.source for cell in EXERCISE.cells if not cell.answer][:1] + answers
    wrong = "# answer: load_task\ndef load_task(path): return None"
    said = in_ipython("import labkit\nfrom labkit import check", wrong, *answers, 'check("01.reports_corrupt")')
    assert said.startswith("01 File storage: 1 of 1 cases met\nPASS  reports_corrupt")
    said = in_ipython("import labkit\nfrom labkit import check", *answers, wrong, 'check("01.reports_corrupt")')
    assert "For an empty file, load_task returned None; expected CorruptState" in " ".join(said.split())
    assert said.rstrip().endswith("CriteriaNotMet: 0 of 1 cases met; failed: reports_corrupt")
    assert "Traceback" not in said


def test_a_kernel_cannot_talk_its_judge_into_a_verdict():
    """Patching the standard library or the judge in the kernel changes nothing: the judge is another process."""
    attack = (
        "import os, sys, labkit.grading.judge.judge\n"
        "labkit.grading.judge.judge.judge = lambda *a: 1/0\nos.replace = None\n"
        "class Yes:\n    __eq__ = lambda *a: True\nos.environ['PYTHONPATH'] = '/nowhere'"
    )
    wrong = "# answer: load_task\ndef load_task(path): return None"
    answers = [cell.source for cell in EXERCISE.cells if not cell.answer][:1]
    answers += [cell.source for cell in read_notebook(SOLUTION) if cell.answer]
    said = in_ipython("from labkit import check", *answers, wrong, attack, 'check("01.reports_corrupt")')
    assert "0 of 1 cases met" in said


def test_hints_come_one_by_one():
    """The last one stays; a question about nothing is one line."""
    said = in_ipython("from labkit import hint", *['hint("01.reports_corrupt")'] * 4, 'hint("01")', 'hint("01.x")')
    assert re.findall(r"Hint (\d) of 3", said) == ["1", "2", "3", "3"]
    assert said.splitlines()[-2:] == [
        'name a case, as in hint("01.saves_whole")',
        f"exercise 01 has no case x: choose from {', '.join(case.id for case in CASES)}",
    ]


def test_a_case_can_be_explained():
    """Each case of the course has a small case worked through. Without a name of a case it says what to ask for."""
    said = in_ipython("from labkit import explain", 'explain("01.saves_whole")', 'explain("01")')
    assert "the file holds neither of them" in said
    assert said.splitlines()[-1] == 'name a case, as in explain("01.saves_whole")'
    assert not [case.id for exercise in exercises().values() for case in exercise.cases if not case.worked]


def test_what_is_no_name_at_all_is_one_line():
    """A number is what `check(01)` would be for who forgets the quotes."""
    assert in_ipython("from labkit import check", "check(1)").splitlines()[-1] == (
        'name an exercise or a case in quotes, as in check("01"): 1 is no text'
    )


def test_a_judged_process_loads_the_program_and_no_judge():
    """Each process of a sweep would wait for what it loads; what all need is loaded before they are forked."""
    program = rebuild(EXERCISE, submission_from(read_notebook(SOLUTION), {}))

    def judged() -> list[str]:
        assert callable(program["save_task"])
        return sorted(name for name in sys.modules if name.startswith("labkit.grading"))

    loaded = {*trial(judged).value}
    assert not loaded & {"labkit.grading.judge.judge", "labkit.grading.judge.criteria", "labkit.grading.session"}
    assert {"labkit.grading.judge.program", "labkit.grading.judge.source"} <= BUT & loaded & {*shipped()}
