"""How many items the released benchmarks of texts hold: what a printed caption or answer score is over.

Names are those under which a record's `texts.scoring` counts what was scored.
"""

from __future__ import annotations

from collections.abc import Mapping

IMAGES, REFERENCES, QUESTIONS = "num_images", "num_references", "num_questions"
WORDS = {IMAGES: "captioned images", REFERENCES: "reference captions", QUESTIONS: "questions"}

RELEASED: dict[str, Mapping[str, int]] = {  # by scale
    "coco-captions": {IMAGES: 40_504, REFERENCES: 202_654},  # captions_val2014.json
    "vqa-v2": {QUESTIONS: 214_354},  # arXiv:1612.00837, val
    "okvqa": {QUESTIONS: 5_046},  # arXiv:1906.00067, val2014
    "vizwiz": {QUESTIONS: 4_319},  # vizwiz.org, val since 2020
    "gqa": {QUESTIONS: 12_578},  # testdev_balanced_questions.json
    "pope": {QUESTIONS: 8_910},  # 3,000 a file, but 2,910 of an early coco_pope_random.json
    "mme": {QUESTIONS: 2_374},  # arXiv:2306.13394, fourteen subtasks
}


def fewer_than_released(scale: str, counted: Mapping[str, object]) -> str:
    """As "1,000 of the 214,354 questions"; "" where what was counted is all that is published, or nobody says.

    counted: `texts.scoring` of a record
    """
    found = [
        f"{number:,} of the {released:,} {WORDS[key]}"
        for key, released in RELEASED.get(scale, {}).items()
        if isinstance(number := counted.get(key), int) and number < released
    ]
    return " and ".join(found)
