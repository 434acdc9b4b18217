"""The controls of a prediction: labelled, and worked by keyboard as well. No state of theirs is kept."""

from collections.abc import Callable
from functools import singledispatch
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from labkit.learner.kinds import Choice, Kind, Number, Order
from labkit.repository import UsageError

if TYPE_CHECKING:
    from labkit.learner.prediction import Prediction

WIDE = {"description_width": "initial"}
FITTING = {"width": "max-content", "max_width": "100%"}


def ask(prediction: "Prediction") -> ipywidgets.Widget:
    """The question with its control, which is fixed once there is an answer."""
    fields, value = _fields(prediction.kind)
    for field in fields:
        field.tooltip = prediction.question
    button = ipywidgets.Button(description="Predict")
    look = ipywidgets.Button(description="Look without predicting", layout=FITTING)
    told = ipywidgets.HTML()

    def settle(done: Callable[[], None], words: Callable[[], str]) -> None:
        if any(field.disabled for field in fields):
            return
        try:
            done()
        except UsageError as error:
            told.value = escape(f"{error}.")
            return
        for control in (*fields, look):
            control.disabled = True  # not the button: the focus is on it
        told.value = escape(words())

    button.on_click(
        lambda _: settle(
            lambda: prediction.answer(value()), lambda: f"You predicted {prediction.kind.words(prediction.said)}."
        )
    )
    look.on_click(lambda _: settle(prediction.look, lambda: "You looked without a prediction."))
    question = ipywidgets.HTML(f"<b>{escape(prediction.question)}</b>")
    return ipywidgets.VBox([question, *fields, ipywidgets.HBox([button, look], layout={"flex_flow": "wrap"}), told])


@singledispatch
def _fields(kind: Kind) -> tuple[list[Any], Callable[[], Any]]:
    """The fields of an answer, and how it is read from them."""
    raise TypeError(kind)


@_fields.register
def _(kind: Number) -> tuple[list[Any], Callable[[], Any]]:
    whole = isinstance(kind.low, int) and isinstance(kind.high, int)
    field = (ipywidgets.BoundedIntText if whole else ipywidgets.BoundedFloatText)(
        value=kind.low,
        min=kind.low,
        max=kind.high,
        description=kind.asks(),
        style=WIDE,
        layout={"width": "max-content"},
    )
    return [field], lambda: field.value


@_fields.register
def _(kind: Choice) -> tuple[list[Any], Callable[[], Any]]:
    field = ipywidgets.RadioButtons(
        options=kind.texts, value=None, layout={"width": "max-content", "max_width": "100%"}
    )
    return [field], lambda: field.value


@_fields.register
def _(kind: Order) -> tuple[list[Any], Callable[[], Any]]:
    fields = [
        ipywidgets.Dropdown(options=kind.texts, value=None, description=f"{place}.", layout=FITTING)
        for place in range(1, len(kind.texts) + 1)
    ]
    return fields, lambda: [field.value for field in fields]


class Waiting:
    """The place of what is revealed, before it is."""

    def __init__(self, show: Callable[[], None]) -> None:
        self.area = ipywidgets.Output()
        self._show = show
        with self.area:
            print("Predict first: what came out appears here.")

    def fill(self) -> None:
        """Show it."""
        with self.area:
            self.area.clear_output(wait=True)
            self._show()
