"""Which conditions and protocol fields two measurements must share before they are compared.

Network evaluations, steps and guidance scales differ by the nature of the methods: they are printed and never have to
agree between methods. What the experimenter chooses must.
"""

from __future__ import annotations

from bench.records.parts import Conditions
from bench.records.schema import Record

# Whatever is compared: the same machine generates the same kind of image, all the way to pixels.
ALWAYS = ("machine", "device", "image_size", "autoencoder", "conditioned_on", "text_encoder")
# What the experimenter can choose for either side. `guided`: both with or both without a second pass per evaluation.
CHOSEN = (
    "dtype",
    "float32_matmul_precision",
    "tf32_convolution",
    "attention_kernels",
    "compiled",
    "num_threads",
    "batch_size",
    "guided",
)
# What two implementations of one method must share on top.
METHOD = ("cfg_scale", "network_evaluations", "kv_cache")

MODES: dict[str, tuple[str, ...]] = {
    # two methods, every choice made alike: what the methods themselves cost
    "forced equal": (*ALWAYS, *CHOSEN),
    # two methods, each with its published settings, its own best batch, dtype and compilation: what a user gets
    "each at its best": ALWAYS,
    # two implementations of one model: nothing may differ
    "same model": (*ALWAYS, *CHOSEN, *METHOD),
}


def differing_fields(one: Conditions, other: Conditions, mode: str = "forced equal") -> list[str]:
    """The fields in which two sides differ and must not; empty: their ratio is a fair one in that mode.

    Between methods a missing KV cache counts against a side that could keep one (`kv_cache` False); None, nothing to
    keep, goes with anything. KeyError for an unknown mode.
    """
    found = [field for field in MODES[mode] if getattr(one, field) != getattr(other, field)]
    if mode != "same model" and (one.kv_cache is False) != (other.kv_cache is False):
        found.append("kv_cache")
    return found


def not_comparable(one: Conditions, other: Conditions, mode: str = "forced equal") -> str:
    """Why a ratio of two sides means nothing in a mode, naming each field and both values; "" where it does."""
    fields = differing_fields(one, other, mode)
    return "; ".join(
        f"{field}: {shown(getattr(one, field))} against {shown(getattr(other, field))}" for field in fields
    )


def shown(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


# Fields in which two records of one protocol may not differ. Batch sizes and seeds of images change no conclusion.
SAME_IMAGES = ("scale", "num_images", "features", "reference", "dtype")
SAME_TIMINGS = ("scale", "latency_batch_size", "dtype", "compiled")
SAME_MACHINE = ("machine", "device", "num_threads", "tf32")  # of the environment; for timings only


def differences(a: Record, b: Record, metric: str) -> list[str]:
    """The fields, in words, in which two records may not differ and do."""
    timings = a.timing is not None and b.timing is not None
    timed = [record.timing.latency.conditions for record in (a, b) if record.timing]
    fields = SAME_TIMINGS if timings else SAME_IMAGES
    pairs = [(name, getattr(a.protocol, name), getattr(b.protocol, name)) for name in fields]
    versions = [record.inputs.metric_versions.get(metric) for record in (a, b)]
    pairs.append((f"version of {metric}", versions[0], versions[1]))
    if timings:
        pairs += [(name, getattr(a.environment, name), getattr(b.environment, name)) for name in SAME_MACHINE]
        torch = [record.environment.versions.get("torch") for record in (a, b)]
        pairs.append(("torch", torch[0], torch[1]))
        took = [side.tf32_convolution if side else None for side in timed]
        pairs.append(("TF32 in convolutions", took[0], took[1]))
    return [f"{name} ({x} and {y})" for name, x, y in pairs if x != y]
