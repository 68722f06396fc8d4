"""D-DiT from a small folder in the released layout: three tasks by the same commands, parts equal to the libraries'."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import reference_models
from reference_models.noise import SeededNoise
from tests.command_line import bench, complains, write
from tests.official import PIPELINE_IMAGE_SIZE as IMAGE_SIZE
from tests.official import PROMPTS, SCALE, SHIFT, use_pipeline, write_pipeline

NAME = "d-dit-512"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """transformer, vae, text_encoder, tokenizer and model_index.json, written by diffusers and transformers."""
    return write_pipeline(tmp_path_factory.mktemp("released"))


@pytest.fixture
def released(saved, monkeypatch):
    """The folder, with the sizes of `d-dit-512` and of SD3's VAE made those of its parts."""
    use_pipeline(monkeypatch)
    return saved


def copied(folder, to):
    """A copy with links in place of files, so that one part can be changed."""
    for file in folder.rglob("*"):
        if file.is_file():
            place = to / file.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file)
    return to


def replaced(path, content):
    path.unlink()
    path.write_bytes(content)


@pytest.mark.slow  # imports diffusers and transformers
def test_the_folder_brings_its_own_autoencoder_and_text_encoder(released):
    """Text states are those of transformers' T5, images those that diffusers' VAE decodes, within a grey level."""
    import diffusers
    import transformers

    model = reference_models.load_official(NAME, released)
    t5 = transformers.T5EncoderModel.from_pretrained(released / "text_encoder").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(released / "tokenizer")
    vae = diffusers.AutoencoderKL.from_pretrained(released / "vae").eval()
    ids = [[*tokenizer(text).input_ids] for text in [*PROMPTS, ""]]
    padded = torch.tensor([row + [tokenizer.eos_token_id] * (model.text_length - len(row)) for row in ids])
    settings = {"num_steps": 3, "cfg_scale": 2.0, "shift": 3.0}
    with torch.inference_mode():
        states = t5(padded)[0]
        torch.testing.assert_close(model.encode_text(padded), states)
        latents = model.sample_images(states[:-1], states[-1:], SeededNoise([1, 2]), **settings)
        drawn = vae.decode(latents / SCALE + SHIFT).sample.clamp(-1, 1)
        posterior = vae.encode(drawn).latent_dist.mean
        torch.testing.assert_close(model.autoencoder.encode(drawn), (posterior - SHIFT) * SCALE, rtol=1e-4, atol=1e-4)
    images = model.generate(PROMPTS, [1, 2], **settings)
    assert images.shape == (2, 3, IMAGE_SIZE, IMAGE_SIZE)
    assert (images.float() - (drawn * 127.5 + 127.5)).abs().max() <= 1


@pytest.mark.slow
def test_three_tasks_by_the_same_commands(capsys, released, tmp_path):
    """Generate from prompts, caption them, answer (in bfloat16) questions about it; the scorers read both."""
    fixed = ("--weights", released, "--device", "cpu")
    write(tmp_path / "prompts.txt", "\n".join(PROMPTS) + "\n")
    images = tmp_path / "images"
    status, _, err = bench(capsys, "generate", NAME, "--prompts", tmp_path / "prompts.txt", "--out", images, *fixed)
    assert status == 0, err
    drawn = [np.asarray(Image.open(images / f"{i:06d}.png")) for i in range(2)]
    assert [image.shape for image in drawn] == [(IMAGE_SIZE, IMAGE_SIZE, 3)] * 2
    assert not np.array_equal(*drawn)
    listed = [{"file_name": f"{i:06d}.png", "prompt": prompt} for i, prompt in enumerate(PROMPTS)]
    assert json.loads((images / "prompts.json").read_text()) == listed

    names = [{"id": i, "file_name": f"{i:06d}.png"} for i in range(2)]
    references = [{"image_id": i, "id": i, "caption": prompt} for i, prompt in enumerate(PROMPTS)]
    captions = write(tmp_path / "captions.json", {"images": names, "annotations": references})
    out = ("--images", images, "--steps", 4, *fixed, "--out")
    status, _, err = bench(capsys, "caption", NAME, "--annotations", captions, *out, tmp_path / "said.json")
    assert status == 0, err
    said = json.loads((tmp_path / "said.json").read_text())
    assert [entry["image_id"] for entry in said] == [0, 1]
    assert all(entry["finish"] in ("end", "length", "end-first") for entry in said)
    assert all("<" not in entry["caption"] for entry in said)
    mean = ("--annotations", captions, "--mean-latents", *out, tmp_path / "mean.json")
    assert bench(capsys, "caption", NAME, *mean)[0] == 0
    settings = [json.loads((tmp_path / f"{name}.made-by.json").read_text())["settings"] for name in ("said", "mean")]
    assert settings[1] == {**settings[0], "sample_posterior": False}

    asked = [
        {"question_id": i, "image_id": i, "file_name": names[i]["file_name"], "question": "what ?"} for i in (0, 1)
    ]
    ten = [{"question_id": i, "answers": [{"answer": "two"}] * 10} for i in (0, 1)]
    questions = write(tmp_path / "q.json", {"questions": asked})
    answers = write(tmp_path / "a.json", {"annotations": ten})
    half = ("--dtype", "bfloat16")
    status, _, err = bench(capsys, "answer", NAME, "--questions", questions, *half, *out, tmp_path / "answers.json")
    assert status == 0, err
    assert json.loads((tmp_path / "answers.made-by.json").read_text())["first_prompt"].startswith("Q: what ? Answer")
    call = ("score", "vqa", tmp_path / "answers.json", "--questions", questions, "--annotations", answers)
    assert bench(capsys, *call)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("part", ["text_encoder", "tokenizer", "vae"])
def test_a_damaged_part_is_one_line(capsys, released, tmp_path, part):
    """Weights that lack, another model's tokenizer, a VAE cut short: status 1, never random weights in their place."""
    folder = copied(released, tmp_path / "copy")
    if part == "text_encoder":
        path = folder / part / "model.safetensors"
        state = load_file(path)
        del state["encoder.block.0.layer.0.SelfAttention.q.weight"]
        path.unlink()
        save_file(state, path, metadata={"format": "pt"})
        message = "1 keys of its text encoder missing (encoder.block.0.layer.0.SelfAttention.q.weight)"
    elif part == "tokenizer":
        path = folder / part / "tokenizer.json"
        replaced(path, path.read_text().replace("<extra_id_0>", "<extra_id_1>").encode())
        path = folder / part / "tokenizer_config.json"
        replaced(path, path.read_text().replace("<extra_id_0>", "<extra_id_1>").encode())
        message = "its tokenizer has no <extra_id_0> as the last of its tokens"
    else:
        path = folder / part / "diffusion_pytorch_model.safetensors"
        replaced(path, path.read_bytes()[:1000])
        message = "diffusion_pytorch_model.safetensors: cannot be read"
    prompts = write(tmp_path / "prompts.txt", "two\n")
    call = ("generate", NAME, "--prompts", prompts, "--out", tmp_path / "out", "--weights", folder, "--device", "cpu")
    status, _, err = bench(capsys, *call)
    assert status == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith("bench: weights")
    assert message in last
    assert "Traceback" not in err


@pytest.mark.slow
def test_without_transformers_it_says_what_to_install(capsys, released, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    prompts = write(tmp_path / "prompts.txt", "two\n")
    call = ("generate", NAME, "--prompts", prompts, "--out", tmp_path / "out", "--weights", released, "--device", "cpu")
    assert "pip install 'arbiter-bench[official]'" in complains(capsys, *call)
