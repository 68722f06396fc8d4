"""What an image costs: times, batches, stages, ratios and compliance, each from records alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.analysis.speed import at_the_machines_roofline
from bench.commands.time_tables import bounded
from bench.formatting import Unit
from bench.metrics.latency import percentile
from bench.protocols import SCALES
from bench.records.parts import Speedup
from bench.report.charts.svg import tick_text
from bench.report.sections.cost import ON_A_GPU, cost_view
from bench.report.tables import Cell, cell
from bench.report.tables.speed import time_cell
from tests.fake_records import CONDITIONS, ENVIRONMENT, ROOFLINE, composed, latency, quality, ratios, timed, with_timing
from tests.pages import Tables, page_of, text_of

TRANSDIFF = timed("transdiff-digits", {"encoder": 0.01, "decoder": 0.05, "autoencoder": 0.02, "rest": 0.02})
DIT = timed("dit-digits", {"network": 0.3, "autoencoder": 0.02, "rest": 0.08})
MS = Unit(1e-3, "ms")
PAIRS = ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1})


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    scored = [quality("transdiff-digits", 2.0), quality("dit-digits", 3.0)]
    return page_of(tmp_path_factory.mktemp("cost"), [TRANSDIFF, DIT, PAIRS, *scored])


def rows_of(page: str, caption: str) -> dict[str, list[str]]:
    """The rows of a table by their label; of equal labels the first."""
    found: dict[str, list[str]] = {}
    for row in Tables(page).table(caption):
        if row:
            found.setdefault(row[0], row[1:])
    return found


def test_latency_is_shown_with_percentiles_rounds_and_units(page):
    rows = Tables(page).table("Time to generate")
    assert rows[0][1] == "Latency (median), ms batch 1, lower is better"
    assert rows[1][0] == "transdiff-digits"
    assert re.fullmatch(r"40 \d+\.\d ms to \d+ ms", rows[1][-1])


def test_a_percentile_that_few_rounds_do_not_bound_is_not_printed():
    """Of ten rounds a p99 has no upper end: no number stands for it, on the page or in a terminal."""
    rounds = [0.01 + 0.001 * i for i in range(10)]
    p50, p99 = percentile(rounds, 50), percentile(rounds, 99)
    found = latency("dit-digits", 0.01, measurements={"latency_s": p50, "latency_p99_s": p99})
    assert time_cell(found, "latency_s", MS) == cell(found, "latency_s", MS)
    assert cell(found, "latency_s", MS).text == "14.5"
    assert time_cell(found, "latency_p99_s", MS) == Cell("–", "too few rounds")
    assert (bounded(p50), bounded(p99), bounded(None)) == ("14.5 ms", "-", "-")
    few = percentile(rounds[:5], 50)  # a median stands, and says that nothing bounds it
    found = latency("dit-digits", 0.01, measurements={"latency_s": few})
    shown = time_cell(found, "latency_s", MS)
    assert (shown.text, shown.below) == ("12.0", "too few rounds")


def test_the_sweep_gives_images_per_second_and_memory_of_each_batch(page):
    """Eight images in 0.1 x (0.4 + 0.6 x 8) = 0.52 s are 15.4 per second."""
    assert rows_of(page, "Batch sweep")["transdiff-digits"] == [
        *("10.0 1.00 MiB", "12.5 2.00 MiB", "14.3 4.00 MiB", "15.4 8.00 MiB, best"),
        "its rounds got long",
    ]


def test_stages_stand_as_they_run_with_shares_that_add_up_and_amdahls_bound(page):
    """Half the time in the decoder: making it free gains a factor of two, 1 / (1 - 0.5)."""
    rows = Tables(page).table("Stages of one call")
    first = next(i for i, row in enumerate(rows) if row[0].startswith("transdiff-digits"))
    stages = {row[0]: row[1:] for row in rows[first + 1 : first + 5]}
    assert list(stages) == ["encoder", "decoder", "autoencoder", "rest"]
    assert sum(float(row[1].split()[0]) for row in stages.values()) == pytest.approx(100)
    time, share, calls, per_call, *_, bound = stages["decoder"]
    assert (time.split(" ")[:2], share, calls, per_call) == (["50.0", "ms"], "50.0 %", "100", "500 µs")
    assert bound == "x2.00"


def test_estimated_latencies_are_marked_with_their_error_and_have_no_percentiles(tmp_path):
    """A standard error of 1/196 of the time is 0.5 %; beside it how fast the machine was in that run."""
    page = page_of(tmp_path, [composed("transdiff-l", {"encoder": 1.0, "decoder": 99.0, "rest": 1.0}, 1e12)])
    assert "transdiff-l: estimated, ± 0.5 %" in text_of(page)
    assert rows_of(page, "Estimated latency")["transdiff-l"][-2:] == ["± 0.5 % 200 of 200", "100 GFLOP/s"]
    assert "Time to generate" not in page


# -- ratios ------------------------------------------------------------------------------------------------------------


def test_ratios_say_faster_or_slower(page, tmp_path):
    rows = rows_of(page, "Times per image")
    assert [rows[name][0] for name in ("dit-digits", "sit-digits")] == [
        "2.80 times faster 2.744 to 2.856",
        "3.10 times faster 3.038 to 3.162",
    ]
    slow = page_of(tmp_path, [ratios("transdiff-digits", {"var-digits": 0.1})])
    assert rows_of(slow, "Times per image")["var-digits"][0] == "10.0 times slower 9.80 to 10.20"


def test_each_at_its_best_compares_the_best_batches_under_the_conditions_that_users_share(page, tmp_path):
    """Of both the largest batch is the best: 15.4 images per second against a quarter of that."""
    assert rows_of(page, "Times per image")["dit-digits"][1] == "4.00 times faster batch 8 against 8, cut short"
    done = [with_timing(r, sweep=replace(r.timing.sweep, ended_by="memory")) for r in (TRANSDIFF, DIT)]
    whole = rows_of(page_of(tmp_path, [*done, PAIRS]), "Times per image")
    assert whole["dit-digits"][1] == "4.00 times faster batch 8 against 8"
    series = DIT.timing.latency
    larger = replace(series, conditions=replace(series.conditions, image_size=16))
    unlike = page_of(tmp_path, [TRANSDIFF, with_timing(DIT, latency=larger), PAIRS])
    assert rows_of(unlike, "Times per image")["dit-digits"][1] == "not comparable image_size: 8 against 16"


def test_a_ratio_says_which_side_alone_has_kernels_of_its_own(tmp_path):
    (entry, _) = PAIRS.speedups
    for ours, theirs, said in (
        ((), ("gelu",), "own CPU kernels: none against gelu"),
        (("few rows", "gelu"), ("gelu",), "own CPU kernels: few rows and gelu against gelu"),
        (("gelu",), ("gelu",), ""),
        (None, ("gelu",), ""),  # an older record does not say
    ):
        sides = {"model": ours, "baseline": theirs}
        told = {role: replace(entry.conditions[role], own_kernels=kernels) for role, kernels in sides.items()}
        shown = text_of(page_of(tmp_path, [replace(PAIRS, speedups=(replace(entry, conditions=told),))]))
        assert shown.count("own CPU kernels") == bool(said)
        assert said in shown


def test_sides_under_unlike_conditions_have_no_ratio_but_the_field_that_differs(tmp_path):
    (entry, _) = PAIRS.speedups
    kept = {name: getattr(entry, name) for name in ("model", "baseline", "mode", "conditions")}
    unlike = Speedup(**kept, not_comparable="dtype: float32 against bfloat16")
    page = page_of(tmp_path, [replace(PAIRS, speedups=(unlike,))])
    assert rows_of(page, "Times per image")["dit-digits"][0] == "not comparable dtype: float32 against bfloat16"


# -- compliance, and what is missing -----------------------------------------------------------------------------------


def test_a_run_that_failed_its_check_is_loud_and_every_model_has_its_line(page, tmp_path):
    reason = "compliance: 2 of 4 timed images differ from those that are scored for the same seeds"
    failed = replace(DIT, status="failed", reason=reason, measurements={}, timing=None)
    rows = rows_of(page, "What was checked")
    assert rows["transdiff-digits"][:3] == ["✓", "equal 4 images", "1.000 0.980 to 1.030"]
    assert 'class="alarm"' not in page
    loud = page_of(tmp_path, [TRANSDIFF, failed])
    assert 'class="alarm"' in loud
    assert f"dit-digits, digits-latency: {reason}" in text_of(loud)
    assert rows_of(loud, "What was checked")["dit-digits"] == [f"✗ failed: {reason}"]


def test_other_work_on_the_machine_is_marked(tmp_path):
    busy = replace(TRANSDIFF.timing.latency, foreign_load=0.43, disturbed=True)
    page = page_of(tmp_path, [with_timing(TRANSDIFF, latency=busy)])
    assert rows_of(page, "What was checked")["transdiff-digits"][3] == "0.43 disturbed"
    assert "Other work ran on the machine while transdiff-digits was timed." in text_of(page)


def test_without_ratios_and_without_a_gpu_the_page_names_commands_that_exist(page, tmp_path):
    assert f"Not run on a GPU: {ON_A_GPU}" in text_of(page)
    assert ON_A_GPU.split("--scale ")[1].split()[0] in SCALES
    gpu = replace(ENVIRONMENT, machine="nvidia-h200", device="cuda", gpu="NVIDIA H200")
    alone = text_of(page_of(tmp_path, [latency("transdiff-digits", 0.01, environment=gpu)]))
    assert "Not run on a GPU" not in alone
    assert "Not measured: ratios of shared rounds. python -m bench reproduce would take them." in alone


def test_a_roofline_is_the_highest_that_any_run_of_the_machine_found():
    """A run that looked at a slow moment (5e10) would have its model reach more than there is; other threads differ."""
    slow, fast, other = (
        with_timing(record, roofline=replace(ROOFLINE, **changes))
        for record, changes in zip(
            [latency("dit-digits", 0.4), latency("sit-digits", 0.4), latency("mar-digits", 0.4)],
            [{"matmul_flop_per_s": 5e10}, {"copy_bytes_per_s": 1e10}, {"num_threads": 2, "matmul_flop_per_s": 3e11}],
            strict=True,
        )
    )
    bare = latency("transdiff-digits", 0.1)
    best = at_the_machines_roofline([slow, fast, other, bare])
    names = ("matmul_flop_per_s", "copy_bytes_per_s")
    found = [tuple(getattr(record.timing.roofline, name) for name in names) for record in best[:3]]
    assert found == [(1e11, 2e10), (1e11, 2e10), (3e11, 2e10)]
    assert best[3] is bare
    assert slow.timing.roofline.matmul_flop_per_s == 5e10  # the record itself stays as it was


def test_the_roofline_is_told_for_each_number_of_threads():
    """One of two threads reaches what that of one never does: 121 GFLOP/s lie above no roofline."""
    two = replace(ROOFLINE, num_threads=2, matmul_flop_per_s=1.8e11)
    told = cost_view([TRANSDIFF, with_timing(DIT, roofline=two)])["notes"]
    assert "Roofline of 1 thread, float32: matrix product 100 GFLOP/s, copy 20 GB/s." in told
    assert "Roofline of 2 threads, float32: matrix product 180 GFLOP/s, copy 20 GB/s." in told


def test_the_sides_of_a_speed_claim_show_what_their_time_is_made_of(page):
    """Time, evaluations, arithmetic, its rate, the main stage's share of the roofline, the main stage."""
    rows = rows_of(page, "Sides of: TransDiff is x112 faster")
    time, evaluations, flops, rate, _, main = rows["transdiff-digits"]
    assert time == "100 ms in shared rounds"
    assert evaluations.startswith("201 ")
    assert flops.endswith("MFLOP")
    assert rate.endswith("GFLOP/s")
    assert main == "decoder 50.0 %"


def test_sides_timed_in_shared_rounds_alone_show_their_time_and_evaluations(tmp_path):
    """As on a GPU that timed no model by itself; what only a run of its own tells stays open."""
    made = ratios("transdiff-l", {"dit-xl-2": 4.0, "sit-xl-2": 3.9}, protocol_name="imagenet-256-ratios")
    sides = {
        role: replace(CONDITIONS, network_evaluations={"network": count})
        for role, count in (("model", 202), ("baseline", 51_500))
    }
    made = replace(made, speedups=tuple(replace(entry, conditions=sides) for entry in made.speedups))
    gpu = replace(ENVIRONMENT, machine="nvidia-h200", device="cuda", gpu="NVIDIA H200")
    page = page_of(tmp_path, [replace(made, environment=gpu)])
    assert "3.90 times faster than sit-xl-2 (NVIDIA H200, float32, batch 1)" in text_of(page)
    rows = rows_of(page, "Sides of: TransDiff is x112 faster")
    assert rows["transdiff-l"][:2] == ["100 ms in shared rounds", "202"]
    assert rows["dit-xl-2"][:2] == ["400 ms in shared rounds", "51,500"]


def test_times_of_a_gpu_say_whether_convolutions_took_tf32(tmp_path):
    """Torch's default once: then float32 is not the whole truth, beside the ratios and under their environment."""
    made = ratios("transdiff-l", {"dit-xl-2": 4.0}, protocol_name="imagenet-256-ratios")
    for took, group in ((True, "batch 1, float32, TF32 in convolutions)"), (False, "batch 1, float32)")):
        sides = dict.fromkeys(("model", "baseline"), replace(CONDITIONS, tf32_convolution=took))
        timed = replace(
            made,
            environment=replace(ENVIRONMENT, device="cuda", tf32=False),
            speedups=tuple(replace(entry, conditions=sides) for entry in made.speedups),
        )
        text = text_of(page_of(tmp_path, [timed]))
        assert f"transdiff-l (imagenet-256 scale, {group}" in text
        assert "TF32 in matrix products no" in text
        assert f"TF32 in convolutions {'yes' if took else 'no'}" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.2, "0.2"), (1000, "1,000"), (-3, "−3"), (1e8, "100 M"), (1e10, "10 G"), (2.5e12, "2.5 T")]
)
def test_a_tick_of_many_operations_is_short(value, text):
    assert tick_text(value) == text
