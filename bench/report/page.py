"""Records -> reports/index.html and, beside it, speedups.svg: one file that needs no network and no JavaScript.

    python -m bench report --results results --out reports/index.html

Here the records are read, judged and put into the words and cells of a page; page.html.jinja sets them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from bench.analysis.evidence import as_script, evidence, inputs_of, read_stored, traces_in, with_inputs
from bench.analysis.records import fit_for
from bench.analysis.seeds import seeds_of
from bench.analysis.weights import training_of, weights_stamp
from bench.files import check_target
from bench.formatting import as_words
from bench.records.json_files import write_text
from bench.records.parity import Parity
from bench.records.schema import Record
from bench.report.changes import other_machines, since_committed
from bench.report.charts.speedups import speedups_chart
from bench.report.charts.svg import NARROW, standalone
from bench.report.identity import LICENCE, repository, version
from bench.report.reading import Found, by_machines, by_scale, read
from bench.report.sections.answers import answers, picture_rows
from bench.report.sections.cards import cards, headline_claims, paper_tables
from bench.report.sections.cost import cost_view
from bench.report.sections.dual import SCALE as SCENES
from bench.report.sections.dual import dual_view, of_scenes
from bench.report.sections.parity import parity_view
from bench.report.sections.quality import group_view
from bench.report.sections.sizes import size_view
from bench.report.sections.sources import disagreements, disputed_settings, printed_tables
from bench.report.sections.studies import studies_view
from bench.report.tables import Cell, Table, plain_table
from bench.report.tables.method import training_table
from bench.report.tables.speedups import NOTE
from bench.report.words import WORDS, Said, anchor, badge_of, commands_in, prose
from bench.studies import STUDIES, Study
from bench.verdict.judged import Judged

HERE = Path(__file__).parent
TITLE = "TransDiff, MRAR and Dual Diffusion: do the papers' claims hold?"
PICTURE = "speedups.svg"
QUALITY_STUDIES = ("training-seeds", "quality", "guidance", "scales")
EVIDENCE = "<!-- the evidence: what the numbers above were computed from -->"


def render(results_dirs: Sequence[Path], out: Path, *, now: datetime | None = None) -> Path:
    """Write the report on the records of `results_dirs` to `out`, its picture beside it, and return `out`.

    UsageError where a folder does not exist. Files that are not records are listed in the report.
    """
    results_dirs, out = [Path(folder) for folder in results_dirs], Path(out)
    found = read(results_dirs)
    check_target(out, "--out")
    check_target(out.parent / PICTURE, "--out: its picture")
    template, moment = environment().get_template("page.html.jinja"), now or datetime.now(UTC)

    def make(records: Sequence[Record], faults: Sequence[str] = ()) -> tuple[dict[str, Any], str]:
        told = context(Found(by_machines(records), (*found.faults, *faults), found.parity), moment, results_dirs, out)
        page = template.render(told)
        inputs = inputs_of(told["travels"], (number.trace for number in traces_in(page)))
        travels = with_inputs(told["travels"], inputs, read_stored({file: None for file, _ in inputs}, results_dirs))
        return told, page.replace(EVIDENCE, as_script(travels))

    try:
        told, page = make(found.records)
    except Exception:
        told, page = make(*fit_for(make, found.records))
    write_text(page.lstrip(), out)
    if told["picture"]:
        write_text(standalone(told["picture"]["wide"], colours()), out.parent / PICTURE)
    return out


@functools.cache
def environment() -> jinja2.Environment:
    """Where templates are read and compiled, each once in a process."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"prose": prose, "anchor": anchor}
    made.globals |= {
        name: Markup((HERE / file).read_text(encoding="utf-8"))
        for name, file in (("css", "page.css"), ("script", "page.js"))
    }
    return made


def colours() -> str:
    """The rules that set the colour variables, light and dark."""
    css = str(environment().globals["css"])
    return css[: css.index("@media print")]


def links(records: Iterable[Record], results_dirs: Sequence[Path], out: Path) -> dict[str, str]:
    """Relative links from the page to the record files that lie in a folder beside or below the page's own."""
    found = {}
    for record in records:
        for folder in results_dirs:
            path = folder / record.file
            relative = Path(os.path.relpath(path, out.parent)).as_posix()
            if path.exists() and not relative.startswith("../.."):
                found[record.file] = quote(
                    relative, errors="surrogateescape"
                )  # a # or ? in a name is no part of it else
    return found


# -- the page ----------------------------------------------------------------------------------------------------------


def context(found: Found, now: datetime, results_dirs: Sequence[Path], out: Path) -> dict[str, Any]:
    """Everything the template prints."""
    by_machine, every, judged = found.by_machine, found.records, found.judged
    verdicts = {machine: [v for each in judged.values() for v in each.every[machine]] for machine in by_machine}
    groups = [
        group_view(machine, scale, group)
        for machine, records in by_machine.items()
        for scale, group in by_scale(records, without=SCENES).items()
    ]
    studied = {machine: studies_view(machine, records) for machine, records in by_machine.items()}
    studies = {machine: found for machine, found in studied.items() if studies_of_digits(by_machine[machine])}
    costs = cost_parts(by_machine, studied, studies)
    rows = picture_rows(judged)
    weights = weights_stamp(every)
    smoke = any(record.protocol.quick for record in every)
    link_by_file = links(every, results_dirs, out)
    travels = evidence(every, verdicts, found.parity)
    said = Said()
    entries = not_run(judged.values())
    return {
        "title": TITLE,
        "stamps": "".join(f"{stamp}: " for stamp in ("SMOKE RUN" if smoke else "", weights.stamp) if stamp),
        "facts": facts(every, now),
        "others": other_machines(found),
        "since": since_committed(out, travels),
        "smoke": smoke,
        "weights": weights,
        "answers": answers(judged),
        "picture": picture(rows) if rows else None,
        "legend": [(badge_of(word), meaning) for word, (*_, meaning) in WORDS.items()],
        "cards": cards(judged, said),
        "papers": paper_tables(judged, said),
        "groups": groups,
        "meanings": {name: meaning for group in groups for name, meaning in group["meanings"]},
        "by_machine": len(by_machine),
        "training": training_table(training_of(every)),
        "scored": told_before(quality_parts(groups, studies), "tells"),
        "studies": studies,
        "costs": costs,
        "ratios_note": NOTE,
        "first_with_ratios": next((view["machine"] for view in costs if view["ratios"]), ""),
        "dual": [dual_view(machine, records) for machine, records in by_machine.items() if of_scenes(records)],
        "sources": disagreements(judged),
        "disputed": disputed_settings(),
        "printed": printed_tables(),
        "sizes": size_view([record for record in every if record.protocol.collects == "sizes"]),
        "parity": parity_view(found.parity, every) | {"commit": commit_words(found.parity)} if found.parity else None,
        "not_run": [entry for entry in entries if entry["claims"]],
        "not_run_table": not_run_table(entries),
        "not_studied": not_studied(every),
        "failed": [record for record in every if record.status != "ok" and not record.protocol.study],
        "unreadable": found.faults,
        "records": [record_view(record, link_by_file) for record in every],
        "travels": travels,
        "evidence": Markup(EVIDENCE),
    }


def quality_parts(groups: Sequence[Mapping[str, Any]], studies: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A part per machine and scale that has scores, with the studies of quality; also where there are studies alone."""
    found = [
        group | {"studies": {}, "tells": {group["scale"]}}
        for group in map(dict, groups)
        if group["scores"] or group["samples"]
    ]
    for machine, studied in studies.items():
        part = next((each for each in found if (each["machine"], each["scale"]) == (machine, "digits")), None)
        if part is None:
            part = group_view(machine, "digits", []) | {"tells": set()}
            found.append(part)
        part["studies"] = studied
        part["tells"] |= {name for name in QUALITY_STUDIES if studied[name]["made"]}
    return found


def cost_parts(
    by_machine: Mapping[str, Sequence[Record]], studied: Mapping[str, Any], studies: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """A part per machine that has times, or studies of them. studied: of every machine; studies: as on the page"""
    every = [record for records in by_machine.values() for record in records]
    found = []
    for machine, records in by_machine.items():
        of_digits, conditions = studies.get(machine, {}), studied[machine]["speed-conditions"]
        view = {
            "machine": machine,
            "study": of_digits.get("trade-off"),
            "kernels": of_digits.get("kernels"),
            "conditions": conditions if conditions["made"] else None,
            **cost_view(records, every),
        }
        if any(view[part] for part in ("study", "ratios", "folded", "alarms", "conditions")):
            found.append(view)
    return told_before(found, "protocols")


def studies_of_digits(records: Iterable[Record]) -> bool:
    """Whether studies of the small models were begun: then the page says also what they lack."""
    return any(record.protocol.study and record.protocol.scale == "digits" for record in records)


def told_before(views: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """The views, each with whether all that it is on, `view[key]`, stands in an earlier one: such a one is folded."""
    seen: set[str] = set()
    found: list[dict[str, Any]] = []
    for view in views:
        found.append(view | {"again": bool(found) and view[key] <= seen})
        seen |= view[key]
    return found


def picture(rows: Sequence[Any]) -> dict[str, Any]:
    """The printed against the measured speed-ups, in two widths."""
    kinds = {kind for row in rows for kind, _ in row.measured}
    return {
        "wide": speedups_chart(rows),
        "narrow": speedups_chart(rows, NARROW),
        "estimated": "estimated" in kinds,
    }


def facts(records: Sequence[Record], now: datetime) -> list[tuple[str, str]]:
    """Name and value of what identifies the page; a name of "" marks the repository's address."""
    days = sorted({record.created_utc[:10] for record in records})
    machines = dict.fromkeys(machine_words(record) for record in records)
    last = max(records, key=lambda record: record.created_utc, default=None)
    commit = commit_words(last) if last else ""
    found = [
        ("measured", " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "nothing yet"),
        ("on", "; ".join(machines) or "no machine"),
        *([("commit", commit)] if commit else []),
        ("rendered", f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"),
        ("version", version()),
        ("licence", LICENCE),
        ("cite as", f"Arbiter {version()}, {commit.split(',')[0] or 'no commit'}, {days[-1] if days else now.date()}"),
    ]
    return [*found, ("", repository())] if repository() else found


def machine_words(record: Record) -> str:
    """As "AMD EPYC (2 cores, no GPU)"."""
    environment = record.environment
    cores = f"{environment.num_cores} cores, " if environment.num_cores else ""
    return f"{environment.processor or environment.machine} ({cores}{environment.gpu or 'no GPU'})"


def commit_words(record: Record | Parity) -> str:
    commit = record.environment.commit
    state = {True: ", with changes", False: "", None: ", changes unknown"}[record.environment.dirty]
    return f"{str(commit)[:10]}{state}" if commit else "unknown"


def not_run(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """The commands of the verdicts "not run", each with the headline claims (and their places) that it would settle,
    and how many other printed numbers."""
    headlines = {claim.id for claim in headline_claims()}
    by_commands: dict[tuple[str, ...], dict[str, Any]] = {}
    for found in judged:
        for side in found.sides:
            if side.was_run:
                continue
            commands = tuple(commands_in(side.verdict.reason))
            entry = by_commands.setdefault(commands, {"commands": commands, "claims": [], "others": 0})
            if found.claim.id in headlines:
                name = f"{found.claim.id}{', in small' if side is found.small else ''}"
                entry["claims"].append((f"claim-{found.claim.id}", name))
            else:
                entry["others"] += 1
    return list(by_commands.values())


def not_run_table(entries: Sequence[Mapping[str, Any]]) -> Table | None:
    """Of the entries without a headline claim: the command, and how many printed numbers it would settle."""
    rows = [(entry["commands"], entry["others"]) for entry in entries if not entry["claims"]]
    told = [(" && ".join(commands), count) for commands, count in rows if commands]
    told += [("nothing: no weights are published, or this suite does not measure it", n) for c, n in rows if not c]
    if not told:
        return None
    rows = [(command, [Cell(str(count))]) for command, count in told]
    return plain_table("Printed numbers without a card that were not judged.", ["Printed numbers"], rows, "Command")


def not_studied(records: Sequence[Record]) -> list[Study]:
    """The studies of which no run was made."""
    made = {(record.model, record.protocol.name) for record in records}
    return [study for study in STUDIES.values() if not any((r.model, r.protocol.name) in made for r in study.runs)]


def extent_of(record: Record) -> str:
    """In place of "ok", where less than all was measured."""
    if record.protocol.quick:
        return "smoke run"
    return "pilot" if record.protocol.pilot_of else record.status


def record_view(record: Record, link_by_file: Mapping[str, str]) -> dict[str, Any]:
    """One line of the list of records."""
    seeds = zip(("training seed", "sampling seed"), seeds_of(record), strict=True) if record.protocol.study else ()
    return {
        "file": record.file,
        "link": link_by_file.get(record.file, ""),
        "status": extent_of(record) if record.status == "ok" else record.status,
        "measured": datetime.fromisoformat(record.created_utc).astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
        "commit": commit_words(record),
        "wall": "–" if record.wall_s is None else f"{record.wall_s:.1f} s",
        "settings": ", ".join(
            f"{name} {as_words(name, value)}" for name, value in (*sorted(record.settings.items()), *seeds)
        ),
        "weights": (record.inputs.weights_sha256 or "–")[:12],
    }
