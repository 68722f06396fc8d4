"""`python -m bench caption` and `answer`: what a model says of a data set's images, as `bench score` reads it.

Three files:

    out.json            the results, in the layout of the data set's evaluator, with "finish" (see datasets/texts.py)
    out.made-by.json    the model, its settings, the files that were read, and the images that were left out
    out.json.partial/   while it works, the texts so far in shards; the same command continues from them

By several processes: `torchrun --nproc-per-node 8 -m bench caption ...`; the one that first finds all texts there
writes the results.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.commands.app import (
    MOST,
    Device,
    Dtype,
    ReadingModel,
    ReleasedFolder,
    ResultsFile,
    Seed,
    SkipUnreadable,
    Steps,
    example,
    resolve_device,
    with_options,
)
from bench.console import progress, say
from bench.datasets import coco_captions
from bench.datasets.json_files import Id
from bench.datasets.photos import read_photo, unreadable_photos
from bench.datasets.question_formats import RESULT_KEYS, load_questions
from bench.errors import CheckFailed, UsageError
from bench.files import check_target
from bench.models import check_prompts, file_sha256, load_model, reads_images
from bench.records import environment
from bench.records.json_files import plain, read_json
from bench.sampling import files
from bench.sampling.identity import file_checksums, item_identity
from bench.sampling.precision import PLAIN, running_in
from bench.sampling.ranks import limit_threads, this_rank
from bench.sampling.shards import IDENTITY, ShardSet, shard_size
from bench.sampling.texts import SHARD_SIZE, Item, store_texts, stored_texts
from bench.sampling.wording import worded, wording
from bench.sampling.workers import stopping
from bench.studies import reading_settings
from reference_models.shipped import shipped_weights
from reference_models.sizes.autoencoders import AUTOENCODERS, KL

if TYPE_CHECKING:
    from reference_models.spec import Spec


SHOWN_FILES = 3  # in a message
TEXT_BYTES = 200  # of disk for a text, in the results as in its shard
BLOCK_BYTES = 4096  # the least that a file takes


@dataclass(frozen=True)
class Options:
    """How a model is run, and where what it says goes: the options that `caption` and `answer` share."""

    images: Path  # folder that the data set's file names are in
    out: ResultsFile
    limit: Annotated[int | None, typer.Option(min=1, max=MOST, help="only the first N images or questions")] = None
    seed: Seed = 0
    num_steps: Steps = None  # None: the model's own; of released weights the authors'
    batch_size: Annotated[int, typer.Option(min=1, max=MOST, help="images or questions per call; changes no text")] = 16
    weights: ReleasedFolder = None
    device: Device = "auto"
    dtype: Dtype = "float32"
    skip_unreadable: SkipUnreadable = False
    mean_latents: Annotated[
        bool, typer.Option("--mean-latents", help="read the mean of an image's KL latents; as published, a draw")
    ] = False


@example(
    "python -m bench caption d-dit-512 --weights dual_diff_sd3_512_base",
    "--annotations captions_val2014.json --images val2014 --out results.json",
)
@with_options(Options, but=("images",))
def caption(
    model: ReadingModel,
    annotations: Annotated[Path, typer.Option(help="captions in COCO's layout, which name the images")],
    images: Annotated[Path, typer.Option(help="folder of the images")],
    options: dict[str, Any],
) -> None:
    """Caption the images of a data set, for `bench score captions`. Continues where it was interrupted.

    By several processes: torchrun -m bench caption ..."""
    with stopping():
        write_captions(model, annotations, Options(images=images, **options))


@example(
    "python -m bench answer d-dit-512 --weights dual_diff_sd3_512_sft",
    "--questions v2_OpenEnded_mscoco_val2014_questions.json --images val2014 --out answers.json",
)
@with_options(Options, but=("images",))
def answer(
    model: ReadingModel,
    questions: Annotated[Path, typer.Option(help="the questions; of MME, the folder")],
    options: dict[str, Any],
    images: Annotated[Path | None, typer.Option(help="folder of the images [default: of MME, its own]")] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="vqa-v2, okvqa, vizwiz, gqa, pope or mme [default: told from the questions]"),
    ] = None,
) -> None:
    """Answer the questions of a data set, for `bench score vqa`. Continues where it was interrupted.

    By several processes: torchrun -m bench answer ..."""
    with stopping():
        write_answers(model, questions, Options(images=images or questions, **options), name=format_)


@dataclass(frozen=True)
class Task:
    """What is asked."""

    kind: str  # captions or answers
    layout: str  # of the results: "coco" or a key of RESULT_KEYS
    source: Path  # the file, or MME's folder, that it was read from
    keys: tuple[str, str]  # what an entry of the results calls the id and the text
    file_name_by_id: Mapping[Id, str]  # of the image, inside the data set's image folder
    prompt_by_id: Mapping[Id, str]  # "" asks for a caption


def write_captions(model: str, annotations: Path, options: Options) -> None:
    """Write a caption of every image of a captions file."""
    names = coco_captions.load_named(annotations).file_name_by_image
    keys = ("image_id", "caption")
    describe(model, Task("captions", "coco", annotations, keys, names, dict.fromkeys(names, "")), options)


def write_answers(model: str, questions: Path, options: Options, *, name: str | None = None) -> None:
    """Write an answer to every question of a question set. name: its format; None: told from the file."""
    spec = reader(model)
    name, found = load_questions(questions, name)
    template = wording(spec, name)
    prompts = {one: worded(asked.question, template) for one, asked in found.items()}
    names = {one: asked.file_name for one, asked in found.items()}
    describe(model, Task("answers", name, questions, RESULT_KEYS[name], names, prompts), options)


def reader(name: str) -> Spec:
    """The spec of a model that reads images; UsageError for one that does not."""
    from reference_models import find, specs

    spec = find(name)
    if not reads_images(spec):
        known = [other.name for other in specs().values() if reads_images(other)]
        raise UsageError(f"{name} reads no images; models that do: {', '.join(known)}")
    return spec


def settings_of(spec: Spec, kind: str, options: Options) -> dict[str, Any]:
    """The settings of the model's `say`."""
    takes, asked = reading_settings(spec, kind), {}
    if options.num_steps is not None:
        if "num_steps" not in takes:
            raise UsageError(f"{spec.name} writes word by word: leave out --steps")
        asked["num_steps"] = options.num_steps
    if options.mean_latents:
        if AUTOENCODERS[spec.autoencoder].network != KL:
            raise UsageError(f"{spec.name} reads images as they are, without a draw: leave out --mean-latents")
        asked["sample_posterior"] = False
    return {**takes, **asked}


def unreadable(task: Task, ids: list[Id], options: Options) -> dict[str, str]:
    """Why not, by file name, of the images that cannot be read. UsageError unless they may be skipped."""
    names = {task.file_name_by_id[one] for one in ids}
    faults = unreadable_photos(options.images, sorted(names))
    if not faults:
        return {}
    first = "; ".join(f"{name}: {why}" for name, why in list(faults.items())[:SHOWN_FILES])
    found = f"--images {options.images}: {len(faults)} of {len(names)} images cannot be read (first: {first})"
    if len(faults) == len(names):
        raise UsageError(found)
    if not options.skip_unreadable:
        raise UsageError(f"{found}; --skip-unreadable leaves out what is asked of them")
    say(found)
    return faults


def check_paths(options: Options) -> None:
    """Find out before any work whether the images are there and the results can be written."""
    out = options.out
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {out}: its folder does not exist")
    if out.is_dir():
        raise UsageError(f"--out {out}: is a folder, expected a file")
    if out.exists() and not made_by_path(out).is_file():
        raise UsageError(f"--out {out}: exists already; choose another name")
    if not options.images.is_dir():
        raise UsageError(f"--images {options.images}: no such folder")
    for path in (out, made_by_path(out)):
        check_target(path, "--out")


def made_by_path(out: Path) -> Path:
    return out.with_name(f"{out.stem}.made-by.json")


def describe(model_name: str, task: Task, options: Options) -> None:
    """Ask the model, and write what it says once all is there."""
    from reference_models.texts import ReadsImages

    spec, out, rank = reader(model_name), options.out, this_rank()
    settings = settings_of(spec, task.kind, options)
    check_paths(options)
    ids = list(task.prompt_by_id)[: options.limit]
    device = rank.device(resolve_device(options.device))
    limit_threads(spec)
    model, weights_sha256 = load_model(model_name, weights=options.weights, device=device, dtype=options.dtype)
    assert isinstance(model, ReadsImages)  # as `reader` has seen to it
    texts = [task.prompt_by_id[one] for one in ids]
    check_prompts(model, texts, f"{task.kind} {task.source}", are_questions=any(texts))
    faults = unreadable(task, ids, options)
    made_by = {
        "model": model_name,
        "weights_sha256": weights_sha256,
        "dtype": options.dtype,
        "settings": settings,
        "seed": options.seed,
        "format": task.layout,
        "source": task.source.resolve().name,
        "source_sha256": file_sha256(task.source),
        "first_prompt": task.prompt_by_id[ids[0]],
        "num_asked": len(ids),
        "image_size": spec.image_size,
        "unreadable_images": faults,
    }
    asked = [i for i, one in enumerate(ids) if task.file_name_by_id[one] not in faults]
    checksums = file_checksums(spec, options.weights or shipped_weights(model_name))
    identity = item_identity(model, checksums, seed=options.seed, settings=settings, asked=made_by)

    def item(i: int) -> Item:
        path = options.images / task.file_name_by_id[ids[i]]
        return Item(partial(read_photo, path, spec.image_size), task.prompt_by_id[ids[i]])

    left_out = f"; {len(ids) - len(asked)} left out" if faults else ""
    ending = f"{task.kind}: {out} ({len(asked)} by {model_name}, seed {options.seed}{left_out})"
    shards = ShardSet(out.with_name(f"{out.name}.partial"), identity, shard_size(len(asked), SHARD_SIZE))
    if out.exists():
        refuse_other_results(out, made_by)
        with suppress(UsageError):  # work of this call, which was ended before it removed it
            refuse_other_work(shards)
            shards.discard()
        say(ending)
        return
    refuse_other_work(shards)
    left = len(asked) - shards.num_present(len(asked))
    blocks = 3 + shards.num_shards(left)  # of the results, of what made them, and of what the shards belong to
    check_target(out, "--out", needed_bytes=TEXT_BYTES * (len(asked) + left) + BLOCK_BYTES * blocks)
    with suppress(FileNotFoundError):  # another worker has just removed the folder: `store_texts` sees to it
        shards.begin()
    refuse_other_work(shards)  # of two calls that begin at once, one comes first
    with progress(f"{task.kind} of {model_name}", len(asked)) as bar, running_in(PLAIN, device):
        store_texts(
            model,
            item,
            asked,
            shards,
            seed=options.seed,
            batch_size=options.batch_size,
            settings=settings,
            rank=rank,
            finished=out.exists,
            advance=bar.update,
        )
    if not out.exists():
        write_results(task, ids, asked, shards, made_by, options)
    shards.discard()  # every worker does: the slower ones may have put something there again
    refuse_other_results(out, made_by)
    say(ending)


def refuse_other_results(out: Path, made_by: Mapping[str, Any]) -> None:
    """UsageError where the results in `out` are not those of this call."""
    if not is_result_of(out, made_by):
        raise UsageError(f"--out {out}: exists already; choose another name")


def refuse_other_work(shards: ShardSet) -> None:
    """UsageError where the folder of unfinished work holds that of another run."""
    if shards.folder.exists() and not shards.folder.is_dir():
        raise UsageError(f"{shards.folder}: not the work of an interrupted run; remove it or choose another --out")
    try:
        found = json.loads(files.read_whole(shards.folder / IDENTITY, files.FEW_BYTES))
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"{shards.folder}: {IDENTITY} is damaged; remove the folder or choose another --out"
        ) from error
    expected = plain(shards.identity)
    if found != expected:
        flat = [
            {**one, **one["asked"]} if isinstance(one, dict) and "asked" in one else {} for one in (found, expected)
        ]
        keys = [key for key in flat[1] if key != "asked" and flat[0].get(key) != flat[1][key]]
        other = ", ".join(keys[:SHOWN_FILES]) or "version"
        raise UsageError(f"{shards.folder}: work of another run (another {other}); remove it or choose another --out")


def is_result_of(out: Path, made_by: Mapping[str, Any]) -> bool:
    """Whether the results in `out` are those of this call, and whole: another worker's, or an earlier call's."""
    try:
        about = read_json(made_by_path(out))
        same = {key: about[key] for key in made_by} == plain(made_by)
        return same and about["results_sha256"] == file_sha256(out)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_results(
    task: Task, ids: list[Id], asked: list[int], shards: ShardSet, made_by: Mapping[str, Any], options: Options
) -> None:
    """Write what was said, and what made it. Of several workers one comes first."""
    id_key, text_key = task.keys
    try:
        said = zip(asked, stored_texts(shards, len(asked)), strict=True)
        entries = [{id_key: ids[i], text_key: one.text, "finish": one.finish} for i, one in said]
    except CheckFailed:
        if options.out.exists():  # another worker has written the results, and removed the shards
            return
        raise
    results = (json.dumps(plain(entries), indent=1, allow_nan=False) + "\n").encode()
    about = {**made_by, "results_sha256": hashlib.sha256(results).hexdigest()}
    about["environment"] = environment.describe(options.device)
    files.write_whole(made_by_path(options.out), (json.dumps(plain(about), indent=1) + "\n").encode())
    files.write_new(options.out, results)
