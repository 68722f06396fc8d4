"""`python -m bench time MODEL ...`: latency, throughput, stages and ratios of sampling, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer

from bench.commands.app import MOST, MOST_STEPS, Device, Dtype, JsonFile, example, resolve_device
from bench.commands.time_tables import ESTIMATED_WITHIN, print_timings
from bench.errors import CheckFailed, UsageError
from bench.metrics.latency import best_batch, summarise
from bench.models import check_dtype
from bench.records import environment
from bench.records.json_files import check_json_path, write_json
from bench.records.parts import Measurement, Speedup, Timing
from bench.records.store import stored
from bench.sampling.precision import PLAIN, running_in
from bench.stats import MIN_PAIRS
from bench.timing.generation import collect_timings, load
from bench.timing.model_cost import check_memory
from bench.timing.roofline import measure_roofline
from bench.timing.settings import TimingSettings
from bench.timing.speedup import Side, collect_ratios
from bench.timing.stages import SAMPLED, check_estimated, collect_estimated, collect_stages
from reference_models.layers import torchs_kernels

if TYPE_CHECKING:
    from reference_models.image_model import ImageModel


@example("python -m bench time transdiff-digits --against dit-digits --sweep --stages")
def time_(
    models: Annotated[list[str], typer.Argument(help="models, see `bench list`")],
    batch_size: Annotated[list[int] | None, typer.Option(min=1, max=MOST, help="images per call (repeatable)")] = None,
    against: Annotated[str | None, typer.Option(help="a model to compare each with, timed pair by pair")] = None,
    sweep: Annotated[bool, typer.Option(help="also batches of 1, 2, 4, ... and throughput at the best")] = False,
    stages: Annotated[bool, typer.Option(help="also where the time goes, and how near the roofline")] = False,
    compose: Annotated[bool, typer.Option(help="time a few steps and estimate the whole: for paper sizes")] = False,
    check_composed: Annotated[bool, typer.Option(help="compare estimated latencies with measured ones")] = False,
    num_steps: Annotated[
        int | None, typer.Option(min=2, max=MOST_STEPS, help="diffusion steps, instead of the paper's")
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    compile_: Annotated[bool, typer.Option("--compile", help="compile the sampling steps")] = False,
    own_kernels: Annotated[bool, typer.Option(help="on a CPU this suite's own kernels where they are faster")] = True,
    json_file: JsonFile = None,
) -> None:
    """Latency and throughput of sampling, in rounds that are kept raw. Paper sizes run with random weights."""

    timing = Request(
        batch_sizes=tuple(dict.fromkeys(batch_size or [1])),
        device=resolve_device(device),
        dtype=dtype,
        compiled=compile_,
        num_steps=num_steps,
        sweep=sweep,
        stages=stages,
        compose=compose,
        check=check_composed,
        own_kernels=own_kernels,
    )
    with nullcontext() if own_kernels else torchs_kernels(), running_in(PLAIN, timing.device):
        time_models(models, timing, against=against, json_file=json_file)


@dataclass(frozen=True)
class Request:
    """What the command line asks for, and how long a series lasts."""

    batch_sizes: tuple[int, ...] = (1,)
    device: str = "cpu"
    dtype: str = "float32"
    compiled: bool = False
    num_steps: int | None = None  # None: the paper's
    sweep: bool = False  # batches of 1, 2, 4, ... and throughput at the best of them
    stages: bool = False
    compose: bool = False
    check: bool = False  # estimated against measured
    own_kernels: bool = True  # False: torch's alone (reference_models/layers.py)
    min_rounds: int = 10
    min_duration_s: float = 2.0
    max_duration_s: float = 300.0  # a series ends after that, however few its rounds
    stopwatch: TimingSettings = field(default_factory=TimingSettings)

    @property
    def settings(self) -> dict[str, Any]:
        return {} if self.num_steps is None else {"num_steps": self.num_steps}


@dataclass(frozen=True)
class TimedRun:
    """One model at one batch size."""

    timing: Timing
    check: Mapping[str, Any] | None  # of check_estimated; None: not asked for
    sampling: Mapping[str, Any]  # the settings in force


def time_models(names: Sequence[str], timing: Request, *, against: str | None, json_file: Path | None) -> None:
    """Time each model, with shipped weights or random ones (speed does not depend on them); print; write `json_file`.

    against: a model that each of them is compared with, pair by pair. UsageError for a wrong call; CheckFailed, once
    all is printed and written, where estimated latencies are wrong.
    """
    from reference_models import build, find

    check_dtype(timing.dtype)
    if timing.sweep and timing.compose:
        raise UsageError("--sweep times whole calls, --compose none: choose one")
    for name in [*names, *([against] if against else [])]:
        spec = find(name)
        if not spec.sampling:  # a captioner
            raise UsageError(f"{name} generates no images: there is nothing to time here")
        if timing.num_steps is not None and "num_steps" not in spec.sampling:
            raise UsageError(f"--num-steps: {name} has no such setting; it has: {', '.join(spec.sampling)}")
    check_json_path(json_file)
    found: dict[str, TimedRun] = {}
    ratios: list[Speedup] = []

    def make(name: str) -> ImageModel:
        model = build(name, device=timing.device, dtype=getattr(torch, timing.dtype))
        if timing.compiled:
            model.compile_steps()
        return model

    def add(name: str) -> ImageModel:
        model, load_s = load(lambda: make(name))
        for batch_size in timing.batch_sizes:
            check_memory(model, batch_size, timing.device)
            sweeps = timing.sweep and batch_size == timing.batch_sizes[0]
            found[f"{name}@{batch_size}"] = time_model(model, batch_size, replace(timing, sweep=sweeps), load_s)
        return model

    baseline = add(against) if against else None
    for name in names:
        model = add(name)
        if baseline is not None:
            ratios += compare(model, baseline, found, timing)
    print_timings(found, ratios, f"{environment.machine(timing.device)}, {conditions_of(timing)}")
    if json_file is not None:
        write_json(json_content(found, ratios, timing), json_file)
    for run, entry in found.items():
        if entry.check is not None:
            check_agreement(run, entry.check["ratio"])


def check_agreement(run: str, ratio: Measurement) -> None:
    """CheckFailed where an estimated latency is surely further than ESTIMATED_WITHIN from a measured one."""
    low, high = ratio.ci_low, ratio.ci_high
    if low is None or high is None:
        return
    if low > 1 + ESTIMATED_WITHIN or high < 1 - ESTIMATED_WITHIN:
        raise CheckFailed(
            f"{run}: estimated / measured is {low:.3f} to {high:.3f}, allowed: 1 within {ESTIMATED_WITHIN:.0%}"
        )


def conditions_of(timing: Request) -> str:
    """As "float32, 2 threads, compiled, without own kernels"."""
    threads = f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"
    others = {"compiled": timing.compiled, "without own kernels": not timing.own_kernels}
    return ", ".join([timing.dtype, threads, *(name for name, holds in others.items() if holds)])


def time_model(model: ImageModel, batch_size: int, timing: Request, load_s: float) -> TimedRun:
    """All that was asked for of one model at one batch size."""
    common: dict[str, Any] = {"settings": timing.settings, "batch_size": batch_size, "timing": timing.stopwatch}
    if timing.compose:
        found = collect_estimated(model, **common)
    else:
        found = collect_timings(
            model,
            latency_batch_size=batch_size,
            throughput_batch_size=None if timing.sweep else 0,
            settings=timing.settings,
            min_rounds=timing.min_rounds,
            min_duration_s=timing.min_duration_s,
            max_duration_s=timing.max_duration_s,
            timing=timing.stopwatch,
        )
        if timing.stages:
            stages = collect_stages(
                model,
                min_rounds=timing.min_rounds,
                min_duration_s=timing.min_duration_s,
                max_duration_s=timing.max_duration_s,
                **common,
            )
            found = replace(found, stages=stages)
    check = check_estimated(model, min_rounds=MIN_PAIRS, **common) if timing.check else None
    if found.stages:
        found = replace(found, roofline=measure_roofline(str(model.device), model.dtype, timing.stopwatch))
    return TimedRun(replace(found, load_s=load_s), check, {**model.spec.sampling, **timing.settings})


def compare(model: ImageModel, baseline: ImageModel, found: Mapping[str, TimedRun], timing: Request) -> list[Speedup]:
    """How many times as fast `model` is as `baseline`: at each batch size under forced equal conditions and,
    after sweeps, each at the batch that suits it best."""
    ratios = [compare_at(model, baseline, (size, size), "forced equal", timing) for size in timing.batch_sizes]
    if timing.sweep:
        runs = [f"{side.spec.name}@{timing.batch_sizes[0]}" for side in (model, baseline)]
        best = [best_batch(sweep) for run in runs if (sweep := found[run].timing.sweep)]
        ratios.append(compare_at(model, baseline, (best[0], best[1]), "each at its best", timing))
    return ratios


def compare_at(
    model: ImageModel, baseline: ImageModel, batch_sizes: tuple[int, int], mode: str, timing: Request
) -> Speedup:
    """One ratio of images per second, `model` over `baseline`, and what it rests on."""
    sides = zip((model, baseline), batch_sizes, strict=True)
    subject, other = (Side(side, size, own_kernels=timing.own_kernels) for side, size in sides)
    (ratio,) = collect_ratios(
        subject,
        [other],
        mode=mode,
        settings=timing.settings,
        sampled=SAMPLED if timing.compose else None,
        min_rounds=MIN_PAIRS if timing.compose else timing.min_rounds,
        min_duration_s=0.0 if timing.compose else timing.min_duration_s,
        max_duration_s=None if timing.compose else timing.max_duration_s,
        timing=timing.stopwatch,
    )
    return ratio


def raw_of(entry: TimedRun) -> dict[str, Any]:
    """As in a record, and the check of estimated latencies where it was asked for."""
    return stored(entry.timing) | ({} if entry.check is None else {"check_composed": entry.check})


def json_content(found: Mapping[str, TimedRun], ratios: Sequence[Speedup], timing: Request) -> dict[str, Any]:
    """What --json writes; one run: the metrics' plain names, several: "<model>@<batch size>/<metric>"."""
    return {
        "metrics": {
            metric if len(found) == 1 else f"{run}/{metric}": asdict(value)
            for run, entry in found.items()
            for metric, value in summarise(entry.timing).items()
        },
        "raw": {run: raw_of(entry) for run, entry in found.items()},
        "ratios": stored(ratios),
        "protocol": {**asdict(timing), "sampling": {run: entry.sampling for run, entry in found.items()}},
        "environment": environment.describe(timing.device),
    }
