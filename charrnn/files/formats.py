"""Every file format of charrnn: its name, its versions, and what each of them added.

A file says what it is in two entries of its header, `format` and `format_version`, which no later
version moves or renames, so that any charrnn can tell which version it meets. Writers take the two
from here, and readers check them here. docs/file-formats.md describes what the files hold, and how
to add a version.

The cache's status files need no version: the hash that is such a file's name covers the version of
the ids that it speaks of, so another version never meets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charrnn.errors import CharRNNError, CheckpointError, CorpusError, NewerFormatError, RunError


@dataclass(frozen=True)
class Format:
    """One kind of file."""

    name: str
    """Value of the header's `format`."""
    content: str
    """What such a file holds, as a message calls it."""
    error: type[CharRNNError]
    """What a reader raises for a file that is not of this format."""
    versions: tuple[str, ...]
    """What each version added or changed, version 1 first."""
    oldest: int = 1
    """The oldest version that is still read."""
    unmarked: int | None = None
    """The version of a file that has neither `format` nor `format_version`; None: there is none."""

    @property
    def current(self) -> int:
        """The version that is written."""
        return len(self.versions)

    def header(self) -> dict[str, Any]:
        """The first entries of the header of a file that is written now."""
        return {"format": self.name, "format_version": self.current}

    def check(self, path: Path, header: Mapping[str, Any]) -> int:
        """The version of the file at `path`, whose header this is.

        Raises `error` if the file is not of this format or of a version that is not read any more,
        NewerFormatError if it is of a version that a later charrnn wrote.
        """
        found, version = header.get("format"), header.get("format_version")
        if found is None and version is None and self.unmarked is not None:
            return self.unmarked
        if found != self.name or type(version) is not int or version < 1:
            told = f"its format is {found!r:.40} version {version!r:.40}"
            if found is None:
                told = "it names no format"
            raise self.error(f"{str(path)!r} is not {self.content}: {told}")
        if version > self.current:
            raise NewerFormatError(
                f"{str(path)!r} has format {self.name} version {version!r:.40}; "
                f"this charrnn reads {self._read_versions()}: upgrade charrnn"
            )
        if version < self.oldest:
            raise self.error(
                f"{str(path)!r} has format {self.name} version {version}, which is too old; "
                f"this charrnn reads {self._read_versions()}"
            )
        return version

    def _read_versions(self) -> str:
        if self.oldest == self.current:
            return f"version {self.current}"
        return f"versions {self.oldest} to {self.current}"


MODEL = Format(
    name="charrnn-model",
    content="a model",
    error=CheckpointError,
    versions=(
        "weights, vocabulary, sizes, corpus, losses and how the model was trained",
        "the counts of n-gram experts",
    ),
)
TRAINING_STATE = Format(
    name="charrnn-training",
    content="a training state",
    error=RunError,
    versions=(
        "the state of a run at its last evaluation",
        "serial numbers, the machine, rollbacks, an optimizer of any kind",
    ),
    oldest=2,
)
SAVED_STATE = Format(
    name="charrnn-state",
    content="a saved state, which `charrnn sample --save-state` writes",
    error=CheckpointError,
    versions=(
        "the carried state of a cell and the last symbol, bound to the model's weights",
        "the last symbols before it, where the model has n-gram experts",
    ),
)
IDS = Format(
    name="charrnn-ids",
    content="a file of ids",
    error=CorpusError,
    versions=("vocabulary and ids", "a checksum of the ids behind them"),
    oldest=2,
)
PLAN = Format(
    name="charrnn-plan",
    content="a plan",
    error=RunError,
    versions=(
        "corpus, model, optimizer and training",
        "`format` and `format_version`; `training` became `step` and `run`",
    ),
    unmarked=1,
)
METRICS = Format(
    name="charrnn-metrics",
    content="a file of metrics",
    error=RunError,
    versions=("a line for each step report, evaluation and rollback",),
    unmarked=1,
)

FORMATS = (MODEL, TRAINING_STATE, SAVED_STATE, IDS, PLAN, METRICS)
