"""TransDiff-MRAR (arXiv:2506.09482): multi-reference AR, four images of one class in a row, the last is the answer.

Each pass of the encoder also reads the images generated before; image k is decoded from the feature blocks 0..k. The
network is TransDiff's (transdiff.py), fine-tuned from the one-step model.
Departs from official, with the same numbers: the encoder keeps K and V of what it has read, and the decoder K and V of
the features proposed so far. With other numbers: as TransDiff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reference_models.checkpoints import load_into
from reference_models.dropout import Dropout
from reference_models.layers import TransformerBlock, add_to_cache, merge_heads, split_heads
from reference_models.noise import Noise
from reference_models.transdiff import DecoderBlock, TransDiff


def empty_cache(x: Tensor, blocks: Sequence[TransformerBlock | DecoderBlock], num_tokens: int) -> Tensor:
    """Room for K and V of `num_tokens` tokens in every block: (depth, 2, B, heads, num_tokens, D / heads).

    x: (B, n, D), for its rows, width, type and device.
    """
    num_heads = blocks[0].attn.num_heads
    return x.new_zeros(len(blocks), 2, len(x), num_heads, num_tokens, x.shape[-1] // num_heads)


class TransDiffMRAR(TransDiff):
    """Multi-reference AR: four images of one class in a row; image k is decoded from feature blocks 0..k.

    The encoder's sequence is the buffer, m = N / 4 mask tokens (block 0), then m tokens for each earlier image (blocks
    1..3), its latents in 2x2 patches. Attention is causal by block. All four images start from the same noise.
    """

    images_per_sample = 4
    stages = TransDiff.stages | {"encoder": ("encode_next", "reference_tokens")}  # type: ignore[operator]
    kv_cache = True

    def init_from_one_step(self, state: Mapping[str, Tensor]) -> None:
        """Start from the weights of a one-step model (under our names), from which MRAR is fine-tuned.

        Two parameters do not fit: the one mask token is repeated, and `reference_proj`, which the one-step model never
        trains, stays as it is. What the authors did with the two is not released: their command resumes the one-step
        checkpoint with `strict=False`, which still refuses other shapes.
        """
        own, start = self.state_dict(), dict(state)
        if "mask_token" in start:
            start["mask_token"] = start["mask_token"].expand_as(own["mask_token"])
        start |= {key: value for key, value in own.items() if key.startswith("reference_proj.")}
        load_into(self, start, "of the one-step model")

    def reference_tokens(self, latents: Tensor) -> Tensor:
        """One earlier image as m encoder tokens.  latents: (B, C, h, w) -> (B, m, D)."""
        patches = F.pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)  # (B, m, 4C)
        return self.reference_proj(patches.to(self.mask_token.dtype))

    def features(  # type: ignore[override]  # of a row of images
        self, labels: Tensor, references: Tensor | None = None, dropout: Dropout | None = None
    ) -> Tensor:
        """Blocks 0..k, (B, (k + 1) m, D), in one masked pass over k earlier images, references: (B, k, C, h, w)."""
        earlier = [] if references is None else [self.reference_tokens(latents) for latents in references.unbind(1)]
        x = torch.cat([self.class_tokens(labels), self.mask_token.expand(len(labels), -1, -1), *earlier], dim=1)
        n, m, start = x.shape[1], self.block_size, self.buffer_size
        block_idx = torch.cat([torch.full((start,), -1), torch.arange(n - start) // m]).to(x.device)  # -1: the buffer
        mask = block_idx[:, None] >= block_idx
        x = self.embed_norm(x + self.encoder_pos[:, :n])
        for block in self.encoder_blocks:
            x = block(x, mask, dropout)
        return self.encoder_norm(x)[:, start:]

    def encode(self, labels: Tensor, references: Tensor | None = None, dropout: Dropout | None = None) -> Tensor:
        features = self.features(labels, references, dropout)
        return features + self.feature_pos[:, : features.shape[1]]

    def encode_next(self, x: Tensor, cache: Tensor, start: int) -> Tensor:
        """Features (B, n, D) of the block of tokens x (B, n, D) at positions start..start + n.

        cache: (depth, 2, B, heads, L, D / heads), K and V of what was read before, filled up to `start`; x is added.
        Equals the last rows of `features`: of its masked softmax(Q K^T / sqrt(d)) V (1706.03762 eq. 1) a block sees
        itself and all before it, so no mask is needed, and nothing before it is computed again.
        """
        x = self.embed_norm(x + self.encoder_pos[:, start : start + x.shape[1]])
        for block, own_cache in zip(self.encoder_blocks, cache, strict=True):
            qkv = block.attn.qkv(block.norm1(x)).chunk(3, dim=-1)
            q, k, v = (split_heads(part, block.attn.num_heads) for part in qkv)
            k, v = add_to_cache(own_cache, start, k, v)
            x = x + block.attn.proj(merge_heads(F.scaled_dot_product_attention(q, k, v)))
            x = x + block.mlp(block.norm2(x))
        return self.encoder_norm(x)

    @torch.no_grad()
    def sample_row(
        self,
        labels: Tensor,
        noise: Noise,
        *,
        num_steps: int = 100,
        cfg_scale: float | Sequence[float] = 1.0,
        scale_0: float = 1.0,
        scale_1: float = 1.0,
        num_images: int = 4,
    ) -> tuple[Tensor, Tensor]:
        """The first `num_images` images of each row, (B, num_images, C, h, w), and the features that each pass added,
        (B, num_images, m, D).  cfg_scale: one for all images, or one for each.
        """
        scales = self.image_scales(cfg_scale, num_images)
        batch_size, m, guided = len(labels), self.block_size, any(scale != 1.0 for scale in scales)
        # The null half reads the same earlier images, so that its features differ from image to image: B null rows.
        rows = torch.cat([labels, torch.full_like(labels, self.null_label)]) if guided else labels
        noise_tokens = noise.normal(*self.token_shape)
        buffer, tokens = self.class_tokens(rows), self.mask_token.expand(len(rows), -1, -1)
        read = empty_cache(buffer, self.encoder_blocks, self.buffer_size + num_images * m)
        proposed = empty_cache(buffer, self.decoder.blocks, num_images * m)
        self.encode_next(buffer, read, 0)
        images: list[Tensor] = []
        features: list[Tensor] = []
        for idx, scale in enumerate(scales):
            if images:
                tokens = self.reference_tokens(images[-1]).repeat(2 if guided else 1, 1, 1)
            start = idx * m
            block = self.encode_next(tokens, read, self.buffer_size + start)
            new = self.decoder.keys_values(block + self.feature_pos[:, start : start + m])
            seen = [add_to_cache(cache, start, *pair) for cache, pair in zip(proposed, new, strict=True)]
            if scale == 1.0:
                seen = [(k[:batch_size], v[:batch_size]) for k, v in seen]
            x = self.integrate(noise_tokens, seen, num_steps, noise, scale, scale_0, scale_1)
            images.append(self.latents(x))
            features.append(block[:batch_size])
        return torch.stack(images, dim=1), torch.stack(features, dim=1)

    def sample(self, labels: Tensor, noise: Noise, **settings: Any) -> Tensor:
        """Latents of the last of `num_images` images (1: no reference), float32 (B, C, h, w); see `sample_row`."""
        return self.sample_row(labels, noise, **settings)[0][:, -1]

    def semantic_features(self, labels: Tensor, noise: Noise, **settings: Any) -> Tensor:
        """The blocks that the last image of each row is decoded from, (B, num_images m, D)."""
        return self.sample_row(labels, noise, **settings)[1].flatten(1, 2)

    def image_scales(self, cfg_scale: float | Sequence[float], num_images: int) -> list[float]:
        """The guidance scale of each image of a row."""
        if not 1 <= num_images <= self.images_per_sample:
            raise ValueError(f"num_images must lie in 1..{self.images_per_sample}, got {num_images}")
        scales = list(cfg_scale) if isinstance(cfg_scale, Sequence) else [cfg_scale] * num_images
        if len(scales) < num_images:
            raise ValueError(f"expected one cfg_scale or one for each of {num_images} images, got {scales}")
        return scales[:num_images]

    def network_evaluations(  # type: ignore[override]
        self,
        *,
        num_steps: int = 100,
        cfg_scale: float | Sequence[float] = 1.0,
        num_images: int = 4,
        **settings: Any,
    ) -> dict[str, int]:
        passes = [1 if scale == 1.0 else 2 for scale in self.image_scales(cfg_scale, num_images)]
        return {"encoder": max(passes) * num_images, "decoder": sum(passes) * num_steps}

    def loss(self, latents: Tensor, labels: Tensor, t: Tensor, noise: Tensor, dropout: Dropout | None = None) -> Tensor:
        """Mean loss of four images of one class.  latents: (B, 4, C, h, w)  t: (4, K B)  noise: (4, K B, N, C)."""
        keys_values = self.decoder.keys_values(self.encode(labels, latents[:, :-1], dropout))
        losses = []
        for idx, image in enumerate(latents.unbind(1)):
            end = (idx + 1) * self.block_size
            seen = [(k[:, :, :end], v[:, :, :end]) for k, v in keys_values]
            losses.append(self.flow_loss(image, seen, t[idx], noise[idx], dropout))
        return torch.stack(losses).mean()

    def training_loss(self, latents: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """As TransDiff's, of latents (B, 4, C, h, w) with one label per row of four images."""
        labels = self.drop_labels(labels, generator)
        rows = (self.images_per_sample, self.draws_per_image * len(labels))
        return self.loss(latents, labels, *self.draw_flow(generator, *rows))

    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Their patch_size is that of the references; the decoder's tokens are single latents."""
        if config.get("patch_size", 2) != 2:
            raise ValueError(f"MRAR reads references in 2x2 patches: patch_size 2 expected, got {config['patch_size']}")
        return super().from_official_config({**config, "patch_size": 1})
