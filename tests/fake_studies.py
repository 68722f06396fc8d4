"""Made-up records of studies, for tests only: no number here was measured."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bench.records.parts import Images, Measurement
from bench.records.schema import REAL_DATA, Record, RunSpec
from bench.studies import STUDIES
from tests.fake_records import AUDIT, ENVIRONMENT, FLOOR, kernels, measured, record

OWN_SETTINGS: dict[str, dict[str, Any]] = {
    "transdiff-digits": {"num_steps": 100, "cfg_scale": 1.15, "scale_0": 1.0, "scale_1": 1.0},
    "transdiff-mrar-digits": {"num_steps": 100, "cfg_scale": 1.15, "scale_0": 1.0, "scale_1": 1.0, "num_images": 4},
    "mar-digits": {"num_iter": 8, "num_steps": 100, "cfg_scale": 3.0, "temperature": 1.0},
    "llamagen-digits": {"cfg_scale": 1.5, "temperature": 1.0},
    "var-digits": {"cfg_scale": 2.5, "top_p": 0.96},
    "dit-digits": {"num_steps": 250, "cfg_scale": 1.5},
    "sit-digits": {"sampler": "sde", "num_steps": 250, "cfg_scale": 1.5},
}
BEST_FID = dict(zip(OWN_SETTINGS, (0.15, 0.17, 0.5, 1.4, 1.1, 0.21, 0.19), strict=True))


def studied(run: RunSpec, *, fid: float | None = None, **changes: Any) -> Record:
    """The record of a study's run: FID as given, or such that steps help, guidance has a best and seeds differ."""
    settings = {**OWN_SETTINGS.get(run.model, {}), **run.settings}
    seeds = (run.protocol.training_seed, run.protocol.seed)
    steps, rounds = settings.get("num_steps", 1), settings.get("num_iter", 1)
    references = settings.get("num_images", 1)
    if run.model == REAL_DATA:
        fid = FLOOR["fid"].value
    if fid is None:
        off = abs(np.log(settings["cfg_scale"] / OWN_SETTINGS[run.model]["cfg_scale"]))
        scales = (1.0 - settings.get("scale_0", 1.0)) + (1.0 - settings.get("scale_1", 1.0))
        few = 40 / steps**1.4 if "num_steps" in settings else 0.0
        luck = np.random.default_rng(hash_of(run)).normal(0, 0.04) + 0.3 * np.random.default_rng(seeds).normal()
        fid = BEST_FID[run.model] * (1 + few + 4 / rounds**2 * (rounds > 1) + 3 * off**2 + 2 * scales) * np.exp(luck)
        fid *= 1.3 - 0.075 * references if run.model == "transdiff-mrar-digits" else 1.0
    evaluations = 2.0 * steps * rounds * references + 2
    made = record(run.model, run.protocol.name, settings=settings)
    measurements = {
        "fid": measured(float(fid), float(fid) * 0.12),
        "kid": measured(fid / 1000, fid / 5000),
        "inception_score": measured(9.2 - min(fid, 8) / 2, 0.05),
        "precision": measured(0.88, 0.02),
        "recall": measured(float(np.exp(-fid / 4)), 0.02),
        "nfe": Measurement(evaluations, "evaluations"),
    }
    if run.protocol.collects == "costs":
        flops = evaluations * (3e6 if run.model.startswith("transdiff") else 1e7)
        measurements = {"nfe": measurements["nfe"], "flops": Measurement(flops, "FLOP")}
    elif run.protocol.name == "digits-many":
        measurements |= {
            "fid_fixed": measured(2 * fid, 0.2 * fid, 2000),
            "fid_per_class": measured(3 * fid, 0.3 * fid, 2000),
            "nearest_train": measured(34.0, 0.6, 2000),
        }
    elif run.model.startswith("transdiff"):
        measurements["feature_similarity"] = measured(0.5 - 0.05 * references, 0.01, 100)
    if run.protocol.collects == "kernels":
        measurements = {}
        both = dict.fromkeys(run.baselines, (3.0, 2.5))
        changes = {"speedups": kernels(run.model, both, {"dit-digits": ("gelu",)}).speedups, **changes}
    created = datetime.fromisoformat(made.created_utc) + timedelta(seconds=hash_of(run) % 10**7)
    created_utc = created.isoformat()
    stamp = f"{created:%Y%m%dT%H%M%SZ}"
    return replace(
        made,
        protocol=run.protocol,
        inputs=replace(made.inputs, settings=dict(run.settings)),
        environment=replace(ENVIRONMENT, num_threads=1),
        measurements=measurements,
        images=None
        if run.protocol.collects in ("costs", "kernels")
        else Images(audit=AUDIT, nfe={"network": int(evaluations)}, class_distances=(1.0, *(0.5,) * 9)),
        created_utc=created_utc,
        file=f"acme-cpu-2c/{run.model}--{run.protocol.name}--{stamp}.json",
        **changes,
    )


def hash_of(run: RunSpec) -> int:
    """A number for every run, the same in every process."""
    return zlib.crc32(repr((run.model, sorted(run.settings.items()), run.protocol)).encode())


DIGITS_STUDIES = tuple(name for name, study in STUDIES.items() if study.runs[0].protocol.scale == "digits")


def study_set(names: Iterable[str] = DIGITS_STUDIES) -> list[Record]:
    """All runs of these studies, each once."""
    found: dict[str, Record] = {}
    for name in names:
        for run in STUDIES[name].runs:
            settings = {**OWN_SETTINGS.get(run.model, {}), **run.settings}
            found.setdefault(repr((run.model, sorted(settings.items()), run.protocol)), studied(run))
    return list(found.values())
