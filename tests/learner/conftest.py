"""A notebook that somebody reads, with a folder of the student's own."""

from types import SimpleNamespace

import ipywidgets
import pytest

from labkit.learner import prediction, state


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The student's folder, which is not made yet."""
    monkeypatch.setenv("LABKIT_WORK", str(tmp_path / "work"))
    monkeypatch.setattr(prediction, "_here", {})
    monkeypatch.setattr(prediction, "_complaints", set())
    return tmp_path / "work"


@pytest.fixture
def watched(work, monkeypatch):  # noqa: ARG001 - its folder
    """What is shown in the notebook, in order: widgets and reports."""
    monkeypatch.setattr(state, "is_watched", lambda: True)
    shown = []
    monkeypatch.setattr(prediction, "display", shown.append)
    return shown


@pytest.fixture
def restart(monkeypatch):
    """Forget what the kernel knows."""

    def forget():
        monkeypatch.setattr(prediction, "_here", {})

    return forget


@pytest.fixture
def parts():
    """A control's fields and buttons, by what they are called."""

    def found(widget):
        every, queue = [], [widget]
        while queue:
            each = queue.pop(0)
            every.append(each)
            queue += getattr(each, "children", ())
        buttons = {each.description: each for each in every if isinstance(each, ipywidgets.Button)}
        texts = [each for each in every if isinstance(each, ipywidgets.HTML)]
        kinds = ipywidgets.BoundedIntText | ipywidgets.BoundedFloatText | ipywidgets.RadioButtons | ipywidgets.Dropdown
        return SimpleNamespace(fields=[e for e in every if isinstance(e, kinds)], buttons=buttons, told=texts[-1])

    return found
