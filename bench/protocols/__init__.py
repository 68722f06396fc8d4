"""PROTOCOLS: how to measure, per scale; KINDS: what is measured, and by which evaluator.

The protocols of the papers' sizes are in at_paper_size.py.

A measurement is compared only with one of the same protocol. A new kind of measurement is one file in evaluators/ and
one row of KINDS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.protocols.at_paper_size import PAPER_PROTOCOLS, QUALITY, SPEED
from bench.records.schema import Protocol

COST = ("throughput_per_s", "nfe")  # of generating those images
SECOND_LOOK = ("fid_fixed", "fid_per_class", "nearest_train")  # beside the scores that one network gives

# The digits networks are so small that a second thread costs more in waiting than it brings, and on a busy machine
# several times more; one thread gives the same speed on any number of cores.
DIGITS_THREADS = 1

# Scores on the scenes scale: what pycocoevalcap's scorers and VQAv2's and POPE's evaluators give, and our own checks.
CAPTIONS = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l", "cider", "caption_accuracy")
ANSWERS = (
    *("vqa_accuracy", "vqa_accuracy_yes_no", "vqa_accuracy_number", "vqa_accuracy_other"),
    *("pope_accuracy", "pope_precision", "pope_recall", "pope_f1", "pope_yes_ratio"),
)
PAINTINGS = (
    *("scene_accuracy", "scene_single_object", "scene_two_objects", "scene_counting", "scene_colours"),
    *("scene_position", "scene_attribution"),
)
READING = ("texts_per_s", "nfe")  # the cost of a text


@dataclass(frozen=True)
class Kind:
    """A kind of measurement: what a protocol `collects`, and what the plan and the run must know of it.

    evaluator and real are "module:function", imported when they are called. Either takes (model, spec, context), see
    bench.evaluators, and returns fields of a Record.
    """

    name: str
    evaluator: str
    real: str = ""  # the same measured on real data, without a model: a ceiling or a floor; "": there is none
    version: int = 1  # raised when evaluators/, sampling/ or timing/ change the numbers: older records are outdated
    needs_model: bool = True  # False: nothing runs; sizes counted on the meta device, at every scale
    reads: bool = False  # the model says texts of images, with its settings of reading; False: it generates images
    paired: bool = False  # times a model beside its baselines, in the same rounds
    awaits: str = ""  # "module:function" of (spec, work): see run.awaits; "": all is done here
    fewer_steps: bool = False  # a smoke run takes fewer sampling steps: nothing is compared step by step


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "images",
            "bench.evaluators.images:measure_images",
            real="bench.evaluators.images:measure_real_images",
            fewer_steps=True,
        ),
        Kind(
            "geneval",
            "bench.evaluators.geneval:measure_geneval",
            fewer_steps=True,
            awaits="bench.evaluators.geneval:awaited",
        ),
        Kind("timings", "bench.evaluators.timings:measure_timings", fewer_steps=True),
        Kind("composed", "bench.evaluators.estimated:measure_estimated"),
        Kind("ratios", "bench.evaluators.ratios:measure_ratios", paired=True),
        Kind("kernels", "bench.evaluators.ratios:measure_kernels", paired=True),
        Kind("costs", "bench.evaluators.costs:measure_costs"),
        Kind("sizes", "bench.evaluators.sizes:measure_sizes", needs_model=False),
        Kind("captions", "bench.evaluators.captions:measure_captions", reads=True),
        Kind("answers", "bench.evaluators.answers:measure_answers", reads=True),
        Kind(
            "paintings",
            "bench.evaluators.paintings:measure_paintings",
            real="bench.evaluators.paintings:measure_real_scenes",
        ),
    )
}

QUICK_STEPS = 25  # of a smoke run, where a model takes more
QUICK_IMAGES = 80  # of a smoke run: class-balanced, and enough for the covariance of 64 features

SHARD_SIZE = 500  # images that are generated and stored together
MIN_SHARDS = 4  # of a small protocol, so that a few workers can share it


def digits_images(name: str, *more: str) -> Protocol:
    """Images of a study, scored against the scans; more: metrics beside the usual ones."""
    return Protocol(
        name=name,
        scale="digits",
        collects="images",
        metrics=(*QUALITY, *more),
        num_images=500,
        features="digits",
        reference="digits-train",
        batch_size=125,
        num_threads=DIGITS_THREADS,
        study=True,
    )


def scenes(name: str, collects: str, metrics: tuple[str, ...]) -> Protocol:
    """What is said of the held-out scenes, or generated from their captions."""
    return Protocol(
        name=name,
        scale="scenes",
        collects=collects,
        metrics=metrics,
        num_images=500,
        reference="scenes-heldout",
        batch_size=16,
        num_threads=DIGITS_THREADS,
    )


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        # 500 images: as many as there are held-out scans, so that the real-data floor stands at the same count.
        replace(
            digits_images("digits-quality", "nfe"),
            batch_size=50,  # its activations stay in a core's cache: a quarter faster than 125
            study=False,
        ),
        # The same at other settings and seeds: see studies.py. Not part of `reproduce`. Nothing is timed: the runs of a
        # study come from different hours, beside other work.
        digits_images("digits-study", "nfe", "feature_similarity"),
        # What a point of a study costs: counted, without sampling an image for a score.
        Protocol(name="digits-costs", scale="digits", collects="costs", metrics=("flops", "nfe"), study=True),
        # More images than there are scans: at 2,000 FID spreads half as far as at 500.
        replace(digits_images("digits-many", *SECOND_LOOK, "nfe"), num_images=2000),
        Protocol(
            name="digits-latency",
            scale="digits",
            collects="timings",
            metrics=SPEED,
            latency_batch_size=1,
            throughput_batch_size=8,
            min_rounds=10,
            min_duration_s=2.0,
            num_threads=DIGITS_THREADS,
        ),
        # Each model of which a claim says that it is faster, against those that the claim names, in the same rounds.
        Protocol(
            name="digits-ratios",
            scale="digits",
            collects="ratios",
            metrics=("latency_s",),
            latency_batch_size=1,
            min_rounds=10,
            min_duration_s=1.0,
            num_threads=DIGITS_THREADS,
        ),
        # The same with and without this suite's own CPU kernels, all in the same rounds. Not part of `reproduce`.
        Protocol(
            name="digits-kernels",
            scale="digits",
            collects="kernels",
            metrics=("latency_s",),
            latency_batch_size=1,
            min_rounds=10,
            min_duration_s=1.0,
            num_threads=DIGITS_THREADS,
            study=True,
        ),
        # Held-out scenes, the same for all: one caption each, all questions of each, one image each.
        scenes("scenes-captions", "captions", CAPTIONS + READING),
        scenes("scenes-answers", "answers", ANSWERS + READING),
        replace(scenes("scenes-paintings", "paintings", PAINTINGS + COST), features="digits", batch_size=50),
        # At other numbers of steps: fewer scenes (about ten questions each, so still fewer of those), and without
        # METEOR, whose Java takes longer than all the rest.
        replace(
            scenes("scenes-captions-study", "captions", (*(m for m in CAPTIONS if m != "meteor"), *READING)),
            num_images=200,
            study=True,
        ),
        replace(scenes("scenes-answers-study", "answers", ANSWERS + READING), num_images=100, study=True),
        *PAPER_PROTOCOLS,
    )
}

# A protocol that times each model by itself -> the one that times two in shared rounds, which says more of their ratio.
RATIOS = {
    "digits-latency": "digits-ratios",
    "imagenet-256-latency": "imagenet-256-ratios",
    "imagenet-256-composed": "imagenet-256-composed-ratios",
}

SMALL = ("digits", "scenes")  # scales whose weights are trained and shipped here
SCALES = tuple(dict.fromkeys(p.scale for p in PROTOCOLS.values() if KINDS[p.collects].needs_model))
TIMES = {"latency_s", "throughput_per_s", "texts_per_s", "decoder_time_share"}  # metrics that are read off a clock


def kind_of(protocol: Protocol) -> Kind:
    return KINDS[protocol.collects]


def is_timed(protocol: Protocol) -> bool:
    """Whether a clock has a say in its numbers: such runs have the machine to themselves, and depend on it."""
    return not TIMES.isdisjoint(protocol.metrics)


def quick(protocol: Protocol) -> Protocol:
    """The protocol as a smoke run: few images, three timed rounds. Its records are never judged."""
    return replace(
        protocol,
        num_images=min(protocol.num_images, QUICK_IMAGES),
        min_rounds=3,
        min_duration_s=0.0,
        throughput_batch_size=2,
        quick=True,
    )


def pilot(protocol: Protocol, num_images: int) -> Protocol:
    """The protocol as a pilot: the first images of the full run, in whole shards, so that none is generated twice.

    They keep the labels of the full run: image i is of class i mod num_classes (or draws its class), so that any number
    of first images holds as many of each class, but for one.
    """
    size = shard_size(protocol.num_images)
    return replace(protocol, num_images=-(-num_images // size) * size, pilot_of=protocol.num_images)


def shard_size(num_items: int, largest: int = SHARD_SIZE) -> int:
    """Items per shard of a protocol of `num_items`: 500, or a quarter of fewer than 2,000."""
    return max(1, min(largest, -(-num_items // MIN_SHARDS)))


def quick_settings(protocol: Protocol, usual: Mapping[str, Any]) -> dict[str, Any]:
    """What a smoke run under `protocol` changes in a model's sampling settings: fewer steps, where it runs alone."""
    alone = protocol.quick and kind_of(protocol).fewer_steps
    return few_steps(usual) if alone else {}


def few_steps(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What changes in these sampling settings where QUICK_STEPS will do: nothing where they have no more."""
    return {"num_steps": QUICK_STEPS} if settings.get("num_steps", 0) > QUICK_STEPS else {}
