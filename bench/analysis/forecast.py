"""What a run will cost, before it runs: GPU-hours, disk, when it ends; from counts and from what was measured before.

Three grounds, the best there is:

    measured   images per second of that model on that machine, from the latest record that has them, at any settings
               that cost as much
    roofline   the counted arithmetic at the speed of the machine's largest matrix product: no run is faster
    counts     the arithmetic alone, where nothing is known of the machine

The roofline is the fastest that a record of the same machine holds, of the run's arithmetic where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.protocols.counts import counted_key, read_counts
from bench.records.parts import Roofline
from bench.records.schema import REAL_DATA, Protocol, Record, RunSpec

FEATURE_BYTES = 4 * (2048 + 1008 + 2023) + 34  # of an image: Inception's features, logits, spatial features; the audit
FIRST_SHARD = 500  # images whose pixels are kept for the report, at least


@dataclass(frozen=True)
class Forecast:
    """Of one run."""

    flops: float | None = None  # of all its images; None: not counted
    seconds: float | None = None  # on one device; None: nothing is known of the machine
    ground: Literal["measured", "roofline", "counts", ""] = ""  # what `seconds`, else `flops`, rests on
    disk_bytes: float = 0.0  # that its samples will take


def image_flops(spec: RunSpec, records: Iterable[Record]) -> float | None:
    """Of one image: as counted, or as a timed run of the model with these settings counted it. None: not counted."""
    from reference_models import find

    version = find(spec.model).version
    if found := read_counts().get(counted_key(spec.model, version, spec.settings)):
        return float(found)
    for record in records:
        same = (record.model, record.inputs.versions.get("model")) == (spec.model, version)
        if same and record.timing and record.timing.flops and dict(record.inputs.settings) == dict(spec.settings):
            return record.timing.flops
    return None


def forecast(spec: RunSpec, records: Sequence[Record], machine: str, *, image_size: int, pixels: bool) -> Forecast:
    """Of a run that generates and scores images; of any other an empty one.

    records: all that there are    machine: slug of the hardware, "" where it is not known    pixels: all are kept
    """
    protocol = spec.protocol
    if protocol.collects != "images":
        return Forecast()
    disk = disk_bytes(protocol, image_size, pixels)
    one = None if spec.model == REAL_DATA else image_flops(spec, records)
    flops = None if one is None else one * protocol.num_images
    here = [record for record in records if record.environment.machine == machine and record.status == "ok"]
    if rate := images_per_second(spec, here):
        return Forecast(flops, protocol.num_images / rate, "measured", disk)
    limit = roofline_of(here, protocol.dtype)
    if flops is None or limit is None:
        return Forecast(flops, None, "counts" if flops else "", disk)
    return Forecast(flops, flops / limit.matmul_flop_per_s, "roofline", disk)


def images_per_second(spec: RunSpec, here: Iterable[Record]) -> float | None:
    """Of the model with these settings on this machine, the latest measured; whole images, not estimated ones."""
    found = [
        record
        for record in here
        if record.model == spec.model
        and dict(record.inputs.settings) == dict(spec.settings)
        and not record.protocol.quick
    ]
    for record in reversed(found):
        if rate := record.measurements.get("throughput_per_s"):
            return rate.value
        rounds = record.images.rounds_s if record.images else ()
        if rounds and record.protocol.batch_size:
            return record.protocol.batch_size * len(rounds) / sum(rounds)
    return None


def roofline_of(here: Iterable[Record], dtype: str) -> Roofline | None:
    """The fastest that a machine's records hold, of this arithmetic where one does."""
    found = [record.timing.roofline for record in here if record.timing and record.timing.roofline]
    own = [one for one in found if one.dtype == dtype] or found
    return max(own, key=lambda one: one.matmul_flop_per_s, default=None)


def disk_bytes(protocol: Protocol, image_size: int, pixels: bool) -> float:
    """Of the samples of a run: features of all images, pixels of the first shard or of all."""
    one_image = 3.0 * image_size**2
    if protocol.features != "inception":  # small scans: pixels alone
        return protocol.num_images * one_image
    shown = protocol.num_images if pixels else min(FIRST_SHARD, protocol.num_images)
    return protocol.num_images * FEATURE_BYTES + shown * one_image
