"""Floating-point operations of one image or text of a paper-size model, from its shapes: no weights, no arithmetic, no
GPU.

`python -m bench.timing.image_flops [MODEL ...]` counts the models of the papers' sizes at their own settings, and at
those of every other printed row, into bench/protocols/image_flops.json, which `bench plan` reads. A count of another
version of the model's code is not used: count again. SiT's dopri5 chooses its own steps: there one evaluation is
counted, and what an image costs beside them; how many a run took stands in its record. D-DiT's
images are counted without T5, which adds a few percent; of its texts, where T5 runs in each step, it has a closed form.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.files import write_whole
from bench.models import reads_images
from bench.protocols import SMALL
from bench.protocols.counts import (
    COUNTS,
    counted_key,
    per_evaluation,
    per_image,
    per_text,
    per_text_step,
    read_counts,
)
from bench.published import PUBLISHED, READING
from bench.timing.call_costs import collect_call_costs

# T5 v1.1 XXL's encoder (arXiv:1910.10683; its published config.json): gated feed-forward, no biases.
T5_XXL = {"depth": 24, "hidden_size": 4096, "heads_size": 64 * 64, "mlp_size": 10240}


def count_image_flops(name: str, settings: Mapping[str, Any]) -> int:
    """Of one image by torch's counter (a multiply-add is two), the autoencoder included.

    settings: those that differ from the model's own. The weights are zeros that take no memory, and the network's calls
    are answered by its twin on the meta device (call_costs.py).
    """
    from reference_models import find
    from reference_models.unfilled import empty

    spec = find(name)
    model = weightless(empty(spec, "meta")).eval().requires_grad_(False)
    autoencoder = Autoencoder(spec.autoencoder)
    model.attach(spec, lambda: autoencoder)
    asked: Any = [0]
    if spec.network.conditioned_on == "prompts":  # states of the prompt and of the empty caption
        asked = torch.zeros(2, model.text_length, spec.config["text_size"])
    return collect_call_costs(model, lambda: model.generate(asked, [0], **settings)).flops


def count_text_flops(name: str, length: int) -> tuple[int, int]:
    """(once for a text, per evaluation of the network) of a model that says texts of images.  length: tokens of a text.

    Once: the image's way through the autoencoder and into the network. Per evaluation: the text's way through T5 and
    the network, with logits at every position.
    """
    from reference_models import find
    from reference_models.autoencoders import build_autoencoder
    from reference_models.unfilled import empty

    spec = find(name)
    model: Any = empty(spec, "meta").to("meta")  # its position tables are not made there
    with torch.device("meta"):
        pixels, zero = torch.empty(1, 3, spec.image_size, spec.image_size), torch.zeros(1)
        states = torch.empty(1, length, spec.config["text_size"])
    autoencoder: Any = build_autoencoder(spec.autoencoder, dtype=torch.float32, device="meta")
    with torch.inference_mode():
        with FlopCounterMode(display=False) as once:
            image = model.embed_image(autoencoder.encode(pixels))
            modulation, _ = model.modulations(zero)
        with FlopCounterMode(display=False) as step:
            model.text_head(model.text_features(image, states, modulation))
    return once.get_total_flops(), step.get_total_flops() + t5_flops(length)


def count_evaluation_flops(name: str) -> tuple[int, int]:
    """(once for an image, per evaluation of the network) of a model whose sampler may choose the number of evaluations.

    By two counts at another number of steps, both without guidance: what lies between the calls counts nothing.
    """
    from reference_models import find
    from reference_models.unfilled import empty

    settings = [{"num_steps": num_steps, "cfg_scale": 1.0} for num_steps in (2, 3)]
    few, more = (count_image_flops(name, one) for one in settings)
    network = empty(find(name), "meta")
    evaluations = [sum(network.network_evaluations(**{**find(name).sampling, **one}).values()) for one in settings]
    one, rest = divmod(more - few, evaluations[1] - evaluations[0])
    assert not rest, f"{name}: its evaluations do not cost the same"
    return few - evaluations[0] * one, one


def t5_flops(length: int) -> int:
    """Of T5-XXL's encoder for a text of so many tokens: every weight of its layers for every token, and attention."""
    width, heads, mlp = T5_XXL["hidden_size"], T5_XXL["heads_size"], T5_XXL["mlp_size"]
    weights = T5_XXL["depth"] * (4 * width * heads + 3 * width * mlp)
    attention = T5_XXL["depth"] * 2 * length * heads  # of a token: queries by keys, weights by values
    return 2 * length * (weights + attention)


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
    """Every model of the papers' sizes with the settings that differ from its own: none, then its other rows'."""
    from reference_models import specs

    for name, spec in specs().items():
        if spec.scale in SMALL:
            continue
        yield name, {}
        for (model, variant), row in PUBLISHED.items():
            if (model, bool(variant)) == (name, True) and not spec.network.chooses_steps(**row.sampling):
                yield name, {key: value for key, value in row.sampling.items() if spec.sampling.get(key) != value}


def main(names: list[str]) -> None:
    from reference_models import find

    for name, settings in wanted():
        key = counted_key(name, find(name).version, settings)
        if is_asked(name, names, key):
            keep({key: count_image_flops(name, settings)})
    for name in choosing():
        keys = per_image(name, find(name).version), per_evaluation(name, find(name).version)
        if is_asked(name, names, *keys):
            keep(dict(zip(keys, count_evaluation_flops(name), strict=True)))
    for name, length in wanted_texts():
        version = find(name).version
        keys = per_text(name, version), per_text_step(name, version, length)
        if is_asked(name, names, *keys):
            keep(dict(zip(keys, count_text_flops(name, length), strict=True)))


def choosing() -> list[str]:
    """The models of the papers' sizes with a row whose sampler chooses its steps."""
    from reference_models import find

    rows = PUBLISHED.values()
    return list(dict.fromkeys(row.model for row in rows if find(row.model).network.chooses_steps(**row.sampling)))


def wanted_texts() -> Iterator[tuple[str, int]]:
    """Every model of the papers' sizes that says texts, with the lengths of those that are asked for."""
    from reference_models import specs

    for name, spec in specs().items():
        if spec.scale not in SMALL and reads_images(spec):
            yield from ((name, length) for length in sorted({one["length"] for one in READING.values()}))


def is_asked(name: str, names: list[str], *keys: str) -> bool:
    """Whether to count: a model that was named, or where none was, whatever is not counted yet."""
    return name in names if names else not read_counts().keys() >= set(keys)


def keep(found: dict[str, int]) -> None:
    """Add counts to the table."""
    for key, flops in found.items():
        print(f"{key}: {flops / 1e12:.4g} TFLOP", flush=True)
    write_whole(COUNTS, (json.dumps(read_counts() | found, indent=1, sort_keys=True) + "\n").encode())


if __name__ == "__main__":
    main(sys.argv[1:])
