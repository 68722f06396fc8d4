"""Parity of MAR's KL autoencoder (kl16-vae) and LlamaGen's VQ autoencoder (vq16)."""

from __future__ import annotations

from torch import Tensor

from reference_models.autoencoders import KLAutoencoder, VQAutoencoder
from reference_models.parity import Case


def outputs(case: Case) -> dict[str, Tensor]:
    if case.family == "kl16-vae":
        kl = KLAutoencoder(**KLAutoencoder.from_official_config(case.config))
        case.load(kl)
        mean, logvar = kl.moments(case["in.image"])
        return {"out.mean": mean, "out.logvar": logvar, "out.image": kl.to_images(case["in.latents"])}
    vq = VQAutoencoder(**VQAutoencoder.from_official_config(case.config))
    case.load(vq)
    tokens = vq.encode(case["in.image"])
    quantized = vq.quantizer.decode(tokens)
    return {"out.tokens": tokens.flatten(1), "out.quantized": quantized, "out.image": vq.to_images(quantized)}
