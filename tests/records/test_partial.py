"""What a killed run leaves is taken up by the same command, and by no other."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.records.partial import open_partial

HEAD = {"model": "toy", "seed": 0}


def test_work_is_taken_up_where_a_kill_cut_it(tmp_path):
    """Whole lines count, the one that was being written does not; what comes after stands on lines of its own."""
    path = tmp_path / "out.partial"
    with open_partial(path, HEAD) as work:
        work.add({0: {"text": "a\nb\u2028c"}, 2: {"text": "d"}})
    whole = path.read_bytes()
    path.write_bytes(whole + b'[3, {"te')
    with open_partial(path, HEAD) as work:
        assert work.done == {0: {"text": "a\nb\u2028c"}, 2: {"text": "d"}}
        work.add({3: {"text": "e"}})
    with open_partial(path, HEAD) as work:
        assert sorted(work.done) == [0, 2, 3]


@pytest.mark.parametrize("num_bytes", [0, 5])
def test_a_kill_in_the_first_line_leaves_a_fresh_start(tmp_path, num_bytes):
    path = tmp_path / "out.partial"
    with open_partial(path, HEAD):
        pass
    path.write_bytes(path.read_bytes()[:num_bytes])
    with open_partial(path, HEAD) as work:
        work.add({0: "x"})
    with open_partial(path, HEAD) as work:
        assert work.done == {0: "x"}


def test_work_of_another_run_is_refused(tmp_path):
    """It says what differs, and leaves the file as it is."""
    path = tmp_path / "out.partial"
    with open_partial(path, HEAD) as work:
        work.add({0: "x"})
    before = path.read_bytes()
    with (
        pytest.raises(UsageError, match=r"out\.partial: work of another run \(another seed\)"),
        open_partial(path, {**HEAD, "seed": 1}),
    ):
        pass
    assert path.read_bytes() == before
    path.write_text("something else\n")
    with pytest.raises(UsageError, match="not the work of an interrupted run"), open_partial(path, HEAD):
        pass
