"""Claims -> runs, without repeats: what each answers, what each lacks, what it will cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from bench.claims import CLAIMS, SIZE_CLAIMS
from bench.console import console
from bench.protocols import PROTOCOLS
from bench.protocols import quick as quick_protocol
from bench.records import Claim, Record, RunSpec, UsageError
from bench.results import load_records, plain
from bench.retrain import weights_of
from bench.studies import STUDIES, runs_of

REAL_DATA = "real-data"  # the run that measures held-out scans against training scans: no model
WORK = ".work"  # inside the results folder, ignored by git: unfinished samples, and the list of records measured here
RETRAINED = "retrained"  # folder inside the results folder for what retrained weights give
QUICK = "quick"  # folder inside the results folder for smoke runs, which no full report shows
SCALES = tuple(dict.fromkeys(protocol.scale for protocol in PROTOCOLS.values() if protocol.collects != "sizes"))


@dataclass(frozen=True)
class PlannedRun:
    spec: RunSpec
    answers: tuple[str, ...]  # ids of the claims that rest on it
    lacks: tuple[str, ...]  # what is missing to run it here; empty: it can run
    cost_s: float | None  # wall seconds it took last time, on any machine; None: never measured


@dataclass(frozen=True)
class Plan:
    scale: str
    device: str
    results: Path
    runs: tuple[PlannedRun, ...]


def make_plan(*, scale: str, only: tuple[str, ...] | list[str], quick: bool, device: str, results: Path) -> Plan:
    """The runs that the claims need at a scale, and every other model of it. UsageError for an unknown scale.

    The counts of the paper's sizes belong to every scale; a smoke run takes them unchanged, for they are exact.
    """
    from reference_models import find, specs

    if scale not in SCALES:
        raise UsageError(f"unknown scale {scale!r}; known: {', '.join(SCALES)}")
    for name in only:
        if find(name).scale != scale:
            raise UsageError(f"model {name!r} is of scale {find(name).scale}, not {scale}")
    chosen = {name: spec for name, spec in specs().items() if not only or name in only}
    names = [name for name, spec in chosen.items() if spec.scale == scale]
    paper_sizes = [name for name, spec in chosen.items() if spec.scale not in ("digits", "scenes")]
    protocols = [quick_protocol(p) if quick else p for p in PROTOCOLS.values() if p.scale == scale and not p.study]
    protocols += [p for p in PROTOCOLS.values() if p.collects == "sizes"]
    results = results / QUICK if quick else results
    previous, _ = load_records([results])

    runs = []
    for protocol in protocols:
        models = paper_sizes if protocol.collects == "sizes" else names
        if protocol.collects == "images" and protocol.reference.startswith("digits"):
            models = [REAL_DATA, *models]
        for name in models:
            runs.append(_planned(RunSpec(name, protocol), device, results / WORK, previous))
    return Plan(scale, device, results, tuple(runs))


def make_study_plan(names: tuple[str, ...] | list[str], *, device: str, results: Path) -> Plan:
    """The runs of these studies (all where none is named), each once. UsageError for an unknown study."""
    previous, _ = load_records([results])
    runs = [_planned(run, device, results / WORK, previous) for run in runs_of(names or STUDIES)]
    return Plan("digits", device, results, tuple(runs))


def _planned(spec: RunSpec, device: str, work: Path, previous: list[Record]) -> PlannedRun:
    """What a run answers, what it lacks, what it cost last time."""
    protocol = plain(asdict(spec.protocol))
    costs = [
        record.wall_s
        for record in previous
        if record.model == spec.model
        and record.protocol == protocol
        and record.wall_s
        and all(record.settings.get(name) == value for name, value in spec.settings.items())
    ]
    answers = tuple(c.id for c in (*CLAIMS, *SIZE_CLAIMS) if spec.protocol.name in _protocols_naming(c, spec.model))
    return PlannedRun(spec, answers, _lacking(spec, device, work), costs[-1] if costs else None)


def _protocols_naming(claim: Claim, model: str) -> set[str]:
    """Names of the protocols under which a claim compares this model."""
    sides = (claim.paper_scale, claim.in_small)
    return {side.protocol for side in sides if side is not None and model in (side.subject, *side.baselines)}


def _lacking(spec: RunSpec, device: str, work: Path) -> tuple[str, ...]:
    from reference_models import find

    lacks, name, protocol = [], spec.model, spec.protocol
    if name != REAL_DATA and protocol.scale == "digits" and weights_of(spec, work) is None:
        lacks.append(
            f"weights of training seed {protocol.training_seed}: python -m bench study training-seeds"
            if protocol.training_seed
            else f"weights: python -m bench train {name} --out reference_models/weights/{name}.safetensors"
        )
    if "weights" in protocol.needs:
        official = find(name).official
        lacks.append(
            f"released weights ({official.repository}: {official.file})" if official else "weights: none were released"
        )
    if "imagenet-statistics" in protocol.needs:
        lacks.append(f"reference statistics {protocol.reference}")
    if "gpu" in protocol.needs and not device.startswith("cuda"):
        lacks.append("a CUDA GPU")
    return tuple(lacks)


def print_plan(plan: Plan) -> None:
    from rich.table import Table

    table = Table(title=f"scale {plan.scale} on {plan.device}: {len(plan.runs)} runs", title_justify="left")
    for column in ("model", "protocol", "answers", "state", "cost"):
        table.add_column(column, overflow="fold")
    for run in plan.runs:
        state = "ready" if not run.lacks else "not run: needs " + "; ".join(run.lacks)
        cost = "not measured yet" if run.cost_s is None else f"{run.cost_s:.0f} s last time"
        protocol = run.spec.protocol.name + (" (quick)" if run.spec.protocol.quick else "")
        table.add_row(run.spec.model, protocol, ", ".join(run.answers) or "-", state, cost)
    console().print(table)
