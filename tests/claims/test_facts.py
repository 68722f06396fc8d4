"""Every printed number of tests/data/published_numbers.csv and missing_claims.csv that can be judged is a claim."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict

import pytest

from bench.claims.ledger import ledger
from bench.claims.printed import read_printed
from bench.records.schema import Claim
from reference_models import specs
from tests.paths import ROOT

SPECS = specs()
BY_ID = {claim.id: claim for claim in ledger()}
BY_THING: defaultdict[tuple[str, str], list[Claim]] = defaultdict(list)  # (model, metric key) -> claims


def subject_of(claim: Claim) -> str:
    """The model that the number is of; of a relative time not the one in whose time it is told."""
    return claim.paper_scale.baselines[0] if "-relative-time" in claim.id else claim.paper_scale.subject


for each in ledger():
    BY_THING[subject_of(each), each.paper_scale.metric].append(each)

# -- the facts as they are filed: tests/data/*.csv -> (model, metric, number, start of the standing) -------------------

MODELS = {
    **{f"TransDiff-{size.upper()}": f"transdiff-{size}" for size in "blh"},
    **{f"TransDiff-{size.upper()} MRAR": f"transdiff-mrar-{size}" for size in "blh"},
    "TransDiff-L 512x512": "transdiff-l-512",
    "TransDiff (size not named)": "transdiff-h",
    "TransDiff + MRAR": "transdiff-mrar-h",
    **{f"MAR-{size.upper()}": f"mar-{size}" for size in "blh"},
    **{f"LlamaGen-{size} {tokens}": f"llamagen-{size.lower()}" for size in ("B", "L") for tokens in ("256", "16x16")},
    **{
        f"LlamaGen-{size} {told}": f"llamagen-{size.lower()}-384"
        for size in ("B", "L", "XL", "XXL", "3B")
        for told in ("384->256", "24x24")
    },
    **{f"LlamaGen-{size} 256": f"llamagen-{size.lower()}" for size in ("XL", "XXL", "3B")},
    **{f"VAR-d{depth}": f"var-d{depth}" for depth in (16, 20, 24, 30)},
    **dict.fromkeys(("VAR-d36 (512)", "VAR-d36-s"), "var-d36"),
    **dict.fromkeys(("DiT-XL/2", "DiT-XL/2 (no guidance)", "DiT-XL/2-G", "DiT-XL/2 256"), "dit-xl-2"),
    "DiT-L/2": "dit-l-2",
    "DiT-XL/2 512": "dit-xl-2-512",
    **dict.fromkeys(("SiT-XL/2 ODE", "SiT-XL/2 SDE", "SiT-XL/2 SDE cfg 1.5", "SiT-XL/2", "SiT-XL"), "sit-xl-2"),
    **{f"SiT-{size.upper()}": f"sit-{size}-2" for size in "sbl"},
    "D-DiT (256)": "d-dit-256",
    **dict.fromkeys(("D-DiT (512)", "D-DiT", "D-DiT (no language decoder)"), "d-dit-512"),
    **{f"D-DiT, T={steps}": "d-dit-512" for steps in (4, 8, 16, 32, 64, 128)},
}
KEYS = {
    **dict.fromkeys(("FID", "FID_jax", "FID_pytorch", "COCO_FID"), "fid"),
    **{"sFID": "sfid", "IS": "inception_score", "Pre": "precision", "Rec": "recall", "params": "num_params"},
    **{"Gflops": "flops", "time_rel": "latency_s", "img_s": "throughput_per_s", "CIDEr": "cider"},
    **dict.fromkeys(("VQAv2", "VizWiz", "OKVQA", "VQAv2_val_0shot", "VQAv2_val_32shot"), "vqa_accuracy"),
    **{"GQA": "gqa_accuracy", "POPE": "pope_accuracy", "MME": "mme_perception", "GenEval_overall": "geneval_overall"},
    **{"GenEval_single": "geneval_single_object", "GenEval_two": "geneval_two_objects"},
    **{"GenEval_counting": "geneval_counting", "GenEval_colors": "geneval_colours"},
    **{"GenEval_position": "geneval_position", "GenEval_color_attr": "geneval_attribution"},
}
FAMILIES = ("TransDiff", "MAR-", "LlamaGen", "VAR", "DiT", "SiT", "D-DiT")
LEFT_OUT = {  # why a row of a family of the suite is no claim: what of the row tells it
    "a setting, not a result": r"\|(cfg|steps|epochs|scale_0|scale_1|ar_steps|diffusion_steps|train_steps)\|",
    "hours of training": r"\|training time\|",
    "no model of this suite": r"^(VAR-d30-re|SiT-XL SDE cfg 1.5)\|",
    "another method's speed": r"^TransDiff accelerated\|",
    "the unit itself": r"^VAR-d(30|36-s)\|time_rel\|1\|",
    "repeats the README of today: the order of IS alone is inferred": r"\|(FID|params)\|.*\|INFERRED",
    "no metric or data set of this suite": r"\|(MJHQ30K_FID|CLIP_score|T2ICompBench_texture)\|",
}
BY_SENTENCE = {  # rows that headline claims quote in a sentence
    ("TransDiff vs 'state-of-the-art methods based on AR Transformer'", "x2"): ("transdiff-latency-ar",),
    ("TransDiff vs 'diffusion-only models'", "x112"): ("transdiff-latency-diffusion",),
    ("VAR-d20", "0.5"): ("transdiff-latency-ar-informal",),
    ("DiT-XL/2", "45"): ("transdiff-latency-diffusion-informal",),
    ("TransDiff-L, 1 Step AR", "0.2"): ("transdiff-latency-ar-informal", "transdiff-latency-diffusion-informal"),
    ("TransDiff", "almost 99%"): ("transdiff-decoder-time-share",),
    ("TransDiff", "33%"): ("transdiff-l-decoder-share",),
}


def facts(name: str) -> list[dict[str, str]]:
    with (ROOT / f"tests/data/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def line(row: dict[str, str]) -> str:
    return "|".join((row["model"], row["metric"], row["value"], row["table"]))


def why_left_out(row: dict[str, str]) -> str:
    return next((why for why, pattern in LEFT_OUT.items() if re.search(pattern, line(row))), "")


PUBLISHED = [row for row in facts("published_numbers") if row["model"].startswith(FAMILIES)]
JUDGED = [row for row in PUBLISHED if not why_left_out(row)]


ADDRESSES = re.compile(r"\d{4}\.\d{5}|github\.com/[\w.-]+/[\w.-]+|zijieli-jlee\.github\.io")


def claims_of(row: dict[str, str]) -> list[Claim]:
    """The claims that tell a row of published_numbers.csv: by model, metric, number and source."""
    if row["metric"] not in KEYS:
        return [BY_ID[claim_id] for claim_id in BY_SENTENCE[row["model"], row["value"]]]
    model = MODELS[row["model"]]
    if row["paper"] == "VAR Table 2" and model == "dit-xl-2":
        model = "dit-xl-2-512"
    found = [
        claim
        for claim in BY_THING[model, KEYS[row["metric"]]]
        if same_number(claim.value, read_printed(row["value"])[0]) and same_source(claim, row)
    ]
    return [claim for claim in found if claim.source.standing == row["standing"]] or found


def same_number(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-9 * abs(b)


def same_source(claim: Claim, row: dict[str, str]) -> bool:
    """Whether the address of the row's source is the claim's; a pairing that nobody printed has none."""
    if row["table"].startswith("INFERRED"):
        return claim.source.standing == "inferred"
    return bool(addresses(claim) & set(ADDRESSES.findall(row["source"])))


def addresses(claim: Claim) -> set[str]:
    return set(ADDRESSES.findall(claim.source.url))


@pytest.mark.parametrize("row", JUDGED, ids=line)
def test_every_published_number_of_a_family_is_a_claim(row):
    assert claims_of(row)


def test_what_is_left_out_is_left_out_for_a_reason_and_nothing_else_is():
    assert Counter(why for row in PUBLISHED if (why := why_left_out(row))) == {
        "a setting, not a result": 95,
        "no model of this suite": 14,
        "repeats the README of today: the order of IS alone is inferred": 12,
        "the unit itself": 3,
        "no metric or data set of this suite": 3,
        "hours of training": 1,
        "another method's speed": 1,
    }


COUNTS = {  # claims that the facts' rows make, by family and by the standing that the facts give
    ("transdiff", "authors"): 16,
    ("transdiff", "authors, informal"): 4,
    ("transdiff", "authors, superseded"): 9,
    ("transdiff", "inferred"): 3,
    ("transdiff-mrar", "authors"): 10,
    ("transdiff-mrar", "authors, superseded"): 9,
    ("transdiff-mrar", "inferred"): 3,
    ("mar", "authors"): 33,
    ("mar", "independent"): 5,
    ("llamagen", "authors"): 64,
    ("llamagen", "independent"): 4,
    ("var", "authors"): 38,
    ("var", "independent"): 5,
    ("dit", "authors"): 55,
    ("dit", "independent"): 2,
    ("sit", "authors"): 17,
    ("sit", "authors, versions differ"): 5,
    ("sit", "independent"): 1,
    ("d-dit", "authors"): 15,
    ("d-dit", "independent"): 10,
    ("d-dit", "secondary"): 15,
    ("d-dit", "secondary, contradicts every other source"): 10,
}


def test_the_ledger_counts_what_the_facts_count_by_family_and_standing():
    """A claim per number and source: the facts' words for where it stands, counted, are the ledger's."""
    told: dict[str, str] = {}  # claim id -> standing as the facts have it
    for row in JUDGED:
        told |= {claim.id: row["standing"] for claim in claims_of(row)}
    for row in MISSING:  # the later file: what it says of D-DiT's GenEval row overrules the other
        told |= {claim.id: standing_of(row) for claim in claims_of_missing(row)}
    counted = Counter((SPECS[subject_of(BY_ID[claim_id])].family, standing) for claim_id, standing in told.items())
    held = Counter((SPECS[subject_of(c)].family, c.source.standing) for c in ledger() if c.id in told)
    assert counted == held == COUNTS
    untold = [claim for claim in ledger() if claim.id not in told]  # DiT's table 4 and the like
    assert {claim.paper_scale.metric for claim in untold} <= {"num_params", "flops"}


def standing_of(row: dict[str, str]) -> str:
    """The standing without the remarks of missing_claims.csv; of one row its first half is meant."""
    return re.sub(r" \((bench says secondary|column order doubtful)\)", "", row["standing"])


MISSING_KEYS = {
    **{"fid": "fid", "sfid": "sfid", "inception_score": "inception_score", "precision": "precision"},
    **{"recall": "recall", "images per second": "throughput_per_s", "VQAv2": "vqa_accuracy", "CIDEr": "cider"},
    **{"GenEval overall": "geneval_overall", "GenEval single object": "geneval_single_object"},
    **{"GenEval two objects": "geneval_two_objects", "GenEval counting": "geneval_counting"},
    **{"GenEval colours": "geneval_colours", "GenEval position": "geneval_position"},
    **{"GenEval attribution": "geneval_attribution", "FID on COCO": "fid"},
}
NOT_OF_THE_SUITE = (*("var-d30-re", "vq-16 16x16", "vq-16 24x24", "sit-xl-2-512", "sd3-medium"),)
NOT_MEASURED = ("training_time", "FID on MJHQ-30K", "CLIP score", "T2I-CompBench texture")
NOTES_PAGE = "VQAv2, VizWiz, GQA, POPE, MME"
MISSING = [
    row for row in facts("missing_claims") if row["model"] not in NOT_OF_THE_SUITE and row["metric"] not in NOT_MEASURED
]


def claims_of_missing(row: dict[str, str]) -> list[Claim]:
    """The claims that tell a row of missing_claims.csv, which may round what they print."""
    if row["metric"] == NOTES_PAGE:
        return [claim for claim in BY_ID.values() if claim.source.url.startswith("papernotes.org")]
    kind = next(key for key in sorted(MISSING_KEYS, key=len, reverse=True) if row["metric"].startswith(key))
    numbers = [read_printed(text) for text in re.findall(r"\d+\.\d+", re.sub(r"\(.*?\)", "", row["value"]))]
    found = [
        claim
        for claim in BY_THING[row["model"].replace(" 24x24", "-384"), MISSING_KEYS[kind]]
        if any(abs(claim.value - number) <= half_unit * (1 + 1e-9) for number, half_unit in numbers)
        and ("400K" in row["metric"]) is ("400k" in claim.paper_scale.protocol)
        and ("no guidance" in row["metric"]) <= ("no-guidance" in claim.paper_scale.protocol)
    ]
    here = [claim for claim in found if addresses_of_paper(claim) & set(ADDRESSES.findall(row["source"]))]
    here = here or [claim for claim in found if row["source"].split()[0] in claim.source.paper]
    return [claim for claim in here if claim.source.standing == standing_of(row)] or here


def addresses_of_paper(claim: Claim) -> set[str]:
    return set(ADDRESSES.findall(f"{claim.source.paper} {claim.source.url}"))


@pytest.mark.parametrize("row", MISSING, ids=lambda row: f"{row['model']}|{row['metric']}|{row['value']}")
def test_every_number_that_was_no_claim_is_one(row):
    num_numbers = 10 if row["metric"] == NOTES_PAGE else row["value"].count("/") + 1
    found = claims_of_missing(row)
    assert found
    assert len({claim.value for claim in found}) in (num_numbers, num_numbers + 1)  # 5.46 is told as 5.464 too
    assert standing_of(row) in {claim.source.standing for claim in found}
