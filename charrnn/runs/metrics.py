"""The metrics of a run: one JSON object a line, as many lines as the run's state knows of.

Each line names its `event` and holds the fields of the report (events.py).
"""

import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypeAlias

from charrnn.errors import RunError
from charrnn.files.atomic import output_errors
from charrnn.files.formats import METRICS
from charrnn.files.typed_json import make_record, parse_object, typed
from charrnn.runs.events import EvalReport, RolledBack, StepReport

Metric: TypeAlias = StepReport | EvalReport | RolledBack

EventName = Literal["step", "eval", "rollback"]
KINDS: dict[EventName, type[Metric]] = {
    "step": StepReport,
    "eval": EvalReport,
    "rollback": RolledBack,
}
"""The kinds of report that are kept, by what a line calls its `event`."""


class Metrics:
    """The file of metrics of a run; what writes to it raises OutputError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, report: Metric) -> None:
        """Add the line of `report`."""
        (event,) = (event for event, kind in KINDS.items() if isinstance(report, kind))
        with output_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **asdict(report)}) + "\n")

    def read(self) -> list[Metric]:
        """Every report so far.

        Raises RunError if the file cannot be read or, naming the line, if one is damaged, and
        NewerFormatError if the first line says that a later charrnn wrote the file.
        """
        if not self._path.exists():
            return []
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise RunError(f"cannot read {str(self._path)!r}: {error.strerror or error}") from error
        reports: list[Metric] = []
        for number, line in enumerate(lines, start=1):
            try:
                values = parse_object(line)
                if number == 1:
                    METRICS.check(self._path, values)
                kind = KINDS[typed("event", values.get("event"), EventName)]
                reports.append(make_record(kind, _finite(values)))
            except ValueError as error:
                where = f"line {number} of {str(self._path)!r}"
                raise RunError(f"{where} is damaged: {error}") from error
        return reports

    def flushed_size(self) -> int:
        """Bring every line to the disk, so that a save may speak of them; return their bytes."""
        if not self._path.exists():
            return 0
        with output_errors(self._path), self._path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def cut(self, size: int) -> None:
        """Drop what was written after a save: the run writes it again."""
        with output_errors(self._path):
            if self._path.exists() and self._path.stat().st_size > size:
                os.truncate(self._path, size)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with null for numbers that are not finite, which an older charrnn wrote as such."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
