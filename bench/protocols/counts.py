"""The arithmetic of one image of each paper-size model, counted by `python -m bench.timing.image_flops`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COUNTS = Path(__file__).with_name("image_flops.json")  # key -> operations, a multiply-add is two


def counted_key(model: str, version: int, settings: Mapping[str, Any]) -> str:
    """As "dit-xl-2 v2 cfg_scale=1.0": a model, the version of its code, the settings that differ from its own."""
    return " ".join([model, f"v{version}", *(f"{key}={settings[key]}" for key in sorted(settings))])


def read_counts() -> dict[str, int]:
    return dict(json.loads(COUNTS.read_text())) if COUNTS.exists() else {}
