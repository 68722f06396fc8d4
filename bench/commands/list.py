"""What there is: `python -m bench list`, or one kind of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from bench.claims import CLAIMS
from bench.commands.app import RESULTS, RESULTS_OPTION, ClaimsFiles, JsonFile, example
from bench.commands.claims import WIDE, print_claims
from bench.console import console, say
from bench.datasets import DATASETS
from bench.datasets.question_formats import FORMATS
from bench.datasets.scenes_files import WHAT
from bench.errors import UsageError
from bench.formatting import interval, number, settings_words
from bench.metrics import METRICS
from bench.protocols import PROTOCOLS
from bench.published import PUBLISHED
from bench.records.json_files import check_json_path, write_json
from bench.records.parts import Measurement
from bench.records.schema import Claim, Record, Verdict
from bench.studies import STUDIES
from reference_models import specs
from reference_models.shipped import shipped_weights


@example("python -m bench list claims --model mar-l --metric fid")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            help="models, metrics, claims, protocols, settings, studies or datasets [default: all of these]; or records"
        ),
    ] = None,
    paper: Annotated[str | None, typer.Option(help="claims whose source names this, as 'VAR' or '2406.11838'")] = None,
    model: Annotated[str | None, typer.Option(help="claims or records of this model, at any image size")] = None,
    metric: Annotated[str | None, typer.Option(help="claims or records of this metric, as fid")] = None,
    claims: ClaimsFiles = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="folder of records: with `claims` the verdict of each as well, on every machine", **RESULTS_OPTION
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Models, metrics, claims, protocols, published settings, studies and data sets; `list claims` has every printed
    number, not the headlines alone, `list records` what was measured, each with its file."""
    chosen = {"--paper": paper, "--claims": claims, "--json": json_file, "--model": model, "--metric": metric}
    asked = [name for name, value in chosen.items() if value is not None]
    check_json_path(json_file)
    if what == "records":
        if odd := [name for name in asked if name in ("--paper", "--claims", "--json")]:
            raise UsageError(
                f"{odd[0]} goes with claims, not records; `python -m bench export table` writes their numbers"
            )
        show_records(results or RESULTS, model, metric)
        return
    if results is not None and what not in (None, "claims"):
        raise UsageError(f"--results goes with claims and records, not {what}")
    if what == "claims" or (what is None and (asked or results)):
        shown = chosen_claims(claims or (), paper, model, metric)
        records = None if results is None else records_of(results)
        print_claims("Claims", shown)
        found: dict[str, dict[str, Any]] = {claim.id: asdict(claim) for claim in shown}
        if records is not None:
            for claim_id, verdicts in show_verdicts(shown, records).items():
                found[claim_id]["verdicts"] = verdicts
        if json_file:  # with conditions, reasons and caveats
            write_json(list(found.values()), json_file)
    elif what is not None and what not in SECTIONS:
        raise UsageError(f"unknown list {what!r}; known: {', '.join([*SECTIONS, 'records'])}")
    elif asked:
        raise UsageError(f"{asked[0]} chooses claims, not {what}")
    else:
        for name, section in SECTIONS.items():
            if what in (None, name):
                section()


def chosen_claims(files: Sequence[Path], paper: str | None, model: str | None, metric: str | None) -> list[Claim]:
    """The claims in use that a user asked for. UsageError where there are none, with what exists."""
    from bench.claims.files import claims_in_use
    from bench.commands.claims import known_names

    claims = list(claims_in_use(files, known_names()))
    kinds: tuple[tuple[str, str | None, Callable[[Claim], Sequence[str]]], ...] = (
        ("paper", paper, lambda claim: (claim.source.paper, claim.source.url)),
        ("model", model, lambda claim: (claim.paper_scale.subject, *claim.paper_scale.baselines)),
        ("metric", metric, lambda claim: (claim.paper_scale.metric,)),
    )
    for kind, asked, names in kinds:
        if asked is None:
            continue
        there = dict.fromkeys(names(claim)[0] for claim in claims)
        claims = [claim for claim in claims if any(MATCHES[kind](asked, name) for name in names(claim))]
        if not claims:
            raise UsageError(f"no claims of {kind} {asked!r}; there are: {', '.join(there)}")
    return claims


def in_words(asked: str, name: str) -> bool:
    """Whether `asked` stands in a name as whole words: "DiT" is no part of "D-DiT"."""
    return bool(re.search(rf"(?<![\w-]){re.escape(asked)}(?![\w-])", name, re.IGNORECASE))


def is_model(asked: str, name: str) -> bool:
    """Whether a model is the one asked for, also as papers spell it ("DiT-XL/2"), at any image size: papers print one
    name for what is "dit-xl-2" and "dit-xl-2-512" here."""
    spelt = re.sub(r"[^a-z0-9]+", "-", asked.lower()).strip("-")
    return asked == name or bool(re.fullmatch(rf"{spelt}(-(384|512))?", name))


MATCHES: dict[str, Callable[[str, str], bool]] = {"paper": in_words, "model": is_model, "metric": str.__eq__}
TEXT_LAYOUTS = {"coco-captions": "COCO captions: BLEU-1 to -4, METEOR, ROUGE-L, CIDEr, SPICE on request", **FORMATS}


def show(title: str, columns: list[str], rows: Sequence[tuple[str, ...]], *, wide: bool = False) -> None:
    """A table. wide: a line per row where no terminal shows it, so that names of files stay whole."""
    screen = console()
    if wide and not screen.is_terminal:
        screen.width = WIDE
    table = Table(title=f"{title} ({len(rows)})", title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    screen.print(table, "")


def show_models() -> None:
    models = []
    for name, spec in specs().items():
        size = "-" if spec.num_params is None else f"{spec.num_params / 1e6:,.1f} M"
        if shipped_weights(name):
            weights = "shipped"
        elif spec.official:
            weights = f"{spec.official.repository}: {spec.official.file}"
        elif spec.ingredient:
            weights = "none (another model is fine-tuned from it)"
        else:
            weights = "none"
        models.append((name, spec.scale, size, weights))
    show("Models", ["name", "scale", "parameters (paper)", "weights"], models)


def show_metrics() -> None:
    show("Metrics", ["name", "unit", "what it is"], [(m.name, m.unit, m.what) for m in METRICS.values()])


def show_headlines() -> None:
    show("Claims", ["id", "printed", "claim"], [(c.id, f"{c.value:g} {c.unit}".strip(), c.headline) for c in CLAIMS])


def show_protocols() -> None:
    protocols = [(p.name, p.scale, p.collects, ", ".join(p.metrics)) for p in PROTOCOLS.values()]
    show("Protocols", ["name", "scale", "collects", "metrics"], protocols)


def records_of(results: Path) -> list[Record]:
    """The latest record of each run. UsageError where there is no such folder."""
    from bench.records.latest import latest
    from bench.records.store import check_there, load_records

    check_there(results)
    loaded = load_records([results])
    for fault in loaded.faults:
        say(f"not read: {fault}")
    return latest(loaded.records)


def show_settings() -> None:
    """How each model's printed numbers were made, with what else is printed and what is open."""
    rows = []
    for row in PUBLISHED.values():
        others = [f"also printed: {settings_words(other.settings)} ({other.source})" for other in row.disputed]
        name = f"{row.model} ({row.variant})" if row.variant else row.model
        rows.append((name, settings_words(row.sampling), "; ".join((row.sources["sampling"], *others, *row.notes))))
    show("Settings", ["model", "settings", "where, and what is open"], rows)


def show_records(results: Path, model: str | None, metric: str | None) -> None:
    """The records, of one model or with the number of one metric, each with its file. UsageError where there are none,
    with what exists."""
    found = records_of(results)
    if model is not None:
        there = dict.fromkeys(record.model for record in found)
        found = [record for record in found if is_model(model, record.model)]
        if not found:
            raise UsageError(f"no records of model {model!r} in {results}; there are: {', '.join(there)}")
    if metric is not None:
        measured = dict.fromkeys(name for record in found for name in record.measurements)
        found = [record for record in found if metric in record.measurements]
        if not found:
            raise UsageError(f"no records with metric {metric!r}; there are: {', '.join(measured)}")
    rows = [
        (
            *(record.model, record.protocol.name),
            *(() if metric is None else (measured_words(record.measurements[metric]),)),
            record.status if record.elsewhere is None else f"made elsewhere: {record.elsewhere.words}",
            record.file,
        )
        for record in found
    ]
    measure = [] if metric is None else [f"{METRICS[metric].title} (95 % interval)"]
    columns = ["model", "protocol", *measure, "state", "file"]
    show(f"Records in {results}, the latest of each run", columns, rows, wide=True)


def measured_words(found: Measurement) -> str:
    """As "1.05 s (1.03 to 1.08)"."""
    bounds = (found.value, found.ci_low, found.ci_high)
    between = interval(*bounds)
    return " ".join(filter(None, (number(*bounds), found.unit, between and f"({between})")))


def show_verdicts(claims: Sequence[Claim], records: Sequence[Record]) -> dict[str, list[dict[str, Any]]]:
    """The word of each claim, at the paper's scale and in small, by the machines that can give one. By claim the same
    for JSON, with reasons, and where nothing was run what would run it."""
    from bench.analysis.records import by_machine, made_of
    from bench.verdict.judged import verdicts_of

    def judged(chosen: Sequence[Record]) -> dict[str, list[list[Verdict]]]:
        return {machine: verdicts_of(claims, here) for machine, here in by_machine(chosen).items()}

    on_machine, odd = made_of(judged, records)
    for fault in odd:
        say(f"not read: {fault}")
    every = [
        (claim, machine, found)
        for place, claim in enumerate(claims)
        for machine, verdicts in on_machine.items()
        for found in verdicts[place]
    ]
    rows = [
        (
            *(claim.id, found.scale, machine),
            f"{found.word} ({found.marker})" if found.marker else found.word,
            verdict_number(found),
            " ".join(found.records),
        )
        for claim, machine, found in every
        if found.word != "not run"
    ]
    columns = ["claim", "scale", "machine", "verdict", "rests on (95 % interval)", "records"]
    show("Verdicts on these records", columns, rows, wide=True)
    by_claim: dict[str, list[dict[str, Any]]] = {claim.id: [] for claim in claims}
    for claim, machine, found in every:
        by_claim[claim.id].append({"machine": machine, **asdict(found)})
    return by_claim


def verdict_number(found: Verdict) -> str:
    if found.value is None:
        return "-"
    return measured_words(Measurement(found.value, found.unit, found.ci_low, found.ci_high))


def show_studies() -> None:
    studies = [(study.name, str(len(study.runs)), study.question) for study in STUDIES.values()]
    show("Studies", ["name", "runs", "question"], studies)


def show_datasets() -> None:
    made = {"scenes": f"{WHAT}; written out by `python -m bench export scenes`"}
    show("Data sets", ["name", "what it is"], list((DATASETS | made).items()))
    show("Text files that can be scored", ["layout", "what is measured"], list(TEXT_LAYOUTS.items()))


SECTIONS: dict[str, Callable[[], None]] = {
    "models": show_models,
    "metrics": show_metrics,
    "claims": show_headlines,
    "protocols": show_protocols,
    "settings": show_settings,
    "studies": show_studies,
    "datasets": show_datasets,
}
