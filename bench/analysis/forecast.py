"""What a run will cost, before it runs: GPU-hours, disk, when it ends; from counts and from what was measured before.

Three grounds, the best there is:

    measured   images per second of that model on that machine, from the latest record that has them, at any settings
               that cost as much
    roofline   the counted arithmetic at the speed of the machine's largest matrix product: no run is faster
    counts     the arithmetic alone, where nothing is known of the machine

The roofline is the fastest that a record of the same machine holds, of the run's arithmetic where there is one. What
the store holds already costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.protocols import SMALL
from bench.protocols.counts import counted_key, per_evaluation, per_image, per_text, per_text_step, read_counts
from bench.records.parts import Roofline
from bench.records.schema import REAL_DATA, Protocol, Record, RunSpec
from bench.studies import settings_of

TEXTS = ("captions", "answers")  # what a protocol may collect of texts
# Of an image: Inception's features, posteriors (float64), spatial features; the audit's hash and two flags.
FEATURE_BYTES = 4 * 2048 + 8 * 1008 + 4 * 2023 + 34
FIRST_SHARD = 500  # images whose pixels are kept for the report, at least
TEXT_BYTES = 1000  # a text in its shard, at most: 128 tokens, how it ended, what it took
# Texts of each benchmark as published, for where its files are not here (POPE's three files; MME's fourteen subtasks).
PUBLISHED_TEXTS = {
    "coco-captions": 40_504,
    "vqa-v2": 214_354,
    "okvqa": 5_046,
    "vizwiz": 4_319,
    "gqa": 12_578,
    "pope": 2_910 + 3_000 + 3_000,
    "mme": 2_374,
}


@dataclass(frozen=True)
class Forecast:
    """Of what is still to be made for one run."""

    flops: float | None = None  # of all its items; None: not counted
    seconds: float | None = None  # on one device; None: nothing is known of the machine
    ground: Literal["measured", "roofline", "counts", ""] = ""  # what `seconds`, else `flops`, rests on
    disk_bytes: float = 0.0  # that its items will take
    num_items: int = 0  # of the run: images or texts; 0: it makes none
    num_stored: int = 0  # of them in the store already

    @property
    def share_left(self) -> float:
        """Of the items, those that are still to be made; 1 of a run that makes none."""
        return 1 - self.num_stored / self.num_items if self.num_items else 1.0


def image_flops(spec: RunSpec, records: Iterable[Record]) -> float | None:
    """Of one image: as counted, or as a timed run of the model with these settings counted it. None: not counted.

    Where the sampler chooses its steps: at the evaluations that the latest record with these settings has, a pilot's
    too.
    """
    from reference_models import find

    records = list(records)
    version, counts = find(spec.model).version, read_counts()
    if find(spec.model).network.chooses_steps(**settings_of(spec)):
        once, each = (counts.get(key(spec.model, version)) for key in (per_image, per_evaluation))
        evaluations = counted_evaluations(spec, records)
        return None if once is None or each is None or evaluations is None else once + each * evaluations
    for settings in (spec.settings, as_much_work(spec)):
        if found := counts.get(counted_key(spec.model, version, settings)):
            return float(found)
    for record in records:
        same = (record.model, record.inputs.versions.get("model")) == (spec.model, version)
        if same and record.timing and record.timing.flops and dict(record.inputs.settings) == dict(spec.settings):
            return record.timing.flops
    return None


def counted_evaluations(spec: RunSpec, records: Iterable[Record]) -> float | None:
    """Network evaluations of one image of a run, as the latest record of the model with these settings counted them."""
    found = [
        record.measurements["nfe"].value
        for record in records
        if record.model == spec.model and dict(record.inputs.settings) == dict(spec.settings)
        if "nfe" in record.measurements
    ]
    return found[-1] if found else None


def as_much_work(spec: RunSpec) -> dict[str, Any]:
    """A run's settings without a guidance scale of another value: any but 1 evaluates the network as often."""
    from reference_models import find

    usual = find(spec.model).sampling
    settings = dict(spec.settings)
    if "cfg_scale" in settings and (settings["cfg_scale"] == 1) == (usual.get("cfg_scale") == 1):
        del settings["cfg_scale"]
    return settings


def text_flops(spec: RunSpec) -> float | None:
    """Of one text: as counted, at the evaluations that are to be expected. None: not counted."""
    from reference_models import find

    counts, version, settings = read_counts(), find(spec.model).version, settings_of(spec)
    length = int(settings.get("length", 0))
    keys = per_text(spec.model, version), per_text_step(spec.model, version, length)
    if not all(key in counts for key in keys):
        return None
    once, step = (counts[key] for key in keys)
    return once + step * expected_evaluations(settings["num_steps"], length, cached=settings.get("cached", True))


def expected_evaluations(num_steps: int, length: int, *, cached: bool = True) -> float:
    """Of the network for a text of `length` masked tokens, each revealed in one of `num_steps` steps, all alike.

    A step that reveals nothing is skipped; without the cache all run, and a last one.
    """
    if not cached:
        return num_steps + 1.0
    return float(num_steps * (1 - (1 - 1 / num_steps) ** length))


def forecast(
    spec: RunSpec,
    records: Sequence[Record],
    machine: str,
    *,
    image_size: int,
    pixels: bool,
    num_items: int | None = None,
    num_stored: int = 0,
) -> Forecast:
    """Of a run that generates images or says texts into the store; of any other an empty one.

    records: all that there are    machine: slug of the hardware, "" where it is not known    pixels: all are kept
    num_items: None: of images those of the protocol, of texts as many as were published
    num_stored: items that are there already
    """
    protocol = spec.protocol
    if not is_stored(protocol):
        return Forecast()
    is_text = protocol.collects in TEXTS
    if num_items is None:
        num_items = protocol.num_images or PUBLISHED_TEXTS.get(protocol.scale, 0)
    left = num_items - num_stored
    disk = left * TEXT_BYTES if is_text else disk_bytes(protocol, image_size, pixels, num_stored)
    one = None if spec.model == REAL_DATA else text_flops(spec) if is_text else image_flops(spec, records)
    found = Forecast(None if one is None else one * left, None, "", disk, num_items, num_stored)
    here = [record for record in records if record.environment.machine == machine and record.status == "ok"]
    if rate := None if is_text else images_per_second(spec, here):
        return replace(found, seconds=left / rate, ground="measured")
    limit = roofline_of(here, protocol.dtype)
    if found.flops is None or limit is None:
        return replace(found, ground="counts" if found.flops is not None else "")
    return replace(found, seconds=found.flops / limit.matmul_flop_per_s, ground="roofline")


def is_stored(protocol: Protocol) -> bool:
    """Whether what is made for a protocol goes into the store: of scenes, texts are timed and nothing is kept."""
    if protocol.collects in TEXTS:
        return protocol.scale not in SMALL
    return protocol.collects in ("images", "geneval")


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


def disk_bytes(protocol: Protocol, image_size: int, pixels: bool, num_stored: int = 0) -> float:
    """Of the samples of a run that are still to be made: features of all images, pixels of the first shard or of all.

    GenEval's images lie beside their shards once more, as PNG files, which are about as large at worst.
    """
    one_image = 3.0 * image_size**2
    left = protocol.num_images - num_stored
    if protocol.collects == "geneval":
        return 2 * left * one_image
    if protocol.features != "inception":  # small scans: pixels alone
        return left * one_image
    shown = protocol.num_images if pixels else min(FIRST_SHARD, protocol.num_images)
    return left * FEATURE_BYTES + max(0, shown - num_stored) * one_image
