"""The long table: one row per measurement of the records that succeeded; the same in every kind of file."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from bench.analysis.table import COLUMNS, long_table, save_table
from bench.errors import CheckFailed, UsageError
from bench.records.parts import Measurement
from bench.records.store import save_record
from tests.command_line import bench, complains
from tests.fake_records import ENVIRONMENT, full_set, kernels, latency, quality, record
from tests.fake_studies import study_set
from tests.paths import ROOT

SMALL = 3.123456789012345e-7  # needs all its digits


def measurements(records):
    """(file, metric) -> its measurement."""
    return {(made.file, metric): found for made in records for metric, found in made.measurements.items()}


def by_measurement(table):
    return {(row.file, row.metric): row for row in table.itertuples()}


def test_every_measurement_is_one_row_with_its_value_interval_unit_and_count():
    records = [*full_set(), *study_set(["training-seeds"])]
    table, expected = long_table(records), measurements(records)
    assert tuple(table.columns) == COLUMNS
    rows = by_measurement(table)
    assert len(table) == len(rows) == len(expected)
    assert rows.keys() == expected.keys()
    for key, found in expected.items():
        row = rows[key]
        assert (row.value, row.unit) == (found.value, found.unit)
        for shown, known in ((row.low, found.ci_low), (row.high, found.ci_high), (row.n, found.n)):
            assert pd.isna(shown) if known is None else shown == known


def test_every_ratio_of_speed_is_one_row_with_its_baseline():
    made = kernels("transdiff-digits", {"dit-digits": (3.0, 2.5)}, {"dit-digits": ("gelu",)})
    rows = {(row.metric, row.baseline, row.mode): row for row in long_table([made]).itertuples() if row.baseline}
    own, torchs = (rows["times_as_fast", "dit-digits", f"forced equal{more}"] for more in ("", ", without own kernels"))
    assert (own.model, own.value, own.low, own.high, own.n) == ("transdiff-digits", 3.0, 2.94, 3.06, 10)
    assert torchs.value == 2.5
    apart = replace(made, speedups=(replace(made.speedups[0], ratio=None, not_comparable="dtype"),))
    assert not long_table([apart])["baseline"].any()


def test_a_row_tells_the_run():
    (made, *_) = [made for made in study_set(["training-seeds"]) if made.protocol.training_seed]
    row = next(long_table([made]).itertuples())
    assert (row.machine, row.model, row.family) == ("acme-cpu-2c", made.model, made.family)
    assert (row.protocol, row.scale, row.file) == ("digits-study", "digits", made.file)
    assert (row.training_seed, row.seed) == (made.protocol.training_seed, made.protocol.seed)
    assert json.loads(row.settings) == made.settings


def test_settings_of_one_content_are_one_text():
    """Whatever the order of their keys, so that rows can be grouped by them."""
    one = replace(quality("dit-digits", 2.0), settings={"num_steps": 9, "cfg_scale": 1.5})
    other = replace(one, settings={"cfg_scale": 1.5, "num_steps": 9})
    assert long_table([one, other])["settings"].nunique() == 1


def test_an_unknown_interval_is_nan_and_an_unknown_count_is_none_of_the_numbers():
    """Never 0: a column of numbers stays one of numbers."""
    made = record("dit-digits", "digits-quality", measurements={"fid": Measurement(2.0, "")})
    table = long_table([made])
    assert table[["low", "high", "n"]].isna().all(axis=None)
    assert [str(table.dtypes[name]) for name in ("value", "low", "high", "n")] == [*["float64"] * 3, "Int64"]


def test_a_count_beyond_what_a_float_holds_is_exact_beside_an_unknown_one():
    """Through floats 2^53 + 1 loses its last digit, and 2^63 - 1 is refused."""
    counts = [2**53 + 1, 2**63 - 1, None]
    named = {f"m{i}": Measurement(2.0, "", n=n) for i, n in enumerate(counts)}
    table = long_table([record("dit-digits", "digits-quality", measurements=named)])
    assert table["n"].astype(object).where(table["n"].notna(), None).tolist() == counts


def test_a_failed_run_has_no_row_and_no_records_are_a_table_of_no_rows():
    failed = replace(quality("dit-digits", 2.0), status="failed", reason="12 images are constant")
    for records in ([failed], []):
        table = long_table(records)
        assert (len(table), tuple(table.columns)) == (0, COLUMNS)


READERS = {
    ".csv": functools.partial(pd.read_csv, float_precision="round_trip"),
    ".parquet": pd.read_parquet,
    ".json": lambda path: pd.read_json(path, lines=True, precise_float=True),
}


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_holds_the_table(tmp_path, suffix):
    """Down to the last digits of a small number; a second table takes the first one's place."""
    small = record("dit-digits", "digits-quality", measurements={"kid": Measurement(SMALL, "", -SMALL, 2 * SMALL, 500)})
    out = tmp_path / f"table{suffix}"
    assert save_table(full_set(), out) == len(long_table(full_set()))
    records = [*full_set(), replace(small, file="acme-cpu-2c/small.json")]
    assert save_table(records, out) == len(long_table(records))
    found, expected = READERS[suffix](out), long_table(records)
    assert tuple(found.columns) == COLUMNS
    assert found["file"].tolist() == expected["file"].tolist()
    assert found["settings"].map(lambda one: one if isinstance(one, str) else json.dumps(one)).tolist() == (
        expected["settings"].tolist()
    )
    for name in ("value", "low", "high"):
        assert found[name].tolist() == pytest.approx(expected[name].tolist(), rel=1e-15, abs=0, nan_ok=True)
    assert found["n"].isna().tolist() == expected["n"].isna().tolist()


def test_a_parquet_file_holds_the_columns_and_no_index(tmp_path):
    """As whatever reads parquet sees it, pandas or not; where pyarrow is not installed nothing writes one."""
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "table.parquet"
    save_table(full_set(), out)
    assert tuple(parquet.read_schema(out).names) == COLUMNS
    pd.testing.assert_frame_equal(pd.read_parquet(out), long_table(full_set()))


def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    (tmp_path / "folder.csv").mkdir()
    for name, why in (
        ("table.xlsx", "unknown kind of file '.xlsx'; known: .csv, .json, .parquet"),
        ("table", "unknown kind of file ''"),
        ("none/table.csv", "its folder does not exist"),
        ("folder.csv", "a folder, expected the name of a file"),
        ("table.parquet", "Parquet needs pyarrow, which is not installed: `pip install 'arbiter-bench[parquet]'`"),
    ):
        with pytest.raises(UsageError) as refused:
            save_table(full_set(), tmp_path / name)
        assert f"{tmp_path / name}: " in str(refused.value)
        assert why in str(refused.value)
        assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.parametrize("suffix", READERS)
def test_a_disk_that_fills_up_keeps_the_table_of_before(tmp_path, monkeypatch, suffix):
    out = tmp_path / f"table{suffix}"
    save_table(full_set(), out)
    before = out.read_bytes()
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CheckFailed, match="No space left on device"):
        save_table(full_set()[:1], out)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


# -- the command -------------------------------------------------------------------------------------------------------


def exported(capsys, tmp_path, *options):
    status, out, _ = bench(capsys, "export", "table", tmp_path / "t.csv", "--results", tmp_path / "results", *options)
    assert status == 0
    return pd.read_csv(tmp_path / "t.csv"), out


def test_the_latest_record_of_each_run_is_exported_or_all_and_what_cannot_be_read_is_named(capsys, tmp_path):
    older, newer = (
        quality("dit-digits", fid, created_utc=f"2026-01-0{day}T00:00:00+00:00") for day, fid in ((1, 3.0), (2, 2.0))
    )
    for made in (older, newer, latency("dit-digits", 0.2)):
        save_record(made, tmp_path / "results")
    (tmp_path / "results" / ENVIRONMENT.machine / "odd.json").write_text("{}")
    table, out = exported(capsys, tmp_path)
    assert table[table.metric == "fid"].value.tolist() == [2.0]
    assert f"table: {tmp_path / 't.csv'} ({len(table)} rows)" in out
    assert f"not read: {ENVIRONMENT.machine}/odd.json: schema None, expected 2" in out
    table, _ = exported(capsys, tmp_path, "--all")
    assert table[table.metric == "fid"].value.tolist() == [3.0, 2.0]


def test_results_that_do_not_exist_are_no_empty_table(capsys, tmp_path):
    said = complains(capsys, "export", "table", tmp_path / "t.csv", "--results", tmp_path / "resluts")
    assert f"results folder {str(tmp_path / 'resluts')!r} does not exist" in said
    assert not (tmp_path / "t.csv").exists()
    (tmp_path / "results").mkdir()
    assert "unknown kind of file" in complains(
        capsys, "export", "table", tmp_path / "t.txt", "--results", tmp_path / "results"
    )


def test_the_shipped_records_are_exported_without_torch(tmp_path):
    """Each row of the package's own results has a value, and its machine's folder."""
    code = (
        "import sys; from bench.__main__ import main\ntry:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "export", "table", str(tmp_path / "table.csv")]
    subprocess.run(command, cwd=ROOT, check=True)
    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table) > 0
    assert table["value"].notna().all()
    assert set(table["machine"]) == {path.name for path in (ROOT / "results").iterdir() if path.is_dir()} - {".work"}
