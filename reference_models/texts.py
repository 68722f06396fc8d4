"""What a model that reads images says: the text, how it ended, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reference_models.image_model import ImageModel
from reference_models.text_encoders import Tokenizer


@dataclass(frozen=True)
class Said:
    """What was said of one image."""

    text: str
    finish: str  # "end": an end token came after the text; "length": none came; "end-first": it came first, no text
    evaluations: Mapping[str, int]  # of each part of the network for this text; {"denoiser": 9, "text_encoder": 9}


def read_said(tokenizer: Tokenizer, tokens: Tensor, evaluations: Mapping[str, int]) -> Said:
    """A text from its tokens (L,), those of the prompt left out."""
    ids = tokens.tolist()
    if tokenizer.end_id not in ids:
        finish = "length"
    else:
        finish = "end" if ids.index(tokenizer.end_id) else "end-first"
    return Said(tokenizer.decode(tokens), finish, evaluations)


class ReadsImages(ImageModel):
    """A model that says something of images, whether or not it generates some."""

    def say(self, images: Tensor, prompts: Sequence[str], seeds: Sequence[int], **settings: Any) -> list[Said]:
        """What each image of uint8 (B, 3, H, W) adds to its prompt: an answer to a question, a caption to ""."""
        raise NotImplementedError

    @torch.inference_mode()
    def describe(self, images: Tensor, prompts: Sequence[str], seeds: Sequence[int], **settings: Any) -> list[str]:
        """The texts of `say`."""
        return [said.text for said in self.say(images, prompts, seeds, **settings)]
