"""D-DiT's sizes and settings (arXiv:2501.00289)."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.spec import Network, Official, Spec

D_DIT = Network("reference_models.d_dit:DDiT", conditioned_on="prompts", reading={"num_steps": 64, "cached": True})


def _paper_size(image_size: int, official: Official | None, notes: tuple[str, ...]) -> Spec:
    """SD3-medium (24 blocks, 24 heads of 64, a position table of 192 x 192 over 0..64), T5-XXL's states and tokens."""
    return Spec(
        name=f"d-dit-{image_size}",
        family="d-dit",
        network=D_DIT,
        config={
            "hidden_size": 1536,
            "depth": 24,
            "num_heads": 24,
            "vocab_size": 32100,
            "text_size": 4096,
            "latent_size": image_size // 8,
        },
        sampling={"num_steps": 28, "cfg_scale": 7.0, "shift": 3.0},
        autoencoder="sd3-vae",
        scale="coco-captions",
        image_size=image_size,
        source="arXiv:2501.00289; SD3-medium: arXiv:2403.03206; sampling: the released pipeline's defaults",
        num_params=2e9,
        official=official,
        version=2,  # the image that is read: latents drawn from the posterior
        notes=notes,
    )


RELEASED = Official(
    repository="huggingface.co/JleeOfficial/dual_diff_sd3_512_base",
    file="transformer",
    licence="not stated; fine-tuned from SD3-medium (Stability AI Community License)",
)

SPECS: tuple[Spec, ...] = (
    _paper_size(256, None, ("nobody publishes its weights",)),
    _paper_size(
        512, RELEASED, ("for questions use the instruction-tuned weights: JleeOfficial/dual_diff_sd3_512_sft",)
    ),  # FID 9.4 on COCO, VQAv2 60.1, CIDEr 56.2
    small_spec("d-dit-digits-base", D_DIT, "d-dit"),
    small_spec("d-dit-digits", D_DIT),
)
