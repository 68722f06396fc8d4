"""Field values and prose as a reader wants them, escaped where they become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from bench.formatting import quantity
from bench.records import Word

BADGES: dict[
    Word, tuple[str, str]
] = {  # word of a verdict -> style of its badge, and a sign that does not rest on colour
    "reproduced": ("yes", "✓"),
    "holds in small": ("yes", "✓"),
    "not reproduced": ("no", "✗"),
    "does not hold in small": ("no", "✗"),
    "inconclusive": ("open", "≈"),
    "not comparable": ("unlike", "≠"),
    "not run": ("none", "–"),
}


def badge_of(word: Word) -> dict[str, str]:
    """A verdict's word with the style and the sign of its badge."""
    style, sign = BADGES[word]
    return {"word": word, "style": style, "sign": sign}


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


def prose(text: str) -> Markup:
    """Escaped text in which `code` is set as code, and no per cent sign stands alone on a line."""
    text = html.escape(text).replace(" %", "\N{NO-BREAK SPACE}%")
    return Markup(re.sub(r"`([^`]+)`", lambda match: as_code(match[1]), text))


def as_code(escaped: str) -> str:
    """Code that breaks between words only: "--only" stays whole."""
    return "<code>" + " ".join(f"<span>{word}</span>" for word in escaped.split(" ")) + "</code>"


def anchor(text: str) -> str:
    """`text` as an id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
