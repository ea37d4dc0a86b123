"""How reading a text is shown on stderr: a bar on a terminal, a line at the end elsewhere."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from charrnn.corpus.progress import Note, Progress, Report, silent

if TYPE_CHECKING:
    from tqdm import tqdm

MIN_WIDTH_FOR_SPEED = 76
"""Columns of a terminal whose bar has room for the bytes per second."""


class ReadingDisplay:
    """Shows the events of reading, encoding and downloading a text."""

    def __init__(self) -> None:
        self._task = ""
        self._bar: tqdm[Any] | None = None

    def show(self, event: Progress | Note) -> None:
        """Show one event."""
        if isinstance(event, Note):
            self.close()
            print(event.text, file=sys.stderr)
            return
        if event.task != self._task:
            self.close()
        if sys.stderr.isatty():
            self._show_bar(event)
        elif event.finished:
            print(_summary(event), file=sys.stderr)
        if event.finished:
            self.close()

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show_bar(self, event: Progress) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._task = event.task
            is_wide = get_terminal_size().columns >= MIN_WIDTH_FOR_SPEED
            self._bar = tqdm(
                desc=event.task,
                total=event.total,
                initial=event.before,
                file=sys.stderr,
                unit="B",
                unit_scale=True,
                dynamic_ncols=True,
                bar_format=_bar_format(has_total=event.total is not None, is_wide=is_wide),
                leave=False,
            )
            self._bar.start_t -= event.elapsed_s
        self._bar.update(event.before + event.done - self._bar.n)


@contextmanager
def reading_report(*, quiet: bool = False) -> Iterator[Report]:
    """Make a Report that shows on stderr what it is told, unless `quiet`, within a `with` block."""
    with closing(ReadingDisplay()) as display:
        yield silent if quiet else display.show


def announce_terminal(arguments: Sequence[str]) -> None:
    """Tell a person at the terminal that stdin is read, if it is one of `arguments`."""
    if "-" in arguments and sys.stdin is not None and sys.stdin.isatty():
        print(
            "reading text from the terminal; end it with Ctrl-D on a line of its own",
            file=sys.stderr,
        )


def _bar_format(*, has_total: bool, is_wide: bool) -> str:
    """What a bar says, as tqdm's format; on a narrow terminal, only how long it will take."""
    if not has_total:
        return "{desc} {n_fmt}B in {elapsed}, {rate_fmt}"
    figures = "{n_fmt}B, {rate_fmt}, " if is_wide else ""
    return f"{{desc}} {{percentage:3.0f}}% |{{bar}}| {figures}{{remaining}}"


def _summary(event: Progress) -> str:
    """`counting: 120 MB in 2.0s, 60.0 MB/s`."""
    megabytes = event.done / 1e6
    return (
        f"{event.task}: {megabytes:,.0f} MB in {event.elapsed_s:.1f}s, "
        f"{megabytes / event.elapsed_s:,.1f} MB/s"
    )
