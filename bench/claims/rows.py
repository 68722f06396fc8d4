"""A printed number as a row of a table, and the claim that it makes.

The columns of `tables/*.csv` and the keys of a user's file are the fields of Row; those of `sources.csv` and of
`[[sources]]` are the fields of Source with a `key` before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.claims.printed import read_printed
from bench.claims.rules import NAMED_PROTOCOLS, RULES, WEIGHTS, NamedProtocol, Rule
from bench.claims.sources import NOT_PUBLISHED, UNPUBLISHED
from bench.records.schema import Claim, Comparison, Source


@dataclass(frozen=True)
class Row:
    """One printed number."""

    id: str  # lower case, as "mar-l-fid-table-4"
    model: str  # a name of `bench list models`
    metric: str  # a key of RULES
    printed: str  # as printed, so that its rounding is known: "1.78", "290M"
    protocol: str  # how it is measured, a name of `bench list protocols`
    source: str  # key of the source
    settings: Mapping[str, Any] = field(default_factory=dict)  # those that tell it from the model's other numbers
    note: str = ""  # what a reader must know before believing a verdict
    relative_to: str = ""  # the model in whose time a relative time is printed
    half_unit: float | None = None  # what the rounding of `printed` may hide; None: half a unit of its last digit
    hardware: str = ""  # what it was measured on, as it stands in a GPU's name; "": not stated
    tolerance: float | None = None  # relative; None: its metric's rule
    tolerance_reason: str = ""  # of a tolerance of its own
    conflicts_with: tuple[str, ...] = ()  # ids of claims that contradict it although they are not of its group
    in_small: Mapping[str, Any] = field(default_factory=dict)  # the direction that small models can show, see SMALL


SMALL = {  # keys of `in_small`: whether they must be there
    "model": True,  # the small model that stands for the claim's, as "mar-digits"
    "baselines": True,  # small models that it must beat, each of them
    "protocol": True,  # of a small scale, as "digits-quality"
    "settings": False,
    "baseline_settings": False,
}


def claim_of(row: Row, source: Source, protocol: NamedProtocol | None = None, small_scale: str = "digits") -> Claim:
    """The claim of a row; `protocol` where it is none of NAMED_PROTOCOLS; `small_scale` of its protocol in small.

    ValueError for an unreadable number.
    """
    rule = RULES[row.metric]
    value, half_unit = read_printed(row.printed)
    if row.half_unit is not None:
        half_unit = row.half_unit
    return Claim(
        id=row.id,
        headline=headline(row, rule, protocol or NAMED_PROTOCOLS[row.protocol]),
        quote=row.printed,
        value=value,
        unit=rule.unit,
        source=source if rule.conditions is None else replace(source, conditions=rule.conditions),
        tolerance=rule.tolerance(value, half_unit) if row.tolerance is None else row.tolerance,
        tolerance_reason=rule.full_reason if row.tolerance is None else row.tolerance_reason,
        paper_scale=comparison(row, rule, protocol or NAMED_PROTOCOLS[row.protocol]),
        in_small=small_comparison(row, rule, small_scale) if row.in_small else None,
        caveat=row.note,
        conflicts_with=row.conflicts_with,
    )


def comparison(row: Row, rule: Rule, protocol: NamedProtocol) -> Comparison:
    """How the row is judged: its model's value, or for a relative time the ratio of two models."""
    relative = bool(row.relative_to)
    return Comparison(
        kind="ratio" if relative else "value",
        metric=rule.metric or row.metric,
        subject=row.relative_to or row.model,
        baselines=(row.model,) if relative else (),
        protocol=row.protocol,
        scale=protocol.scale,
        better=rule.better,
        needs=tuple(_need(need, row.model) for need in protocol.needs),
        hardware=row.hardware,
        units_per_printed=rule.units_per_printed,
        settings=dict(row.settings),
    )


def small_comparison(row: Row, rule: Rule, scale: str) -> Comparison:
    """The direction that small models are asked for: better than each baseline in the claim's metric."""
    asked = row.in_small
    return Comparison(
        kind="direction",
        metric=rule.metric or row.metric,
        subject=asked["model"],
        baselines=tuple(asked["baselines"]),
        protocol=asked["protocol"],
        scale=scale,
        better=rule.better,
        settings=dict(asked.get("settings", {})),
        baseline_settings=dict(asked.get("baseline_settings", {})),
    )


def _need(need: str, model: str) -> str:
    told = need.format(model=model)
    return f"{told}, {NOT_PUBLISHED}" if need == WEIGHTS and model in UNPUBLISHED else told


def headline(row: Row, rule: Rule, protocol: NamedProtocol) -> str:
    """As "mar-l (cfg_scale 1.0) reaches FID 2.60." and "d-dit-256 reaches VQA accuracy 33.9 on VizWiz."."""
    told = ", ".join(f"{name} {value}" for name, value in row.settings.items())
    model = f"{row.model} ({told})" if told else row.model
    if row.relative_to:
        return f"{model} takes {row.printed} times as long as {row.relative_to}."
    if rule.is_count:
        return f"{model} has {row.printed} {rule.title}."
    if row.metric == "throughput_per_s":
        return f"{model} generates {row.printed} {rule.title}."
    return f"{' '.join(filter(None, (model, 'reaches', rule.title, row.printed, protocol.told)))}."
