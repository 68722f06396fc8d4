"""Small files in the formats of the released ones, for a folder of assets."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import nn

from bench import assets
from bench.assets.checksums import FOLDER_VARIABLE as CACHE
from bench.assets.lookup import FOLDER_VARIABLE
from bench.datasets.mme import SUBTASKS
from bench.features import kinds
from bench.records.store import load_records
from tests.command_line import write

FEATURES, SPATIAL = 8, 4  # of the stand-in for Inception


class SmallExtractor(nn.Module):
    """Stands in for Inception, of which FID would need 2,048 images: random features of 8 x 8 mean colours."""

    def __init__(self, path):
        super().__init__()
        self.register_buffer("weight", torch.load(path, weights_only=True)["weight"])

    def forward(self, images):
        found = nn.functional.adaptive_avg_pool2d(images.float() / 255, 8).flatten(1) @ self.weight
        return found[:, :FEATURES], found[:, FEATURES : FEATURES + 10], found[:, FEATURES + 10 :]


def use_assets(patch, tmp_path):
    """An empty folder of assets, and nothing else."""
    folder = tmp_path / "assets"
    folder.mkdir()
    patch.setenv(FOLDER_VARIABLE, str(folder))
    patch.setenv(CACHE, str(tmp_path / "cache"))
    return folder


def only_record(results):
    """The one record of a results folder, in which nothing is amiss."""
    loaded = load_records([results])
    assert not loaded.faults
    (record,) = loaded.records
    return record


def give_inception(patch, folder):
    """The small extractor in Inception's place."""
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(3 * 64, FEATURES + 10 + SPATIAL))).float()
    path = folder / assets.find("inception").path
    path.parent.mkdir(parents=True)
    torch.save({"weight": weight}, path)
    small = replace(kinds.EXTRACTORS["inception"], network="tests.stand_ins:SmallExtractor", num_features=FEATURES)
    patch.setitem(kinds.EXTRACTORS, "inception", small)


def give_adm(folder, size=256):
    """ADM's reference batch for ImageNet."""
    generator = np.random.default_rng(0)
    clouds = {"": generator.normal(size=(64, FEATURES)), "_s": generator.normal(size=(64, SPATIAL))}
    path = folder / assets.find(f"adm-imagenet-{size}").path
    path.parent.mkdir(parents=True)
    arrays = {"arr_0": generator.integers(0, 256, (16, size, size, 3), np.uint8)}
    for suffix, cloud in clouds.items():
        arrays |= {f"mu{suffix}": cloud.mean(0), f"sigma{suffix}": np.cov(cloud, rowvar=False)}
    np.savez(path, **arrays)
    return path


def photographs(folder, names, size=(70, 50)):
    """Files of noise, (width, height)."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)


def coco_names(num):
    return [f"COCO_val2014_{i:012d}.jpg" for i in range(1, num + 1)]


def captions(num):
    """COCO's captions file of that many images, two captions each."""
    said = [
        {"image_id": i, "id": 10 * i + k, "caption": f"{a} dog number {i} runs {k}"}
        for i in range(1, num + 1)
        for k, a in enumerate(("a", "the"))
    ]
    images = [{"id": i, "file_name": name} for i, name in enumerate(coco_names(num), 1)]
    return {"images": images, "annotations": said}


def give_coco(folder, num):
    """COCO's val2014 of so many photographs."""
    photographs(folder / "coco/val2014", coco_names(num))
    (folder / "coco/annotations").mkdir()
    return write(folder / "coco/annotations/captions_val2014.json", captions(num))


# -- question sets, in the layouts of their releases -------------------------------------------------------------------


def give_okvqa(folder):
    """Two questions; of the first six annotators say "race" and four "motocross", of the second all say "surf"."""
    (folder / "okvqa").mkdir()
    asked = [
        {"image_id": i, "question": question, "question_id": 10 * i + 5}
        for i, question in enumerate(("What sport can you use this for?", "What is done here?"), 1)
    ]
    said = (["race"] * 6 + ["motocross"] * 4, ["surf"] * 10)
    raw = {"race": "racing", "motocross": "motocross", "surf": "surfing"}
    answers = [
        {
            "image_id": i,
            "question_id": 10 * i + 5,
            "answer_type": "other",
            "question_type": "one",
            "confidence": 3,
            "answers": [
                {"answer_id": k, "raw_answer": raw[word], "answer_confidence": "yes", "answer": word}
                for k, word in enumerate(words, 1)
            ],
        }
        for i, words in enumerate(said, 1)
    ]
    told = {"info": {}, "license": {}, "data_type": "mscoco", "data_subtype": "val2014", "task_type": "Open-Ended"}
    write(folder / "okvqa/OpenEnded_mscoco_val2014_questions.json", {**told, "questions": asked})
    types = {"one": "Vehicles and Transportation"}
    write(folder / "okvqa/mscoco_val2014_annotations.json", {**told, "annotations": answers, "question_types": types})
    return [entry["question_id"] for entry in asked]


def give_vizwiz(folder):
    """Two questions: one that all answer "basil", and one that cannot be answered."""
    names = [f"VizWiz_val_{i:08d}.jpg" for i in range(2)]
    photographs(folder / "vizwiz/val", names, (90, 60))
    answers = [["basil"] * 10, ["unanswerable"] * 8 + ["phone"] * 2]
    entries = [
        {
            "image": name,
            "question": question,
            "answers": [{"answer_confidence": "yes", "answer": word} for word in words],
            "answer_type": kind,
            "answerable": able,
        }
        for name, question, words, kind, able in (
            (names[0], "Can you tell me what this is?", answers[0], "other", 1),
            (names[1], "What's this?", answers[1], "unanswerable", 0),
        )
    ]
    write(folder / "vizwiz/val.json", entries)
    return names


def give_gqa(folder):
    """Two balanced questions of one image."""
    photographs(folder / "gqa/images", ["n161313.jpg"])
    entries = {
        number: {
            "imageId": "n161313",
            "question": question,
            "answer": answer,
            "fullAnswer": f"It is {answer}.",
            "isBalanced": True,
            "types": {"structural": kind, "semantic": "attr", "detailed": "weather"},
        }
        for number, question, answer, kind in (
            ("201307251", "Is it overcast?", "no", "verify"),
            ("201640614", "Who is wearing the dress?", "woman", "query"),
        )
    }
    write(folder / "gqa/testdev_balanced_questions.json", entries)
    return list(entries)


def give_pope(folder):
    """Each of its three files asks two questions; the truths are yes and no."""
    where = folder / "github.com/AoiDragon/POPE/output/coco"
    where.mkdir(parents=True)
    for kind in ("random", "popular", "adversarial"):
        rows = [
            {"question_id": i, "image": coco_names(1)[0], "text": f"Is there a {kind} {i}?", "label": label}
            for i, label in enumerate(("yes", "no"), 1)
        ]
        write(where / f"coco_pope_{kind}.json", "".join(json.dumps(row) + "\n" for row in rows))


def give_mme(folder):
    """One image with its two questions in every subtask."""
    for subtask in SUBTASKS:
        photographs(folder / "mme" / subtask, ["1.jpg"])
        write(folder / "mme" / subtask / "1.txt", "Is it?\tYes\nIs it not?\tNo\n")


# -- GenEval -----------------------------------------------------------------------------------------------------------


def geneval_prompts():
    """Two prompts of each task, in GenEval's layout."""
    things = {
        "single_object": ("a photo of a bench", "a photo of a cow"),
        "two_object": ("a photo of a bench and a cow", "a photo of a cup and a car"),
        "counting": ("a photo of three cows", "a photo of two cups"),
        "colors": ("a photo of a red cow", "a photo of a blue cup"),
        "position": ("a photo of a cow left of a bench", "a photo of a cup above a car"),
        "color_attr": ("a photo of a red cow and a blue cup", "a photo of a green car and a black bench"),
    }
    return [
        {"tag": tag, "include": [{"class": "cow", "count": 1}], "prompt": prompt}
        for tag, prompts in things.items()
        for prompt in prompts
    ]


def give_geneval(folder):
    path = folder / assets.find("geneval").path
    path.parent.mkdir(parents=True)
    return write(path, "".join(json.dumps(row) + "\n" for row in geneval_prompts()))


def geneval_results(folder, correct):
    """What the evaluator writes for a folder of images. correct: of (number of the prompt, number of the image)."""
    rows = [
        {
            "filename": f"{folder}/{number:05d}/samples/{image:04d}.png",
            "tag": entry["tag"],
            "prompt": entry["prompt"],
            "correct": bool(correct(number, image)),
            "reason": "" if correct(number, image) else "expected cow>=1, found 0",
            "metadata": json.dumps(entry),
            "details": "{}",
        }
        for number, entry in enumerate(geneval_prompts())
        for image in range(4)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)
