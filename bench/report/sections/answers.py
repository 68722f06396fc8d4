"""The first screen: four questions with short answers, and the picture; all numbers come from the records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.evidence import Trace, Traced
from bench.analysis.seeds import errors_over_scenes
from bench.analysis.speedups import Speed, arithmetic_of, speeds_of
from bench.formatting import interval, number
from bench.metrics import METRICS
from bench.records.schema import Claim, Verdict
from bench.report.charts.speedups import Printed, Row
from bench.report.families import family_of
from bench.report.tables import Cell, cell
from bench.report.words import badge_of, commands_in, times
from bench.verdict.judge import find
from bench.verdict.judged import Judged, Side
from bench.verdict.scenes import PERCENT

DIFFUSION = ("transdiff-latency-diffusion", "transdiff-latency-diffusion-informal")
AUTOREGRESSIVE = ("transdiff-latency-ar", "transdiff-latency-ar-informal")
Fragment = str | Cell  # of a line: words, or a number
WORDS = {"holds in small": "yes", "does not hold in small": "no", "reproduced": "yes", "not reproduced": "no"}


@dataclass(frozen=True)
class Fact:
    """One line below an answer."""

    label: str
    parts: tuple[Fragment, ...]


@dataclass(frozen=True)
class Answer:
    question: str
    answer: str
    facts: tuple[Fact, ...]
    badges: tuple[Mapping[str, str], ...]  # with the side that each is of
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
    return speeds_of(side.asked, side.judged)


def speed_answer(question: str, claims: Sequence[Judged]) -> Answer:
    first = claims[0]
    paper, small = speeds(first.paper), speeds(first.small) if first.small else []
    printed = [f"x{each.claim.value:g} ({each.claim.source.where.split(':')[0]})" for each in claims]
    facts = [Fact("printed", (", ".join(printed),))]
    label = "paper's size" + (", estimated" if paper and paper[0].kind == "estimated" else "")
    facts.append(
        Fact(
            label,
            (*speed_parts(paper), first.elsewhere(first.paper)) if paper else not_measured(first.paper.verdict),
        )
    )
    if first.small:
        shown = (*speed_parts(small), first.elsewhere(first.small)) if small else not_measured(first.small.verdict)
        facts.append(Fact("small models", shown))
    return Answer(
        question,
        speed_words(paper or small, first),
        tuple(facts),
        badges(first),
        f"#claim-{first.claim.id}",
    )


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


def speed_parts(found: Sequence[Speed], *, kernels: bool = False) -> tuple[Fragment, ...]:
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
    return tuple(parts)


# -- quality and text --------------------------------------------------------------------------------------------------


def quality_answer(question: str, judged: Judged) -> Answer:
    small = judged.small
    claim = judged.claim
    facts = [Fact("printed", (f"FID {claim.quote.split('from ')[-1].replace(' to ', ' → ')} ({claim.source.where})",))]
    facts.append(paper_fact(judged))
    words = "Not measured."
    if small:
        facts.append(Fact("small models", (*difference_parts(small, "FID"), judged.elsewhere(small))))
        words = {
            "holds in small": "Yes in small; the printed number is not measured.",
            "does not hold in small": "No in small; the printed number is not measured.",
            "inconclusive": "Not shown: small models are not told apart.",
        }.get(small.verdict.word, words)
    if judged.paper.was_run:
        words = {"reproduced": "Yes, as printed.", "not reproduced": "Not as printed."}.get(
            judged.paper.verdict.word, "Not settled at the paper's scale."
        )
    return Answer(question, words, tuple(facts), badges(judged), "#mrar")


def paper_fact(judged: Judged) -> Fact:
    verdict = judged.paper.verdict
    if verdict.value is None:
        return Fact("paper's size", not_measured(verdict))
    shown = Cell(number(verdict.value, verdict.ci_low, verdict.ci_high), trace=trace_of(verdict))
    return Fact("paper's size", (shown, f" {judged.claim.unit}"))


def difference_parts(side: Side, metric: str) -> tuple[Fragment, ...]:
    """The verdict's number: a difference from the baseline that speaks least for the claim."""
    verdict = side.verdict
    if verdict.value is None:
        return not_measured(verdict)
    bounds = (verdict.value, verdict.ci_low, verdict.ci_high)
    sign = "+" if verdict.value > 0 else ""
    shown = Cell(sign + number(*bounds), trace=trace_of(verdict))
    rival = verdict.rival + (", its strongest rival" if len(side.asked.baselines) > 1 else "")
    theirs = [r for r in side.judged if r.file in verdict.records and r.model == verdict.rival]
    seeds = len({record.protocol.training_seed for record in theirs})
    over = f", over {seeds} training seeds," if seeds > 1 else ""
    return (f"{metric} differs by ", shown, f" ({interval(*bounds)}){over} from that of {rival}")


def trace_of(verdict: Verdict) -> Trace | None:
    """Of a number that the verdict itself computed: `verify` computes it again."""
    if verdict.value is None:
        return None
    return Trace(verdict.value, verdict.records, f"verdict {verdict.claim_id} {verdict.scale}")


def text_answer(question: str, claims: Mapping[str, Judged]) -> Answer:
    """Captions and answers are two claims of one question."""
    said = {name: WORDS.get((found.small or found.paper).verdict.word, "") for name, found in claims.items()}
    clauses = {
        name: word or {"not run": "not measured"}.get((claims[name].small or claims[name].paper).verdict.word, "open")
        for name, word in said.items()
    }
    words = "Not measured."
    if set(clauses.values()) != {"not measured"}:
        words = f"In small: {', '.join(f'{name} {word}' for name, word in clauses.items())}."
    facts = [
        Fact("printed", (", ".join(f"{name} {found.claim.quote.split(': ')[-1]}" for name, found in claims.items()),))
    ]
    commands = [command for found in claims.values() for command in commands_in(found.paper.verdict.reason)[:1]]
    if not any(found.paper.was_run for found in claims.values()):
        facts.append(Fact("paper's size", ("not measured: " + " and ".join(f"`{each}`" for each in commands),)))
    for name, found in claims.items():
        if found.small:
            facts.append(Fact(f"small, {name}", (*against_parts(found.small), found.elsewhere(found.small))))
    first, *_ = claims.values()
    papers = {found.paper.verdict.word: badge_of(found.paper.verdict.word) for found in claims.values()}
    shown = [{"side": "paper's size", **badge} for badge in papers.values()]
    for name, found in claims.items():
        if found.small:
            shown.append({"side": f"small, {name}", **badge_of(found.small.verdict.word)})
    return Answer(question, words, tuple(facts), tuple(shown), f"#claim-{first.claim.id}")


def against_parts(side: Side) -> tuple[Fragment, ...]:
    """As "VQA accuracy 98.51 against 99.68 of ar-vlm-digits, 4.7 times the errors (2.7 to 9.8)"."""
    asked = side.asked
    ours = find(asked.subject, asked.protocol, side.judged, asked.settings)
    theirs = find(asked.baselines[0], asked.protocol, side.judged, asked.baseline_settings)
    if not ours or not theirs or any(asked.metric not in r.measurements for r in (ours, theirs)):
        return not_measured(side.verdict)
    title = METRICS[asked.metric].title
    parts = (f"{title} ", cell(ours, asked.metric), " against ", cell(theirs, asked.metric), f" of {theirs.model}")
    errors = errors_over_scenes(asked.errors_of, PERCENT, ours, theirs) if asked.errors_of else None
    if errors is None:
        return parts
    bounds = (errors.value, errors.low, errors.high)
    return (*parts, f", {number(*bounds)} times the errors ({interval(*bounds)})")


def badges(judged: Judged) -> tuple[Mapping[str, str], ...]:
    sides = [("paper's size", judged.paper), *([("small", judged.small)] if judged.small else [])]
    return tuple({"side": name, **badge_of(side.verdict.word, side.verdict.marker)} for name, side in sides)


def not_measured(verdict: Verdict) -> tuple[Fragment, ...]:
    """With the command that would measure it."""
    if verdict.word == "not run":
        commands = ", then ".join(f"`{command}`" for command in commands_in(verdict.reason))
        return (f"not measured: {commands}" if commands else "not measured",)
    return (f"{verdict.word}",)


# -- the picture -------------------------------------------------------------------------------------------------------


def picture_rows(judged: Mapping[str, Judged]) -> list[Row]:
    """A row per model that a printed speed-up speaks of: printed numbers, then every kind of evidence."""
    rows: list[Row] = []
    for names in (DIFFUSION, AUTOREGRESSIVE):
        claims = [judged[name] for name in names]
        first = claims[0]
        found = [*speeds(first.paper), *arithmetic_of(first.paper.asked, first.paper.judged)]
        found += speeds(first.small) if first.small else []
        for baseline in first.paper.asked.baselines:
            same = [each for each in found if family_of(each.baseline) == family_of(baseline)]
            said = [printed_of(each.claim) for each in claims if speaks_of(each.claim, baseline)]
            if same:
                measured = tuple((each.kind, each.ratio.found) for each in same)
                rows.append(Row(baseline, tuple(said), measured, tuple(each.ratio.trace for each in same)))
    return rows


def speaks_of(claim: Claim, baseline: str) -> bool:
    return baseline in claim.paper_scale.baselines


def printed_of(claim: Claim) -> Printed:
    return Printed(claim.value, claim.value * (1 - claim.tolerance), claim.value * (1 + claim.tolerance))
