"""A class with one small exercise, for whoever asks what was handed in."""

import pytest
from own_class import make_criteria

from labkit.grading.judge.criteria import exercises


@pytest.fixture
def known(tmp_path):
    """The exercises of the class."""
    return exercises(make_criteria(tmp_path / "criteria"))


@pytest.fixture
def handed(tmp_path):
    """The class's folder."""
    folder = tmp_path / "class"
    folder.mkdir()
    return folder
