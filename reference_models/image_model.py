"""What every network of this package does: `sample`, `training_loss`, `generate`. Its sizes and settings: spec.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models import layers
from reference_models.noise import Noise, SeededNoise

if TYPE_CHECKING:
    from reference_models.spec import Spec


class ImageModel(nn.Module):
    """A class-conditional image generator in some latent space.

    A subclass gives `sample` and `training_loss`; `generate` is the same for all of them.
    The state of a sampler (x_t, schedules) is float32; only the networks run in the dtype of the weights.
    """

    compiled_methods: ClassVar[tuple[str, ...]] = ()  # the per-step methods that `compile_steps` compiles
    growing_methods: ClassVar[tuple[str, ...]] = ()  # of these, the ones whose arguments change shape from call to call
    # The parts of `sample` that a breakdown of its time tells apart: keys of `network_evaluations` -> methods that take
    # and return tensors, as "velocity" or "decoder.keys_values". Empty: the compiled methods are one part.
    stages: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    kv_cache: ClassVar[bool | None] = None  # whether an AR loop keeps keys and values; None: there is nothing to keep
    images_per_sample: int = 1  # images of one class in a row that one training sample holds (MRAR: 4)
    num_classes: int
    spec: Spec
    weights_entry: str | None = None  # the entry of the released file that its weights were taken from, as "model_ema"

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    @property
    def autoencoder(self) -> Any:
        """Latents <-> images (`encode`, `decode`), made at first use.

        Not a submodule: a published parameter count leaves it out, and so does ours.
        """
        if "_make_autoencoder" not in self.__dict__:
            raise RuntimeError("this model has no autoencoder: make it with reference_models.build(name)")
        if "_autoencoder" not in self.__dict__:
            self.__dict__["_autoencoder"] = self.__dict__["_make_autoencoder"]()
        return self.__dict__["_autoencoder"]

    def attach(self, spec: Spec, make_autoencoder: Callable[[], nn.Module]) -> None:
        """Tie the network to its spec and its autoencoder (`reference_models.build` does this)."""
        self.__dict__["spec"] = spec
        self.__dict__["_make_autoencoder"] = make_autoencoder

    def sample(self, labels: Tensor, noise: Noise, **settings: Any) -> Tensor:
        """Latents (or tokens, for a discrete autoencoder) of one image per label.  labels: (B,) int64."""
        raise NotImplementedError

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """The paper's training loss, a scalar, with its own draws of time, noise, mask and label dropout."""
        raise NotImplementedError

    def network_evaluations(self, **settings: Any) -> dict[str, int]:
        """How often each part of the network runs for one image, guidance passes counted: {"decoder": 200, ...}."""
        raise NotImplementedError

    def counted_evaluations(self, labels: Sequence[int], seeds: Sequence[int], **settings: Any) -> dict[str, list[int]]:
        """How often each part of the network was needed for each image, guidance passes counted, by generating them;
        of a sampler that chooses its steps. An image's own count: in a batch it may wait for slower ones."""
        raise NotImplementedError

    @torch.inference_mode()
    def generate(
        self, labels: Sequence[int] | Tensor, seeds: Sequence[int], *, resize_to: int | None = None, **settings: Any
    ) -> Tensor:
        """Images, uint8 (B, 3, H, W), one per label.

        Image i depends on `labels[i]`, `seeds[i]` and the settings alone, never on its batch.
        resize_to: pixels a side that the decoded images are resized to, bicubic without antialiasing, before they are
        rounded. `settings` override the spec's `sampling`. Raises ValueError where an argument does not fit,
        FloatingPointError where an image comes out NaN or infinite.
        """
        labels = torch.as_tensor(labels, dtype=torch.int64)  # checked where they are: no wait for the device
        if labels.ndim != 1 or len(labels) != len(seeds):
            raise ValueError(f"one seed per label: got labels of shape {tuple(labels.shape)} and {len(seeds)} seeds")
        if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < self.num_classes):
            raise ValueError(f"labels must lie in 0..{self.num_classes - 1}, got {labels.tolist()}")
        unknown = set(settings) - set(self.spec.sampling)
        if unknown:
            raise ValueError(f"unknown setting {sorted(unknown)[0]!r}; known: {', '.join(sorted(self.spec.sampling))}")
        settings = {**self.spec.sampling, **settings}
        latents = self.sample(labels.to(self.device), SeededNoise(seeds, self.device), **settings)
        images = self.autoencoder.decode(latents)
        if resize_to is not None:
            images = F.interpolate(images.float(), size=(resize_to, resize_to), mode="bicubic")
        return self.finished(images)

    def finished(self, images: Tensor) -> Tensor:
        """Decoded images (B, 3, H, W) as uint8; FloatingPointError where one is NaN or infinite."""
        spoilt = (~images.isfinite()).flatten(1).any(1).nonzero()[:, 0].tolist()
        if spoilt:
            raise FloatingPointError(
                f"{self.spec.name}: NaN or infinity in {len(spoilt)} of {len(images)} images (first: {spoilt[0]})"
            )
        return to_uint8(images)

    def compile_steps(self, **options: Any) -> None:
        """Compile the per-step methods, whole graph or an error (`torch.compile(fullgraph=True)`).

        On a GPU a step of fixed shapes becomes a CUDA graph, unless `options` (of torch.compile) say otherwise.
        """
        torch.compiler.assume_constant_result(layers.num_threads)  # not where it is defined: this imports the compiler
        graphs = self.device.type == "cuda" and not options
        for name in self.compiled_methods:
            step = getattr(self, name)
            if name in self.growing_methods:
                compiled = torch.compile(step, fullgraph=True, dynamic=True, **options)
            elif graphs:
                compiled = copied(torch.compile(step, fullgraph=True, mode="reduce-overhead"))
            else:
                compiled = torch.compile(step, fullgraph=True, **options)
            setattr(self, name, compiled)

    # -- the authors' layout -------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Our constructor arguments for the authors' constructor arguments (an argparse.Namespace's dict, a JSON)."""
        raise NotImplementedError

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The authors' state dict under our names. A key it does not know stays as it is, so that loading names it."""
        raise NotImplementedError


def copied(step: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`step` with its result copied: a CUDA graph leaves it in memory that its next run overwrites."""
    return lambda *args, **kwargs: step(*args, **kwargs).clone()


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] as uint8, rounded to the nearest grey level; values outside are clipped."""
    return (images.float() * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
