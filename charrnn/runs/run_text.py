"""The text of a run: found by the names that a user gives, read, and read again on a resume."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from charrnn.corpus import ids_file, source
from charrnn.corpus.catalogue import CATALOGUE, find_entry
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.progress import Report
from charrnn.corpus.reading import Reading, read_sources
from charrnn.corpus.source import Source
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.statistics import measure_marks
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import CorpusError, UsageError, did_you_mean
from charrnn.files.run_folder import RunFolder
from charrnn.options import check_type
from charrnn.plan.plan import CorpusPlan

Corpus: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""What a user calls a text: a path, `-` for stdin, `stdlib`, a name of the catalogue; or several
of these."""


@dataclass(frozen=True, eq=False)
class FoundText:
    """The places of a text, before any of it is read."""

    arguments: tuple[str, ...]
    """The names as the user gave them."""
    sources: tuple[Source, ...]
    """What each of them stands for."""

    @property
    def is_read_once(self) -> bool:
        """Whether a part of the text is gone once it has been read: stdin or a pipe."""
        return any(place.is_read_once for place in self.sources)

    @property
    def stem(self) -> str:
        """A short name for runs on this text."""
        return self.sources[0].stem

    def read(self, config: TextConfig, report: Report, stdin: BinaryIO | None = None) -> "ReadText":
        """Read and encode the text; `report` hears how far that has come. Raises CorpusError."""
        return ReadText(self, read_sources(self.sources, config, report=report, stdin=stdin))


@dataclass(frozen=True, eq=False)
class ReadText:
    """A text that has been read: its ids, and where they came from."""

    found: FoundText
    reading: Reading

    def split(self, splits: SplitConfig) -> EncodedCorpus:
        """The text with its held-back parts; raises CorpusError if it is too short for them."""
        name = source.name_of(self.found.sources)
        return EncodedCorpus.from_encoded(self.reading.text, name, splits)

    def plan(self, corpus: EncodedCorpus, config: TextConfig) -> CorpusPlan:
        """What a plan says of the text, so that a later command reads the same one again."""
        places = () if self.found.is_read_once else tuple(map(_absolute, self.found.sources))
        return CorpusPlan(
            name=corpus.name,
            arguments=self.found.arguments,
            sources=places,
            text=config,
            sha256=corpus.sha256,
            num_symbols=len(corpus.ids),
            splits=corpus.splits,
            marks=measure_marks(self.reading.text),
        )


def find(corpus: Corpus, report: Report) -> FoundText:
    """Find the text that `corpus` names; one of the catalogue is fetched first if it is not there.

    Raises UsageError if nothing is named, CorpusError if there is no such text.
    """
    names = [corpus] if isinstance(corpus, str | os.PathLike) else corpus
    words = "a path, a name or several"
    check_type("corpus", names, Sequence, words)
    for name in names:
        check_type("corpus", name, (str, os.PathLike), words)
    arguments = tuple(os.fspath(name) for name in names)
    if not arguments:
        raise UsageError("no text to learn from: name a file, a folder, - for stdin, or stdlib")
    return FoundText(arguments, tuple(_find_or_fetch(argument, report) for argument in arguments))


def fetch(name: str, report: Report) -> Path:
    """Fetch a corpus of the catalogue into `corpora/`, unless it is there; return its place.

    Raises CorpusError if there is no such corpus, or if it cannot be had whole.
    """
    from charrnn.corpus.download import download

    entry = find_entry(name)
    if entry is None:
        names = [name for entry in CATALOGUE for name in (entry.name, *entry.aliases)]
        raise CorpusError(
            f"no corpus {name!r} in the catalogue, which `charrnn corpus list` shows"
            + did_you_mean(name, names)
        )
    return download(entry, source.CORPORA, report)


def read_again(plan: CorpusPlan, folder: RunFolder, report: Report) -> EncodedCorpus:
    """The text that `plan` speaks of, once more; ids from stdin were kept in the run's folder.

    It may have changed: the caller compares its SHA-256. Raises CorpusError if it cannot be read.
    """
    if plan.sources:
        try:
            text = find(plan.sources, report).read(plan.text, report).reading.text
        except CorpusError as error:
            raise CorpusError(f"{error}; if the text has moved, say where with `corpus`") from error
    else:
        text = ids_file.open_ids(folder.corpus)
    return EncodedCorpus.from_encoded(text, plan.name, plan.splits)


def _find_or_fetch(argument: str, report: Report) -> Source:
    entry = find_entry(argument)
    if entry is None or source.find(argument) is not None:
        return source.locate(argument)
    return source.locate(str(fetch(entry.name, report)))


def _absolute(place: Source) -> str:
    return source.STDLIB if place.kind == "stdlib" else str(place.path.resolve())
