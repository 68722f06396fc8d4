"""VAR's sizes and settings (arXiv:2404.02905, tables 1 and 2)."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.spec import Network, Official, Spec

VAR = Network("reference_models.var:VAR")
SCALES_512 = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)


def _spec(depth: int, num_params: float, gate_init: float, image_size: int = 256) -> Spec:
    """Depth d: width 64 d, d heads, stochastic depth 0.1 d / 24 (section 3.3). 512 pixels: one AdaLN for all blocks."""
    at_512 = image_size == 512
    config = {"hidden_size": 64 * depth, "depth": depth, "num_heads": depth, "drop_path": 0.1 * depth / 24}
    return Spec(
        name=f"var-d{depth}",
        family="var",
        network=VAR,
        config={**config, "gate_init": gate_init, **({"scales": SCALES_512, "shared_adaln": True} if at_512 else {})},
        sampling={"cfg_scale": 2.5, "top_k": 900, "top_p": 0.96},
        autoencoder="var-vq-512" if at_512 else "var-vq",
        scale=f"imagenet-{image_size}",
        image_size=image_size,
        source="VAR (2404.02905) table 1; gate_init and sampling: README of github.com/FoundationVision/VAR",
        num_params=num_params,
        official=Official("huggingface.co/FoundationVision/var", f"var_d{depth}.pth", "MIT"),
        version=2,  # draws in float64
        notes=("the authors' cfg = 1.5 is cfg_scale = 2.5 here (1.0 = off), reached at the last scale",),
    )


# The scores are the paper's (tables 1 and 2); the README prints FID 3.55, 2.95, 2.33 and 1.97 for the first four.
SPECS: tuple[Spec, ...] = (
    _spec(16, 310e6, 1e-3),  # FID 3.30, IS 274.4
    _spec(20, 600e6, 1e-3),  # FID 2.57, IS 302.6
    _spec(24, 1.0e9, 1e-4),  # FID 2.09, IS 312.9
    _spec(30, 2.0e9, 1e-5),  # FID 1.92, IS 323.1
    _spec(36, 2.3e9, 5e-6, image_size=512),  # FID 2.63, IS 303.2
    small_spec("var-digits", VAR),
)
