"""STUDIES: questions that one measurement per model cannot answer, each a set of runs, most at small scales.

    python -m bench study trade-off        (or several names; continues where it was interrupted)

Those of the digits scale generate and score as `digits-quality` does: a point of one study that another asks for too is
measured once. They time nothing: they run for hours, beside other work. What a point costs is counted (`digits-costs`).
Two are of times alone, "kernels" and "speed-conditions": runs in shared rounds, which have the machine to themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.protocols import PROTOCOLS, kind_of
from bench.protocols.at_paper_size import CONDITIONS_256
from bench.published import PUBLISHED, READING, Published
from bench.records.schema import REAL_DATA, Protocol, RunSpec

if TYPE_CHECKING:
    from reference_models.spec import Spec

DIGITS, COSTS, MANY = (PROTOCOLS[name] for name in ("digits-study", "digits-costs", "digits-many"))
KERNELS = PROTOCOLS["digits-kernels"]

TRAINING_SEEDS = (0, 1, 2)  # 0: the shipped weights
SAMPLING_SEEDS = (0, 1, 2)  # of each network: of one sampling nobody knows how far another would move its score
SEEDED = ("transdiff-digits", "transdiff-mrar-digits", "mar-digits", "dit-digits")  # trained with every training seed
FAMILIES = (
    "transdiff-digits",
    "transdiff-mrar-digits",
    "mar-digits",
    "llamagen-digits",
    "var-digits",
    "dit-digits",
    "sit-digits",
)

CONDITIONED = ("var-d20", "llamagen-l", "dit-xl-2", "sit-xl-2")  # about as large as TransDiff-L

Settings = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """One question and the runs that answer it."""

    name: str
    title: str
    question: str
    runs: tuple[RunSpec, ...]


def grid(model: str, protocol: Protocol = DIGITS, **values: Iterable[Any]) -> Iterator[RunSpec]:
    """The runs of a model at every combination of these settings, the others as its spec has them."""
    for combination in product(*values.values()):
        yield RunSpec(model, protocol, dict(zip(values, combination, strict=True)))


def seeds(model: str, sampling_seeds: Iterable[int] = SAMPLING_SEEDS, **settings: Any) -> Iterator[RunSpec]:
    """The runs of a model at every training seed and sampling seed."""
    for training_seed, seed in product(TRAINING_SEEDS, sampling_seeds):
        yield RunSpec(model, replace(DIGITS, training_seed=training_seed, seed=seed), settings)


STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study(
            "trade-off",
            "Quality against cost",
            "What does each family reach with fewer steps, and which points does no other beat?",
            tuple(
                run
                for protocol in (DIGITS, COSTS)  # what a point scores, what it costs
                for run in (
                    *grid("transdiff-digits", protocol, num_steps=(5, 10, 25, 50, 100)),
                    *grid("transdiff-mrar-digits", protocol, num_steps=(5, 10, 25, 50, 100)),
                    *grid("sit-digits", protocol, num_steps=(5, 10, 25, 50, 100, 250)),
                    *grid("dit-digits", protocol, num_steps=(10, 25, 50, 100, 250)),
                    *grid("mar-digits", protocol, num_iter=(2, 4, 8, 16), num_steps=(10, 25, 100)),
                    *grid("llamagen-digits", protocol),
                    *grid("var-digits", protocol),
                )
            ),
        ),
        Study(
            "guidance",
            "Guidance",
            "Which guidance scale suits each family at its own settings?",
            (
                *grid("transdiff-digits", cfg_scale=(1.0, 1.15, 1.3, 1.5, 2.0)),
                *grid("mar-digits", cfg_scale=(1.0, 1.5, 2.0, 3.0, 4.0)),
                *grid("llamagen-digits", cfg_scale=(1.0, 1.25, 1.5, 2.0)),
                *grid("var-digits", cfg_scale=(1.0, 1.25, 1.5, 2.0, 2.5)),
                *grid("dit-digits", cfg_scale=(1.0, 1.25, 1.5, 2.0), num_steps=(100,)),
                *grid("sit-digits", cfg_scale=(1.0, 1.25, 1.5, 2.0), num_steps=(100,)),
            ),
        ),
        Study(
            "scales",
            "TransDiff's drift and noise scales",
            "Do scale_0 (of the drift) and scale_1 (of the noise) below 1, as published, help?",
            tuple(
                grid("transdiff-digits", scale_0=(0.87, 0.93, 1.0), scale_1=(0.91, 0.95, 1.0))
            ),  # within the published ranges
        ),
        Study(
            "references",
            "Images that refer to earlier images",
            "Is each image of a row better than the one before it, and what does each reference cost?",
            tuple(run for k in (1, 2, 3, 4) for run in seeds("transdiff-mrar-digits", num_images=k)),
        ),
        Study(
            "training-seeds",
            "Training seeds",
            "Does a difference between two families outlive another training run?",
            tuple(run for model in SEEDED for run in seeds(model)),
        ),
        Study(
            "quality",
            "More images, a second look",
            "Which families do 2,000 images tell apart, and do features that nothing was trained for agree?",
            (RunSpec(REAL_DATA, MANY), *(RunSpec(model, MANY) for model in FAMILIES)),
        ),
        Study(
            "kernels",
            "CPU kernels of this suite's own",
            "How much of each ratio of speed comes from kernels of this suite's own, which only some families have?",
            (RunSpec("transdiff-digits", KERNELS, {}, tuple(name for name in FAMILIES if "transdiff" not in name)),),
        ),
        Study(
            "speed-conditions",
            "The speed-up under other conditions",
            "Does TransDiff's speed-up depend on precision, compiled steps and batch size, which no paper states?",
            # Without MAR-L, whose image takes as long as all others together.
            tuple(RunSpec("transdiff-l", protocol, {}, CONDITIONED) for protocol in CONDITIONS_256),
        ),
        Study(
            "mean-latents",
            "The mean of an image's latents",
            "Does D-DiT read the mean of an image's latents as well as the draw that it was released with?",
            tuple(
                RunSpec("d-dit-512", PROTOCOLS[protocol], settings)
                for protocol in ("coco-captions-captions", "vqa-v2-answers")
                for settings in ({}, {"sample_posterior": False})
            ),
        ),
        Study(
            "text-steps",
            "Text steps",
            "How many steps of masked diffusion does a caption need, how many an answer, and what does skipping save?",
            tuple(
                run
                for protocol in (PROTOCOLS["scenes-captions-study"], PROTOCOLS["scenes-answers-study"])
                for run in (
                    *grid("d-dit-digits", protocol, num_steps=(1, 2, 4, 8, 16, 32, 64), cached=(True,)),
                    *grid("d-dit-digits", protocol, num_steps=(4, 16, 64), cached=(False,)),
                )
            ),
        ),
    )
}


def find_study(name: str) -> Study:
    """The study of that name; UsageError where there is none."""
    if name not in STUDIES:
        raise UsageError(f"unknown study {name!r}; known: {', '.join(STUDIES)}")
    return STUDIES[name]


def runs_of(names: Iterable[str]) -> list[RunSpec]:
    """The runs of these studies, each once: a run that names a setting's usual value is the run without it."""
    found: dict[tuple[Any, ...], RunSpec] = {}
    for run in (run for name in names for run in find_study(name).runs):
        found.setdefault(run_key(run), run)
    return list(found.values())


def run_key(run: RunSpec) -> tuple[Any, ...]:
    settings = tuple(sorted(map(str, settings_of(run).items())))
    return run.model, run.protocol.name, run.protocol.training_seed, run.protocol.seed, settings


def settings_of(run: RunSpec) -> Settings:
    """All settings in force: of reading images where the model says texts of them, else of generating."""
    from reference_models import find

    if run.model == REAL_DATA:
        return dict(run.settings)
    return {**usual_settings(find(run.model), run.protocol), **run.settings}


def usual_settings(spec: Spec, protocol: Protocol) -> Mapping[str, Any]:
    """A model's own settings of what a protocol asks of it: of reading images (of released weights the authors'), else
    of generating."""
    if not kind_of(protocol).reads:
        return spec.sampling
    return reading_settings(spec, protocol.collects)


def published_row(model: str, protocol: Protocol) -> Published | None:
    """The row whose settings a protocol generates with: as published, and on equal terms, which leave guidance and
    steps as published. None: there is none, or the model says texts."""
    if not protocol.terms or kind_of(protocol).reads:
        return None
    return PUBLISHED.get((model, protocol.variant))


def reading_settings(spec: Spec, kind: str) -> Settings:
    """A model's settings of captions or answers: its own; of one whose weights are not trained here the authors'."""
    own: Settings = dict(spec.network.reading or {})
    return own | READING[kind] if spec.recipe is None else own
