"""The autoregressive reader's one size: a baseline of this project."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.spec import Network, Spec

AR_VLM = Network("reference_models.ar_vlm:ArVlm", conditioned_on="prompts", reading={"temperature": 0.0})

SPECS: tuple[Spec, ...] = (small_spec("ar-vlm-digits", AR_VLM),)
