"""Floating-point operations of one image of a paper-size model, from its shapes: no weights, no arithmetic, no GPU.

`python -m bench.timing.image_flops [MODEL ...]` counts the models of the ImageNet scales at their own settings, and at
those of every other printed row, into bench/protocols/image_flops.json, which `bench plan` reads. A count of another
version of the model's code is not used: count again. SiT's dopri5 chooses its own steps: it has no count. Nor has VAR:
its decoder refuses the meta device, and `bench plan` takes the counts of its timed runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn

from bench.protocols.counts import COUNTS, counted_key, read_counts
from bench.published import PUBLISHED
from bench.timing.call_costs import collect_call_costs


def count_image_flops(name: str, settings: Mapping[str, Any]) -> int:
    """Of one image by torch's counter (a multiply-add is two), the autoencoder included.

    settings: those that differ from the model's own. The weights are zeros that take no memory, and the network's calls
    are answered by its twin on the meta device (call_costs.py).
    """
    from reference_models import empty, find

    spec = find(name)
    model = weightless(empty(spec)).eval().requires_grad_(False)
    autoencoder = Autoencoder(spec.autoencoder)
    model.attach(spec, lambda: autoencoder)
    return collect_call_costs(model, lambda: model.generate([0], [0], **settings)).flops


def weightless(model: nn.Module) -> Any:
    """The network from the meta device with zeros for weights, all of one number: they take no memory."""
    zeros: dict[torch.dtype, torch.Tensor] = {}
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            one = zeros.setdefault(weight.dtype, torch.zeros((), dtype=weight.dtype))
            setattr(module, name, nn.Parameter(one.expand(weight.shape), requires_grad=False))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.zeros(buffer.shape, dtype=buffer.dtype))
    return model


class Autoencoder:
    """Stands for one: decodes to zeros, its work counted on the meta device. What else samplers ask is the real one's,
    with random weights."""

    def __init__(self, name: str):
        from reference_models.autoencoders import build_autoencoder

        self.build = partial(build_autoencoder, name, dtype=torch.float32)
        self.twin: Any = self.build(device="meta")

    @cached_property
    def real(self) -> Any:
        return self.build(device="cpu")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.zeros(self.twin.decode(torch.empty_like(latents, device="meta")).shape)


def wanted() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every model of the ImageNet scales with the settings that differ from its own: none, then its other rows'."""
    from reference_models import specs

    for name, spec in specs().items():
        if not spec.scale.startswith("imagenet") or spec.family == "var":
            continue
        yield name, {}
        for (model, variant), row in PUBLISHED.items():
            if (model, bool(variant)) == (name, True) and row.sampling.get("sampler") != "dopri5":
                yield name, {key: value for key, value in row.sampling.items() if spec.sampling.get(key) != value}


def main(names: list[str]) -> None:
    from reference_models import find

    for name, settings in wanted():
        counts = read_counts()
        key = counted_key(name, find(name).version, settings)
        if (names and name not in names) or (key in counts and not names):
            continue
        counts[key] = count_image_flops(name, settings)
        print(f"{key}: {counts[key] / 1e12:.4g} TFLOP", flush=True)
        COUNTS.write_text(json.dumps(counts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
