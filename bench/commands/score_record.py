"""`bench score ... --record`: a record, and the verdicts that rest on it, of what was made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.app import RESULTS, RESULTS_OPTION
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.records.schema import Protocol, RunSpec, Verdict

Record = Annotated[
    bool, typer.Option("--record", help="keep a record of what was made elsewhere; needs --model and --protocol")
]
Model = Annotated[str | None, typer.Option("--model", help="with --record: the model that made it, see `bench list`")]
ProtocolName = Annotated[
    str | None, typer.Option("--protocol", help="with --record: a protocol or a scale, as imagenet-256-quality")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--settings", help="with --record: KEY=VALUE of a sampling setting unlike the published (repeatable)"),
]
Results = Annotated[
    Path | None,
    typer.Option("--results", help="with --record: folder of the records [default: results]", **RESULTS_OPTION),
]
MadeBy = Annotated[str | None, typer.Option("--made-by", help="with --record: who or what made it, in your words")]


@dataclass(frozen=True)
class Order:
    """What the options of --record say."""

    record: Record = False
    model: Model = None
    protocol: ProtocolName = None
    settings: Settings = None
    records: Results = None
    made_by: MadeBy = None

    @property
    def folder(self) -> Path:
        """Of the records."""
        return RESULTS if self.records is None else self.records

    def check(self, refused: Mapping[str, Any]) -> None:
        """UsageError for options that are missing, or that --record leaves to the protocol: `refused`, by name."""
        lone: dict[str, Any] = {"--model": self.model, "--protocol": self.protocol, "--settings": self.settings}
        if not self.record:
            lone |= {"--results": self.records, "--made-by": self.made_by}
            if given := [name for name, value in lone.items() if value]:
                raise UsageError(f"{given[0]} goes with --record")
            return
        if lacking := [name for name in ("--model", "--protocol") if not lone[name]]:
            raise UsageError(f"--record needs {' and '.join(lacking)}: what made it, and the rules it is scored by")
        if given := [name for name, value in refused.items() if value]:
            raise UsageError(f"{given[0]} does not go with --record: the protocol says what is scored, and how")


def run_of(order: Order, kind: str) -> RunSpec:
    """The run that a record stands for. UsageError, before any work, for names and settings that do not fit.

    kind: what is scored, a name in protocols.KINDS
    """
    from bench.models import reads_images
    from bench.protocols import kind_of
    from bench.protocols.at_paper_size import MODELS_OF
    from bench.records.schema import RunSpec
    from bench.sampling import files
    from bench.studies import published_row, usual_settings
    from reference_models import find

    assert order.model is not None
    assert order.protocol is not None
    protocol, spec = find_protocol(order.protocol, kind), find(order.model)
    if spec.scale != MODELS_OF.get(protocol.scale, protocol.scale):
        raise UsageError(f"--protocol {protocol.name} is of scale {protocol.scale}; {spec.name} is of {spec.scale}")
    reads = kind_of(protocol).reads
    if reads and not reads_images(spec):
        raise UsageError(f"--model {spec.name} reads no images; {protocol.name} is of {kind}")
    row = published_row(spec.name, protocol)
    if row is None and protocol.variant and not reads:
        raise UsageError(f"--protocol {protocol.name}: nothing is printed of {spec.name} under it")
    usual = dict(usual_settings(spec, protocol))
    wanted = usual | (dict(row.sampling) if row else {})
    wanted |= dict(read_setting(text, wanted, spec.name) for text in order.settings or ())
    files.check_writable(order.folder, "--results")
    return RunSpec(spec.name, protocol, {key: value for key, value in wanted.items() if usual.get(key) != value})


def find_protocol(name: str, kind: str) -> Protocol:
    """A protocol by its name, or by its scale where one protocol of the kind is the scale's usual one."""
    from bench.protocols import PROTOCOLS

    able = [p for p in PROTOCOLS.values() if p.collects == kind and not p.study and p.scale != "scenes"]
    usual = [p for p in able if p.scale == name and (not p.variant or kind == "answers")]
    if len(usual) > 1:  # on equal terms as well: what is printed was measured on the published ones
        usual = [p for p in usual if p.terms == "published"]
    found = PROTOCOLS.get(name) or (usual[0] if len(usual) == 1 else None)
    if found is None or found not in able:
        told = f"is no protocol of {kind} made elsewhere" if found else "unknown"
        raise UsageError(f"--protocol {name}: {told}; there are: {', '.join(p.name for p in able)}")
    return found


def read_setting(text: str, known: Mapping[str, Any], model: str) -> tuple[str, Any]:
    """ "cfg_scale=2.5" as a setting of a model, of the type that its other values have."""
    from bench.claims.ledger import read_setting as read

    key, equals, _ = text.partition("=")
    if not equals or key not in known:
        raise UsageError(f"--settings {text}: expected KEY=VALUE with a setting of {model}: {', '.join(known)}")
    value: Any = read(text)[1]
    usual = known[key]
    if isinstance(usual, bool):
        value = {"true": True, "false": False}.get(str(value).lower(), value)
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, int | float) == isinstance(usual, int | float) or usual is None
        if isinstance(value, float):
            value = int(value) if isinstance(usual, int) and value.is_integer() else value
            fits = fits and math.isfinite(value) and not (isinstance(usual, int) and isinstance(value, float))
        if isinstance(usual, int) and fits:
            fits = value >= min(usual, 1)  # a count
    if not fits:
        raise UsageError(f"--settings {text}: expected a value like {usual!r}")
    return key, value


def keep(fields: Mapping[str, Any], spec: RunSpec, order: Order, device: str = "cpu") -> dict[str, Any]:
    """Save the record, print its numbers, what they rest on and the verdicts. The same, ready for JSON."""
    from bench.commands.score_tables import score_table
    from bench.console import console, say
    from bench.metrics import METRICS
    from bench.protocols import kind_of
    from bench.records import environment
    from bench.records.schema import Inputs
    from bench.records.store import save_record, sweep
    from bench.run import empty_record

    protocol, elsewhere = spec.protocol, fields["elsewhere"]
    inputs = Inputs(
        settings=dict(spec.settings),
        files=elsewhere.files,
        versions={"evaluator": kind_of(protocol).version},
        metric_versions={name: METRICS[name].version for name in protocol.metrics},
        torch=environment.versions().get("torch"),
    )
    record = replace(empty_record(spec, inputs, device), **fields)
    sweep(order.folder)
    path = save_record(record, order.folder)
    part = record.images or record.texts
    result = {
        "metrics": {name: asdict(one) for name, one in record.measurements.items()},
        "not_run": dict(part.not_run) if part else {},
        "refused": dict(record.images.refused) if record.images else {},
        "elsewhere": asdict(elsewhere),
        "record": path.name,
    }
    names = [name for name in protocol.metrics if name in record.measurements]
    title = f"{spec.model}, {protocol.name}: {elsewhere.words}"
    console().print(score_table(title, names, result, counted="items"))
    for clause in elsewhere.assumed:
        say(f"taken for granted: {clause}")
    say(f"record: {path}")
    for verdict in verdicts_on(spec, order.folder, record.environment.machine):
        say(f"{verdict.claim_id}: {verdict.word}: {verdict.reason}")
    return result


def verdicts_on(spec: RunSpec, results: Path, machine: str) -> list[Verdict]:
    """The verdicts, on one machine's records, on the claims in use that speak of a model under a protocol."""
    from bench.claims.files import claims_in_use
    from bench.commands.claims import known_names
    from bench.records.latest import latest
    from bench.records.store import load_records
    from bench.verdict.judge import judge_side

    records = [one for one in latest(load_records([results]).records) if one.environment.machine == machine]
    sides = [(claim, claim.paper_scale) for claim in claims_in_use((), known_names())]
    asked = [each for each in sides if (each[1].subject, each[1].protocol) == (spec.model, spec.protocol.name)]
    return [judge_side(claim, side, records) for claim, side in asked]


def record_and_print(
    order: Order, kind: str, score: Callable[[RunSpec], Mapping[str, Any]], json_file: Path | None, device: str = "cpu"
) -> None:
    """What the command line does under --record. score: of the run, fields of its record."""
    from bench.commands.score_tables import finish
    from bench.records.json_files import check_json_path

    check_json_path(json_file)
    spec = run_of(order, kind)
    finish(keep(score(spec), spec, order, device), json_file)
