"""Starting from a model that has learned another text: its weights, remapped by character.

A character that both texts have keeps its rows; a new one gets those that a new model would begin
with. Everything between, the recurrent stack, is taken over as it is.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import RunError, UsageError
from charrnn.files import run_folder
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint, Weights
from charrnn.options import flag
from charrnn.plan.plan import InitialModel
from charrnn.plan.request import TrainingRequest

TAKEN = ("cell", "num_layers", "hidden_size", "embedding_size")
"""What the model decides."""
REASON = "that of the model it starts from"
MOST_SHOWN = 20


@dataclass(frozen=True, eq=False)
class Start:
    """A model to start from."""

    initial: InitialModel
    model: Checkpoint

    @classmethod
    def load(cls, argument: str) -> "Start":
        """The model that --init-from names; raises CheckpointError."""
        path = run_folder.find_model(argument)
        initial = InitialModel(argument, str(path.resolve()), _sha256(path))
        return cls(initial, checkpoint.read(path))

    @classmethod
    def again(cls, initial: InitialModel) -> "Start":
        """The model that a plan names; raises CheckpointError, or RunError if it has changed."""
        path = Path(initial.path)
        model = checkpoint.read(path)
        if _sha256(path) != initial.sha256:
            raise RunError(f"{initial.path!r}, which this run starts from, has changed")
        return cls(initial, model)

    def taken_over(self, request: TrainingRequest) -> TrainingRequest:
        """`request` with the model's sizes; raises UsageError if it asks for others."""
        config = self.model.config
        for name in TAKEN:
            asked, known = request.given.get(name), getattr(config, name)
            if asked not in (None, known):
                raise UsageError(
                    f"{flag(name)} {asked}: the model of --init-from has {known}, "
                    "which cannot be changed; leave the option out"
                )
        return request.with_options(**{name: getattr(config, name) for name in TAKEN})

    def remapped(self, vocabulary: Vocabulary, fresh: Weights) -> Weights:
        """The model's weights for another vocabulary; new symbols have the rows of `fresh`.

        Raises UsageError if one is made of bytes and the other of characters.
        """
        old = self.model.vocabulary
        if old.is_bytes != vocabulary.is_bytes:
            wanted = "bytes: add --bytes" if old.is_bytes else "characters: leave out --bytes"
            raise UsageError(f"--init-from {self.initial.argument}: that model reads {wanted}")
        symbols = vocabulary.characters
        places = old.encode(symbols.encode("latin-1") if old.is_bytes else symbols, "replace")
        known = np.flatnonzero(places != old.unknown_id)
        rows = places[known]
        weights = dict(self.model.weights)
        for name, tensor in fresh.items():
            if name in ("embedding.weight", "decoder.weight", "decoder.bias"):
                weights[name] = tensor.copy()  # (V, ...)
                weights[name][known] = self.model.weights[name][rows]
            elif name == "rnn.weight_ih_l0" and self.model.config.embedding_size == 0:
                weights[name] = tensor.copy()  # (G*H, V)
                weights[name][:, known] = self.model.weights[name][:, rows]
        return weights

    def report(self, vocabulary: Vocabulary) -> str:
        """Which characters the model knows already, in a line."""
        old = set(self.model.vocabulary.characters)
        new = [symbol for symbol in vocabulary.characters if symbol not in old]
        unused = len(old) - (len(vocabulary) - len(new))
        told = f"starts from {self.initial.argument}: it knows {len(vocabulary) - len(new)} of "
        told += f"{len(vocabulary)} symbols"
        if new:
            shown = " ".join(repr(symbol)[1:-1] for symbol in new[:MOST_SHOWN])
            told += f"; new: {shown}{' ...' if len(new) > MOST_SHOWN else ''}"
        return told + (f"; {unused} of its own are not in this text" if unused else "")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
