"""What a plan will cost, told before it starts, and what is left of it, told while it runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bench.analysis.forecast import TEXTS, Forecast, forecast, is_stored
from bench.console import LONG_S, duration, say
from bench.errors import CheckFailed, UsageError
from bench.formatting import disk_size, listed, named, number, quantity
from bench.models import image_size_of, precision_of
from bench.plan import Plan, PlannedRun, missing_assets
from bench.protocols import SMALL, kind_of
from bench.protocols.at_paper_size import MODELS_OF
from bench.records import environment
from bench.records.schema import REAL_DATA, RunSpec
from bench.records.store import WORK, load_records
from bench.studies import settings_of

SHORT_S = 60.0  # of what is left nothing is said when it is less
SHOWN = 3  # of what is missing, before a run


@dataclass(frozen=True)
class Outlook:
    """The runs of a plan with what each costs; `measured` and `todo` are indices into them."""

    plan: Plan
    forecasts: tuple[Forecast, ...]
    measured: frozenset[int]  # measured here already, with the same inputs
    awaits: Mapping[int, str] = field(default_factory=dict)  # what must be made elsewhere before it is scored
    idle: frozenset[int] = frozenset()  # of those: all that is done here is done

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        return self.plan.runs

    @property
    def todo(self) -> list[int]:
        """What will run: lacking nothing, not measured yet, or measured but with pixels still to be kept."""
        return [
            i
            for i, run in enumerate(self.runs)
            if not run.lacks and i not in self.idle and (i not in self.measured or self._pixels_lack(i))
        ]

    def _pixels_lack(self, i: int) -> bool:
        made = self.forecasts[i]
        return self.plan.keep_images and made.num_stored < made.num_items and self.runs[i].spec.model != REAL_DATA

    def missing(self, i: int) -> tuple[str, ...]:
        """What a run lacks, to start or to be scored."""
        return (*self.runs[i].lacks, *([self.awaits[i]] if i in self.awaits else []))

    def seconds(self, i: int) -> float | None:
        """On one device, of what is left of a run: by the last time, else as forecast."""
        last = self.runs[i].cost_s
        return self.forecasts[i].seconds if last is None else last * self.forecasts[i].share_left


def outlook(plan: Plan) -> Outlook:
    """A forecast for every run of a plan, by all records of its results folder and what its store holds."""
    records, machine = load_records([plan.results]).records, machine_of(plan.device)
    nums: dict[object, int | None] = {}  # of texts: a data set is read once
    found = []
    for run in plan.runs:
        protocol = run.spec.protocol
        asked = (protocol.scale, protocol.num_images, protocol.quick)
        if (is_text := is_stored(protocol) and protocol.collects in TEXTS) and asked not in nums:
            nums[asked] = num_texts(run.spec)
        found.append(
            forecast(
                run.spec,
                records,
                machine,
                image_size=size_of(run),
                pixels=plan.keep_images,
                num_items=nums[asked] if is_text else None,
                num_stored=num_stored(run.spec, plan),
            )
        )
    known = measured(plan)
    waits = {i: awaited(run.spec, plan.results / WORK) for i, run in enumerate(plan.runs) if i not in known}
    return Outlook(
        plan,
        tuple(found),
        frozenset(known),
        {i: what for i, (what, _) in waits.items() if what},
        frozenset(i for i, (_, nothing_else) in waits.items() if nothing_else),
    )


def awaited(spec: RunSpec, work: Path) -> tuple[str, bool]:
    """As run.awaits; asked without torch where nothing can be awaited."""
    if not kind_of(spec.protocol).awaits:
        return "", False
    from bench.run import awaits

    return awaits(spec, work)


def num_texts(spec: RunSpec) -> int | None:
    """Of a run's data set where it is here, None where it is not."""
    if spec.protocol.num_images or missing_assets(spec):
        return spec.protocol.num_images or None
    from bench.evaluators.in_store import asked_of

    try:
        return len(asked_of(spec).ids)
    except UsageError:
        return None


def num_stored(spec: RunSpec, plan: Plan) -> int:
    """Items of a run that the store holds. Asked without torch where there is no store."""
    if spec.model == REAL_DATA or not is_stored(spec.protocol) or not (plan.results / WORK / "store").is_dir():
        return 0
    from bench.evaluators import in_store

    return in_store.num_stored(spec, plan.results / WORK, keep_images=plan.keep_images)


def measured(plan: Plan) -> set[int]:
    """Places of the runs that `reproduce` would not measure again."""
    if not (plan.results / WORK).is_dir():
        return set()
    from bench.run import ledger_of, measured_here, run_inputs

    here = ledger_of(plan.results / WORK)
    known = {(r.model, r.protocol.name) for r in load_records([plan.results]).records if r.file in here}
    is_measured = measured_here(plan.results, here)
    found = set()
    for i, run in enumerate(plan.runs):
        if (run.spec.model, run.spec.protocol.name) not in known or run.lacks:
            continue
        try:
            inputs = run_inputs(run.spec, plan.device, plan.results / WORK)
        except (UsageError, CheckFailed):
            continue
        if is_measured(run.spec, inputs):
            found.add(i)
    return found


def size_of(run: PlannedRun) -> int:
    if run.spec.model != REAL_DATA:
        return image_size_of(run.spec)
    scale = MODELS_OF.get(run.spec.protocol.scale, run.spec.protocol.scale).rpartition("-")[2]
    return int(scale) if scale.isdecimal() else 8


def machine_of(device: str) -> str:
    """The slug of the machine; "" for a GPU that is not here."""
    if device.startswith("cuda") and not environment.gpu_names():
        return ""
    return environment.machine(device)


def num_devices(device: str) -> int:
    """Devices that share what is not timed."""
    if device != "cuda":
        return 1
    return max(1, len(environment.gpu_names()))


# -- before ------------------------------------------------------------------------------------------------------------


def before(found: Outlook) -> list[str]:
    """What a run of the plan is about to do: how many runs, hours, disk, what is missing. In lines."""
    lacks = dict.fromkeys(one for i in range(len(found.runs)) for one in found.missing(i))
    lines = [counted(found), *costs(found, found.todo), *slow(found, found.todo)]
    lines += [f"missing: {one}" for one in list(lacks)[:SHOWN]]
    if len(lacks) > SHOWN:
        lines.append(f"missing: {len(lacks) - SHOWN} more; `bench plan` with the same options lists all")
    return lines


def counted(found: Outlook) -> str:
    """As "34 runs: 3 to do, 2 measured already, 29 lack something"; of one "1 lacks something"."""
    lacking = sum(1 for i, run in enumerate(found.runs) if run.lacks or i in found.idle)
    parts = [f"{len(found.todo)} to do"]
    parts += [f"{len(found.measured)} measured already"] * bool(found.measured)
    parts += [f"{lacking} lack{'s' * (lacking == 1)} something"] * bool(lacking)
    return f"{len(found.runs)} run{'s' * (len(found.runs) != 1)}: {', '.join(parts)}"


def costs(found: Outlook, chosen: Sequence[int]) -> list[str]:
    """The sum over the runs of `chosen`: arithmetic, disk, hours, when they would end; and what it leaves out."""
    made = [i for i in chosen if found.forecasts[i].num_items]
    lines = [*_of_items(found, made), *_of_time(found, made)]
    rest = [found.runs[i].cost_s for i in chosen if i not in set(made)]
    if known := [seconds for seconds in rest if seconds is not None]:
        which = "the other runs" if made else "the runs"
        some = f" ({len(rest) - len(known)} were never run)" if len(known) < len(rest) else ""
        lines.append(f"{which} took {duration(sum(known))} last time{some}")
    return lines


def _of_items(found: Outlook, made: Sequence[int]) -> list[str]:
    if not made:
        return []
    flops = sum(found.forecasts[i].flops or 0.0 for i in made)
    disk = sum(found.forecasts[i].disk_bytes for i in made)
    texts = sum(1 for i in made if found.runs[i].spec.protocol.collects in TEXTS)
    kinds = [
        f"{kind} of {num} run{'s' * (num > 1)}"
        for kind, num in (("images", len(made) - texts), ("texts", texts))
        if num
    ]
    there = sum(found.forecasts[i].num_stored for i in made)
    stored = f"; {there:,} are in the store already, and left out" if there else ""
    counted_words = f"{quantity('flops', flops)}, " if flops else ""
    lines = [f"{' and '.join(kinds)}: {counted_words}{disk_size(disk)} of disk{stored}"]
    runs = [found.runs[i].spec for i in made if found.forecasts[i].flops is None]
    runs = [run for run in runs if run.model != REAL_DATA and not _is_small(run.model)]
    if runs:
        lines.append(f"not counted: {listed(list(dict.fromkeys(_uncounted(run) for run in runs)))}")
    return lines


def _uncounted(run: RunSpec) -> str:
    """A run whose arithmetic is not counted, and what would count it."""
    from reference_models import find

    if not find(run.model).network.chooses_steps(**settings_of(run)):
        return run.model
    return f"{named(run.model, run.settings)}, which chooses its steps (a run with --pilot counts them)"


def slow(found: Outlook, chosen: Sequence[int]) -> list[str]:
    """A line where a processor is to generate in float16: it has no arithmetic for it, and takes many times longer."""
    if found.plan.device.startswith("cuda"):
        return []
    runs = [
        found.runs[i].spec for i in chosen if found.forecasts[i].num_items and found.runs[i].spec.model != REAL_DATA
    ]
    halves = [run.model for run in runs if "float16" in (precision_of(run).autocast, precision_of(run).weights)]
    if not halves:
        return []
    return [
        f"slow: {listed(list(dict.fromkeys(halves)))}: published in float16, which a processor computes many times "
        "slower than float32: --device cuda, or the same scale on equal terms (float32)"
    ]


def _is_small(name: str) -> bool:
    from reference_models import find

    return find(name).scale in SMALL


def _of_time(found: Outlook, made: Sequence[int]) -> list[str]:
    known = [seconds for i in made if (seconds := found.seconds(i)) is not None]
    unknown = len(made) - len(known)
    lines = []
    if sum(known):
        devices = num_devices(found.plan.device)
        bound = any(found.forecasts[i].ground == "roofline" and found.runs[i].cost_s is None for i in made)
        ends = datetime.now() + timedelta(seconds=sum(known) / devices)
        least = "at least " if bound else ""
        lines.append(
            f"{least}{number(sum(known) / 3600)} device-hours: on {devices} device{'s' * (devices > 1)} it would end "
            f"{least and 'not before '}{ends:%Y-%m-%d %H:%M}"
        )
    if unknown:
        what = f"{unknown} of them" if known else "them"
        lines.append(f"no time is told of {what}: no roofline of this device and no rate of these models is recorded")
    return lines


def check_room(found: Outlook) -> None:
    """CheckFailed where what is to be made does not fit onto the disk of the results folder."""
    needed = sum(found.forecasts[i].disk_bytes for i in found.todo)
    folder = found.plan.results.absolute()
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise CheckFailed(
            f"{found.plan.results}: what is to be made takes {disk_size(needed)} of disk, {disk_size(free)} are "
            "free; expected room for it: free some, or name a folder on another disk with --results"
        )


# -- on the way --------------------------------------------------------------------------------------------------------


@dataclass
class Left:
    """What is left of the runs of `todo`, by the forecasts and by how long those that are done took."""

    found: Outlook
    todo: list[int]
    start: float = field(default_factory=lambda: time.monotonic())
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        known = [seconds for i in self.todo if (seconds := self.found.seconds(i))]
        usual = sum(known) / len(known) if known else 1.0
        self.weights = {i: self.found.seconds(i) or usual for i in self.todo}  # relative: what is unknown is average

    def seconds(self) -> float | None:
        """Until all are done; None as long as none is."""
        behind = sum(self.weights[i] for i in self.done)
        if not behind:
            return None
        return (time.monotonic() - self.start) / behind * (sum(self.weights.values()) - behind)

    def tell(self, run: PlannedRun) -> None:
        """Note that a run is done, and print a line where more than SHORT_S are left."""
        self.done |= {i for i in self.todo if self.found.runs[i] is run}
        left_s = self.seconds()
        if left_s is not None and left_s > SHORT_S:
            ends = f" (until {datetime.now() + timedelta(seconds=left_s):%Y-%m-%d %H:%M})" if left_s > LONG_S else ""
            say(f"{len(self.done)} of {len(self.todo)} runs done, about {duration(left_s)} left{ends}")
