"""The first screen: four questions with short answers, and the picture; all numbers come from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.evidence import Trace, Traced
from bench.analysis.seeds import errors_over_scenes
from bench.analysis.speed import is_estimated, pairs_of, tf32_convolutions
from bench.analysis.speedups import Speed, arithmetic_of, speeds_of
from bench.formatting import interval, number
from bench.metrics import METRICS
from bench.records.schema import Claim, Verdict
from bench.report.charts.speedups import Printed, Row
from bench.report.families import family_of
from bench.report.tables import NONE, Cell, cell
from bench.report.words import badge_of, commands_in, times
from bench.verdict.judge import find
from bench.verdict.judged import Judged, Side
from bench.verdict.scenes import PERCENT

DIFFUSION = ("transdiff-latency-diffusion", "transdiff-latency-diffusion-informal")
AUTOREGRESSIVE = ("transdiff-latency-ar", "transdiff-latency-ar-informal")
Fragment = str | Cell  # of a line: words, or a number
WORDS = {  # of other verdicts: open
    **{"holds in small": "yes", "does not hold in small": "no", "not run": "not measured"},
    **{"reproduced": "yes", "not reproduced": "no"},
}


@dataclass(frozen=True)
class Fact:
    """One line below an answer."""

    label: str
    parts: Sequence[Fragment]


@dataclass(frozen=True)
class Answer:
    question: str
    answer: str
    facts: Sequence[Fact]
    badges: Sequence[Mapping[str, str]]  # with the side that each is of
    link: str  # to the evidence


def answers(judged: Mapping[str, Judged]) -> list[Answer]:
    """The four questions, in the order of the papers."""
    return [
        speed_answer("Is TransDiff faster than diffusion-only models?", [judged[name] for name in DIFFUSION]),
        speed_answer("Is it faster than autoregressive models?", [judged[name] for name in AUTOREGRESSIVE]),
        quality_answer("Does MRAR lower FID?", judged["mrar-fid"]),
        text_answer(
            "Does Dual Diffusion rival autoregressive models?",
            {"answers": judged["d-dit-vqa"], "captions": judged["d-dit-cider"]},
        ),
    ]


# -- speed -------------------------------------------------------------------------------------------------------------


def speeds(side: Side) -> list[Speed]:
    return speeds_of(side.asked, side.judged) if side.asked.metric == "latency_s" else []


def speed_answer(question: str, claims: Sequence[Judged]) -> Answer:
    first = claims[0]
    facts = [Fact("printed", [", ".join(f"x{c.claim.value:g} ({c.claim.source.where.split(':')[0]})" for c in claims)])]
    for side in first.sides:
        measured = speeds(side)
        label = "small models" if side is first.small else "paper's size"
        label += ", estimated" if measured and measured[0].kind == "estimated" else ""
        facts.append(Fact(label, [*speed_parts(measured), made_on(first, side)] if measured else not_measured(side)))
    found = next(filter(None, map(speeds, first.sides)), [])
    return Answer(question, speed_words(found, first), facts, badges(first), f"#claim-{first.claim.id}")


def speed_words(found: Sequence[Speed], judged: Judged) -> str:
    """As "Faster, about 4.7 times, not 112.", or "Depends: 5.7 times faster than mar-l, 14 times slower than ..."."""
    if not found:
        return "Not measured."
    ordered = sorted(found, key=lambda each: each.ratio.found.value)
    worst, best = ordered[0], ordered[-1]
    if worst.ratio.found.low > 1:
        low, high = (f"{each.ratio.found.value:.2g}" for each in (worst, best))
        about = low if low == high else f"{low} to {high}"
        printed = f", not {judged.claim.value:g}" if judged.paper.verdict.word == "not reproduced" else ""
        return f"Faster, about {about} times{printed}."
    if best.ratio.found.high < 1:
        return f"No: {' '.join(map(str, plain_times(best)))} than {best.baseline} at best."
    if best.ratio.found.low > 1 and worst.ratio.found.high < 1:
        clauses = [f"{' '.join(plain_times(each))} than {each.baseline}" for each in (best, worst)]
        return f"Depends: {', '.join(clauses)}."
    return "Not settled: some intervals hold 1."


def plain_times(speed: Speed) -> tuple[str, str]:
    """As ("14", "times slower"), in two digits."""
    value, words = speed.ratio.found.value, times(speed.ratio.found)[1]
    return f"{max(value, 1 / value):.2g}", words


def ratio_cell(ratio: Traced) -> Cell:
    """A ratio of speeds as a number above 1; "times faster" or "times slower" as its mark."""
    shown, words, bounds = times(ratio.found)
    trace = ratio.trace.inverted if ratio.found.value < 1 else ratio.trace
    return Cell(shown, bounds, trace=trace, mark=words)


def speed_parts(found: Sequence[Speed], *, kernels: bool = False) -> Sequence[Fragment]:
    """As "4.73 times faster than dit-xl-2, 4.69 times faster than sit-xl-2"; kernels: where own ones have a share in it
    "3.28 times faster than dit-digits (in one run 3.3 with own kernels, 3.1 without)"."""
    parts: list[Fragment] = []
    for speed in found:
        parts += [", "] if parts else []
        shown = ratio_cell(speed.ratio)
        parts += [shown, f" {shown.mark} than {speed.baseline}"]
        if kernels and speed.both_kernels:
            own, torchs = (ratio_cell(each) for each in speed.both_kernels)
            marks = ["" if each.mark == shown.mark else f" {each.mark}" for each in (own, torchs)]
            parts += [" (in one run ", own, f"{marks[0]} with own kernels, ", torchs, f"{marks[1]} without)"]
    return parts


def made_on(judged: Judged, side: Side) -> str:
    """As " (NVIDIA H200, float32, batch 1)" of whole images that were timed at the paper's size; of all else the
    machine, where it is not the one that measured last."""
    pairs = pairs_of(side.asked, side.judged) if side is judged.paper and side.was_run else {}
    for pair in pairs.values():
        if not is_estimated(pair.record):
            environment, protocol = pair.record.environment, pair.record.protocol
            processor = environment.gpu or environment.processor or environment.machine
            dtype = protocol.dtype + (", TF32 in convolutions" if True in tf32_convolutions(pair.record) else "")
            return f" ({processor}, {dtype}, batch {protocol.latency_batch_size})"
    return judged.elsewhere(side)


# -- quality and text --------------------------------------------------------------------------------------------------


def quality_answer(question: str, judged: Judged) -> Answer:
    paper, small, claim = judged.paper, judged.small, judged.claim
    printed = claim.quote.split("from ")[-1].replace(" to ", " → ")
    facts = [Fact("printed", [f"FID {printed} ({claim.source.where})"])]
    known = paper.verdict.value is not None
    facts.append(
        Fact("paper's size", [verdict_cell(paper.verdict), f" {claim.unit}"] if known else not_measured(paper))
    )
    words = "Not measured."
    if small:
        facts.append(Fact("small models", [*difference_parts(small, "FID"), judged.elsewhere(small)]))
        words = {
            "holds in small": "Yes in small; the printed number is not measured.",
            "does not hold in small": "No in small; the printed number is not measured.",
            "inconclusive": "Not shown: small models are not told apart.",
        }.get(small.verdict.word, words)
    if paper.was_run:
        words = {"reproduced": "Yes, as printed.", "not reproduced": "Not as printed."}.get(
            paper.verdict.word, "Not settled at the paper's scale."
        )
    return Answer(question, words, facts, badges(judged), "#mrar")


def verdict_cell(verdict: Verdict) -> Cell:
    """The number that a verdict computed, its interval below: `verify` computes it again."""
    if verdict.value is None:
        return NONE
    bounds = (verdict.value, verdict.ci_low, verdict.ci_high)
    trace = Trace(verdict.value, verdict.records, f"verdict {verdict.claim_id} {verdict.scale}")
    return Cell(number(*bounds), interval(*bounds), trace=trace)


def difference_parts(side: Side, metric: str) -> Sequence[Fragment]:
    """The verdict's number: a difference from the baseline that speaks least for the claim."""
    verdict, shown = side.verdict, verdict_cell(side.verdict)
    if verdict.value is None:
        return not_measured(side)
    signed = replace(shown, text=f"+{shown.text}") if verdict.value > 0 else shown
    rival = verdict.rival + (", its strongest rival" if len(side.asked.baselines) > 1 else "")
    theirs = [r for r in side.judged if r.file in verdict.records and r.model == verdict.rival]
    seeds = len({record.protocol.training_seed for record in theirs})
    over = f", over {seeds} training seeds," if seeds > 1 else ""
    return (f"{metric} differs by ", signed, f" ({shown.below}){over} from that of {rival}")


def text_answer(question: str, claims: Mapping[str, Judged]) -> Answer:
    """Captions and answers are two claims of one question."""
    spoken = {name: (found.small or found.paper).verdict.word for name, found in claims.items()}
    clauses = [f"{name} {WORDS.get(word, 'open')}" for name, word in spoken.items()]
    words = "Not measured." if set(spoken.values()) == {"not run"} else f"In small: {', '.join(clauses)}."
    printed = ", ".join(f"{name} {found.claim.quote.split(': ')[-1]}" for name, found in claims.items())
    facts = [Fact("printed", [printed])]
    papers = [found.paper for found in claims.values()]
    if not any(side.was_run for side in papers):
        commands = [command for side in papers for command in commands_in(side.verdict.reason)[:1]]
        facts.append(Fact("paper's size", ["not measured: " + " and ".join(f"`{each}`" for each in commands)]))
    shown = [{"side": "paper's size", **badge_of(word)} for word in dict.fromkeys(side.verdict.word for side in papers)]
    for name, found in claims.items():
        if found.small:
            facts.append(Fact(f"small, {name}", [*against_parts(found.small), found.elsewhere(found.small)]))
            shown.append({"side": f"small, {name}", **badge_of(found.small.verdict.word)})
    return Answer(question, words, facts, shown, f"#claim-{next(iter(claims.values())).claim.id}")


def against_parts(side: Side) -> Sequence[Fragment]:
    """As "VQA accuracy 98.51 against 99.68 of ar-vlm-digits, 4.7 times the errors (2.7 to 9.8)"."""
    asked = side.asked
    ours = find(asked.subject, asked.protocol, side.judged, asked.settings)
    theirs = find(asked.baselines[0], asked.protocol, side.judged, asked.baseline_settings)
    if not ours or not theirs or any(asked.metric not in r.measurements for r in (ours, theirs)):
        return not_measured(side)
    title = METRICS[asked.metric].title
    parts = (f"{title} ", cell(ours, asked.metric), " against ", cell(theirs, asked.metric), f" of {theirs.model}")
    errors = errors_over_scenes(asked.errors_of, PERCENT, ours, theirs) if asked.errors_of else None
    if errors is None:
        return parts
    bounds = (errors.value, errors.low, errors.high)
    return (*parts, f", {number(*bounds)} times the errors ({interval(*bounds)})")


def badges(judged: Judged) -> Sequence[Mapping[str, str]]:
    sides = zip(("paper's size", "small"), judged.sides, strict=False)
    return [{"side": name, **badge_of(side.verdict.word, side.verdict.marker)} for name, side in sides]


def not_measured(side: Side) -> Sequence[Fragment]:
    """With the command that would measure it."""
    if side.was_run:
        return (side.verdict.word,)
    commands = ", then ".join(f"`{command}`" for command in commands_in(side.verdict.reason))
    return (f"not measured: {commands}" if commands else "not measured",)


# -- the picture -------------------------------------------------------------------------------------------------------


def picture_rows(judged: Mapping[str, Judged]) -> list[Row]:
    """A row per model that a printed speed-up speaks of: printed numbers, then every kind of evidence."""
    rows: list[Row] = []
    for names in (DIFFUSION, AUTOREGRESSIVE):
        claims = [judged[name] for name in names]
        first = claims[0]
        found = evidence_of(first)
        for baseline in first.paper.asked.baselines:
            same = [each for each in found if family_of(each.baseline) == family_of(baseline)]
            said = [printed_of(each.claim) for each in claims if baseline in each.claim.paper_scale.baselines]
            if same:
                measured = [(each.kind, each.ratio.found) for each in same]
                rows.append(Row(baseline, said, measured, [each.ratio.trace for each in same]))
    return rows


def evidence_of(judged: Judged) -> list[Speed]:
    """Ratios of the paper's size, timed and of operations alone, then in small."""
    paper, *small = judged.sides
    return [*speeds(paper), *arithmetic_of(paper.asked, paper.judged), *(each for s in small for each in speeds(s))]


def printed_of(claim: Claim) -> Printed:
    return Printed(claim.value, claim.value * (1 - claim.tolerance), claim.value * (1 + claim.tolerance))
