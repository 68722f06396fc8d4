"""TransDiff-MRAR's sizes and settings; columns and scores as in transdiff.py."""

from __future__ import annotations

from reference_models.digits import small_spec
from reference_models.sizes.transdiff import imagenet_spec
from reference_models.spec import Network, Spec

MRAR = Network("reference_models.transdiff_mrar:TransDiffMRAR")

SPECS: tuple[Spec, ...] = (
    imagenet_spec("transdiff-mrar-b", MRAR, "base", 290e6, 1.30, 0.87, 0.91),  # FID 2.25, IS 282.2
    imagenet_spec("transdiff-mrar-l", MRAR, "large", 683e6, 1.30, 0.925, 0.95),  # FID 1.49, IS 293.4
    imagenet_spec("transdiff-mrar-h", MRAR, "huge", 1.3e9, 1.28, 0.87, 0.91),  # FID 1.42, IS 301.2
    small_spec("transdiff-mrar-digits", MRAR),
)
