"""The arithmetic of one image, or text, of each paper-size model, counted by `python -m bench.timing.image_flops`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COUNTS = Path(__file__).with_name("image_flops.json")  # key -> operations, a multiply-add is two


def counted_key(model: str, version: int, settings: Mapping[str, Any]) -> str:
    """As "dit-xl-2 v2 cfg_scale=1.0": a model, the version of its code, the settings that differ from its own."""
    return " ".join([model, f"v{version}", *(f"{key}={settings[key]}" for key in sorted(settings))])


def per_image(model: str, version: int) -> str:
    """The key of what an image costs beside the network's evaluations, where a sampler chooses their number."""
    return f"{counted_key(model, version, {})} once per image"


def per_evaluation(model: str, version: int) -> str:
    """The key of what one evaluation of the network costs there."""
    return f"{counted_key(model, version, {})} per evaluation of an image"


def per_text(model: str, version: int) -> str:
    """The key of what a text costs once: reading the image."""
    return f"{counted_key(model, version, {})} once per text"


def per_text_step(model: str, version: int, length: int) -> str:
    """The key of what each evaluation of the network for a text of `length` tokens costs."""
    return f"{counted_key(model, version, {'length': length})} per evaluation of a text"


def read_counts() -> dict[str, int]:
    return dict(json.loads(COUNTS.read_text())) if COUNTS.exists() else {}
