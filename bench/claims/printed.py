"""A number as printed: its value, and how much the rounding of print may hide."""

from __future__ import annotations

import re

PRINTED_UNITS = {"M": 1e6, "B": 1e9, "%": 0.01}
PRINTED = re.compile(r"\d{1,9}(\.\d{1,9})? ?[MB%]?", re.ASCII)  # no other script's digits


def read_printed(text: str) -> tuple[float, float]:
    """(the number, half a unit of its last digit) of a number as printed: "1.3B" is 1.3e9, give or take 0.05e9.

    ValueError where it is not digits with an optional point and one of M, B and % behind them.
    """
    if not PRINTED.fullmatch(text):
        raise ValueError(f"{text!r} is not a number as papers print it, as '1.78', '290M', '1.3B' or '33 %'")
    size = PRINTED_UNITS.get(text[-1], 1.0)
    digits = text.rstrip("MB% ")
    return float(digits) * size, 0.5 * 10.0 ** -len(digits.partition(".")[2]) * size
