"""Collect timings: raw rounds of `generate`, the device idle at both ends of each; memory in a pass of its own.

Protocol of a series: a cold first call, kept apart; warm-up until the rolling median is stable; then rounds until there
are enough of them and they lasted long enough. Every round has inputs of its own. What else the machine did meanwhile
is kept with the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.metrics.latency import best_batch
from bench.records.parts import Series, Timing
from bench.timing.call_costs import collect_call_costs
from bench.timing.clock import once, synchronise
from bench.timing.conditions import conditions
from bench.timing.model_cost import peak_memory, weight_bytes
from bench.timing.series import time_series
from bench.timing.settings import DEFAULT, TimingSettings
from bench.timing.sweep import sweep_batches

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel

PROMPT = ""  # of a text-to-image model: prompts are padded to one length, so that any text costs the same


def load(build: Callable[[], ImageModel]) -> tuple[ImageModel, float]:
    """(the model that `build` makes, seconds to make it and its autoencoder and bring both to the device)."""
    start = time.perf_counter()
    model = build()
    _ = model.autoencoder  # made at first use, which belongs to no first call
    synchronise(str(model.device))
    return model, time.perf_counter() - start


def rounds_of(model: ImageModel, batch_size: int, settings: Mapping[str, Any], seed: int = 0) -> Callable[[int], Any]:
    """`generate_round(round_idx)`: a batch of images uint8 (B, 3, H, W) that no other round generates.

    Image i has the label and the seed that it has where images are scored (sampling/images.py). A text-to-image model
    is given PROMPT; without a text encoder, random states take the place of its states.
    """
    from reference_models.layers import own_rows_alone
    from reference_models.noise import image_seeds

    states = None
    if model.spec.network.conditioned_on == "prompts" and model.text_encoder is None:
        import torch

        states = torch.randn(
            batch_size + 1,
            model.text_length,  # type: ignore[arg-type]
            model.text_embed.in_features,  # type: ignore[union-attr, arg-type]
            generator=torch.Generator().manual_seed(seed),
        ).to(model.device)

    def generate_round(round_idx: int) -> Any:
        indices = range(round_idx * batch_size, (round_idx + 1) * batch_size)
        if model.spec.network.conditioned_on == "prompts":
            given: Any = [PROMPT] * batch_size if states is None else states
        else:
            given = [i % model.num_classes for i in indices]
        with own_rows_alone():
            return model.generate(given, image_seeds(seed, indices), **settings)

    return generate_round


# -- one model ---------------------------------------------------------------------------------------------------------


def collect_timings(
    model: ImageModel,
    *,
    latency_batch_size: int,
    throughput_batch_size: int | None,
    min_rounds: int,
    min_duration_s: float,
    min_throughput_rounds: int | None = None,
    settings: Mapping[str, Any],
    max_duration_s: float | None = None,
    seed: int = 0,
    timing: TimingSettings = DEFAULT,
    advance: Callable[[str], None] = lambda stage: None,
) -> Timing:
    """Raw timings of `generate`, with peak memory and counts.

    throughput_batch_size: 0 is not measured; None is found by a sweep, which is kept, and then measured anew, or the
    luckiest of many series would stand for the model. min_throughput_rounds: None means `min_rounds`.
    """
    device, full = str(model.device), {**model.spec.sampling, **settings}

    def series(batch_size: int, min_rounds: int, *, is_warm: bool = False) -> Series:
        return time_series(
            partial(once, rounds_of(model, batch_size, settings, seed), device),
            device=device,
            min_rounds=min_rounds,
            min_duration_s=min_duration_s,
            max_duration_s=max_duration_s,
            is_warm=is_warm,
            batch_size=batch_size,
            conditions=conditions(model, full, batch_size=batch_size),
            timing=timing,
        )

    throughput = sweep = None
    advance("latency")
    latency = series(latency_batch_size, min_rounds)
    if throughput_batch_size is None or throughput_batch_size:
        advance("throughput")
        if throughput_batch_size is None:
            sweep = sweep_batches(lambda size: rounds_of(model, size, settings, seed), device=device, timing=timing)
            throughput_batch_size = best_batch(sweep)
        at_least = min_rounds if min_throughput_rounds is None else min_throughput_rounds
        throughput = series(throughput_batch_size, at_least, is_warm=True)  # by the series before
    advance("memory and arithmetic")
    generate_round = rounds_of(model, throughput_batch_size or latency_batch_size, settings, seed)
    return Timing(
        latency=latency,
        throughput=throughput,
        sweep=sweep,
        peak_memory_bytes=weight_bytes(model) + peak_memory(generate_round, device),
        flops=collect_call_costs(model, lambda: rounds_of(model, 1, settings, seed)(0)).flops,
        nfe=model.network_evaluations(**full),
        num_params=sum(p.numel() for p in model.parameters()),
    )
