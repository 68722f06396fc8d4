"""What a record keeps beside its measurements: one typed part per kind of run, validated when it is read.

Seconds end in `_s`, bytes in `_bytes`, rates in `_per_s`; counts begin with `num_`; shares from 0 to 1 end in `_share`.
None is "unknown" or "not measured", never 0. These classes are the documentation of results/ (results/README.md is
generated from them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(gt=0)]
LARGEST = 2**63 - 1  # what arrays and other readers can take
Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Positive = Annotated[int, msgspec.Meta(gt=0, le=LARGEST)]
Rate = Annotated[float, msgspec.Meta(gt=0)]
Number = int | float

REST = "rest"  # the stage of what lies between the calls: the sampler's own arithmetic, random draws
SUBJECT, BASELINE = "model", "baseline"  # the sides of a speed-up


@dataclass(frozen=True)
class Measurement:
    """One number with its unit and its spread."""

    value: float  # in `unit`
    unit: str  # "" for a score without one
    ci_low: float | None = None  # 95 % interval, in `unit`; None: unknown
    ci_high: float | None = None  # see ci_low
    n: int | None = None  # samples (images, rounds, items) behind it; None: counted, not sampled

    @property
    def is_above_0(self) -> bool:
        """Whether the value and its bounds are: of a time, of a rate and of a ratio of them nothing else can be."""
        return all(each is None or each > 0 for each in (self.value, self.ci_low, self.ci_high))


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Of a run that scored what something else had made: the authors' own code, another machine, another evaluator.

    The scores were computed here, by the rules of the protocol; how the items were made is the word of who handed them
    in.
    """

    what: Literal["images", "captions", "answers", "detections"]  # "detections": results of GenEval's evaluator
    name: str  # of the folder or file that was handed in, without its path
    num_items: Positive  # images, captions, answers
    sha256: str  # of the pixels of all images in their order; of captions and answers that of the results file
    files: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by role of what they were compared with
    made_by: str = ""  # who or what made them, in the words of who handed them in
    assumed: tuple[str, ...] = ()  # what nothing here can check and a verdict takes for granted, a clause each

    @property
    def words(self) -> str:
        """As "50,000 images of 'mar-l-samples' (made by the authors' code; SHA-256 0123456789ab)"."""
        by = f"made by {self.made_by}; " if self.made_by else ""
        return f"{self.num_items:,} {self.what} of '{self.name}' ({by}SHA-256 {self.sha256[:12]})"


# -- images ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ImageAudit:
    """What was looked at before images were scored."""

    num_images: Count  # looked at
    image_size: tuple[int, int]  # height, width in pixels
    nonfinite: Count  # images with NaN or infinite values
    constant: Count  # images of one colour
    duplicates: Count  # images that another image equals
    duplicates_share: float = 0.0  # of the images
    labels_asked: tuple[int, ...] | None = None  # images asked for, by class; None: the extractor knows no classes
    class_counts: tuple[int, ...] | None = None  # images recognised, by class
    recognised_share: float | None = None  # recognised as the class that was asked for
    copies_share: float | None = None  # copies of training images; None: not looked for
    content_sha256: str | None = None  # of the pixels of all images in order; None: by an earlier version
    failures: tuple[str, ...] = ()  # why nothing may be scored; (): passed


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Where the scored images were kept."""

    store: str  # name of their folder in the store of the results folder
    sha256: str  # of all shards: equal for any number of workers, batch size and interruption
    labels: str = "balanced"  # rule of the labels: as many of each class; "uniform": each image draws its class
    precision: str = "float32"  # of the networks while they generated
    made_on: tuple[Mapping[str, Any], ...] = ()  # device, torch and batch size, and how many shards each made
    weights_entry: str | None = None  # taken of a released file, as "model_ema"; None: it has no entries


@dataclass(frozen=True, kw_only=True)
class Images:
    """Of runs that score images."""

    audit: ImageAudit  # before scoring
    refused: Mapping[str, str] = field(default_factory=dict)  # by metric: why its number would mean nothing
    not_run: Mapping[str, str] = field(default_factory=dict)  # by metric: what was missing
    scoring: Mapping[str, Any] = field(default_factory=dict)  # how they were computed: sides, extractor, intervals
    samples: Sampled | None = None  # None: real images, or a record of an earlier version
    nfe: Mapping[str, Number] | None = (
        None  # network evaluations of one image by part of the network; None: real images
    )
    rounds_s: tuple[Seconds, ...] = ()  # seconds of each whole batch while generating, in order
    class_distances: tuple[float, ...] = ()  # fid_per_class of each class, by label; (): not measured
    grid_png: str = ""  # base64 PNG: the first images, unselected, one class per column


# -- texts and images of scenes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TextExample:
    """A text that an audit found degenerate."""

    id: Any  # of the item
    text: str  # what the model said


@dataclass(frozen=True, kw_only=True)
class TextAudit:
    """Degenerate texts, counted and shown (metrics/text_audit.py)."""

    num_texts: Count  # looked at
    num_empty: Count  # without a letter or digit
    num_end_first: Count  # the end token came first
    num_truncated: Count  # cut at the length limit
    num_repeated: Count  # a run of words that repeats at once
    num_degenerate: Count  # any of these
    degenerate_share: float  # of the texts
    num_with_finish: Count  # texts that say how they ended
    num_distinct: Count  # case aside
    most_common_text: str  # case and spaces aside
    most_common_share: float  # of the texts
    examples: Mapping[str, tuple[TextExample, ...]] = field(default_factory=dict)  # by class of degenerate texts
    warnings: tuple[str, ...] = ()  # one sentence each


@dataclass(frozen=True, kw_only=True)
class TypeScore:
    """Answers to one type of question."""

    accuracy: float  # %
    n: Positive  # questions


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Of runs that score captions or answers."""

    audit: TextAudit  # before scoring
    without_degenerate: Mapping[str, Measurement] = field(default_factory=dict)  # the measurements of the other texts
    by_question_type: Mapping[str, TypeScore] = field(default_factory=dict)  # of answers, by the question's first words
    rounds_s: tuple[Seconds, ...] = ()  # seconds of each whole batch of texts, in order
    nfe: Mapping[str, Number] = field(default_factory=dict)  # by part of the network, the mean over the texts
    not_run: Mapping[str, str] = field(default_factory=dict)  # by metric: what was missing
    warnings: tuple[str, ...] = ()  # what a reader must know before believing a number
    scoring: Mapping[str, Any] = field(default_factory=dict)  # tokenizer, format, intervals, metric versions


@dataclass(frozen=True, kw_only=True)
class Paintings:
    """Of runs that generate images from text, which a checker looks at: scenes, GenEval."""

    nfe: Mapping[str, Number] | None = None  # network evaluations of one image by part; None: real scenes, or unknown
    rounds_s: tuple[Seconds, ...] = ()  # seconds of each whole batch while generating, in order
    samples: Sampled | None = None  # of GenEval: where the images are kept; None: of scenes, or made elsewhere
    scoring: Mapping[str, Any] = field(default_factory=dict)  # of GenEval: its results file, prompts and intervals


@dataclass(frozen=True, kw_only=True)
class Example:
    """One item of a run on scenes, shown on the page. In the samples file."""

    scene: Count  # index of the held-out scene
    image_png: str  # base64 PNG, 16x16: the scene, or what was generated
    prompt: str  # the question, "" for a caption; the caption that was generated from
    text: str  # what the model said; of generated images what the checker read, as a caption
    references: tuple[str, ...]  # captions of the scene, the ten annotators' answers, or what should be read
    right: bool  # as caption_accuracy and scene_accuracy count; of answers: the scene's own answer was given
    accuracy: float | None = None  # of answers: the official accuracy, 0 to 1
    tasks: Mapping[str, bool | None] | None = None  # of generated images: whether each task was passed


@dataclass(frozen=True, kw_only=True)
class SceneScores:
    """The texts of one scene: two models that saw the same scenes are compared scene by scene. In the samples file."""

    scene: Count  # index of the held-out scene
    num: Positive  # texts
    totals: Mapping[str, float]  # by metric: the sum of the values of the texts


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Per-item results, in samples/<record>.jsonl.gz beside the record: one JSON object per line."""

    scenes: tuple[SceneScores, ...] = ()
    examples: tuple[Example, ...] = ()  # at most 24, up to 12 wrong ones first, evenly spaced


# -- speed -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The circumstances of one timed side: what must agree before a ratio means anything (records/comparable.py)."""

    machine: str  # slug of the hardware
    device: str  # "cpu" or "cuda"
    num_threads: Positive  # threads torch uses
    dtype: str  # of the networks
    float32_matmul_precision: str  # torch's setting: "highest" is without TF32
    tf32_convolution: bool | None  # whether convolutions may use TF32; None: no GPU
    attention_kernels: tuple[str, ...]  # torch's fused attention kernels that are switched on
    compiled: bool  # whether the sampling steps are compiled
    kv_cache: bool | None  # whether an AR loop keeps keys and values; None: there is nothing to keep
    conditioned_on: str  # "labels" or "prompts"
    text_encoder: str | None  # "in" the timed call, or "out (random states)"; None: no prompts
    guided: bool  # whether guidance adds a second pass
    cfg_scale: float | None  # guidance scale; None: the model has none
    network_evaluations: Mapping[str, Number]  # for one image, by part of the network
    autoencoder: str  # "in": the call ends in pixels
    image_size: Positive  # pixels a side
    batch_size: Positive  # images per call
    own_kernels: tuple[str, ...] | None = None  # ways faster than torch's, of reference_models/layers.py; None: unknown


@dataclass(frozen=True, kw_only=True)
class Series:
    """Timed rounds, each with inputs of its own, the device idle at both ends."""

    batch_size: Positive  # images per call
    conditions: Conditions | None = None  # None: as those of the record's latency
    rounds_s: tuple[Seconds, ...]  # timed rounds, in order
    first_call_s: Seconds | None = None  # cold, in no other number; None in a sweep: see latency or throughput
    warmup_s: tuple[Seconds, ...] = ()  # rounds thrown away
    warmup_ended_by: str = ""  # "stable" (rolling median still), "rounds", "time", or "first call" (warm already)
    rounds_ended_by: str = ""  # "enough" (least count and duration), "rounds", or "time" (cut short)
    foreign_load: float | None = None  # cores that others used during the rounds; None: unknown
    foreign_gpu_share: float | None = None  # busy share of the GPU before and after, left idle by us
    load_average: float | None = None  # of the system over one minute, before the rounds
    disturbed: bool | None = None  # others used more than 5 % of the cores or of the GPU; None: unknown
    peak_memory_bytes: Count | None = None  # of one call, weights left out; None: not measured
    estimated: bool = False  # no round ran whole: each is estimated from sampled calls and exact counts
    error_s: float | None = None  # standard error of the estimate; None where nothing is estimated

    def __post_init__(self) -> None:
        if not self.rounds_s:
            raise ValueError("no timed round")


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Batches of 1, 2, 4, ... images."""

    batches: tuple[Series, ...]  # by batch size
    ended_by: str = ""  # "memory": the next does not fit; "time": its rounds are long


@dataclass(frozen=True, kw_only=True)
class Part:
    """All calls of one part (a method) of a model in one call of `generate`."""

    stage: str  # as "decoder"
    num_calls: Positive  # in one call of `generate`
    num_timed: Positive  # calls of a round that were timed
    flops: Count  # of all calls; a multiply-add is two
    weight_bytes: Count | None = None  # of the weights that all calls read; None: not counted
    num_kernels: Count | None = None  # operations that compute or copy; None: not counted
    call_s: Seconds  # median seconds of one call


@dataclass(frozen=True, kw_only=True)
class Stages:
    """Where the time of one call goes: parts timed from outside, the device idle at both ends of each."""

    batch_size: Positive = 1  # images per call
    rounds_s: Mapping[str, tuple[float, ...]]  # by stage, its seconds in every round; "rest": between the calls
    parts: Mapping[str, Part]  # by method
    whole_s: tuple[Seconds, ...] = ()  # uninterrupted calls, interleaved with those rounds; (): estimated
    estimated: bool = False  # from sampled calls and exact counts
    error_s: float | None = None  # standard error of the estimate
    foreign_load: float | None = None  # cores that others used during the rounds; None: unknown
    disturbed: bool | None = None  # see Series

    def __post_init__(self) -> None:
        lengths = {len(rounds) for rounds in self.rounds_s.values()}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("stages have different numbers of rounds, or none")
        if unknown := {part.stage for part in self.parts.values()} - self.rounds_s.keys():
            raise ValueError(f"parts of stages without rounds: {', '.join(sorted(unknown))}")
        if idle := self.rounds_s.keys() - {part.stage for part in self.parts.values()} - {REST}:
            raise ValueError(f"stages without parts: {', '.join(sorted(idle))}")


@dataclass(frozen=True, kw_only=True)
class Roofline:
    """What the machine can do at most, measured in the same process."""

    matmul_flop_per_s: Rate  # a large matrix product in `dtype`, a multiply-add is two
    copy_bytes_per_s: Rate  # a large copy, bytes read and written
    dtype: str  # of the matrix product
    num_threads: Positive  # threads torch uses
    matmul_size: int | None = None  # side of the square matrices
    copy_bytes: int | None = None  # size of the copy


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """MLPerf's TEST01 (timed images are the scored ones) and TEST04 (nothing is answered from a cache)."""

    num_images: Positive  # compared
    num_steps: Positive | None = None  # of each of them, where it is not the setting that is timed
    num_different: Count  # images that differ by more than one grey level
    images_equal: bool  # to the last grey level
    max_difference: Count  # grey levels
    timed_sha256: str = ""  # of the timed images
    plain_sha256: str = ""  # of the images as they are scored
    repeat_ratio: Measurement  # seconds of one image repeated over those of fresh ones, by pairs
    repeat_rounds_s: Mapping[str, tuple[Seconds, ...]] = field(default_factory=dict)  # "fresh" and "repeated"
    valid: bool  # both tests passed


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Of runs that time one model, whole or estimated."""

    latency: Series  # at the protocol's latency batch
    throughput: Series | None = None  # at its throughput batch, or at the best batch of the sweep
    sweep: Sweep | None = None  # batches of 1, 2, 4, ...; None, as below: not measured
    stages: Stages | None = None  # where the time of one call goes
    roofline: Roofline | None = None  # what the machine can do at most
    compliance: Compliance | None = None  # whether the times are honest
    flops: float | None = None  # of one image
    nfe: Mapping[str, Number] = field(default_factory=dict)  # network evaluations of one image, by part
    num_params: Count | None = None  # of the generator
    peak_memory_bytes: Count | None = None  # weights included; None: the system cannot tell
    load_s: float | None = None  # to build the model and its autoencoder and bring both to the device


@dataclass(frozen=True, kw_only=True)
class Speedup:
    """One model against one baseline, both timed in the same interleaved rounds."""

    model: str  # the subject
    baseline: str  # the model beside it
    mode: str  # of records/comparable.py: "forced equal" or "each at its best"
    conditions: Mapping[Literal["model", "baseline"], Conditions]  # by side
    not_comparable: str = ""  # the fields that differ and must not: nothing below was timed; "": comparable
    without_own_kernels: bool = False  # whether the faster ways of reference_models/layers.py were off on both sides
    estimated: bool = False  # times estimated from sampled calls and exact counts
    ratio: Measurement | None = None  # how many times the images per second of the baseline; None: not timed
    rounds_s: Mapping[str, tuple[Seconds, ...]] = field(default_factory=dict)  # by side; entry i is of round i
    first_call_s: Mapping[str, Seconds] = field(default_factory=dict)  # by side, cold
    warmup_s: Mapping[str, tuple[Seconds, ...]] = field(default_factory=dict)  # by side, rounds thrown away
    warmup_ended_by: Mapping[str, str] = field(default_factory=dict)  # by side, see Series
    orders: tuple[tuple[str, ...], ...] = ()  # which side came first in each round
    rounds_ended_by: str = ""  # see Series
    foreign_load: float | None = None  # see Series
    foreign_gpu_share: float | None = None  # see Series
    load_average: float | None = None  # see Series
    disturbed: bool | None = None  # see Series

    @property
    def mode_in_words(self) -> str:
        """As "forced equal, without own kernels"."""
        return f"{self.mode}, without own kernels" if self.without_own_kernels else self.mode

    def __post_init__(self) -> None:
        if {SUBJECT, BASELINE} - self.conditions.keys():
            raise ValueError("conditions of one side are missing")
        if self.not_comparable:
            return
        lengths = {len(self.rounds_s.get(side, ())) for side in (SUBJECT, BASELINE)}
        if self.ratio is None or len(lengths) != 1 or 0 in lengths:
            raise ValueError("a comparable speed-up needs a ratio and as many rounds of either side")
        if not self.ratio.is_above_0:
            raise ValueError("a ratio of times, or a bound of it, is not above 0")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Of runs that count a model on the meta device: no weights, no settings."""

    num_params: Positive  # of the generator
    flops: float | None = None  # one forward of one image; only where the paper prints it (DiT, SiT)
    decoder_share: float | None = None  # share of the parameters that lies in the decoder (TransDiff)
