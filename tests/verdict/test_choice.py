"""Which record a verdict rests on, what it says is missing, and which of several comparisons its number is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.claims.sources import NOT_PUBLISHED
from bench.records.parts import Elsewhere
from bench.records.schema import Comparison, Record
from bench.stats import Interval
from bench.verdict.judge import (
    find,
    judge_side,
    lacking_words,
    least_favourable,
    not_run_reason,
    said_of_pilots,
    unit_of,
)
from tests.fake_records import latency, quality, ratios, record

CLAIM = next(iter(CLAIMS))
FID = Comparison("direction", "fid", "transdiff-digits", ("mar-digits", "dit-digits"), "digits-quality", "digits")


# -- of several records ------------------------------------------------------------------------------------------------


def test_a_record_must_be_of_the_model_the_protocol_and_all_the_settings_asked_for():
    asked = {"num_steps": 4, "cfg_scale": 2.0}
    right = quality("a", 1.0, settings={**asked, "temperature": 1.0})
    others = [
        quality("b", 1.0, settings=asked),
        latency("a", 1.0, settings=asked),
        quality("a", 1.0, settings={**asked, "num_steps": 5}),
        quality("a", 1.0, settings={**asked, "cfg_scale": 3.0}),
        quality("a", 1.0, settings={"num_steps": 4}),
        quality("b", 1.0, settings={}),
    ]
    assert find("a", "digits-quality", others, asked) is None
    assert find("a", "digits-quality", [*others, right], asked) is right
    assert find("a", "digits-quality", [right], {}) is right


def made(created: str, **changes) -> Record:
    return quality("a", 1.0, created_utc=f"2026-02-{created}T00:00:00+00:00", **changes)


def test_a_run_that_did_not_fail_speaks_first_then_one_of_this_suite_then_the_latest():
    elsewhere = Elsewhere(what="images", name="a", num_items=500, sha256="ab" * 32, made_by="the authors' code")
    old, new = made("01"), made("02")
    foreign, failed, broken = made("03", elsewhere=elsewhere), made("04", status="failed"), made("05", status="failed")
    records = [broken, old, foreign, new, failed]
    chosen = []
    while records:
        chosen.append(find("a", "digits-quality", records, {}))
        records.remove(chosen[-1])
    assert chosen == [new, old, foreign, broken, failed]
    assert find("a", "digits-quality", [], {}) is None


def published(model: str, settings: dict, terms: str = "published", variant: str = "") -> Record:
    one = record(model, "imagenet-256-quality", settings=settings)
    protocol = replace(one.protocol, terms=terms, variant=variant)
    return replace(one, protocol=protocol, inputs=replace(one.inputs, settings=settings))


@pytest.mark.parametrize(
    ("made", "speaks"),
    [
        (published("dit-xl-2", {}), True),
        (published("dit-xl-2", {"num_steps": 250, "cfg_scale": 1.5}), True),  # as published
        (published("dit-xl-2", {"num_steps": 250, "cfg_scale": 4.0}), False),
        (published("dit-xl-2", {"num_steps": 50}), False),
        (published("dit-xl-2", {"cfg_scale": 1.0}), False),
        (published("dit-xl-2", {"cfg_scale": 1.0}, variant="unguided"), True),  # another printed row
        (published("dit-xl-2", {"temperature": 1.0}), False),  # none of the row's settings
        (published("unprinted", {"num_steps": 250}), False),  # no row: nothing is its usual
        (published("unprinted", {}), True),
        (published("dit-xl-2", {"num_steps": 50}, terms=""), True),  # a protocol that states no terms
    ],
)
def test_a_run_at_settings_that_nobody_prints_does_not_stand_for_the_model(made, speaks):
    assert find(made.model, made.protocol.name, [made], {}) is (made if speaks else None)


def test_a_run_at_other_settings_speaks_where_they_are_asked_for():
    made = published("dit-xl-2", {"num_steps": 50, "cfg_scale": 4.0})
    assert find("dit-xl-2", made.protocol.name, [made], {"num_steps": 50}) is None
    assert find("dit-xl-2", made.protocol.name, [made], {"num_steps": 50, "cfg_scale": 4.0}) is made


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_models_without_a_record_and_failed_ones_are_told_apart():
    assert lacking_words({"a": "", "b": "out of memory.", "c": "", "d": "killed"}) == (
        "no record of a and c; b failed (out of memory); d failed (killed)"
    )
    assert lacking_words({"b": "killed"}) == "b failed (killed)"
    assert lacking_words({"a": ""}) == "no record of a"


def test_a_failed_run_without_a_reason_says_that_none_was_kept():
    failed = record("mar-digits", "digits-quality", status="failed", reason="")
    verdict = judge_side(CLAIM, FID, [quality("transdiff-digits", 1.0), failed])
    assert verdict.word == "not run"
    assert "no record of dit-digits; mar-digits failed (no reason kept)." in verdict.reason


def test_the_command_names_the_models_that_lack_a_record_and_no_other():
    reason = not_run_reason(FID, {"transdiff-digits (num_steps 4)": "", "dit-digits": "killed"})
    assert reason.endswith("`python -m bench reproduce --only transdiff-digits --only dit-digits` would run it.")
    reason = not_run_reason(replace(FID, scale="imagenet-256", stand_in="other"), {"mar-digits": ""})
    assert reason == (
        "Under digits-quality: no record of mar-digits. `python -m bench reproduce --scale imagenet-256 --only "
        "mar-digits` would run it, on a CPU as estimated latency."
    )


def test_what_nobody_published_or_nothing_measures_has_no_command():
    needs = ("a GPU", f"the weights, {NOT_PUBLISHED}")
    assert not_run_reason(replace(FID, needs=needs), {"mar-digits": ""}) == (
        f"Needs a GPU and the weights, {NOT_PUBLISHED}. Until then it cannot be measured."
    )
    assert "would run it" in not_run_reason(replace(FID, needs=("a GPU",)), {"mar-digits": ""})
    assert not_run_reason(replace(FID, protocol="human-eyes"), {}) == "This suite does not measure it (human-eyes)."
    assert not_run_reason(replace(FID, protocol=""), {}) == "This suite does not measure it."


def test_with_pairs_of_every_baseline_no_run_of_each_is_missed():
    side = Comparison("direction", "latency_s", "a", ("b",), "digits-latency", "digits")
    verdict = judge_side(CLAIM, side, [ratios("a", {"b": 3.0})])
    assert (verdict.word, "Not judged against" in verdict.reason) == ("holds in small", False)
    some = judge_side(CLAIM, replace(side, baselines=("b", "c")), [ratios("a", {"b": 3.0})])
    assert some.reason.endswith("Not judged against every baseline: no record of a and c.")


# -- pilots ------------------------------------------------------------------------------------------------------------


def pilot(model: str, count: int, full: int, **changes) -> Record:
    one = quality(model, 2.0, **changes)
    return replace(one, protocol=replace(one.protocol, num_images=count, pilot_of=full))


def test_pilots_say_their_counts_the_largest_full_one_and_which_way_a_fid_is_off():
    both = [pilot("a", 2000, 10_000), pilot("b", 1000, 50_000)]
    text = "A pilot of 1,000 and 2,000 images, of 50,000: too few for a verdict."
    for metric in ("fid", "fid_clean", "sfid"):
        assert said_of_pilots(both, replace(FID, metric=metric)) == f"{text} The FID of fewer images lies higher."
    assert said_of_pilots(both, replace(FID, metric="inception_score")) == text


def test_pilots_that_do_not_compare_stay_not_comparable():
    ours, theirs = pilot("transdiff-digits", 100, 500), pilot("dit-digits", 200, 500)
    assert judge_side(CLAIM, FID, [ours, theirs]).word == "not comparable"
    alike = judge_side(CLAIM, FID, [ours, pilot("dit-digits", 100, 500)])
    assert (alike.word, alike.reason[:7]) == ("inconclusive", "A pilot")


# -- the number of a verdict -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "metric", "better", "least", "unit"),
    [
        ("direction", "fid", "lower", 3.0, "FID"),  # differences: the least negative
        ("direction", "cider", "higher", 1.0, "CIDEr"),
        ("direction", "latency_s", "lower", 1.0, "times"),  # ratios of speed, whatever is said of its seconds
        ("ratio", "latency_s", "lower", 1.0, "times"),
        ("direction", "throughput_per_s", "higher", 1.0, "times"),
        ("direction", "kid", "lower", 3.0, "kid"),
        ("value", "fid", "lower", 3.0, "printed"),
    ],
)
def test_of_several_baselines_the_number_is_of_the_one_that_speaks_least_for_the_claim(
    kind, metric, better, least, unit
):
    side = replace(FID, kind=kind, metric=metric, better=better)
    estimates = [Interval(value, value - 1, value + 1) for value in (2.0, 1.0, 3.0)]
    assert least_favourable(side, estimates).value == least
    assert least_favourable(side, []) is None
    assert unit_of(replace(CLAIM, unit="printed"), side) == unit
