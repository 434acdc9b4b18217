"""What is wrong in one answer costs the cases that need it, and no others; what was tried out costs nothing."""

import pytest

from labkit import trial
from labkit.grading.judge.criteria import exercises
from labkit.grading.judge.judge import Status, judge
from labkit.grading.judge.program import Program
from labkit.grading.judge.rebuild import rebuild
from labkit.grading.judge.source import Source, statements
from labkit.grading.notebook.cells import read_notebook
from labkit.grading.notebook.language import as_python
from labkit.grading.notebook.submission import submission_from
from labkit.repository import root

BACKOFF = exercises()["03_backoff"]
ANSWER = "def answer():\n    return 7\n"
TRIED = {
    "an error": "raise_this = answer() / 0",
    "a name that is not there": "print(missing)",
    "check without its import": "answer(check('03'), 1)",
    "input": "number = int(input('how many? '))",
    "what input was for": "number = int(input('how many? '))\nprint(number)",
    "an assertion": "assert answer() == 8",
    "a loop": "for number in range(3):\n    print(number / 0)",
    "sys.exit": "import sys\nsys.exit(1)",
    "quit": "raise SystemExit",
    "an await": "await answer()",
    "a module that is not there": "import no_such_module",
    "a line of main": "if __name__ != '__main__':\n    answer(1)",
    "what only notebooks have": "display(answer())\nget_ipython().run_line_magic('matplotlib', 'inline')\nanswer(1)",
}


def program(text):
    """The program of one answer."""
    return Program((Source("<answer answer>", text, "answer", any(each.tries for each in statements(text, "answer"))),))


def value(text):
    """What the answer returns in a child; and what of it failed and was skipped."""
    made = program(text)
    seen = trial(lambda: [made["answer"](), [each["line"] for each in made.skipped()]])
    return seen.value if seen.how == "returned" else str(seen.failure)


@pytest.mark.parametrize("tried", TRIED)
def test_what_tries_something_out_below_costs_nothing(tried):
    """It is skipped, and its line is told."""
    text = f"{ANSWER}\n{TRIED[tried]}\n"
    assert program(text).errors() == {}
    got, skipped = value(text)
    assert got == 7
    assert min(skipped) > 3


def test_what_does_not_fail_is_run():
    """A line below a function may be part of the answer."""
    assert value("SEEN = []\ndef answer():\n    return SEEN\n\nSEEN.append(1)\n") == [[1], []]


@pytest.mark.parametrize(
    "text",
    [
        f"1 / 0\n{ANSWER}",
        "def answer():\n    return TABLE\n\nTABLE = 1 / 0\n",
        "def answer():\n    return helper()\n\n@no_such_decorator\ndef helper():\n    return 1\n",
        "import no_such_module\ndef answer():\n    return 1\n",
        "answer = 1 / 0\n",
        f"{ANSWER}answer = answer.missing\n",
    ],
)
def test_what_the_answer_needs_must_not_fail(text):
    """Above the function, or used in it: the answer has failed, with the error that it had."""
    assert "Error" in value(text)


def test_a_call_of_an_answer_that_failed_raises_its_error():
    """Another answer that calls it tells why it is not there."""
    sources = (
        Source("<answer first>", "1 / 0\ndef first():\n    return 1\n", "first"),
        Source("<answer second>", "def second():\n    return 2\n", "second"),
        Source("<answer third>", "def third():\n    return first()\n", "third"),
        Source("<answer fourth>", "def fourth(:\n", "fourth"),
    )
    made = Program(sources)
    assert trial(lambda: [made["second"]()]).value == [2]
    assert "ZeroDivisionError" in trial(lambda: [made["third"]()]).failure
    assert list(made.errors()) == ["<answer fourth>"]


def test_given_code_that_fails_is_no_answers_fault():
    """It is told as it is."""
    made = Program((Source("<given 1>", "1 / 0\n"), Source("<answer answer>", ANSWER, "answer")))
    assert "ZeroDivisionError" in trial(lambda: [made["answer"]()]).failure


def statuses(name, source):
    """How the cases of exercise 3 stand when one answer of the solution is this."""
    submission = submission_from(read_notebook(root() / "solutions" / "03_backoff.ipynb"), {})
    submission.answers[name] = source
    result = judge(BACKOFF, submission, BACKOFF.cases)
    return {each.case: each.status for each in result.verdicts}, result.notes


@pytest.mark.parametrize("broken", ["def full_jitter(:\n", "import nothing_of_this_name\ndef full_jitter(): pass\n"])
def test_a_broken_answer_costs_its_own_cases(broken):
    """Neither a syntax error nor an error at the top touches the other answers."""
    found, _ = statuses("full_jitter", f"# answer: full_jitter\n{broken}")
    assert {case for case, status in found.items() if status is not Status.PASS} == {"spreads"}


def test_a_failing_line_below_an_answer_is_noted():
    """By its answer and its line."""
    stub = rebuild(BACKOFF, submission_from(read_notebook(root() / "solutions" / "03_backoff.ipynb"), {}))
    text = next(source.text for source in stub.sources if source.answer == "full_jitter")
    found, notes = statuses("full_jitter", f"{text}\n\nfull_jitter(1)\n")
    assert set(found.values()) == {Status.PASS}
    (note,) = notes
    assert note.startswith("in the answer full_jitter: line ")
    assert note.endswith("which tries something out, raised TypeError; it does not count")


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("def f():\n    return 1\n%matplotlib inline\n", "def f():\n    return 1"),
        ("%load_ext autoreload\n%autoreload 2\ndef f():\n    return 1\n", "def f():\n    return 1"),
        ("def f():\n    files = !ls\n    return 1\n", "files = get_ipython().getoutput('ls')"),
        ("%time x = 3\n", "x = 3"),
        ("%%timeit -n 3\nx = 3\n", "x = 3"),
    ],
)
def test_magics_become_python_of_as_many_lines(source, kept):
    """So that a report names the line that the student sees."""
    changed, notes = as_python(source)
    assert kept in changed
    assert changed.count("\n") == source.count("\n")
    assert all("exists only in notebooks" in note for note in notes)
    assert notes


@pytest.mark.parametrize("magic", ["bash", "writefile double.py", "html", "javascript", "R"])
def test_what_stands_below_another_languages_magic_is_no_python(magic):
    """It is said, and nothing is guessed."""
    source = f"%%{magic}\ndef f(): return 1\n"
    changed, (note,) = as_python(source)
    assert changed == source
    assert f"`%%{magic.split()[0]}`" in note
