"""SiT's sizes and settings (arXiv:2401.08740, tables 1 and 7); the sizes are DiT's."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.sizes.dit import THREE_CHANNELS, UNPUBLISHED, size_config
from reference_models.spec import Network, Official, Spec

SIT = Network("reference_models.sit:SiT", adaptive_samplers=("dopri5",))
TABLE_1 = (  # size, parameters in 1e6
    ("s", 33),  # FID 57.6 (400k)
    ("b", 130),  # FID 33.0 (400k)
    ("l", 458),  # FID 18.8 (400k)
    ("xl", 675),  # FID 2.06, IS 277.50 (table 7, SDE)
)
SAMPLING = {
    "sampler": "sde",
    "num_steps": 250,
    "cfg_scale": 1.5,
    "last_step_size": 0.04,
    "last_step": "mean",
    "diffusion_form": "sigma",
    "rtol": 1e-3,  # of dopri5, as atol
    "atol": 1e-6,
}


def _spec(size: str, params_1e6: int) -> Spec:
    is_released = size == "xl"
    return Spec(
        name=f"sit-{size}-2",
        family="sit",
        network=SIT,
        config=size_config(size, 2, 256),
        sampling=SAMPLING,
        autoencoder="sd-vae",
        scale="imagenet-256",
        image_size=256,
        source="arXiv:2401.08740, tables 1 and 7; settings: the authors' sample_ddp.py",
        num_params=params_1e6 * 1e6,
        gflops=119 if is_released else None,
        official=Official("github.com/willisma/SiT", "SiT-XL-2-256x256.pt", "MIT") if is_released else None,
        notes=(THREE_CHANNELS,) if is_released else (THREE_CHANNELS, UNPUBLISHED),
    )


SPECS: tuple[Spec, ...] = (
    *(_spec(*row) for row in TABLE_1),
    small_spec("sit-digits", SIT),
)
