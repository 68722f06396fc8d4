"""What several claims share: papers and where they print, the models they speak of, what a run needs."""

from __future__ import annotations

from bench.records.schema import Source

# Which baselines make which claim: the abstract speaks of "AR Transformer" and of "diffusion-only" models.
AR_BASELINES = ("mar-digits", "llamagen-digits", "var-digits")
DIFFUSION_BASELINES = ("dit-digits", "sit-digits")

TRANSDIFF = "TransDiff (arXiv 2506.09482)"
ABSTRACT = Source(paper=TRANSDIFF, where="abstract", url="arXiv:2506.09482", standing="authors")

GPU = "a GPU"
