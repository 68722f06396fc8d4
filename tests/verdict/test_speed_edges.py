"""Verdicts of speed at their edges: exactly neutral, exactly twice beyond, machines 15 % apart, what is missing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.analysis.speed import Paired
from bench.claims import CLAIMS
from bench.formatting import number
from bench.records.parts import Conditions, Measurement, Part, Series
from bench.records.schema import Comparison, Record, Verdict
from bench.stats import Interval
from bench.verdict.finding import Finding
from bench.verdict.judge import judge_side
from bench.verdict.speed import (
    counted_alone,
    faster,
    faster_in_pairs,
    machine_speeds_differ,
    more_per_second,
    said_of_estimate,
    times_as_fast,
    weigh_estimate,
)
from tests.fake_records import CONDITIONS, ENVIRONMENT, ROOFLINE, composed, latency, ratios, with_timing

PRINTED_8 = replace(next(iter(CLAIMS)), value=8.0, tolerance=0.25)  # 6 to 10
RATIO = Comparison("ratio", "latency_s", "a", ("b",))
DIRECTION = replace(RATIO, kind="direction")


# -- how many times as fast --------------------------------------------------------------------------------------------


def told(estimate: Interval, side: Comparison = DIRECTION) -> tuple[str, str]:
    found = times_as_fast(PRINTED_8, side, estimate, [0.1, 0.2, 0.3], [0.4, 0.5, 0.9], "a", "b")
    assert found.estimate == estimate
    return found.word, found.text


def test_a_ratio_is_told_as_a_number_above_one_with_its_interval_turned_round():
    """0.25 (0.2 to 0.5) times as fast are 4 (2 to 5) times slower."""
    medians = "median 200 ms against 500 ms"
    word, text = told(Interval(0.25, 0.2, 0.5))
    assert word == "does not hold in small"
    assert text == f"Slower than b ({medians}; 4.0 times, 95 % interval 2.0 to 5.0)."
    word, text = told(Interval(4.0, 2.0, 5.0))
    assert (word, text) == ("holds in small", f"Faster than b ({medians}; 4.0 times, 95 % interval 2.0 to 5.0).")


@pytest.mark.parametrize("bounds", [(1.0, 2.0), (0.5, 1.0), (0.5, 2.0)])
def test_a_ratio_that_touches_one_is_not_told_apart(bounds):
    word, text = told(Interval(1.0, *bounds))
    assert word == "inconclusive"
    assert text.startswith("Not told apart from b in latency (median 200 ms against 500 ms; 1.00 times, 95 % interval")


def test_against_print_a_ratio_below_one_is_told_as_slower_and_one_of_exactly_one_is_not():
    word, text = told(Interval(0.25, 0.2, 0.5), RATIO)
    assert (word, text.split(":")[0]) == (
        "not reproduced",
        "a is 4.0 times slower than b, 95 % interval 2.0 to 5.0",
    )
    for value in (1.0, 1.5):
        assert told(Interval(value, 0.9, 1.75), RATIO)[1].startswith(f"a is {value:.2f} times as fast as b")


@pytest.mark.parametrize("pace", [0.5, 1.5])
def test_a_run_of_each_may_have_another_number_of_rounds(pace):
    """Rounds of two runs are no pairs."""
    found = faster(PRINTED_8, DIRECTION, latency("a", 1.0, num_rounds=40), latency("b", pace, num_rounds=20))
    assert found.word == ("holds in small" if pace > 1 else "does not hold in small")


@pytest.mark.parametrize("lacking", ["a", "b"])
def test_the_run_without_rounds_is_named(lacking):
    runs = [latency(name, 1.0) for name in ("a", "b")]
    bare = [replace(run, timing=None) if run.model == lacking else run for run in runs]
    assert faster(PRINTED_8, DIRECTION, *bare).text == f"{lacking} kept no raw rounds."
    batches = [with_timing(run, throughput=Series(batch_size=8, rounds_s=(1.0, 1.1) * 5)) for run in runs]
    bare = [with_timing(run, throughput=None) if run.model == lacking else run for run in batches]
    assert more_per_second(*bare).text == f"{lacking} has no throughput_per_s."
    bare = [replace(run, timing=None) if run.model == lacking else run for run in batches]
    assert more_per_second(*bare).text == f"{lacking} has no throughput_per_s."


def test_images_per_second_are_of_an_image_not_of_a_batch_and_of_runs_that_share_no_rounds():
    def in_batches(model: str, seconds: float, num: int) -> Record:
        rounds = tuple(seconds * pace for pace in (0.98, 1.0, 1.02)) * num
        return with_timing(latency(model, 1.0), throughput=Series(batch_size=4, rounds_s=rounds))

    found = more_per_second(in_batches("a", 2.0, 4), in_batches("b", 3.0, 5))
    assert (found.word, found.estimate.value) == ("holds in small", pytest.approx(1.5))
    assert found.text.startswith("More than b (2.00 against 1.33 images per second; 1.50")
    assert f"{number(found.estimate.value, found.estimate.low, found.estimate.high)} times" in found.text
    assert "95 % interval 1.4" in found.text
    found = more_per_second(in_batches("a", 3.0, 4), in_batches("b", 2.0, 5))
    assert (found.word, found.text[:12]) == ("does not hold in small", "Fewer than b")
    found = more_per_second(in_batches("a", 2.0, 4), in_batches("b", 2.0, 5))
    assert (found.word, found.text[:21]) == ("inconclusive", "Not told apart from b")


# -- shared rounds -----------------------------------------------------------------------------------------------------


def test_sides_that_do_not_compare_are_not_judged_though_a_ratio_was_kept():
    pairs = ratios("a", {"b": 3.0})
    (entry,) = pairs.speedups

    def word(**changes) -> str:
        return faster_in_pairs(PRINTED_8, DIRECTION, Paired(pairs, replace(entry, **changes))).word

    assert word() == "holds in small"
    assert word(not_comparable="dtype: float32 against float64") == "not comparable"
    assert word(not_comparable="dtype: float32 against float64", ratio=None, rounds_s={}) == "not comparable"


def conditions_of(**changes) -> dict[str, Conditions]:
    """Both sides as they were timed, the baseline's with changes."""
    return {"model": CONDITIONS, "baseline": replace(CONDITIONS, **changes)}


CHOICES = [
    ({"dtype": "bfloat16"}, "dtype: float32 against bfloat16"),
    ({"batch_size": 8}, "batch_size: 1 against 8"),
    ({"num_threads": 2}, "num_threads: 1 against 2"),
    ({"compiled": True}, "compiled: False against True"),
    ({"guided": False}, "guided: True against False"),
    ({"machine": "other"}, "machine: acme-cpu-2c against other"),
]


@pytest.mark.parametrize(("changes", "why"), CHOICES)
def test_conditions_that_someone_chose_must_agree_whatever_the_record_says_of_them(changes, why):
    """In shared rounds, in a run of each, and in batches: a record edited by hand is found out by its conditions."""
    pairs = ratios("a", {"b": 3.0})
    entry = replace(pairs.speedups[0], conditions=conditions_of(**changes))
    found = faster_in_pairs(PRINTED_8, DIRECTION, Paired(pairs, entry))
    assert (found.word, found.text) == ("not comparable", f"a and b differ in {why}.")

    def under(model: str, **conditions) -> Record:
        series = Series(batch_size=1, rounds_s=(1.0, 1.1, 0.9), conditions=replace(CONDITIONS, **conditions))
        return with_timing(latency(model, 1.0), latency=series, throughput=series)

    for judged in (
        faster(PRINTED_8, DIRECTION, under("a"), under("b", **changes)),
        more_per_second(under("a"), under("b", **changes)),
    ):
        assert (judged.word, judged.text) == ("not comparable", f"a and b differ in {why}.")
    assert faster(PRINTED_8, DIRECTION, under("a"), under("b")).word == "inconclusive"
    # A series without conditions of its own has those of the record's latency.
    sides = [under("a"), under("b", **changes)]
    bare = [with_timing(r, throughput=replace(r.timing.throughput, conditions=None)) for r in sides]
    assert more_per_second(*bare).word == "not comparable"


def test_a_verdict_on_disturbed_times_says_whose_they_were():
    pairs = ratios("a", {"b": 3.0})
    told = " Other work ran on the machine while {} was timed."
    for disturbed in (False, True):
        entry = replace(pairs.speedups[0], disturbed=disturbed)
        text = faster_in_pairs(PRINTED_8, DIRECTION, Paired(pairs, entry)).text
        assert text.endswith(told.format("a")) is disturbed
    noisy = with_timing(latency("b", 3.0), latency=replace(latency("b", 3.0).timing.latency, disturbed=True))
    assert faster(PRINTED_8, DIRECTION, latency("a", 1.0), noisy).text.endswith(told.format("b"))
    assert faster(PRINTED_8, DIRECTION, noisy, replace(noisy, model="c")).text.endswith(told.format("b and c"))


# -- the pace of a machine ---------------------------------------------------------------------------------------------


def at_pace(model: str, flop_per_s: float | None) -> Record:
    return with_timing(
        latency(model, 1.0),
        roofline=None if flop_per_s is None else replace(ROOFLINE, matmul_flop_per_s=flop_per_s),
    )


@pytest.mark.parametrize(("one", "other"), [(1e11, 1.15e11), (1.15e11, 1e11)])
def test_paces_exactly_15_percent_apart_are_compared_and_a_thousandth_more_is_not(one, other):
    assert machine_speeds_differ(at_pace("a", one), at_pace("b", other)) == ""
    fast, slow = (1.001 * pace if pace > 1e11 else pace for pace in (one, other))
    why = machine_speeds_differ(at_pace("a", fast), at_pace("b", slow))
    assert why.startswith("a and b were timed in runs whose machine speeds differ by more than 15 % (matrix product ")


@pytest.mark.parametrize("paces", [(None, None), (1e11, None), (None, 1e11)])
def test_a_pace_that_is_unknown_stops_no_comparison(paces):
    assert machine_speeds_differ(*(at_pace(name, pace) for name, pace in zip("ab", paces, strict=True))) == ""
    assert machine_speeds_differ(replace(at_pace("a", 1e11), timing=None), at_pace("b", 3e11)) == ""


# -- estimated latencies -----------------------------------------------------------------------------------------------


def counting(model: str, flops: float, weight_bytes: float | None, num_kernels: float | None) -> Record:
    """An estimated run of one part with these counts."""
    made = composed(model, {"network": 1.0}, 1e12)
    part = Part(
        stage="network",
        num_calls=4,
        num_timed=3,
        flops=flops,
        weight_bytes=weight_bytes,
        num_kernels=num_kernels,
        call_s=0.25,
    )
    return with_timing(made, stages=replace(made.timing.stages, parts={"call": part}))


def weighed(value: float, low: float, high: float, counts: float, side: Comparison = RATIO) -> tuple[str, str]:
    """An estimated ratio beside counts that all give `counts`, held against the printed 6 to 10."""
    finding = Finding("reproduced", "Said.", Interval(value, low, high))
    found = weigh_estimate(PRINTED_8, side, finding, counting("a", 16, 16, 16), counting("b", *(16 * counts,) * 3))
    assert found.estimate == finding.estimate
    return found.word, found.text


@pytest.mark.parametrize(
    ("value", "low", "high", "counts", "word", "beyond"),
    [
        (2.5, 2.0, 3.0, 2.5, "not reproduced", "2.00"),  # printed are at least 6: exactly twice
        (2.5, 2.0, 3.125, 2.5, "inconclusive", ""),  # the end of the interval counts
        (2.5, 2.0, 2.75, 3.0, "not reproduced", "2.00"),  # ... and so does what the counts give
        (2.5, 2.0, 2.75, 3.125, "inconclusive", ""),
        (25.0, 20.0, 30.0, 25.0, "not reproduced", "2.00"),  # printed are at most 10
        (25.0, 19.0, 30.0, 25.0, "inconclusive", ""),
        (25.0, 22.0, 30.0, 20.0, "not reproduced", "2.00"),
        (25.0, 22.0, 30.0, 19.0, "inconclusive", ""),
        (0.5, 0.25, 0.75, 0.5, "not reproduced", "8.00"),  # an interval below one
        (1.0, 0.0, 2.0, 1.0, "inconclusive", ""),  # that reaches zero bounds nothing
        (8.0, 7.0, 9.0, 8.0, "inconclusive", ""),
    ],
)
def test_print_must_lie_twice_beyond_the_whole_range_of_explanations(value, low, high, counts, word, beyond):
    found, text = weighed(value, low, high, counts)
    assert found == word
    if beyond:
        assert text.endswith(f" The printed 8 lies {beyond} times beyond the estimate and every count.")
    else:
        assert text.endswith(" That does not settle what a GPU would measure.")
    assert text.startswith(f"Said. Counts alone give {number(counts)} (FLOPs), {number(counts)} (bytes of weights), ")


def test_counts_are_in_the_unit_of_print():
    """Where 0.01 of the metric make one of print, counts of 2.5 are 250."""
    assert weighed(250.0, 200.0, 300.0, 2.5, replace(RATIO, units_per_printed=0.01))[0] == "not reproduced"
    assert "250 (FLOPs)" in weighed(250.0, 200.0, 300.0, 2.5, replace(RATIO, units_per_printed=0.01))[1]


def test_what_was_not_counted_contradicts_nothing():
    finding = Finding("reproduced", "Said.", Interval(2.5, 2.0, 3.0))
    for unknown in (
        counting("b", 40, None, 40),
        counting("b", 40, 40, None),
        replace(counting("b", 4, 4, 4), timing=None),
    ):
        found = weigh_estimate(PRINTED_8, RATIO, finding, counting("a", 16, 16, 16), unknown)
        assert found.word == "inconclusive"
    found = weigh_estimate(PRINTED_8, RATIO, finding, None, None)
    assert found.text == "Said. Its calls were not counted. That does not settle what a GPU would measure."
    missing = Finding("inconclusive", "Nothing.")
    assert weigh_estimate(PRINTED_8, RATIO, missing, None, None) is missing


def test_one_count_alone_is_the_baselines_over_the_subjects():
    """However small; unknown where one side has none of it, or did not count it."""
    one, eight = counting("a", 1, 1, 1), counting("b", 8, 8, 8)
    assert counted_alone(RATIO, one, eight, "num_kernels") == 8
    assert counted_alone(RATIO, eight, one, "flops") == 1 / 8
    nothing, unknown = counting("a", 0, 0, 0), counting("a", 4, 4, None)
    for sides in ((one, nothing), (nothing, one), (one, unknown), (unknown, one), (one, None), (None, one)):
        assert counted_alone(RATIO, *sides, "num_kernels") is None
    bare = with_timing(one, stages=None)
    assert counted_alone(RATIO, one, bare, "num_kernels") is None


def test_of_the_decoders_share_one_count_alone_is_its_part_of_all():
    side = Comparison("value", "decoder_time_share", "a")
    whole = counting("a", 6, 6, 6)
    decoder = replace(whole.timing.stages.parts["call"], stage="decoder", num_kernels=2)
    kept = whole.timing.stages
    rounds_s = {**kept.rounds_s, "decoder": kept.rounds_s["network"]}
    whole = with_timing(whole, stages=replace(kept, rounds_s=rounds_s, parts={**kept.parts, "d": decoder}))
    assert counted_alone(side, whole, None, "num_kernels") == 2 / 8


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True)])
def test_where_one_side_is_estimated_its_error_is_the_interval_and_not_its_rounds(ours, theirs):
    """Three equal rounds of each bound no ratio; each time is known to 1 %."""
    a, b = composed("a", {"network": 1.0}, 1e12), composed("b", {"network": 4.0}, 1e12)
    whole = replace(a.protocol, sampled_calls=0)
    a, b = (made if estimated else replace(made, protocol=whole) for made, estimated in ((a, ours), (b, theirs)))
    found = faster(PRINTED_8, RATIO, a, b).estimate
    assert (found.value, found.is_known) == (pytest.approx(4), True)
    verdict = judge_side(PRINTED_8, replace(RATIO, protocol=a.protocol.name, scale="imagenet-256"), [a, b])
    assert "Counts alone give" in verdict.reason


@pytest.mark.parametrize("lacking", ["a", "b"])
@pytest.mark.parametrize("what", [{}, {"latency_s": Measurement(1.0, "s")}])
def test_an_estimate_without_its_latency_or_its_interval_concludes_nothing(lacking, what):
    runs = [composed(name, {"network": 1.0}, 1e12) for name in ("a", "b")]
    runs = [replace(run, measurements=what) if run.model == lacking else run for run in runs]
    found = faster(PRINTED_8, RATIO, *runs)
    assert (found.word, found.estimate) == ("inconclusive", None)
    assert found.text == "a against b: a latency, or its interval, is missing."


def test_the_conditions_of_an_estimate_are_those_of_the_verdicts_first_record():
    """The calls are those of the subject's last estimated run that kept them."""
    first, second, third = (counting("a", 1, 1, 1) for _ in range(3))
    first = replace(first, file="1.json", environment=replace(ENVIRONMENT, num_threads=1, processor="First CPU"))
    part = second.timing.stages.parts["call"]
    second, third = (
        with_timing(made, stages=replace(made.timing.stages, parts={"call": replace(part, num_calls=calls)}))
        for made, calls in ((second, 100), (third, 1000))
    )
    others = [
        counting("b", 1, 1, 1),
        replace(first, timing=None, file="6.json"),
        with_timing(first, stages=None),
        with_timing(latency("a", 1.0), stages=replace(second.timing.stages)),  # not estimated
    ]
    verdict = Verdict("claim", "imagenet-256", "inconclusive", "Why.", ("1.json", "other.json"))
    spoken = said_of_estimate(verdict, "a", [others[0], first, second, third, *others[1:]])
    assert spoken.reason == (
        "Estimated latency (First CPU, 1 thread, float32, batch 1, random weights; "
        "3 of 1,000 calls of a were timed, the rest counted). Why."
    )
    assert spoken.marker == "by counting, on a CPU"
    bare = with_timing(first, stages=None)
    gpu = replace(bare, environment=replace(ENVIRONMENT, device="cuda", num_threads=2))
    spoken = said_of_estimate(verdict, "a", [gpu])
    assert spoken.reason.startswith("Estimated latency (Acme CPU 9000, 2 threads, float32, batch 1, random weights). ")
    assert spoken.marker == "by counting"


def test_an_unknown_bound_of_a_ratio_stays_unknown():
    found = times_as_fast(PRINTED_8, RATIO, Interval(0.25, math.nan, math.nan), [1.0], [4.0], "a", "b")
    assert (found.word, "interval unknown" in found.text) == ("inconclusive", True)
