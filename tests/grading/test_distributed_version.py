"""What both sides must have alike is told apart: labkit, the course, the libraries, Python."""

from types import SimpleNamespace

import pytest

from labkit.grading.distributed import version
from labkit.grading.sandbox import guarantees


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What is told of a labkit of one file, and a course of one; and where they lie."""
    monkeypatch.setattr(guarantees, "package", lambda: tmp_path / "labkit")
    monkeypatch.setattr(version, "root", lambda: tmp_path)
    for name in ("labkit/judge.py", "exercises/criteria/01.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("pass\n")
    return version.here.__wrapped__


@pytest.mark.parametrize("name", ["labkit/judge.py", "exercises/criteria/01.py"])
def test_it_is_another_one_with_another_file(told, tmp_path, name):
    """Of labkit, or of the course; also under another name."""
    first = told()
    (tmp_path / name).write_text("pass  # changed\n")
    changed = told()
    (tmp_path / name).rename(tmp_path / name.replace(".py", "0.py"))
    assert len({each.digest for each in (first, changed, told())}) == 3
    assert len({each.told for each in (first, changed, told())}) == 3


def test_it_is_another_one_with_another_python(told, monkeypatch):
    """Of another minor version: a patch release may differ."""
    first = told()
    monkeypatch.setattr(version, "sys", SimpleNamespace(version_info=SimpleNamespace(major=3, minor=99)))
    assert told().digest != first.digest
    assert "Python 3.99" in told().told


def test_it_is_the_same_each_time_and_another_with_other_libraries(monkeypatch):
    """Of libraries, what labkit asks for: what its own tests need may differ."""
    first = version.here()
    version.here.cache_clear()
    assert version.here() == first
    assert "dbos" in version._libraries()
    assert "ruff" not in version._libraries()
    monkeypatch.setattr(version, "_libraries", lambda: "pydantic 0")
    version.here.cache_clear()
    other = version.here()
    version.here.cache_clear()
    assert other.digest != first.digest
    assert other.told != first.told
