"""(claim, records) -> Verdict: pure functions that know files' contents, and nothing of how a number was obtained.

`judge` gives one verdict at the paper's scale (the printed number, two-sided: too good is as suspicious as too bad) and
one in small (a direction: the subject against each baseline). Every word rests on a 95 % interval:

    scores     difference of two measured values; their intervals are combined by MOVER (Zou & Donner 2008), which
               takes the two as independent and needs no symmetry; where both models were trained with several seeds,
               the paired difference over training seeds (Student's t), which also covers another training run
    latency    ratio of the medians of the raw rounds, percentile bootstrap; above 1 the subject is the faster

A count is exact: it has no interval, and the tolerance alone judges it.

A smoke run is never judged, and unlike protocols are never compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.formatting import fixed, interval, num_decimals, number, quantity
from bench.records import Claim, Comparison, Measurement, Record, Verdict, Word

NUM_RESAMPLES = 2000
COVERAGE = (2.5, 97.5)  # percentiles of a 95 % interval

# Fields in which two records of one protocol may not differ. Batch sizes and seeds of images change no conclusion.
SAME_IMAGES = ("scale", "num_images", "features", "reference", "dtype")
SAME_TIMINGS = ("scale", "latency_batch_size", "dtype")
SAME_MACHINE = ("machine", "device", "num_threads", "tf32")  # of the environment; for timings only

COUNTED = ("num_params", "flops", "decoder_share")  # metrics without spread

# Of the words against several baselines the first of these decides; else all of them agree.
DECISIVE: tuple[Word, ...] = ("does not hold in small", "not reproduced", "not comparable", "inconclusive")

METRIC_WORDS = {"fid": "FID", "inception_score": "Inception Score", "latency_s": "latency"}


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """The subject against one baseline."""

    word: Word
    text: str  # a clause for the reason, as "FID lower than mar-digits (3.42 against 7.90; ...)"
    estimate: Interval | None = None


def judge(claim: Claim, records: Sequence[Record]) -> list[Verdict]:
    """The claim's verdicts on `records`: at the paper's scale, then in small where small can answer.

    Give it the records of one machine, the latest of each run (`results.latest`).
    """
    sides = [claim.paper_scale] + ([claim.in_small] if claim.in_small else [])
    return [judge_side(claim, side, records) for side in sides]


def judge_side(claim: Claim, side: Comparison, records: Sequence[Record]) -> Verdict:
    """The verdict of one side of a claim."""

    def verdict(word: Word, reason: str, used: Sequence[Record] = (), estimate: Interval | None = None) -> Verdict:
        return Verdict(
            claim_id=claim.id,
            scale=side.scale,
            word=word,
            reason=reason,
            records=tuple(record.file for record in used),
            value=estimate.value if estimate else None,
            ci_low=estimate.low if estimate else None,
            ci_high=estimate.high if estimate else None,
            unit=unit_of(claim, side) if estimate else "",
        )

    found: dict[str, Record] = {}
    lacking: dict[str, str] = {}  # by model: why its run failed, "" where there was none
    for model in (side.subject, *side.baselines):
        record = find(model, side.protocol, records)
        if record is None:
            lacking[model] = ""
        elif record.status != "ok":
            lacking[model] = record.reason or "no reason kept"
        else:
            found[model] = record
    baselines = [found[model] for model in side.baselines if model in found]
    if side.subject in lacking or (side.baselines and not baselines):
        return verdict("not run", not_run_reason(side, lacking))

    subject, used = found[side.subject], list(found.values())
    smoke = [record.model for record in used if record.protocol.get("quick")]
    if smoke:
        return verdict("inconclusive", f"Smoke run: too little was measured of {listed(smoke)} to judge by.", used)

    if side.kind == "value":
        findings = [against_print(claim, side, subject)]
    else:
        findings = []
        for baseline in baselines:
            seeds = seed_records(side, subject, baseline, records) if side.kind == "direction" else None
            used += [record for pair in (seeds or {}).values() for record in pair]
            findings.append(
                over_training_seeds(side.metric, side.better, baseline.model, seeds)
                if seeds
                else against_baseline(claim, side, subject, baseline)
            )
    words = [finding.word for finding in findings]
    word = next((word for word in DECISIVE if word in words), words[0])
    reason = " ".join(finding.text for finding in findings) + below_floor(side, subject)
    if lacking:
        reason += f" Not judged against every baseline: {lacking_words(lacking)}."
    estimates = [finding.estimate for finding in findings if finding.estimate]
    return verdict(word, reason, used, least_favourable(side, estimates))


def find(model: str, protocol: str, records: Sequence[Record]) -> Record | None:
    """The model's latest record under the protocol."""
    candidates = [record for record in records if record.model == model and record.protocol.get("name") == protocol]
    return max(candidates, key=lambda record: (record.created_utc, record.file), default=None)


def not_run_reason(side: Comparison, lacking: Mapping[str, str]) -> str:
    """What is missing, and the command that would run it."""
    command = "python -m bench reproduce" + ("" if side.scale == "digits" else f" --scale {side.scale}")
    command += "".join(f" --only {model}" for model in lacking)
    needs = f"Needs {listed(side.needs)}. " if side.needs else ""
    return f"{needs}Under {side.protocol}: {lacking_words(lacking)}. `{command}` would run it."


def lacking_words(lacking: Mapping[str, str]) -> str:
    """As "no record of var-digits and sit-digits; mar-digits failed (out of memory)"."""
    absent = [model for model, why in lacking.items() if not why]
    failed = [f"{model} failed ({why.rstrip('.')})" for model, why in lacking.items() if why]
    return "; ".join(([f"no record of {listed(absent)}"] if absent else []) + failed)


def unit_of(claim: Claim, side: Comparison) -> str:
    """Unit of a verdict's number: the claim's own for a value, "times" for a ratio, the metric for a difference."""
    if side.kind == "value":
        return claim.unit
    return "times" if side.metric == "latency_s" else METRIC_WORDS.get(side.metric, side.metric)


# -- one comparison ----------------------------------------------------------------------------------------------------


def against_print(claim: Claim, side: Comparison, subject: Record) -> Finding:
    """The measured value against the printed one, two-sided."""
    measured = subject.measurements.get(side.metric)
    if measured is None:
        return Finding("inconclusive", f"{subject.model} has no {side.metric}.")
    if side.metric in COUNTED:
        return counted(claim, measured.value / side.units_per_printed)
    return within_tolerance(claim, side, as_interval(measured), f"{subject.model} reaches", side.metric)


def counted(claim: Claim, value: float) -> Finding:
    """An exact count, in the unit of print, against the printed one."""
    inside = abs(value / claim.value - 1) <= claim.tolerance
    return Finding(
        "reproduced" if inside else "not reproduced",
        f"Counted {value:,.10g} {claim.unit}: {'within' if inside else 'outside'} the rounding of {claim.quote}.",
        Interval(value, value, value),
    )


def against_baseline(claim: Claim, side: Comparison, subject: Record, baseline: Record) -> Finding:
    """The subject against one baseline: the direction in small, the printed ratio at the paper's scale."""
    differing = differences(subject, baseline, side.metric)
    if differing:
        return Finding("not comparable", f"{subject.model} and {baseline.model} differ in {listed(differing)}.")
    if side.metric == "latency_s":
        return faster(claim, side, subject, baseline)
    ours, theirs = subject.measurements.get(side.metric), baseline.measurements.get(side.metric)
    if ours is None or theirs is None:
        lacking = subject.model if ours is None else baseline.model
        return Finding("inconclusive", f"{lacking} has no {side.metric}.")
    name = METRIC_WORDS.get(side.metric, side.metric)
    if ours.ci_low is None or theirs.ci_low is None:
        lacking = subject.model if ours.ci_low is None else baseline.model
        return Finding("inconclusive", f"{name} of {lacking} has no interval.")
    estimate = difference(as_interval(ours), as_interval(theirs))
    sign = 1 if side.better == "higher" else -1
    word = direction(*sorted((sign * estimate.low, sign * estimate.high)), neutral=0.0)
    decimals = num_decimals(estimate.value, estimate.low, estimate.high)
    numbers = (
        f"{number(ours.value, ours.ci_low, ours.ci_high)} against "
        f"{number(theirs.value, theirs.ci_low, theirs.ci_high)}; difference {fixed(estimate.value, decimals)}, "
        f"95 % interval {interval(estimate.value, estimate.low, estimate.high)}"
    )
    return Finding(word, f"{name} {relation(word, side.better, baseline.model)} ({numbers}).", estimate)


def relation(word: Word, better: str, baseline: str) -> str:
    """As "lower than mar-digits"."""
    return {
        "holds in small": f"{better} than {baseline}",
        "does not hold in small": f"{'lower' if better == 'higher' else 'higher'} than {baseline}",
    }.get(word, f"not told apart from {baseline}")


def faster(claim: Claim, side: Comparison, subject: Record, baseline: Record) -> Finding:
    """How many times faster the subject is than the baseline, from the raw rounds."""
    ours, theirs = subject.raw.get("rounds_s") or [], baseline.raw.get("rounds_s") or []
    if not ours or not theirs:
        return Finding("inconclusive", f"{subject.model if not ours else baseline.model} kept no raw rounds.")
    estimate = ratio_of_medians(theirs, ours)
    if side.kind == "ratio":
        return within_tolerance(claim, side, estimate, f"{subject.model} is", f"times as fast as {baseline.model}")
    word = direction(estimate.low, estimate.high, neutral=1.0)
    numbers = (
        f"median {quantity('latency_s', float(np.median(ours)))} against "
        f"{quantity('latency_s', float(np.median(theirs)))}"
    )
    if word == "does not hold in small":
        times, comparative = Interval(1 / estimate.value, 1 / estimate.high, 1 / estimate.low), "Slower"
    else:
        times, comparative = estimate, "Faster"
    bounds = (times.value, times.low, times.high)
    shown = f"{number(*bounds)} times, 95 % interval {interval(*bounds)}"
    if word == "inconclusive":
        return Finding(word, f"Not told apart from {baseline.model} in latency ({numbers}; {shown}).", estimate)
    return Finding(word, f"{comparative} than {baseline.model} ({numbers}; {shown}).", estimate)


def within_tolerance(claim: Claim, side: Comparison, estimate: Interval, before: str, after: str) -> Finding:
    """Reproduced where the whole interval lies within the tolerance, on either side of the printed number.

    `before` and `after` are the words around the number.
    """
    low, high = claim.value * (1 - claim.tolerance), claim.value * (1 + claim.tolerance)
    allowed = f"{claim.value:g} ± {100 * claim.tolerance:g} % ({interval(claim.value, low, high)})"
    if math.isnan(estimate.low):
        return Finding(
            "inconclusive", f"{before} {number(estimate.value)} {after}, interval unknown; printed {allowed}."
        )
    bounds = (estimate.value, estimate.low, estimate.high)
    measured = f"{before} {number(*bounds)} {after}, 95 % interval {interval(*bounds)}"
    if low <= estimate.low and estimate.high <= high:
        return Finding("reproduced", f"{measured}: within {allowed}.", estimate)
    if low <= estimate.high and estimate.low <= high:
        return Finding("inconclusive", f"{measured}: straddles the border of {allowed}.", estimate)
    too_good = (estimate.value > claim.value) == (side.kind == "ratio" or side.better == "higher")
    remark = " Better than printed, which is as suspicious as worse." if too_good else ""
    return Finding("not reproduced", f"{measured}: outside {allowed}.{remark}", estimate)


def direction(low: float, high: float, *, neutral: float) -> Word:
    """Whether the interval lies above, below or across the point where neither side wins."""
    if low > neutral:
        return "holds in small"
    if high < neutral:
        return "does not hold in small"
    return "inconclusive"


def differences(a: Record, b: Record, metric: str) -> list[str]:
    """The fields, in words, in which two records may not differ and do."""
    timings = a.protocol.get("collects") == "timings"
    fields = SAME_TIMINGS if timings else SAME_IMAGES
    pairs = [(name, a.protocol.get(name), b.protocol.get(name)) for name in fields]
    versions = [record.inputs.get("metric_versions", {}).get(metric) for record in (a, b)]
    pairs.append((f"version of {metric}", *versions))
    if timings:
        pairs += [(name, a.environment.get(name), b.environment.get(name)) for name in SAME_MACHINE]
        torch = [record.environment.get("versions", {}).get("torch") for record in (a, b)]
        pairs.append(("torch", *torch))
    return [f"{name} ({x} and {y})" for name, x, y in pairs if x != y]


def below_floor(side: Comparison, subject: Record) -> str:
    """A warning where the subject's FID lies wholly below that of real held-out images; else ""."""
    floor = (subject.raw.get("floor") or {}).get(side.metric)
    ours = subject.measurements.get(side.metric)
    if side.metric != "fid" or not floor or not ours or ours.ci_high is None:
        return ""
    if ours.ci_high >= (floor.get("ci_low") or floor["value"]):
        return ""
    return (
        f" Suspiciously good: {subject.model} lies below the real-data floor of {number(floor['value'])}, nearer to "
        "the training images than real held-out images are, as copies of them would be."
    )


# -- training seeds ----------------------------------------------------------------------------------------------------

Seeds = tuple[int, int]  # of the training run, of the sampling


def seeds_of(record: Record) -> Seeds:
    return int(record.protocol.get("training_seed", 0)), int(record.protocol.get("seed", 0))


def at_seeds(model: str, settings: Mapping[str, object], records: Sequence[Record]) -> dict[Seeds, Record]:
    """The studies' records of a model at these settings, by training and sampling seed."""
    return {
        seeds_of(record): record
        for record in records
        if record.model == model
        and record.status == "ok"
        and record.protocol.get("study")
        and record.settings == settings
    }


def seed_records(
    side: Comparison, subject: Record, baseline: Record, records: Sequence[Record]
) -> dict[Seeds, tuple[Record, Record]] | None:
    """Pairs of records (subject, baseline) of equal seeds, at the settings of these two. None below two training seeds.

    For scores only: a latency does not hang on the weights.
    """
    if side.metric == "latency_s":
        return None
    ours, theirs = (at_seeds(record.model, record.settings, records) for record in (subject, baseline))
    pairs = {
        seeds: (ours[seeds], theirs[seeds])
        for seeds in sorted(ours.keys() & theirs.keys())
        if not differences(ours[seeds], theirs[seeds], side.metric)
        and all(side.metric in record.measurements for record in (ours[seeds], theirs[seeds]))
    }
    return pairs if len({training_seed for training_seed, _ in pairs}) > 1 else None


def paired_difference(metric: str, pairs: Mapping[Seeds, tuple[Record, Record]]) -> Interval:
    """Mean difference with Student's 95 % interval over training seeds, sampling seeds averaged within each.

    The training seed is the unit: images of one network, however many, say nothing of the next training run.
    """
    gaps = {seeds: a.measurements[metric].value - b.measurements[metric].value for seeds, (a, b) in pairs.items()}
    return mean_over_training_seeds(gaps)


def mean_over_training_seeds(values: Mapping[Seeds, float]) -> Interval:
    """Mean of the training seeds' means with Student's 95 % interval, NaN where there is one training seed."""
    from scipy.special import stdtrit

    by_training_seed: dict[int, list[float]] = {}
    for (training_seed, _), value in values.items():
        by_training_seed.setdefault(training_seed, []).append(value)
    means = np.array([np.mean(found) for found in by_training_seed.values()])
    mean = float(means.mean())
    if len(means) < 2:
        return Interval(mean, math.nan, math.nan)
    spread = float(stdtrit(len(means) - 1, 0.975) * means.std(ddof=1) / math.sqrt(len(means)))
    return Interval(mean, mean - spread, mean + spread)


def over_training_seeds(
    metric: str, better: str, against: str, pairs: Mapping[Seeds, tuple[Record, Record]]
) -> Finding:
    """The first records of the pairs against the second, which are called `against`, by the paired difference."""
    estimate = paired_difference(metric, pairs)
    sign = 1 if better == "higher" else -1
    word = direction(*sorted((sign * estimate.low, sign * estimate.high)), neutral=0.0)
    ours, theirs = (float(np.mean([pair[i].measurements[metric].value for pair in pairs.values()])) for i in (0, 1))
    decimals = num_decimals(estimate.value, estimate.low, estimate.high)
    num_training = len({training_seed for training_seed, _ in pairs})
    name = METRIC_WORDS.get(metric, metric)
    return Finding(
        word,
        f"{name} {relation(word, better, against)} ({fixed(ours, decimals)} against "
        f"{fixed(theirs, decimals)}, means of {num_training} training seeds, {len(pairs)} pairs; difference "
        f"{fixed(estimate.value, decimals)}, 95 % interval over training seeds "
        f"{interval(estimate.value, estimate.low, estimate.high)}).",
        estimate,
    )


# -- the images of a row -----------------------------------------------------------------------------------------------


def judge_later_images(records: Sequence[Record]) -> Verdict:
    """Whether the last image of a row that refers to the earlier ones has a lower FID than the first (MRAR).

    Paired over training seeds: the same network and seeds, `num_images` alone differs.
    """

    def verdict(word: Word, reason: str, estimate: Interval | None = None) -> Verdict:
        bounds = (estimate.value, estimate.low, estimate.high, "FID") if estimate else ()
        used = tuple(record.file for pair in pairs.values() for record in pair)
        return Verdict("mrar-later-images", "digits", word, reason, used, *bounds)

    rows = [r for r in records if r.status == "ok" and r.protocol.get("study") and "num_images" in r.settings]
    last = max((record.settings["num_images"] for record in rows), default=1)
    pairs = image_pairs(rows, last, 1, "fid") if last > 1 else {}
    if not pairs:
        return verdict(
            "not run", "No pair of a first and a later image: `python -m bench study references` would run it."
        )
    if len({training_seed for training_seed, _ in pairs}) < 2:
        return verdict("inconclusive", "Trained with one seed only: another training run could say otherwise.")
    finding = over_training_seeds("fid", "lower", "the first image's", pairs)
    return verdict(finding.word, f"Image {last} of a row: {finding.text}", finding.estimate)


def image_pairs(records: Sequence[Record], later: int, earlier: int, metric: str) -> dict[Seeds, tuple[Record, Record]]:
    """Pairs of records (of the later image, of the earlier one) by seeds, alike in all but `num_images`."""
    return {
        seeds_of(a): (a, b)
        for a in records
        if a.settings.get("num_images") == later
        for b in records
        if (a.model, seeds_of(a)) == (b.model, seeds_of(b))
        and {**a.settings, "num_images": earlier} == b.settings
        and metric in a.measurements.keys() & b.measurements.keys()
        and not differences(a, b, metric)
    }


# -- intervals ---------------------------------------------------------------------------------------------------------


def as_interval(measured: Measurement) -> Interval:
    """The measurement with its interval, NaN where unknown; widened to the value where a bootstrap left that out."""
    if measured.ci_low is None or measured.ci_high is None:
        return Interval(measured.value, math.nan, math.nan)
    return Interval(measured.value, min(measured.ci_low, measured.value), max(measured.ci_high, measured.value))


def difference(a: Interval, b: Interval) -> Interval:
    """a - b. Its interval by MOVER: low = d - sqrt((a - a_low)^2 + (b_high - b)^2), high alike (Zou & Donner 2008)."""
    value = a.value - b.value
    return Interval(
        value,
        value - math.hypot(a.value - a.low, b.high - b.value),
        value + math.hypot(a.high - a.value, b.value - b.low),
    )


def ratio_of_medians(above: Sequence[float], below: Sequence[float]) -> Interval:
    """median(above) / median(below) with a percentile bootstrap over the rounds of both, from a fixed seed."""
    generator = np.random.default_rng(0)

    def medians(rounds: Sequence[float]) -> np.ndarray:
        values = np.asarray(rounds, dtype=np.float64)
        return np.median(values[generator.integers(0, len(values), (NUM_RESAMPLES, len(values)))], axis=1)

    low, high = np.percentile(medians(above) / medians(below), COVERAGE)
    return Interval(float(np.median(above) / np.median(below)), float(low), float(high))


def least_favourable(side: Comparison, estimates: Sequence[Interval]) -> Interval | None:
    """The comparison that speaks least for the claim: of several baselines the verdict's number is this one."""
    if not estimates:
        return None
    wants_high = side.metric == "latency_s" or side.better == "higher"
    return (min if wants_high else max)(estimates, key=lambda estimate: estimate.value)


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
