"""How the authors measured what they print, and the conditions under which all families are compared: data only.

PUBLISHED    a row per model, as its authors evaluated it: what a verdict on a printed number must follow
EQUAL_TERMS  one rule per scale for all families: same labels, seeds, precision, evaluator; guidance, steps and schedule
             stay as published, for they are part of a method
Every setting names its source. What no source says is None. Names of settings are those of `Spec.sampling`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Labels = Literal["balanced", "uniform", "prompts"]
# balanced: the same number of images of each class.  uniform: each image draws its class.  prompts: no classes.
Evaluator = Literal["torch-fidelity", "adm"]
# torch-fidelity: a fork that reads ADM's statistics.  adm: guided-diffusion's TensorFlow evaluator.


@dataclass(frozen=True)
class Precision:
    """In which numbers a model runs while it generates."""

    weights: Literal["float32", "bfloat16", "float16"] = "float32"
    autocast: Literal["float16", "bfloat16"] | None = None  # torch.autocast around the sampler and the decoder
    tf32: bool = False  # matrix products and convolutions of float32 in TF32
    decoder: Literal["float32"] | None = None  # of the autoencoder's weights; None: as `weights`


@dataclass(frozen=True)
class Reseeding:
    """TransDiff seeds torch anew for every batch, with one of `num_seeds` numbers from a generator that nobody seeds.

    Two batches of one seed on one GPU hold the same noise: at the published 8 x 256 images 9 % of batches repeat one.
    """

    num_seeds: int  # drawn from 0 .. num_seeds - 1
    batch_size: int  # images that share a seed


@dataclass(frozen=True)
class Disputed:
    """Settings that a source prints for the same number, where another is followed."""

    settings: Mapping[str, Any]  # those that differ, as that source has them
    source: str


@dataclass(frozen=True)
class Published:
    """How one model's printed numbers were made."""

    model: str  # a name of reference_models
    scale: str  # of the protocol, as "imagenet-256"
    sampling: Mapping[str, Any]  # guidance, steps, schedule
    labels: Labels
    precision: Precision | None  # None: not stated
    evaluator: Evaluator | None
    reference: str  # the asset with the statistics
    sources: Mapping[str, str]  # of each field above and below that is not at its default
    num_images: int = 50_000
    variant: str = ""  # "": what the headline number was made with; "ode", "unguided": other printed rows
    batch_size: int | None = None  # images per GPU and call
    num_gpus: int | None = None  # of the printed command
    generated_size: int | None = None  # pixels per side before `resize`; None: generated at the scale's own size
    resize: Literal["bicubic"] | None = None  # torch's interpolate on the decoder's output, without antialiasing
    reseeding: Reseeding | None = None
    autoencoder: str = ""  # a name of reference_models.autoencoders, whose decoder is used; "": the model's own
    disputed: tuple[Disputed, ...] = ()  # other settings that are printed for the same numbers
    notes: tuple[str, ...] = field(default=())  # what sources leave open


@dataclass(frozen=True)
class EqualTerms:
    """The conditions that all families share at one scale."""

    scale: str
    labels: Labels
    precision: Precision
    evaluator: Evaluator
    reference: str
    num_images: int
    seed: int  # image i's seed is a hash of (seed, i): the same for any model, batch and machine
    image_size: int
    reason: str  # why these


# -- as published ------------------------------------------------------------------------------------------------------

ADM_BY_SIZE = {256: "adm-imagenet-256", 512: "adm-imagenet-512"}

FP16_AUTOCAST = Precision(autocast="float16")
TF32 = Precision(tf32=True)

TRANSDIFF = "github.com/TransDiff/TransDiff @0081b3a"
MAR = "github.com/LTH14/mar @fe470ac"
DIT = "github.com/facebookresearch/DiT @ed81ce2"
SIT = "github.com/willisma/SiT"
LLAMAGEN = "github.com/FoundationVision/LlamaGen"
VAR = "github.com/FoundationVision/VAR @78b9539"
D_DIT = "github.com/zijieli-Jlee/Dual-Diffusion"


# The FID of MRAR-L is the same in all these versions but for its place in the table (claims/tables/sources.csv).
README = "github.com/TransDiff/TransDiff README"
MRAR_L_BEFORE = (
    Disputed({"scale_0": 0.91, "scale_1": 0.93}, f"{README} @0fa901c to @619ef93 (2025-06-15): command and table"),
    Disputed({"cfg_scale": 2.25}, f"{README} @44ef5b7 (2025-06-20): table; its command has 1.3, as the next version"),
)


def _transdiff(name: str, cfg_scale: float, scale_0: float, scale_1: float) -> Published:
    size, mrar = (512 if name.endswith("-512") else 256), "mrar" in name
    batch_size = 256 if size == 256 else 64
    sampling = {"num_steps": 100, "cfg_scale": cfg_scale, "scale_0": scale_0, "scale_1": scale_1}
    return Published(
        model=name,
        scale=f"imagenet-{size}",
        sampling=sampling | ({"num_images": 4} if mrar else {}),
        labels="balanced",
        precision=FP16_AUTOCAST,
        evaluator="torch-fidelity",
        reference=ADM_BY_SIZE[size],
        batch_size=batch_size,
        num_gpus=8,
        reseeding=Reseeding(num_seeds=1025, batch_size=batch_size),
        sources={
            "sampling": f"{TRANSDIFF} README, 'settings for Benchmark in paper'; 100 steps: its sampler's default",
            "num_images": f"{TRANSDIFF} README: --num_images 50000",
            "labels": f"{TRANSDIFF} engine.py: 50 images of class 0, then of class 1, ...",
            "precision": f"{TRANSDIFF} engine.py: torch.cuda.amp.autocast, float16 unless --bf16",
            "evaluator": f"{TRANSDIFF} engine.py: torch_fidelity with fid_statistics_file",
            "reference": f"{TRANSDIFF} engine.py: adm_in256_stats.npz, VIRTUAL_imagenet512.npz",
            "batch_size": f"{TRANSDIFF} README, --eval_bsz of the printed commands (of L; the other sizes have none)",
            "num_gpus": f"{TRANSDIFF} README, --nproc_per_node",
            "reseeding": f"{TRANSDIFF} engine.py: torch.manual_seed(random.randint(0, 1024)) before each batch",
        },
        notes=(
            "the README's commands omit --sampler maruyama, without which the released code raises",
            "--num_sampling_steps names the output folder and never reaches the sampler",
        ),
        disputed=MRAR_L_BEFORE if name == "transdiff-mrar-l" else (),
    )


def _mar(name: str, cfg_scale: float, batch_size: int, *, unguided: bool = False) -> Published:
    guided = {"cfg_scale": cfg_scale, "temperature": 1.0}
    settings = {"cfg_scale": 1.0, "temperature": 0.95} if unguided else guided
    return Published(
        model=name,
        scale="imagenet-256",
        variant="unguided" if unguided else "",
        sampling={"num_iter": 256, "num_steps": 100, "cfg_schedule": "linear", "spacing": "even", **settings},
        labels="balanced",
        precision=FP16_AUTOCAST,
        evaluator="torch-fidelity",
        reference="adm-imagenet-256",
        batch_size=batch_size,
        num_gpus=8,
        sources={
            "sampling": f"{MAR} README, evaluation commands; arXiv:2406.11838 table 4",
            "num_images": f"{MAR} README: --num_images 50000",
            "labels": f"{MAR} engine_mar.py: 50 images of class 0, then of class 1, ...",
            "precision": f"{MAR} engine_mar.py: torch.cuda.amp.autocast, float16",
            "evaluator": f"{MAR} engine_mar.py: torch_fidelity with fid_statistics_file",
            "reference": f"{MAR} engine_mar.py: adm_in256_stats.npz",
            "batch_size": f"{MAR} README, --eval_bsz",
            "num_gpus": f"{MAR} README, --nproc_per_node",
            "variant": f"{MAR} README: --cfg 1.0 --temperature 0.95 without guidance",
        },
        notes=(
            "precision and recall need ADM's 10,000 images: from its statistics recall is 0.51, not 0.81 (issue 91)",
        ),
    )


def _dit(name: str, size: int, *, unguided: bool = False, decoder: str = "") -> Published:
    return Published(
        model=name,
        scale=f"imagenet-{size}",
        variant="unguided" if unguided else f"{decoder}-decoder" if decoder else "",
        autoencoder=f"sd-vae-{decoder}" if decoder else "",
        sampling={"num_steps": 250, "cfg_scale": 1.0 if unguided else 1.5},
        labels="uniform",
        precision=TF32,
        evaluator="adm",
        reference=ADM_BY_SIZE[size],
        batch_size=32,
        sources={
            "sampling": f"{DIT} README and sample_ddp.py; arXiv:2212.09748 tables 2 and 3",
            "num_images": f"{DIT} sample_ddp.py: --num-fid-samples",
            "labels": f"{DIT} sample_ddp.py: torch.randint",
            "precision": f"{DIT} sample_ddp.py: --tf32, on by default",
            "evaluator": f"{DIT} README: ADM's evaluation suite",
            "reference": f"{DIT} README",
            "batch_size": f"{DIT} sample_ddp.py: --per-proc-batch-size",
            "variant": "arXiv:2212.09748, ablation of the decoder"
            if decoder
            else "arXiv:2212.09748 table 2, the row without guidance",
            **(
                {"autoencoder": "arXiv:2212.09748, ablation of the decoder: original, ft-MSE, ft-EMA"}
                if decoder
                else {}
            ),
        },
        notes=("printed from a JAX run; the authors' PyTorch run of the same weights gives FID 2.21 (README)",),
    )


def _sit(variant: str, settings: Mapping[str, Any], source: str, notes: tuple[str, ...] = ()) -> Published:
    return Published(
        model="sit-xl-2",
        scale="imagenet-256",
        variant=variant,
        sampling=settings,
        labels="uniform",
        precision=TF32,
        evaluator="adm",
        reference="adm-imagenet-256",
        batch_size=4,
        sources={
            "sampling": f"{source}; {SIT} sample_ddp.py and train_utils.py",
            "num_images": f"{SIT} sample_ddp.py: --num-fid-samples",
            "labels": f"{SIT} sample_ddp.py: torch.randint",
            "precision": f"{SIT} sample_ddp.py: --tf32, on by default",
            "evaluator": f"{SIT} sample_ddp.py: its .npz is for ADM's evaluator",
            "reference": f"{SIT} sample_ddp.py",
            "batch_size": f"{SIT} sample_ddp.py: --per-proc-batch-size",
            "variant": source,
        },
        disputed=() if variant else (Disputed({"cfg_scale": 1.0}, f"{SIT} sample_ddp.py: --cfg-scale's default"),),
        notes=notes,
    )


def _llamagen(size: str, cfg_scale: float, *, generated_size: int = 256) -> Published:
    resized = generated_size != 256
    table = "tables 9 and 10 (24x24 tokens)" if resized else "table 8 (16x16 tokens)"
    return Published(
        model=f"llamagen-{size}" + (f"-{generated_size}" if resized else ""),
        scale="imagenet-256",
        sampling={"cfg_scale": cfg_scale, "temperature": 1.0, "top_k": 0, "top_p": 1.0},
        labels="uniform",
        precision=Precision(weights="bfloat16", tf32=True, decoder="float32"),
        evaluator="adm",
        reference="adm-imagenet-256",
        batch_size=32,
        generated_size=generated_size if resized else None,
        resize="bicubic" if resized else None,
        sources={
            "sampling": f"arXiv:2406.06525 {table}; {LLAMAGEN} GETTING_STARTED.md",
            "num_images": f"{LLAMAGEN} sample_c2i_ddp.py: --num-fid-samples",
            "labels": f"{LLAMAGEN} autoregressive/sample/sample_c2i_ddp.py: torch.randint",
            "precision": f"{LLAMAGEN} sample_c2i_ddp.py: --precision bf16, of the transformer; the decoder in TF32",
            "evaluator": f"{LLAMAGEN} GETTING_STARTED.md: evaluations/c2i/evaluator.py, a copy of ADM's",
            "reference": f"{LLAMAGEN} GETTING_STARTED.md: VIRTUAL_imagenet256_labeled.npz",
            "batch_size": f"{LLAMAGEN} sample_c2i_ddp.py: --per-proc-batch-size",
            "generated_size": f"{LLAMAGEN} GETTING_STARTED.md: --image-size 384 --image-size-eval 256",
            "resize": f"{LLAMAGEN} sample_c2i_ddp.py: F.interpolate(mode='bicubic') before rounding",
        },
        disputed=(Disputed({"cfg_scale": 2.0}, f"{LLAMAGEN} GETTING_STARTED.md: the command of B at 384 pixels"),)
        if (size, resized) == ("b", True)
        else (),
    )


def _var(depth: int, size: int = 256) -> Published:
    return Published(
        model=f"var-d{depth}",
        scale=f"imagenet-{size}",
        sampling={"cfg_scale": 2.5, "top_k": 900, "top_p": 0.96},
        labels="balanced",
        precision=Precision(autocast="float16", tf32=True),
        evaluator="adm",
        reference=ADM_BY_SIZE[size],
        sources={
            "sampling": f"{VAR} README: cfg=1.5, top_p=0.96, top_k=900, more_smooth=False",
            "num_images": f"{VAR} README: 50,000 images, 50 per class",
            "labels": f"{VAR} README: 50 images per class",
            "precision": f"{VAR} demo_sample.ipynb",
            "evaluator": f"{VAR} README: OpenAI's FID evaluation toolkit",
            "reference": f"{VAR} README",
        },
        notes=(
            "the authors' cfg = 1.5 is cfg_scale = 2.5 here (1.0 = off)",
            "the script that made the printed FID is not published; precision is that of the demonstration",
        ),
    )


def _d_dit(variant: str = "", num_steps: int = 28) -> Published:
    pipeline, script = f"{D_DIT}: the released pipeline's defaults", "github.com/djghosh13/geneval generation/: --steps"
    return Published(
        model="d-dit-512",
        scale="coco-images",
        variant=variant,
        sampling={"num_steps": num_steps, "cfg_scale": 7.0, "shift": 3.0},
        labels="prompts",
        precision=Precision(weights="bfloat16"),
        evaluator=None,
        reference="coco-val2014",
        num_images=30_000,
        sources={
            "sampling": f"{pipeline}; {script}" if variant else pipeline,
            **({"variant": script} if variant else {}),
            "labels": "arXiv:2501.00289, as one write-up of its appendix tells it",
            "precision": f"{D_DIT} README: torch_dtype=torch.bfloat16",
            "reference": "arXiv:2501.00289, as one write-up of its appendix tells it: captions of COCO",
            "num_images": "the field's custom for COCO FID: 30,000 prompts; the write-up gives no count",
        },
        notes=("neither the evaluator nor the number of prompts is stated where readable",),
    )


SDE = {"sampler": "sde", "num_steps": 250, "last_step_size": 0.04, "diffusion_form": "sigma"}
ODE = {"sampler": "dopri5", "cfg_scale": 1.5, "rtol": 1e-3, "atol": 1e-6}
TABLE_7 = "arXiv:2401.08740 table 7"
SDE_NOTES = (
    "the paper's best SDE for XL uses w^{KL,eta}, which the released code does not have: FID 2.06 may belong to it",
)

PUBLISHED: dict[tuple[str, str], Published] = {
    (row.model, row.variant): row
    for row in (
        # name, then cfg, scale_0, scale_1 as the README lists them
        _transdiff("transdiff-b", 1.30, 0.87, 0.91),
        _transdiff("transdiff-l", 1.30, 0.89, 0.95),
        _transdiff("transdiff-h", 1.23, 0.87, 0.93),
        _transdiff("transdiff-l-512", 1.30, 0.87, 0.87),
        _transdiff("transdiff-mrar-b", 1.30, 0.87, 0.91),
        _transdiff("transdiff-mrar-l", 1.30, 0.925, 0.95),
        _transdiff("transdiff-mrar-h", 1.28, 0.87, 0.91),
        # name, cfg, images per GPU
        *(
            _mar(name, cfg_scale, batch_size, unguided=unguided)
            for name, cfg_scale, batch_size in (("mar-b", 2.9, 256), ("mar-l", 3.0, 256), ("mar-h", 3.2, 128))
            for unguided in (False, True)
        ),
        _dit("dit-xl-2", 256),
        _dit("dit-xl-2", 256, unguided=True),
        _dit("dit-xl-2", 256, decoder="ft-mse"),
        _dit("dit-xl-2", 256, decoder="original"),
        _dit("dit-xl-2-512", 512),
        _sit("", {**SDE, "cfg_scale": 1.5}, TABLE_7, SDE_NOTES),
        _sit("ode", ODE, TABLE_7),
        _sit("unguided", {**SDE, "cfg_scale": 1.0}, "arXiv:2401.08740 table 1", ("8.3 is the SDE (issue 31)",)),
        *(_llamagen(*row) for row in (("b", 2.0), ("l", 1.75), ("xl", 1.75), ("xxl", 1.75), ("3b", 1.5))),
        *(
            _llamagen(*row, generated_size=384)
            for row in (("b", 2.25), ("l", 2.0), ("xl", 1.75), ("xxl", 1.75), ("3b", 1.65))
        ),
        *(_var(depth) for depth in (16, 20, 24, 30)),
        _var(36, 512),
        _d_dit(),
        _d_dit("50-steps", 50),
    )
}


# How the released weights of a model that reads images are asked: the lengths and steps of the authors' pipeline
# (captions) and of their evaluation script (questions), the image's latents drawn from its posterior as in both. Names
# are those of the settings of `say`.
READING: dict[str, dict[str, Any]] = {
    "captions": {"num_steps": 64, "length": 128, "sample_posterior": True},
    "answers": {"num_steps": 32, "length": 128, "sample_posterior": True},
}


def published(model: str, variant: str = "") -> Published | None:
    """How the authors evaluated `model`; None where there is no row of it."""
    return PUBLISHED.get((model, variant))


# -- on equal terms ----------------------------------------------------------------------------------------------------

EQUAL_REASON = (
    "Balanced labels, because drawn ones add their own noise to a score. Float32 without TF32, because this is the "
    "precision in which the models are proven equal to their authors' code. Seeds by image, because a batch's or a "
    "GPU's seed makes the images depend on how many there are. torch-fidelity, because it runs where the models do."
)

EQUAL_TERMS: dict[str, EqualTerms] = {
    f"imagenet-{size}": EqualTerms(
        scale=f"imagenet-{size}",
        labels="balanced",
        precision=Precision(),
        evaluator="torch-fidelity",
        reference=reference,
        num_images=50_000,
        seed=0,
        image_size=size,
        reason=EQUAL_REASON,
    )
    for size, reference in ADM_BY_SIZE.items()
}
