"""Timing tests of the metrics, `pytest --benchmark-only`: what scoring 50,000 images waits for, at a smaller size."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from bench.datasets import digits
from bench.features.extractors import Extractor
from bench.features.sqrtm_cache import reference_root
from bench.metrics.fid import compute_fid, compute_fid_clean, compute_statistics, frechet_distance, square_root
from bench.metrics.kid import compute_kid
from bench.metrics.precision_recall import compute_precision_recall
from bench.records.store import save_record
from bench.report import render
from tests import fake_records

DIMENSIONS = 2048  # of Inception's features


@pytest.fixture(scope="module")
def statistics():
    """Two clouds as Inception makes them: 2,048 dimensions, correlated, full rank."""
    rng = np.random.default_rng(0)
    sides = []
    for shift in (0.0, 0.02):
        mixing = rng.normal(size=(DIMENSIONS, DIMENSIONS)) / DIMENSIONS**0.5
        sides.append((rng.normal(shift, 0.1, DIMENSIONS), mixing @ mixing.T + 0.01 * np.eye(DIMENSIONS)))
    return sides


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).standard_normal((3000, DIMENSIONS))


@pytest.mark.benchmark(group="Frechet distance of 2,048-dimensional statistics")
@pytest.mark.parametrize("engine", ["ours, root cached", "ours", "torch-fidelity", "clean-fid"])
def test_frechet_distance(benchmark, timed, statistics, engine):
    """Ours, with and without the cached root of the reference, beside the two engines that must agree with it."""
    generated, reference = statistics
    if engine == "ours, root cached":
        timed(lambda i: frechet_distance(*reference, *generated, reference_root(reference[1])), min_rounds=3)
    elif engine == "ours":
        timed(lambda i: frechet_distance(*reference, *generated), min_rounds=3)
    else:  # one round: clean-fid's takes as long as all else here
        benchmark.pedantic({"torch-fidelity": compute_fid, "clean-fid": compute_fid_clean}[engine], statistics)


@pytest.mark.benchmark(group="root of a reference's covariance, 2,048 dimensions")
@pytest.mark.parametrize("rank", ["full rank", "singular"])
@pytest.mark.parametrize("how", ["cached", "made"])
def test_reference_root(benchmark, timed, statistics, how, rank):
    """Cached and made side by side: what the cache saves."""
    sigma = statistics[0][1].copy()
    if rank == "singular":
        sigma[:10] = sigma[:, :10] = 0.0
    if how == "made":
        benchmark.pedantic(square_root, (sigma,))
    else:
        timed(lambda i: reference_root(sigma))  # the cold round makes it


@pytest.mark.benchmark(group="3,000 features of 2,048 dimensions")
def test_statistics(timed, features):
    timed(lambda i: compute_statistics(features))


@pytest.mark.benchmark(group="3,000 features of 2,048 dimensions")
def test_precision_recall(timed, features):
    """2,000 images against 1,000."""
    timed(lambda i: compute_precision_recall(features[:2000], features[2000:]), min_rounds=3)


@pytest.mark.benchmark(group="3,000 features of 2,048 dimensions")
def test_kid(timed, features):
    """100 subsets of 100 images."""
    timed(lambda i: compute_kid(features[:100], features[2000:]), min_rounds=3)


@pytest.mark.benchmark(group="images")
def test_digits_features(timed, device):
    """The features of the 500 held-out scans."""
    extractor, images = Extractor("digits", device=device), digits.load("heldout")[0]
    timed(lambda i: extractor(images))


@pytest.mark.benchmark(group="images")
def test_png(timed):
    """One image of 256x256, noise over a gradient, as the file that `bench generate` writes."""
    rng = np.random.default_rng(0)
    image = np.linspace(0, 200, 256)[:, None, None] + rng.normal(scale=10, size=(256, 256, 3))
    picture = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    timed(lambda i: picture.save(io.BytesIO(), format="PNG"))


@pytest.mark.benchmark(group="report")
def test_report(timed, tmp_path):
    for record in fake_records.full_set():
        save_record(record, tmp_path / "results")
    timed(lambda i: render([tmp_path / "results"], tmp_path / "index.html"), min_rounds=3)
