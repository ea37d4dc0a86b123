"""A trained model that was loaded from its file, ready to write text. No torch here."""

import codecs
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack, get_args

import numpy as np

from charrnn.corpus.vocabulary import Unknown, Vocabulary
from charrnn.cpus import affordable_threads
from charrnn.files import run_folder
from charrnn.inference.make_network import make_network
from charrnn.inference.network import Network
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, PrecisionChoice, SamplingPrecision
from charrnn.options import check_choice, check_names, check_type, declarations, with_keywords
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.keywords import SamplingKeywords
from charrnn.sampling.place import Place
from charrnn.sampling.texts import Texts


class Model:
    """A trained model: what its file holds, and the networks that run it."""

    def __init__(self, path: Path, loaded: Checkpoint) -> None:
        """Take over what was `loaded` from the file at `path`."""
        self.path = path
        self.checkpoint = loaded
        self._networks: dict[tuple[SamplingPrecision, int | None], Network] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle holds: all but the networks, which are made anew when needed."""
        return {**vars(self), "_networks": {}}

    def network(self, precision: PrecisionChoice = "auto", threads: int | None = None) -> Network:
        """The network that runs the model in `precision` on `threads` CPU threads.

        None suits the threads to the work and the load. A network takes time to make and is made
        when it is first asked for, which `charrnn info` and `charrnn list` never do.
        """
        chosen = self.precision(precision)
        if threads is not None:
            threads, _ = affordable_threads(threads)
        if (chosen, threads) not in self._networks:
            network = make_network(self.config, self.checkpoint.weights, chosen, threads)
            self._networks[chosen, threads] = network
        return self._networks[chosen, threads]

    def precision(self, choice: PrecisionChoice = "auto") -> SamplingPrecision:
        """The precision that `choice` names.

        "auto" names the fastest that was measured to cost this model next to nothing. Raises
        UsageError for a name of no precision.
        """
        check_choice("precision", choice, ("auto", *SAMPLING_PRECISIONS))
        return self.checkpoint.losses.fastest_precision() if choice == "auto" else choice

    @property
    def name(self) -> str:
        """The name of the run that trained the model: that of the folder its file lies in."""
        return self.path.resolve().parent.name

    @property
    def config(self) -> ModelConfig:
        """The model's architecture."""
        return self.checkpoint.config

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols that the model knows."""
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
        those of `charrnn sample` (SamplingConfig): `temperature=0.5`, `length=200` and so on; there
        are 1,000 characters unless told otherwise, and without a `seed` another text each time.

        `unknown` says what becomes of a character in `prime` that the model has never seen: "skip"
        leaves it out, "replace" reads it as unknown. Raises VocabularyError for one otherwise,
        UsageError for a value out of range and TypeError for one of another type, at once.
        """
        check_type("prime", prime, (str, bytes), "a text")
        check_choice("unknown", unknown, get_args(Unknown))
        known = [declared.name for declared in declarations(SamplingConfig)]
        check_names(options, [name for name in known if name != "samples"], "sampling")
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
        """The place after `prime`, which follows `before`; without `before` it begins a text.

        `network` is one of this model's. `unknown` is that of `generate`. Where each line was
        learned by itself, only the last line of the prime counts. Raises VocabularyError for a
        character that the model does not know, unless `unknown` lets it pass.
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
        """Id of the newline, where each line was learned by itself and nothing is remembered of
        the one before it; None for a model of whole texts.
        """
        return None if self.checkpoint.corpus.records is None else int(self.vocabulary.start()[0])

    def _decoded(self, texts: Texts) -> Iterator[str]:
        """The characters of the first of `texts`; in byte mode, text as it becomes complete."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for shown in texts:
            for symbol in shown[0]:
                text = decoder.decode(self.vocabulary.decode_bytes([symbol]))
                if text:
                    yield text
        if rest := decoder.decode(b"", final=True):
            yield rest


def new_seed() -> int:
    """A seed from 0 to 2**31 - 1 that nobody chose, short enough to type again."""
    return secrets.randbelow(2**31)


def load(model: str | os.PathLike[str] | None = None) -> Model:
    """Load a model by the name of its run, by a folder or by a file.

    None stands for $CHARRNN_MODEL or, where that is not set, for the newest run. Raises
    CheckpointError if there is no such model or its file is damaged, NewerFormatError if a later
    charrnn wrote the file.
    """
    if model is not None:
        check_type("model", model, (str, os.PathLike), "a run's name or a path")
        model = os.fspath(model)
    path = run_folder.find_model(model)
    return Model(path, checkpoint.read(path))
