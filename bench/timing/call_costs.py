"""The call costs of a sampler: which parts it calls, how often, and what each call costs: arithmetic, weights, kernels.

Found by running `generate` once with the calls of its parts replaced: a twin of the model on torch's meta device, which
has shapes and no numbers, tells what a call would return and counts its operations, and the sampler goes on with zeros
of that shape. So the counts are exact, whatever the loop does, and cost no arithmetic. (It would be wrong for a sampler
that looks at what a network returned before it decides how to go on, as SiT's dopri5 does: image_flops.py counts that
one by its evaluations.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only
from torch.utils.flop_counter import FlopCounterMode

from reference_models.unfilled import empty

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


NO_KERNEL = {getattr(torch.ops.aten, name) for name in ("_unsafe_view", "empty", "empty_like", "new_empty")}
ALWAYS_RUN = ("autoencoder", "text_encoder")  # stages of one call per image, which may not belong to the network


@dataclass(frozen=True)
class Cost:
    """What one call costs, whatever the numbers in it."""

    flops: int  # by torch's counter, a multiply-add is two
    weight_bytes: int  # of the weights it reads, each once; of embeddings the rows
    num_kernels: int  # operations that compute or copy, an attention being one: what eager code launches on a GPU


@dataclass(frozen=True)
class Call:
    """One call of a part."""

    stage: str  # as "decoder"
    part: str  # the method, as "velocity"
    cost: Cost


@dataclass(frozen=True)
class CallCosts:
    """All that one call of `generate` does."""

    calls: tuple[Call, ...]  # in their order
    flops: int  # of the whole, what lies between the calls included

    def by_part(self) -> dict[str, list[int]]:
        """Indices into `calls` of each part's calls."""
        found: dict[str, list[int]] = {}
        for index, call in enumerate(self.calls):
            found.setdefault(call.part, []).append(index)
        return found


def parts_of(model: ImageModel) -> dict[str, str]:
    """Method -> stage: the model's `stages` (or all its per-step methods as one), and the autoencoder."""
    stages: Mapping[str, Iterable[str]] = model.stages or {"network": model.compiled_methods}
    return {part: stage for stage, methods in stages.items() for part in methods} | {
        "autoencoder.decode": "autoencoder"
    }


Handler = Callable[[str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


@contextmanager
def intercepted(model: ImageModel, handle: Handler) -> Iterator[None]:
    """Within the block every call of a part of `model` is `handle(part, method, args, kwargs)`.

    What a part calls itself is part of it, and runs as usual.
    """
    inside = False

    def wrapped(part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:
                return method(*args, **kwargs)
            inside = True
            try:
                return handle(part, method, args, kwargs)
            finally:
                inside = False

        return call

    replaced: list[tuple[Any, str, Any]] = []
    try:
        for part in parts_of(model):
            owner, name = _resolve(model, part)
            replaced.append((owner, name, vars(owner).get(name)))  # None: the class has it; else a compiled method
            setattr(owner, name, wrapped(part, getattr(owner, name)))
        yield
    finally:
        for owner, name, before in replaced:
            delattr(owner, name)
            if before is not None:
                setattr(owner, name, before)


def _resolve(model: Any, part: str) -> tuple[Any, str]:
    """ "decoder.keys_values" -> (model.decoder, "keys_values")."""
    *owners, name = part.split(".")
    for owner in owners:
        model = getattr(model, owner)
    return model, name


def collect_call_costs(model: ImageModel, generate: Callable[[], Any], twin: Twin | None = None) -> CallCosts:
    """The call costs of `generate()`, which calls `model.generate`."""
    twin = twin or Twin(model)
    stages = parts_of(model)
    calls: list[Call] = []
    unseen = 0  # operations of calls whose cost was known already: the counter has not met them

    def handle(part: str, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if stages[part] in ALWAYS_RUN:
            with Work(_owner_weights(method)) as work:
                result = method(*args, **kwargs)
            cost = work.cost
        else:
            nonlocal unseen
            before = whole.cost.flops
            cost, result = twin.answer(part, args, kwargs)
            unseen += cost.flops - (whole.cost.flops - before)
        calls.append(Call(stages[part], part, cost))
        return result

    with Work() as whole, intercepted(model, handle):
        generate()
    return CallCosts(tuple(calls), whole.cost.flops + unseen)


class Twin:
    """The network without numbers: answers a call with zeros of the right shapes, and knows what it would cost."""

    def __init__(self, model: ImageModel):
        self.network = empty(model.spec, "meta").to(device="meta", dtype=model.dtype).eval().requires_grad_(False)
        self.device = model.device
        self.known: dict[Hashable, tuple[Cost, Any]] = {}  # by shapes: what a call costs does not depend on numbers

    def answer(self, part: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Cost, Any]:
        """(what the call costs, zeros of the shapes that it would return)."""
        leaves, structure = tree_flatten((args, kwargs))
        shapes = tuple((leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf for leaf in leaves)
        key = (part, str(structure), shapes)
        if key not in self.known:
            owner, name = _resolve(self.network, part)
            args, kwargs = tree_map_only(Tensor, lambda t: torch.empty_like(t, device="meta"), (args, kwargs))
            with Work(self.network) as work:
                result = getattr(owner, name)(*args, **kwargs)
            self.known[key] = work.cost, result
        cost, result = self.known[key]
        return cost, tree_map_only(Tensor, lambda t: torch.zeros_like(t, device=self.device), result)


def _owner_weights(method: Callable[..., Any]) -> torch.nn.Module | None:
    owner = getattr(method, "__self__", None)
    return owner if isinstance(owner, torch.nn.Module) else None


class Work:
    """The cost of what happens within a `with` block; weight_bytes are those of a module."""

    def __init__(self, module: torch.nn.Module | None = None):
        self._flops = FlopCounterMode(display=False)
        self._operations = _Operations(() if module is None else module.parameters())
        self._modes = (self._flops, self._operations, _AttentionIsOne(self._operations))

    def __enter__(self) -> Work:
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)

    @property
    def cost(self) -> Cost:
        seen = self._operations
        return Cost(self._flops.get_total_flops(), sum(seen.bytes_by_id.values()), seen.num_kernels)


class _Operations(TorchDispatchMode):
    """Sees every operation and its arguments: how many launch a kernel, and which weights are read."""

    def __init__(self, weights: Iterable[Tensor]):
        super().__init__()
        self.sizes = {id(weight): weight.numel() * weight.element_size() for weight in weights}
        self.bytes_by_id: dict[int, int] = {}
        self.num_kernels = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.num_kernels += not func.is_view and func.overloadpacket not in NO_KERNEL
        for leaf in tree_leaves((args, kwargs)):
            if id(leaf) in self.sizes:
                rows_only = func is torch.ops.aten.embedding.default
                read = result.numel() * result.element_size() if rows_only else self.sizes[id(leaf)]
                self.bytes_by_id[id(leaf)] = max(read, self.bytes_by_id.get(id(leaf), 0))
        return result


class _AttentionIsOne(TorchFunctionMode):
    """An attention launches one kernel, which writes heads beside each other; on the meta device it falls into its
    products and its softmax, and another writes them one after the other."""

    def __init__(self, operations: _Operations):
        super().__init__()
        self.operations = operations

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        before = self.operations.num_kernels
        result = func(*args, **(kwargs or {}))
        if func is F.scaled_dot_product_attention:
            if result.device.type == "meta":
                result = result.transpose(-3, -2).contiguous().transpose(-3, -2)
            self.operations.num_kernels = before + 1
        return result
