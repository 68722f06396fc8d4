"""Numbers as people read them: a fitting unit, as many digits as the interval deserves. Used by verdicts and report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SIGNIFICANT = 4  # digits of a value, however narrow its interval
THOUSANDS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
PARAMETERS = ((1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))
SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
BYTES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))


@dataclass(frozen=True)
class Unit:
    """A display unit: `value / size` is printed before `symbol`."""

    size: float = 1.0
    symbol: str = ""


def display_unit(metric: str, values: Iterable[float]) -> Unit:
    """One unit for all `values` of a metric, so that a column can be read down; chosen by the smallest of them."""
    smallest = min((abs(value) for value in values if value), default=1.0)
    if metric.endswith("_bytes"):
        return pick(BYTES, smallest)
    if metric.endswith("_per_s"):
        return Unit(1.0, "images/s")
    if metric.endswith("_s"):
        return pick(SECONDS, smallest)
    if metric == "flops":
        unit = pick(THOUSANDS, smallest)
        return Unit(unit.size, f"{unit.symbol}FLOP")
    if metric == "num_params":
        return Unit(1e6, "M") if 1e5 <= smallest < 1e9 else pick(PARAMETERS, smallest)  # papers write 0.8M, not 800k
    return Unit()


def pick(units: tuple[tuple[float, str], ...], value: float) -> Unit:
    """The largest unit in which `value` is at least 1, or the smallest unit there is."""
    size, symbol = next((unit for unit in units if value >= unit[0]), units[-1])
    return Unit(size, symbol)


def num_decimals(value: float, low: float | None = None, high: float | None = None) -> int:
    """Decimals that show two digits of the interval's half-width, or three of the value where there is no interval."""
    most = MAX_SIGNIFICANT - 1 - exponent(value) if value else 6
    if low is None or high is None or not high > low:  # of no width or NaN: unknown
        return max(0, most - 1) if value else 0
    half_width = float(f"{(high - low) / 2:.1e}")  # 0.0999... counts as 0.10
    return max(0, min(1 - exponent(half_width), most))


def exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def fixed(value: float, decimals: int) -> str:
    """`value` with so many decimals, thousands set apart, and a true minus sign (never "-0")."""
    text = f"{value:,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("-")
    return text.replace("-", "−")


def number(value: float, low: float | None = None, high: float | None = None, unit: Unit | None = None) -> str:
    """The value alone, with the digits its interval deserves."""
    size = (unit or Unit()).size
    scaled = [None if bound is None else bound / size for bound in (low, high)]
    return fixed(value / size, num_decimals(value / size, *scaled))


def interval(value: float, low: float | None, high: float | None, unit: Unit | None = None) -> str:
    """The interval as "3.10 to 3.81", with the decimals of its value; "" where it is unknown: None, NaN or no width."""
    if low is None or high is None or not high > low:
        return ""
    size = (unit or Unit()).size
    decimals = num_decimals(value / size, low / size, high / size)
    return f"{fixed(low / size, decimals)} to {fixed(high / size, decimals)}"


def interval_words(value: float, low: float | None, high: float | None, over: str = "") -> str:
    """As "95 % interval 3.10 to 3.81", `over` before the numbers; "interval unknown" where it is."""
    shown = interval(value, low, high)
    return " ".join(filter(None, ("95 % interval", over, shown))) if shown else "interval unknown"


def quantity(metric: str, value: float) -> str:
    """One value with its unit, as "12.1 ms"."""
    unit = display_unit(metric, [value])
    return f"{number(value, unit=unit)} {unit.symbol}".rstrip()


def disk_size(num_bytes: float) -> str:
    """As "9.83 GB", "12.3 MB", in powers of ten, as disks are sold and `df -H` counts."""
    return f"{number(num_bytes / 1e9)} GB" if num_bytes >= 1e8 else f"{number(num_bytes / 1e6)} MB"


def percent(share: float) -> str:
    """Three digits, or one decimal: "95.5 %", "0.4 %"."""
    return f"{100 * share:.{2 if 0 < share < 0.001 else 1}f} %"


def as_words(key: str, value: Any) -> str:
    """A field's value as a reader wants it."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and key.endswith("_bytes"):
        return quantity(key, value)
    if isinstance(value, int | float) and key.endswith("_share"):
        return f"{100 * value:.1f} %"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}" if key != "seed" else str(value)
    if isinstance(value, Mapping) and value:
        return ", ".join(f"{k} {as_words(k, v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        if len(value) > 8 and all(isinstance(v, int | float) for v in value):
            return f"{min(value):g} each" if min(value) == max(value) else f"{min(value):g} to {max(value):g}"
        return ", ".join(as_words("", item) for item in value) or "none"
    return str(value)[:16] if key.endswith("_sha256") else str(value)


def settings_words(settings: Mapping[str, Any]) -> str:
    """As "scale_0 0.91, scale_1 0.93"."""
    return ", ".join(f"{name} {as_words(name, value)}" for name, value in settings.items())


def named(model: str, settings: Mapping[str, Any]) -> str:
    """As "d-dit-digits (num_steps 4)"."""
    told = ", ".join(f"{name} {value}" for name, value in settings.items())
    return f"{model} ({told})" if told else model


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
