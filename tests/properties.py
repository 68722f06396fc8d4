"""How tests draw with hypothesis: few and the same draws every time; ARBITER_DRAWS=500 draws more."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

DRAWS = int(os.environ.get("ARBITER_DRAWS", "15"))
drawn = settings(max_examples=DRAWS, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
