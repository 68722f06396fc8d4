"""Which of several workers this process is, as torchrun says it, and which shards it takes first.

Workers do not talk to each other: the file system is what they share (files.py), and any of them may die.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.protocols import SMALL

if TYPE_CHECKING:
    from reference_models.spec import Spec

MAX_WORLD_SIZE = 1_000_000  # more processes than any machine room starts: a slip of the keyboard


@dataclass(frozen=True)
class Rank:
    """One of `world_size` workers."""

    rank: int = 0
    world_size: int = 1
    local_rank: int | None = None  # number on its machine; None: nobody said

    def device(self, device: str) -> str:
        """`device` for this worker: of "cuda", the GPU of its number on its machine."""
        if device != "cuda" or self.local_rank is None:
            return device
        import torch

        return f"cuda:{self.local_rank % max(torch.cuda.device_count(), 1)}"  # Slurm may show each worker one GPU

    def order(self, num_shards: int) -> list[int]:
        """Every shard once: its own (k = rank mod world size) first, then the others', each from its far end.

        The far end is where the owner, who starts at the near end, arrives last. Each worker begins with its next
        neighbour's, so that those who are done early do not all help the same one.
        """
        own = list(range(self.rank, num_shards, self.world_size))
        others = (range((self.rank + step) % self.world_size, num_shards, self.world_size)[::-1] for step in self.steps)
        return own + [shard for shards in others for shard in shards]

    @property
    def steps(self) -> range:
        return range(1, self.world_size)


ALONE = Rank()


def this_rank(environment: Mapping[str, str] = os.environ) -> Rank:
    """The rank in RANK, WORLD_SIZE and LOCAL_RANK; alone where none is set. UsageError for what is no rank."""
    given = {name: environment[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK") if name in environment}
    if "RANK" not in given and "WORLD_SIZE" not in given:
        return ALONE
    if lacking := [name for name in ("RANK", "WORLD_SIZE") if name not in given]:
        there = ", ".join(f"{name}={value}" for name, value in given.items())
        raise UsageError(f"{there} without {lacking[0]}: expected both, as torchrun sets them, or neither")
    world_size = _number("WORLD_SIZE", given["WORLD_SIZE"], 1, MAX_WORLD_SIZE)
    rank = _number("RANK", given["RANK"], 0, world_size - 1, f" (WORLD_SIZE={world_size})")
    local = given.get("LOCAL_RANK")
    return Rank(rank, world_size, None if local is None else _number("LOCAL_RANK", local, 0, world_size - 1))


def _number(name: str, text: str, low: int, high: int, why: str = "") -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
    if not low <= number <= high:
        raise UsageError(f"{name}={text[:40]!r}: expected a whole number from {low} to {high}{why}")
    return number


def limit_threads(spec: Spec) -> None:
    """One processor thread for a small model, as its protocols have it, unless OMP_NUM_THREADS says otherwise.

    Its layers are so small that a second thread waits more than it works: beside other work, twenty times slower.
    """
    # As OpenMP reads it, which passes over "0", "-3" and "all", and then takes every processor.
    is_told = re.match(r"\s*\+?0*[1-9]", os.environ.get("OMP_NUM_THREADS", ""))
    if spec.scale in SMALL and not is_told:
        import torch

        torch.set_num_threads(1)
