"""PROTOCOLS: how to measure, per scale. A measurement is compared only with one of the same protocol."""

from __future__ import annotations

from dataclasses import replace

from bench.records import Protocol

QUALITY = ("fid", "fid_clean", "kid", "inception_score", "precision", "recall")
COST = ("throughput_per_s", "nfe")  # of painting those images
SPEED = ("latency_s", "throughput_per_s", "peak_memory_bytes", "num_params", "flops", "nfe")

# The digits networks are so small that a second thread costs more in waiting than it brings, and on a busy machine
# several times more; one thread gives the same speed on any number of cores.
DIGITS_THREADS = 1

QUICK_IMAGES = 80  # of a smoke run: class-balanced, and enough for the covariance of 64 features

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        # 500 images: as many as there are held-out scans, so that the real-data floor stands at the same count.
        Protocol(
            name="digits-quality",
            scale="digits",
            collects="images",
            metrics=QUALITY + COST,
            num_images=500,
            features="digits",
            reference="digits-train",
            batch_size=125,
            num_threads=DIGITS_THREADS,
        ),
        # The same at other settings and seeds: see studies.py. Not part of `reproduce`.
        Protocol(
            name="digits-study",
            scale="digits",
            collects="images",
            metrics=(*QUALITY, *COST, "feature_similarity"),
            num_images=500,
            features="digits",
            reference="digits-train",
            batch_size=125,
            num_threads=DIGITS_THREADS,
            study=True,
        ),
        Protocol(
            name="digits-latency",
            scale="digits",
            collects="timings",
            metrics=SPEED,
            latency_batch_size=1,
            throughput_batch_size=8,
            min_rounds=10,
            min_duration_s=2.0,
            num_threads=DIGITS_THREADS,
        ),
        # The papers' protocol: 50 images per class, torch-fidelity on ADM's reference statistics (as TransDiff, MAR).
        Protocol(
            name="imagenet-256-quality",
            scale="imagenet-256",
            collects="images",
            metrics=QUALITY,
            num_images=50_000,
            features="inception",
            reference="VIRTUAL_imagenet256_labeled.npz",
            batch_size=128,
            needs=("weights", "imagenet-statistics", "gpu"),
        ),
        Protocol(
            name="imagenet-256-latency",
            scale="imagenet-256",
            collects="timings",
            metrics=SPEED,
            latency_batch_size=1,
            throughput_batch_size=64,
            min_rounds=10,
            min_duration_s=10.0,
            needs=("gpu",),
        ),
        # Counts on the meta device: exact, and without weights or a GPU, so that a run of any scale takes them along.
        Protocol(
            name="paper-size",
            scale="paper-size",
            collects="sizes",
            metrics=("num_params", "flops", "decoder_share"),
        ),
    )
}


def quick(protocol: Protocol) -> Protocol:
    """The protocol as a smoke run: few images, three timed rounds. Its records are never judged."""
    return replace(
        protocol,
        num_images=min(protocol.num_images, QUICK_IMAGES),
        min_rounds=3,
        min_duration_s=0.0,
        throughput_batch_size=2,
        quick=True,
    )
