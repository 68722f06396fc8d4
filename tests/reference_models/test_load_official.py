"""`load_official` on files in the authors' real formats, small: written from the parity cases' own layouts."""

from __future__ import annotations

import argparse
import json

import pytest
import torch
from safetensors.torch import save_file

import reference_models
from reference_models.errors import CheckpointError
from tests.official import LIKE, paper_size, small


@pytest.fixture
def only(monkeypatch):
    def install(*specs):
        monkeypatch.setattr(reference_models, "specs", lambda: {spec.name: spec for spec in specs})

    return install


@pytest.mark.parametrize("name", sorted(LIKE))
def test_every_family_loads_its_authors_layout(name, only, tmp_path):
    """Every key used, every parameter filled: the loaded weights are the converted ones."""
    spec, state = small(name)
    only(spec)
    if name == "d-dit":  # diffusers: shards and an index
        folder = tmp_path / "transformer"
        folder.mkdir()
        keys, shard = sorted(state), "diffusion_pytorch_model-{}-of-00002.safetensors"
        halves = keys[: len(keys) // 2], keys[len(keys) // 2 :]
        for number, half in enumerate(halves, 1):
            save_file({key: state[key].contiguous() for key in half}, folder / shard.format(f"{number:05d}"))
        index = {key: shard.format(f"{number:05d}") for number, half in enumerate(halves, 1) for key in half}
        (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
        path = tmp_path
    else:
        path = tmp_path / "checkpoint-last.pth"
        wrapped = {"model_ema": state, "model": {key: value * 0 for key, value in state.items()}}
        bare = name in ("var", "dit")
        torch.save(state if bare else {**wrapped, "args": argparse.Namespace(lr=1e-4)}, path)
    model = reference_models.load_official(spec.name, path)
    converted = spec.network.load().from_official_state(state)
    loaded = model.state_dict()
    assert loaded.keys() == converted.keys()
    assert all(torch.equal(loaded[key], converted[key]) for key in loaded)


def test_what_a_file_of_var_holds_beside_its_weights_is_left_out(only, tmp_path):
    """The level of each position, and the mask of training's attention: minus infinity where a scale may not look."""
    spec, state = small("var")
    only(spec)
    level = torch.cat([torch.full((side**2,), i) for i, side in enumerate(spec.config["scales"])])[None, :, None]
    mask = torch.where(level >= level.mT, 0.0, -torch.inf)[:, None]
    torch.save(state | {"lvl_1L": level[..., 0], "attn_bias_for_masking": mask}, tmp_path / "var_d16.pth")
    loaded = reference_models.load_official(spec.name, tmp_path / "var_d16.pth").state_dict()
    converted = spec.network.load().from_official_state(state)
    assert loaded.keys() == converted.keys()
    assert all(torch.equal(loaded[key], converted[key]) for key in loaded)


def test_the_shapes_of_a_file_of_paper_size_are_those_of_its_model():
    """What the benchmark of loading writes (tests/benchmarks/test_time_loading.py)."""
    theirs = {key: torch.empty(shape, device="meta") for key, shape in paper_size("transdiff-b", "transdiff").items()}
    ours = reference_models.find("transdiff-b").network.load().from_official_state(theirs)
    own = reference_models.build("transdiff-b", device="meta", weights=None).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in own.items()}


def test_plain_weights_are_loaded_on_request(only, tmp_path):
    spec, state = small("transdiff")
    only(spec)
    plain = {key: value + 1 for key, value in state.items()}
    torch.save({"model_ema": state, "model": plain}, tmp_path / "w.pth")
    model = reference_models.load_official(spec.name, tmp_path / "w.pth", ema=False)
    assert torch.equal(model.state_dict()["label_embed.weight"], plain["class_emb.weight"])


def test_a_file_of_another_model_lists_keys_and_names_the_model_that_fits(only, tmp_path):
    spec, state = small("transdiff")
    other, _ = small("mar")
    only(spec, other)
    torch.save({"model": state}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as caught:
        reference_models.load_official(other.name, tmp_path / "w.pth")
    message = str(caught.value)
    assert "missing" in message
    assert "unexpected" in message
    assert "it fits transdiff-case" in message
    assert "\n" not in message


def test_a_missing_parameter_is_an_error(only, tmp_path):
    spec, state = small("dit")
    only(spec)
    state.pop("final_layer.linear.bias")
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="1 keys missing"):
        reference_models.load_official(spec.name, tmp_path / "w.pt")
