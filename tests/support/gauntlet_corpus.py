"""The wrong answers of all chapters, each sent through a gauntlet with right ones around it."""

from dataclasses import replace

from corpora import CORPORA

from labkit.course.answers import answers_in
from labkit.gauntlet.course import RUNS, Gauntlet, answers_for
from labkit.gauntlet.service.course import RUNS as SERVICE
from labkit.gauntlet.service.course import service_gauntlet
from labkit.grading.judge.criteria import criteria, exercises, read_submission
from labkit.grading.judge.judge import Status, judge
from labkit.grading.notebook.cells import Cell
from labkit.repository import root


def solved():
    """The gauntlet for a student who has solved everything."""
    return Gauntlet(solutions(RUNS))


def solved_service():
    """The same for the service."""
    return replace(service_gauntlet(), answers=solutions(SERVICE))


def solutions(runs):
    """The solutions of the exercises that these runs are made of."""
    known = exercises()
    paths = {stem: root() / "solutions" / f"{stem}.ipynb" for stem in answers_for(runs)}
    return {stem: answers_in(known[stem], read_submission(known[stem], path)) for stem, path in paths.items()}


def wrong_answers():
    """Every wrong answer: its exercise, what it is, the case that it breaks, its cells."""
    for stem in exercises():
        for what, case, _, cells in CORPORA[stem[:2]].WRONG:
            yield stem, what, case, cells


def first_of_each_criterion():
    """For each criterion of the course the first wrong answer that breaks a case of it."""
    found, known = {}, exercises()
    for each in wrong_answers():
        stem, _, broken, _ = each
        found.setdefault(next(case.criterion for case in known[stem].cases if case.id == broken), each)
    return [found[criterion] for criterion in criteria() if criterion in found]


def with_answers(gauntlet, stem, cells):
    """The same gauntlet, with these answers in it."""
    answers = gauntlet.answers[stem]
    given = {Cell(cell.lstrip()).answer: cell.lstrip() for cell in cells}
    taken = replace(answers, yours={**answers.yours, **{name: cell for name, cell in given.items() if name}})
    return replace(gauntlet, answers={**gauntlet.answers, stem: taken})


def row_of(gauntlet, criterion):
    """The row in which the cases of a criterion count."""
    return next(name for name, run in gauntlet.runs.items() if criterion in (run.counts or (name,)))


def complaint(gauntlet, stem, case, cells):
    """What is wrong with the checklist for a wrong answer; empty if it fails where the answer breaks."""
    wrong = with_answers(gauntlet, stem, cells)
    checklist = wrong.checklist()
    failing, exercise = checklist.first_failing, wrong.answers[stem].exercise
    if failing is None:
        return "ready for production"
    order, place = [*gauntlet.runs], [row.criterion for row in checklist.rows].index(failing.criterion)
    states, rest = [row.status for row in checklist.rows], checklist.rows[place + 1 :]
    expected = [Status.PASS] * place + [Status.FAIL] + [Status.NOT_JUDGED] * len(rest)
    if states != expected or {row.what for row in rest} != {f"not judged: needs {failing.criterion}"}:
        return f"the rows are {states}"
    named = row_of(gauntlet, next(each for each in exercise.cases if each.id == case).criterion)
    told = failing.what.removeprefix(f"exercise {exercise.number}, ").partition(":")[0]
    broken = next((each for each in exercise.cases if each.id == told), None)
    if broken is None or order.index(row_of(gauntlet, broken.criterion)) > order.index(named):
        return f"it breaks {named}, and {failing.criterion} failed: {failing.what}"
    verdict = judge(exercise, wrong.answers[stem].submission(), [broken]).verdicts[0]
    if row_of(gauntlet, broken.criterion) != failing.criterion or verdict.status is not Status.FAIL:
        return f"{failing.criterion} failed by {told}, of which the judge says {verdict.status}"
    return ""
