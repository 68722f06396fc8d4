"""Field values and prose as a reader wants them, escaped where they become markup; links; what was said before."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from markupsafe import Markup

from bench.claims.published import Published
from bench.formatting import interval, number
from bench.records.schema import Word
from bench.stats import Interval

WORDS: dict[Word, tuple[str, str, str]] = {  # word of a verdict: style of its badge, a sign beside the colour, meaning
    "reproduced": ("yes", "✓", "measured at the paper's scale, inside the tolerance"),
    "not reproduced": ("no", "✗", "measured at the paper's scale, outside it; better is as suspicious as worse"),
    "agrees to 0.1 %": ("open", "≈", "a count off the printed digits by less than a thousandth"),
    "holds in small": (
        "yes",
        "✓",
        "small models show the claim's direction, with an interval; never the paper's number",
    ),
    "does not hold in small": ("no", "✗", "small models show the opposite direction"),
    "small says nothing": ("none", "∅", "the small task is too easy to tell: settings that should fail it do not"),
    "inconclusive": ("open", "≈", "the interval allows both, or too little was measured"),
    "not comparable": ("unlike", "≠", "the two sides were measured differently; the reason names the field"),
    "not run": ("none", "–", "the reason names what is missing and the command"),
}
SCALE_TITLES = {  # of the scales that the page speaks of by itself
    "digits": "Small models",
    "imagenet-256": "Paper's sizes",
    "coco-captions": "D-DiT at the paper's size",
}
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\w“\"`])")  # names of models begin in lower case
MODEL, PROPER = r"[a-z]+(?:-[a-z\d]+)*-(?:[a-z\d]{1,2}|digits)", r"[A-Z]\w*-[\w/]+(?:&#x27;s)?"
NAME = re.compile(rf"(?<!\S)[(“]?(?:{MODEL}|{PROPER})[.,;:)]*(?!\S)")  # as "mar-l", "DiT-XL/2", "ImageNet-256"


def badge_of(word: Word, marker: str = "") -> dict[str, str]:
    """A verdict's word with the style and the sign of its badge."""
    style, sign, _ = WORDS[word]
    return {"word": word, "style": style, "sign": sign, "marker": marker}


def prose(text: str) -> Markup:
    """Escaped text in which `code` is set as code, and no per cent sign stands alone on a line."""
    text = html.escape(text).replace(" %", "\N{NO-BREAK SPACE}%")
    parts = re.split(r"`([^`]+)`", text)  # of each pair the second is code
    return Markup("".join(as_code(part) if place % 2 else whole_names(part) for place, part in enumerate(parts)))


def whole_names(escaped: str) -> str:
    """Text in which no line ends inside a name with a hyphen; what touches the name stays with it."""
    return NAME.sub(r'<span class="name">\g<0></span>', escaped)


def as_code(escaped: str) -> str:
    """Code that breaks between words only: "--only" stays whole."""
    return "<code>" + " ".join(f"<span>{word}</span>" for word in escaped.split(" ")) + "</code>"


def anchor(text: str) -> str:
    """`text` as an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def times(found: Interval) -> tuple[str, str, str]:
    """A ratio of speeds as ("14.2", "times slower", "13.4 to 15.2"): never a fraction of a time."""
    if found.value < 1:
        found = Interval(1 / found.value, 1 / found.high, 1 / found.low)
        comparative = "slower"
    else:
        comparative = "faster"
    bounds = (found.value, found.low, found.high) if found.low == found.low else (found.value, None, None)
    return number(found.value), f"times {comparative}", interval(*bounds)


def commands_in(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def source_words(group: Published) -> str:
    """As "table 1 (arXiv:2506.09482v1; standing: authors; 50,000 images)"."""
    note = f"; {group.note}" if group.note else ""
    return f"{group.where} ({group.url}; standing: {group.standing}{note})"


def link_of(url: str) -> str:
    """The live address of a source; "" where it is printed nowhere."""
    if match := re.match(r"arXiv:\s*([\d.]+v?\d*)", url):
        return f"https://arxiv.org/abs/{match[1]}"
    place = url.split(" ")[0]
    return f"https://{place}" if re.match(r"[\w-]+(\.[\w-]+)+(/|$)", place) else ""


def in_parts(text: str, most: int = 45) -> list[str]:
    """The text in paragraphs of whole sentences, of so many words where no sentence has more."""
    parts: list[str] = []
    for sentence in SENTENCE.split(text):
        if parts and len(f"{parts[-1]} {sentence}".split()) <= most:
            parts[-1] += f" {sentence}"
        else:
            parts.append(sentence)
    return parts


class Said:
    """The sentences that the page has printed, and where: none is printed twice."""

    def __init__(self) -> None:
        self.where: dict[str, str] = {}

    def new(self, texts: Iterable[str], here: str) -> tuple[list[str], list[str]]:
        """(the texts without sentences that were printed before, ids of the places where those stand)."""
        kept, elsewhere = [], []
        for text in texts:
            sentences = []
            for sentence in SENTENCE.split(text.strip()):
                if sentence not in self.where:
                    self.where[sentence] = here
                    sentences.append(sentence)
                elif self.where[sentence] != here:
                    elsewhere.append(self.where[sentence])
            kept += [" ".join(sentences)] if sentences else []
        return kept, list(dict.fromkeys(elsewhere))
