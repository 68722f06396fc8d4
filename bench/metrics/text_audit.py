"""The audit of generated text: what is no caption and no answer, counted and shown beside every score.

A text is degenerate if it is one of
    empty       without a letter or a digit
    end_first   its generator put the end token first (only the generator knows; see datasets/texts.py)
    truncated   its generator says it was cut, or says nothing and it breaks off at an article, a conjunction, a comma
    repeated    a word three times in a row, or a longer run of words again and again
and a model that says the same of everything is named. Nothing is refused: the score stands with and without them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CLASSES = ("empty", "end_first", "truncated", "repeated")
NUM_EXAMPLES = 3  # of each class
SAME_SHARE = 0.9  # of the texts: when so many are one and the same, it is said aloud ...
SAME_NUM = 10  # ... if there are this many texts
OPEN_ENDS = ("a", "an", "the", "and", "or", "of", "with", "to", "from", "at", "by", "for", "into")  # end no sentence
SHORTEST_CUT = 3  # words; answers such as "from" or "a" may be whole
LONGEST_LOOP = 64  # words of a run that is looked for


@dataclass(frozen=True)
class TextAudit:
    """What is odd about some texts."""

    degenerate: np.ndarray  # (N,) bool
    faults: tuple[tuple[str, ...], ...]  # (N,) of CLASSES
    summary: dict[str, Any]  # num_texts, num_<class>, num_degenerate, degenerate_share, ...; see audit_texts


def audit_texts(
    texts: Sequence[str], finishes: Sequence[str | None] | None = None, ids: Sequence[Hashable] | None = None
) -> TextAudit:
    """Audit texts (N,).  finishes: "end", "length", "end-first" or None for unknown   ids: shown with examples.

    The summary: num_texts, num_empty, num_end_first, num_truncated, num_repeated, num_degenerate, degenerate_share;
    num_with_finish (texts whose end is known); num_distinct, most_common_text, most_common_share (case aside);
    examples ({class: [{id, text}]}); warnings (one sentence each).
    """
    finishes = finishes or [None] * len(texts)
    faults = tuple(find_faults(text, finish) for text, finish in zip(texts, finishes, strict=True))
    degenerate = np.array([bool(found) for found in faults], bool)
    counts = Counter(fault for found in faults for fault in found)
    same = Counter(" ".join(text.lower().split()) for text in texts)
    text, times = same.most_common(1)[0] if same else ("", 0)
    examples: dict[str, list[dict[str, Any]]] = {}
    for name in CLASSES:
        places = [i for i, found in enumerate(faults) if name in found][:NUM_EXAMPLES]
        if places:
            examples[name] = [{"id": i if ids is None else ids[i], "text": texts[i]} for i in places]
    warnings = []
    if len(texts) >= SAME_NUM and times >= SAME_SHARE * len(texts):
        warnings.append(f"{times} of {len(texts)} texts are the same: {text[:60]!r}")
    summary = {
        "num_texts": len(texts),
        **{f"num_{name}": counts[name] for name in CLASSES},
        "num_degenerate": int(degenerate.sum()),
        "degenerate_share": float(degenerate.mean()) if len(texts) else 0.0,
        "num_with_finish": sum(finish is not None for finish in finishes),
        "num_distinct": len(same),
        "most_common_text": text,
        "most_common_share": times / len(texts) if len(texts) else 0.0,
        "examples": examples,
        "warnings": warnings,
    }
    return TextAudit(degenerate, faults, summary)


def find_faults(text: str, finish: str | None = None) -> tuple[str, ...]:
    """Which of CLASSES a text is."""
    words = text.lower().split()
    found = {
        "empty": not any(letter.isalnum() for letter in text),
        "end_first": finish == "end-first",
        "truncated": finish == "length" or (finish is None and breaks_off(words)),
        "repeated": loops(words),
    }
    return tuple(name for name in CLASSES if found[name])


def breaks_off(words: Sequence[str]) -> bool:
    """Whether the last word says that more was to come."""
    return len(words) >= SHORTEST_CUT and (words[-1] in OPEN_ENDS or words[-1].endswith((",", "-")))


def loops(words: Sequence[str]) -> bool:
    """Whether a run of words repeats at once: one or two words three times, three or more words twice."""
    bare = [word.strip(".,;:!?") for word in words]
    for length in range(1, min(len(bare) // 2, LONGEST_LOOP) + 1):
        same = 0  # words in a row that equal the word `length` earlier
        for here, earlier in zip(bare[length:], bare, strict=False):
            same = same + 1 if here == earlier else 0
            if same == length * (2 if length <= 2 else 1):
                return True
    return False
