"""The loop of a worker: make what is missing, its own shards first, until all are there.

Nobody waits for anybody. A worker that is done with its own shards makes those that no living worker has claimed, and
then those too: if two make one, both write the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from bench.console import stopping
from bench.sampling import files
from bench.sampling.ranks import Rank

__all__ = ["batches", "fill", "stopping"]


def fill(
    num_shards: int,
    *,
    folder: Path,
    rank: Rank,
    lacks: Callable[[int], bool],
    make: Callable[[int], None],
    name: Callable[[int], str] = "{:06d}".format,
    finished: Callable[[], bool] = lambda: False,
    leave_claimed: bool = False,
) -> None:
    """Call `make` for every shard that `lacks` something, in this worker's order.

    folder: where the claims of all the workers are, under `name`    finished: whether another has ended the whole
    leave_claimed: return rather than make what others are making, for a worker that has other things to do
    """
    todo = rank.order(num_shards)
    try:
        while todo and not finished():
            taken = files.claimed(folder)
            free = next((shard for shard in todo if name(shard) not in taken), None)
            if free is None and leave_claimed:
                return
            shard = todo[-1] if free is None else free
            todo.remove(shard)
            if lacks(shard):
                with files.claim(folder, name(shard)):
                    make(shard)
    finally:
        files.end_claims(folder)


def batches(num: int, batch_size: int) -> Iterator[range]:
    """Ranges of at most `batch_size` indices covering 0..num-1."""
    return (range(start, min(start + batch_size, num)) for start in range(0, num, batch_size))
