"""An autoregressive captioner and answerer, the baseline that D-DiT (arXiv:2501.00289) says it rivals.

A plain decoder-only transformer, as vision-language models are built (LLaVA, arXiv:2304.08485), at the scenes scale:
the image's patches stand first and see each other; words see the image and the words before them; next-token prediction
on captions and on answers. It generates no image. Size, data, images and steps are those of `d-dit-digits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models.layers import Linear, Mlp, merge_heads, split_heads
from reference_models.noise import SeededNoise
from reference_models.text_encoders import WordTokenizer
from reference_models.texts import ReadsImages, Said, read_said

Cache = list[tuple[Tensor, Tensor]]  # of each block: keys and values (B, H, positions so far, D / H)


class Block(nn.Module):
    """Pre-norm attention and MLP."""

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.norm1 = nn.LayerNorm(hidden_size)
        self.qkv = Linear(hidden_size, 3 * hidden_size)
        self.proj = Linear(hidden_size, hidden_size)
        self.norm2 = nn.LayerNorm(hidden_size)
        self.mlp = Mlp(hidden_size, 4 * hidden_size)

    def forward(
        self, x: Tensor, mask: Tensor | None, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x: (B, N, D)  mask: (N, positions), True = may look; None: all  past: keys and values of what came before."""
        q, k, v = (split_heads(part, self.num_heads) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        x = x + self.proj(merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))
        return x + self.mlp(self.norm2(x)), (k, v)


class ArVlm(ReadsImages):
    """Words after an image."""

    def __init__(
        self,
        *,
        hidden_size: int,
        depth: int,
        num_heads: int,
        words: Sequence[str],
        in_channels: int,
        num_patches: int,
        text_length: int,  # tokens of a caption, unless told otherwise
        question_length: int,  # tokens of a question and its answer
    ):
        super().__init__()
        self.tokenizer = WordTokenizer(words)
        self.text_length, self.question_length, self.num_patches = text_length, question_length, num_patches
        vocab_size = len(self.tokenizer.words) + 1  # no mask
        self.patch_embed = Linear(in_channels, hidden_size)
        self.patch_positions = nn.Parameter(0.5 * torch.randn(num_patches, hidden_size))
        self.embed = nn.Embedding(vocab_size, hidden_size)  # the end token also begins a text
        self.positions = nn.Parameter(0.5 * torch.randn(text_length, hidden_size))
        self.blocks = nn.ModuleList(Block(hidden_size, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(hidden_size)
        self.head = Linear(hidden_size, vocab_size)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.embed.weight)
        nn.init.normal_(self.head.weight, std=0.02)

    # -- the network ---------------------------------------------------------------------------------------------------
    def embed_image(self, latents: Tensor) -> Tensor:
        """latents: (B, C, h, w) -> (B, N, D)."""
        return self.patch_embed(latents.to(self.dtype).flatten(2).transpose(1, 2)) + self.patch_positions

    def embed_text(self, tokens: Tensor, start: int = 0) -> Tensor:
        """tokens: (B, L), the first at position `start` -> (B, L, D)."""
        return self.embed(tokens) + self.positions[start : start + tokens.shape[1]]

    def run(self, x: Tensor, mask: Tensor | None, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """Features (B, N, D) of embedded positions x, and the cache with them."""
        grown: Cache = []
        for i, block in enumerate(self.blocks):
            x, keys_and_values = block(x, mask, None if cache is None else cache[i])
            grown.append(keys_and_values)
        return self.norm(x), grown

    def texts_mask(self, lengths: Sequence[int], device: torch.device) -> Tensor:
        """Who may look at whom, bool (N, N), where several texts follow one image and do not see each other."""
        size = self.num_patches + sum(lengths)
        mask = torch.zeros(size, size, dtype=torch.bool, device=device)
        mask[:, : self.num_patches] = True
        start = self.num_patches
        for length in lengths:
            here = slice(start, start + length)
            mask[here, here] = torch.ones(length, length, dtype=torch.bool, device=device).tril()
            start += length
        return mask

    # -- training ------------------------------------------------------------------------------------------------------
    def training_loss(  # type: ignore[override]  # text instead of labels
        self,
        latents: Tensor,
        tokens: Tensor,
        generator: torch.Generator | None = None,
        questions: tuple[Tensor, Tensor] | None = None,
        read: Tensor | None = None,
    ) -> Tensor:
        """Next-token prediction: the mean over words (and ends) of captions, plus that of answers. It draws nothing.

        tokens: (B, L)  read: latents to read in place of `latents`, e.g. of noised images
        questions: tokens and label mask, each (B * k, l): of k questions to each image, in turn.
        """
        batch_size = len(tokens)
        texts = [tokens[:, None], *([] if questions is None else [questions[0].unflatten(0, (batch_size, -1))])]
        labels = [tokens.new_ones(batch_size, 1, tokens.shape[1])]
        if questions is not None:
            labels.append(questions[1].unflatten(0, (batch_size, -1)))
        inputs = [F.pad(text[..., :-1], (1, 0), value=self.tokenizer.end_id) for text in texts]
        lengths = [text.shape[2] for text in texts for _ in range(text.shape[1])]
        embedded = [self.embed_text(rows) for text in inputs for rows in text.unbind(1)]
        x = torch.cat([self.embed_image(latents if read is None else read), *embedded], dim=1)
        features, _ = self.run(x, self.texts_mask(lengths, x.device))
        logits = self.head(features[:, self.num_patches :]).float()
        loss, start = logits.new_zeros(()), 0
        for text, label in zip(texts, labels, strict=True):
            here = logits[:, start : start + text[0].numel()].unflatten(1, text.shape[1:])
            start += text[0].numel()
            nll = F.cross_entropy(here.flatten(0, 2), text.flatten(), reduction="none").view_as(text)
            ends = (text == self.tokenizer.end_id).cumsum(-1)
            asked = (label > 0) & ((ends == 0) | (ends == 1) & (text == self.tokenizer.end_id))  # up to the first end
            loss = loss + (nll * asked).sum() / asked.sum()
        return loss

    # -- images to text ------------------------------------------------------------------------------------------------
    def network_evaluations(self, **settings: Any) -> dict[str, int]:
        return {}  # it generates no image

    def generate(self, *args: Any, **settings: Any) -> Tensor:
        raise ValueError(f"{self.spec.name} reads images and generates none; it has describe(images, prompts, seeds)")

    @torch.inference_mode()
    def say(  # type: ignore[override]  # its settings by name
        self,
        images: Tensor,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        temperature: float = 0.0,
        length: int | None = None,
    ) -> list[Said]:
        """What each image of uint8 (B, 3, H, W) adds to its prompt: an answer to a question, a caption to "".

        temperature: 0 takes the most probable word, 1 draws as the model believes (by `seeds`).
        length: tokens of prompt and text together; None is `text_length`, for questions `question_length`.
        """
        if not len(images) == len(prompts) == len(seeds):
            raise ValueError(f"one prompt and seed per image: got {len(images)}, {len(prompts)} and {len(seeds)}")
        if not len(images):
            return []
        limits = [length or (self.question_length if prompt else self.text_length) for prompt in prompts]
        if max(limits) > self.text_length:
            raise ValueError(f"length {max(limits)}: the model has positions for {self.text_length} tokens")
        given = self.tokenizer.tokenize(prompts, max(limits)).to(self.device)
        latents = self.autoencoder.encode(images.to(self.device).float() / 127.5 - 1)
        filled = self._continue(latents, given, temperature, SeededNoise(seeds, self.device))
        starts = (given != self.tokenizer.end_id).sum(1).tolist()
        rows = zip(filled.cpu(), starts, limits, strict=True)
        return [self._said(row[start:limit]) for row, start, limit in rows]

    def _continue(self, latents: Tensor, given: Tensor, temperature: float, noise: SeededNoise) -> Tensor:
        """Tokens (B, L): those of the prompts, what comes after them, end tokens. One evaluation per position."""
        end = self.tokenizer.end_id
        prompt_sizes = (given != end).sum(1)
        length, shared = given.shape[1], int(prompt_sizes.min())
        _, cache = self.run(self.embed_image(latents), None)
        uniform = noise.uniform(length)
        filled = given.clone()
        mask = torch.ones(shared + 1, self.num_patches + shared + 1, dtype=torch.bool, device=given.device)
        here = F.pad(given[:, :shared], (1, 0), value=end)  # words that all prompts have, at once
        features, cache = self.run(self.embed_text(here), mask.tril(self.num_patches), cache)
        for position in range(shared, length):
            words = self._choose(self.head(features[:, -1]).float(), temperature, uniform[:, position])
            is_prompt = position < prompt_sizes
            finished = (position > prompt_sizes) & (filled[:, position - 1] == end)
            filled[:, position] = torch.where(is_prompt, given[:, position], words.masked_fill(finished, end))
            if position + 1 == length or bool((~is_prompt & (filled[:, position] == end)).all()):
                break
            features, cache = self.run(self.embed_text(filled[:, position : position + 1], position + 1), None, cache)
        return filled

    def _said(self, tokens: Tensor) -> Said:
        """Evaluations: of the image, and one per token up to the first end, the first one's with the prompt."""
        ends = (tokens == self.tokenizer.end_id).nonzero()
        num_tokens = int(ends[0]) + 1 if len(ends) else len(tokens)
        return read_said(self.tokenizer, tokens, {"image": 1, "words": num_tokens})

    @staticmethod
    def _choose(logits: Tensor, temperature: float, uniform: Tensor) -> Tensor:
        if temperature == 0:
            return logits.argmax(-1)
        cdf = (logits.double() / temperature).softmax(-1).cumsum(-1)
        return torch.searchsorted(cdf, uniform.double()[:, None] * cdf[:, -1:], right=True)[:, 0]
