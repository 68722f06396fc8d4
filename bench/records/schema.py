"""What flows through the bench: plain frozen dataclasses. What a record keeps beside its measurements: parts.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.records.parts import Counts, Elsewhere, Images, Measurement, Paintings, Samples, Speedup, Texts, Timing

REAL_DATA = "real-data"  # the run that measures held-out scans against training scans: no model

SCHEMA = 2  # of the record files; see results/README.md


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
    stand_in: str = ""  # protocol whose estimated latencies speak, and say so, where `protocol` has no record
    hardware: str = ""  # what a printed number was measured on, as it stands in a GPU's name ("A100"); "": not stated
    units_per_printed: float = 1.0  # how many units of the metric make one unit of the printed number
    margin: float = 0.0  # share of a baseline's score that the subject may fall short of it; 0: it must be better
    settings: Mapping[str, Any] = field(default_factory=dict)  # sampling settings of the subject; {}: as in its records
    baseline_settings: Mapping[str, Any] = field(default_factory=dict)  # the same of the baselines
    errors_of: str = ""  # metric in % whose errors (100 less the score) are compared too; "": none
    errors_allowed: float = 1.0  # times the baseline's errors that the subject may make
    control: Mapping[str, Any] = field(default_factory=dict)  # settings that must fail, or small says nothing
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
    collects: str  # the kind of measurement, a name in protocols.KINDS
    metrics: tuple[str, ...]  # metric keys
    num_images: int = 0  # generated images; class-balanced: image i has label i mod num_classes. Of scenes: how many
    seed: int = 0  # image i's seed is a hash of (seed, i)
    training_seed: int = 0  # of the training run whose weights are measured; 0: those in use (shipped or retrained)
    features: str = ""  # feature extractor
    reference: str = ""  # data set the images are compared with
    batch_size: int = 0  # images per call while generating; changes no image
    latency_batch_size: int = 1  # images per call where latency is timed
    throughput_batch_size: int = 0  # images per call where throughput is timed; 0: it is not
    min_rounds: int = 10  # timed rounds at least
    min_duration_s: float = 1.0  # timed seconds at least
    dtype: str = "float32"  # of the networks
    compiled: bool = False  # whether the sampling steps are compiled; only what is timed ever is
    num_threads: int | None = None  # processor threads of the networks; None: torch's own choice
    sampled_calls: int = 0  # calls of each part of a network that run where times are estimated; 0: all run
    claimed_only: bool = False  # of its scale only the models that a claim names under it, and those asked for by name
    quick: bool = False  # a smoke run, too small to judge anything by
    pilot_of: int = 0  # images of the full run whose first `num_images` these are; 0: it is the full run
    study: bool = False  # run by `bench study`, not by `reproduce`
    terms: str = ""  # "published": all as in the model's row of published.py; "equal": its guidance and steps; "": none
    variant: str = ""  # of published.py's rows ("unguided") or of released weights ("sft"); "": the usual
    reseeded: bool = False  # batches draw one of few seeds, as TransDiff's authors' do (published.Reseeding)
    assets: tuple[str, ...] = ()  # names in bench.assets of what must be there beside the weights
    needs: tuple[str, ...] = ()  # what else must be there: "weights", "gpu"
    resize: str = ""  # rule and size by which images of either side are resized before scoring, as "adm 256"; "": none


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
    earlier: str = ""  # how the number was before, a clause for the reader of older records


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine, the versions and the commit. On disk, facts of the machine stand once, in its machine.json."""

    machine: str  # slug of the hardware, the name of the folder
    device: str = "cpu"  # "cpu" or "cuda"
    num_threads: int | None = None  # threads torch uses
    versions: Mapping[str, str] = field(default_factory=dict)  # installed versions by package, Python among them
    commit: str | None = None  # hash of the code; None outside a git checkout
    dirty: bool | None = None  # whether the code differed from the commit
    cuda: str | None = None  # version; None on a CPU
    tf32: bool | None = None  # whether float32 products may use TF32; None on a CPU
    processor: str | None = None  # name as the system gives it
    num_cores: int | None = None  # cores the process may run on
    memory_bytes: int | None = None  # physical memory
    system: str | None = None  # as "Linux x86_64"
    gpu: str | None = None  # name; None on a CPU
    gpu_memory_bytes: int | None = None  # of the GPU; None on a CPU


MACHINE_FACTS = ("processor", "num_cores", "memory_bytes", "system", "gpu", "gpu_memory_bytes")  # in machine.json


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the numbers of a run depend on, beside its protocol. A run with equal inputs is not measured again."""

    settings: Mapping[str, Any] = field(default_factory=dict)  # sampling settings that the run names
    weights_sha256: str | None = None  # of the weights; None: none
    weights_origin: str | None = None  # "shipped" with this package, "released" by authors, "trained here"; None: none
    files: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by name of every other file that is loaded
    versions: Mapping[str, int] = field(default_factory=dict)  # of code: "model", "autoencoder", "evaluator", baselines
    metric_versions: Mapping[str, int] = field(default_factory=dict)  # by metric name
    torch: str | None = None  # version
    machine: str | None = None  # slug of the hardware; None: the numbers do not depend on it


@dataclass(frozen=True)
class Record:
    """One file of results/<machine>/: everything measured in one run."""

    model: str  # as `python -m bench list` gives it; "real-data": held-out images scored as if generated
    protocol: Protocol  # how it was measured
    settings: Mapping[str, Any]  # the sampling settings in force
    measurements: Mapping[str, Measurement]  # by metric name
    inputs: Inputs  # what the numbers depend on, beside the protocol
    environment: Environment  # the machine, the versions, the commit
    created_utc: str  # when the run ended, ISO 8601 in UTC; never before an earlier record of it
    status: Literal["ok", "failed"] = "ok"  # "failed": then `measurements` is empty and `reason` says why
    reason: str = ""  # one line
    family: str = ""  # of the model, "real" for real data
    wall_s: float | None = None  # how long the run took
    images: Images | None = None  # of runs that score images; None, as below: another kind, or it could not be read
    texts: Texts | None = None  # of runs that score captions or answers
    paintings: Paintings | None = None  # of runs that generate images of scenes, or for GenEval
    timing: Timing | None = None  # of runs that time a model
    speedups: tuple[Speedup, ...] = ()  # of runs that time a model beside others
    counts: Counts | None = None  # of runs that count a model
    elsewhere: Elsewhere | None = None  # of `bench score --record`: what was scored was not made by this suite
    samples: Samples = field(default_factory=Samples)  # stored beside the record, in samples/
    file: str = ""  # "<machine>/<file name>" under results/, known once it is saved or loaded; not stored
    sha256: str = field(default="", compare=False)  # that its file was written with, known once it is loaded


Word = Literal[
    "reproduced",
    "not reproduced",
    "agrees to 0.1 %",
    "inconclusive",
    "not comparable",
    "not run",
    "holds in small",
    "does not hold in small",
    "small says nothing",
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
    rival: str = ""  # the baseline that `value` compares with, of several the one that speaks least for the claim
    marker: str = ""  # on what kind of evidence the word rests where nothing was run here, as BY_COUNTING
