"""What the numbers of a speed verdict compare, and why they come out so: one paragraph, from records alone.

A ratio of two times is taken apart into the arithmetic that each side does and the speed at which it does it; then come
the stages of the subject, what Amdahl's law makes of the claim, how near the machine's limits each side comes, and what
batches change. What no record holds is said to be missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.analysis.speed import Paired, Timed, best_rate, is_estimated, pairs_of, timed_of, times_as_fast
from bench.formatting import listed, number, quantity
from bench.metrics.stages import amdahl_bound
from bench.records.parts import REST
from bench.records.schema import Claim, Comparison, Record, Verdict

METRICS = ("latency_s", "throughput_per_s", "decoder_time_share")
ALIKE = 0.1  # relative difference below which arithmetic alone is said to explain a ratio


def speed_paragraph(claim: Claim, verdict: Verdict, records: Sequence[Record]) -> str:
    """Plain text on a verdict of `claim`; "" where it is not of speed, or nothing was measured.

    records: those that were judged (bench.verdict.judge).
    """
    side = claim.in_small if claim.in_small and claim.in_small.scale == verdict.scale else claim.paper_scale
    if side.metric not in METRICS or verdict.word == "not run":
        return ""
    timed = {model: timed_of(model, side, records) for model in (side.subject, *side.baselines)}
    known = {model: found for model, found in timed.items() if found}
    pairs = pairs_of(side, records)
    subject, baselines = known.get(side.subject), [known[model] for model in side.baselines if model in known]
    sentences = [circumstances(side, known, pairs), *(work_words(found) for found in known.values())]
    if subject and side.metric == "latency_s":
        ratios = times_as_fast(side, known, pairs)
        sentences += [taken_apart(subject, found, ratios[found.model]) for found in baselines]
    if subject and side.metric == "throughput_per_s":
        sentences += [batch_words(subject, found) for found in baselines]
    if subject and subject.stages:
        sentences.append(stage_words(subject))
        if side.metric == "latency_s" and side.kind == "ratio" and claim.value > 1:
            sentences += [bound_words(claim, subject, found) for found in baselines]
    sentences.append(limit_words([found for found in known.values() if found.stages]))
    if side.metric == "latency_s":
        sentences.append(sweep_words(side.subject, known))
    sentences.append(missing_words(timed))
    return " ".join(filter(None, sentences))


# -- sentences ---------------------------------------------------------------------------------------------------------


def circumstances(side: Comparison, known: Mapping[str, Timed], pairs: Mapping[str, Paired]) -> str:
    """What one number is, and where it was taken."""
    record = next(iter([pair.record for pair in pairs.values()] + [found.record for found in known.values()]), None)
    if record is None:
        return ""
    protocol, environment = record.protocol, record.environment
    threads = protocol.num_threads or environment.num_threads
    where = environment.gpu or f"{environment.processor}, {threads} thread{'s' if threads != 1 else ''}"
    made = "composed of a few calls of each part and their exact counts" if is_estimated(record) else "timed whole"
    rounds = {len(pair.entry.orders) for pair in pairs.values() if pair.entry.orders}
    shared = f", all sides in the same {max(rounds)} rounds" if rounds else ""
    batch = protocol.throughput_batch_size if side.metric == "throughput_per_s" else protocol.latency_batch_size
    return (
        f"What is compared: calls that end in pixels, {made}{shared}; batch {batch}, {protocol.dtype}, each "
        f"model with its published steps and guidance, on {where}."
    )


def work_words(found: Timed) -> str:
    """As "dit-digits makes 500 network evaluations for an image, 6.41 GFLOP, in 501 calls of its parts."""
    evaluations = [f"{count:,} {part}" for part, count in found.timing.nfe.items()]
    flops = f", {quantity('flops', found.flops)}" if found.flops else ""
    calls = f", in {found.num_calls:,} calls of its parts" if found.num_calls else ""
    return f"{found.model} makes {listed(evaluations) or 'uncounted'} evaluations for an image{flops}{calls}."


def taken_apart(subject: Timed, baseline: Timed, ratio: float) -> str:
    """The ratio of times = the ratio of arithmetic x the ratio of the speeds of execution."""
    start = f"{baseline.model} takes {number(ratio)} times as long as {subject.model}"
    if not subject.flops or not baseline.flops:
        return f"{start}."
    work = baseline.flops / subject.flops
    rates = [f"{quantity('flops', found.flops / found.seconds)}/s" for found in (baseline, subject)]  # type: ignore[operator]
    start += f" for {number(work)} times the arithmetic"
    if abs(ratio / work - 1) < ALIKE:
        return f"{start}, which explains it: both do about as much arithmetic per second ({' against '.join(rates)})."
    comparative = "less" if ratio > work else "more"
    sentence = f"{start}; the rest is speed of execution: it does {comparative} arithmetic per second "
    sentence += f"({' against '.join(rates)})"
    if baseline.num_calls and subject.num_calls:
        per_call = [baseline.flops / baseline.num_calls, subject.flops / subject.num_calls]
        if (per_call[0] < per_call[1]) == (ratio > work):  # small calls are slow ones
            sentence += f", in {'smaller' if ratio > work else 'larger'} calls "
            sentence += f"({' against '.join(quantity('flops', flops) for flops in per_call)} each)"
    return f"{sentence}."


def stage_words(found: Timed) -> str:
    """Shares of the time, and what making a stage free could win."""
    rows = sorted(found.stages.items(), key=lambda item: -item[1].share)
    shares = listed([f"{stage_name(name)} {percent(row.share)}" for name, row in rows])
    main = found.stages[found.main_stage]
    sentence = (
        f"Of the time of {found.model} {shares}. By Amdahl's law it would gain at most "
        f"x{number(amdahl_bound(1 - main.share))} if all but its {found.main_stage} were free"
    )
    sentence += f", and x{number(main.amdahl_bound)} if that were." if main.amdahl_bound else "."
    if {"decoder", "autoencoder"} <= found.stages.keys():
        share = found.stage_s("decoder") / (found.whole_s - found.stage_s("autoencoder"))
        sentence += f" Without the autoencoder the decoder's share is {percent(share)}."
    return sentence


def bound_words(claim: Claim, subject: Timed, baseline: Timed) -> str:
    """What the printed speed-up would demand of the stages that are there."""
    needed_s, main_s = baseline.seconds / claim.value, subject.stage_s(subject.main_stage)
    consequence = (
        "the ratio is out of reach here at that number of evaluations, whatever the rest costs"
        if main_s > needed_s
        else "that does not rule the ratio out"
    )
    sentence = (
        f"x{number(claim.value)} of {baseline.model}'s {quantity('latency_s', baseline.seconds)} would leave "
        f"{subject.model} {quantity('latency_s', needed_s)}; its {subject.main_stage} alone takes "
        f"{quantity('latency_s', main_s)}: {consequence}."
    )
    if "autoencoder" in baseline.stages and baseline.stage_s("autoencoder") > 0:
        bound = baseline.whole_s / baseline.stage_s("autoencoder")
        sentence += f" Whatever decodes latents as {baseline.model} does can be x{number(bound)} faster at most."
    return sentence


def limit_words(found: Sequence[Timed]) -> str:
    """The share of the machine's limits that the main stage of each side reaches, and which limit binds it."""
    reached = []
    for side in found:
        row, limits = side.stages[side.main_stage], side.timing.roofline
        if limits and row.roofline_share is not None:
            by_weights = row.weight_bytes / limits.copy_bytes_per_s > row.flops / limits.matmul_flop_per_s
            what = "reading weights" if by_weights else "arithmetic"
            share = percent(row.roofline_share)
            reached.append(f"{side.model}'s {side.main_stage} reaches {share} (bound by {what})")
    if not reached:
        return ""
    limits = next(side.timing.roofline for side in found if side.timing.roofline)
    return (
        f"Of what this machine's matrix product ({quantity('flops', limits.matmul_flop_per_s)}/s) and copy "
        f"({limits.copy_bytes_per_s / 1e9:,.0f} GB/s) allow, {listed(reached)}."
    )


def sweep_words(subject: str, known: Mapping[str, Timed]) -> str:
    """What the best batches of the sweeps make of the ratios."""
    best = {model: batch for model, found in known.items() if (batch := best_rate(found.record)) is not None}
    if subject not in best or len(best) < 2:
        return ""
    size, rate = best[subject]
    others = [
        f"{number(rate / theirs)} times those of {model} (at {at})"
        for model, (at, theirs) in best.items()
        if model != subject
    ]
    return (
        f"In batches it is another question: at its best batch of a short sweep, {size}, {subject} paints "
        f"{number(rate)} images per second, {listed(others)}."
    )


def batch_words(subject: Timed, baseline: Timed) -> str:
    """Images per second of both."""
    rates = [found.record.measurements.get("throughput_per_s") for found in (subject, baseline)]
    if rates[0] is None or rates[1] is None:
        return ""
    return (
        f"In batches {subject.model} paints {number(rates[0].value)} images per second, {baseline.model} "
        f"{number(rates[1].value)}."
    )


def missing_words(timed: Mapping[str, Timed | None]) -> str:
    """What could not be said, and what disturbed what was."""
    unknown = [model for model, found in timed.items() if found is None]
    without = [model for model, found in timed.items() if found and not found.stages]
    disturbed = [model for model, found in timed.items() if found and found.timing.latency.disturbed]
    sentences = [
        f"No run of {listed(unknown)} was kept: arithmetic and stages are unknown." if unknown else "",
        f"No stages of {listed(without)} were kept." if without else "",
        f"Other work ran on the machine during the runs of {listed(disturbed)}." if disturbed else "",
    ]
    return " ".join(filter(None, sentences))


def stage_name(stage: str) -> str:
    return "what lies between takes" if stage == REST else f"the {stage} takes"


def percent(share: float) -> str:
    """As "95.5 %": one decimal, two where the share is nearly all or nothing."""
    return f"{100 * share:.{1 if 0.01 <= share <= 0.99 else 2}f} %"
