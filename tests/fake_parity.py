"""A small results/parity.json, made by hand."""

from __future__ import annotations

from bench.records.parity import Parity, ParityCase, ParityOutput
from tests.fake_records import ENVIRONMENT

CASE = ParityCase(
    name="mar",
    family="mar",
    sha256="ab" * 32,
    source="LTH14/mar@fe470ac",
    versions={"mar-l": 1, "mar-digits": 1},
    num_outputs=3,
    outputs=(
        ParityOutput("latents", 2.5e-7, 1e-4, True),
        ParityOutput("loss", 3.25e-6, 1e-4, True),
        ParityOutput("tokens", 0.0, 0.0, True),
    ),
)
WRONG = ParityCase(
    name="var-small",
    family="var",
    sha256="cd" * 32,
    source="FoundationVision/VAR",
    versions={"var-d16": 2},
    num_outputs=2,
    outputs=(ParityOutput("image", 0.5, 1e-4, False), ParityOutput("logits", None, 1e-4, False)),
)
REFUSED = ParityCase("dit", "dit", "ef" * 32, "", {"dit-xl-2": 1}, 4, reason="its weights <b>lack</b> pos_embed")
PARITY = Parity((CASE, WRONG, REFUSED), ENVIRONMENT, "2026-01-31T15:00:00+00:00")
