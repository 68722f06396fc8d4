"""The authors' own files, small: a parity case has their layout, their keys and their configuration."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

import reference_models
from reference_models.parity import load_case
from reference_models.sizes.autoencoders import AUTOENCODERS
from tests.command_line import write
from tests.paths import DATA

LIKE = {  # case -> a paper-size model of the same class
    "transdiff": "transdiff-b",
    "transdiff-mrar": "transdiff-mrar-b",
    "mar": "mar-b",
    "dit": "dit-xl-2",
    "sit": "sit-xl-2",
    "llamagen": "llamagen-b",
    "var": "var-d16",
    "d-dit": "d-dit-512",
}
BLOCK = re.compile(r"\.\d+\.")


def small(name):
    """(a Spec of the case's size, the authors' state dict)."""
    case = load_case(DATA / f"{name}.safetensors")
    like = reference_models.find(LIKE[name])
    spec = replace(like, name=f"{name}-case", config=like.network.load().from_official_config(case.config))
    state = case.weights()
    for key in ("pos_embed", "pos_embed.pos_embed"):  # fixed tables, which the files hold
        if key in state:
            tables = case if "out.pos_embed" in case.tensors else load_case(DATA / "dit.safetensors")  # SiT's is DiT's
            state[key] = tables["out.pos_embed"]
    return spec, state


def paper_size(name, case_name):
    """The shapes in the authors' file of a model of a paper's size, by their names, which a case of the family tells.

    For families of which each name of theirs is one of ours.
    """
    network = reference_models.find(name).network.load()
    theirs = load_case(DATA / f"{case_name}.safetensors").keys
    by_number = dict(enumerate(theirs))
    numbered = network.from_official_state({key: torch.tensor(float(i)) for i, key in by_number.items()})
    name_by_ours = {key: by_number[int(value)] for key, value in numbered.items()}
    shapes = {}
    for key, value in reference_models.build(name, device="meta", weights=None).state_dict().items():
        block = BLOCK.search(key)  # deeper than the case: every block has the names of the first
        first = BLOCK.sub(".0.", key, count=1)
        shapes[BLOCK.sub(block[0] if block else "", name_by_ours[first], count=1)] = value.shape
    return shapes


# -- a released folder of D-DiT ----------------------------------------------------------------------------------------

PIPELINE_IMAGE_SIZE = 64
SCALE, SHIFT = 1.5305, 0.0609  # of SD3's latents
PROMPTS = ["a red seven", "two dogs"]


def write_pipeline(folder):
    """transformer, vae, text_encoder, tokenizer and model_index.json in `folder`, written by diffusers and
    transformers; the test is skipped where they are not installed."""
    reason = "pip install 'arbiter-bench[official]'"
    diffusers = pytest.importorskip("diffusers", reason=reason)
    transformers = pytest.importorskip("transformers", reason=reason)
    tokenizers = pytest.importorskip("tokenizers", reason=reason)
    torch.manual_seed(0)
    config = load_case(DATA / "d-dit.safetensors").config
    _, state = small("d-dit")
    (folder / "transformer").mkdir()
    write(folder / "transformer" / "config.json", {"_class_name": "SD3JointModelFlexible", **config})
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    diffusers.AutoencoderKL(
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=config["in_channels"],
        use_quant_conv=False,
        use_post_quant_conv=False,
        scaling_factor=SCALE,
        shift_factor=SHIFT,
    ).save_pretrained(folder / "vae")
    t5 = transformers.T5Config(
        vocab_size=128, d_model=config["joint_attention_dim"], d_kv=8, d_ff=32, num_layers=2, num_heads=2
    )  # more rows than tokens, as T5's own
    transformers.T5EncoderModel(t5).save_pretrained(folder / "text_encoder")
    words = ["<pad>", "</s>", "<unk>", *" ".join(PROMPTS).split(), "Q", ":", "A", "?", "what"]
    words += [f"word{i}" for i in range(config["vocab_size"] - 1 - len(words))] + ["<extra_id_0>"]
    level = tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    tokenizer = tokenizers.Tokenizer(level)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", additional_special_tokens=["<extra_id_0>"]
    ).save_pretrained(folder / "tokenizer")
    write(folder / "model_index.json", {"_class_name": "DualDiffSD3Pipeline"})
    return folder


def use_pipeline(patch):
    """`d-dit-512` alone exists, and it and SD3's VAE have the sizes of that folder."""
    spec, _ = small("d-dit")
    spec = replace(spec, name="d-dit-512", image_size=PIPELINE_IMAGE_SIZE)
    patch.setattr(reference_models, "specs", lambda: {spec.name: spec})
    sizes = {**AUTOENCODERS["sd3-vae"].config, "channels": 32, "channel_mult": (1, 1, 1, 1)}
    patch.setitem(AUTOENCODERS, "sd3-vae", replace(AUTOENCODERS["sd3-vae"], config=sizes))
