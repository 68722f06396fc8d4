"""Claims -> runs, without repeats: what each answers, what each lacks, what it will cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import assets
from bench.claims import CLAIMS
from bench.claims.files import claims_in_use
from bench.errors import CheckFailed, UsageError
from bench.formatting import named
from bench.models import (
    REAL_IMAGES,
    is_released,
    missing_files,
    reads_images,
    released_assets,
    reseeding_of,
    train_command,
)
from bench.protocols import PROTOCOLS, RATIOS, SCALES, SMALL, Kind, is_timed, kind_of, quick_settings
from bench.protocols import pilot as pilot_protocol
from bench.protocols import quick as quick_protocol
from bench.protocols.at_paper_size import MODELS_OF
from bench.published import PUBLISHED
from bench.records.environment import memory_bytes
from bench.records.schema import REAL_DATA, Claim, Comparison, Protocol, Record, RunSpec
from bench.records.store import QUICK, WORK, load_records
from bench.studies import STUDIES, published_row, runs_of, usual_settings

if TYPE_CHECKING:
    from reference_models.spec import Spec


TINY_BYTES = 50e6  # of weights: a processor generates with these in reasonable time


@dataclass(frozen=True)
class PlannedRun:
    spec: RunSpec
    answers: tuple[str, ...]  # ids of the claims that rest on it
    lacks: tuple[str, ...]  # what is missing to run it here; empty: it can run
    cost_s: float | None  # wall seconds it took last time, on any machine; None: never measured

    @property
    def title(self) -> str:
        """As "dit-xl-2 (cfg_scale 1.0) imagenet-256-quality"; settings that are the model's own are left out."""
        return f"{named(self.spec.model, self.spec.settings)} {self.spec.protocol.name}"


@dataclass(frozen=True)
class Plan:
    scale: str
    device: str
    results: Path
    runs: tuple[PlannedRun, ...]
    keep_images: bool = False  # the pixels of all images stay in the store


def make_plan(
    *,
    scale: str,
    only: tuple[str, ...] | list[str],
    quick: bool,
    device: str,
    results: Path,
    pilot: int = 0,
    keep_images: bool = False,
) -> Plan:
    """The runs that the claims need at a scale, and every other model of it. UsageError for an unknown scale.

    pilot: instead of all images of a run about so many, the first ones, and nothing but what scores images; 0: all.
    keep_images: the pixels of all images stay in the store.

    The counts of the paper's sizes belong to every scale; a smoke run takes them unchanged, for they are exact.
    """
    from reference_models import find, specs

    if scale not in SCALES:
        raise UsageError(f"unknown scale {scale!r}; known: {', '.join(SCALES)}")
    for name in only:
        if find(name).scale != MODELS_OF.get(scale, scale):
            raise UsageError(f"model {name!r} is of scale {find(name).scale}, not {scale}")
    chosen = {name: spec for name, spec in specs().items() if not only or name in only}
    names = [name for name, spec in chosen.items() if spec.scale == MODELS_OF.get(scale, scale) and not spec.ingredient]
    paper_sizes = [name for name, spec in chosen.items() if spec.scale not in SMALL]
    protocols = [quick_protocol(p) if quick else p for p in PROTOCOLS.values() if p.scale == scale and not p.study]
    protocols += [p for p in PROTOCOLS.values() if not kind_of(p).needs_model]
    if pilot:
        protocols = list(_pilots(protocols, scale, pilot, quick))
    results = results / QUICK if quick else results
    previous = load_records([results]).records

    runs = []
    for protocol in protocols:
        kind = kind_of(protocol)
        models = [name for name in names if _can(chosen[name], kind)] if kind.needs_model else paper_sizes
        # Of COCO there is no other set of real images: val2017 is a part of val2014.
        has_real = scale in SMALL or (MODELS_OF.get(scale, scale).startswith("imagenet") and not protocol.variant)
        if kind.real and has_real and not (pilot or protocol.reseeded):
            models = [REAL_DATA, *models]
        for spec in _specs_of(protocol, models, only):
            if not (protocol.sampled_calls and device.startswith("cuda")):  # a GPU generates whole images
                runs.append(_planned(spec, device, results / WORK, previous))
    return Plan(scale, device, results, tuple(runs), keep_images)


def _pilots(protocols: Sequence[Protocol], scale: str, num_images: int, quick: bool) -> Iterator[Protocol]:
    """The protocols that score images, of fewer. UsageError where a scale has none, and for what is no pilot."""
    scored = [p for p in protocols if p.collects == "images"]
    if quick:
        raise UsageError("--pilot and --quick exclude each other: a smoke run has its own number of images")
    if not scored:
        there = dict.fromkeys(p.scale for p in PROTOCOLS.values() if p.collects == "images")
        raise UsageError(f"--pilot: scale {scale!r} scores no images; those that do: {', '.join(there)}")
    for protocol in scored:
        if not 0 < num_images < protocol.num_images:
            raise UsageError(f"--pilot {num_images}: expected fewer than the {protocol.num_images:,} of the full run")
        yield pilot_protocol(protocol, num_images)


def _specs_of(protocol: Protocol, models: Sequence[str], only: Sequence[str]) -> Iterator[RunSpec]:
    """The runs of a protocol: of these models, or of those among them that its claims name, at all their settings."""
    for name in models:
        if protocol.reseeded and reseeding_of(RunSpec(name, protocol)) is None:
            continue
        if protocol.variant and not kind_of(protocol).reads and (name, protocol.variant) not in PUBLISHED:
            continue
        for settings in _settings_of(name, protocol):
            spec = RunSpec(name, protocol, settings, _baselines_of(name, protocol))
            if kind_of(protocol).paired and not spec.baselines:
                continue
            if not protocol.claimed_only or only or _answers(spec):
                yield spec


def _settings_of(name: str, protocol: Protocol) -> list[dict[str, Any]]:
    """The settings, where they differ from the model's usual ones, under which a protocol measures it: the published
    ones or a smoke run's, then those that claims name."""
    from reference_models import find

    if name == REAL_DATA:
        return [{}]
    usual = usual_settings(find(name), protocol)
    row = published_row(name, protocol)
    first = quick_settings(protocol, usual) | (dict(row.sampling) if row else {})
    wanted = [first]
    if protocol.terms:
        sides = [side for claim in claims_in_use() for side in _sides(claim)]
        wanted += [first | dict(s.settings) for s in sides if (s.protocol, s.subject) == (protocol.name, name)]
    changed = [{key: value for key, value in one.items() if usual.get(key) != value} for one in wanted]
    return [one for i, one in enumerate(changed) if one not in changed[:i]]


def _baselines_of(model: str, protocol: Protocol) -> tuple[str, ...]:
    """The models than which a claim calls `model` faster, where the protocol times them side by side."""
    if not kind_of(protocol).paired:
        return ()
    sides = [side for claim in CLAIMS for side in _sides(claim) if _is_ratio(side, model, protocol)]
    return tuple(dict.fromkeys(name for side in sides for name in side.baselines))


def _is_ratio(side: Comparison, model: str, protocol: Protocol) -> bool:
    in_pairs = [RATIOS.get(name) for name in (side.protocol, side.stand_in)]
    return (side.metric, side.subject) == ("latency_s", model) and protocol.name in in_pairs


def _sides(claim: Claim) -> list[Comparison]:
    return [side for side in (claim.paper_scale, claim.in_small) if side is not None]


def make_study_plan(names: tuple[str, ...] | list[str], *, device: str, results: Path) -> Plan:
    """The runs of these studies (all where none is named), each once. UsageError for an unknown study."""
    previous = load_records([results]).records
    runs = [_planned(run, device, results / WORK, previous) for run in runs_of(names or STUDIES)]
    scales = dict.fromkeys(run.spec.protocol.scale for run in runs)
    return Plan(" and ".join(scales), device, results, tuple(runs))


def _can(spec: Spec, kind: Kind) -> bool:
    """Whether a model does what is measured: reads images or generates some."""
    return reads_images(spec) if kind.reads else bool(spec.sampling)  # one that only reads has no settings of sampling


def _planned(spec: RunSpec, device: str, work: Path, previous: list[Record]) -> PlannedRun:
    """What a run answers, what it lacks, what it cost last time."""
    costs = [
        record.wall_s
        for record in previous
        if record.model == spec.model
        and record.protocol == spec.protocol
        and record.status == "ok"  # a run that failed says nothing of a whole one
        and record.wall_s
        and all(record.settings.get(name) == value for name, value in spec.settings.items())
    ]
    return PlannedRun(spec, _answers(spec), _lacking(spec, device, work), costs[-1] if costs else None)


def _answers(spec: RunSpec) -> tuple[str, ...]:
    """Ids of the claims that rest on a run."""
    return tuple(claim.id for claim in claims_in_use() if any(_rests_on(side, spec) for side in _sides(claim)))


def _rests_on(side: Comparison, spec: RunSpec) -> bool:
    from reference_models import find

    if kind_of(spec.protocol).paired:
        return _is_ratio(side, spec.model, spec.protocol)
    if spec.protocol.name not in (side.protocol, side.stand_in) or spec.model not in (side.subject, *side.baselines):
        return False
    first, *_ = _settings_of(spec.model, spec.protocol) if spec.protocol.terms else [spec.settings]
    usual = usual_settings(find(spec.model), spec.protocol)  # a claim may name what is the model's own
    return {**usual, **first, **side.settings} == {**usual, **first, **spec.settings}


def _lacking(spec: RunSpec, device: str, work: Path) -> tuple[str, ...]:
    lacks: list[str] = []
    name, protocol = spec.model, spec.protocol
    if name != REAL_DATA and protocol.scale in SMALL:
        for one in (spec, *(replace(spec, model=other, baselines=()) for other in spec.baselines)):
            lacks += [_how_to_train(missing, spec) for missing in missing_files(one, work)]
    lacks += missing_assets(spec)
    if "gpu" in protocol.needs and not device.startswith("cuda") and not _is_tiny(spec):
        studies = [study.name for study in STUDIES.values() if protocol in (run.protocol for run in study.runs)]
        job = f"study {studies[0]}" if studies else f"reproduce --scale {protocol.scale} --only {name}"
        command = f": python -m bench {job} --device cuda"
        lacks.append("a CUDA GPU" + (command if protocol.needs == ("gpu",) else ""))
    if protocol.sampled_calls and _memory_bytes(spec) > memory_bytes():
        lacks.append(f"{_memory_bytes(spec) / 1e9:.0f} GB of memory")
    return tuple(dict.fromkeys(lacks))


def _is_tiny(spec: RunSpec) -> bool:
    """Whether a processor is enough for what is not timed."""
    sizes = [assets.locate(asset).size for asset in released_assets(spec)[:1]]
    return not is_timed(spec.protocol) and bool(sizes) and (sizes[0] or math.inf) < TINY_BYTES


def missing_assets(spec: RunSpec) -> list[str]:
    """What a run needs of the assets and is not usable here, each with the path that was looked at."""
    needed = list(released_assets(spec))
    if spec.model == REAL_DATA and spec.protocol.assets:
        needed.append(assets.find(REAL_IMAGES))
    if is_released(spec) and not needed:
        return ["weights: none were released"]
    needed += [assets.find(name) for name in spec.protocol.assets]
    lacking = [located.complaint for asset in needed if not (located := assets.locate(asset)).usable]
    return lacking + [fault for name in spec.protocol.assets[:1] if (fault := _damaged_texts(name))]


def _damaged_texts(name: str) -> str:
    """Why the captions, questions or prompts of an asset that is there cannot be used; "" where they can, or it is not.

    They are read to their end, once: what is cut off would else end a run when others have taken hours.
    """
    from bench.datasets.released import READERS, VERSION, check_texts

    if name not in READERS or not (located := assets.locate(assets.find(name))).usable:
        return ""
    files = assets.content_files(located.asset, located.path)
    try:
        assets.read_once(list(files.values()), VERSION, lambda: check_texts(name, files))
    except (UsageError, CheckFailed) as error:
        return f"{name} cannot be used: {error}; remove the file, then get it with: python -m bench fetch {name}"
    return ""


def _how_to_train(name: str, run: RunSpec) -> str:
    """What makes the weights of `name` that a run lacks: its model's, its autoencoder's, or those of a baseline."""
    if run.protocol.training_seed:
        return f"weights of training seed {run.protocol.training_seed}: python -m bench study training-seeds"
    return f"{'weights' if name == run.model else f'weights of {name}'}: {train_command(name)}"


def _memory_bytes(spec: RunSpec) -> float:
    """The weights of the model and of the largest of its baselines, in float32, and as much again for their work."""
    from reference_models import find

    num_params = [find(name).num_params or 0.0 for name in (spec.model, *spec.baselines)]
    return 2 * 4 * (num_params[0] + max(num_params[1:], default=0.0))
