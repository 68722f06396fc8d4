"""Count a model on the meta device: parameters, and the arithmetic of one forward. Needs no weights and no memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.collect.timings import count_flops

if TYPE_CHECKING:
    from reference_models.spec import ImageModel


def collect_size(model: ImageModel) -> dict[str, Any]:
    """num_params; flops of one forward where the paper prints them; decoder_share of TransDiff.

    flops: one network evaluation of one image (DiT, SiT), by torch's counter, a multiply-add is two.
    """
    import torch

    found: dict[str, Any] = {"num_params": sum(p.numel() for p in model.parameters())}
    if model.spec.gflops is not None:
        latents = torch.empty(1, *model.latent_shape, device=model.device)  # type: ignore[arg-type, misc]
        t = torch.empty(1, device=model.device)
        labels = torch.empty(1, dtype=torch.int64, device=model.device)
        found["flops"] = count_flops(lambda _: model(latents, t, labels))
    if model.spec.family.startswith("transdiff"):
        decoder = model.get_submodule("decoder")
        found["decoder_share"] = sum(p.numel() for p in decoder.parameters()) / found["num_params"]
    return found
