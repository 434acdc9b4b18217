"""The controls of a prediction: labelled, fixed after the answer, and with a way to look without one."""

import pytest

from labkit import predict


def widget(shown):
    """The control that was shown last."""
    return shown[-1]


@pytest.mark.parametrize(
    ("options", "values", "said"),
    [
        ({"options": (0, 5)}, [3], 3),
        ({"options": (0.5, 5)}, [3.5], 3.5),
        ({"options": ("a", "b")}, ["b"], "b"),
        ({"order": ["a", "b"]}, ["b", "a"], ["b", "a"]),
    ],
)
def test_a_value_is_set_and_the_button_predicts(watched, parts, options, values, said):
    """Then nothing can be changed any more, and the control says what was predicted."""
    asked = predict("What <b>?", *options.get("options", ()), order=options.get("order", ()))
    control = parts(widget(watched))
    for field, value in zip(control.fields, values, strict=True):
        field.value = value
    control.buttons["Predict"].click()
    assert asked.said == said
    assert all(field.disabled for field in control.fields)
    assert control.buttons["Look without predicting"].disabled
    assert control.told.value == f"You predicted {asked.kind.words(said)}.".replace('"', "&quot;")
    control.fields[0].value = control.fields[0].value
    control.buttons["Predict"].click()
    assert asked.said == said


def test_what_is_not_chosen_yet_is_said(watched, parts):
    """The control stays open."""
    asked = predict("Which?", "a", "b")
    control = parts(widget(watched))
    control.buttons["Predict"].click()
    assert control.told.value == "predict one of: a; b."
    assert asked.said is None
    assert not control.fields[0].disabled


def test_one_can_look_without_predicting(watched, parts, capsys):
    """What waited for an answer is shown."""
    asked = predict("Which?", "a", "b")
    control = parts(widget(watched))
    asked.reveal("b")
    control.buttons["Look without predicting"].click()
    shown = capsys.readouterr().out + "".join(each.get("text", "") for each in widget(watched).outputs)
    assert 'It is "b".' in shown
    assert control.told.value == "You looked without a prediction."


def test_each_field_is_labelled_and_text_is_no_markup(watched, parts):
    """A screen reader hears the question; a question with < in it is shown as it is."""
    predict("Is a < b?", 0, 5)
    control = parts(widget(watched))
    assert [field.tooltip for field in control.fields] == ["Is a < b?"]
    assert control.fields[0].description == "From 0 to 5."
    assert widget(watched).children[0].value == "<b>Is a &lt; b?</b>"
