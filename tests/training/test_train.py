"""The training loop: deterministic, resumable, and it counts images fairly."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from reference_models.training import Recipe, batch_indices, train

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
