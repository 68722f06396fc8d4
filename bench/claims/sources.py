"""What several claims share: papers and where they print, the models they speak of, what a run needs."""

from __future__ import annotations

from bench.records.schema import Source

# Which baselines make which claim: the abstract speaks of "AR Transformer" and of "diffusion-only" models.
AR_BASELINES = ("mar-digits", "llamagen-digits", "var-digits")
DIFFUSION_BASELINES = ("dit-digits", "sit-digits")

TRANSDIFF = "TransDiff (arXiv 2506.09482)"
PAPERS = {  # by the name that a table goes by
    "TransDiff": TRANSDIFF,
    "MAR": "MAR (arXiv 2406.11838)",
    "LlamaGen": "LlamaGen (arXiv 2406.06525)",
    "VAR": "VAR (arXiv 2404.02905)",
    "DiT": "DiT (arXiv 2212.09748)",
    "SiT": "SiT (arXiv 2401.08740)",
    "D-DiT": "D-DiT (arXiv 2501.00289)",
}
ABSTRACT = Source(paper=TRANSDIFF, where="abstract", url="arXiv:2506.09482", standing="authors")

# How far a printed number can be trusted.
STANDINGS = (
    "authors",
    "authors, superseded",
    "authors, informal",
    "authors, versions differ",
    "independent",
    "secondary",
    "secondary, contradicts every other source",
    "inferred",
)

GPU = "a GPU"

NOT_PUBLISHED = "which nobody has published"  # ends a need that no run can have: the weights
# Models whose claims need weights that are not to be had. LlamaGen-XL and above exist for 384 pixels alone.
UNPUBLISHED = (
    *("dit-s-2", "dit-b-4", "dit-l-2", "sit-s-2", "sit-b-2", "sit-l-2"),
    *("llamagen-xl", "llamagen-xxl", "llamagen-3b", "d-dit-256"),
)
