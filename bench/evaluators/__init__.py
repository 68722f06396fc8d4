"""What one run measures: one file per kind of measurement, named by a row of protocols.KINDS.

An evaluator takes (model, spec, context): the model, built by run.py with its weights (None where nothing runs), the
run, and where it runs. It returns fields of a Record: measurements, raw numbers, pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Context:
    """Where a run takes place."""

    device: str  # as "cpu", "cuda:0"
    work: Path  # folder for what is unfinished, inside the results folder
    key: str  # names what the numbers depend on: samples kept under it are those of an earlier try of the same run
    keep_images: bool = False  # the pixels of all images stay in the store, beside what is scored of them
