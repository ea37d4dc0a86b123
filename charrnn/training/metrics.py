"""The metrics of a run: one JSON object a line, as many lines as the run's state knows of."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from charrnn.training.events import EvalReport, RolledBack, StepReport

KINDS = {StepReport: "step", EvalReport: "eval", RolledBack: "rollback"}


class Metrics:
    """The file; every method raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, report: StepReport | EvalReport | RolledBack) -> None:
        """Add a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": KINDS[type(report)], **asdict(report)}) + "\n")

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
