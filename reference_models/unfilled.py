"""Networks before there are weights: without numbers, to be filled from a file or only counted, or with random ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from reference_models.spec import AutoencoderSpec, Spec

RANDOM = ("normal_", "uniform_")  # ends of the names that fill: torch.nn.init.kaiming_uniform_, Tensor.normal_, ...


class Unfilled(TorchFunctionMode):
    """Within `with Unfilled():` random numbers (torch.nn.init, Tensor.normal_, Tensor.uniform_) are left out.

    The functions of torch.nn.init that call others are met themselves: what they call no longer passes through here.

    A parameter then takes up no memory before something is written to it: a model that is filled from a file is there
    once. (The device "meta" would do the same, but its arithmetic is Python code that loads torch's compiler first:
    half of the start of a process.)
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "").endswith(RANDOM):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def empty(spec: Spec | AutoencoderSpec, device: torch.device | str = "cpu") -> Any:
    """The network of a spec, to be filled: its parameters hold no numbers and take up no memory yet."""
    with torch.device(device), Unfilled():
        return spec.network(**spec.config)


def drawn(spec: Spec | AutoencoderSpec, device: torch.device | str, seed: int) -> Any:
    """The network of a spec with the weights that its training starts from; on the device "meta" there are none."""
    if torch.device(device).type == "meta":
        return empty(spec, device)
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(seed)
        return spec.network(**spec.config)
