"""Files that are written: each whole or not at all, nothing left behind, and asked for before the work.

Temporary files carry host, process and a random part in their names: no two processes share one, and what a killed
process left can be told from what a living one is writing.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import secrets
import shutil
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from bench.console import say
from bench.errors import CheckFailed, UsageError
from bench.formatting import disk_size

FOREIGN_AGE_S = 24 * 3600.0  # of a file of another machine, whose processes cannot be asked for: older is dead
FRESH_EVERY_S = 3600.0
PROBE_BYTES = 16 * 1024
MOST_BYTES = 2**31  # of a file that is read whole: the largest of questions and annotations have half of it
FEW_BYTES = 2**28  # of one that this program wrote, as a record or a page: hundreds of times what they have
NAME_BYTES = 80  # of the target's name in a temporary one: file systems end at 255
HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:60] or "host"
TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.[0-9a-f]{8}\.(?P<kind>tmp|claim)")


Fill = Callable[[IO[bytes]], None]
_own: set[Path] = set()  # what this process has under temporary names now


@contextmanager
def temporary(path: Path, kind: str = "tmp") -> Iterator[Path]:
    """A name beside `path` within the block; the file or folder that has it at the end is removed."""
    own = path.with_name(temporary_name(path.name, kind))
    _own.add(own)
    try:
        yield own
    finally:
        _remove(own)
        _own.discard(own)


def remove_own() -> None:
    """Remove all that this process has under temporary names, as it ends in the middle of its work."""
    for path in tuple(_own):
        _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # a folder; or nothing can be done
        shutil.rmtree(path, ignore_errors=True)


def temporary_name(name: str, kind: str = "tmp") -> str:
    """A name beside `name` that no other process and no other call uses."""
    return f".{short(name)}.{HOST}.{os.getpid()}.{secrets.token_hex(4)}.{kind}"


def short(name: str) -> str:
    """As much of a file's name as stands in the temporary ones beside it."""
    return os.fsencode(name)[:NAME_BYTES].decode(sys.getfilesystemencoding(), "ignore")


def write_whole(path: Path, content: bytes | Fill, *, sync: bool = True) -> None:
    """Put `content`, or what it writes into a file, at `path`, whole or not at all.

    sync: it is on the disk when this returns; else a crash of the machine may leave an empty file.
    Raises CheckFailed where it cannot be written, FileNotFoundError where the folder is gone.
    """
    _write(path, content, os.replace, sync)


def write_new(path: Path, content: bytes) -> bool:
    """The same where `path` does not exist; False, and nothing changed, where it does: of many, one comes first."""
    try:
        _write(path, content, _link, True)
    except FileExistsError:
        return False
    return True


def _write(path: Path, content: bytes | Fill, rename: Callable[[Path, Path], None], sync: bool) -> None:
    check_replaceable(path)
    path = followed(path)
    for last in (False, True):
        try:
            with temporary(path) as own:
                with open(own, "xb") as file:
                    if isinstance(content, bytes):
                        file.write(content)
                    else:
                        content(file)
                    if sync:
                        file.flush()
                        os.fsync(file.fileno())
                rename(own, path)
            return
        except FileExistsError:
            raise
        except FileNotFoundError:
            if last or not path.parent.is_dir():
                raise  # else another machine of this host's name took our file for a dead process's: once more
        except OSError as error:
            raise CheckFailed(f"{path}: cannot be written: {error.strerror or error}") from error


def check_replaceable(path: Path) -> None:
    """CheckFailed where a file renamed to `path` would take the place of a pipe, a device, a folder or a lost link."""
    if not path.name or (os.path.lexists(path) and not path.is_file()):
        raise CheckFailed(f"{path}: cannot be written: not the name of a regular file")


def followed(path: Path) -> Path:
    """The file that a link leads to, `path` where it is none: links are written through and stay links."""
    return path.resolve() if path.is_symlink() else path


def _link(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except (AttributeError, OSError):  # without hard links: exclusive all the same, though not whole at once
        with open(path, "xb") as file:
            file.write(temporary.read_bytes())


def check_writable(folder: Path, option: str, *, needed_bytes: float = 0.0) -> None:
    """Find out, before any work, whether files can be written into a folder that exists or is yet to be made.

    Raises UsageError where a file stands in its place, CheckFailed where it cannot be written to, or where the disk
    has less room than `needed_bytes`.
    """
    place = check_folder(folder, option)
    try:
        with temporary(place / "probe") as probe, open(probe, "xb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CheckFailed(f"{option}: {place} cannot be written to: {error.strerror or error}") from error
    free_bytes = _free_bytes(place)
    if free_bytes is not None and needed_bytes > free_bytes:
        need, room = disk_size(needed_bytes), disk_size(free_bytes)
        raise CheckFailed(f"{option}: needs about {need} of disk, {place} has {room} left")


def check_folder(folder: Path, option: str) -> Path:
    """The folder, or where it is yet to be made the one above it that exists; UsageError where neither can be."""
    try:
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass  # yet to be made, or said below
    except (OSError, ValueError) as error:
        raise _odd_name(folder, option, error) from error
    place = folder.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UsageError(f"{option}: {place} is a file, expected a folder")
    return place


def check_target(path: Path, option: str, *, needed_bytes: float = 0.0) -> None:
    """Find out, before any work, whether the file `path` can be written; remove what killed processes left of it.

    Raises UsageError where it is no name of a file or its folder is none, CheckFailed where it cannot be written.
    """
    folder = path.absolute().parent
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(path)
        if path.is_dir() or not path.name:
            raise UsageError(f"{option} {path}: a folder, expected the name of a file")
        if path.exists() and not path.is_file():
            raise UsageError(f"{option} {path}: no regular file; expected the name of a file")
        if path.is_symlink():
            if not path.exists():
                raise UsageError(f"{option} {path}: a link that leads nowhere; expected the name of a file")
            check_writable(followed(path).parent, option, needed_bytes=needed_bytes)
    except (OSError, ValueError) as error:
        raise _odd_name(path, option, error) from error
    check_writable(folder, option, needed_bytes=needed_bytes)
    sweep_temporaries(folder, path.name)


def _odd_name(path: Path, option: str, error: OSError | ValueError) -> Exception:
    if isinstance(error, ValueError):  # a NUL
        return UsageError(f"{option}: {str(error)[:60]}; expected the name of a file or folder")
    if error.errno == errno.ENAMETOOLONG:
        return UsageError(f"{option} {str(path)[:60]}...: the name is too long for this file system")
    return CheckFailed(f"{option} {path}: {error.strerror or error}")


def _free_bytes(folder: Path) -> float | None:
    try:
        return float(shutil.disk_usage(folder).free)
    except OSError:
        return None


def make_folder(folder: Path, option: str) -> None:
    """Make a folder; CheckFailed where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckFailed(f"{option}: {folder} cannot be made: {error.strerror or error}") from error


def set_aside(path: Path, reason: str, what: str) -> None:
    """Rename what is damaged to `<name>.<first word of the reason>.bad`, and say so in one line.

    Nothing happens where another process has done it.
    """
    word = re.sub(r"\W+", "-", reason.split(":")[0].lower()).strip("-")[:40]
    target, count = path.with_name(f"{path.name}.{word}.bad"), 1
    while os.path.lexists(target):
        count += 1
        target = path.with_name(f"{path.name}.{word}-{count}.bad")
    with suppress(FileNotFoundError):
        os.replace(path, target)
        say(f"{what}: {reason}; set aside as {target.name} and made again")


@contextmanager
def making(path: Path, identity: str, option: str) -> Iterator[None]:
    """Within the block this process makes the file `path`, beside others of the same identity alone.

    identity: eight hexadecimal digits for what the file will hold. Of two that begin at once, the earlier goes on.
    Raises UsageError where another process makes the file with another content.
    """
    with temporary(path.with_name(f"{_claimed(path)}.{identity}"), "claim") as own:
        with suppress(OSError):  # where no file can be written, writing the right one will say so
            own.touch()
        if other := _earlier_maker(path, identity, own):
            who = f"process {other['pid']} on {other['host']}"
            raise UsageError(f"{option} {path}: {who} is making it, with another content; choose another name")
        with kept_fresh(own):
            yield


def _claimed(path: Path) -> str:
    """A file's name in its claims; of one so long that a temporary name would cut its identity off, a digest."""
    name = path.name
    return name if len(os.fsencode(name)) + 9 <= NAME_BYTES else hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


@contextmanager
def kept_fresh(path: Path) -> Iterator[None]:
    """Within the block a file is touched again and again: other machines take an old one for a dead process's."""
    ended = threading.Event()

    def touch() -> None:
        while not ended.wait(FRESH_EVERY_S):
            with suppress(OSError):
                os.utime(path)

    threading.Thread(target=touch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _earlier_maker(path: Path, identity: str, own: Path) -> re.Match[str] | None:
    """A claim on `path` that is older than `own` and of another identity."""
    others = re.compile(re.escape(_claimed(path)) + rf"\.(?!{identity})[0-9a-f]{{8}}")
    claims = (pair for pair in temporaries(path.parent) if pair[0]["kind"] == "claim")
    for match, entry in claims:
        with suppress(OSError):
            earlier = (entry.stat().st_mtime_ns, entry.name) < (own.stat().st_mtime_ns, own.name)
            if earlier and others.fullmatch(match["name"]):
                return match
    return None


def check_regular(path: Path, role: str) -> None:
    """UsageError for what is read without an end, or waited for: a pipe, a socket, a device."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UsageError(f"{role} {path}: no regular file")


def read_whole(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file of a kind and size that has an end; OSError for others, before time or memory is taken.

    Nothing in bench/ opens a file whole in another way (tests/test_architecture.py): a pipe would be waited for, a
    device has no end, a file with a hole claims any size.
    """
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"{found.st_size:,} bytes; at most {most:,} are read", str(path))
    with open(path, "rb") as file:
        return file.read()


def read_text(path: Path, most: int = MOST_BYTES, *, errors: str = "strict") -> str:
    """The text of a file in UTF-8, with or without a byte order mark, its lines ended by \\n.

    Raises OSError as `read_whole` does, UnicodeDecodeError unless `errors` says otherwise.
    """
    text = read_whole(path, most).decode("utf-8-sig", errors)
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True) if "\r" in text else text


# -- temporary files of others ----------------------------------------------------------------------------------------


def sweep_temporaries(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files and folders that killed processes have left in a folder.

    name: only those of this file, and of what lies beside it under a longer name, as its checkpoints do
    """
    for match, entry in temporaries(folder, alive=False):
        if name is None or match["name"] == short(name) or match["name"].startswith(f"{name}."):
            _remove(Path(entry.path))


def temporaries(folder: Path, *, alive: bool = True) -> Iterator[tuple[re.Match[str], os.DirEntry[str]]]:
    """The temporary files in a folder whose processes live, or do not."""
    try:
        with os.scandir(folder) as entries:
            found = [(match, entry) for entry in entries if (match := TEMPORARY.fullmatch(entry.name))]
    except OSError:
        return
    for match, entry in found:
        with suppress(OSError):
            if is_alive(match, entry.stat(follow_symlinks=False).st_mtime) == alive:
                yield match, entry


def is_own(match: re.Match[str]) -> bool:
    return match["host"] == HOST and int(match["pid"]) == os.getpid()


def is_alive(match: re.Match[str], written: float) -> bool:
    if match["host"] != HOST:
        return time.time() - written < FOREIGN_AGE_S
    import psutil  # here: a report that finds no temporary file does without

    try:
        process = psutil.Process(int(match["pid"]))
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= written + 2  # not its successor
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # somebody else's process: it lives
        return True


def is_temporary(name: str) -> bool:
    """Whether a file's name is one of those that processes write under."""
    return TEMPORARY.fullmatch(name) is not None
