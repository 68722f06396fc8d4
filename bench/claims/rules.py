"""How a printed number is judged, by metric and by protocol: units, direction, tolerance, what a run needs.

One rule per metric, so that no claim is granted more than another of its kind. The tolerance of a claim is the rounding
of print plus what its metric's rule allows for sampling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from bench.claims.sources import GPU, NOT_PUBLISHED


@dataclass(frozen=True)
class Rule:
    """How close a measured value of a metric must come to a printed one, beyond the rounding of print."""

    title: str  # as a sentence names it
    unit: str  # of the printed number
    better: Literal["lower", "higher"]
    reason: str  # of the tolerance, one sentence without its full stop
    share: float = 0.0  # of the printed value
    num_trials: int = 0  # a share of so many trials: its 95 % sampling noise is allowed; 0: the metric is no such share
    covers_rounding: bool = False  # whether `share` is wide enough to hold the rounding of print too
    units_per_printed: float = 1.0  # units of the metric in one printed unit
    metric: str = ""  # the metric measured, where it is not called like the rule
    conditions: str | None = None  # of the number, where the source's, which are those of its scores, are not its own

    def tolerance(self, value: float, half_unit: float) -> float:
        """Relative to `value`; `half_unit` is what the rounding of print may hide."""
        noise = 1.96 * math.sqrt(value * (1 - value) / self.num_trials) if self.num_trials and value < 1 else 0.0
        return self.share + (noise + (0.0 if self.covers_rounding else half_unit)) / value

    @property
    def is_count(self) -> bool:
        return not (self.share or self.num_trials)

    @property
    def full_reason(self) -> str:
        """The reason with what is said of the rounding of print, a sentence."""
        if self.is_count:
            return f"{self.reason}: it may differ by the rounding of print alone."
        return f"{self.reason}, the rounding of print {'included' if self.covers_rounding else 'added'}."


EXACT = "A count is exact"
COUNTED = "counted, not measured"
SPEED = "Another implementation of the same network on the same GPU: 25 %"
TEXTS = "No spread is printed: 3 %, which is what CIDEr moves between T = 64 and T = 128 in D-DiT's ablation"
SHARE = "95 % interval of a share of 10,000, as many as there are reference images"
GENEVAL = "95 % interval of a share of as many images as GenEval asks for"
GENEVAL_PROMPTS = {  # prompts per category; four images are generated for each
    "single_object": 80,
    "two_objects": 99,
    "counting": 80,
    "colours": 94,
    "position": 100,
    "attribution": 100,
}

RULES: dict[str, Rule] = {
    "fid": Rule(
        "FID",
        "FID",
        "lower",
        "FID of one set of weights varies by 1-2 % (coefficient of variation, arXiv 2606.20536): 3 %",
        share=0.03,
    ),
    "sfid": Rule("sFID", "sFID", "lower", "No spread of sFID is known to us: 3 %, as for FID", share=0.03),
    "inception_score": Rule(
        "Inception Score",
        "Inception Score",
        "higher",
        "No spread is printed: 2 %, which must tell the README's 282.0 from the abstract's 293.4",
        share=0.02,
    ),
    "precision": Rule("precision", "precision", "higher", SHARE, num_trials=10_000),
    "recall": Rule("recall", "recall", "higher", SHARE, num_trials=10_000),
    "num_params": Rule("parameters", "parameters", "lower", EXACT, conditions=COUNTED),
    # `flops` counts a multiply-add as two operations; papers print multiply-adds.
    "flops": Rule(
        "Gflops per forward", "Gflops of multiply-adds", "lower", EXACT, units_per_printed=2e9, conditions=COUNTED
    ),
    "decoder_share": Rule("of the parameters in the decoder", "of the parameters", "lower", EXACT, conditions=COUNTED),
    "relative_time": Rule(
        "relative time",
        "times",
        "lower",
        "Hardware and batch size are not stated: 25 %",
        share=0.25,
        covers_rounding=True,
        metric="latency_s",
        conditions="hardware and batch size not stated",
    ),
    "throughput_per_s": Rule("images per second", "images/s", "higher", SPEED, 0.25, covers_rounding=True),
    "cider": Rule(
        "CIDEr", "CIDEr", "higher", TEXTS, 0.03, covers_rounding=True, units_per_printed=0.01
    ),  # printed times 100
    "vqa_accuracy": Rule("VQA accuracy", "%", "higher", TEXTS, 0.03, covers_rounding=True),
    "gqa_accuracy": Rule("GQA accuracy", "%", "higher", TEXTS, 0.03, covers_rounding=True),
    "pope_accuracy": Rule("POPE accuracy", "%", "higher", TEXTS, 0.03, covers_rounding=True),
    "mme_perception": Rule("MME perception", "MME score", "higher", TEXTS, 0.03, covers_rounding=True),
    "geneval_overall": Rule(
        "GenEval overall", "GenEval", "higher", GENEVAL, num_trials=4 * sum(GENEVAL_PROMPTS.values())
    ),
    **{
        f"geneval_{name}": Rule(
            f"GenEval {name.replace('_', ' ')}", "GenEval", "higher", GENEVAL, num_trials=4 * num_prompts
        )
        for name, num_prompts in GENEVAL_PROMPTS.items()
    },
}


@dataclass(frozen=True)
class NamedProtocol:
    """A protocol as a claim names it: protocols.py holds it, or will; until then its claims are not run."""

    scale: str
    needs: tuple[str, ...]  # in words, as in Comparison
    told: str = ""  # what tells its numbers from the model's others, as "on VizWiz"; "": the model's usual ones


STATISTICS_256 = "the ImageNet-256 reference statistics (ADM's VIRTUAL_imagenet256_labeled.npz)"
STATISTICS_512 = "the ImageNet-512 reference statistics (ADM's VIRTUAL_imagenet512.npz)"
WEIGHTS = "weights of {model}"
AT_400K = f"weights of {{model}} after 400K training steps, {NOT_PUBLISHED}"
ABLATION = f"weights of the ablation, {NOT_PUBLISHED}"
A100 = "an NVIDIA A100"


def _imagenet(*needs: str, told: str = "") -> NamedProtocol:
    return NamedProtocol("imagenet-256", (*needs, STATISTICS_256, GPU), told)


def _texts(scale: str, data: str, weights: str = WEIGHTS, told: str = "") -> NamedProtocol:
    return NamedProtocol(scale, (weights, data, GPU), told)


VQA_FILES = "the images, questions and annotations of VQAv2"

NAMED_PROTOCOLS: dict[str, NamedProtocol] = {
    "paper-size": NamedProtocol("paper-size", ()),
    "imagenet-256-quality": _imagenet(WEIGHTS),
    "imagenet-256-no-guidance-quality": _imagenet(WEIGHTS),
    "imagenet-256-400k-no-guidance-quality": _imagenet(AT_400K, told="after 400K training steps"),
    "imagenet-256-ft-mse-decoder-quality": _imagenet(
        WEIGHTS, "the autoencoder sd-vae-ft-mse", told="with the ft-MSE decoder"
    ),
    "imagenet-256-original-decoder-quality": _imagenet(
        WEIGHTS, "the autoencoder sd-vae-original", told="with the original decoder"
    ),
    "imagenet-512-quality": NamedProtocol("imagenet-512", (WEIGHTS, STATISTICS_512, GPU)),
    "imagenet-256-equal-quality": NamedProtocol("imagenet-256-equal", (WEIGHTS, STATISTICS_256, GPU)),
    "imagenet-512-equal-quality": NamedProtocol("imagenet-512-equal", (WEIGHTS, STATISTICS_512, GPU)),
    "imagenet-256-reseeded-quality": NamedProtocol("imagenet-256-reseeded", (WEIGHTS, STATISTICS_256, GPU)),
    "imagenet-512-reseeded-quality": NamedProtocol("imagenet-512-reseeded", (WEIGHTS, STATISTICS_512, GPU)),
    "imagenet-256-latency": NamedProtocol("imagenet-256", (GPU,)),
    "imagenet-512-latency": NamedProtocol("imagenet-512", (GPU,)),
    "imagenet-256-batch-128": NamedProtocol("imagenet-256", (A100,)),
    "imagenet-256-largest-batch": NamedProtocol("imagenet-256", (A100,)),
    "coco-captions-captions": _texts("coco-captions", "the images and captions of COCO", told="on COCO"),
    "vqa-v2-answers": _texts("vqa-v2", VQA_FILES, told="on VQAv2"),
    "vqa-v2-0-shot-answers": _texts("vqa-v2", VQA_FILES, ABLATION, "on VQAv2, 0 shots"),
    "vqa-v2-32-shot-answers": _texts("vqa-v2", VQA_FILES, ABLATION, "on VQAv2, 32 shots"),
    "okvqa-answers": _texts("okvqa", "OK-VQA's files", told="on OKVQA"),
    "vizwiz-answers": _texts("vizwiz", "VizWiz's files", told="on VizWiz"),
    "gqa-answers": _texts("gqa", "GQA's files"),
    "pope-answers": _texts("pope", "POPE's files"),
    "mme-answers": _texts("mme", "MME's files"),
    "geneval-quality": _texts("geneval", "GenEval's prompts and detector"),
    "coco-images-quality": _texts("coco-images", "COCO's captions and images", told="on COCO"),
}
