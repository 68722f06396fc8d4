"""Field values and prose as a reader wants them, escaped where they become markup."""

from __future__ import annotations

import html
import re

from markupsafe import Markup

from bench.records.schema import Word

BADGES: dict[
    Word, tuple[str, str]
] = {  # word of a verdict -> style of its badge, and a sign that does not rest on colour
    "reproduced": ("yes", "✓"),
    "holds in small": ("yes", "✓"),
    "agrees to 0.1 %": ("open", "≈"),
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
