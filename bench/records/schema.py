"""What flows through the bench: plain frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

REAL_DATA = "real-data"  # the run that measures held-out scans against training scans: no model

SCHEMA = 1  # of the record files; see results/README.md


# -- what papers print -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Where a number is printed, and how far it can be trusted."""

    paper: str  # as "TransDiff (arXiv 2506.09482)"
    where: str  # table, section, abstract or issue
    url: str  # without a scheme, as "arXiv:2506.09482" or "github.com/TransDiff/TransDiff README @0081b3a"
    standing: (
        str  # "authors" | "authors, superseded" | "authors, informal" | "independent" | "secondary" | "inferred" | ...
    )
    conditions: str = ""  # how it was measured, as far as stated: images, labels, tool, precision, steps


@dataclass(frozen=True)
class Comparison:
    """What a claim says of two sides, in a form that records can answer.

    The ratio or difference is subject against baseline: for `kind` "value" there is no baseline.
    """

    kind: Literal["value", "ratio", "direction"]
    metric: str  # a metric key, as "fid"
    subject: str  # model name
    baselines: tuple[str, ...] = ()  # model names; the subject must beat each of them
    protocol: str = ""  # name of the protocol whose records answer it; where PROTOCOLS lacks it, nothing does yet
    scale: str = ""  # scale of that protocol, as "digits"
    better: Literal["lower", "higher"] = "lower"  # which side of the baselines the claim puts the subject on
    needs: tuple[str, ...] = ()  # what a run needs that a clone does not hold, in words
    stand_in: str = ""  # protocol whose composed times speak, and say so, where `protocol` has no record
    hardware: str = ""  # what a printed number was measured on, as it stands in a GPU's name ("A100"); "": not stated
    units_per_printed: float = 1.0  # how many units of the metric make one unit of the printed number
    margin: float = 0.0  # share of a baseline's score that the subject may fall short of it; 0: it must be better
    settings: Mapping[str, Any] = field(default_factory=dict)  # sampling settings of the subject; {}: as in its records
    baseline_settings: Mapping[str, Any] = field(default_factory=dict)  # the same of the baselines
    commands: tuple[str, ...] = ()  # what measures it, in order; (): `reproduce` at its scale


@dataclass(frozen=True)
class Claim:
    """One number (or direction) a paper prints, quoted and not interpreted."""

    id: str  # as "transdiff-fid-abstract"
    headline: str  # the claim in plain words, one sentence
    quote: str  # the number as printed
    value: float  # the printed number
    unit: str  # of `value`
    source: Source
    tolerance: float  # how close we must come, relative to `value`; two-sided
    tolerance_reason: str
    paper_scale: Comparison  # how it is judged as printed
    in_small: Comparison | None  # the direction that can be judged at digits scale; None where small says nothing
    conflicts: tuple[str, ...] = ()  # other printed numbers that disagree, one sentence each
    caveat: str = ""  # what a reader must know before believing either verdict
    conflicts_with: tuple[
        str, ...
    ] = ()  # ids of claims whose printed numbers contradict this one; see claims/ledger.py


# -- how it is measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Protocol:
    """How to measure. Two measurements are compared only where their protocols agree."""

    name: str  # as "digits-quality"
    scale: str  # "digits", "imagenet-256", ...; "paper-size": every model that a paper prints
    collects: Literal["images", "timings", "sizes", "composed", "ratios", "captions", "answers", "paintings"]
    metrics: tuple[str, ...]  # metric keys
    num_images: int = 0  # generated images; class-balanced: image i has label i mod num_classes. Of scenes: how many
    seed: int = 0  # image i's seed is a hash of (seed, i)
    training_seed: int = 0  # of the training run whose weights are measured; 0: those in use (shipped or retrained)
    features: str = ""  # feature extractor
    reference: str = ""  # data set the images are compared with
    batch_size: int = 0  # images per call while generating; changes no image
    latency_batch_size: int = 1
    throughput_batch_size: int = 0
    min_rounds: int = 10  # timed rounds at least
    min_duration_s: float = 1.0  # timed seconds at least
    dtype: str = "float32"
    num_threads: int | None = None  # processor threads of the networks; None: torch's own choice
    sampled_calls: int = 0  # calls of each part of a network that run where times are composed; 0: all run
    claimed_only: bool = False  # of its scale only the models that a claim names under it, and those asked for by name
    quick: bool = False  # a smoke run, too small to judge anything by
    study: bool = False  # run by `bench study`, not by `reproduce`
    needs: tuple[str, ...] = ()  # what must be there: "weights", "imagenet", "cuda", ...


@dataclass(frozen=True)
class RunSpec:
    """One run: a model under a protocol."""

    model: str
    protocol: Protocol
    settings: Mapping[str, Any] = field(default_factory=dict)  # sampling settings that differ from the spec's
    baselines: tuple[str, ...] = ()  # models that are timed beside it, round by round


# -- what comes out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metric:
    """A registry entry of metrics/: what a measurement of that name means."""

    name: str
    unit: str
    higher_is_better: bool | None  # None: neither
    title: str  # as a table prints it
    what: str  # one sentence for the reader of the report
    version: int = 1  # raised when the code changes the number: older records are measured again


@dataclass(frozen=True)
class Measurement:
    """One number with its unit and its spread."""

    value: float
    unit: str
    ci_low: float | None = None  # 95 % interval; None: unknown
    ci_high: float | None = None
    n: int | None = None  # samples (images, rounds) behind it


@dataclass(frozen=True)
class Record:
    """One file of results/<machine>/: everything measured in one run. Keys are documented in results/README.md."""

    model: str
    protocol: Mapping[str, Any]  # the Protocol as a dict
    settings: Mapping[str, Any]  # the sampling settings in force
    measurements: Mapping[str, Measurement]
    inputs: Mapping[
        str, Any
    ]  # what the numbers depend on: weights sha256, metric versions, code version; equal inputs are not measured again
    environment: Mapping[str, Any]  # machine, versions, commit
    created_utc: str  # ISO 8601
    status: Literal["ok", "failed"] = "ok"
    reason: str = ""  # why it failed, one line
    family: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)  # raw rounds, per-class counts, the audit
    images_png: str = ""  # base64 PNG: the first images in a grid of num_classes columns, for the report
    wall_s: float | None = None  # how long the run took
    schema: int = SCHEMA
    file: str = ""  # "<machine>/<file name>" under results/, known once it is saved or loaded; not stored


Word = Literal[
    "reproduced",
    "not reproduced",
    "inconclusive",
    "not comparable",
    "not run",
    "holds in small",
    "does not hold in small",
]


@dataclass(frozen=True)
class Verdict:
    """A word, the reason for it in one or two sentences, and the record files it rests on."""

    claim_id: str
    scale: str  # "digits" or the paper's scale
    word: Word
    reason: str
    records: tuple[str, ...] = ()  # file names under results/
    value: float | None = None  # the measured number the word rests on (a ratio, a difference, a value)
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str = ""
