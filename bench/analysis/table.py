"""All measurements of records as one long pandas table: `python -m bench export table OUT.csv`.

One row per measurement. settings: JSON; low, high: the 95 % interval, NaN where it is unknown; elsewhere: what was
scored and was not made by this suite, in words, "" where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.records.json_files import plain, write_text
from bench.records.schema import Record

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("machine", "model", "family", "protocol", "scale", "settings", "training_seed", "seed"),
    *("metric", "value", "low", "high", "n", "unit", "file", "elsewhere"),
)
WRITERS = (".csv", ".json", ".parquet")


def long_table(records: Iterable[Record]) -> pd.DataFrame:
    """The measurements of records that succeeded."""
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
        )
        for record in records
        if record.status == "ok"
        for metric, measured in record.measurements.items()
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"value": float, "low": float, "high": float, "n": "Int64"})


def json_lines(table: pd.DataFrame) -> str:
    """One object per row, null where nothing is known; every number with all its digits, of which pandas keeps ten."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return "".join(json.dumps(row) + "\n" for row in rows)


def save_table(records: Iterable[Record], out: Path) -> int:
    """Write the table to `out`, by its suffix; returns the number of rows. UsageError where it cannot be written."""
    if out.suffix not in WRITERS:
        raise UsageError(f"{out}: unknown kind of file {out.suffix!r}; known: {', '.join(WRITERS)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"{out}: its folder does not exist")
    table = long_table(records)
    try:
        if out.suffix == ".csv":
            table.to_csv(out, index=False)
        elif out.suffix == ".parquet":
            save_parquet(table, out)
        else:
            write_text(json_lines(table), out)
    except OSError as error:
        raise UsageError(f"{out}: {' '.join(str(error).split())}") from error
    return len(table)


def save_parquet(table: pd.DataFrame, out: Path) -> None:
    """UsageError where nothing is installed that writes Parquet, or where it cannot be written."""
    try:
        table.to_parquet(out, index=False)
    except ImportError as error:
        need = "Parquet needs pyarrow, which is not installed: `pip install 'arbiter-bench[parquet]'`"
        raise UsageError(f"{out}: {need}") from error
    except OSError as error:
        raise UsageError(f"{out}: {' '.join(str(error).split())}") from error
