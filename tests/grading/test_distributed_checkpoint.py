"""What a book remembers of a grading that goes on elsewhere."""

from labkit.grading.distributed.memo import Memo

from labkit.grading.sandbox.guarantees import Guarantee


def test_a_grading_is_the_same_when_it_is_started_again_and_another_when_asked(tmp_path):
    """And what was enforced where is remembered, once for each kind of machine."""
    kind = [Guarantee(what="files", by="Landlock")]
    with Memo.of(tmp_path) as first:
        first.add(kind)
        first.add(kind)
    with Memo.of(tmp_path) as second:
        assert (second.grading, second.enforced) == (first.grading, [kind])
    with Memo.of(tmp_path, fresh=True) as third:
        assert third.grading != first.grading
    with Memo.of(tmp_path) as fourth:
        assert fourth.grading == third.grading


def test_a_memo_that_cannot_be_read_is_begun_anew(tmp_path):
    """The book's journal has what was graded: nothing is lost."""
    with Memo.of(tmp_path) as memo:
        memo.path.write_text('{"grading": 1}')
    with Memo.of(tmp_path) as again:
        assert again.grading != memo.grading
