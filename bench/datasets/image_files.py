"""One image file, opened with care: whatever is wrong with it is a single line that names the file.

Read is what Pillow decodes by itself into 8 bits per channel. A file that is no regular file (a pipe, a device) is not
even opened; a picture of more than Pillow's 89 million pixels, or with a text or colour chunk that unpacks to more than
a megabyte, is refused before its pixels take memory.
"""

from __future__ import annotations

import functools
import logging
import os
import stat
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from bench.errors import CheckFailed
from bench.files import read_whole

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF")
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif"),
)
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")  # 8 bits per channel; others: clipped
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG's colour types
# The passes of an interlaced PNG, each (first column, first row, step right, step down): PNG specification, table 8.2.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
ORIENTATION = 0x0112  # Exif's tag; 1: as it is
MAX_PIXELS = 89_478_485  # Pillow's own limit, where it begins to warn


@functools.cache
def formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow was built with; from here on Pillow is silent: a fault is one line of ours."""
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # open_image refuses what it warns of
    warnings.filterwarnings("ignore", module=r"PIL\.")  # damaged Exif data, a palette's transparency: no pixel is lost
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors reach stderr beside our line
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def open_image(path: Path, role: str = "image") -> Image.Image:
    """The file, its header read and checked, its pixels not yet decoded. CheckFailed in one line."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise CheckFailed(f"{role} {path}: no regular file, so no image")
        image = Image.open(path, formats=formats())
    except CheckFailed:
        raise
    except Exception as error:  # Pillow raises what it likes at a damaged header
        raise CheckFailed(f"{role} {path}: {fault(error)}") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise CheckFailed(f"{role} {path}: {width}x{height} pixels; at most {MAX_PIXELS:,} are read")
    if image.mode not in MODES:
        mode_found = image.mode
        image.close()
        raise CheckFailed(f"{role} {path}: pixels of mode {mode_found}; expected 8-bit grey or RGB")
    return image


def read_image(path: Path, role: str = "image") -> Image.Image:
    """The whole image as RGB: grey becomes RGB, alpha is dropped, as torch-fidelity does. CheckFailed in one line."""
    with open_image(path, role) as image:
        try:
            read = image.convert("RGB")
            if image.format == "PNG":
                check_rows(path, np.asarray(read))
            return read
        except Exception as error:  # cut short, or a damaged stream
            raise CheckFailed(f"{role} {path}: a broken image ({fault(error)})") from error


def check_rows(path: Path, pixels: np.ndarray) -> None:
    """ValueError where the stream of a PNG ends well, but before its last row: Pillow leaves the rest black.

    pixels: uint8 (H, W, 3) as Pillow read them. The stream is unpacked once more only where one of their rows is black.
    """
    if pixels.any(axis=(1, 2)).all():
        return
    data, place = read_whole(path), len(SIGNATURE)
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, place + 8)
    unpacker, found = zlib.decompressobj(), 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IDAT":
            found += len(unpacker.decompress(data[place + 8 : place + 8 + length]))
        place += length + 12
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    expected = 0
    for left, top, step_x, step_y in passes:
        columns, rows = -(-(width - left) // step_x), -(-(height - top) // step_y)
        expected += rows * (1 + -(-columns * bits * CHANNELS[colour] // 8)) if columns > 0 else 0
    if found < expected:
        raise ValueError(f"pixels end after {found:,} of {expected:,} bytes")


def has_more_pictures(image: Image.Image) -> bool:
    """Whether an open image is the first of several pictures in its file (an animation, pages)."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # the second one is damaged; only the first is read
        return True


def is_turned(image: Image.Image) -> bool:
    """Whether the Exif data of an open image asks for its pixels to be turned or mirrored, and they are not.

    So torch-fidelity and clean-fid read it, too. Those of a TIFF Pillow turns itself.
    """
    try:
        if image.format == "TIFF" or "exif" not in image.info:
            return False
        exif = Image.Exif()  # image.getexif() may decode the pixels
        exif.load(image.info["exif"])
        return exif.get(ORIENTATION, 1) in range(2, 9)
    except Exception:  # damaged, as in many photographs
        return False


def has_alpha(image: Image.Image) -> bool:
    """Whether an open image has an alpha channel or a transparent colour, which `read_image` drops: a viewer shows
    what lies behind."""
    return image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info


def fault(error: Exception) -> str:
    """What Pillow says, in one line without the path."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image"
    if isinstance(error, Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
