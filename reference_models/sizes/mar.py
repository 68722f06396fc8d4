"""MAR's sizes and settings (arXiv:2406.11838, table 4)."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.spec import Network, Official, Spec

MAR = Network("reference_models.mar:MAR")
OFFICIAL_SIZES = {  # by the authors' names: hidden size, depth, heads, of encoder and decoder alike
    "mar_base": (768, 12, 12),
    "mar_large": (1024, 16, 16),
    "mar_huge": (1280, 20, 16),
}
SAMPLING = {
    "num_iter": 256,
    "num_steps": 100,
    "cfg_scale": 1.0,
    "cfg_schedule": "linear",
    "temperature": 1.0,
    "spacing": "even",
}


def _imagenet(name: str, size: str, denoiser_depth: int, denoiser_size: int, cfg_scale: float, params: float) -> Spec:
    width, depth, heads = OFFICIAL_SIZES[size]
    return Spec(
        name=name,
        family="mar",
        network=MAR,
        config={
            "hidden_size": width,
            "depth": depth,
            "num_heads": heads,
            "decoder_hidden_size": width,
            "decoder_depth": depth,
            "decoder_num_heads": heads,
            "denoiser_size": denoiser_size,
            "denoiser_depth": denoiser_depth,
            "latent_size": 16,
        },
        sampling=SAMPLING | {"cfg_scale": cfg_scale},
        autoencoder="kl-16",
        scale="imagenet-256",
        image_size=256,
        source="arXiv:2406.11838 table 4; sizes and settings: github.com/LTH14/mar @fe470ac README and models/mar.py",
        num_params=params,
        official=Official("github.com/LTH14/mar (links in the README)", f"mar/{size}/checkpoint-last.pth", "MIT"),
        notes=(
            "num_iter is 256 in the paper's table 4 and the README's evaluation commands, 64 by default in the scripts",
            "without guidance the authors evaluate at temperature 0.95",
        ),
    )


SPECS: tuple[Spec, ...] = (
    # Name, size, MLP depth and width, guidance, parameters and, behind them, scores as printed (table 4).
    _imagenet("mar-b", "mar_base", 6, 1024, 2.9, 208e6),  # FID 2.31, IS 281.7
    _imagenet("mar-l", "mar_large", 8, 1280, 3.0, 479e6),  # FID 1.78, IS 296.0
    _imagenet("mar-h", "mar_huge", 12, 1536, 3.2, 943e6),  # FID 1.55, IS 303.7
    small_spec("mar-digits", MAR),
)
