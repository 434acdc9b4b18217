"""What a book remembers of a grading that goes on elsewhere."""

import pytest

from labkit.grading.distributed.checkpoint import Checkpoint, weakest
from labkit.grading.sandbox.guarantees import Guarantee
from labkit.repository import UsageError

KIND = [Guarantee(what="files", by="Landlock")]


def test_a_grading_is_the_same_when_it_is_started_again(tmp_path):
    """What was enforced where is remembered, once for each kind of machine; who was judged twice, until it is told."""
    with Checkpoint.of(tmp_path) as first:
        first.add(KIND, None)
        first.add(KIND, "Ada")
        first.add(KIND, "Ada")
    with Checkpoint.of(tmp_path) as second:
        assert (second.grading, second.enforced, second.twice) == (first.grading, [KIND], ["Ada"])
        second.told()
    with Checkpoint.of(tmp_path) as third:
        assert third.twice == []


def test_a_book_has_one_grading_at_a_time(tmp_path):
    """Whoever comes second is told so, and does not wait."""
    with (
        Checkpoint.of(tmp_path),
        pytest.raises(UsageError, match="another `labkit grade --on` is at work"),
        Checkpoint.of(tmp_path),
    ):
        pass


def test_another_grading_of_all_forgets_where_the_last_one_was_judged(tmp_path):
    """One that only goes on, as it was of another version, does not: what was judged before is in the book."""
    with Checkpoint.of(tmp_path) as checkpoint:
        checkpoint.add(KIND, None)
        before = checkpoint.grading
        checkpoint.renew(fresh=False)
        assert checkpoint.grading != before
        assert checkpoint.enforced == [KIND]
        checkpoint.renew(fresh=True)
    with Checkpoint.of(tmp_path) as again:
        assert (again.grading, again.enforced) == (checkpoint.grading, [])


def test_a_checkpoint_that_cannot_be_read_is_begun_anew(tmp_path):
    """The book's journal has what was graded: nothing is lost."""
    with Checkpoint.of(tmp_path) as checkpoint:
        checkpoint._path.write_text('{"grading": 1}')
    with Checkpoint.of(tmp_path) as again:
        assert again.grading != checkpoint.grading


def test_the_weakest_machine_is_told():
    """Machines that are alike are told as one; else each way, and that some keep nothing."""
    strong = [Guarantee(what="files", by="a mount namespace"), Guarantee(what="user", by="a user of its own")]
    weak = [Guarantee(what="files", by="Landlock"), Guarantee(what="user")]
    assert weakest([strong, strong]) == strong
    files, user = map(str, weakest([strong, weak]))
    assert files == "files: enforced by Landlock; on other machines by a mount namespace"
    assert user == "user: enforced by NOTHING; on other machines by a user of its own"
    assert weakest([strong, weak]) == weakest([weak, strong])
    assert weakest([]) == []
