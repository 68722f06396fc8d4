"""(claim, records) -> Verdict: pure functions that know files' contents, and nothing of how a number was obtained.

`judge` gives one verdict at the paper's scale (the printed number, two-sided: too good is as suspicious as too bad) and
one in small (a direction: the subject against each baseline). Every word rests on a 95 % interval:

    scores     difference of two measured values; their intervals are combined by MOVER (Zou & Donner 2008), which
               takes the two as independent and needs no symmetry; where both models were trained with several seeds,
               the paired difference over training seeds (Student's t), which also covers another training run
               where both read the same scenes, the paired bootstrap over scenes
               where a claim says "rivals", the subject may fall short by a stated share of the baseline's score,
               and may make a stated multiple of its errors: of two scores near the top the score tells nothing
               where settings that should fail do not (a control), the word is "small says nothing"
    latency    ratio of the medians of rounds that both sides shared, paired bootstrap, or of the raw rounds of a run of
               each; above 1 the subject is the faster; estimated latencies stand in where no whole image was timed,
               and may only contradict: where print lies twice beyond all that counting explains
    throughput ratio of the median times of an image in a batch, from the raw rounds of a run of each

A count is exact: it has no interval, and the tolerance alone judges it.

A smoke run is never judged, a pilot is "inconclusive" with its number and interval, and unlike protocols are never
compared. A record of what was made elsewhere speaks where this suite has none of its own, and the verdict says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.analysis.seeds import seed_records
from bench.analysis.speed import is_estimated, paired_ratios
from bench.claims.sources import NOT_PUBLISHED
from bench.claims.text_sets import fewer_than_released
from bench.formatting import listed, named
from bench.protocols import PROTOCOLS
from bench.published import PUBLISHED
from bench.records.schema import Claim, Comparison, Record, Verdict, Word
from bench.stats import Interval
from bench.verdict.finding import METRIC_WORDS, Finding
from bench.verdict.pair import against_baseline, against_print, below_floor
from bench.verdict.scenes import fewer_errors, says_nothing
from bench.verdict.seeds import over_training_seeds
from bench.verdict.speed import faster_in_pairs, said_of_estimate, weigh_estimate

MADE_ELSEWHERE = "made elsewhere, scored here"  # marker of a verdict

# Of the words against several baselines the first of these decides; else all of them agree.
DECISIVE: tuple[Word, ...] = (
    "does not hold in small",
    "not reproduced",
    "agrees to 0.1 %",
    "not comparable",
    "inconclusive",
)


def judge(claim: Claim, records: Sequence[Record]) -> list[Verdict]:
    """The claim's verdicts on `records`: at the paper's scale, then in small where small can answer.

    Give it the records of one machine, the latest of each run (`results.latest`).
    """
    sides = [claim.paper_scale] + ([claim.in_small] if claim.in_small else [])
    return [judge_side(claim, side, records) for side in sides]


def judge_side(claim: Claim, side: Comparison, records: Sequence[Record]) -> Verdict:
    """The verdict of one side of a claim."""

    def verdict(word: Word, reason: str, used: Sequence[Record] = (), estimate: Interval | None = None) -> Verdict:
        outside = made_elsewhere(used)
        reason += outside
        return Verdict(
            claim_id=claim.id,
            scale=side.scale,
            word=word,
            reason=reason,
            records=tuple(record.file for record in used),
            value=estimate.value if estimate else None,
            ci_low=estimate.known[0] if estimate else None,
            ci_high=estimate.known[1] if estimate else None,
            unit=unit_of(claim, side) if estimate else "",
            marker=MADE_ELSEWHERE if outside else "",
        )

    pairs = paired_ratios(side, records)  # by baseline
    alone = [model for model in side.baselines if model not in pairs]
    found: dict[str, Record] = {}  # by model with the settings asked for
    lacking: dict[str, str] = {}  # the same: why its run failed, "" where there was none
    asked = [(side.subject, side.settings), *((model, side.baseline_settings) for model in alone)]
    if pairs and not alone:
        asked = []
    for model, settings in asked:
        record, name = find(model, side.protocol, records, settings), named(model, settings)
        if record is None:
            lacking[name] = ""
        elif record.status != "ok":
            lacking[name] = record.reason or "no reason kept"
        else:
            found[name] = record
    names = [named(*each) for each in asked]
    baselines = {name: found[name] for name in names[1:] if name in found}
    subject = found.get(named(side.subject, side.settings))
    if not pairs and (subject is None or (side.baselines and not baselines)):
        if side.stand_in:
            estimated = judge_side(claim, replace(side, protocol=side.stand_in, stand_in=""), records)
            if estimated.word != "not run":
                return said_of_estimate(estimated, side.subject, records)
        return verdict("not run", not_run_reason(side, lacking))

    used = list({r.file: r for r in (*(pair.record for pair in pairs.values()), *found.values())}.values())
    smoke = [record.model for record in used if record.protocol.quick]
    if smoke:
        return verdict("inconclusive", f"Smoke run: too little was measured of {listed(smoke)} to judge by.", used)

    pilots = [record for record in used if record.protocol.pilot_of]

    composed = any(map(is_estimated, used))

    def weighed(finding: Finding, ours: Record | None, theirs: Record | None) -> Finding:
        return weigh_estimate(claim, side, finding, ours, theirs) if composed else finding

    against = {  # by baseline, "" for the printed number
        name: weighed(
            faster_in_pairs(claim, side, pair),
            *(find(model, side.protocol, records, {}) for model in (side.subject, name)),
        )
        for name, pair in pairs.items()
    }
    findings = list(against.values())
    if subject and side.kind == "value":
        against = {"": weighed(against_print(claim, side, subject), subject, None)}
        findings = list(against.values())
    elif subject:
        for name, baseline in baselines.items():
            seeds = seed_records(side, subject, baseline, records) if side.kind == "direction" else None
            used += [record for pair in (seeds or {}).values() for record in pair]
            against[name] = (
                over_training_seeds(side.metric, side.better, name, seeds, side.margin)
                if seeds
                else weighed(against_baseline(claim, side, subject, baseline, name), subject, baseline)
            )
            findings.append(against[name])
            if errors := fewer_errors(side, subject, baseline):
                findings.append(errors)
    words = [finding.word for finding in findings]
    word = next((word for word in DECISIVE if word in words), words[0])
    reason = " ".join(finding.text for finding in findings)
    reason += below_floor(side, subject, records) if subject else ""
    reason += over_fewer(used)
    control = find(side.subject, side.protocol, records, side.control) if side.control else None
    easy = [said for each in baselines.values() if control and (said := says_nothing(side, control, each))]
    if easy and control:
        word, reason = "small says nothing", f"{easy[0]} {reason}"
        used.append(control)
    if lacking:
        reason += f" Not judged against every baseline: {lacking_words(lacking)}."
    if pilots and word != "not comparable":
        word, reason = "inconclusive", f"{said_of_pilots(pilots, side)} {reason}"
    estimates = {name: finding.estimate for name, finding in against.items() if finding.estimate}
    least = least_favourable(side, list(estimates.values()))
    rival = next((name for name, estimate in estimates.items() if estimate is least), "")
    return replace(verdict(word, reason, used, least), rival=rival)


def said_of_pilots(pilots: Sequence[Record], side: Comparison) -> str:
    """What a verdict on pilots begins with: it shows where the full run may end, and is none."""
    counts = sorted({record.protocol.num_images for record in pilots})
    full = max(record.protocol.pilot_of for record in pilots)
    bias = " The FID of fewer images lies higher." if side.metric in ("fid", "fid_clean", "sfid") else ""
    return f"A pilot of {listed([f'{count:,}' for count in counts])} images, of {full:,}: too few for a verdict.{bias}"


def find(model: str, protocol: str, records: Sequence[Record], settings: Mapping[str, Any]) -> Record | None:
    """The model's latest record under the protocol, of those that have these sampling settings and else its usual or
    published ones. One of what was made elsewhere gives way to a run of this suite that did not fail."""
    candidates = [
        record
        for record in records
        if record.model == model
        and record.protocol.name == protocol
        and all(record.settings.get(key) == value for key, value in settings.items())
        and not _other_settings(record) - set(settings)
    ]

    def place(record: Record) -> tuple[bool, bool, str, str]:
        return record.status == "ok", record.elsewhere is None, record.created_utc, record.file

    return max(candidates, key=place, default=None)


def over_fewer(used: Sequence[Record]) -> str:
    """A sentence for the reason of a verdict on captions or answers that are not of all that is published; else ""."""
    told = [
        f"{record.model}: {fewer}"
        for record in used
        if record.texts and (fewer := fewer_than_released(record.protocol.scale, record.texts.scoring))
    ]
    return f" Scored on less than is published: {'; '.join(told)}." if told else ""


def made_elsewhere(used: Sequence[Record]) -> str:
    """A sentence for the reason of a verdict that rests on what this suite did not make; else ""."""
    told = [f"{record.model}: {record.elsewhere.words}" for record in used if record.elsewhere]
    return f" Made elsewhere and scored here: {'; '.join(told)}." if told else ""


def _other_settings(record: Record) -> set[str]:
    """The settings of a run as published that neither the model nor its authors usually have."""
    if not record.protocol.terms:
        return set()
    row = PUBLISHED.get((record.model, record.protocol.variant))
    usual = {} if row is None else row.sampling
    return {key for key, value in record.inputs.settings.items() if usual.get(key) != value}


def not_run_reason(side: Comparison, lacking: Mapping[str, str]) -> str:
    """What is missing, and the command that would run it."""
    needs = f"Needs {listed(side.needs)}. " if side.needs else ""
    if side.protocol not in PROTOCOLS:
        return f"{needs}This suite does not measure it{f' ({side.protocol})' if side.protocol else ''}."
    if any(need.endswith(NOT_PUBLISHED) for need in side.needs):
        return f"{needs}Until then it cannot be measured."
    estimated = ", on a CPU as estimated latency" if side.stand_in else ""
    command = "python -m bench reproduce" + ("" if side.scale == "digits" else f" --scale {side.scale}")
    models = dict.fromkeys((side.subject, *side.baselines))
    command += "".join(
        f" --only {model}" for model in models if any(one.partition(" (")[0] == model for one in lacking)
    )
    if PROTOCOLS[side.protocol].study:
        command = "`, `".join(side.commands)
    return f"{needs}Under {side.protocol}: {lacking_words(lacking)}. `{command}` would run it{estimated}."


def lacking_words(lacking: Mapping[str, str]) -> str:
    """As "no record of var-digits and sit-digits; mar-digits failed (out of memory)"."""
    absent = [model for model, why in lacking.items() if not why]
    failed = [f"{model} failed ({why.rstrip('.')})" for model, why in lacking.items() if why]
    return "; ".join(([f"no record of {listed(absent)}"] if absent else []) + failed)


def unit_of(claim: Claim, side: Comparison) -> str:
    """Unit of a verdict's number: the claim's own for a value, "times" for a ratio, the metric for a difference."""
    if side.kind == "value":
        return claim.unit
    return "times" if side.metric in ("latency_s", "throughput_per_s") else METRIC_WORDS.get(side.metric, side.metric)


def least_favourable(side: Comparison, estimates: Sequence[Interval]) -> Interval | None:
    """The comparison that speaks least for the claim: of several baselines the verdict's number is this one."""
    if not estimates:
        return None
    wants_high = side.metric == "latency_s" or side.better == "higher"
    return (min if wants_high else max)(estimates, key=lambda estimate: estimate.value)
