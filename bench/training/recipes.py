"""How the authors trained the models of paper size, with sources; what they do not say, what of it is not done here.

TransDiff and MRAR: the commands for the L size in the README of github.com/TransDiff/TransDiff @0081b3a, and the
defaults of its main.py. MAR: arXiv:2406.11838 appendix B; github.com/LTH14/mar @fe470ac, README and main_mar.py.
DiT: arXiv:2212.09748 section 4 and table 9; github.com/facebookresearch/DiT @ed81ce2, train.py. SiT: arXiv:2401.08740,
which takes DiT's over; github.com/willisma/SiT, train.py. All drop a label with probability 0.1 and average with decay
0.9999, from the first step on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.errors import UsageError
from reference_models.spec import Recipe

if TYPE_CHECKING:
    from reference_models.spec import Spec


@dataclass(frozen=True)
class PaperRecipe(Recipe):
    """A recipe at paper size: a constant rate after the warm-up, and an average of constant decay."""

    beta_2: float = 0.95
    dropout: float = 0.0  # of attention weights, projections and MLPs; 0: none

    def learning_rate(self, step: int) -> float:
        """Linear warm-up to `lr`, then constant."""
        return self.lr * min(1.0, (step + 1) / max(1, self.warmup_steps))

    def ema_decay_at(self, step: int) -> float:
        return self.ema_decay

    @property
    def betas(self) -> tuple[float, float]:
        return 0.9, self.beta_2


EMA_DECAY = 0.9999


@dataclass(frozen=True)
class Published:
    """How one model was trained, in epochs of the data set."""

    epochs: int
    warmup_epochs: int
    batch_size: int  # images per optimiser step, over all processes
    lr: float  # peak, at that batch size
    scales_with_batch: bool  # whether the authors' rule multiplies the rate by batch size / that batch size
    source: str
    not_published: str = ""  # what we found no word of, and what is done instead; "": nothing
    left_out: str = ""  # what the authors do and the loop here does not; "": nothing
    weight_decay: float = 0.0
    decay_on: str = "all"
    beta_2: float = 0.999
    grad_clip: float = 0.0
    draws_per_image: int | None = None
    dropout: float = 0.0
    start_from: str | None = None  # family of the model, of the same size, that it is fine-tuned from

    @property
    def words(self) -> list[str]:
        """What whoever trains by it must know, a line each."""
        told = {"recipe": self.source, "not published": self.not_published, "not done here": self.left_out}
        return [f"{name}: {what}" for name, what in told.items() if what]

    def recipe(
        self, num_images: int, *, batch_size: int | None = None, lr: float | None = None, num_steps: int | None = None
    ) -> PaperRecipe:
        """In steps, for a data set of so many images.

        batch_size: another than published; the rate follows where the authors say how.  num_steps: instead of `epochs`
        """
        size = batch_size or self.batch_size
        scaled = self.lr * size / self.batch_size if self.scales_with_batch else self.lr
        per_epoch = max(1, num_images // size)
        return PaperRecipe(
            num_steps=num_steps or self.epochs * per_epoch,
            batch_size=size,
            lr=scaled if lr is None else lr,
            warmup_steps=self.warmup_epochs * per_epoch,
            weight_decay=self.weight_decay,
            decay_on=self.decay_on,
            draws_per_image=self.draws_per_image,
            ema_decay=EMA_DECAY,
            grad_clip=self.grad_clip,
            beta_2=self.beta_2,
            dropout=self.dropout,
        )


_MAR = Published(
    epochs=800,  # of the released weights; the README's command, of MAR-L with a smaller head, has 400
    warmup_epochs=100,
    batch_size=2048,  # 32 GPUs x 64
    lr=8e-4,  # main_mar.py: --blr 1e-4 x batch / 256, then --lr_schedule constant
    scales_with_batch=True,
    source="arXiv:2406.11838, appendix B; github.com/LTH14/mar @fe470ac: README, main_mar.py, util/lr_sched.py",
    not_published="how B and H differ (as L here)",
    weight_decay=0.02,  # util/misc.py: not on vectors, biases and the diffusion head
    decay_on="matrices",
    beta_2=0.95,
    grad_clip=3.0,
    draws_per_image=4,  # --diffusion_batch_mul
    dropout=0.1,  # --attn_dropout, --proj_dropout: in all blocks of encoder and decoder; TransDiff's decoder too
)
_TRANSDIFF = replace(
    _MAR,
    source="github.com/TransDiff/TransDiff @0081b3a: README, command for L; main.py, util/lr_sched.py",
    not_published="recipes of B and H (L's here)",
    left_out="random crops, which main.py takes of images that are encoded anew in each epoch (centre crops here, as "
    "its main_cache.py caches)",
)
_DIT = Published(
    epochs=1400,  # train.py; 7 million steps of 256 images
    warmup_epochs=0,
    batch_size=256,
    lr=1e-4,
    scales_with_batch=False,
    source="arXiv:2212.09748, section 4; github.com/facebookresearch/DiT @ed81ce2: train.py",
)
PUBLISHED_BY_FAMILY: dict[str, Published] = {
    "transdiff": _TRANSDIFF,
    "transdiff-mrar": replace(
        _TRANSDIFF,
        epochs=40,
        warmup_epochs=10,
        batch_size=4 * 2048,  # 64 GPUs x 16 x 2 parts, of the rows of four images that util/loader.py's MRARDataset has
        lr=5e-5,
        scales_with_batch=False,
        source="github.com/TransDiff/TransDiff @0081b3a: README, command for L MRAR; main.py, engine_mrar.py, "
        "util/loader.py, util/lr_sched.py",
        not_published="how many rows an epoch has: their list of rows is a file of its own (here as many images as the "
        "data set holds, in rows drawn anew), and recipes of B and H (L's here)",
        draws_per_image=2,
        start_from="transdiff",
    ),
    "mar": _MAR,
    "dit": _DIT,
    "sit": replace(_DIT, source="arXiv:2401.08740: DiT's recipe; github.com/willisma/SiT: train.py"),
}
_TOKENS = "it learns the tokens of a quantizer, and only latents of a KL autoencoder are kept here"
NO_LOOP = {
    "llamagen": _TOKENS,
    "var": _TOKENS,
    "d-dit": "it learns from texts and images, not from an ImageNet folder",
}


def published(spec: Spec) -> Published:
    """The recipe of a model of paper size. UsageError, in one line, where there is no loop for it."""
    known = ", ".join(PUBLISHED_BY_FAMILY)
    if spec.family in NO_LOOP:
        raise UsageError(f"{spec.name} cannot be trained here: {NO_LOOP[spec.family]}; there is a loop for {known}")
    if spec.scale != "imagenet-256" or spec.family not in PUBLISHED_BY_FAMILY:
        raise UsageError(f"{spec.name} cannot be trained here: there is a loop for {known}, at 256 pixels")
    return PUBLISHED_BY_FAMILY[spec.family]
