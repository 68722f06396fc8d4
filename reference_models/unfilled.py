"""Networks without numbers: to be filled from a file, or only counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

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
