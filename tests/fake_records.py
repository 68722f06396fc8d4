"""Made-up records, for tests only: no number here was measured."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np

from bench.protocols import PROTOCOLS
from bench.protocols import quick as as_quick
from bench.records.parts import (
    Compliance,
    Conditions,
    ImageAudit,
    Images,
    Measurement,
    Part,
    Roofline,
    Series,
    Speedup,
    Stages,
    Sweep,
    Timing,
)
from bench.records.schema import Environment, Inputs, Protocol, Record
from bench.records.store import content_sha256

ENVIRONMENT = Environment(
    machine="acme-cpu-2c",
    processor="Acme CPU 9000",
    num_cores=2,
    memory_bytes=8 * 2**30,
    system="Linux x86_64",
    device="cpu",
    num_threads=2,
    versions={"python": "3.11.7", "torch": "2.11.0", "torch-fidelity": "0.4.0", "clean-fid": "0.1.35"},
    commit="0123456789abcdef0123456789abcdef01234567",
    dirty=False,
)
INPUTS = Inputs(weights_sha256="ab" * 32, metric_versions={"fid": 1, "latency_s": 1})
FLOOR = {
    "fid": Measurement(0.62, "", 0.51, 0.75, 500),
    "fid_clean": Measurement(0.62, "", 0.51, 0.75, 500),
    "kid": Measurement(0.0003, "", -0.0004, 0.0011, 500),
    "inception_score": Measurement(9.71, "", 9.6, 9.8, 500),
    "precision": Measurement(0.94, "", 0.92, 0.96, 500),
    "recall": Measurement(0.95, "", 0.93, 0.97, 500),
}
AUDIT = ImageAudit(
    num_images=500,
    image_size=(8, 8),
    nonfinite=0,
    constant=0,
    duplicates=0,
    labels_asked=(50,) * 10,
    class_counts=(50,) * 9 + (49,),
    recognised_share=0.986,
    copies_share=0.0,
)
CONDITIONS = Conditions(
    machine="acme-cpu-2c",
    device="cpu",
    num_threads=1,
    dtype="float32",
    float32_matmul_precision="highest",
    tf32_convolution=None,
    attention_kernels=("math",),
    compiled=False,
    kv_cache=None,
    conditioned_on="labels",
    text_encoder=None,
    guided=True,
    cfg_scale=1.5,
    network_evaluations={},
    autoencoder="in",
    image_size=8,
    batch_size=1,
)


def protocol(name: str, *, quick: bool = False) -> Protocol:
    """A protocol as a record holds it."""
    return as_quick(PROTOCOLS[name]) if quick else PROTOCOLS[name]


def picture(seed: int = 0) -> str:
    """A grid of 10 x 6 grey 8x8 squares, base64 PNG."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (48, 80)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def measured(value: float, spread: float, n: int = 500, unit: str = "") -> Measurement:
    return Measurement(value, unit, value - spread, value + spread, n)


def record(model: str, protocol_name: str, *, quick: bool = False, **changes: Any) -> Record:
    """A record with nothing measured."""
    made = Record(
        model=model,
        protocol=protocol(protocol_name, quick=quick),
        settings={"num_steps": 100, "cfg_scale": 1.5},
        measurements={},
        inputs=INPUTS,
        environment=ENVIRONMENT,
        created_utc="2026-01-31T14:25:30+00:00",
        family=model.removesuffix("-digits"),
        wall_s=20.0,
    )
    made = replace(made, **changes)
    stamp = made.created_utc.replace("-", "").replace(":", "")[:15]
    return replace(made, file=f"{made.environment.machine}/{model}--{protocol_name}--{stamp}Z.json")


def quality(model: str, fid: float, *, spread: float = 0.2, inception_score: float = 9.0, **changes: Any) -> Record:
    """A record under digits-quality."""
    measurements = {
        "fid": measured(fid, spread),
        "fid_clean": measured(fid + 2e-6, spread),
        "kid": measured(fid / 1000, spread / 1000),
        "inception_score": measured(inception_score, 0.1),
        "precision": measured(0.9, 0.02),
        "recall": measured(0.8, 0.02),
    }
    made = {"measurements": measurements, "images": Images(audit=AUDIT, grid_png=picture()), **changes}
    return record(model, "digits-quality", **made)


def latency(model: str, seconds: float, *, num_rounds: int = 40, spread: float = 0.05, **changes: Any) -> Record:
    """A record under digits-latency whose rounds scatter by the factor exp(`spread` * normal)."""
    rounds = (seconds * np.exp(np.random.default_rng(0).normal(0, spread, num_rounds))).tolist()
    measurements = {
        "latency_s": measured(float(np.median(rounds)), seconds * spread / 4, num_rounds, "s"),
        "latency_p90_s": Measurement(float(np.quantile(rounds, 0.9)), "s", n=num_rounds),
        "latency_p99_s": Measurement(float(np.quantile(rounds, 0.99)), "s", n=num_rounds),
        "throughput_per_s": measured(20 / seconds, 1 / seconds, num_rounds, "1/s"),
        "peak_memory_bytes": Measurement(3.1e8, "bytes"),
        "num_params": Measurement(801_234, "parameters"),
        "flops": Measurement(4.2e9 * seconds, "FLOP"),
        "nfe": Measurement(201, "evaluations"),
    }
    timing = Timing(
        latency=Series(batch_size=1, rounds_s=tuple(rounds)),
        nfe={"encoder": 1, "decoder": 200},
    )
    return record(model, "digits-latency", **{"measurements": measurements, "timing": timing, **changes})


ROOFLINE = Roofline(matmul_flop_per_s=1e11, copy_bytes_per_s=2e10, dtype="float32", num_threads=1)


def stages(seconds: dict[str, float], flops: float, *, num_calls: int = 100, num_rounds: int = 6) -> Stages:
    """Each stage one part with its share of `flops`, in equal rounds; "rest" last."""
    parts = [name for name in seconds if name != "rest"]
    whole = sum(seconds[name] for name in parts)
    return Stages(
        rounds_s={name: (value,) * num_rounds for name, value in seconds.items()},
        whole_s=(sum(seconds.values()),) * num_rounds,
        parts={
            name: Part(
                stage=name,
                num_calls=num_calls,
                num_timed=num_calls,
                flops=round(flops * seconds[name] / whole),
                weight_bytes=4_000_000 * num_calls,
                num_kernels=30 * num_calls,
                call_s=seconds[name] / num_calls,
            )
            for name in parts
        },
    )


def composed(model: str, seconds: dict[str, float], flops: float, *, num_calls: int = 100, **changes: Any) -> Record:
    """A record under imagenet-256-composed: three equal rounds by stages, each known to 1 %."""
    whole = sum(seconds.values())
    found = stages(seconds, flops, num_calls=num_calls, num_rounds=3)
    timing = Timing(
        latency=Series(batch_size=1, rounds_s=(whole,) * 3, estimated=True, error_s=whole / 196, disturbed=False),
        stages=replace(found, whole_s=(), estimated=True, error_s=whole / 196),
        roofline=ROOFLINE,
        flops=flops,
        nfe={name: num_calls for name in seconds if name not in ("autoencoder", "rest")},
    )
    measurements = {"latency_s": measured(whole, 0.01 * whole, 3, "s"), "flops": Measurement(flops, "FLOP")}
    if "decoder" in seconds:
        measurements["decoder_time_share"] = measured(seconds["decoder"] / whole, 0.001, 3)
    settings = {"num_steps": 100, "cfg_scale": 1.5}
    made = {"measurements": measurements, "timing": timing, "settings": settings, **changes}
    return record(model, "imagenet-256-composed", **made)


def kernels(
    model: str, both: dict[str, tuple[float, float]], names: dict[str, tuple[str, ...]], **changes: Any
) -> Record:
    """A record of the study "kernels": by baseline how many times as fast `model` is with and without own kernels.

    names: those of each model that has some
    """
    entries: list[Speedup] = []
    for place in (0, 1):
        made = ratios(model, {name: found[place] for name, found in both.items()}, protocol_name="digits-kernels")
        for entry in made.speedups:
            sides = {
                role: replace(CONDITIONS, own_kernels=() if place else names.get(name, ()))
                for role, name in (("model", model), ("baseline", entry.baseline))
            }
            entries.append(replace(entry, conditions=sides, without_own_kernels=bool(place)))
    return record(model, "digits-kernels", **{"speedups": tuple(entries), **changes})


def ratios(
    model: str, times_as_fast: dict[str, float], *, protocol_name: str = "digits-ratios", **changes: Any
) -> Record:
    """A record of `model` timed beside baselines: by baseline how many times as fast it is, known to 2 %."""
    entries = tuple(
        Speedup(
            model=model,
            baseline=baseline,
            mode="forced equal",
            estimated="composed" in protocol_name,
            conditions={"model": CONDITIONS, "baseline": CONDITIONS},
            ratio=Measurement(times, "", 0.98 * times, 1.02 * times, 10),
            rounds_s={"model": (0.1,) * 10, "baseline": (0.1 * times,) * 10},
            orders=(("model", "baseline"),) * 10,
            foreign_load=0.0,
            disturbed=False,
        )
        for baseline, times in times_as_fast.items()
    )
    return record(model, protocol_name, **{"speedups": entries, **changes})


def timed(model: str, seconds: dict[str, float], *, flops: float = 4e9, num_rounds: int = 40, **changes: Any) -> Record:
    """A record under digits-latency with everything that a run keeps; seconds: by stage."""
    whole = sum(seconds.values())
    made = latency(model, whole, num_rounds=num_rounds)
    assert made.timing is not None
    batches = [
        Series(batch_size=size, rounds_s=(whole * (0.4 + 0.6 * size),) * 2, peak_memory_bytes=2**20 * size)
        for size in (1, 2, 4, 8)
    ]
    compliance = Compliance(
        images_equal=True,
        num_images=4,
        num_different=0,
        max_difference=0,
        repeat_ratio=Measurement(1.0, "", 0.98, 1.03, 6),
        valid=True,
    )
    series = replace(
        made.timing.latency,
        conditions=CONDITIONS,
        first_call_s=3 * whole,
        warmup_s=(whole,) * 10,
        warmup_ended_by="stable",
        rounds_ended_by="enough",
        foreign_load=0.01,
        disturbed=False,
    )
    timing = replace(
        made.timing,
        latency=series,
        sweep=Sweep(batches=tuple(batches), ended_by="time"),
        stages=stages(seconds, flops),
        roofline=ROOFLINE,
        compliance=compliance,
        flops=flops,
    )
    return replace(made, **{"timing": timing, **changes})


def with_timing(made: Record, **changes: Any) -> Record:
    """The record with other fields of its timing."""
    assert made.timing is not None
    return replace(made, timing=replace(made.timing, **changes))


def with_audit(made: Record, **changes: Any) -> Record:
    """The record with other fields of its audit of images."""
    assert made.images is not None
    return replace(made, images=replace(made.images, audit=replace(made.images.audit, **changes)))


def full_set(**changes: Any) -> list[Record]:
    """Three models and the real scans, as a first full run leaves them."""
    return [
        record(
            "real-data",
            "digits-quality",
            family="real",
            settings={},
            measurements=FLOOR,
            images=Images(audit=AUDIT, grid_png=picture(1)),
            **changes,
        ),
        quality("transdiff-digits", 2.1, inception_score=9.4, **changes),
        quality("mar-digits", 6.4, inception_score=8.3, spread=0.5, **changes),
        quality("dit-digits", 2.2, inception_score=9.2, **changes),
        latency("transdiff-digits", 0.081, **changes),
        latency("mar-digits", 0.35, **changes),
        latency("dit-digits", 0.22, **changes),
    ]


def rewrite(path, data):
    """The file of a record with other content and the checksum of it, as if it had been measured so."""
    path.write_text(json.dumps({**data, "sha256": content_sha256(data)}))
