"""Text encoders of D-DiT: text <-> tokens, and tokens -> states that a network attends to.

`T5Text` is the paper's frozen T5-XXL (needs the extra `official`); `SmallTextEncoder` is trained along at digits scale.
Texts end in an end token and are padded with it, so that a model learns where a text ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reference_models.errors import CheckpointError
from reference_models.layers import TransformerBlock

T5_MASK = "<extra_id_0>"


class Tokenizer:
    """Text <-> tokens."""

    end_id: int

    def tokenize(self, texts: Sequence[str], length: int) -> Tensor:
        """int64 (B, length) on the CPU: each text cut to fit, its end token, end tokens up to `length`."""
        raise NotImplementedError

    def detokenize(self, tokens: Sequence[int]) -> str:
        raise NotImplementedError

    def decode(self, tokens: Tensor) -> str:
        """The text of one row of tokens (L,), up to its first end token; all of it where there is none."""
        ids = tokens.tolist()
        return self.detokenize(ids[: ids.index(self.end_id)] if self.end_id in ids else ids)


class TextEncoder(Tokenizer, nn.Module):
    """`forward`: tokens (B, L) -> states (B, L, D)."""

    vocab_size: int  # the last token is the mask


class WordTokenizer(Tokenizer):
    """A token per word of a closed vocabulary.  Tokens: 0 ends a text, 1.. are `words`, the next is the mask."""

    end_id = 0

    def __init__(self, words: Sequence[str]):
        self.words = tuple(words)
        self.vocab_size = len(self.words) + 2
        self.id_by_word = {word: i for i, word in enumerate(self.words, start=1)}

    def tokenize(self, texts: Sequence[str], length: int) -> Tensor:
        tokens = torch.full((len(texts), length), self.end_id)
        for row, text in zip(tokens, texts, strict=True):
            found = re.findall(r"\w+|[^\w\s]", text.lower())[: length - 1]
            unknown = [word for word in found if word not in self.id_by_word]
            if unknown:
                raise ValueError(f"unknown word {unknown[0]!r} in {text!r}; known: {', '.join(self.words)}")
            row[: len(found)] = torch.tensor([self.id_by_word[word] for word in found], dtype=torch.int64)
        return tokens

    def detokenize(self, tokens: Sequence[int]) -> str:
        names = {**dict(enumerate(self.words, start=1)), self.end_id: "", self.vocab_size - 1: "?"}
        return " ".join(filter(None, (names[token] for token in tokens)))


class SmallTextEncoder(WordTokenizer, TextEncoder):
    """A bidirectional transformer over words."""

    def __init__(self, *, words: Sequence[str], text_size: int, depth: int, num_heads: int, length: int):
        nn.Module.__init__(self)
        WordTokenizer.__init__(self, words)
        self.embed = nn.Embedding(self.vocab_size, text_size)
        self.positions = nn.Parameter(0.5 * torch.randn(1, length, text_size))
        self.blocks = nn.ModuleList(TransformerBlock(text_size, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(text_size, eps=1e-6)
        nn.init.normal_(self.embed.weight)  # with small ones the states forget which digit a word names

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.positions[:, : tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class T5Text(TextEncoder):
    """T5's encoder and tokenizer from a released folder of D-DiT (diffusers layout: `text_encoder`, `tokenizer`).

    The folder's encoder, not the plain T5: the authors trained its embedding of the mask token.
    Padded with the end token, as the authors train (their tokenizer's own padding token is another).
    Raises CheckpointError where a part cannot be read, lacks weights, or has another mask token.
    """

    def __init__(self, folder: Path | str, dtype: torch.dtype = torch.bfloat16):
        super().__init__()
        try:
            from transformers import AutoTokenizer, T5EncoderModel
        except ImportError as error:
            raise ImportError("T5 needs transformers: pip install 'arbiter-bench[official]'") from error
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(Path(folder, "tokenizer"))
            loaded: Any = T5EncoderModel.from_pretrained(
                Path(folder, "text_encoder"), torch_dtype=dtype, output_loading_info=True
            )
        except Exception as error:  # transformers, tokenizers and safetensors raise what they like
            raise CheckpointError(f"weights {folder}: its text encoder cannot be read ({error})") from error
        self.encoder, report = loaded
        if report["missing_keys"]:  # transformers would go on with random ones
            missing = sorted(report["missing_keys"])
            raise CheckpointError(f"weights {folder}: {len(missing)} keys of its text encoder missing ({missing[0]})")
        self.tokenizer.pad_token = self.tokenizer.eos_token
        self.end_id = self.tokenizer.eos_token_id
        self.vocab_size = len(self.tokenizer)
        mask_id = self.tokenizer.convert_tokens_to_ids(T5_MASK)
        if mask_id != self.vocab_size - 1:
            raise CheckpointError(f"weights {folder}: its tokenizer has no {T5_MASK} as the last of its tokens")
        self.requires_grad_(False).eval()

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoder(tokens)[0]  # without a padding mask, as the authors

    def tokenize(self, texts: Sequence[str], length: int) -> Tensor:
        options = {"padding": "max_length", "truncation": True, "max_length": length, "return_tensors": "pt"}
        return self.tokenizer(list(texts), **options).input_ids

    def detokenize(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))
