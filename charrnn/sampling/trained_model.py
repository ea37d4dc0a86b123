"""A trained model, ready to write and to judge text. Imports no more than that needs."""

import codecs
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np

from charrnn.corpus.vocabulary import Unknown, Vocabulary
from charrnn.errors import UsageError
from charrnn.files import run_folder
from charrnn.inference.make_network import make_network
from charrnn.inference.network import Network
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, PrecisionChoice, SamplingPrecision
from charrnn.options import with_keywords
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.keywords import SamplingKeywords
from charrnn.sampling.place import Place
from charrnn.sampling.texts import Texts


class Model:
    """A trained model, ready to write and to judge text."""

    def __init__(self, path: Path, loaded: Checkpoint) -> None:
        self.path = path
        self.checkpoint = loaded

        self._networks: dict[tuple[SamplingPrecision, int | None], Network] = {}

    def network(self, precision: PrecisionChoice = "auto", threads: int | None = None) -> Network:
        """The model one step at a time; made when first used, which `info` and `list` never do.

        "auto" is the fastest precision that was found to cost next to nothing.
        """
        known = self.precision(precision)
        if (known, threads) not in self._networks:
            made = make_network(self.config, self.checkpoint.weights, known, threads)
            self._networks[known, threads] = made
        return self._networks[known, threads]

    def precision(self, choice: PrecisionChoice = "auto") -> SamplingPrecision:
        """What "auto" means for this model. Raises UsageError for an unknown name."""
        if choice not in ("auto", *SAMPLING_PRECISIONS):
            names = ", ".join(SAMPLING_PRECISIONS)
            raise UsageError(f"--precision {choice!r}: choose one of auto, {names}")
        return self.checkpoint.losses.fastest_precision() if choice == "auto" else choice

    @property
    def name(self) -> str:
        """The run's name: that of the folder the file lies in."""
        return self.path.resolve().parent.name

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        return self.checkpoint.config

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols it knows."""
        return self.checkpoint.vocabulary

    @with_keywords(SamplingConfig, leave_out=("samples",))
    def generate(
        self,
        prime: str = "",
        *,
        unknown: Unknown = "error",
        precision: PrecisionChoice = "auto",
        **options: Unpack[SamplingKeywords],
    ) -> Iterator[str]:
        """Return an iterator over the new characters that follow `prime`.

        Each item is a character; in byte mode, whatever text has become complete. `options` are
        those of `charrnn sample` (SamplingConfig): `temperature=0.8`, `length=200` and so on; there
        are 1,000 characters unless told otherwise, and without a `seed` another text each time.

        `unknown` says what becomes of a character in `prime` that the model has never seen: "skip"
        leaves it out, "replace" reads it as unknown. Raises VocabularyError for one otherwise,
        UsageError for a value out of range and TypeError for one of another type, at once.
        """
        given = {name: value for name, value in options.items() if value is not None}
        config = SamplingConfig(**{"seed": new_seed(), **given})  # type: ignore[arg-type]
        network = self.network(precision)
        place = self.place_after(prime, network, unknown)
        return self._decoded(Texts(network, self.vocabulary, place, config))

    def place_after(
        self,
        prime: str | bytes,
        network: Network,
        unknown: Unknown = "error",
        before: Place | None = None,
    ) -> Place:
        """The place after `prime`, which follows `before`; by default it begins a text.

        Where each line was learned by itself, only the last line of the prime counts.
        """
        ids = self.vocabulary.encode(prime, unknown)
        if before is not None:
            return replace(before, record_end=self.record_end).then(network, ids)
        start = self.vocabulary.start()
        if self.record_end is not None:
            ids = np.concatenate([start, ids])
        return Place.after(network, ids if len(ids) else start, self.record_end)

    @property
    def record_end(self) -> int | None:
        """The id after which nothing is remembered, where each line was learned by itself."""
        return None if self.checkpoint.corpus.records is None else int(self.vocabulary.start()[0])

    def _decoded(self, texts: Texts) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for shown in texts:
            for symbol in shown[0]:
                text = decoder.decode(self.vocabulary.decode_bytes([symbol]))
                if text:
                    yield text
        if rest := decoder.decode(b"", final=True):
            yield rest


def new_seed() -> int:
    """A seed nobody chose, short enough to type again."""
    return secrets.randbelow(2**31)


def load(model: str | os.PathLike[str] | None = None) -> Model:
    """Load a model by run name, folder or file; None means $CHARRNN_MODEL, else the newest run.

    Raises CheckpointError if there is none or it is damaged, NewerFormatError if a later charrnn
    wrote it.
    """
    path = run_folder.find_model(None if model is None else os.fspath(model))
    return Model(path, checkpoint.read(path))
