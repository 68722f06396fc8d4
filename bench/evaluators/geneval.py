"""GenEval: images in the layout that its evaluator reads, and scores of the results file that the evaluator writes.

Its detector (Mask2Former in mmdetection 2) and its colour classifier (CLIP) are no part of this suite: they run in an
environment of their own, as their authors have it. So a run has two halves. The first generates the images, and ends
without a record; the same command again finds the results file beside them, and the run is whole.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench import assets
from bench.assets.checksums import digest
from bench.datasets.geneval import (
    IMAGES_PER_PROMPT,
    TAGS,
    Detected,
    GenEvalPrompt,
    image_path,
    load_results,
    write_metadata,
)
from bench.datasets.json_files import shown
from bench.errors import Awaited, UsageError
from bench.evaluators import Context, in_store
from bench.evaluators.images import collect, sampled_of
from bench.evaluators.prompted import geneval_prompts
from bench.metrics import METRICS, size
from bench.metrics.geneval import METRIC_BY_TAG, compute_geneval_scores
from bench.metrics.item_scores import ItemScore, measure
from bench.records.parts import Measurement, Paintings
from bench.records.schema import RunSpec
from bench.records.store import GENEVAL
from bench.sampling import files
from bench.sampling.images import Samples
from bench.stats import IMAGE_RESAMPLES

RESULTS = "results.jsonl"  # beside the images
DETECTOR = "geneval-detector"
INTERVAL = f"95 %, prompts resampled {IMAGE_RESAMPLES} times within their tasks, recentred percentile"


def measure_geneval(model: Any, spec: RunSpec, context: Context) -> dict[str, Any]:
    """Four images of each prompt in GenEval's layout, then the scores by its evaluator's results file beside them.

    Awaited, with what to run, as long as there is none.
    """
    prompts = geneval_prompts(spec.protocol)
    samples = collect(model, spec, context.work)
    folder = context.work / GENEVAL / samples.name
    write_images(folder, prompts, samples)
    path = folder / RESULTS
    if not path.is_file():
        raise Awaited(how_to_detect(folder))
    detected = load_results(path)
    check_results(detected, prompts, path)
    nfe = model.network_evaluations(**{**model.spec.sampling, **spec.settings})
    paintings = Paintings(nfe=nfe, samples=sampled_of(samples, spec, model), scoring=scoring_of(path))
    return {"measurements": score(detected) | size.summarise({"nfe": nfe}), "paintings": paintings}


def how_to_detect(folder: Path) -> str:
    """What is missing and what makes it, in one line. folder: of the images."""
    found = assets.locate(assets.find(DETECTOR))
    weights = str(found.path) if found.usable else f"python -m bench fetch {DETECTOR}"
    command = f"python evaluation/evaluate_images.py FOLDER --outfile FOLDER/{RESULTS} --model-path WEIGHTS"
    return (
        f"the results of GenEval's detector, which this suite does not have: {folder / RESULTS}; once the images are "
        f"in that folder, run in an environment of github.com/djghosh13/geneval: `{command}` (weights: {weights}), "
        "then this command again"
    )


def awaited(spec: RunSpec, work: Path) -> tuple[str, bool]:
    """(what a run waits for, "" where it is there; whether that is all it waits for: its images are made)."""
    name = in_store.folder_name(spec, work)
    folder = work / GENEVAL / (name or f"{spec.model}-...")
    if name and (folder / RESULTS).is_file():
        return "", False
    num = spec.protocol.num_images
    made = bool(name) and all(image_path(folder, i).is_file() for i in range(num))
    return how_to_detect(folder), made


def write_images(folder: Path, prompts: Sequence[GenEvalPrompt], samples: Samples) -> None:
    """The images of a run as `<folder>/00000/samples/0000.png`; those that are there are kept, damaged ones are not."""
    from PIL import Image

    write_metadata(folder, prompts)
    for shard in samples.shards():
        for row in range(shard.count):
            path = image_path(folder, shard.first + row)
            if shard.first + row >= samples.num:
                continue
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(shard.arrays["images"][row].transpose(1, 2, 0))).save(file, "PNG")
            if not path.is_file() or files.read_whole(path) != file.getvalue():
                files.write_whole(path, file.getvalue(), sync=False)


def check_results(
    detected: Sequence[Detected], prompts: Sequence[GenEvalPrompt], path: Path, *, by_place: bool = True
) -> None:
    """UsageError where results are not of four images of each of these prompts.

    by_place: the names of the files must be those that `write_images` gives.
    """
    wanted = Counter({(one.tag, one.prompt): 0 for one in prompts})
    for one in prompts:
        wanted[one.tag, one.prompt] += IMAGES_PER_PROMPT
    found = Counter((one.tag, one.prompt) for one in detected)
    odd = [prompt for (tag, prompt) in {**wanted, **found} if wanted[tag, prompt] != found[tag, prompt]]
    if odd:
        raise UsageError(
            f"results {path}: {len(detected):,} images; expected {IMAGES_PER_PROMPT} of each of {len(prompts)} "
            f"prompts; of {len(odd)} prompts there is another number (first: {shown(odd[:1])})"
        )
    if not by_place:
        return
    for said in detected:
        number, image = said.place or (-1, -1)
        known = 0 <= number < len(prompts) and 0 <= image < IMAGES_PER_PROMPT
        if not known or prompts[number].prompt != said.prompt:
            raise UsageError(f"results {path}: {said.filename} is no image of this run")


def score(detected: Sequence[Detected]) -> dict[str, Measurement]:
    """Overall and by task, 0 to 1, each with its interval; what has no image is left out."""
    found = {name: measure(item) for name, item in scores_of(detected).items()}
    return {name: measured for name, measured in found.items() if measured}


def scores_of(detected: Sequence[Detected]) -> dict[str, ItemScore]:
    right: dict[tuple[str, ...], list[bool]] = {}
    for one in detected:
        right.setdefault(prompt_of(one), []).append(one.correct)
    num_correct, num_images = (np.array([count(each) for each in right.values()]) for count in (sum, len))
    return compute_geneval_scores([tag for tag, *_ in right], num_correct, num_images)


def prompt_of(one: Detected) -> tuple[str, ...]:
    """What tells its prompt from the others; two of one wording are told by their folders."""
    return (one.tag, one.prompt, "" if one.place is None else str(one.place[0]))


def scoring_of(path: Path) -> dict[str, Any]:
    """How it was scored, for a record."""
    return {
        "results_sha256": digest(path),
        "detector": "GenEval's own evaluator, run outside this suite",
        "interval": INTERVAL,
        "metric_versions": {name: METRICS[name].version for name in ("geneval_overall", *METRIC_BY_TAG.values())},
    }


def score_results(path: Path) -> dict[str, Any]:
    """The scores of a results file, with what a reader must know; keys as of `score_images`."""
    detected = load_results(path)
    measured = score(detected)
    tags = Counter(one.tag for one in detected)
    lacking = [tag for tag in TAGS if not tags[tag]]
    prompts = Counter(prompt_of(one) for one in detected)
    warnings = [f"no image of {', '.join(lacking)}: overall is the mean over the others"] if lacking else []
    if uneven := [prompt for (_, prompt, _), count in prompts.items() if count != IMAGES_PER_PROMPT]:
        warnings.append(
            f"{len(uneven)} of {len(prompts)} prompts have another number of images than {IMAGES_PER_PROMPT} "
            f"(first: {shown(uneven[:1])})"
        )
    return {
        "metrics": {name: asdict(one) for name, one in measured.items()},
        "not_run": {METRIC_BY_TAG[tag]: "no image of it" for tag in lacking},
        "warnings": warnings,
        "num_images": len(detected),
        "num_prompts": len(prompts),
        "protocol": {"results": path.resolve().name, **scoring_of(path)},
    }
