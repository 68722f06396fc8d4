"""Dual Diffusion, D-DiT (arXiv:2501.00289): one joint transformer makes images from text and reads text from images.

The network is SD3-medium's MM-DiT (arXiv:2403.03206): an image stream and a text stream with weights of their own that
attend to each other in every block. Images are made by flow matching (velocity, Euler), text by masked diffusion
(masked_text.py) with the image given clean, at timestep 0. Unlike SD3: CLIP and its pooled embedding are gone, the text
stream also leaves the last block, and a linear head on it gives logits over the vocabulary of the text encoder.
Text has no time of its own: both streams are modulated by the *image's* timestep, so by 0 while text is made.

Text comes in as states of a text encoder (text_encoders.py): T5-XXL, frozen, from outside, or at digits scale a small
one that is trained along. While text is made, it encodes again whenever tokens were revealed.
Departs from official: what nobody reads is not computed (the text half of the last block and the vocabulary head while
an image is made, the image half while text is made); the modulations of all Euler steps are computed at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_models import masked_text
from reference_models.autoencoders import KLAutoencoder
from reference_models.checkpoints import rename
from reference_models.layers import Linear, TimeEmbedding, scale_and_shift, sincos_2d
from reference_models.mm_dit import JointBlock, Stream, norm
from reference_models.noise import Noise, SeededNoise
from reference_models.text_encoders import SmallTextEncoder, TextEncoder, Tokenizer
from reference_models.texts import ReadsImages, Said, read_said

NUM_TRAIN_STEPS = 1000  # the network's timesteps are 1000 sigma
NULL_IMAGE_TOKENS = 8  # stand in for the image where text is modelled without one
CAPTION_DROPOUT = 0.1
TEXT_WEIGHT = 0.2  # loss = image + 0.2 text while pre-training, image + 1.0 text while instruction tuning


def flow_sigmas(num_steps: int, shift: float) -> Tensor:
    """Noise levels of the Euler steps, float32 (num_steps + 1,), from 1 to 0; the shift is 2403.03206 eq. 23.

    It applies twice, as in the scheduler of diffusers: to the ends of an even grid (1 and 1/1000), then to that grid.
    """

    def shifted(sigma: Any) -> Any:
        return shift * sigma / (1 + (shift - 1) * sigma)

    grid = np.linspace(1.0, shifted(1 / NUM_TRAIN_STEPS), num_steps)
    return torch.from_numpy(np.append(shifted(grid), 0.0)).float()


class DDiT(ReadsImages):
    """Velocity of images given text, logits of text given images.

    text_encoder: tokens (B, L) -> states (B, L, text_size); a submodule only where it is trained along.
    """

    compiled_methods: ClassVar[tuple[str, ...]] = ("guided_velocity", "text_features")

    def __init__(
        self,
        *,
        hidden_size: int,
        depth: int,
        num_heads: int,
        vocab_size: int,
        text_size: int,  # width of the text encoder's states
        in_channels: int = 16,
        patch_size: int = 2,
        latent_size: int = 64,  # side of the latents it generates, unless told otherwise
        position_size: int = 192,  # side of the position table; an image takes its middle
        position_base: int = 64,  # the table's coordinates run over 0..position_base
        text_length: int = 256,  # tokens of a caption, unless told otherwise
        question_length: int | None = None,  # tokens of a question and its answer; None: text_length
        least_time: float = masked_text.NOISE_EPS,  # of the text, in training
        mask_id: int | None = None,  # None: the last token
        text_encoder: Mapping[str, Any] | None = None,  # of the SmallTextEncoder it owns; None: given from outside
    ):
        super().__init__()
        self.in_channels, self.patch_size = in_channels, patch_size
        self.latent_size, self.text_length = latent_size, text_length
        self.question_length, self.least_time = question_length or text_length, least_time
        self.mask_id = vocab_size - 1 if mask_id is None else mask_id
        coordinates = np.arange(position_size) * (position_base / position_size)
        self.pos_embed: Tensor
        self.register_buffer("pos_embed", sincos_2d(hidden_size, coordinates, coordinates)[None])
        self.patch_embed = nn.Conv2d(in_channels, hidden_size, patch_size, stride=patch_size)
        self.time_embed = TimeEmbedding(hidden_size)
        self.text_embed = Linear(text_size, hidden_size)
        self.null_image = nn.Parameter(torch.randn(1, NULL_IMAGE_TOKENS, hidden_size) / math.sqrt(hidden_size))
        self.blocks = nn.ModuleList(JointBlock(hidden_size, num_heads) for _ in range(depth))
        self.image_modulation = Linear(hidden_size, 2 * hidden_size)  # scale, shift
        self.image_head = Linear(hidden_size, patch_size**2 * in_channels)
        self.text_head = Linear(hidden_size, vocab_size)
        self.initialize_weights()
        own = None if text_encoder is None else SmallTextEncoder(text_size=text_size, **text_encoder)
        if own is not None and own.vocab_size != vocab_size:
            raise ValueError(f"vocab_size {vocab_size}: its text encoder has {own.vocab_size} tokens")
        self.text_encoder: TextEncoder | None = own

    def initialize_weights(self) -> None:
        """adaLN-Zero, as DiT.  Departs from official: the authors train nothing from scratch, they start from SD3."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.xavier_uniform_(self.patch_embed.weight.view(len(self.patch_embed.weight), -1))
        for linear in (self.time_embed.linear_1, self.time_embed.linear_2, self.text_head):
            nn.init.normal_(linear.weight, std=0.02)
        for linear in (self.image_modulation, self.image_head, *(stream.modulation for stream in self._streams())):
            nn.init.zeros_(linear.weight)

    def attach_text_encoder(self, encoder: TextEncoder) -> None:
        """Use this text encoder. Not a submodule: the published 2 B leave T5 out, and so does our parameter count."""
        self.__dict__["text_encoder"] = encoder

    @property
    def tokenizer(self) -> Tokenizer:
        return self._encoder()

    def _streams(self) -> list[Stream]:
        """Image and text of the first block, of the second, ..."""
        return [module for module in self.blocks.modules() if isinstance(module, Stream)]

    # -- the network ---------------------------------------------------------------------------------------------------
    def modulations(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """At timesteps t (T,) in 0..1000: of the blocks, (T, depth, 2, 6, D), and of the image head, (T, 2, 1, D)."""
        time = F.silu(self.time_embed(t))
        streams = torch.stack([stream.modulation(time) for stream in self._streams()], dim=1)
        blocks = streams.unflatten(1, (-1, 2)).unflatten(-1, (6, -1))
        return blocks, self.image_modulation(time).unflatten(-1, (2, 1, -1))

    def embed_image(self, latents: Tensor) -> Tensor:
        """latents: (B, C, h, w) -> (B, N, D), positions added."""
        tokens = self.patch_embed(latents.to(self.dtype))
        rows, columns = tokens.shape[-2:]
        side = math.isqrt(self.pos_embed.shape[1])
        if max(rows, columns) > side:
            raise ValueError(f"latents of {rows} x {columns} patches: the position table has {side} x {side}")
        top, left = (side - rows) // 2, (side - columns) // 2
        table = self.pos_embed.unflatten(1, (side, side))[:, top : top + rows, left : left + columns]
        return tokens.flatten(2).transpose(1, 2) + table.flatten(1, 2)

    def embed_text(self, text_states: Tensor) -> Tensor:
        return self.text_embed(text_states.to(self.dtype))

    def _joint(self, image: Tensor, text: Tensor, modulation: Tensor, keep: str) -> tuple[Tensor, Tensor]:
        last = len(self.blocks) - 1
        for i, block in enumerate(self.blocks):
            image, text = block(image, text, modulation[:, i], keep if i == last else "both")
        return image, text

    def guided_velocity(
        self, x_t: Tensor, text: Tensor, modulation: Tensor, head_modulation: Tensor, cfg_scale: float
    ) -> Tensor:
        """Velocity at x_t, float32 (B, C, h, w).

        text: (B, L, D), embedded; with guidance (above scale 1, as official) twice as many, the empty captions first.
        modulation, head_modulation: of one time for all, or of each row's own.
        """
        image = self.embed_image(x_t)
        if cfg_scale > 1:
            image = image.repeat(2, 1, 1)
        image, _ = self._joint(image, text, modulation, keep="image")
        scale, shift = head_modulation.unbind(1)
        patches = self.image_head(scale_and_shift(norm(image), shift, scale)).float()  # (B, N, p * p * C)
        p = self.patch_size
        grid = patches.unflatten(-1, (p, p, -1)).unflatten(1, (x_t.shape[-2] // p, x_t.shape[-1] // p))
        v = grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
        if cfg_scale > 1:
            null, conditional = v.chunk(2)
            v = null + cfg_scale * (conditional - null)
        return v

    def text_features(self, image: Tensor, text_states: Tensor, modulation: Tensor) -> Tensor:
        """What the text head reads, (B, L, D).  image: (B, N, D), embedded  text_states: (B, L, text_size)."""
        _, text = self._joint(image, self.embed_text(text_states), modulation, keep="text")
        return norm(text)

    def velocity(self, latents: Tensor, text_states: Tensor, t: Tensor) -> Tensor:
        """Velocity (noise - data) of latents (B, C, h, w) at t (B,) in 0..1000 given text_states (B, L, text_size)."""
        return self.guided_velocity(latents, self.embed_text(text_states), *self.modulations(t), cfg_scale=1.0)

    def text_logits(self, latents: Tensor | None, text_states: Tensor, t: Tensor | None = None) -> Tensor:
        """Logits (B, L, V) given latents (None: no image) at timesteps t (B,); None: clean images, timestep 0."""
        image = self.null_image.expand(len(text_states), -1, -1) if latents is None else self.embed_image(latents)
        modulation, _ = self.modulations(torch.zeros(1, device=image.device) if t is None else t)
        return self.text_head(self.text_features(image, text_states, modulation)).float()

    def encode_text(self, tokens: Tensor) -> Tensor:
        """States (B, L, text_size) of tokens (B, L)."""
        return self._encoder()(tokens)

    def _encoder(self) -> TextEncoder:
        if self.text_encoder is None:
            raise RuntimeError("this model has no text encoder: give it one with attach_text_encoder(T5Text(FOLDER))")
        return self.text_encoder

    # -- training ------------------------------------------------------------------------------------------------------
    def image_loss(self, latents: Tensor, text_states: Tensor, u: Tensor, noise: Tensor) -> Tensor:
        """Flow matching, a scalar.  u: (B,) logit-normal in (0, 1), 0 is pure noise  noise: as latents.

        The error is that of x_0 = x_t - sigma v, as in the authors' code: that of v, weighted by sigma squared.
        """
        t = NUM_TRAIN_STEPS - (u * NUM_TRAIN_STEPS).floor().clamp(max=NUM_TRAIN_STEPS - 1)  # 1000, 999, ... 1
        sigma = (t / NUM_TRAIN_STEPS)[:, None, None, None]
        x_t = (1 - sigma) * latents + sigma * noise
        return F.mse_loss(x_t - sigma * self.velocity(x_t, text_states, t), latents)

    def text_loss(
        self, latents: Tensor | None, tokens: Tensor, label_mask: Tensor, u: Tensor, uniform: Tensor
    ) -> Tensor:
        """Masked diffusion, a scalar.  tokens, label_mask, uniform: (B, L)  u: (B,) uniform.

        label_mask: 1 where text is to be learnt, 0 where it is given (a question) and never masked.
        """
        t = masked_text.antithetic_times(u, self.least_time)
        x_t = masked_text.corrupt(tokens, t, uniform, label_mask, self.mask_id)
        logits = self.text_logits(latents, self.encode_text(x_t))
        return masked_text.loss(logits, tokens, x_t, t, label_mask, self.mask_id)

    def training_loss(  # type: ignore[override]  # text instead of labels
        self,
        latents: Tensor,
        tokens: Tensor,
        generator: torch.Generator,
        label_mask: Tensor | None = None,
        text_weight: float = TEXT_WEIGHT,
        questions: tuple[Tensor, Tensor] | None = None,
        read: Tensor | None = None,
    ) -> Tensor:
        """Both losses on one batch of captioned images.  tokens, label_mask: as in `text_loss`; None is all ones.

        read: latents that the texts are read from, e.g. of noised images; None: `latents`, the ones to be generated.
        questions: tokens and label mask, each (B * k, l): of k questions with their answers to each image, in turn.
        Their text loss is added, as a mean over what is to be learnt: an answer is one word of many.
        """

        def draw(function: Callable[..., Tensor], *shape: int) -> Tensor:
            return function(shape, generator=generator, device=generator.device).to(latents.device)

        batch_size, length = tokens.shape
        null_tokens = self._encoder().tokenize([""], length).to(tokens.device)
        dropped = draw(torch.rand, batch_size, 1) < CAPTION_DROPOUT
        captions = self.encode_text(torch.where(dropped, null_tokens, tokens))
        u, noise = draw(torch.randn, batch_size).sigmoid(), draw(torch.randn, *latents.shape)
        image_loss = self.image_loss(latents, captions, u, noise)
        label_mask = torch.ones_like(tokens) if label_mask is None else label_mask
        read = latents if read is None else read
        u, uniform = draw(torch.rand, batch_size), draw(torch.rand, batch_size, length)
        loss = image_loss + text_weight * self.text_loss(read, tokens, label_mask, u, uniform)
        if questions is not None:
            tokens, label_mask = questions
            u, uniform = draw(torch.rand, len(tokens)), draw(torch.rand, *tokens.shape)
            asked_about = read.repeat_interleave(len(tokens) // batch_size, 0)
            text_loss = self.text_loss(asked_about, tokens, label_mask, u, uniform)
            loss = loss + text_weight * text_loss / label_mask.float().mean()
        return loss

    # -- sampling ------------------------------------------------------------------------------------------------------
    def sample_images(
        self,
        text_states: Tensor,
        null_states: Tensor,
        noise: Noise,
        *,
        num_steps: int = 28,
        cfg_scale: float = 7.0,
        shift: float = 3.0,
        latent_size: tuple[int, int] | None = None,
    ) -> Tensor:
        """Latents, float32 (B, C, h, w), of captions.

        text_states: (B, L, text_size)  null_states: (1, L, text_size), of the empty caption.
        """
        text = self.embed_text(text_states)
        if cfg_scale > 1:
            text = torch.cat([self.embed_text(null_states).expand_as(text), text])
        sigmas = flow_sigmas(num_steps, shift)
        steps = (sigmas[1:] - sigmas[:-1]).tolist()
        modulations, head_modulations = self.modulations((sigmas[:-1] * NUM_TRAIN_STEPS).to(text.device))
        x_t = noise.normal(self.in_channels, *(latent_size or (self.latent_size, self.latent_size)))
        for i, step in enumerate(steps):
            here = slice(i, i + 1)
            x_t = x_t + step * self.guided_velocity(x_t, text, modulations[here], head_modulations[here], cfg_scale)
        return x_t

    def sample_text(
        self,
        latents: Tensor,
        tokens: Tensor,
        noise: Noise,
        *,
        num_steps: int = 64,
        cached: bool = True,
        ancestral: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """tokens (B, L) with every mask filled, given clean latents (B, C, h, w). The rest is the prompt, and stays.

        Also how often the network was evaluated for each (B,).
        cached: skip the steps that reveal nothing; the texts are the same without, and cost num_steps + 1 evaluations.
        ancestral: draw as the authors do, V uniforms per position and step; the same law, slower (see masked_text).
        """
        tokens, image = tokens.clone(), self.embed_image(latents)
        modulation, _ = self.modulations(torch.zeros(1, device=image.device))

        def predict(rows: Tensor, tokens: Tensor, where: Tensor) -> Tensor:
            features = self.text_features(image[rows], self.encode_text(tokens), modulation)
            return self.text_head(features.flatten(0, 1)[where])

        if ancestral:
            vocab_size = self.text_head.out_features
            rounds = masked_text.ancestral_rounds(tokens, self.mask_id, num_steps, vocab_size, noise)
        else:
            rounds = masked_text.reveal_rounds(tokens, self.mask_id, num_steps, noise, cached=cached)
        evaluations = masked_text.sample(predict, tokens, self.mask_id, rounds)
        return tokens, evaluations

    def network_evaluations(self, *, num_steps: int = 28, cfg_scale: float = 7.0, **settings: Any) -> dict[str, int]:
        """For one image. A caption costs one evaluation of each per step that reveals something."""
        guided = 1 + (cfg_scale > 1)
        return {"denoiser": guided * num_steps, "text_encoder": guided}

    # -- text to images, images to text --------------------------------------------------------------------------------
    @torch.inference_mode()
    def generate(  # type: ignore[override]  # text instead of labels
        self, prompts: Sequence[str] | Tensor, seeds: Sequence[int], **settings: Any
    ) -> Tensor:
        """Images, uint8 (B, 3, H, W), one per prompt; image i depends on `prompts[i]`, `seeds[i]` and the settings.

        prompts: texts, or their states (B + 1, L, text_size), the empty caption's last.
        `settings` override the spec's `sampling`. Raises ValueError where an argument does not fit, FloatingPointError
        where an image comes out NaN or infinite.
        """
        states = prompts if isinstance(prompts, Tensor) else self._states(prompts)
        if len(states) != len(seeds) + 1:
            raise ValueError(f"one seed per prompt: got {len(seeds)} seeds and {len(states) - 1} prompts")
        unknown = set(settings) - set(self.spec.sampling)
        if unknown:
            raise ValueError(f"unknown setting {sorted(unknown)[0]!r}; known: {', '.join(sorted(self.spec.sampling))}")
        noise = SeededNoise(seeds, self.device)
        latents = self.sample_images(states[:-1], states[-1:], noise, **{**self.spec.sampling, **settings})
        return self.finished(self.autoencoder.decode(latents))  # type: ignore[operator]

    def _states(self, prompts: Sequence[str]) -> Tensor:
        """States (B + 1, L, text_size) of the prompts and of the empty caption."""
        if isinstance(prompts, str):
            raise ValueError(f"prompts must be a list of texts, got the text {prompts!r}")
        return self.encode_text(self._encoder().tokenize([*prompts, ""], self.text_length).to(self.device))

    @torch.inference_mode()
    def say(  # type: ignore[override]  # its settings by name
        self,
        images: Tensor,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        num_steps: int = 64,
        cached: bool = True,
        length: int | None = None,
        sample_posterior: bool | None = None,
    ) -> list[Said]:
        """What each image of uint8 (B, 3, H, W) adds to its prompt: an answer to a question, a caption to "".

        num_steps, cached: as in `sample_text`.
        sample_posterior: whether an image's latents are drawn from its KL posterior, by its seed, or are its mean.
        None: drawn, as published. Small models have no KL autoencoder, and nothing is drawn.
        length: tokens of prompt and text together; None is `text_length`, for questions `question_length`. A text ends
        before its first end token, so it may be empty; one without is whole (the authors' script then drops its last
        letter).
        """
        if not len(images) == len(prompts) == len(seeds):
            raise ValueError(f"one prompt and seed per image: got {len(images)}, {len(prompts)} and {len(seeds)}")
        encoder, texts = self._encoder(), [Said("", "end-first", {})] * len(prompts)
        lengths = [length or (self.question_length if prompt else self.text_length) for prompt in prompts]
        for size in sorted(set(lengths)):
            rows = [i for i, of_row in enumerate(lengths) if of_row == size]
            tokens = encoder.tokenize([prompts[i] for i in rows], size).to(self.device)
            asked = (tokens == encoder.end_id).cumsum(1) > 0  # as the authors' script; their pipeline keeps an end
            noise = SeededNoise([seeds[i] for i in rows], self.device)
            pixels, autoencoder = images[rows].to(self.device).float() / 127.5 - 1, self.autoencoder
            is_drawn = isinstance(autoencoder, KLAutoencoder) and sample_posterior is not False
            latents = autoencoder.encode(pixels, noise) if is_drawn else autoencoder.encode(pixels)
            masked = tokens.masked_fill(asked, self.mask_id)
            filled, counts = self.sample_text(latents, masked, noise, num_steps=num_steps, cached=cached)
            for i, row, where, count in zip(rows, filled.cpu(), asked.cpu(), counts.tolist(), strict=True):
                texts[i] = read_said(encoder, row[where], {"denoiser": count, "text_encoder": count})
        return texts

    # -- the authors' layout -------------------------------------------------------------------------------------------
    @classmethod
    def from_official_config(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """From the `config.json` of the released `transformer` folder, or the constructor arguments of its class."""
        return {
            "hidden_size": config["num_attention_heads"] * config["attention_head_dim"],
            "depth": config["num_layers"],
            "num_heads": config["num_attention_heads"],
            "vocab_size": config["vocab_size"],
            "text_size": config["joint_attention_dim"],
            "in_channels": config["in_channels"],
            "patch_size": config["patch_size"],
            "latent_size": config["sample_size"],
            "position_size": config["pos_embed_max_size"],
            "position_base": config["sample_size"] // config["patch_size"],
        }

    @classmethod
    def from_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """diffusers' names; query, key and value of a stream become one projection."""
        state = dict(state)
        for key in list(state):
            found = re.fullmatch(r"(transformer_blocks\.\d+\.attn\.)(to_q|add_q_proj)\.(weight|bias)", key)
            if found:
                parts = [f"{found[1]}{found[2].replace('q', letter)}.{found[3]}" for letter in "qkv"]
                if all(part in state for part in parts):
                    stream = "image" if found[2] == "to_q" else "text"
                    state[f"{found[1]}{stream}_qkv.{found[3]}"] = torch.cat([state.pop(part) for part in parts])
        return rename(state, RENAMED)


BLOCK = r"transformer_blocks\.(\d+)\."
RENAMED = [
    (r"null_image_embd", "null_image"),
    (r"pos_embed\.pos_embed", "pos_embed"),
    (r"pos_embed\.proj\.(.+)", r"patch_embed.\1"),
    (r"time_text_embed\.timestep_embedder\.(.+)", r"time_embed.\1"),
    (r"context_embedder\.(.+)", r"text_embed.\1"),
    (r"image_norm_out\.linear\.(.+)", r"image_modulation.\1"),
    (r"(image|text)_proj_out\.(.+)", r"\1_head.\2"),
    (BLOCK + r"attn\.(image|text)_qkv\.(.+)", r"blocks.\1.\2.qkv.\3"),
    (BLOCK + r"attn\.to_out\.0\.(.+)", r"blocks.\1.image.proj.\2"),
    (BLOCK + r"attn\.to_add_out\.(.+)", r"blocks.\1.text.proj.\2"),
    (BLOCK + r"norm1\.linear\.(.+)", r"blocks.\1.image.modulation.\2"),
    (BLOCK + r"norm1_context\.linear\.(.+)", r"blocks.\1.text.modulation.\2"),
    (BLOCK + r"ff\.net\.0\.proj\.(.+)", r"blocks.\1.image.mlp.fc1.\2"),
    (BLOCK + r"ff\.net\.2\.(.+)", r"blocks.\1.image.mlp.fc2.\2"),
    (BLOCK + r"ff_context\.net\.0\.proj\.(.+)", r"blocks.\1.text.mlp.fc1.\2"),
    (BLOCK + r"ff_context\.net\.2\.(.+)", r"blocks.\1.text.mlp.fc2.\2"),
]
