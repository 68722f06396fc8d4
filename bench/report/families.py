"""The families of models, in the order in which the report sets them: tables, colours and markers follow it."""

from __future__ import annotations

import zlib

FAMILIES = ("transdiff", "mar", "llamagen", "dit", "sit", "var", "transdiff-mrar", "d-dit", "ar-vlm")


def family_of(model: str) -> str:
    """The family's name, as "dit" of "dit-xl-2"; the model's own where it is of none that is known."""
    fitting = [family for family in FAMILIES if model == family or model.startswith(f"{family}-")]
    return max(fitting, key=len, default=model)


def place_of(model: str) -> int:
    """The place of a model's family in FAMILIES; of one that is not there, a place that depends on the name alone."""
    family = family_of(model)
    return FAMILIES.index(family) if family in FAMILIES else zlib.crc32(family.encode()) % len(FAMILIES)
