"""Records -> reports/index.html: one file that needs no network and no JavaScript.

    python -m bench report --results results --out reports/index.html

Here the records are read, judged and put into the words and cells of a page; page.html.jinja sets them.
A number of a paper and a measured number never stand in one column.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from bench.claims import (
    CLAIMS,
    PUBLISHED_PAINTING,
    PUBLISHED_QUALITY,
    PUBLISHED_SPEED,
    PUBLISHED_UNDERSTANDING,
)
from bench.records import Claim, Comparison, Record, UsageError, Verdict
from bench.report.measured import group_view
from bench.report.scenes import SCALE as SCENES
from bench.report.scenes import dual_view
from bench.report.sizes import size_view
from bench.report.speed import speed_view
from bench.report.speed_words import speed_paragraph
from bench.report.stamps import weights_of
from bench.report.studies import SECTIONS, studies_view
from bench.report.tables import REAL_DATA
from bench.report.timed import at_the_machines_best
from bench.report.words import anchor, as_words, badge_of, capital, prose
from bench.results import latest, load_records, write_text
from bench.studies import STUDIES
from bench.verdict import METRIC_WORDS, judge, listed, named, seeds_of

HERE = Path(__file__).parent
PRINTED_TABLES = (  # caption, (heading, field of a row) of each column, groups
    (
        "Printed scores of reading images. CIDEr on COCO, times 100; accuracies in %; MME as a sum of scores.",
        (
            *(("CIDEr", "cider"), ("VQAv2", "vqa_v2"), ("VizWiz", "vizwiz"), ("OKVQA", "okvqa"), ("MME", "mme")),
            *(("GQA", "gqa"), ("POPE", "pope"), ("Parameters", "params")),
        ),
        PUBLISHED_UNDERSTANDING,
    ),
    (
        "Printed scores of painting from text: GenEval, the share of prompts whose picture shows what was asked.",
        (
            *(("Overall", "overall"), ("Single object", "single"), ("Two objects", "two"), ("Counting", "counting")),
            *(("Colours", "colours"), ("Position", "position"), ("Attribute binding", "attribution")),
        ),
        PUBLISHED_PAINTING,
    ),
)


def render(results_dirs: Sequence[Path], out: Path, *, now: datetime | None = None) -> Path:
    """Write the report on the records of `results_dirs` to `out`, and return `out`.

    UsageError where a folder does not exist. Files that are not records are listed in the report.
    """
    results_dirs, out = [Path(folder) for folder in results_dirs], Path(out)
    for folder in results_dirs:
        if not folder.is_dir():
            raise UsageError(f"results folder {str(folder)!r} does not exist; `python -m bench reproduce` makes one")
    records, unreadable = load_records(results_dirs)
    told = context(
        at_the_machines_best(latest(records)), unreadable, now or datetime.now(UTC), links(records, results_dirs, out)
    )
    page = environment().get_template("page.html.jinja").render(told)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, out)
    return out


def environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"prose": prose, "anchor": anchor}
    return made


def links(records: Iterable[Record], results_dirs: Sequence[Path], out: Path) -> dict[str, str]:
    """Relative links from the page to the record files that lie in a folder beside or below the page's own."""
    found = {}
    for record in records:
        for folder in results_dirs:
            path = folder / record.file
            relative = Path(os.path.relpath(path, out.parent)).as_posix()
            if path.exists() and not relative.startswith("../.."):
                found[record.file] = relative
    return found


# -- the page ----------------------------------------------------------------------------------------------------------


def context(
    records: Sequence[Record], unreadable: Sequence[str], now: datetime, link_by_file: Mapping[str, str]
) -> dict[str, Any]:
    """Everything the template prints."""
    given, sizes = records, [record for record in records if record.protocol.get("collects") == "sizes"]
    records = [record for record in records if record.protocol.get("collects") != "sizes"]  # sizes have a table apart
    order = model_order(records)
    by_machine: dict[str, list[Record]] = {}
    by_scale: dict[tuple[str, str], list[Record]] = {}  # scales never share a table
    for record in sorted(records, key=lambda record: (machine_of(record), order[record.model], record.file)):
        by_machine.setdefault(machine_of(record), []).append(record)
        if not record.protocol.get("study") and record.protocol.get("scale") != SCENES:  # scenes: a part of their own
            by_scale.setdefault((machine_of(record), str(record.protocol.get("scale", ""))), []).append(record)
    groups = [group_view(machine, scale, group) for (machine, scale), group in sorted(by_scale.items())]
    judged = {name: [judge(claim, group) for claim in CLAIMS] for name, group in by_machine.items()}
    if not judged:
        judged = {"": [judge(claim, []) for claim in CLAIMS]}
    claims = [
        claim_view(claim, {name: verdicts[i] for name, verdicts in judged.items()}, by_machine)
        for i, claim in enumerate(CLAIMS)
    ]
    studied = {name: [r for r in group if r.protocol.get("study")] for name, group in by_machine.items()}
    dual = dual_view(by_machine, claims)
    weights = weights_of(records)
    smoke = sorted({record.model for record in records if record.protocol.get("quick")})
    return {
        "css": Markup((HERE / "page.css").read_text(encoding="utf-8")),
        "title": "".join(f"{stamp}: " for stamp in ("SMOKE RUN" if smoke else "", weights.stamp) if stamp)
        + "Do the headline claims hold?",
        "rendered": f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "smoke": smoke,
        "weights": weights,
        "summary": summary(judged, [*groups, *dual["views"]], bool(smoke)),
        "claims": claims,
        "machines": list(by_machine),
        "groups": groups,
        "speed": speed_view(by_machine, order),
        "dual": dual,
        "studies": [
            studies_view(name, by_machine[name], order)
            for name, found in studied.items()
            if any(record.protocol.get("scale") != SCENES for record in found)
        ],
        "all_studies": [study for study in STUDIES.values() if study.name in SECTIONS],
        "sizes": size_view(sizes, link_by_file),
        "not_run": not_run(claims),
        "num_records": len(given),
        "failed": [record for record in given if record.status != "ok" and not record.protocol.get("study")],
        "unreadable": unreadable,
        "records": [
            record_view(record, link_by_file)
            for group in by_machine.values()
            for record in group
            if not record.protocol.get("study")
        ],
        "study_records": [record_view(record, link_by_file) for group in studied.values() for record in group],
        "published_quality": PUBLISHED_QUALITY,
        "published_speed": PUBLISHED_SPEED,
        "printed_tables": PRINTED_TABLES,
    }


def machine_of(record: Record) -> str:
    return str(record.environment.get("machine", "unknown machine"))


def model_order(records: Iterable[Record]) -> dict[str, int]:
    """Every model's place in tables and colours: real data first, then as the claims name them, then by name."""
    named = [REAL_DATA]
    for claim in CLAIMS:
        for side in filter(None, (claim.in_small, claim.paper_scale)):
            named += [side.subject, *side.baselines]
    present = {record.model for record in records}
    ordered = [model for model in dict.fromkeys(named) if model in present] + sorted(present - set(named))
    return {model: place for place, model in enumerate(ordered)}


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


def seeds_named(record: Record) -> list[tuple[str, int]]:
    """The seeds of a study's record, which tell it from others at its settings."""
    if not record.protocol.get("study"):
        return []
    training_seed, seed = seeds_of(record)
    return [("training seed", training_seed), ("sampling seed", seed)]


def record_view(record: Record, link_by_file: Mapping[str, str]) -> dict[str, Any]:
    """One line of the list of records."""
    commit = record.environment.get("commit")
    state = {True: ", with changes", False: "", None: ", changes unknown"}[record.environment.get("dirty")]
    return {
        "file": record.file,
        "link": link_by_file.get(record.file, ""),
        "status": "smoke run" if record.protocol.get("quick") and record.status == "ok" else record.status,
        "measured": datetime.fromisoformat(record.created_utc).astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": f"{str(commit)[:10]}{state}" if commit else "unknown",
        "wall": "–" if record.wall_s is None else f"{record.wall_s:.1f} s",
        "settings": ", ".join(
            f"{name} {as_words(name, value)}"
            for name, value in (*sorted(record.settings.items()), *seeds_named(record))
        ),
        "weights": str(record.inputs.get("weights_sha256") or "–")[:12],
    }
