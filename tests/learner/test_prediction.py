"""A prediction is asked before the outcome is shown; the first one counts, is kept, and never blocks."""

import pytest

from labkit import predict
from labkit.learner import state
from labkit.learner.prediction import Prediction
from labkit.repository import UsageError


class Picture:
    """Something that shows itself, as a report does."""

    def _ipython_display_(self):
        raise NotImplementedError


def ask():
    """A question, as a chapter asks it."""
    return predict("How many?", 0, 5)


def said(capsys):
    """What was printed since."""
    return capsys.readouterr().out


def test_without_a_reader_all_is_plain_text(work, capsys):
    """nbval, scripts and GitHub see the question and what came out, the same every time; nothing is kept."""
    for _ in range(2):
        ask().reveal(1, "a line", 3)
        assert said(capsys) == "How many? From 0 to 5.\nIt is 1 of 5.\na line\n3\n"
    assert not work.exists()


@pytest.mark.parametrize(
    ("guess", "sentence"),
    [(0, "You predicted 0; it is 1 of 5. You were off by 1.\n"), (1, "You were right: it is 1 of 5.\n")],
)
def test_who_has_predicted_is_told_how_right(watched, capsys, guess, sentence):
    """And what belongs to the outcome is shown."""
    asked, picture = ask(), Picture()
    asked.answer(guess)
    asked.reveal(1, picture, "more")
    assert said(capsys) == f"{sentence}more\n"
    assert watched[1:] == [picture]
    assert state.read().predictions["How many?"].right is (guess == 1)


def test_the_first_prediction_counts(watched, capsys, restart):
    """Predicting again changes nothing, before the outcome and after it, in this kernel and in the next."""
    asked = ask()
    asked.answer(0)
    asked.answer(2)
    asked.reveal(1)
    restart()
    again = ask()
    again.answer(1)
    again.reveal(1)
    first = "You predicted 0; it is 1 of 5. You were off by 1.\n"
    assert said(capsys) == f"{first}How many? Your prediction: 0.\n{first}"
    kept = state.read().predictions["How many?"]
    assert (kept.said, kept.right) == (0, False)
    assert len(watched) == 1, "it was asked once"


@pytest.mark.usefixtures("watched")
def test_what_came_out_first_decides():
    """A student may change the program afterwards, and its outcome."""
    asked = ask()
    asked.answer(1)
    asked.reveal(2)
    asked.reveal(1)
    assert state.read().predictions["How many?"].right is False


def test_without_an_answer_the_outcome_waits_and_the_notebook_runs_on(watched, capsys):
    """It appears in its place with the answer, with all that belongs to it."""
    asked = ask()
    asked.reveal(1, "the picture")
    assert "It is" not in said(capsys)
    assert len(watched) == 2
    asked.answer(3)
    out = said(capsys) + "".join(each.get("text", "") for each in watched[1].outputs)
    assert "You predicted 3; it is 1 of 5. You were off by 2." in out
    assert "the picture" in out


@pytest.mark.usefixtures("watched")
def test_it_is_asked_once(capsys, restart):
    """Who runs the cell that reveals once more has looked: that is kept, and no later prediction counts."""
    asked = ask()
    asked.reveal(1)
    said(capsys)
    asked.reveal(1)
    assert said(capsys) == "It is 1 of 5.\n"
    restart()
    again = ask()
    again.answer(1)
    again.reveal(1)
    assert said(capsys) == "How many? You looked without a prediction.\nIt is 1 of 5.\n"
    kept = state.read().predictions["How many?"]
    assert (kept.said, kept.right) == (None, None)


@pytest.mark.usefixtures("watched")
def test_what_is_no_answer_is_refused_and_asked_again():
    """It counts as none."""
    asked = ask()
    with pytest.raises(UsageError, match="predict a number from 0 to 5"):
        asked.answer(9)
    asked.answer(5)
    assert asked.said == 5


@pytest.mark.usefixtures("watched")
def test_an_answer_that_no_longer_fits_is_asked_anew(restart):
    """The course has changed what can be answered."""
    predict("How many?", 0, 9).answer(9)
    restart()
    asked = ask()
    assert asked.said is None
    asked.answer(2)
    assert state.read().predictions["How many?"].said == 2


@pytest.mark.usefixtures("watched")
def test_the_kernel_that_was_first_counts():
    """Two kernels ask the same question at once."""
    one, other = ask(), ask()
    one.answer(1)
    other.answer(2)
    assert other.said == 1


@pytest.mark.usefixtures("watched")
def test_where_nothing_can_be_kept_the_kernel_remembers(work, capsys):
    """One line says so, once; the prediction counts until the kernel ends."""
    work.parent.mkdir(exist_ok=True)
    work.write_text("a file, no folder")
    ask().answer(4)
    ask().reveal(4)
    out = said(capsys)
    assert out.count("cannot be written") == 1
    assert out.endswith("Your prediction: 4.\nYou were right: it is 4 of 5.\n")


@pytest.mark.usefixtures("watched")
def test_a_choice_and_an_order_are_compared_too(capsys):
    """An order may come as a tuple."""
    choice = predict("Which?", "a", "b")
    choice.answer("a")
    choice.reveal("b")
    order = predict("When?", order=["a", "b"])
    order.answer(["b", "a"])
    order.reveal(("b", "a"))
    assert said(capsys) == 'You predicted "a"; it is "b".\nYou were right: it is b, a.\n'
    assert isinstance(order, Prediction)
