"""The per-item results of a record: results/<machine>/samples/<the record's name>.jsonl.gz, a JSON object per line.

They are written first, and the record that holds their checksum makes them count. Where a process is killed in between,
its claim tells the next start that they are nobody's: they are swept.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench.files import FEW_BYTES, read_whole, short, temporaries, temporary, write_new
from bench.records.parts import Example, Samples, SceneScores

SAMPLES_FOLDER = "samples"
SUFFIX = ".jsonl.gz"


@dataclass(frozen=True)
class SampleLine:
    """A line of a samples file: one of the two."""

    scene_scores: SceneScores | None = None
    example: Example | None = None


SAMPLE_LINES = msgspec.json.Decoder(SampleLine)


def samples_path(path: Path) -> Path:
    """Where the per-item results of the record in `path` are."""
    return path.parent / SAMPLES_FOLDER / f"{path.stem}{SUFFIX}"


def write_both(path: Path, content: bytes, samples: bytes) -> bool:
    """Write a record's samples and then the record; False, and nothing written, where one of the names is taken.

    Meanwhile a claim beside the samples says that their record is yet to come.
    """
    beside = samples_path(path)
    with temporary(beside, "claim") as own:
        own.touch()
        if not write_new(beside, samples):
            return False
        try:
            is_written = write_new(path, content)
        except BaseException:
            if not has_record(beside):  # else it was interrupted just after
                beside.unlink(missing_ok=True)
            raise
        if not is_written:
            beside.unlink(missing_ok=True)
    return is_written


def orphans(directory: Path, *, of_killed: bool = False) -> list[Path]:
    """Samples files of a machine that no record has, and that no living process is writing one for.

    of_killed: only those whose process was surely killed in between; others may be a copy that is not whole yet
    """
    folder = directory / SAMPLES_FOLDER
    killed = claimed(folder, alive=False)
    there = sorted(folder.glob(f"[!.]*{SUFFIX}"))
    living = claimed(folder)  # in this order: of samples that were there, the record is written before the claim ends
    return [
        path
        for path in there
        if (short(path.name) in killed or not of_killed) and short(path.name) not in living and not has_record(path)
    ]


def claimed(folder: Path, *, alive: bool = True) -> set[str]:
    """The names of samples that living processes, or killed ones, say that they write a record for."""
    return {match["name"] for match, _ in temporaries(folder, alive=alive) if match["kind"] == "claim"}


def has_record(samples: Path) -> bool:
    return os.path.lexists(samples.parent.parent / f"{samples.name.removesuffix(SUFFIX)}.json")


def load_samples(path: Path, data: Mapping[str, Any]) -> tuple[Samples, list[str]]:
    """(per-item results of the record in `path`, what of them could not be read)."""
    if "samples_sha256" not in data:
        return Samples(), []
    file = samples_path(path)
    name = f"{SAMPLES_FOLDER}/{file.name}"
    try:
        content = read_whole(file, FEW_BYTES)
        if hashlib.sha256(content).hexdigest() != data["samples_sha256"]:
            raise ValueError("was edited: it does not have the checksum in its record")
        rows = SAMPLE_LINES.decode_lines(unzipped(content))
    except FileNotFoundError:
        return Samples(), [f"{name}: no such file"]
    except (OSError, EOFError, zlib.error) as error:
        return Samples(), [f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}"]
    except (ValueError, RecursionError) as error:
        return Samples(), [f"{name}: {' '.join(str(error).split())}"]
    scenes = tuple(row.scene_scores for row in rows if row.scene_scores)
    return Samples(scenes=scenes, examples=tuple(row.example for row in rows if row.example)), []


def unzipped(content: bytes) -> bytes:
    """What a gzip file holds; ValueError where that is more than FEW_BYTES."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        found = file.read(FEW_BYTES + 1)
    if len(found) > FEW_BYTES:
        raise ValueError(f"holds more than {FEW_BYTES:,} bytes")
    return found
