"""How a timing is made: when a warm-up, a series and a sweep end, and how large the work of the roofline is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TimingSettings:
    """The stopwatch's own settings, those of all records; how many rounds are wanted is a protocol's."""

    max_rounds: int = 1000  # a series ends after so many rounds, however short they are
    min_warmup: int = 10  # rounds thrown away, at least
    max_warmup: int = 50  # and at most
    window: int = 5  # warm-up ends when the medians of its last two windows of so many rounds
    stability: float = 0.05  # differ by no more than this share
    warmup_share: float = 2.0  # a warm-up lasts at most so many times as long as the rounds must last
    shortest_warmup_s: float = 1.0  # and may last so long in any case
    longest_swept_s: float = 2.0  # a sweep ends at the first batch whose round takes longer
    memory_share: float = (
        0.8  # of the memory that is free, before a batch is too large for a CPU (there nothing raises)
    )
    matmul_size_by_kind: Mapping[str, int] = field(default_factory=lambda: {"cpu": 1024, "gpu": 8192})  # side
    copy_bytes_by_kind: Mapping[str, int] = field(default_factory=lambda: {"cpu": 2**28, "gpu": 2**31})  # beyond caches
    roofline_min_rounds: int = 5  # of the product and of the copy, at least
    roofline_min_duration_s: float = 0.5  # and at least so long

    def warmup_limit_s(self, min_duration_s: float) -> float:
        """Seconds after which a warm-up ends, whatever its rounds do; min_duration_s: of the rounds that follow."""
        return max(self.warmup_share * min_duration_s, self.shortest_warmup_s)


DEFAULT = TimingSettings()
