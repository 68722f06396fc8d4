"""Timing of what reads records, of 20,000 of them: `pytest --benchmark-only tests/benchmarks/test_time_records.py`.

Promised: `report` and `compare` in less than a minute and 2 GiB each. The records are those of results/ again and
again: "reruns" on one machine at other times, where one in 73 is the latest of its run; "machines" on others, "seeds"
with other sampling seeds, where all are.

`cpu_s`: processor seconds, which other work on the machine disturbs least; `peak_bytes` of memory.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta
from itertools import count, islice

import pytest

from bench.records.samples import SAMPLES_FOLDER
from bench.records.store import MACHINE_FILE
from tests.fake_records import rewrite
from tests.paths import ROOT

NUM, MOST_S, MOST_BYTES = 20_000, 60, 2 * 2**30
MACHINE = ROOT / "results" / "amd-epyc-2c"
FORMS = ("reruns", "machines", "seeds")


def changed(data, form, copy):
    """A record's content as its `copy`-th one."""
    if form == "machines":
        return data | {"environment": data["environment"] | {"machine": f"machine-{copy}"}}
    if form == "seeds":
        return data | {"protocol": data["protocol"] | {"seed": 1000 * copy + data["protocol"]["seed"]}}
    later = datetime.fromisoformat(data["created_utc"]) + timedelta(days=copy)
    return data | {"created_utc": later.isoformat()}


def many_records(folder, form, num=NUM):
    """`num` records below `folder`, each with its checksum, some with their samples."""
    there = [(path, json.loads(path.read_text())) for path in sorted(MACHINE.glob("*--*.json"))]
    copies = ((copy, *one) for copy in count() for one in there)
    for copy, path, data in islice(copies, num):
        made = changed(data, form, copy)
        place = folder / made["environment"]["machine"]
        stem = path.stem if form == "machines" else f"{path.stem}_{copy + 2}"
        (place / SAMPLES_FOLDER).mkdir(parents=True, exist_ok=True)
        if not (place / MACHINE_FILE).exists():
            (place / MACHINE_FILE).write_bytes((MACHINE / MACHINE_FILE).read_bytes())
        if (samples := MACHINE / SAMPLES_FOLDER / f"{path.stem}.jsonl.gz").exists():
            (place / SAMPLES_FOLDER / f"{stem}.jsonl.gz").write_bytes(samples.read_bytes())
        rewrite(place / f"{stem}.json", made)
    return folder


@pytest.fixture(scope="module", params=FORMS)
def records(request, tmp_path_factory):
    return many_records(tmp_path_factory.mktemp("records") / "results", request.param)


def used(arguments):
    """(exit status, processor seconds, peak bytes) of a command in a process of its own."""
    with open(os.devnull, "w") as nowhere:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        actions = [(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        call = [sys.executable, "-m", "bench", *map(str, arguments)]
        child = os.posix_spawn(sys.executable, call, environment, file_actions=actions)
        _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss


@pytest.mark.benchmark(group="20,000 records")
@pytest.mark.parametrize("command", ["report", "compare"])
def test_a_command(benchmark, records, tmp_path, command):
    if not benchmark.enabled:  # under --benchmark-disable
        pytest.skip("minutes and 600 MB of files")
    side = records if len(list(records.iterdir())) == 1 else records / "machine-0"
    calls = {
        "report": ["report", "--results", records, "--out", tmp_path / "index.html"],
        "compare": ["compare", side, side],
    }
    status, cpu_s, peak_bytes = benchmark.pedantic(used, [calls[command]])
    benchmark.extra_info |= {"cpu_s": cpu_s, "peak_bytes": peak_bytes}
    assert status == 0
    assert cpu_s < MOST_S
    assert peak_bytes < MOST_BYTES
