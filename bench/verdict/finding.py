"""Finding: the subject against one baseline, in a word and a clause; and what makes two records comparable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.records import Record, Word
from bench.verdict.intervals import Interval

# Fields in which two records of one protocol may not differ. Batch sizes and seeds of images change no conclusion.
SAME_IMAGES = ("scale", "num_images", "features", "reference", "dtype")
SAME_TIMINGS = ("scale", "latency_batch_size", "dtype")
SAME_MACHINE = ("machine", "device", "num_threads", "tf32")  # of the environment; for timings only

METRIC_WORDS = {
    "fid": "FID",
    "inception_score": "Inception Score",
    "latency_s": "latency",
    "throughput_per_s": "images per second",
    "decoder_time_share": "% in the decoder",
    "vqa_accuracy": "VQA accuracy",
    "cider": "CIDEr",
}


@dataclass(frozen=True)
class Finding:
    """The subject against one baseline."""

    word: Word
    text: str  # a clause for the reason, as "FID lower than mar-digits (3.42 against 7.90; ...)"
    estimate: Interval | None = None


def weigh(gap: Interval, better: str, baseline: str, margin: float, theirs: float) -> tuple[Word, str]:
    """A difference from a baseline that scores `theirs` as a word and a clause, as "lower than mar-digits".

    With a margin the subject holds where it surely does not fall short by that share of `theirs`; `theirs` is taken as
    exact there.
    """
    low, high = sorted((gap.low, gap.high) if better == "higher" else (-gap.low, -gap.high))  # above 0: better
    allowed = margin * abs(theirs)
    word, worse = direction(low, high, neutral=-allowed), "lower" if better == "higher" else "higher"
    plain = {"holds in small": better, "does not hold in small": worse}.get(direction(low, high, neutral=0.0))
    relation = f"{plain} than {baseline}" if plain else f"not told apart from {baseline}"
    if not margin or plain == better:
        return word, relation
    by_more = f"by more than the {100 * margin:g} % allowed"
    if word == "inconclusive":
        return word, f"{relation}, not sure whether {worse} {by_more}"
    return word, f"{relation}, {'but not ' if word == 'holds in small' else ''}{by_more}"


def direction(low: float, high: float, *, neutral: float) -> Word:
    """Whether the interval lies above, below or across the point where neither side wins."""
    if low > neutral:
        return "holds in small"
    if high < neutral:
        return "does not hold in small"
    return "inconclusive"


def named(model: str, settings: Mapping[str, Any]) -> str:
    """As "d-dit-digits (num_steps 4)"."""
    told = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{model} ({told})" if told else model


def differences(a: Record, b: Record, metric: str) -> list[str]:
    """The fields, in words, in which two records may not differ and do."""
    timings = a.protocol.get("collects") in ("timings", "composed")
    fields = SAME_TIMINGS if timings else SAME_IMAGES
    pairs = [(name, a.protocol.get(name), b.protocol.get(name)) for name in fields]
    versions = [record.inputs.get("metric_versions", {}).get(metric) for record in (a, b)]
    pairs.append((f"version of {metric}", *versions))
    if timings:
        pairs += [(name, a.environment.get(name), b.environment.get(name)) for name in SAME_MACHINE]
        torch = [record.environment.get("versions", {}).get("torch") for record in (a, b)]
        pairs.append(("torch", *torch))
    return [f"{name} ({x} and {y})" for name, x, y in pairs if x != y]


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
