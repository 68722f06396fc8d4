"""The training loop: deterministic, resumable, and it counts images fairly."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from bench.training.train import checkpoint_path, model_job, write_weights
from reference_models.checkpoints import read_state
from reference_models.errors import CheckpointError
from reference_models.spec import Recipe
from reference_models.training import batch_indices, decay_groups, train

RECIPE = Recipe(num_steps=12, batch_size=8, warmup_steps=3)
LABELS = torch.arange(40) % 10
DATA = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))


class Killed(Exception):
    pass


def make() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(6, 6)


def run(seed=0, recipe=RECIPE, checkpoint=None, kill_at=None):
    model = make()

    def loss(indices, generator):
        noise = torch.randn(len(indices), 6, generator=generator)
        return (model(DATA[indices] + noise) - DATA[indices]).square().mean()

    def report(progress):
        if progress.step == kill_at:
            raise Killed

    return train(model, loss, LABELS, recipe, seed=seed, checkpoint=checkpoint, checkpoint_every_s=0, report=report)


def test_same_seed_same_weights_and_another_seed_others():
    one, two, other = run()[0], run()[0], run(seed=1)[0]
    assert torch.equal(one.weight, two.weight)
    assert not torch.equal(one.weight, other.weight)


@pytest.mark.parametrize("kill_at", [2, 7])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path, kill_at):
    whole, curve = run()
    checkpoint = tmp_path / "run.checkpoint"
    with pytest.raises(Killed):
        run(checkpoint=checkpoint, kill_at=kill_at)
    resumed, resumed_curve = run(checkpoint=checkpoint)
    assert torch.equal(whole.weight, resumed.weight)
    assert torch.equal(whole.bias, resumed.bias)
    assert curve.losses == resumed_curve.losses


def test_a_checkpoint_of_another_seed_is_refused(tmp_path):
    checkpoint = tmp_path / "run.checkpoint"
    run(checkpoint=checkpoint)
    with pytest.raises(ValueError, match="another recipe or seed"):
        run(seed=1, checkpoint=checkpoint)


def test_every_image_is_seen_once_per_epoch():
    seen = torch.cat([batch_indices(0, step, 8, LABELS) for step in range(5)])
    assert torch.equal(seen.sort().values, torch.arange(40))


def test_rows_of_images_are_different_images_of_one_class():
    rows = batch_indices(0, 3, 64, LABELS, images_per_sample=4)
    assert rows.shape == (16, 4)
    assert (LABELS[rows] == LABELS[rows][:, :1]).all()
    assert all(len(set(row.tolist())) == 4 for row in rows)


def test_the_learning_rate_warms_up_and_decays_to_a_tenth():
    recipe = replace(RECIPE, num_steps=100, warmup_steps=10, lr=1.0)
    rates = [recipe.learning_rate(step) for step in range(100)]
    assert rates[9] == pytest.approx(1.0)
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1, abs=1e-3)  # the cosine's last step is one short of its end


def test_a_flipped_bit_in_a_checkpoint_is_an_error(tmp_path):
    """Wherever it lies: other weights are never trained on."""
    checkpoint = tmp_path / "run.checkpoint"
    run(checkpoint=checkpoint)
    whole = checkpoint.read_bytes()
    for position in range(0, len(whole), len(whole) // 23):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        checkpoint.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"run\.checkpoint cannot be read"):
            run(checkpoint=checkpoint)
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]  # no temporary file stays


def test_a_changed_byte_in_weights_that_were_trained_is_found(tmp_path):
    """Wherever it lies, weights, names or the history beside them: no other pictures under the same name."""
    out = tmp_path / "w.safetensors"
    write_weights(make(), out, {"model": "toy", "recipe": "{}"}, stored="bfloat16")
    whole, state, found = out.read_bytes(), read_state(out), 0
    assert state["weight"].dtype == torch.bfloat16
    for position in range(len(whole)):
        out.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        try:
            taken = read_state(out)
        except CheckpointError:
            found += 1
        else:  # the name of the checksum itself
            assert taken.keys() == state.keys()
            assert all(torch.equal(taken[key], state[key]) for key in state)
    assert found >= len(whole) - len("content_sha256")


def test_trainings_into_one_file_share_no_checkpoint(tmp_path):
    """Other model, seed or recipe: another name; and files that differ after a dot are other files."""
    names = {
        checkpoint_path(name, seed, recipe, tmp_path / out).name
        for name in ("dit-digits", "sit-digits")
        for seed in (0, 1)
        for recipe in (RECIPE, replace(RECIPE, num_steps=1))
        for out in ("m.v1", "m.v2")
    }
    assert len(names) == 16


def test_weight_decay_spares_what_the_authors_spare():
    """With "matrices" no vector decays, nor what a model names; with "all" everything does."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2), torch.nn.Linear(2, 2))
    model.undecayed = ("2.",)
    decayed, free = decay_groups(model, replace(RECIPE, weight_decay=0.1, decay_on="matrices"))
    assert [p.shape for p in decayed["params"]] == [(2, 3)]
    assert (decayed["weight_decay"], free["weight_decay"], len(free["params"])) == (0.1, 0.0, 5)
    (everything,) = decay_groups(model, RECIPE)
    assert len(everything["params"]) == 6


# As the loop gave them when the shipped weights' recipes were fixed. Other processors round otherwise: hence 1e-4.
FIRST_LOSSES = {
    "transdiff-digits": [1.712277, 1.735626, 1.716494],
    "transdiff-mrar-digits": [1.026700, 1.188384, 1.078996],
    "mar-digits": [1.434239, 1.011694, 3.658355],
}


@pytest.mark.parametrize("name", FIRST_LOSSES)
def test_digits_models_train_as_they_always_have(name):
    """The same images, draws and steps as the shipped weights were made with."""
    job = model_job(name, 0, "cpu")
    job.model.requires_grad_(True)
    recipe = replace(job.recipe, num_steps=3)
    _, progress = train(job.model, job.loss, job.labels, recipe, seed=3, images_per_sample=job.images_per_sample)
    assert progress.losses == pytest.approx(FIRST_LOSSES[name], rel=1e-4)


def test_the_images_of_a_step_are_those_of_always():
    labels = torch.arange(1000) % 10
    assert batch_indices(1, 20, 64, labels)[:4].tolist() == [520, 229, 265, 234]
    assert batch_indices(1, 20, 64, labels, 4)[3].tolist() == [181, 591, 951, 611]
