"""What both sides must have alike is told apart: labkit, the course, the libraries, Python."""

from labkit.grading.distributed import version


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
