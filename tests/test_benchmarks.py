"""Timing tests: `pytest --benchmark-only`. Each result carries p50, p90, p95 and p99 in its extra_info."""

import numpy as np
import pytest

import reference_models
from bench import environment
from bench.metrics.fid import compute_fid, compute_fid_clean, frechet_distance
from bench.metrics.latency import PERCENTILES
from bench.report import render
from reference_models.noise import image_seeds
from tests import fake_records


def run(benchmark, call, *, rounds):
    """Time `call(round_idx)`: as many rounds as told, after warm-up, every round with inputs of its own."""
    calls = iter(range(10**6))
    benchmark.pedantic(lambda: call(next(calls)), rounds=rounds, warmup_rounds=3, iterations=1)
    data = benchmark.stats.stats.data
    benchmark.extra_info |= {f"p{percent}_s": float(np.percentile(data, percent)) for percent in PERCENTILES}
    benchmark.extra_info["machine"] = environment.machine()


DIGITS = [name for name, spec in reference_models.specs().items() if spec.scale == "digits"]


@pytest.mark.benchmark(group="sampling one image")
@pytest.mark.parametrize("name", DIGITS)
def test_sampling(benchmark, name):
    model = reference_models.build(name)
    run(benchmark, lambda i: model.generate([i % 10], image_seeds(0, [i])), rounds=10)
    benchmark.extra_info["nfe"] = model.network_evaluations(**model.spec.sampling)


@pytest.fixture(scope="module")
def statistics():
    """Two clouds as Inception makes them: 2,048 dimensions, correlated, full rank."""
    rng = np.random.default_rng(0)
    sides = []
    for shift in (0.0, 0.02):
        mixing = rng.normal(size=(2048, 2048)) / 2048**0.5
        sides.append((rng.normal(shift, 0.1, 2048), mixing @ mixing.T + 0.01 * np.eye(2048)))
    return sides


@pytest.mark.benchmark(group="Frechet distance of 2,048-dimensional statistics")
@pytest.mark.parametrize("engine", ["ours", "torch-fidelity", "clean-fid"])
def test_frechet_distance(benchmark, statistics, engine):
    engines = {
        "ours": lambda: frechet_distance(*statistics[1], *statistics[0]),
        "torch-fidelity": lambda: compute_fid(*statistics),
        "clean-fid": lambda: compute_fid_clean(*statistics),
    }
    rounds = 5 if engine == "ours" else 1
    benchmark.pedantic(engines[engine], rounds=rounds, warmup_rounds=int(rounds > 1), iterations=1)
    data = benchmark.stats.stats.data
    benchmark.extra_info |= {f"p{percent}_s": float(np.percentile(data, percent)) for percent in PERCENTILES}


@pytest.mark.benchmark(group="report")
def test_report(benchmark, tmp_path):
    from bench.results import save_record

    for record in fake_records.full_set():
        save_record(record, tmp_path / "results")
    run(benchmark, lambda i: render([tmp_path / "results"], tmp_path / "index.html"), rounds=5)
