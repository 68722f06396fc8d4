"""All measurements of records as one long pandas table: `python -m bench export table OUT.csv`.

One row per measurement, and per ratio of speed (metric "times_as_fast": images per second over those of `baseline`).
settings: JSON; low, high: the 95 % interval, NaN where it is unknown; mode: which conditions the two sides shared, and
"without own kernels" where so timed; elsewhere: what was scored and was not made by this suite, in words, "" where it
was.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.files import check_target, write_whole
from bench.records.json_files import plain
from bench.records.parts import Measurement
from bench.records.schema import Record

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("machine", "model", "family", "protocol", "scale", "settings", "training_seed", "seed"),
    *("metric", "value", "low", "high", "n", "unit", "file", "elsewhere", "baseline", "mode"),
)
RATIO = "times_as_fast"  # the metric of a ratio's row
WRITERS = (".csv", ".json", ".parquet")


def long_table(records: Iterable[Record]) -> pd.DataFrame:
    """The measurements and ratios of records that succeeded."""
    import pandas as pd

    rows = [
        (
            record.environment.machine,
            record.model,
            record.family,
            record.protocol.name,
            record.protocol.scale,
            json.dumps(plain(record.settings), sort_keys=True),
            record.protocol.training_seed,
            record.protocol.seed,
            metric,
            measured.value,
            measured.ci_low,
            measured.ci_high,
            measured.n,
            measured.unit,
            record.file,
            record.elsewhere.words if record.elsewhere else "",
            *sides,
        )
        for record in records
        if record.status == "ok"
        for metric, measured, *sides in numbers_of(record)
    ]
    # Each as it is: a column of whole numbers and gaps would pass through floats, which keep 53 bits of them.
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return table.astype({"value": float, "low": float, "high": float, "n": "Int64"}).infer_objects()


def numbers_of(record: Record) -> Iterator[tuple[str, Measurement, str, str]]:
    """(metric, what was measured, the baseline of a ratio, its mode) of each number of a record."""
    yield from ((metric, measured, "", "") for metric, measured in record.measurements.items())
    for entry in record.speedups:
        if entry.ratio is not None:
            yield RATIO, entry.ratio, entry.baseline, entry.mode_in_words


def json_lines(table: pd.DataFrame) -> str:
    """One object per row, null where nothing is known; every number with all its digits, of which pandas keeps ten."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return "".join(json.dumps(row) + "\n" for row in rows)


def save_table(records: Iterable[Record], out: Path) -> int:
    """Write the table to `out`, by its suffix; returns the number of rows. UsageError for what is no name of
    a table's file or where a package is missing, CheckFailed where it cannot be written."""
    if out.suffix not in WRITERS:
        raise UsageError(f"{out}: unknown kind of file {out.suffix!r}; known: {', '.join(WRITERS)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out}: its folder does not exist")
    check_target(out, "table")
    table = long_table(records)
    if out.suffix == ".csv":
        content = table.to_csv(index=False).encode()
    elif out.suffix == ".parquet":
        content = as_parquet(table, out)
    else:
        content = json_lines(table).encode()
    write_whole(out, content)
    return len(table)


def as_parquet(table: pd.DataFrame, out: Path) -> bytes:
    """The content of a Parquet file to write to `out`. UsageError where nothing is installed that makes one."""
    content = io.BytesIO()
    try:
        table.to_parquet(content, index=False)
    except ImportError as error:
        need = "Parquet needs pyarrow, which is not installed: `pip install 'arbiter-bench[parquet]'`"
        raise UsageError(f"{out}: {need}") from error
    return content.getvalue()
