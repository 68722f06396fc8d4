"""Claims quote what is printed, with source, standing and what contradicts it."""

from __future__ import annotations

import re

import pytest

from bench.claims import CLAIMS, PUBLISHED_QUALITY, PUBLISHED_SPEED, SIZE_CLAIMS
from bench.claims.printed import read_printed
from bench.claims.published import Published, PublishedQuality
from bench.claims.rules import NAMED_PROTOCOLS
from bench.claims.sizes import SIZES
from bench.claims.sources import AR_BASELINES, DIFFUSION_BASELINES
from bench.claims.speed import SPEED_CLAIMS
from bench.metrics import METRICS
from bench.protocols import PROTOCOLS
from reference_models import specs

BY_ID = {claim.id: claim for claim in CLAIMS}
SIDES = [(claim, side) for claim in CLAIMS for side in (claim.paper_scale, claim.in_small) if side]


def test_the_headline_claims_are_there_as_printed():
    """Abstract of arXiv 2506.09482, and the authors' informal figures in issue #1 as claims of their own."""
    printed = {claim.id: (claim.value, claim.source.standing) for claim in CLAIMS if "TransDiff" in claim.source.paper}
    assert printed == {
        "transdiff-fid": (1.61, "authors"),
        "transdiff-inception-score": (293.4, "authors"),
        "mrar-fid": (1.42, "authors"),
        "transdiff-latency-ar": (2.0, "authors"),
        "transdiff-latency-diffusion": (112.0, "authors"),
        "transdiff-latency-ar-informal": (2.5, "authors, informal"),
        "transdiff-latency-diffusion-informal": (225.0, "authors, informal"),
        "transdiff-decoder-time-share": (99.0, "authors, informal"),
    }


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_complete(claim):
    assert claim.quote
    assert claim.source.url
    assert "://" not in claim.source.url  # the report must not look as if it loaded anything
    assert 0 < claim.tolerance < 1
    assert claim.tolerance_reason.endswith(".")
    if "TransDiff" in claim.source.paper:
        assert claim.conflicts, "every headline of this paper is contradicted somewhere"


def test_the_ids_differ():
    assert len(BY_ID) == len(CLAIMS)


@pytest.mark.parametrize("claim", [BY_ID[name] for name in BY_ID if not name.endswith("informal")], ids=lambda c: c.id)
def test_the_printed_number_stands_in_the_quote(claim):
    assert re.search(rf"(?<![\d.]){claim.value:g}(?![\d])", claim.quote)


def test_the_informal_ratios_follow_from_the_times_they_quote():
    assert BY_ID["transdiff-latency-ar-informal"].value == pytest.approx(0.5 / 0.2)
    assert BY_ID["transdiff-latency-diffusion-informal"].value == pytest.approx(45 / 0.2)


@pytest.mark.parametrize(("claim", "side"), SIDES, ids=lambda x: getattr(x, "id", getattr(x, "scale", "")))
def test_a_comparison_names_a_protocol_that_measures_it_in_the_metrics_direction(claim, side):
    assert METRICS[side.metric].higher_is_better in (side.better == "higher", None)
    assert (side.kind == "value") is (not side.baselines)
    if side.protocol not in PROTOCOLS:
        assert side.scale == NAMED_PROTOCOLS[side.protocol].scale
        assert side.needs, "what no record answers needs something"
        assert side.commands, "and says how to run it"
        return
    protocol = PROTOCOLS[side.protocol]
    assert side.metric in protocol.metrics
    assert side.scale == protocol.scale
    assert protocol.study is bool(side.commands)


def test_small_models_answer_directions_only_and_need_nothing_but_a_clone():
    for claim in CLAIMS:
        if claim.in_small is None:
            assert claim in SPEED_CLAIMS, "sizes of one family, and shares of the time, say nothing in small"
            continue
        assert (claim.in_small.kind, claim.in_small.needs) == ("direction", ())
        assert (claim.in_small.scale, claim.paper_scale.scale) in (
            ("digits", "imagenet-256"),
            ("scenes", "coco-captions"),
            ("scenes", "vqa-v2"),
        )
        assert any("GPU" in need or "NVIDIA" in need for need in claim.paper_scale.needs)


def test_each_latency_claim_is_judged_against_the_kind_of_model_it_speaks_of():
    assert BY_ID["transdiff-latency-ar"].in_small.baselines == AR_BASELINES
    assert BY_ID["transdiff-latency-diffusion"].in_small.baselines == DIFFUSION_BASELINES
    for name in ("transdiff-fid", "transdiff-inception-score"):
        assert set(BY_ID[name].in_small.baselines) == {*AR_BASELINES, *DIFFUSION_BASELINES}


def test_at_the_papers_scale_each_ratio_is_judged_against_every_kind_of_baseline():
    """x2 against each AR family, x112 (and the authors' x225) against each diffusion-only one."""
    families = {name: specs()[name].family for claim in CLAIMS for name in claim.paper_scale.baselines}
    ar_baselines = BY_ID["transdiff-latency-ar"].paper_scale.baselines
    assert [families[name] for name in ar_baselines] == ["var", "mar", "llamagen"]
    for name in ("transdiff-latency-diffusion", "transdiff-latency-diffusion-informal"):
        assert [families[name] for name in BY_ID[name].paper_scale.baselines] == ["dit", "sit"]


def test_the_tables_of_speed_are_claims_with_the_numbers_that_are_printed_as_context():
    """VAR's table 1 relative to VAR-d30 (whose own 1 claims nothing), RAR's table 5 in images per second."""

    def number(claim):
        return (claim.headline.split()[0], claim.quote)

    for where, ending in (("VAR, table 1", "-relative-time"), ("RAR, table 5", "-images-per-second")):
        rows = next(group.rows for group in PUBLISHED_SPEED if group.where == where)
        printed = {(row.model.lower().replace("/", "-"), row.number) for row in rows} - {("var-d30", "1")}
        assert {number(claim) for claim in SPEED_CLAIMS if claim.id.endswith(ending)} == printed


def test_the_tolerance_tells_a_claim_from_the_numbers_that_contradict_it():
    def inside(claim_id: str, value: float) -> bool:
        claim = BY_ID[claim_id]
        return abs(value / claim.value - 1) <= claim.tolerance

    assert not inside("transdiff-fid", 1.69)  # TransDiff-L
    assert not inside("transdiff-inception-score", 282.0)  # the README's IS of TransDiff-H
    assert not inside("mrar-fid", 1.49)  # TransDiff-L MRAR
    assert not inside("transdiff-latency-diffusion", 225)  # issue #1
    assert not inside("transdiff-latency-diffusion", 4)  # by counting the arithmetic


def table(where: str) -> Published:
    return next(group for group in PUBLISHED_QUALITY if group.where == where)


def test_the_inferred_pairing_is_the_older_table_with_both_columns_reordered_alike():
    """notes: FID was re-ordered on 2025-06-20 and IS was not; the same re-order of IS agrees with the abstract."""
    older = table("TransDiff, README before 2025-06-20 and Hugging Face card")
    today = table("TransDiff, README today")
    inferred = table("TransDiff, both columns re-ordered alike")
    pairs_before = {row.fid: row.inception_score for row in older.rows if isinstance(row, PublishedQuality)}
    for now, then in zip(today.rows, inferred.rows, strict=True):
        assert isinstance(now, PublishedQuality)
        assert then == PublishedQuality(now.model, now.fid, pairs_before[now.fid], now.params)
    assert pairs_before["1.61"] == "293.4"  # the abstract's pair
    assert inferred.standing == "inferred"


def test_printed_numbers_are_quoted_as_text_with_their_standing():
    for group in (*PUBLISHED_QUALITY, *PUBLISHED_SPEED):
        assert group.rows
        assert group.standing
        for row in group.rows:
            number = row.fid if isinstance(row, PublishedQuality) else row.number
            assert re.fullmatch(r"x?\d+(\.\d+)?", number)


def test_every_size_that_a_spec_calls_printed_is_a_claim_with_the_same_number():
    """Parameters and Gflops of SIZES are those of the reference models' specs, no more and no fewer."""
    claimed = {(c.paper_scale.subject, c.paper_scale.metric): c.value for c in SIZE_CLAIMS}
    printed = {(spec.name, "num_params"): spec.num_params for spec in specs().values() if spec.num_params}
    printed |= {(spec.name, "flops"): spec.gflops for spec in specs().values() if spec.gflops}
    assert claimed == pytest.approx({**printed, ("transdiff-l", "decoder_share"): 0.33})
    assert len(SIZE_CLAIMS) == len(claimed)
    assert not {claim.id for claim in SIZE_CLAIMS} & BY_ID.keys()


@pytest.mark.parametrize("claim", SIZE_CLAIMS, ids=lambda claim: claim.id)
def test_a_size_claim_is_a_value_with_source_that_paper_size_counts(claim):
    assert claim.source.standing
    assert "://" not in claim.source.url
    assert (claim.paper_scale.kind, claim.in_small) == ("value", None)
    assert claim.paper_scale.metric in PROTOCOLS[claim.paper_scale.protocol].metrics
    assert 0 < claim.tolerance <= 0.25  # "2B" is the coarsest


@pytest.mark.parametrize(
    ("text", "value", "half_unit"),
    [("290M", 290e6, 0.5e6), ("1.3B", 1.3e9, 0.05e9), ("19.70", 19.7, 0.005), ("119", 119, 0.5), ("33 %", 0.33, 0.005)],
)
def test_a_printed_count_may_hide_half_a_unit_of_its_last_digit(text, value, half_unit):
    assert read_printed(text) == pytest.approx((value, half_unit))


@pytest.mark.parametrize("text", ["１.９５", "١.٩", "1_9", "1e1", "+1", "nan", "1,95", ".5", ""])
def test_what_no_paper_prints_is_no_number(text):
    with pytest.raises(ValueError, match="is not a number as papers print it"):
        read_printed(text)


def test_var_prints_two_digits_so_that_600m_is_known_to_ten_million():
    rows = next(group.rows for group in SIZES if group.where.startswith("VAR"))
    two_digits = {row.model: float(f"{read_printed(row.params)[0]:.1e}") for row in rows}
    assert two_digits == {row.model: read_printed(row.params)[0] for row in rows}
    tolerance = next(c.tolerance for c in SIZE_CLAIMS if c.id == "var-d20-num-params")
    assert tolerance * 600e6 == pytest.approx(5e6)
