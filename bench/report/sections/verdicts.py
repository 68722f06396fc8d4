"""The verdicts as cards, the summary above them, and what was not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.formatting import listed, named
from bench.records.schema import Claim, Comparison, Record, Verdict
from bench.report.speed_words import speed_paragraph
from bench.report.words import badge_of, capital
from bench.verdict.finding import METRIC_WORDS


def summary(judged: Mapping[str, list[list[Verdict]]], groups: Sequence[Mapping[str, Any]], smoke: bool) -> list[str]:
    """What was found, in plain words."""
    if "" in judged:  # no machine
        return ["Nothing was measured yet: there is no record to judge. `python -m bench reproduce` makes them."]
    sentences, paper_sentences = [], []
    for name, pairs in judged.items():
        where = f"On {name}, " if len(judged) > 1 else ""
        small = Counter(pair[1].word for pair in pairs if len(pair) > 1)
        paper = Counter(pair[0].word for pair in pairs)
        if set(small) != {"not run"}:
            sentences.append(capital(f"{where}in small, {counted(small)}."))
        if set(paper) != {"not run"}:
            paper_sentences.append(capital(f"{where}at the paper's scale, {counted(paper)}."))
    sentences += paper_sentences or [
        "None was judged at the paper's scale: that needs released weights, reference statistics or a GPU, listed "
        "under “What was not run”."
    ]
    if smoke:
        sentences.insert(0, "This is a smoke run: no claim is judged by it.")
    meaning = (
        "“In small” means: small models of the same algorithms, one per family, trained on 8×8 scans of handwritten "
        "digits (D-DiT on scenes of them) and measured here. That can show a direction (which model is better, which "
        "is faster), never a paper's number; printed and measured numbers are kept apart throughout."
    )
    return [" ".join(sentences), *[" ".join(group["rankings"]) for group in groups if group["rankings"]], meaning]


def counted(words: Counter[Any]) -> str:
    """As "3 of 7 headline claims hold, 2 do not, 1 is inconclusive and 1 was not run"."""
    total = sum(words.values())
    phrases = (
        (("holds in small",), "holds", "hold"),
        (("reproduced",), "is reproduced", "are reproduced"),
        (("does not hold in small",), "does not", "do not"),
        (("not reproduced",), "is not reproduced", "are not reproduced"),
        (("inconclusive",), "is inconclusive", "are inconclusive"),
        (("not comparable",), "is not comparable", "are not comparable"),
        (("not run",), "was not run", "were not run"),
    )
    found = [(sum(words[word] for word in group), one, many) for group, one, many in phrases]
    parts = [f"{count} {one if count == 1 else many}" for count, one, many in found if count]
    first, *rest = parts
    count, verb = first.split(" ", 1)
    if verb in ("does not", "do not"):
        verb += " hold"
    return listed([f"{count} of {total} headline claims {verb}", *rest])


def not_run(claims: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The verdicts "not run", one per reason, with the claims they leave open."""
    by_reason: dict[str, dict[str, Any]] = {}
    for claim in claims:
        for row in claim["verdicts"]:
            if row["word"] == "not run":
                entry = by_reason.setdefault(
                    row["reason"], {"reason": row["reason"], "side": row["side"], "claims": {}}
                )
                entry["claims"][claim["id"]] = claim["headline"]
    return list(by_reason.values())


def claim_view(
    claim: Claim, verdicts_by_machine: Mapping[str, Sequence[Verdict]], records: Mapping[str, Sequence[Record]]
) -> dict[str, Any]:
    """A claim with its verdicts: on either side those of the machines that could give one, else what is missing.

    records: those that were judged, by machine.
    """
    rows = []
    small = {name: pair[1] for name, pair in verdicts_by_machine.items() if len(pair) > 1}
    paper = {name: pair[0] for name, pair in verdicts_by_machine.items()}
    for side, verdicts in (("In small", small), ("At the paper's scale", paper)):
        run = {name: verdict for name, verdict in verdicts.items() if verdict.word != "not run"}
        alike = not run and len({verdict.reason for verdict in verdicts.values()}) == 1
        for name, verdict in list((run or verdicts).items())[: 1 if alike else None]:
            rows.append(
                {
                    "side": side,
                    "machine": "" if alike or len(verdicts_by_machine) == 1 else name,
                    **badge_of(verdict.word),
                    "reason": verdict.reason,
                    "paragraph": speed_paragraph(claim, verdict, records.get(name, ())),
                    "records": rests_on(verdict),
                }
            )
    return {
        "id": claim.id,
        "headline": claim.headline,
        "quote": claim.quote,
        "printed": f"x{claim.value:g}" if claim.unit == "times" else f"{claim.value:g} {claim.unit}",
        "source": claim.source,
        "tolerance": f"± {claim.tolerance:.0%}".replace("%", " %"),
        "tolerance_reason": claim.tolerance_reason,
        "conflicts": claim.conflicts,
        "caveat": claim.caveat,
        "verdicts": rows,
        "question": question(claim.in_small) if claim.in_small else "",
        "in_small": [row for row in rows if row["side"] == "In small"],
        "at_paper_scale": [row for row in rows if row["side"] != "In small"],
    }


def rests_on(verdict: Verdict) -> dict[str, list[str]]:
    """The files a verdict rests on, each once, by model and protocol in words."""
    found: dict[str, list[str]] = {}
    for file in dict.fromkeys(verdict.records):
        found.setdefault(file.split("/")[1].rsplit("--", 1)[0].replace("--", " "), []).append(file)
    return found


def question(side: Comparison) -> str:
    """What is asked in small."""
    metric = METRIC_WORDS.get(side.metric, side.metric)
    subject = named(side.subject, side.settings)
    baselines = listed([named(model, side.baseline_settings) for model in side.baselines])
    if side.margin:
        worse = "lower" if side.better == "higher" else "higher"
        return f"Is {metric} of {subject} at most {100 * side.margin:g} % {worse} than that of {baselines}?"
    return f"Has {subject} {side.better} {metric} than {baselines}?"
