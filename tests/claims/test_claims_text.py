"""D-DiT's claims are quoted as printed; "rivals" is judged with a margin, steps against steps of the same model."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.claims import BENCHMARK_CLAIMS, CLAIMS, PUBLISHED_PAINTING, PUBLISHED_UNDERSTANDING, SIZE_CLAIMS
from bench.claims.published import PublishedPainting, PublishedUnderstanding
from bench.claims.published_text import PRINTED_STEPS
from bench.claims.sources import UNPUBLISHED
from bench.claims.text import TEXT_CLAIMS
from bench.metrics import METRICS
from bench.records.schema import Claim, Record, Verdict
from bench.verdict.judge import judge, judge_side
from tests.fake_scenes import answers, captions, scenes_set, step_set

BY_ID = {claim.id: claim for claim in (*TEXT_CLAIMS, *BENCHMARK_CLAIMS)}


def in_small(name: str, *records) -> Verdict:
    return judge(BY_ID[name], records)[1]


def by_score(name: str, *records) -> Verdict:
    """In small by the printed metric alone, without the errors (tests/verdict/test_scenes_pairs.py)."""
    claim = BY_ID[name]
    return judge_side(claim, replace(claim.in_small, errors_of=""), records)


def test_the_headlines_are_claims_like_any_other_and_every_id_is_given_once():
    assert all(claim in CLAIMS for claim in TEXT_CLAIMS)
    ids = [claim.id for claim in (*CLAIMS, *SIZE_CLAIMS, *BENCHMARK_CLAIMS)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("claim", TEXT_CLAIMS, ids=lambda claim: claim.id)
def test_the_printed_number_stands_in_quote_and_headline(claim: Claim):
    for text in (claim.quote, claim.headline):
        assert re.search(rf"(?<![\d.]){claim.value:g}(?![\d])", text)


def test_the_benchmark_claims_are_the_two_rows_of_the_printed_table():
    """Benchmark table of arXiv 2501.00289 (CVPR 2025): every score of D-DiT (256) and D-DiT (512), none twice."""
    printed = {
        "d-dit-256": {"vqav2": 59.5, "vizwiz": 19.4, "okvqa": 28.5, "gqa": 55.1, "pope": 79.2, "mme": 897.5},
        "d-dit-512": {"cider": 56.2, "vqav2": 60.1, "vizwiz": 29.9, "okvqa": 25.3, "gqa": 59.2, "pope": 84.0}
        | {"mme": 1124.7},
    }
    expected = {f"{model}-{name}": value for model, row in printed.items() for name, value in row.items()}
    assert {claim.id: claim.value for claim in BENCHMARK_CLAIMS} == expected
    shown = {row.model: row for group in PUBLISHED_UNDERSTANDING[:1] for row in group.rows}
    for model, row in printed.items():
        context = shown[f"D-DiT ({model[-3:]})"]
        assert isinstance(context, PublishedUnderstanding)
        fields = {"vqa_v2" if name == "vqav2" else name: value for name, value in row.items()}
        assert {name: float(getattr(context, name)) for name in fields} == fields


@pytest.mark.parametrize("claim", BENCHMARK_CLAIMS, ids=lambda claim: claim.id)
def test_a_benchmark_score_is_a_metric_that_needs_weights_files_and_a_gpu(claim: Claim):
    side = claim.paper_scale
    assert side.metric in METRICS
    assert METRICS[side.metric].higher_is_better
    assert len(side.needs) == 3
    assert "a GPU" in side.needs
    verdict = judge(claim, [])[0]
    assert verdict.word == "not run"
    assert "weights" in verdict.reason
    command = f"`python -m bench reproduce --scale {side.scale} --only {side.subject}` would run it"
    assert (command in verdict.reason) is (side.subject not in UNPUBLISHED)


def test_the_tolerance_tells_the_256_from_the_512_model_but_on_vqav2():
    for name in ("vizwiz", "okvqa", "gqa", "pope", "mme", "vqav2"):
        small, large = BY_ID[f"d-dit-256-{name}"], BY_ID[f"d-dit-512-{name}"]
        apart = all(abs(a.value / b.value - 1) > a.tolerance for a, b in ((small, large), (large, small)))
        assert apart is (name != "vqav2")


def test_the_printed_curve_holds_what_the_step_claims_quote():
    """facts: T = 4/8/16/32/64/128 gives VQAv2 58.8/58.0/59.3/60.5/60.0/59.6 and CIDEr 20.2/35.3/46.5/51.3/56.2/54.5."""
    assert PRINTED_STEPS[4] == (58.8, 20.2)
    assert PRINTED_STEPS[64] == (60.0, 56.2)
    assert [score for score, _ in PRINTED_STEPS.values()] == [58.8, 58.0, 59.3, 60.5, 60.0, 59.6]
    assert [cider for _, cider in PRINTED_STEPS.values()] == [20.2, 35.3, 46.5, 51.3, 56.2, 54.5]


def test_printed_rows_are_text_with_their_standing():
    for group in (*PUBLISHED_UNDERSTANDING, *PUBLISHED_PAINTING):
        assert group.standing
        assert "://" not in group.url
        for row in group.rows:
            assert isinstance(row, PublishedUnderstanding | PublishedPainting)
            scores = [value for name, value in vars(row).items() if name not in ("model", "params") and value]
            assert scores
            assert all(re.fullmatch(r"\d+(\.\d+)?", score) for score in scores)


# -- in small ----------------------------------------------------------------------------------------------------------


def narrow(record: Record) -> Record:
    """The record with intervals of half a unit to either side."""
    found = record.measurements.items()
    exact = {name: replace(m, ci_low=m.value - 0.5, ci_high=m.value + 0.5) for name, m in found}
    return replace(record, measurements=exact)


def test_a_rival_may_fall_short_by_the_margin_and_no_more():
    """5 % of 90 is 4.5: with intervals of 0.5 a gap of 2 is surely within, one of 8 surely beyond, one of 4.5 open."""
    rival = narrow(answers("ar-vlm-digits", 90.0))
    words = {value: by_score("d-dit-vqa", narrow(answers(accuracy=value)), rival).word for value in (93, 88, 85.5, 82)}
    assert words == {
        93: "holds in small",
        88: "holds in small",
        85.5: "inconclusive",
        82: "does not hold in small",
    }
    reason = by_score("d-dit-vqa", narrow(answers(accuracy=88.0)), rival).reason
    assert "lower than ar-vlm-digits, but not by more than the 5 % allowed" in reason


def test_cider_in_small_is_that_of_pycocoevalcap_and_against_the_reader_alone():
    verdict = by_score("d-dit-cider", captions(cider=6.9), captions("ar-vlm-digits", 4.0))
    assert verdict.word == "holds in small"
    assert "CIDEr higher than ar-vlm-digits (6.90 against 4.00" in verdict.reason


def test_steps_are_compared_within_one_model_at_the_ends_of_the_printed_curve():
    """Made up: CIDEr 2.8 at 4 steps and 6.4 at 64."""
    verdict = in_small("d-dit-caption-steps", *step_set())
    assert verdict.word == "holds in small"
    assert "CIDEr of d-dit-digits (num_steps 64) higher than d-dit-digits (num_steps 4) (6.40 against 2.80" in (
        verdict.reason
    )
    assert len(verdict.records) == 2


def test_without_the_runs_of_the_study_the_reason_names_its_command():
    verdict = in_small("d-dit-vqa-steps", *(r for r in scenes_set() if not r.protocol.study))
    assert verdict.word == "not run"
    assert "python -m bench study text-steps" in verdict.reason
    assert "d-dit-digits (num_steps 4)" in verdict.reason


def test_without_records_the_reason_names_the_scale_to_reproduce():
    reason = in_small("d-dit-vqa").reason
    assert "python -m bench reproduce --scale scenes --only d-dit-digits --only ar-vlm-digits" in reason


def test_a_printed_cider_is_a_hundred_times_the_measured_one():
    """0.5637 of pycocoevalcap is 56.37 as printed: within 3 % of 56.2."""
    claim = BY_ID["d-dit-cider"]
    made = captions("d-dit-512", 0.5637)
    made = replace(made, measurements={"cider": replace(made.measurements["cider"], ci_low=0.56, ci_high=0.567)})
    side = replace(claim.paper_scale, protocol="scenes-captions")
    verdict = judge(replace(claim, paper_scale=side), [made])[0]
    assert verdict.word == "reproduced"
    assert "56.37" in verdict.reason
