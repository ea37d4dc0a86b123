"""The metrics of a run: one JSON object a line, as many lines as the run's state knows of."""

import json
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeAlias

from charrnn.errors import RunError
from charrnn.runs.events import EvalReport, RolledBack, StepReport

Metric: TypeAlias = StepReport | EvalReport | RolledBack

KINDS: dict[type[Any], str] = {StepReport: "step", EvalReport: "eval", RolledBack: "rollback"}


class Metrics:
    """The file; every method but `read` raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, report: Metric) -> None:
        """Add a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": KINDS[type(report)], **asdict(report)}) + "\n")

    def read(self) -> list[Metric]:
        """Every report so far; raises RunError, naming the line, for one that is damaged."""
        kinds = {event: kind for kind, event in KINDS.items()}
        reports: list[Metric] = []
        if not self._path.exists():
            return reports
        text = self._path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                values = json.loads(line)
                kind = kinds[values["event"]]
                names = [field.name for field in fields(kind)]
                reports.append(kind(**{name: values[name] for name in names}))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise RunError(f"line {number} of {str(self._path)!r} is damaged") from error
        return reports

    def flushed_size(self) -> int:
        """Bring every line to the disk, so that a save may speak of them; return their bytes."""
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size

    def cut(self, size: int) -> None:
        """Drop what was written after a save: the run writes it again."""
        if self._path.exists() and self._path.stat().st_size > size:
            os.truncate(self._path, size)
