"""What the command line prints while it works: a progress bar on a terminal, plain lines otherwise."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


PLAIN_EVERY_S = 10.0
LONG_S = 3600.0  # a forecast of more than this also says when
PLAIN_WIDTH = 160  # columns of a table that no terminal shows
PATIENCE_S = 1.5  # from a signal to end until the process ends whatever it does
AGAIN_S = 5.0  # so long after a signal to end further ones add nothing
_plain_only = False


def console() -> Console:
    """Where tables are printed: as wide as the terminal, wide enough for whole cells where there is none."""
    from rich.console import Console

    class PlainConsole(Console):
        """Every string, also a cell or a title of a table, may come from a file: no control code passes."""

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str("\n".join(plain(line) for line in text.split("\n")), **options)

    # Texts are printed as they are: as markup, "arbiter-bench[official]" would lose its brackets.
    return PlainConsole(width=None if sys.stdout.isatty() else PLAIN_WIDTH, markup=False, emoji=False)


def plain(text: object, limit: int | None = None) -> str:
    """Text from a file, safe to print: what steers a terminal, hides or cannot be encoded is shown as its escape.

    limit: characters kept, the rest is cut off with "..."
    """
    shown = str(text)
    if limit is not None and len(shown) > limit:
        shown = shown[:limit] + "..."
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in shown)


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell(text: object) -> Text:
    """Text from a file as a cell or a title of a table: never markup, never a control code."""
    from rich.text import Text

    return Text(plain(text))


def say(line: object) -> None:
    """Print one line that may hold text from a file, as it is: no markup, no colours, no control codes."""
    print(plain(line), flush=True)


def duration(seconds: float) -> str:
    """As "45 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"


class Reporter:
    """Progress of one task. `update(done, note)` may be called as often as you like."""

    def __init__(self, title: str, total: int):
        self.title, self.total = title, total

    def update(self, done: int, note: str = "") -> None:
        raise NotImplementedError


class PlainReporter(Reporter):
    def __init__(self, title: str, total: int):
        super().__init__(title, total)
        self.start = self.printed = time.monotonic()
        self.first_done: int | None = None  # what an earlier run had done already

    def update(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if self.first_done is None:
            self.first_done = done
        if now - self.printed < PLAIN_EVERY_S and done < self.total:
            return
        self.printed = now
        fresh = done - self.first_done
        eta = ""
        if done < self.total and fresh:
            left_s = (now - self.start) / fresh * (self.total - done)
            eta = f", {duration(left_s)} left"
            if left_s > LONG_S:
                eta += f" (until {datetime.now() + timedelta(seconds=left_s):%Y-%m-%d %H:%M})"
        say(f"{self.title}: {done}/{self.total}{eta}{', ' + note if note else ''}")


def plain_only() -> None:
    """Print plain lines from now on, in a process that shares its terminal with others."""
    global _plain_only
    _plain_only = True


@contextmanager
def progress(title: str, total: int) -> Iterator[Reporter]:
    """A reporter for `total` pieces of work."""
    if _plain_only or not sys.stdout.isatty():
        yield PlainReporter(title, total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=total, note="")

        class BarReporter(Reporter):
            def update(self, done: int, note: str = "") -> None:
                bar.update(task, completed=done, note=note)

        yield BarReporter(title, total)


HANGUP = getattr(signal, "SIGHUP", None)  # a terminal is closed; not on Windows
SIGNALS = (signal.SIGTERM, signal.SIGINT, *([HANGUP] if HANGUP else []))  # that ask a process to end


def heeded() -> list[signal.Signals]:
    """SIGNALS, but for SIGHUP where it is ignored: what nohup starts outlives its terminal."""
    return [number for number in SIGNALS if number != HANGUP or signal.getsignal(number) is not signal.SIG_IGN]


class Stop:
    """What a signal to end does: a KeyboardInterrupt, once."""

    def __init__(self) -> None:
        self.asked: float | None = None  # when

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked is not None and now - self.asked < AGAIN_S:
            return  # torchrun, a shell and an impatient user send several; the first is being obeyed
        self.asked = now
        raise KeyboardInterrupt


@contextmanager
def stopping(leave: Callable[[], None] | None = None) -> Iterator[None]:
    """Within the block control-C, SIGTERM and SIGHUP end it at once, tidily: a KeyboardInterrupt, and one alone.

    leave: ends the process; called PATIENCE_S after a signal where the block has not ended: a long call into C, as
    torch's are, hears of no KeyboardInterrupt before it returns
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in heeded()}
    now = before[signal.SIGTERM]
    stop = now if isinstance(now, Stop) else Stop()
    for number in before:
        signal.signal(number, stop)
    try:
        with _leaving(leave) if leave else nullcontext():
            yield
    except Exception as error:
        if stop.asked is None:
            raise
        raise KeyboardInterrupt from error  # what the signal broke, or an error that Python has made of it
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _leaving(leave: Callable[[], None]) -> Iterator[None]:
    """Within the block a thread learns of signals from the system itself, and calls `leave` in the end."""
    mine, the_systems = socket.socketpair()
    the_systems.setblocking(False)
    is_over = threading.Event()

    def watch() -> None:
        with mine, suppress(OSError):
            while number := mine.recv(1):
                if number[0] in SIGNALS and not is_over.wait(PATIENCE_S):
                    leave()

    threading.Thread(target=watch, daemon=True).start()
    before = signal.set_wakeup_fd(the_systems.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        is_over.set()
        signal.set_wakeup_fd(before)
        the_systems.close()


def is_stopping() -> bool:
    """Whether a signal to end has come: what fails then has failed by it."""
    stop = signal.getsignal(signal.SIGTERM)
    return isinstance(stop, Stop) and stop.asked is not None
