"""The report's part on speed: distributions, batches, stages, ratios and validity, each from records alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bench.analysis.speed import at_the_machines_roofline
from bench.claims import CLAIMS
from bench.formatting import Unit
from bench.protocols import SCALES
from bench.records.parts import Measurement, Speedup
from bench.records.store import save_record
from bench.report import render
from bench.report.sections.speed import ON_A_GPU
from bench.report.speed_words import speed_paragraph
from bench.report.tables.speed import spread
from bench.verdict.judge import judge
from tests.fake_records import ENVIRONMENT, ROOFLINE, composed, full_set, latency, quality, ratios, timed, with_timing
from tests.pages import Tables, text_of

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
TRANSDIFF = timed("transdiff-digits", {"encoder": 0.01, "decoder": 0.05, "autoencoder": 0.02, "rest": 0.02})
DIT = timed("dit-digits", {"network": 0.3, "autoencoder": 0.02, "rest": 0.08})
PAIRS = ratios("transdiff-digits", {"dit-digits": 2.8, "sit-digits": 3.1})


def page_of(folder, *records) -> str:
    for made in records:
        save_record(made, folder / "results")
    (folder / "results").mkdir(exist_ok=True)
    return render([folder / "results"], folder / "index.html", now=NOW).read_text()


def speed_of(page: str) -> str:
    return re.search(r'<section id="speed".*?</section>', page, flags=re.DOTALL)[0]


def said_by(part: str) -> str:
    """The words of a part of a page."""
    return text_of(f"<body>{part}")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    scored = [quality("transdiff-digits", 2.0), quality("dit-digits", 3.0)]
    return page_of(tmp_path_factory.mktemp("speed"), TRANSDIFF, DIT, PAIRS, *scored)


def rows_of(page: str, caption: str) -> dict[str, list[str]]:
    """The rows of a table by their label; of equal labels the first."""
    found: dict[str, list[str]] = {}
    for row in Tables(speed_of(page)).table(caption):
        if row:
            found.setdefault(row[0], row[1:])
    return found


# -- charts and their tables -------------------------------------------------------------------------------------------


def test_every_timed_model_is_named_in_the_charts_and_every_chart_is_described(page):
    charts = re.findall(r"<svg.*?</svg>", speed_of(page), flags=re.DOTALL)
    words = [re.search(r'aria-label="([^"]*)"', chart)[1] for chart in charts]
    assert [word.split(" ")[0] for word in words] == ["Distribution", "Stages", "Images", "FID"]
    for chart, word in zip(charts, words, strict=True):
        assert "transdiff-digits" in word
        for model in ("transdiff-digits", "dit-digits"):
            assert f">{model}" in chart
        assert not re.search(r"(fill|stroke): ?#", chart)  # no colour that ignores dark mode
    assert len(set(Tables(page).ids)) == len(Tables(page).ids)


def test_a_percentile_that_few_rounds_do_not_bound_says_so():
    """Of ten rounds a p99 has no upper end: the interval is open, and no number stands for it."""
    ms = Unit(1e-3, "ms")
    assert spread(Measurement(0.012, "s", 0.010, None), ms) == "10.0 or more"
    assert spread(Measurement(0.012, "s", None, 0.014), ms) == "14.0 or less"
    assert spread(Measurement(0.012, "s"), ms) == "no bound: too few rounds"
    assert spread(Measurement(0.012, "s", 0.010, 0.014), ms) == "10.0 to 14.0"


def test_the_sweep_gives_images_per_second_and_memory_of_each_batch(page):
    """Eight images in 0.1 x (0.4 + 0.6 x 8) = 0.52 s are 15.4 per second."""
    assert rows_of(page, "Batch sweep")["transdiff-digits"] == [
        *("10.0 1.00 MiB", "12.5 2.00 MiB", "14.3 4.00 MiB", "15.4 8.00 MiB, best"),
        "its rounds got long",
    ]


def test_stages_stand_as_they_run_with_shares_that_add_up_and_amdahls_bound(page):
    """Half the time in the decoder: making it free gains a factor of two, 1 / (1 - 0.5)."""
    rows = Tables(speed_of(page)).table("Stages of one call")
    first = next(i for i, row in enumerate(rows) if row[0].startswith("transdiff-digits"))
    stages = {row[0]: row[1:] for row in rows[first + 1 : first + 5]}
    assert list(stages) == ["encoder", "decoder", "autoencoder", "rest"]
    assert sum(float(row[1].split()[0]) for row in stages.values()) == pytest.approx(100)
    time, share, calls, per_call, *_, bound = stages["decoder"]
    assert (time.split(" ")[:2], share, calls, per_call) == (["50.0", "ms"], "50.0 %", "100", "500 µs")
    assert bound == "x2.00"


def test_the_front_leaves_out_what_another_beats_in_both(page, tmp_path):
    assert "On the Pareto front: transdiff-digits." in said_by(speed_of(page))  # faster, and of lower FID
    other = page_of(tmp_path, TRANSDIFF, DIT, quality("transdiff-digits", 2.0), quality("dit-digits", 1.5))
    assert "On the Pareto front: transdiff-digits and dit-digits." in said_by(speed_of(other))


def test_composed_times_are_marked_with_their_error_and_have_no_distribution(tmp_path):
    """A standard error of 1/196 of the time is 0.5 %."""
    page = page_of(tmp_path, composed("transdiff-l", {"encoder": 1.0, "decoder": 99.0, "rest": 1.0}, 1e12))
    speed = said_by(speed_of(page))
    assert "composed times" in speed
    assert "transdiff-l: COMPOSED, ± 0.5 %" in speed
    assert rows_of(page, "COMPOSED times")["transdiff-l"][-1] == "± 0.5 % 200 of 200"
    assert "Distribution of the timed rounds" not in page


# -- ratios ------------------------------------------------------------------------------------------------------------


def test_printed_and_measured_ratios_stand_in_columns_of_their_own(page):
    rows = Tables(speed_of(page)).table("Paired ratios")
    assert rows[0] == ["", "Printed, of the papers' models", "Measured here: times the images per second of the other"]
    columns = list(zip(*(row[1:] for row in rows if row[0] in ("dit-digits", "sit-digits")), strict=True))
    assert all(cell.startswith("x112; x225") for cell in columns[0])
    assert [cell.split()[0] for cell in columns[1]] == ["x2.800", "x3.100"]
    assert not any("112" in cell or "225" in cell for column in columns[1:] for cell in column)


def test_each_at_its_best_compares_the_best_batches_under_the_conditions_that_users_share(page, tmp_path):
    """Of both the largest batch is the best: 15.4 images per second against a quarter of that."""
    assert rows_of(page, "Paired ratios")["dit-digits"][2] == "x4.00 batch 8 against 8"
    series = DIT.timing.latency
    larger = replace(series, conditions=replace(series.conditions, image_size=16))
    unlike = page_of(tmp_path, TRANSDIFF, with_timing(DIT, latency=larger), PAIRS)
    assert rows_of(unlike, "Paired ratios")["dit-digits"][2] == "not comparable image_size: 8 against 16"


def test_sides_under_unlike_conditions_have_no_ratio_but_the_field_that_differs(tmp_path):
    (entry, _) = PAIRS.speedups
    kept = {name: getattr(entry, name) for name in ("model", "baseline", "mode", "conditions")}
    unlike = Speedup(**kept, not_comparable="dtype: float32 against bfloat16")
    page = page_of(tmp_path, replace(PAIRS, speedups=(unlike,)))
    assert rows_of(page, "Paired ratios")["dit-digits"][1] == "not comparable dtype: float32 against bfloat16"


# -- validity, and what is missing -------------------------------------------------------------------------------------


def test_a_run_that_failed_its_check_is_loud_and_every_model_has_its_line(page, tmp_path):
    reason = "validity: 2 of 4 timed images differ from those that are scored for the same seeds"
    failed = replace(DIT, status="failed", reason=reason, measurements={}, timing=None)
    rows = rows_of(page, "What was checked")
    assert rows["transdiff-digits"][:3] == ["✓", "equal 4 images", "1.000 0.980 to 1.030"]
    assert 'class="alarm"' not in page
    loud = page_of(tmp_path, TRANSDIFF, failed)
    assert re.search(rf'class="alarm".*dit-digits: {reason}', loud)
    assert rows_of(loud, "What was checked")["dit-digits"] == [f"✗ failed: {reason}"]


def test_other_work_on_the_machine_is_marked(tmp_path):
    busy = replace(TRANSDIFF.timing.latency, foreign_load=0.43, disturbed=True)
    page = page_of(tmp_path, with_timing(TRANSDIFF, latency=busy))
    assert rows_of(page, "What was checked")["transdiff-digits"][3] == "0.43 disturbed"
    assert "Other work ran on the machine while transdiff-digits was timed." in text_of(page)


def test_what_old_records_lack_is_said_and_breaks_nothing(tmp_path):
    speed = said_by(speed_of(page_of(tmp_path, *full_set())))
    for what in ("stages", "a batch sweep", "validity"):
        assert f"Not measured: {what} of transdiff-digits, mar-digits and dit-digits." in speed
    assert "Not measured: ratios." in speed


def test_without_times_the_part_says_how_to_get_them(tmp_path):
    assert "Not measured: no time was taken yet." in text_of(page_of(tmp_path))


def test_without_a_gpu_the_page_names_a_command_that_exists(page, tmp_path):
    assert f"Not run on a GPU: {ON_A_GPU}" in text_of(page)
    assert ON_A_GPU.split("--scale ")[1].split()[0] in SCALES
    gpu = replace(ENVIRONMENT, machine="nvidia-h200", device="cuda", gpu="NVIDIA H200")
    assert "Not run on a GPU" not in page_of(tmp_path, latency("transdiff-digits", 0.01, environment=gpu))


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_a_speed_verdict_says_what_its_numbers_compare(page):
    """The paragraph of a verdict stands in its claim's article; claims of quality have none."""
    claim = next(claim for claim in CLAIMS if claim.id == "transdiff-latency-diffusion")
    records = [TRANSDIFF, DIT, PAIRS]
    said = speed_paragraph(claim, judge(claim, records)[1], records)
    articles = dict(re.findall(r'<article class="claim" id="claim-([^"]*)"(.*?)</article>', page, flags=re.DOTALL))
    assert said
    assert " ".join(said.split()[:12]) in said_by(articles[claim.id])
    assert 'class="why"' not in articles["transdiff-fid"]


def test_a_limit_is_the_highest_that_any_run_of_the_machine_found():
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


def test_a_scale_of_composed_times_alone_points_to_them(tmp_path):
    """And its protocol tells how many calls were timed, nothing of images that nobody painted."""
    made = composed("transdiff-l", {"encoder": 1.0, "decoder": 20.0, "autoencoder": 1.0}, 26e12)
    words = text_of(page_of(tmp_path, made))
    assert "Composed times alone were measured at this scale; they stand under Speed" in words
    assert "calls of each part that were timed 3" in words
    assert "images generated, class-balanced 0" not in words
    both = text_of(page_of(tmp_path, made, latency("dit-digits", 0.4)))
    assert both.count("Composed times alone") == 1  # at its own scale, not at the digits'
