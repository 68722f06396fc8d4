"""The report's part "Studies": judged from the records alone, apart from the ordinary tables, whole or in part."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from bench.analysis.studies import smallest_difference
from bench.records.schema import Measurement
from bench.report.sections.studies import SECTIONS, studies_view
from bench.studies import SAMPLING_SEEDS, STUDIES
from bench.verdict.seeds import judge_later_images
from tests.fake_records import full_set, quality
from tests.fake_studies import DIGITS_STUDIES, OWN_SETTINGS, studied, study_set
from tests.pages import Tables, page_of, text_of, write
from tests.paths import ROOT

MRAR = "transdiff-mrar-digits"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A full run and every study."""
    return page_of(tmp_path_factory.mktemp("studies"), [*full_set(), *study_set()])


def part(page: str, study: str) -> str:
    """One study's article, as a page of its own."""
    start = page.index(f'id="acme-cpu-2c-study-{study}"')
    return "<body>" + page[page.rindex("<article", 0, start) : page.index("</article>", start)]


def with_fids(study: str, fids) -> list:
    """A study's records, the FID of each given by a function of its run."""
    return [studied(run, fid=fids(run)) for run in STUDIES[study].runs]


def section(tmp_path, study: str, fids) -> str:
    return text_of(part(page_of(tmp_path, with_fids(study, fids)), study))


# -- apart from the ordinary run ---------------------------------------------------------------------------------------


def test_every_study_has_a_section():
    assert set(SECTIONS) == {*DIGITS_STUDIES, "speed-conditions"}


def test_studies_change_nothing_in_the_ordinary_tables(page, tmp_path):
    without = page_of(tmp_path, full_set())
    for caption in ("Scores, sorted by FID", "Time to generate", "Size and cost"):
        assert Tables(page).table(caption) == Tables(without).table(caption)


def test_without_a_study_the_page_says_how_to_run_each(tmp_path):
    text = text_of(page_of(tmp_path, full_set()))
    for name in STUDIES:
        assert f"python -m bench study {name}" in text


@pytest.mark.parametrize("names", [[name] for name in DIGITS_STUDIES])
def test_one_study_alone_is_shown_and_the_others_are_named(tmp_path, names):
    """Also without the ordinary runs: the settings in use are then told by the studies' own records."""
    page = page_of(tmp_path, study_set(names))
    is_drawn = names[0] not in ("scales", "training-seeds", "quality", "kernels")  # of those tables alone
    assert ("<svg" in part(page, names[0])) is is_drawn
    for name in DIGITS_STUDIES:
        assert (f"python -m bench study {name}" in text_of(part(page, name))) is (name not in names)
    found = Tables(page)
    assert {target[1:] for target in found.targets if target.startswith("#")} <= set(found.ids)


def test_of_a_study_in_part_the_missing_runs_are_counted(tmp_path):
    page = page_of(tmp_path, study_set()[::5])
    for name, study in ((name, STUDIES[name]) for name in DIGITS_STUDIES):
        found = re.search(rf"(\d+) of {len(study.runs)} runs are missing", text_of(part(page, name)))
        assert found or f"Not run: python -m bench study {name}" in text_of(part(page, name))


def test_a_run_that_failed_is_told_with_its_reason_and_takes_no_other_with_it(tmp_path):
    """Not even where it failed last, as it does each time that the study is continued."""
    records = study_set(["trade-off"])
    failing = next(r for r in records if r.model == "sit-digits" and r.settings["num_steps"] == 5)
    failed = replace(
        failing,
        status="failed",
        reason="the audit failed",
        measurements={},
        created_utc=(datetime.fromisoformat(max(r.created_utc for r in records)) + timedelta(hours=1)).isoformat(),
    )
    page = page_of(tmp_path, [*(r for r in records if r is not failing), failed])
    text = text_of(part(page, "trade-off"))
    assert "Failed: sit-digits (num_steps 5): the audit failed." in text
    assert "sit-digits (num_steps 10)" in text
    assert "missing" not in text


@pytest.mark.parametrize("lost", [{"fid"}, {"flops", "feature_similarity", "recall"}, {"nfe"}])
def test_a_metric_that_no_run_has_is_left_out(lost):
    bare = [
        replace(made, measurements={name: m for name, m in made.measurements.items() if name not in lost}, images=None)
        for made in study_set()
    ]
    drawn = sum(len(study["section"].charts) for study in studies_view("acme-cpu-2c", bare).values())
    assert drawn == (0 if "fid" in lost else 3)  # of four one lacks its axis


def test_numbers_without_an_interval_tell_nothing_apart(tmp_path):
    bare = [
        replace(made, measurements={name: Measurement(m.value, m.unit) for name, m in made.measurements.items()})
        for made in study_set()
    ]
    page = page_of(tmp_path, bare)
    others = len(STUDIES["scales"].runs) - 1
    assert f"none of {others} is told apart from (1, 1) for the better, nor for the worse" in text_of(page)
    assert not re.search(r"\bnan\b", text_of(page), flags=re.IGNORECASE)


def test_every_link_leads_somewhere_and_no_id_is_given_twice(page):
    found = Tables(page)
    assert len(found.ids) == len(set(found.ids))
    assert {target[1:] for target in found.targets if target.startswith("#")} <= set(found.ids)


def test_a_verdict_over_training_seeds_links_each_of_its_records_once(tmp_path):
    """mrar-fid rests on one ordinary run and every seed of either model."""
    records = [quality(model, 1.0, settings=OWN_SETTINGS[model]) for model in ("transdiff-digits", MRAR)]
    page = page_of(tmp_path, [*records, *study_set(["training-seeds"])])
    card = page[page.index('<article class="claim" id="claim-mrar-fid"') :]
    links = re.findall(r'href="(#record-[^"]*)"', card[: card.index("</article>")])
    seeded = [run for run in STUDIES["training-seeds"].runs if run.model in ("transdiff-digits", MRAR)]
    assert len(links) == len(set(links)) == 2 + len(seeded)


def test_charts_are_described_captioned_and_coloured_by_the_page(page):
    figures = re.findall(r'<figure class="chart">(.*?)</figure>', page, flags=re.DOTALL)
    assert len(figures) == 4  # cost twice, guidance, images of a row
    for figure in figures:
        assert re.search(r'role="img" aria-label="[^"]{60,}"', figure)
        assert re.search(r"<figcaption>[^<]{60,}", figure)
        assert set(re.findall(r'(?:fill|stroke)="([^"]*)"', figure)) <= {
            "none",
            *re.findall(r"var\(--[\w-]+\)", figure),
        }


def test_rendering_all_studies_imports_no_torch_and_takes_less_than_three_seconds(tmp_path):
    write(tmp_path, [*full_set(), *study_set()])
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


def test_a_run_whose_other_settings_are_unknown_stands_for_no_other_run(tmp_path):
    """Of the trade-off alone nobody knows how many steps are usual: 5 steps at (1, 1) are not the grid's (1, 1)."""
    page = page_of(tmp_path, study_set(["trade-off"]))
    assert "Not run: python -m bench study scales" in text_of(part(page, "scales"))


def test_a_record_of_before_a_setting_existed_still_answers_its_run(tmp_path):
    """Later code knows a setting more, and counts costs with it: runs and costs find each other all the same."""
    made = study_set(["trade-off"])
    later = [
        replace(r, settings={**r.settings, "last_step": "none"}) if r.protocol.collects == "costs" else r for r in made
    ]
    text = text_of(part(page_of(tmp_path, later), "trade-off"))
    assert "missing" not in text
    assert f"All {len(STUDIES['trade-off'].runs) // 2} runs" in text
    assert "Of the runs whose FLOPs are counted" in text


# -- trade-off ---------------------------------------------------------------------------------------------------------


def test_the_front_holds_the_runs_that_no_other_beats_in_cost_and_fid(page):
    """Against the definition, run by run."""
    made = study_set(["trade-off"])
    records, expected = [record for record in made if "fid" in record.measurements], {}
    flops = {
        (record.model, str(record.settings)): record.measurements["flops"].value
        for record in made
        if "flops" in record.measurements
    }
    costs = {
        "FLOPs": lambda r: flops[r.model, str(r.settings)],
        "evaluations": lambda r: r.measurements["nfe"].value,
    }
    for record in records:
        for kind, cost in costs.items():
            here = (cost(record), record.measurements["fid"].value)
            others = [(cost(other), other.measurements["fid"].value) for other in records if other is not record]
            if not any(c <= here[0] and f <= here[1] for c, f in others):
                expected.setdefault(f"{here[1]:.12f}", []).append(kind)
    rows = Tables(part(page, "trade-off")).table("Runs on the Pareto front")
    assert sorted(row[-1] for row in rows[1:]) == sorted(" and ".join(kinds) for kinds in expected.values())
    assert len(rows) - 1 == len(expected)


def test_every_family_is_named_once_in_either_cost_chart_and_every_run_has_a_row(page):
    studies = part(page, "trade-off")
    for model in {run.model for run in STUDIES["trade-off"].runs}:
        assert studies.count(f">{model}</text>") == 2
    assert len(Tables(studies).table("Every run")) - 1 == len(STUDIES["trade-off"].runs) / 2


def test_no_time_of_a_study_is_drawn_or_told(page):
    """Its runs come from different hours: costs are counted. One study is a single run, of times alone."""
    text = text_of(part(page, "trade-off"))
    assert not re.search(r"\d (ms|s|min)\b|as fast|times the time", text)
    assert "FLOPs per image" in text
    for name in {*DIGITS_STUDIES} - {"kernels"}:
        assert not {"throughput_per_s", "latency_s"} & {m for r in STUDIES[name].runs for m in r.protocol.metrics}


def test_the_cheapest_run_as_good_as_the_best_is_named_with_its_gain(tmp_path):
    """DiT with 10 steps, FID 1.00 and an interval of 12 %, against 250 steps and FID 0.95."""
    fids = {10: 1.0, 25: 0.99, 50: 0.98, 100: 0.97, 250: 0.95}
    text = section(
        tmp_path, "trade-off", lambda run: fids[run.settings["num_steps"]] if run.model == "dit-digits" else 9.0
    )
    assert "the lowest FID is that of dit-digits (num_steps 250) at 0.95" in text
    assert "not told apart from it is dit-digits (num_steps 10) at 1.00, with 22.8 times fewer FLOPs." in text


# -- guidance and scales -----------------------------------------------------------------------------------------------


def test_the_best_guidance_scale_is_told_beside_the_one_in_use(tmp_path):
    best = {"transdiff-digits": 1.15, "mar-digits": 1.0, "dit-digits": 1.25}
    close = {"dit-digits"}

    def fid(run):
        if run.settings["cfg_scale"] == best.get(run.model):
            return 1.0
        return 1.01 if run.model in close else 2.0

    in_use = [quality(model, 2.0, settings=OWN_SETTINGS[model]) for model in best]
    text = text_of(part(page_of(tmp_path, [*in_use, *with_fids("guidance", fid)]), "guidance"))
    assert "Best of 5 scales for transdiff-digits by FID: 1.15 (1.00), the one in use." in text
    assert "Best of 5 scales for mar-digits by FID: 1 (1.00), better than the 3 in use (2.00)." in text
    assert (
        "Best of 4 scales for dit-digits by FID: 1.25 (1.00), not told apart from the 1.5 in use (1.01); "
        "at num_steps 100 instead of 250." in text
    )


@pytest.mark.parametrize(
    ("below", "answer"),
    [(1.0, "No: none of N is told apart"), (0.3, "Yes: N of N are told apart"), (3.0, "No: all N are worse")],
)
def test_whether_scales_below_one_help_is_judged_by_intervals(tmp_path, below, answer):
    text = section(tmp_path, "scales", lambda run: 1.0 if run.settings == {"scale_0": 1.0, "scale_1": 1.0} else below)
    assert answer.replace("N ", f"{len(STUDIES['scales'].runs) - 1} ") in text


def test_the_scales_are_a_grid_with_the_unscaled_run_marked(page):
    rows = Tables(part(page, "scales")).table("FID by the scale")
    drift, noise = (sorted({run.settings[name] for run in STUDIES["scales"].runs}) for name in ("scale_0", "scale_1"))
    assert rows[0] == ["scale_0", *(f"scale_1 {value:g}" for value in noise)]
    assert [row[0] for row in rows[1:]] == [f"{value:g}" for value in drift]
    assert [cell for row in rows for cell in row if "neither scaled" in cell] == [rows[-1][-1]]


# -- the images of a row -----------------------------------------------------------------------------------------------


def rows_of_images(first: list[float], last: list[float]) -> list:
    """FIDs of the first and the last image by training seed; those between lie on a line."""

    def fid(run):
        k, seed = run.settings["num_images"], run.protocol.training_seed
        return first[seed] + (last[seed] - first[seed]) * (k - 1) / 3

    return with_fids("references", fid)


@pytest.mark.parametrize(
    ("last", "word"),
    [
        ([0.90, 0.81, 1.12], "holds in small"),
        ([1.10, 1.01, 1.29], "does not hold in small"),
        ([0.60, 1.40, 1.20], "inconclusive"),
    ],
)
def test_later_images_are_judged_by_the_paired_difference_over_training_seeds(last, word):
    """The interval is Student's on the differences of the training seeds' means, computed here by scipy."""
    first = [1.0, 0.9, 1.2]
    verdict = judge_later_images(rows_of_images(first, last))
    expected = stats.ttest_rel(last, first).confidence_interval(0.95)
    assert verdict.word == word
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((expected.low, expected.high))
    assert len(verdict.records) == 6 * len(SAMPLING_SEEDS)


def test_one_training_seed_does_not_judge_later_images_and_none_is_not_run():
    records = rows_of_images([1.0, 1.0, 1.0], [0.5, 0.5, 0.5])
    one = [record for record in records if record.protocol.training_seed == 0]
    assert judge_later_images(one).word == "inconclusive"
    lacking_first = [record for record in records if record.settings["num_images"] > 1]
    assert judge_later_images(lacking_first).word == "not run"
    assert judge_later_images([]).word == "not run"


def test_images_of_other_settings_are_not_paired():
    """A fourth image at 5 steps is no answer to a first at 100."""
    records = rows_of_images([1.0, 0.9, 1.2], [0.90, 0.81, 1.12])
    others = [
        replace(r, settings={**r.settings, "num_steps": 5}) if r.settings["num_images"] == 4 else r for r in records
    ]
    assert judge_later_images([r for r in others if r.settings["num_images"] in (1, 4)]).word == "not run"


def test_the_section_prints_the_verdict_the_quote_and_the_cost(page):
    section = part(page, "references")
    text = text_of(section)
    assert "“improving the quality of generated images in subsequent iterations”" in text
    verdict = judge_later_images([r for r in study_set() if r.settings.get("num_steps") == 100])
    assert f"{verdict.word} {verdict.reason}" in text
    assert "An image with 3 references costs 3.97 times the network evaluations" in text  # 802 against 202
    rows = Tables(section).table("Means over training seeds")
    assert [row[0] for row in rows[1:]] == ["image 1", "image 2", "image 3", "image 4", "transdiff-digits"]
    assert [row[5] for row in rows[1:5]] == ["202", "402", "602", "802"]


# -- training seeds ----------------------------------------------------------------------------------------------------


def test_means_over_training_seeds_have_students_interval_over_their_means(tmp_path):
    sampling = {run.protocol.seed for run in STUDIES["training-seeds"].runs if run.model == "transdiff-digits"}
    fids = np.array([[1.0], [1.5], [0.8]]) + 0.1 * np.array([sorted(sampling)])
    page = page_of(
        tmp_path,
        with_fids(
            "training-seeds",
            lambda run: fids[run.protocol.training_seed, run.protocol.seed] * (1 + (run.model == "mar-digits")),
        ),
    )
    rows = Tables(part(page, "training-seeds")).table("FID over training seeds")
    interval = stats.ttest_1samp(fids.mean(1), 0).confidence_interval(0.95)
    shown = [float(number) for number in re.findall(r"[\d.]+", rows[1][1])]
    assert shown == pytest.approx([fids.mean(), interval.low, interval.high], abs=0.005)
    assert [float(cell) for cell in rows[1][2:5]] == pytest.approx(fids.mean(1), abs=0.005)
    within = fids.var(1, ddof=1).mean()
    between = (fids.mean(1).var(ddof=1) - within / fids.shape[1]) ** 0.5
    assert [float(cell) for cell in rows[1][5:7]] == pytest.approx([between, within**0.5], rel=0.01)
    ratio = 1.96 * between / (0.12 * fids.mean())
    text = text_of(part(page, "training-seeds"))
    assert f"transdiff-digits {ratio:.2f}" in text
    one = {(t, s): fids[t, s] for t in range(3) for s in sorted(sampling)}
    least = smallest_difference({seeds: 2 * value for seeds, value in one.items()}, one)
    assert f"can see with 3 training runs of either model is about {least:.3f} (transdiff-digits and mar" in text
    assert "Measured: 3 training seeds with 3 sampling seeds each of" in text
