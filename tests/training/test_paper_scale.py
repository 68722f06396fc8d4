"""Training at paper size, on tiny models: how the work is shared out changes nothing but roundings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from bench.errors import UsageError
from bench.training.paper_scale import Layout
from bench.training.recipes import PUBLISHED_BY_FAMILY, published
from reference_models import find
from tests.paths import ROOT
from tests.training.tiny_paper import CONFIGS, train_tiny

# Sums of float32 gradients in another order differ by some 1e-7 of themselves. Most weights then differ by 3e-8; the
# worst are biases of keys, which softmax does not see: their gradient is rounding alone, and AdamW divides it by its
# own size (measured: 1.2e-6). A wrong or missing gradient moves a weight by about the learning rate, 1e-3.
TOLERANCE = 1e-5


def assert_equal_but_for_rounding(one, other):
    for key, value in one.items():
        torch.testing.assert_close(
            value, other[key], rtol=0, atol=TOLERANCE, msg=lambda text, key=key: f"{key}: {text}"
        )


@pytest.fixture(scope="module")
def whole():
    """Each model as one process trains it, whole batches at a time."""
    return {name: train_tiny(name) for name in CONFIGS}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_batch_in_two_parts_is_one_batch(whole, name):
    ema, progress = train_tiny(name, layout=Layout(accumulate=2))
    assert_equal_but_for_rounding(whole[name][0].state_dict(), ema.state_dict())
    assert progress.losses == pytest.approx(whole[name][1].losses, rel=1e-6)


def test_two_processes_are_one(whole, tmp_path):
    """Of the same batch; joined by gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    out = tmp_path / "trained.pt"
    command = [sys.executable, "-m", "tests.training.tiny_paper", str(out)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]
    try:
        assert [process.wait(300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    for name, (state, losses) in torch.load(out).items():
        assert_equal_but_for_rounding(whole[name][0].state_dict(), state)
        assert losses == pytest.approx(whole[name][1].losses, rel=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_an_interrupted_training_ends_in_the_same_weights(whole, tmp_path, name):
    class Killed(Exception):
        pass

    def kill(progress):
        if progress.step == 3:
            raise Killed

    options = {"checkpoint": tmp_path / "run.checkpoint", "checkpoint_every_s": 0}
    with pytest.raises(Killed):
        train_tiny(name, report=kill, **options)
    ema, progress = train_tiny(name, **options)
    assert progress.losses == whole[name][1].losses
    assert all(torch.equal(value, ema.state_dict()[key]) for key, value in whole[name][0].state_dict().items())


def test_a_checkpoint_of_another_precision_is_refused(tmp_path):
    options = {"checkpoint": tmp_path / "run.checkpoint"}
    train_tiny("dit-b-2", num_steps=1, **options)
    with pytest.raises(ValueError, match="another recipe or seed"):
        train_tiny("dit-b-2", num_steps=1, precision="bfloat16", **options)


@pytest.mark.parametrize("name", CONFIGS)
def test_bfloat16_trains_float32_weights_to_nearly_the_same_losses(whole, name):
    ema, progress = train_tiny(name, precision="bfloat16")
    assert ema.dtype == torch.float32
    assert progress.losses != whole[name][1].losses
    assert progress.losses == pytest.approx(whole[name][1].losses, rel=2**-7)  # bfloat16 has 8 bits


def test_another_seed_is_another_training(whole):
    assert train_tiny("mar-b", num_steps=1, seed=1)[1].losses != whole["mar-b"][1].losses[:1]


@pytest.mark.parametrize("world_size", [1, 2, 4])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_parts_of_all_processes_hold_each_sample_once(world_size, accumulate):
    parts = [part for rank in range(world_size) for part in Layout(rank, world_size, accumulate).parts(16)]
    assert [sample for part in parts for sample in part] == list(range(16))
    assert len(parts) == world_size * accumulate


def test_a_batch_that_cannot_be_shared_out_is_refused():
    with pytest.raises(
        UsageError, match=r"--batch-size 20: expected a multiple of 24 \(2 processes x --accumulate 3 x 4"
    ):
        Layout(0, 2, 3).check(20, 4)


def test_the_published_recipe_of_transdiff_in_steps():
    """README of TransDiff: 800 epochs, warm-up of 100, base rate 1e-4 for 256 images, batches of 64 x 32."""
    recipe = PUBLISHED_BY_FAMILY["transdiff"].recipe(1_281_167)
    assert recipe.batch_size == 2048
    assert recipe.num_steps == 800 * 625
    assert recipe.lr == pytest.approx(1e-4 * 2048 / 256)
    assert recipe.learning_rate(62_499) == recipe.learning_rate(400_000) == recipe.lr
    assert recipe.learning_rate(31_249) == pytest.approx(recipe.lr / 2)
    assert PUBLISHED_BY_FAMILY["transdiff"].recipe(1_281_167, batch_size=256).lr == pytest.approx(1e-4)
    assert recipe.ema_decay_at(0) == 0.9999


def test_the_published_recipe_of_mar_in_steps():
    """README: 32 x 64 images, base rate 1e-4 for 256, 4 draws; appendix B: 800 epochs, warm-up of 100."""
    recipe = PUBLISHED_BY_FAMILY["mar"].recipe(1_281_167)
    assert (recipe.batch_size, recipe.num_steps, recipe.warmup_steps) == (2048, 800 * 625, 100 * 625)
    assert recipe.lr == recipe.learning_rate(recipe.num_steps - 1) == pytest.approx(1e-4 * 2048 / 256)
    assert (recipe.draws_per_image, recipe.decay_on, recipe.grad_clip) == (4, "matrices", 3.0)
    assert recipe.betas == (0.9, 0.95)


def test_a_step_of_mrar_takes_2048_rows_of_four():
    """64 processes x 16 rows x 2 parts in its README; its data set's items are rows of four images."""
    recipe = PUBLISHED_BY_FAMILY["transdiff-mrar"].recipe(1_281_167)
    assert recipe.batch_size / find("transdiff-mrar-l").network.load().images_per_sample == 64 * 16 * 2
    assert recipe.lr == 5e-5  # given as such, so that it follows no batch size
    assert PUBLISHED_BY_FAMILY["transdiff-mrar"].recipe(1_281_167, batch_size=64).lr == 5e-5


def test_the_draws_of_a_recipe_are_those_of_the_loss():
    """Of MAR too, whose losses at one and at four draws of t and noise differ."""
    losses = [train_tiny("mar-b", num_steps=1, draws_per_image=draws)[1].losses for draws in (1, 4)]
    assert losses[0] != losses[1]
    assert losses[1] == train_tiny("mar-b", num_steps=1)[1].losses


@pytest.mark.parametrize("family", PUBLISHED_BY_FAMILY)
def test_a_recipe_names_its_source_and_what_is_not_done_here(family):
    how = PUBLISHED_BY_FAMILY[family]
    assert how.words[0].startswith("recipe: ")
    assert ("random crops" in how.left_out) is family.startswith("transdiff")
    assert how.recipe(1000).dropout == (0 if family in ("dit", "sit") else 0.1)


def test_dropout_is_in_the_training_and_not_in_what_it_makes():
    """Of the same draws, without it the last loss is another (the first ones are of a head that starts at zero). What
    was trained with it drops nothing afterwards: its loss is a number of the weights and the draws."""
    with_it, without = (train_tiny("mar-b", dropout=rate) for rate in (0.1, 0.0))
    assert with_it[1].losses[-1] != without[1].losses[-1]
    assert with_it[1].losses == train_tiny("mar-b")[1].losses
    latents, labels, order = torch.randn(1, 4, 4, 4), torch.zeros(1, dtype=torch.long), torch.randperm(16)[None]
    draws = (order, torch.full((1, 1, 8), 500), torch.randn(1, 1, 8, with_it[0].token_size))
    assert with_it[0].loss(latents, labels, *draws) == with_it[0].loss(latents, labels, *draws)


def test_mrar_draws_twice_and_dit_decays_nothing():
    assert PUBLISHED_BY_FAMILY["transdiff-mrar"].recipe(1000).draws_per_image == 2
    assert PUBLISHED_BY_FAMILY["dit"].recipe(1000).weight_decay == 0
    assert PUBLISHED_BY_FAMILY["dit"].recipe(1000).betas == (0.9, 0.999)


@pytest.mark.parametrize("name", ["llamagen-b", "var-d16", "d-dit-512", "transdiff-l-512", "dit-xl-2-512"])
def test_a_model_without_a_loop_is_refused(name):
    with pytest.raises(UsageError, match=r"cannot be trained here: .*there is a loop for transdiff, "):
        published(find(name))
