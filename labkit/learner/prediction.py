"""`predict`: a question before its answer. A control in a notebook that somebody reads, else plain text.

    asked ──answer──► predicted ──reveal──► right, or not            only the first answer counts
      └────look────────────────────────────► looked at

What is revealed before there is an answer waits for it, in its own place. The cells below run on.
"""

from collections.abc import Sequence
from typing import Any

from IPython.display import display

from labkit.learner import state
from labkit.learner.kinds import Kind, kind_of
from labkit.learner.state import Predicted, State, UnkeptError
from labkit.repository import UsageError

SHOWS = ("_ipython_display_", "_repr_mimebundle_", "_repr_html_", "_repr_png_")
"""What shows itself in a notebook has one of these. All else is printed."""
_here: dict[str, Predicted] = {}
"""What this kernel knows by itself, where nothing can be kept."""
_complaints: set[str] = set()


def predict(question: str, *options: Any, unit: str = "", order: Sequence[str] = ()) -> "Prediction":
    """Ask what will come out: a number in a range, one of some texts, or an order.

    predict("How many crash points break it?", 0, 5)        predict("How long does it wait?", 0, 600, unit="seconds")
    predict("Which one survives?", "A", "B", "neither")     predict("In which order?", order=["a", "b", "c"])
    """
    asked = Prediction(question, kind_of(options, unit, order))
    asked.show()
    return asked


class Prediction:
    """A question, and the first answer to it. `reveal` compares that with what came out."""

    def __init__(self, question: str, kind: Kind) -> None:
        self.question, self.kind = question, kind
        self._watched = state.is_watched()
        self._waiting: Any = None
        self._known = self._kept() if self._watched else None

    @property
    def said(self) -> Any:
        """What was predicted; None if nothing was."""
        return self._known.said if self._known else None

    def show(self) -> None:
        """Ask; who has predicted is told what."""
        if not self._watched:
            print(f"{self.question} {self.kind.asks()}")
        elif self.said is not None:
            print(f"{self.question} Your prediction: {self.kind.words(self.said)}.")
        elif self._known:
            print(f"{self.question} You looked without a prediction.")
        else:
            from labkit.learner.controls import ask  # noqa: PLC0415 - who is not asked need not wait for widgets

            display(ask(self))

    def answer(self, said: Any) -> None:
        """Predict. UsageError if this can be no answer."""
        self._settle(Predicted(said=self.kind.read(said)))

    def look(self) -> None:
        """Go on without a prediction."""
        self._settle(Predicted())

    def reveal(self, came: Any, *shown: Any) -> None:
        """Say how right the prediction was, and show what belongs to it. The first time, this waits for one."""
        if not self._watched or self._known:
            self._compare(came, *shown)
        elif self._waiting:
            self._waiting = None
            self.look()
            self._compare(came, *shown)
        else:
            from labkit.learner.controls import Waiting  # noqa: PLC0415 - as above

            self._waiting = Waiting(lambda: self._compare(came, *shown))
            display(self._waiting.area)

    def _compare(self, came: Any, *shown: Any) -> None:
        if self.said is None:
            print(f"It is {self.kind.outcome(came)}.")
        else:
            right = self.said == (list(came) if isinstance(came, tuple) else came)
            print(self._sentence(came, right=right))
            if self._known.right is None:
                self._known = self._keep(lambda known: known.seen(right=right))
        for each in shown:
            display(each) if any(hasattr(each, way) for way in SHOWS) else print(each)

    def _sentence(self, came: Any, *, right: bool) -> str:
        outcome = self.kind.outcome(came)
        if right:
            return f"You were right: it is {outcome}."
        said = self.kind.words(self.said)
        return f"You predicted {said}; it is {outcome}.{self.kind.distance(self.said, came)}"

    def _settle(self, first: Predicted) -> None:
        self._known = self._keep(lambda known: known or first)
        if self._waiting:
            self._waiting.fill()

    def _fitting(self, known: Predicted | None) -> Predicted | None:
        """What is known, if it still is an answer: the question may have been changed."""
        try:
            if known and known.said is not None:
                self.kind.read(known.said)
        except UsageError:
            return None
        return known

    def _kept(self) -> Predicted | None:
        try:
            kept = state.read().predictions
        except UnkeptError as error:
            _complain(str(error))
            kept = _here
        return self._fitting(kept.get(self.question) or _here.get(self.question))

    def _keep(self, how: Any) -> Predicted:
        """Change what is known, in the file: another kernel may have been first."""
        known = how(self._known)

        def change(kept: State) -> None:
            nonlocal known
            known = how(self._fitting(kept.predictions.get(self.question)) or self._known)
            kept.predictions[self.question] = known

        try:
            _complain(state.change(change))
        except UnkeptError as error:
            _complain(str(error))
        _here[self.question] = known
        return known


def _complain(said: str) -> None:
    """Say it once."""
    if said and said not in _complaints:
        _complaints.add(said)
        print(said)
