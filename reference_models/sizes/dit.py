"""DiT's sizes and settings (arXiv:2212.09748, tables 1 to 4)."""

from __future__ import annotations

from typing import Any

from reference_models.digits import small_spec
from reference_models.spec import Network, Official, Spec

DIT = Network("reference_models.dit:DiT")
SIZES = {"s": (384, 12, 6), "b": (768, 12, 12), "l": (1024, 24, 16), "xl": (1152, 28, 16)}  # width, depth, heads
TABLE_4 = (  # size, patch, pixels, parameters in 1e6, multiply-adds in 1e9; scores as printed (400k: steps)
    ("s", 8, 256, 33, 0.36),
    ("s", 4, 256, 33, 1.41),
    ("s", 2, 256, 33, 6.06),  # FID 68.40 (400k)
    ("b", 8, 256, 131, 1.42),
    ("b", 4, 256, 130, 5.56),  # FID 68.38 (400k)
    ("b", 2, 256, 130, 23.01),
    ("l", 8, 256, 459, 5.01),
    ("l", 4, 256, 458, 19.70),
    ("l", 2, 256, 458, 80.71),  # FID 5.02, IS 167.2 (VAR table 1)
    ("xl", 8, 256, 676, 7.39),
    ("xl", 4, 256, 675, 29.05),
    ("xl", 2, 256, 675, 118.64),  # FID 2.27, IS 278.24
    ("xl", 2, 512, 675, 524.60),  # FID 3.04, IS 240.82
)
SAMPLING = {"num_steps": 250, "cfg_scale": 1.5, "sampler": "ddpm", "spacing": "even"}
THREE_CHANNELS = (
    "guidance acts on 3 of the 4 latent channels; on all 4, 1.375 is about the same (2212.09748 appendix A)"
)
UNPUBLISHED = "no released weights; the paper samples this size without guidance"


def size_config(size: str, patch_size: int, image_size: int) -> dict[str, Any]:
    shape = dict(zip(("hidden_size", "depth", "num_heads"), SIZES[size], strict=True))
    return {"latent_size": image_size // 8, "patch_size": patch_size, **shape}


def _spec(size: str, patch_size: int, image_size: int, params_1e6: int, gflops: float) -> Spec:
    is_released = (size, patch_size) == ("xl", 2)
    file = f"DiT-XL-2-{image_size}x{image_size}.pt"
    return Spec(
        name=f"dit-{size}-{patch_size}" + ("-512" if image_size == 512 else ""),
        family="dit",
        network=DIT,
        config=size_config(size, patch_size, image_size),
        sampling=SAMPLING,
        autoencoder="sd-vae",
        scale=f"imagenet-{image_size}",
        image_size=image_size,
        source="arXiv:2212.09748, tables 1 to 4",
        num_params=params_1e6 * 1e6,
        gflops=gflops,
        official=Official("dl.fbaipublicfiles.com/DiT/models", file, "CC BY-NC 4.0") if is_released else None,
        notes=(THREE_CHANNELS,) if is_released else (THREE_CHANNELS, UNPUBLISHED),
    )


SPECS: tuple[Spec, ...] = (
    *(_spec(*row) for row in TABLE_4),
    small_spec("dit-digits", DIT),
)
