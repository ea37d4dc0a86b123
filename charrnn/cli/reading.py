"""How reading text looks: a bar with the throughput on a terminal, a line at the end elsewhere."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from charrnn.corpus.progress import Note, Progress

if TYPE_CHECKING:
    from tqdm import tqdm


class ReadingDisplay:
    """Shows what reading, encoding and downloading tell, on stderr."""

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
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show_bar(self, event: Progress) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._task = event.task
            self._bar = tqdm(
                desc=event.task,
                total=event.total,
                initial=event.before,
                file=sys.stderr,
                unit="B",
                unit_scale=True,
                dynamic_ncols=True,
                leave=False,
            )
            self._bar.start_t -= event.elapsed_s
        self._bar.update(event.before + event.done - self._bar.n)


def announce_terminal(arguments: Sequence[str]) -> None:
    """Say so if stdin is about to be read and a person is at the other end of it."""
    if "-" in arguments and sys.stdin is not None and sys.stdin.isatty():
        print(
            "reading text from the terminal; end it with Ctrl-D on a line of its own",
            file=sys.stderr,
        )


def _summary(event: Progress) -> str:
    megabytes = event.done / 1e6
    return (
        f"{event.task}: {megabytes:,.0f} MB in {event.elapsed_s:.1f}s, "
        f"{megabytes / event.elapsed_s:,.1f} MB/s"
    )
