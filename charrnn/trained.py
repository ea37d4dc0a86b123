"""A trained model, ready to write and to judge text. Imports no more than that needs."""

import codecs
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from charrnn import checkpoint, run_folder
from charrnn.checkpoint import Checkpoint
from charrnn.engines.config import SAMPLING_PRECISIONS, SamplingPrecision
from charrnn.errors import UsageError
from charrnn.inference import Network
from charrnn.model.config import ModelConfig
from charrnn.native_inference import make_network
from charrnn.sampling.config import PrecisionChoice, SamplingConfig
from charrnn.sampling.generator import Blocks, make_writer, write_blocks
from charrnn.vocabulary import Ids, Unknown, Vocabulary


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

    def generate(
        self,
        prime: str = "",
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        length: int = 1000,
        seed: int | None = None,
        unknown: Unknown = "error",
        precision: PrecisionChoice = "auto",
    ) -> Iterator[str]:
        """Return an iterator over `length` new characters (-1: without end) that follow `prime`.

        Each item is a character; in byte mode, whatever text has become complete. Without a
        seed the text is another one each time. Raises VocabularyError for an unknown character in
        `prime` (unless `unknown` is "skip" or "replace") and UsageError for a value out of range,
        at once.
        """
        config = SamplingConfig(
            seed=new_seed() if seed is None else seed,
            temperature=temperature,
            length=length,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
        )
        return self._decoded(self.write(prime, config, unknown, precision))

    def write(
        self,
        prime: str,
        config: SamplingConfig,
        unknown: Unknown = "error",
        precision: PrecisionChoice = "auto",
        threads: int | None = None,
    ) -> Iterator[Blocks]:
        """Return an iterator over blocks of ids, (n, S), of `config.samples` texts side by side.

        The first block is one symbol; later ones take some 30 ms each.
        """
        start, record_end = self.vocabulary.start(), None
        if (
            self.checkpoint.corpus.records is not None
        ):  # a newline, then what the record begins with
            record_end = int(start[0])
            prime = "\n" + prime.rpartition("\n")[2]
        ids = self.vocabulary.encode(prime, unknown)
        network = self.network(precision, threads)
        return _written(network, ids if len(ids) else start, config, record_end)

    def _decoded(self, blocks: Iterator[Blocks]) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for block in blocks:
            for symbol in block[:, 0]:
                text = decoder.decode(self.vocabulary.decode_bytes([symbol]))
                if text:
                    yield text
        if rest := decoder.decode(b"", final=True):
            yield rest


def _written(
    network: Network, start: Ids, config: SamplingConfig, record_end: int | None
) -> Iterator[Blocks]:
    writer = make_writer(network, start, config, record_end=record_end)
    yield from write_blocks(writer, config.length)


def new_seed() -> int:
    """A seed nobody chose, short enough to type again."""
    return secrets.randbelow(2**31)


def load(model: str | os.PathLike[str] | None = None) -> Model:
    """Load a model by run name, folder or file; None means $CHARRNN_MODEL, else the newest run.

    Raises CheckpointError if there is none or it is damaged.
    """
    path = run_folder.find_model(None if model is None else os.fspath(model))
    return Model(path, checkpoint.read(path))
