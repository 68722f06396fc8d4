"""`export figures`: what the page draws, as files for a paper."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.records.store import save_record
from bench.report import figures
from bench.report.reading import by_machines
from tests.command_line import bench, complains
from tests.fake_records import composed, full_set, latency, ratios
from tests.fake_studies import study_set
from tests.paths import ROOT


@pytest.fixture
def results(tmp_path):
    """Records of small models, of two paper sizes, and of the study trade-off."""
    made = [
        *full_set(),
        composed("transdiff-l", {"decoder": 10.0, "rest": 0.1}, 1e13),
        composed("dit-xl-2", {"network": 47.0, "rest": 0.1}, 4.7e13),
        ratios("transdiff-l", {"dit-xl-2": 4.7}, protocol_name="imagenet-256-composed-ratios"),
        *study_set(["trade-off"]),
    ]
    for one in made:
        save_record(one, tmp_path / "results")
    return tmp_path / "results"


def test_each_figure_is_written_as_pdf_and_png_and_equal_records_give_equal_files(capsys, results, tmp_path):
    status, out, err = bench(capsys, "export", "figures", tmp_path / "a", "--results", results, "--width", 3.25)
    assert status == 0, err
    figures.export_figures(results, tmp_path / "b", 3.25)
    names = {"speedups", "latency-digits-latency", "latency-imagenet-256-composed", "quality-cost"}
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert set(files) == {f"{name}{suffix}" for name in names for suffix in (".pdf", ".png")}
    assert all(str(tmp_path / "a" / name) in out for name in files)
    for name, content in files.items():
        assert content.startswith(b"%PDF" if name.endswith("pdf") else b"\x89PNG"), name
        assert content == (tmp_path / "b" / name).read_bytes(), name


def test_latencies_are_those_of_the_records_the_fastest_first_and_estimates_are_told_apart():
    records = [latency("dit-digits", 0.4), latency("transdiff-digits", 0.1)]
    records.append(composed("dit-xl-2", {"network": 40.0, "rest": 2.0}, 1e13))
    found = figures.latencies_of(by_machines(records))
    assert {name: [bar.model for bar in bars] for name, bars in found.items()} == {
        "digits-latency": ["transdiff-digits", "dit-digits"],
        "imagenet-256-composed": ["dit-xl-2"],
    }
    value = records[0].measurements["latency_s"].value
    assert found["digits-latency"][1].latency_s.value == value == pytest.approx(0.4, rel=0.05)
    assert [bar.estimated for bars in found.values() for bar in bars] == [False, False, True]


def test_a_figure_has_a_row_and_a_mark_at_the_value_of_each_model():
    records = [latency("dit-digits", 0.4), latency("transdiff-digits", 0.1)]
    (bars,) = figures.latencies_of(by_machines(records)).values()
    (axes,) = figures.latency_figure(bars, 6.75).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["transdiff-digits", "dit-digits"]
    marks = [container.lines[0].get_xydata()[0] for container in axes.containers]
    assert [(x, y) for x, y in marks] == [(bar.latency_s.value, place) for place, bar in enumerate(bars)]


def test_nothing_to_draw_and_wrong_folders_are_one_line(capsys, tmp_path):
    (tmp_path / "empty").mkdir()
    call = ("export", "figures", tmp_path / "out", "--results")
    status, _, err = bench(capsys, *call, tmp_path / "empty")
    assert status == 1
    assert "nothing to draw" in err
    assert not (tmp_path / "out").exists()
    assert "does not exist" in complains(capsys, *call, tmp_path / "none")
    (tmp_path / "out").write_text("")
    assert "is a file, expected a folder" in complains(capsys, *call, tmp_path / "empty")


def test_matplotlib_is_imported_where_a_figure_is_set_and_nowhere_before():
    code = "import sys, bench.report.figures, bench.commands.export; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_where_no_home_can_be_written_to_nothing_but_the_files_is_said(tmp_path):
    """matplotlib would tell of the folder that it takes instead."""
    save_record(latency("dit-digits", 0.4), tmp_path / "results")
    environment = {key: value for key, value in os.environ.items() if key != "MPLCONFIGDIR"} | {"HOME": os.devnull}
    call = [sys.executable, "-m", "bench", "export", "figures", tmp_path / "out", "--results", tmp_path / "results"]
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_variables_that_matplotlib_stumbles_over_change_nothing(tmp_path):
    save_record(latency("dit-digits", 0.4), tmp_path / "results")
    call = [sys.executable, "-m", "bench", "export", "figures", tmp_path / "out", "--results", tmp_path / "results"]
    environment = {**os.environ, "MPLBACKEND": "odd", "SOURCE_DATE_EPOCH": "odd"}
    done = subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
