"""The report: one self-contained file on the records alone, which keeps printed and measured numbers apart."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest

from bench.claims import CLAIMS
from bench.errors import UsageError
from bench.formatting import Unit, display_unit, interval, number, quantity
from bench.records.parts import Images, Measurement
from bench.report import render
from bench.verdict.judge import judge
from tests.fake_records import AUDIT, ENVIRONMENT, full_set, latency, picture, protocol, quality, record
from tests.pages import NOW, Tables, page_of, text_of, write
from tests.paths import ROOT


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A first full run: three models and the real scans."""
    return page_of(tmp_path_factory.mktemp("report"), full_set())


# -- one file ----------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert "://" not in page
    assert "<script" not in page
    assert "@import" not in page
    assert not re.findall(r"<(link|iframe|object|embed)\b", page)
    for target in Tables(page).targets:
        assert target.startswith(("#", "data:image/png;base64,", "../results/"))
    assert all(ref.startswith("#") for ref in re.findall(r"url\(([^)]*)\)", page))


def test_every_link_within_the_page_leads_somewhere_and_no_id_is_given_twice(page):
    found = Tables(page)
    assert len(found.ids) == len(set(found.ids))
    assert {target[1:] for target in found.targets if target.startswith("#")} <= set(found.ids)


def test_links_to_record_files_lead_to_files(tmp_path):
    found = Tables(page_of(tmp_path, full_set()))
    files = [target for target in found.targets if target.startswith("../results/")]
    assert len(files) == len(full_set())
    assert all((tmp_path / "reports" / target).is_file() for target in files)


def test_a_page_far_from_its_records_names_no_path(tmp_path):
    write(tmp_path, full_set())
    page = render([tmp_path / "results"], tmp_path / "a" / "b" / "c" / "page.html", now=NOW).read_text()
    assert str(tmp_path) not in page
    assert "../.." not in page


def test_rendering_imports_no_torch_and_takes_less_than_three_seconds_of_processor_time(tmp_path):
    """Processor time of a whole fresh process: what the page costs on a machine that does nothing else."""
    write(tmp_path, full_set())
    code = (
        "import sys, time, pathlib; from bench.report import render\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "render([folder / 'results'], folder / 'page.html')\n"
        "assert 'torch' not in sys.modules\n"
        "print(time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 3


def test_the_same_records_give_the_same_bytes(tmp_path):
    write(tmp_path, full_set())
    pages = [render([tmp_path / "results"], tmp_path / name, now=NOW).read_bytes() for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def test_a_folder_that_does_not_exist_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        render([tmp_path / "nothing"], tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()


def test_text_from_a_record_is_escaped(tmp_path):
    evil = record("mar-digits", "digits-quality", status="failed", reason="<script>alert(1)</script>")
    page = page_of(tmp_path, [*full_set(), replace(evil, model="<b>bold", file="")])
    assert "<script" not in page
    assert "<b>bold" not in page


# -- what it says ------------------------------------------------------------------------------------------------------


def words_in_small(records) -> Counter[str]:
    return Counter(judge(claim, records)[1].word for claim in CLAIMS if claim.in_small)


def test_the_summary_counts_the_verdicts(page):
    """Of the full set IS and three latencies hold; FID is not told apart from DiT's; MRAR and VAR are missing."""
    text = text_of(page)
    words = words_in_small(full_set())
    assert words["holds in small"] >= 4
    assert f"In small, {words['holds in small']} of {words.total()} headline claims hold, " in text
    assert f"{words['inconclusive']} is inconclusive and {words['not run']} were not run." in text
    assert "None was judged at the paper's scale" in text
    assert (
        "FID on acme-cpu-2c, digits, lower is better: transdiff-digits 2.10, dit-digits 2.20, mar-digits 6.40" in text
    )


def test_verdicts_come_first_and_every_claim_has_its_quote_source_standing_and_conflicts(page):
    text = text_of(page)
    assert page.index('id="claims"') < page.index('id="on-')
    for claim in CLAIMS:
        assert f"“{claim.quote}”" in text
        assert f"standing: {claim.source.standing}".replace(" ", "") in text.replace(" ", "")
        for conflict in claim.conflicts:
            assert re.sub(r"[`\s]+", "", conflict) in re.sub(r"\s+", "", text)


def test_each_verdict_links_to_the_records_it_rests_on(page):
    card = page[page.index('id="claim-mrar-fid"') :]
    assert "no record of transdiff-mrar-digits" in card
    card = page[page.index('id="claim-transdiff-latency-ar"') : page.index('id="claim-transdiff-latency-diffusion"')]
    assert len(re.findall(r'href="#record-acme-cpu-2c-(?:transdiff|mar)-digits-digits-latency', card)) == 2


def test_printed_and_measured_numbers_share_no_table(page):
    """The printed 1.61, 293.4 and 1.42 stand in tables of their own, which hold no measured number."""
    found = Tables(page)
    measured = {made.model for made in full_set()} | {"real held-out scans"}
    for caption, rows in found.tables:
        cells = [" ".join(cell.split()) for row in rows for cell in row]
        if "Printed" in "".join(caption):
            assert not any(cell in measured for cell in cells)
        elif "Verdicts" not in "".join(caption):
            assert not {"1.61", "1.42", "293.4", "282.0", "x112"} & set(cells)
    assert ["TransDiff-H", "1.61", "282.0", "1.3B"] in found.table("Printed scores")
    assert ["TransDiff-H", "1.61", "293.4", "1.3B"] in found.table(
        "Printed scores"
    )  # the inferred pairing, its own row


def test_scores_stand_with_intervals_beside_the_real_data_floor(page):
    rows = Tables(page).table("Scores, with 95 % intervals")
    assert rows[0][:3] == ["Model", "FID lower is better", "FID (clean-fid) lower is better"]
    assert rows[1][:3] == ["real held-out scans", "0.62 0.51 to 0.75", "0.62 0.51 to 0.75"]
    assert rows[2][:3] == ["transdiff-digits", "2.10 1.90 to 2.30", "2.10 1.90 to 2.30"]
    assert rows[2][-1] == "500"
    assert "The two FID engines agree within 0.001" in text_of(page)


def test_without_a_real_data_record_the_scores_have_no_floor(tmp_path):
    """No model's record stands in for it, and nothing is made up."""
    page = page_of(tmp_path, [made for made in full_set() if made.model != "real-data"])
    assert Tables(page).table("Scores")[1][:2] == ["transdiff-digits", "2.10 1.90 to 2.30"]
    assert "real held-out scans" not in {row[0] for row in Tables(page).table("Scores")}


def test_engines_that_disagree_are_called_out(tmp_path):
    bad = quality("dit-digits", 2.0)
    bad = replace(bad, measurements={**bad.measurements, "fid_clean": Measurement(2.5, "", 2.3, 2.7, 500)})
    assert "differ by up to 0.2, which is more than 0.001: trust neither" in text_of(page_of(tmp_path, [bad]))


def test_latency_is_shown_with_percentiles_rounds_and_units(page):
    rows = Tables(page).table("Time to generate")
    assert rows[0][1] == "Latency (median), ms batch 1, lower is better"
    assert rows[1][0] == "transdiff-digits"
    assert re.fullmatch(r"80\.\d 79\.\d to 8\d\.\d", rows[1][1])
    assert re.fullmatch(r"40 \d+\.\d ms to \d+\.\d ms", rows[1][-1])


def test_size_cost_audit_protocol_and_machine_are_there(page):
    found = Tables(page)
    assert found.table("Size and cost")[1][:3] == ["transdiff-digits", "0.801", "201 encoder 1, decoder 200"] or (
        found.table("Size and cost")[1][2] == "201 decoder 200, encoder 1"
    )
    assert "98.6 %" in found.table("Audit")[1]
    assert ["images generated, class-balanced", "500"] in found.table("Protocol digits-quality")
    assert ["seed", "0"] in found.table("Protocol digits-quality")
    assert ["timed rounds at least", "10"] in found.table("Protocol digits-latency")
    assert ["memory", "8.00 GiB"] in found.table("Environment")
    assert "torch 2.11.0" in text_of(page)
    assert "0123456789" in found.table("Records shown")[1][3]


def test_uncommitted_changes_are_told(tmp_path):
    made = quality("dit-digits", 2.0, environment=replace(ENVIRONMENT, dirty=True))
    assert "0123456789, with changes" in text_of(page_of(tmp_path, [made]))


def test_what_was_not_run_says_what_it_needs(page):
    section = text_of("<body>" + page[page.index('id="not-run"') : page.index('id="printed"')])
    assert (
        "the released TransDiff weights (huggingface.co/zhendch/Transdiff, transdiff_h/checkpoint-last.pth)" in section
    )
    assert "reference statistics" in section
    assert "a GPU" in section
    assert "python -m bench reproduce --scale imagenet-256 --only transdiff-h" in section


def test_samples_stand_beside_real_scans_enlarged_by_a_whole_factor(page):
    grids = re.findall(r'<figure><img class="crisp" .*?alt="([^"]*)" width="(\d+)" height="(\d+)">', page)
    assert grids[0] == ("Grid of real images", "240", "144")  # 80 x 48 pixels
    assert grids[1] == ("Grid of images generated by transdiff-digits, one class per column", "240", "144")
    assert len(grids) == 4
    assert picture() in page


def test_a_picture_that_is_no_png_is_left_out(tmp_path):
    page = page_of(tmp_path, [quality("dit-digits", 2.0, images=Images(audit=AUDIT, grid_png='"><script>'))])
    assert "<img" not in page


def test_charts_are_described_and_take_their_colours_from_the_page(page):
    charts = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(charts) == 2
    for chart in charts:
        assert re.search(r'role="img" aria-label="[^"]{20,}transdiff-digits 80\.5 ms', chart)
        assert "<text" in chart  # text, not outlines
        assert not re.search(r"(fill|stroke): ?#", chart)  # no colour that ignores dark mode
    css = page[page.index("<style>") : page.index("</style>")]
    used = set(re.findall(r"var\(--([\w-]+)\)", page))
    for block in (css[: css.index("@media")], css[css.index("prefers-color-scheme: dark") : css.index("@media print")]):
        assert {name for name in used if name not in ("sans", "mono")} <= set(re.findall(r"--([\w-]+):", block))


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(page, scheme):
    """4.5 to 1 for text on its background, charts' labels included."""
    css = page[page.index("<style>") : page.index("@media print")]
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark if scheme == "dark" else light))
    pairs = [(name, ground) for name in ("ink", "muted", "link") for ground in ("paper", "raised")]
    pairs += [(name, f"{name}-bg") for name in ("yes", "no", "open", "unlike", "none")]
    pairs += [(name, "paper") for name in colours if name.startswith("series-")]
    assert [(a, b) for a, b in pairs if contrast(colours[a], colours[b]) < 4.5] == []


# -- other sets of records ---------------------------------------------------------------------------------------------


def test_a_smoke_run_is_stamped_and_judges_nothing(tmp_path):
    page = page_of(tmp_path, full_set(quick=True))
    assert "<title>SMOKE RUN" in page
    assert "SMOKE RUN" in text_of(page)
    words = words_in_small(full_set(quick=True))
    assert set(words) == {"inconclusive", "not run"}
    counts = f"{words['inconclusive']} of {words.total()} headline claims are inconclusive"
    assert f"{counts} and {words['not run']} were not run" in text_of(page)
    assert "holds in small</span>" not in page


def test_a_full_run_is_not_stamped(page):
    assert "smoke run" not in text_of(page).lower()


def test_no_records_give_a_page_that_says_so(tmp_path):
    page = page_of(tmp_path, [])
    assert "Nothing was measured yet" in text_of(page)
    assert "<svg" not in page


def test_machines_and_scales_never_share_a_table(tmp_path):
    gpu = replace(ENVIRONMENT, machine="nvidia-h200", device="cuda", gpu="NVIDIA H200")
    paper = [
        replace(latency(model, seconds, environment=gpu), protocol=protocol("imagenet-256-latency"))
        for model, seconds in (("transdiff-l", 1.0), ("dit-xl-2", 4.0))
    ]
    page = page_of(tmp_path, [*full_set(), latency("transdiff-digits", 0.01, environment=gpu), *paper])
    tables = [rows for caption, rows in Tables(page).tables if "Time to generate" in "".join(caption)]
    assert [[row[0].strip() for row in rows[1:]] for rows in tables] == [
        ["transdiff-digits", "mar-digits", "dit-digits"],
        ["transdiff-digits"],
        ["transdiff-l", "dit-xl-2"],
    ]
    text = text_of(page)
    assert "Measured on nvidia-h200, imagenet-256 scale" in text
    assert f"On nvidia-h200, at the paper's scale, 2 of {len(CLAIMS)} headline claims are not reproduced" in text
    ids = Tables(page).ids
    assert len(ids) == len(set(ids))  # charts of several machines do not collide


def test_counted_sizes_stand_beside_printed_ones_and_nowhere_else(tmp_path):
    counts = [("transdiff-l", {"num_params": 682.52e6, "decoder_share": 0.407}), ("mar-l", {"num_params": 478.33e6})]
    counts.append(("dit-xl-2", {"num_params": 674.83e6, "flops": 2 * 118.62e9}))
    sizes = [
        record(model, "paper-size", measurements={name: Measurement(value, "") for name, value in found.items()})
        for model, found in counts
    ]
    page = page_of(tmp_path, [*full_set(), *sizes])
    found = Tables(page)
    rows = found.table("Parameters, autoencoders left out")
    assert ["transdiff-l", "683M", "682.52M", "✓ reproduced", "", "", ""] in rows
    assert ["transdiff-l", "33 %", "40.7 %", "✗ not reproduced", "", "", ""] in rows
    assert ["mar-l", "479M", "478.33M", "✗ not reproduced", "", "", ""] in rows
    dit = ["dit-xl-2", "675M", "674.83M", "✓ reproduced", "118.64", "118.620", "✗ not reproduced"]
    assert dit in rows
    assert ["mar-b", "208M", "–", "– not run", "", "", ""] in rows
    assert "2 of 54 printed sizes are reproduced" in text_of(page)
    for caption, rows in found.tables:
        if "autoencoders left out" not in "".join(caption):
            assert not [row for row in rows if row and row[0].strip() in ("transdiff-l", "mar-l", "dit-xl-2")]
    assert "paper-size scale" not in text_of(page)
    linked = [target for target in found.targets if "--paper-size--" in target]
    assert all((tmp_path / "reports" / target).is_file() for target in linked)
    assert len(linked) == 5


def test_without_counts_the_page_says_how_to_get_them(page):
    assert "No size was counted yet" in text_of(page)


def test_failed_refused_and_unreadable_are_listed(tmp_path):
    failed = record("mar-digits", "digits-quality", status="failed", reason="40 of 500 images are constant")
    few = quality("dit-digits", 2.0)
    few = replace(few, measurements={}, images=replace(few.images, refused={"fid": "60 images for 64 features"}))
    results = write(tmp_path, [failed, few])
    (results / "acme-cpu-2c" / "broken.json").write_text("{")
    text = text_of(render([results], tmp_path / "index.html", now=NOW).read_text())
    assert "mar-digits failed: 40 of 500 images are constant" in text
    assert "FID of dit-digits was refused: 60 images for 64 features" in text
    assert "acme-cpu-2c/broken.json: not JSON" in text


def test_speed_and_quality_of_unlike_settings_share_no_point(tmp_path):
    """FID of one sampler setting against the time of another would be a model that does not exist."""
    matched = page_of(tmp_path / "a", [quality("dit-digits", 2.0), latency("dit-digits", 0.2)])
    unlike = page_of(
        tmp_path / "b", [quality("dit-digits", 2.0), latency("dit-digits", 0.2, settings={"num_steps": 5})]
    )
    assert "FID against median latency" in matched
    assert "FID against median latency" not in unlike


def test_two_settings_of_a_model_are_two_rows(tmp_path):
    strong = quality("dit-digits", 3.0, settings={"num_steps": 100, "cfg_scale": 4.0})
    rows = Tables(page_of(tmp_path, [quality("dit-digits", 2.0), strong])).table("Scores")
    assert {row[0] for row in rows[1:]} == {"dit-digits (cfg_scale 1.5)", "dit-digits (cfg_scale 4)"}


def test_many_models_fit(tmp_path):
    """More models than colours: markers and labels still tell them apart."""
    names = [f"family-{i}-digits" for i in range(11)]
    records = [quality(name, 2.0 + i / 5) for i, name in enumerate(names)]
    records += [latency(name, 0.1 + i / 50) for i, name in enumerate(names)]
    started = time.process_time()
    page = page_of(tmp_path, records)
    assert time.process_time() - started < 3
    for name in names:
        assert page.count(f">{name}</text>") == 2  # in either chart


# -- numbers in words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "shown", "bounds"),
    [
        (3.4187, 3.07, 3.77, "3.42", "3.07 to 3.77"),
        (3.4187, None, None, "3.42", ""),
        (25.312, 24.0, 26.5, "25.3", "24.0 to 26.5"),
        (9.4, 9.3, 9.5, "9.40", "9.30 to 9.50"),  # the half-width is 0.0999... in binary
        (0.0003, -0.0004, 0.0011, "0.00030", "−0.00040 to 0.00110"),
        (0.0, -0.5, 0.5, "0.00", "−0.50 to 0.50"),
        (1234567.0, None, None, "1,234,567", ""),
        (12.3456789, 12.3456780, 12.3456799, "12.35", "12.35 to 12.35"),  # never more than four digits
        (-0.0001, -0.5, 0.5, "0.00", "−0.50 to 0.50"),
    ],
)
def test_a_number_shows_the_digits_its_interval_deserves(value, low, high, shown, bounds):
    assert number(value, low, high) == shown
    assert interval(value, low, high) == bounds


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [
        ("latency_s", 0.0123, "12.3 ms"),
        ("latency_s", 2.5, "2.50 s"),
        ("latency_s", 4.2e-5, "42.0 µs"),
        ("peak_memory_bytes", 3 * 2**30, "3.00 GiB"),
        ("throughput_per_s", 247.4, "247 images/s"),
        ("num_params", 801_234, "0.801 M"),
        ("num_params", 682_500_000, "682 M"),
        ("num_params", 1_327_900_000, "1.33 B"),
        ("flops", 118.6e9, "119 GFLOP"),
        ("nfe", 201, "201"),
        ("fid", 1.61, "1.61"),
    ],
)
def test_a_quantity_has_a_unit_that_people_use(metric, value, shown):
    assert quantity(metric, value) == shown


def test_a_column_has_one_unit_that_of_its_smallest_value():
    assert display_unit("latency_s", [0.011, 3.4]) == Unit(1e-3, "ms")
    assert display_unit("fid", []) == Unit()
