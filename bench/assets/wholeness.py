"""Whether a file ends where its own format says it should: seen without reading its content, and without a known size.

safetensors  the header gives the place of every tensor, so the size follows
zip          the directory stands at the end: .npz, TorchScript, .pth since torch 1.6
Of JSON (which `plan` reads to its end, once: read_once.py), older .pth and everything else it cannot be told.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

ZIP_START = b"PK\x03\x04"
LARGEST_HEADER = 100 * 2**20  # bytes, as safetensors itself allows


def why_cut_off(path: Path) -> str | None:
    """Why the file at `path` cannot be whole; "" where its format says that it is, None where that cannot be told."""
    size = path.stat().st_size
    if not size:
        return "it is empty"
    with open(path, "rb") as file:
        start = file.read(8)
        if path.suffix == ".safetensors":
            return _safetensors(start, file.read(min(_header_size(start), LARGEST_HEADER)), size)
    if start.startswith(ZIP_START):
        return "" if zipfile.is_zipfile(path) else "its end is missing: a zip archive without its directory"
    return None


def _header_size(start: bytes) -> int:
    return struct.unpack("<Q", start)[0] if len(start) == 8 else 0


def _safetensors(start: bytes, header: bytes, size: int) -> str:
    try:
        tensors = json.loads(header)
        ends = [entry["data_offsets"][1] for name, entry in tensors.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "its header is cut off, or it is no safetensors file"
    expected = 8 + _header_size(start) + max(ends, default=0)
    return f"its header promises {expected:,} bytes" if size < expected else ""
