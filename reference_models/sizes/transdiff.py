"""TransDiff's sizes and settings: the README of github.com/TransDiff/TransDiff @0081b3a."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.spec import Network, Official, Spec

TRANSDIFF = Network("reference_models.transdiff:TransDiff")
OFFICIAL_SIZES = {  # by the authors' names: width, decoder blocks (the encoder has twice as many), heads
    "transdiff_base": (768, 12, 12),
    "transdiff_large": (1024, 16, 16),
    "transdiff_huge": (1280, 20, 16),
}


def imagenet_spec(
    name: str, network: Network, size: str, num_params: float, cfg_scale: float, scale_0: float, scale_1: float
) -> Spec:
    """A size of the paper, of the one-step model or of MRAR."""
    is_mrar, image_size = name.startswith("transdiff-mrar"), 512 if name.endswith("-512") else 256
    width, depth, heads = OFFICIAL_SIZES[f"transdiff_{size}"]
    folder = f"transdiff_{size[0]}" + ("_mrar" if is_mrar else "_512" if image_size == 512 else "")
    sampling = {"num_steps": 100, "cfg_scale": cfg_scale, "scale_0": scale_0, "scale_1": scale_1}
    return Spec(
        name=name,
        family="transdiff-mrar" if is_mrar else "transdiff",
        network=network,
        config={
            "latent_size": image_size // 16,
            "latent_channels": 16,
            "patch_size": 1,
            "num_classes": 1000,
            "hidden_size": width,
            "encoder_depth": 2 * depth,
            "encoder_heads": heads,
            "encoder_tokens": 256,
            "buffer_size": 64,
            "decoder_depth": depth,
            "decoder_heads": heads,
            "mlp_ratio": 4.0,
        },
        sampling=sampling | ({"num_images": 4} if is_mrar else {}),
        autoencoder="kl-16",
        scale=f"imagenet-{image_size}",
        image_size=image_size,
        source="github.com/TransDiff/TransDiff @0081b3a: README, sizes in models/",
        num_params=num_params,
        official=Official("huggingface.co/zhendch/Transdiff", f"{folder}/checkpoint-last.pth", "MIT"),
        notes=("100 steps whatever their --num_sampling_steps says: it never reaches the authors' sampler",),
    )


# Name, size, parameters as printed, then the README's "settings for Benchmark in paper": cfg, scale_0, scale_1.
# The scores are the README's of today; the abstract pairs FID 1.61 with IS 293.4.
SPECS: tuple[Spec, ...] = (
    imagenet_spec("transdiff-b", TRANSDIFF, "base", 290e6, 1.30, 0.87, 0.91),  # FID 2.47, IS 244.2
    imagenet_spec("transdiff-l", TRANSDIFF, "large", 683e6, 1.30, 0.89, 0.95),  # FID 1.69, IS 244.3
    imagenet_spec("transdiff-h", TRANSDIFF, "huge", 1.3e9, 1.23, 0.87, 0.93),  # FID 1.61, IS 282.0
    imagenet_spec("transdiff-l-512", TRANSDIFF, "large", 683e6, 1.30, 0.87, 0.87),  # FID 2.51, IS 286.6
    small_spec("transdiff-digits", TRANSDIFF),
)
