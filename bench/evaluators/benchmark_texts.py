"""Texts of the released benchmarks' photographs: what is asked of which, the store they go into, what a record keeps.

Data come from the assets. COCO's captions are of all images of val2014, VQAv2's and OK-VQA's questions those of the
whole validation set, GQA's the balanced test-dev set: which split the printed numbers are over is not stated where we
could read. POPE has three files, and each of its numbers is the mean over them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bench import assets
from bench.console import progress
from bench.datasets import coco_captions
from bench.datasets.coco_captions import CaptionSet
from bench.datasets.json_files import Id
from bench.datasets.photos import read_photo, unreadable_photos
from bench.datasets.question_formats import load_question_set
from bench.datasets.texts import Text
from bench.datasets.vqa_v2 import QuestionSet
from bench.errors import CheckFailed
from bench.evaluators.scene_examples import chosen
from bench.metrics import size
from bench.models import identity
from bench.protocols import QUICK_IMAGES
from bench.records.json_files import plain
from bench.records.parts import Example, Measurement, Samples, Texts
from bench.records.schema import Protocol, RunSpec
from bench.sampling.identity import item_identity
from bench.sampling.ranks import ALONE, Rank
from bench.sampling.shards import STORE, ShardSet, shard_size
from bench.sampling.texts import SHARD_SIZE, Item, mean_evaluations, store_texts, stored_texts
from bench.sampling.wording import worded, wording
from bench.studies import settings_of

if TYPE_CHECKING:
    from reference_models.texts import Said

NUM_EXAMPLES = 12  # texts that a record keeps, without their images
FILE = "file"  # the kind that tells POPE's three files apart
NOT_COUNTED = "made elsewhere, where nobody counted them"
NO_NUMBER = "the files hold no item of this kind, or not all of its parts"

Value = TypeVar("Value")


@dataclass(frozen=True)
class Asked:
    """What a benchmark asks, in its order."""

    name: str  # "coco" or a key of question_formats.FORMATS
    folder: Path  # that the file names are in
    file_name_by_id: Mapping[Id, str]  # of the image
    prompt_by_id: Mapping[Id, str]  # as the model gets it; "" asks for a caption
    template: str = ""  # of the prompts, see sampling/wording.py

    @property
    def ids(self) -> list[Id]:
        return list(self.prompt_by_id)

    def identity(self) -> dict[str, Any]:
        """What the texts depend on; of the images the names alone."""
        listed = json.dumps([[self.file_name_by_id[one], prompt] for one, prompt in self.prompt_by_id.items()])
        return {"format": self.name, "prompts_sha256": hashlib.sha256(listed.encode()).hexdigest()}


# -- what is asked -----------------------------------------------------------------------------------------------------


def asked_captions(spec: RunSpec) -> tuple[Asked, CaptionSet]:
    """Every image of the protocol's data set, with its reference captions. UsageError where it is not there."""
    images, captions = assets.parts(spec.protocol.assets[0]).values()
    found = coco_captions.load_named(captions)
    names = first(found.file_name_by_image, spec.protocol)
    references = {one: found.captions_by_image[one] for one in names}
    return Asked("coco", images, names, dict.fromkeys(names, "")), CaptionSet(references, names)


def asked_questions(spec: RunSpec) -> tuple[Asked, QuestionSet]:
    """Every question of the protocol's data set, with its answers. UsageError where it is not there."""
    from reference_models import find

    name = spec.protocol.scale
    folder, found = LOADERS[name]()
    questions = first(found.questions, spec.protocol)
    truths = {one: truth for one, truth in found.truths.items() if one in questions}
    template = wording(find(spec.model), name)
    names = {one: question.file_name for one, question in questions.items()}
    prompts = {one: worded(question.question, template) for one, question in questions.items()}
    return Asked(name, folder, names, prompts, template), QuestionSet(questions, truths)


def first(items: Mapping[Id, Value], protocol: Protocol) -> dict[Id, Value]:
    """All items; of a protocol that counts them, and of a smoke run, the first ones."""
    limit = protocol.num_images or (QUICK_IMAGES if protocol.quick else None)
    return dict(list(items.items())[:limit])


def _of_coco(name: str) -> tuple[Path, QuestionSet]:
    questions, annotations = assets.parts(name).values()
    return assets.parts("coco-val2014")["val2014"], load_question_set(questions, annotations, name)[1]


def _with_images(name: str) -> tuple[Path, QuestionSet]:
    questions, images = assets.parts(name).values()
    return images, load_question_set(questions, None, name)[1]


def _pope() -> tuple[Path, QuestionSet]:
    return assets.parts("coco-val2014")["val2014"], pope_questions(assets.parts("pope"))


def pope_questions(files: Mapping[str, Path]) -> QuestionSet:
    """POPE's three files as one set, its ids as "random/1". files: by published name."""
    found = QuestionSet({}, {})
    for file, path in files.items():
        kind = pope_kind(file)
        one = load_question_set(path, None, "pope")[1]  # its ids start at 1 in each file
        found.questions.update({f"{kind}/{number}": question for number, question in one.questions.items()})
        found.truths.update({f"{kind}/{n}": replace(truth, kinds={FILE: kind}) for n, truth in one.truths.items()})
    return found


def pope_kind(file: str) -> str:
    """ "coco_pope_random.json" -> "random"."""
    return file.removeprefix("coco_pope_").removesuffix(".json")


def _mme() -> tuple[Path, QuestionSet]:
    folder = assets.require("mme")
    return folder, load_question_set(folder, None, "mme")[1]


LOADERS: dict[str, Callable[[], tuple[Path, QuestionSet]]] = {  # scale -> (folder of the images, questions)
    "vqa-v2": partial(_of_coco, "vqa-v2"),
    "okvqa": partial(_of_coco, "okvqa"),
    "vizwiz": partial(_with_images, "vizwiz"),
    "gqa": partial(_with_images, "gqa"),
    "pope": _pope,
    "mme": _mme,
}


# -- the store ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredTexts:
    """The texts of a run, in the store."""

    shards: ShardSet
    num: int

    @property
    def name(self) -> str:
        """The folder of the store that holds them."""
        return self.shards.name

    def is_complete(self) -> bool:
        return not self.shards.missing(self.num)

    def read(self) -> list[Said]:
        """CheckFailed where one is missing or damaged."""
        return list(stored_texts(self.shards, self.num))


def collect(
    model: Any,
    spec: RunSpec,
    asked: Asked,
    work: Path,
    *,
    rank: Rank = ALONE,
    batch_size: int = 0,
    leave_claimed: bool = False,
) -> StoredTexts:
    """The texts of a run, from the store in `work` or into it. batch_size: 0: the protocol's.

    leave_claimed: as in `store_texts`. CheckFailed, before any work, where images cannot be read.
    """
    ids, seed, settings = asked.ids, spec.protocol.seed, settings_of(spec)
    shards = text_set(model, spec, asked, work)
    stored = StoredTexts(shards, len(ids))
    if stored.is_complete():
        return stored
    check_images(asked)

    def item(i: int) -> Item:
        path = asked.folder / asked.file_name_by_id[ids[i]]
        return Item(partial(read_photo, path, model.spec.image_size), asked.prompt_by_id[ids[i]])

    with progress(f"{spec.model}: {spec.protocol.name}", len(ids)) as bar:
        store_texts(
            model,
            item,
            range(len(ids)),
            shards,
            seed=seed,
            batch_size=batch_size or spec.protocol.batch_size,
            settings=settings,
            rank=rank,
            leave_claimed=leave_claimed,
            advance=bar.update,
        )
    return stored


def text_set(model: Any, spec: RunSpec, asked: Asked, work: Path) -> ShardSet:
    """Where the texts of a run lie in the store. Of the model its spec and dtype are asked."""
    checksums = {name: assets.checksum(assets.find(name)) for name in spec.protocol.assets}
    files: dict[str, str | None] = {**identity(spec, work).files, **checksums}
    said_of = asked.identity() | {"image_size": model.spec.image_size}
    made_by = item_identity(model, files, seed=spec.protocol.seed, settings=settings_of(spec), asked=said_of)
    return ShardSet.in_store(work / STORE, spec.model, "texts", made_by, shard_size(len(asked.ids), SHARD_SIZE))


def collect_run(
    model: Any, spec: RunSpec, work: Path, *, rank: Rank = ALONE, batch_size: int = 0, leave_claimed: bool = False
) -> StoredTexts:
    """As `collect`, of whatever the protocol asks."""
    asked, _ = asked_captions(spec) if spec.protocol.collects == "captions" else asked_questions(spec)
    return collect(model, spec, asked, work, rank=rank, batch_size=batch_size, leave_claimed=leave_claimed)


def check_images(asked: Asked) -> None:
    """CheckFailed where an image that is asked about cannot be read: it counts in every published number."""
    names = sorted(set(asked.file_name_by_id.values()))
    if faults := unreadable_photos(asked.folder, names):
        name, why = next(iter(faults.items()))
        raise CheckFailed(f"{asked.folder}: {len(faults)} of {len(names)} images cannot be read (first: {name}: {why})")


# -- the record --------------------------------------------------------------------------------------------------------


def texts_by_id(asked: Asked, said: Sequence[Said]) -> dict[Id, Text]:
    return {one: Text(text.text, text.finish) for one, text in zip(asked.ids, said, strict=True)}


def record_fields(
    model: Any, spec: RunSpec, asked: Asked, stored: StoredTexts, said: Sequence[Said], scores: Mapping[str, Any]
) -> dict[str, Any]:
    """measurements and texts of the record, of what score_captions or score_answers found: the protocol's metrics."""
    scoring = {
        "prompt": asked.template,
        "precision": str(model.dtype).removeprefix("torch."),
        "image": f"short side resized to {model.spec.image_size} pixels, middle square",
        "store": stored.name,
    }
    warnings = _unlike_published(spec.protocol)
    return scored_fields(
        spec.protocol, asked.name, scores, evaluations=mean_evaluations(said), scoring=scoring, warnings=warnings
    )


def scored_fields(
    protocol: Protocol,
    name: str,
    scores: Mapping[str, Any],
    *,
    evaluations: Mapping[str, float],
    scoring: Mapping[str, Any],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """measurements and texts of a record. name: of the format; evaluations: of the network for a text, by its part;
    scoring, warnings: in addition to those of the scores."""
    found = {metric: Measurement(**fields) for metric, fields in scores["metrics"].items()}
    found |= size.summarise({"nfe": evaluations}) if evaluations else {}
    measurements = {metric: found[metric] for metric in protocol.metrics if metric in found}
    lacking = {metric: NOT_COUNTED if metric == "nfe" else NO_NUMBER for metric in protocol.metrics}
    kept = {
        "audit": scores["audit"],
        "without_degenerate": {m: fields for m, fields in scores["without_degenerate"].items() if m in measurements},
        "by_question_type": _by_type(scores.get("breakdown", {}), name),
        "nfe": evaluations,
        "not_run": {m: why for m, why in lacking.items() if m not in found} | scores["not_run"],
        "warnings": [*scores["warnings"], *warnings],
        "scoring": {**scores["protocol"], **scoring},
    }
    return {"measurements": measurements, "texts": msgspec.convert(plain(kept), Texts)}


def _by_type(breakdown: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """Accuracy and number of questions of each type, of the first way in which a format has types."""
    kinds = [kind for kind in ("question_type", "structural_type", FILE, "subtask", "answer_type") if kind in breakdown]
    parts = breakdown[kinds[0]] if kinds else {}
    per_item = 2 if name == "mme" else 1  # an item of MME is an image with its two questions
    firsts = {value: next(iter(part.values())) for value, part in parts.items() if part}
    return {value: {"accuracy": one["value"], "n": per_item * one["n"]} for value, one in firsts.items()}


def _unlike_published(protocol: Protocol) -> list[str]:
    """What is unusual about the data sets, a sentence each."""
    found = [assets.locate(assets.find(name)) for name in protocol.assets]
    return [f"{one.asset.name} is not as published: {one.detail}" for one in found if one.state == "not as published"]


def examples(
    asked: Asked,
    said: Sequence[Said],
    right: Sequence[bool],
    references: Callable[[Id], Sequence[str]],
    accuracy: Sequence[float] | None = None,
) -> Samples:
    """A few texts, wrong ones first. The images are left out: their licences do not let everybody hand them on.

    accuracy: of each text, 0 to 1
    """
    ids = asked.ids
    return Samples(
        examples=tuple(
            Example(
                scene=i,  # its number
                image_png="",
                prompt=asked.prompt_by_id[ids[i]],
                text=said[i].text,
                references=tuple(references(ids[i])),
                right=bool(right[i]),
                accuracy=None if accuracy is None else float(accuracy[i]),
            )
            for i in chosen(right, NUM_EXAMPLES)
        )
    )
