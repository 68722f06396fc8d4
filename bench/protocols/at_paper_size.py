"""How models of the papers' sizes are measured: the quality of their images, their texts, their speed and their size.

"published" terms: each model as its authors evaluated it (published.py). "equal" terms, a scale of their own: labels,
seeds, precision and evaluator alike for all families, guidance and steps as published; no printed number is judged by
them. "reseeded", another scale: as published, with TransDiff's seeds per batch. What a run needs beside the weights are
`assets`. No protocol is here where nobody published the weights: the claim says so.
"""

from __future__ import annotations

from dataclasses import replace

from bench.published import EQUAL_TERMS
from bench.records.schema import Protocol

QUALITY = ("fid", "fid_clean", "kid", "inception_score", "precision", "recall")
SPEED = ("latency_s", "throughput_per_s", "peak_memory_bytes", "num_params", "flops", "nfe", "decoder_time_share")
COMPOSED = ("latency_s", "peak_memory_bytes", "num_params", "flops", "nfe", "decoder_time_share")
CAPTIONS = ("bleu1", "bleu2", "bleu3", "bleu4", "meteor", "rouge_l", "cider")
# scale -> the scale whose models it measures
MODELS_OF = {
    **dict.fromkeys(("vqa-v2", "okvqa", "vizwiz", "gqa", "pope", "mme", "coco-images", "geneval"), "coco-captions"),
    **{f"{scale}-equal": scale for scale in EQUAL_TERMS},
    **{f"{scale}-reseeded": scale for scale in EQUAL_TERMS},
}
GENEVAL_METRICS = tuple(
    f"geneval_{name}"
    for name in ("overall", "single_object", "two_objects", "counting", "colours", "position", "attribution")
)
FIFTY_STEPS = "50-steps"  # a variant: the number of steps of GenEval's own script, beside the 28 of D-DiT's pipeline


def quality(name: str, size: int, *, variant: str = "") -> Protocol:
    """50,000 images on ADM's reference statistics, each model as its authors evaluated it."""
    return Protocol(
        name=name,
        scale=f"imagenet-{size}",
        collects="images",
        metrics=(*QUALITY, "sfid", "nfe"),
        num_images=50_000,
        features="inception",
        reference={256: "VIRTUAL_imagenet256_labeled.npz", 512: "VIRTUAL_imagenet512.npz"}[size],
        batch_size=128 if size == 256 else 32,
        terms="published",
        variant=variant,
        assets=(f"adm-imagenet-{size}", "inception"),
        needs=("weights", "gpu"),
    )


def equal(scale: str) -> Protocol:
    """The same images and statistics for all families of a scale: balanced labels, float32, a seed per image."""
    terms = EQUAL_TERMS[scale]
    return replace(
        quality(f"{scale}-equal-quality", terms.image_size),
        scale=f"{scale}-equal",
        num_images=terms.num_images,
        seed=terms.seed,
        dtype=terms.precision.weights,
        assets=(terms.reference, "inception"),
        terms="equal",
    )


def reseeded(scale: str) -> Protocol:
    """As published, and a seed per batch out of 1,025 as TransDiff's authors have it: batches of one seed share their
    noise. Their generator's bits are not reproduced, so that only the law of the noise is theirs."""
    as_published = quality(f"{scale}-reseeded-quality", EQUAL_TERMS[scale].image_size)
    return replace(as_published, scale=f"{scale}-reseeded", reseeded=True)


def texts(scale: str, collects: str, metrics: tuple[str, ...], *assets: str) -> Protocol:
    """A caption of every image or an answer to every question of a benchmark, scored as the benchmark does."""
    return Protocol(
        name=f"{scale}-{collects}",
        scale=scale,
        collects=collects,
        metrics=(*metrics, "nfe"),
        reference=assets[0],
        batch_size=32,
        dtype="bfloat16",
        terms="published",
        variant="sft" if collects == "answers" else "",
        assets=assets,
        needs=("weights", "gpu"),
    )


def latency(scale: str, *, throughput_batch_size: int) -> Protocol:
    """Whole images of random weights on a GPU: one at a time, and in batches."""
    return Protocol(
        name=f"{scale}-latency",
        scale=scale,
        collects="timings",
        metrics=SPEED,
        latency_batch_size=1,
        throughput_batch_size=throughput_batch_size,
        min_rounds=10,
        min_duration_s=10.0,
        needs=("gpu",),
    )


def estimated(scale: str) -> Protocol:
    """Where a whole image takes minutes: three calls of each part, and the exact counts."""
    return Protocol(
        name=f"{scale}-composed",
        scale=scale,
        collects="composed",
        metrics=COMPOSED,
        latency_batch_size=1,
        min_rounds=2,
        min_duration_s=0.0,
        sampled_calls=3,
    )


def coco_images(name: str, *, variant: str = "") -> Protocol:
    """FID of 30,000 images of COCO's captions against the photographs of val2014.

    The paper states neither images nor sizes where we could read. Here: the first caption of each of the first 30,000
    images of the captions file, all 40,504 photographs, both sides as 256 x 256 pixels, as other papers have it.
    """
    return replace(
        quality(name, 256, variant=variant),
        scale="coco-images",
        metrics=(*QUALITY, "nfe"),
        num_images=30_000,
        reference="coco-val2014",
        batch_size=16,
        dtype="bfloat16",
        assets=("coco-val2014", "inception"),
        resize="adm 256",
    )


def geneval(name: str, *, variant: str = "") -> Protocol:
    """GenEval (arXiv:2310.11513): four images of each of 553 prompts, looked at by its own detector."""
    return Protocol(
        name=name,
        scale="geneval",
        collects="geneval",
        metrics=(*GENEVAL_METRICS, "nfe"),
        num_images=4 * 553,
        reference="geneval",
        batch_size=16,
        dtype="bfloat16",
        terms="published",
        variant=variant,
        assets=("geneval",),
        needs=("weights", "gpu"),
    )


# Each model of which a claim says that it is faster, against those that the claim names, in the same rounds.
RATIOS_256 = Protocol(
    name="imagenet-256-ratios",
    scale="imagenet-256",
    collects="ratios",
    metrics=("latency_s",),
    latency_batch_size=1,
    min_rounds=6,  # fewer pairs bound no median (stats.py); an image of MAR takes a GPU half a minute
    min_duration_s=5.0,
    needs=("gpu",),
)


def under(dtype: str, *, compiled: bool, batch_size: int) -> Protocol:
    """The ratios under conditions that no paper states: a study, which says whether they decide."""
    words = [RATIOS_256.name, *([dtype] if dtype != RATIOS_256.dtype else []), *(["compiled"] if compiled else [])]
    return replace(
        RATIOS_256,
        name="-".join([*words, *([f"batch-{batch_size}"] if batch_size > 1 else [])]),
        dtype=dtype,
        compiled=compiled,
        latency_batch_size=batch_size,
        min_duration_s=1.0,
        study=True,
    )


CONDITIONS_256 = tuple(
    under(dtype, compiled=compiled, batch_size=batch_size)
    for batch_size in (1, 16)
    for compiled in (False, True)
    for dtype in ("float32", "bfloat16")
    if (dtype, compiled, batch_size) != ("float32", False, 1)  # `RATIOS_256` itself
)

PAPER_PROTOCOLS: tuple[Protocol, ...] = (
    quality("imagenet-256-quality", 256),
    quality("imagenet-256-no-guidance-quality", 256, variant="unguided"),
    # DiT's ablation of the decoder; its headline numbers are of ft-EMA's.
    quality("imagenet-256-ft-mse-decoder-quality", 256, variant="ft-mse-decoder"),
    quality("imagenet-256-original-decoder-quality", 256, variant="original-decoder"),
    quality("imagenet-512-quality", 512),
    *(equal(scale) for scale in EQUAL_TERMS),
    *(reseeded(scale) for scale in EQUAL_TERMS),
    latency("imagenet-512", throughput_batch_size=16),
    latency("imagenet-256", throughput_batch_size=64),
    RATIOS_256,
    *CONDITIONS_256,
    # RAR's table 5: images per second in batches of 128.
    replace(
        latency("imagenet-256", throughput_batch_size=128),
        name="imagenet-256-batch-128",
        min_rounds=5,
        claimed_only=True,
    ),
    # The same sizes where a whole image takes minutes: estimated from three calls of each part and the exact counts.
    replace(estimated("imagenet-256"), claimed_only=True),
    Protocol(
        name="imagenet-256-composed-ratios",
        scale="imagenet-256",
        collects="ratios",
        metrics=("latency_s",),
        latency_batch_size=1,
        min_rounds=6,  # fewer pairs bound no median (stats.py)
        min_duration_s=0.0,
        sampled_calls=3,
    ),
    # D-DiT's benchmarks: captions from the base weights, answers from those tuned on questions ("sft").
    texts("coco-captions", "captions", CAPTIONS, "coco-val2014"),
    texts("vqa-v2", "answers", ("vqa_accuracy",), "vqa-v2", "coco-val2014"),
    texts("okvqa", "answers", ("vqa_accuracy",), "okvqa", "coco-val2014"),
    texts("vizwiz", "answers", ("vqa_accuracy",), "vizwiz"),
    texts("gqa", "answers", ("gqa_accuracy",), "gqa"),
    texts("pope", "answers", ("pope_accuracy", "pope_f1"), "pope", "coco-val2014"),
    texts("mme", "answers", ("mme_perception", "mme_cognition"), "mme"),
    # D-DiT's images: at the 28 steps of its released pipeline, and at the 50 of GenEval's script.
    coco_images("coco-images-quality"),
    coco_images("coco-images-50-steps-quality", variant=FIFTY_STEPS),
    geneval("geneval-quality"),
    geneval("geneval-50-steps-quality", variant=FIFTY_STEPS),
    # D-DiT generates from prompts; the time is without T5, whose states random ones stand in for.
    latency("coco-captions", throughput_batch_size=16),
    estimated("coco-captions"),
    # Counts on the meta device: exact, and without weights or a GPU, so that a run of any scale takes them along.
    Protocol(
        name="paper-size",
        scale="paper-size",
        collects="sizes",
        metrics=("num_params", "flops", "decoder_share"),
    ),
)
