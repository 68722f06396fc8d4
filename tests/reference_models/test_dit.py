"""DiT and SiT: agreement with the authors' numbers, and what must hold of any diffusion sampler."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from reference_models import find
from reference_models.checkpoints import load_into
from reference_models.dit import DiffusionTransformer, DiT
from reference_models.errors import CheckpointError
from reference_models.layers import gelu_tanh
from reference_models.noise import SeededNoise
from reference_models.parity import check, load_case
from reference_models.sit import SiT
from reference_models.sizes import dit, sit
from reference_models.spec import Spec
from tests.paths import DATA

EVERY_SAMPLER = [
    (DiT, {"num_steps": 6}),
    (SiT, {"num_steps": 6}),
    (SiT, {"num_steps": 6, "sampler": "euler"}),
    (SiT, {"num_steps": 4, "sampler": "heun"}),
    (SiT, {"sampler": "dopri5"}),
]
every_sampler = pytest.mark.parametrize(
    ("network", "settings"), EVERY_SAMPLER, ids=["dit", "sde", "euler", "heun", "dopri5"]
)


def tiny(network: type[DiffusionTransformer], **changes: float) -> DiffusionTransformer:
    """A small model with random weights: as it is born, it predicts 0."""
    config = {"latent_size": 4, "patch_size": 2, "hidden_size": 32, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = network(**{**config, **changes}).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.normal_(std=0.1, generator=generator)
    return model


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("dit", {"out.pos_embed", "out.prediction", "out.latents", "out.loss"}),
        ("sit", {"out.velocity", "out.latents_ode_euler", "out.latents_sde", "out.loss"}),
    ],
)
def test_parity(name: str, outputs: set[str]):
    """Predictions, guided samples and losses agree with the authors' code to 1e-4."""
    comparisons = list(check(load_case(DATA / f"{name}.safetensors")))
    assert {c.output for c in comparisons} == outputs
    assert all(c.ok for c in comparisons), comparisons


@pytest.mark.parametrize("spec", [*dit.SPECS, *sit.SPECS], ids=lambda spec: spec.name)
def test_sizes(spec: Spec):
    """Parameters and multiply-adds are those that the papers print; the digits models have 0.6 million parameters.

    Parameters to the million printed. The paper counts 0.02 % more multiply-adds than there are in matrix products.
    """
    with torch.device("meta"):
        model = spec.network(**spec.config).to("meta")
        arguments = torch.empty(1, *model.latent_shape), torch.empty(1), torch.empty(1, dtype=torch.int64)
    count = sum(parameter.numel() for parameter in model.parameters())
    if spec.num_params is None:
        assert count == pytest.approx(0.6e6, rel=0.02)
    else:
        assert abs(count - spec.num_params) <= 0.5e6
    if spec.gflops is not None:
        with FlopCounterMode(display=False) as counter:
            model(*arguments)
        rounding = 0.5 if spec.gflops == int(spec.gflops) else 0.005  # SiT's README prints whole numbers
        assert abs(counter.get_total_flops() / 2e9 - spec.gflops) <= rounding + 5e-4 * spec.gflops


@every_sampler
@pytest.mark.parametrize("cfg_scale", [1.0, 4.0])
def test_an_image_does_not_depend_on_its_batch(network: type[DiffusionTransformer], settings: dict, cfg_scale: float):
    """Same seed and label, same latents, alone or among others, to 1e-4: a hundredth of a grey level."""
    model, labels, seeds = tiny(network), torch.tensor([3, 1, 1, 0]), [7, 8, 9, 10]
    together = model.sample(labels, SeededNoise(seeds), cfg_scale=cfg_scale, **settings)
    alone = [
        model.sample(labels[i : i + 1], SeededNoise(seeds[i : i + 1]), cfg_scale=cfg_scale, **settings)
        for i in range(4)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)
    assert (together[1] - together[2]).abs().max() > 0.1  # same class, another seed


@every_sampler
def test_without_guidance_the_null_class_is_not_looked_at(network: type[DiffusionTransformer], settings: dict):
    """cfg_scale = 1 is the conditional model: a null class of NaN changes nothing; and it is the limit of guidance."""
    model, labels = tiny(network), torch.arange(5)
    plain = model.sample(labels, SeededNoise(range(5)), cfg_scale=1.0, **settings)
    nearly = model.sample(labels, SeededNoise(range(5)), cfg_scale=1 + 1e-6, **settings)
    torch.testing.assert_close(plain, nearly, atol=1e-4, rtol=1e-4)
    model.label_embed.weight[-1] = torch.nan
    assert torch.equal(plain, model.sample(labels, SeededNoise(range(5)), cfg_scale=1.0, **settings))


@pytest.mark.parametrize("network", [DiT, SiT])
def test_guidance_acts_on_the_first_channels(network: type[DiffusionTransformer]):
    """Guided = null + scale (conditional - null) in the first three channels; all others are the conditional ones."""
    model, x, labels, t = tiny(network), normal(2, 4, 4, 4), torch.tensor([0, 1]), torch.tensor([0.3])
    guided = model.predict(x, next(model.modulations(t, labels, 4.0)), 4.0)
    conditional = model(x, t.expand(2), labels)
    null = model(x, t.expand(2), torch.full_like(labels, model.num_classes))
    torch.testing.assert_close(guided[:, :3], (null + 4 * (conditional - null))[:, :3])
    torch.testing.assert_close(guided[:, 3:], conditional[:, 3:])


@every_sampler
@pytest.mark.parametrize("cfg_scale", [1.0, 1.5])
def test_network_evaluations_are_those_made(network: type[DiffusionTransformer], settings: dict, cfg_scale: float):
    model, passes = tiny(network), []
    predict = model.predict

    def counting(x: torch.Tensor, modulation: torch.Tensor, scale: float) -> torch.Tensor:
        passes.append(len(modulation) // len(x))
        return predict(x, modulation, scale)

    model.predict = counting
    model.sample(torch.tensor([0, 1]), SeededNoise([0, 1]), cfg_scale=cfg_scale, **settings)
    if settings.get("sampler") == "dopri5":
        assert find("sit-digits").network.chooses_steps(**settings)
        with pytest.raises(ValueError, match="chooses its own steps"):
            model.network_evaluations(cfg_scale=cfg_scale, **settings)
        counted = model.counted_evaluations([0, 1], [0, 1], cfg_scale=cfg_scale, rtol=1e-3, atol=1e-6, **settings)
        assert max(counted["network"]) == sum(passes[: len(passes) // 2]), "the slowest image is as slow as its batch"
    else:
        assert not find("sit-digits").network.chooses_steps(**settings)
        assert model.network_evaluations(cfg_scale=cfg_scale, **settings) == {"network": sum(passes)}


@pytest.mark.parametrize("sampler", ["euler", "heun", "dopri5"])
def test_ode_samplers_find_the_same_image(sampler: str):
    """Each solver converges to the same solution of the ODE: many steps of one, few of the adaptive one."""
    model, labels = tiny(SiT), torch.tensor([0, 1])
    exact = model.sample(labels, SeededNoise([0, 1]), sampler="dopri5", rtol=1e-6)
    error = (model.sample(labels, SeededNoise([0, 1]), sampler=sampler, num_steps=201) - exact).norm() / exact.norm()
    assert error < {"euler": 5e-3, "heun": 2e-5, "dopri5": 1e-3}[sampler]  # orders 1 and 2 at step 1/200; rtol


@pytest.mark.parametrize("network", [DiT, SiT])
@pytest.mark.parametrize("cast", ["bfloat16", "float16", "autocast"])
def test_half_precision(network: type[DiffusionTransformer], cast: str):
    """Weights in 16 bits, or autocast: predictions and samples stay float32, and within 3 % (bfloat16 has 3 digits)."""
    model, labels, x = tiny(network), torch.tensor([1, 2]), normal(2, 4, 4, 4)
    t = torch.tensor([0.0, 0.7])
    exact, sampled = model(x, t, labels), model.sample(labels, SeededNoise([0, 1]), num_steps=4)
    model = model if cast == "autocast" else model.to(getattr(torch, cast))
    with torch.autocast("cpu", torch.bfloat16, enabled=cast == "autocast"):
        for rough, fine in (
            (model(x, t, labels), exact),
            (model.sample(labels, SeededNoise([0, 1]), num_steps=4), sampled),
        ):
            assert rough.dtype == torch.float32
            assert (rough - fine).norm() < 0.03 * fine.norm()


@pytest.mark.parametrize("network", [DiT, SiT])
def test_the_step_compiles_as_one_graph(network: type[DiffusionTransformer]):
    """`predict` is one graph for all steps, and the compiled model generates the same latents."""
    model, labels = tiny(network, depth=1), torch.tensor([1, 2])
    plain = model.sample(labels, SeededNoise([0, 1]), num_steps=5)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    model.compile_steps(backend="aot_eager")  # traces what the default backend would generate code for
    compiled = model.sample(labels, SeededNoise([0, 1]), num_steps=5)
    torch.testing.assert_close(plain, compiled, atol=1e-5, rtol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("network", [DiT, SiT])
def test_training_starts_at_zero_and_learns(network: type[DiffusionTransformer]):
    """adaLN-Zero: at birth the prediction is 0. Sixty steps on four images and the loss is clearly lower."""
    torch.manual_seed(0)
    model = network(latent_size=4, patch_size=1, hidden_size=32, depth=2, num_heads=2, num_classes=5)
    latents, labels = normal(4, 4, 4, 4).sign(), torch.arange(4)
    assert model(latents, torch.full((4,), 0.5), labels).abs().max() == 0
    held_out = [torch.Generator().manual_seed(seed) for seed in (1, 1)]
    latents_64, labels_64 = latents.repeat(16, 1, 1, 1), labels.repeat(16)
    with torch.no_grad():
        before = model.training_loss(latents_64, labels_64, held_out[0])
    optimizer, generator = torch.optim.AdamW(model.parameters(), lr=3e-3), torch.Generator().manual_seed(0)
    for _ in range(60):
        loss = model.training_loss(latents.repeat(4, 1, 1, 1), labels.repeat(4), generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert model.training_loss(latents_64, labels_64, held_out[1]) < 0.8 * before


@pytest.mark.parametrize("network", [DiT, SiT])
def test_training_loss_draws_from_its_generator_alone(network: type[DiffusionTransformer]):
    """Times, noise and label dropout come from the generator given, and the global state is left as it was."""
    model, latents, labels = tiny(network), normal(8, 4, 4, 4), torch.arange(8) % 5
    before = torch.get_rng_state()
    first, again, other = (
        model.training_loss(latents, labels, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())


def test_label_dropout_puts_the_null_label():
    """A tenth of the labels, and no other change."""
    labels = torch.arange(20000) % 5
    dropped = tiny(SiT).drop_labels(labels, torch.Generator().manual_seed(0))
    is_null = dropped == 5
    assert torch.equal(dropped[~is_null], labels[~is_null])
    assert is_null.float().mean() == pytest.approx(0.1, abs=0.01)  # 4.7 standard errors of 20,000 draws


def test_gelu_without_gradients_is_gelu():
    """The sigmoid form that a CPU takes is the same function, far out too."""
    x = torch.cat([torch.linspace(-12, 12, 4801), torch.tensor([-1e4, 1e4])]).requires_grad_()
    with torch.no_grad():
        fast = gelu_tanh(x)
    torch.testing.assert_close(fast, F.gelu(x, approximate="tanh").detach(), atol=1e-6, rtol=1e-6)
    assert gelu_tanh(x).requires_grad


def test_weights_of_another_patch_size_are_refused():
    """In one line, with a key and both shapes."""
    case = load_case(DATA / "dit.safetensors")
    model = DiT(**{**DiT.from_official_config(case.config), "patch_size": 4})
    with pytest.raises(CheckpointError, match=r"final_layer.bias: expected \(128,\), found \(32,\)"):
        load_into(model, DiT.from_official_state(case.weights()), "dit.pt")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "rk4"}, "unknown sampler 'rk4'; known: sde, euler, heun, dopri5"),
        ({"diffusion_form": "SBDM"}, "unknown diffusion_form 'SBDM'; known: sigma"),
        ({"last_step_size": 0.0}, "last_step_size must lie between 0 and 1, got 0.0"),
        ({"num_steps": 1}, "num_steps must be at least 2, got 1"),
    ],
)
def test_bad_settings(settings: dict, message: str):
    with pytest.raises(ValueError, match=message):
        tiny(SiT).sample(torch.tensor([0]), SeededNoise([0]), **settings)


def test_what_cannot_be_done_is_said():
    with pytest.raises(ValueError, match=r"cfg_scale must be 1.0 for a model trained without label dropout, got 1.5"):
        tiny(DiT, label_dropout=0.0).sample(torch.tensor([0]), SeededNoise([0]))
    with pytest.raises(ValueError, match="without learned variance"):
        DiT.from_official_config({"learn_sigma": False})
    with pytest.raises(ValueError, match="unknown SiT argument 'window_size'"):
        SiT.from_official_config({"window_size": 7})
