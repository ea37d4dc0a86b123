"""Starting a run from a model that has learned another text (`--init-from`).

A character that both texts have keeps the weights that were learned for it, in the embedding and in
the decoder; a character of the new text alone gets the weights that a new model would begin with.
The recurrent layers between the two are taken over as they are.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import RunError, UsageError
from charrnn.experts import layout
from charrnn.files import run_folder
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint, Weights
from charrnn.plan.plan import InitialModel
from charrnn.plan.request import TrainingRequest

INHERITED_OPTIONS = ("cell", "num_layers", "hidden_size", "embedding_size")
"""Names of the options whose values the model to start from decides."""
INHERITED_REASON = "that of the model it starts from"
"""The reason that a plan gives for the value of an inherited option."""
MAX_NEW_SYMBOLS_SHOWN = 20
"""Most symbols that a note lists when it says which ones the model has never seen."""


@dataclass(frozen=True, eq=False)
class Start:
    """A model that a run starts from."""

    initial: InitialModel
    """Which file the model is, as the plan names it."""
    model: Checkpoint
    """What the file holds."""

    @classmethod
    def load(cls, argument: str) -> "Start":
        """Read the model that --init-from names: a run, a folder or a file.

        Raises CheckpointError if there is no such model, or if its file is damaged.
        """
        path = run_folder.find_model(argument)
        initial = InitialModel(argument, str(path.resolve()), _sha256(path))
        return cls(initial, checkpoint.read(path))

    @classmethod
    def reload(cls, initial: InitialModel) -> "Start":
        """Read the model that a plan names.

        Raises CheckpointError if the file is gone or damaged, RunError if it has changed.
        """
        path = Path(initial.path)
        model = checkpoint.read(path)
        if _sha256(path) != initial.sha256:
            raise RunError(f"{initial.path!r}, which this run starts from, has changed")
        return cls(initial, model)

    def with_inherited_options(self, request: TrainingRequest) -> TrainingRequest:
        """`request` with the model's cell and sizes.

        Raises UsageError if the request asks for another cell or another size.
        """
        config = self.model.config
        for name in INHERITED_OPTIONS:
            asked, inherited = request.given.get(name), getattr(config, name)
            if asked not in (None, inherited):
                raise UsageError(
                    f"`{name}` {asked}: the model of `init_from` has {inherited}, "
                    "which cannot be changed; leave the option out"
                )
        return request.with_options(**{name: getattr(config, name) for name in INHERITED_OPTIONS})

    def remapped(self, vocabulary: Vocabulary, fresh: Weights) -> Weights:
        """The model's weights, by name, rearranged for another vocabulary.

        `fresh` holds the initial weights of a new model for that vocabulary, which a symbol that
        this model has never seen gets. Raises UsageError if one vocabulary is made of bytes and the
        other of characters.
        """
        old = self.model.vocabulary
        if old.is_bytes != vocabulary.is_bytes:
            wanted = (
                "bytes: ask for `as_bytes`" if old.is_bytes else "characters: leave out `as_bytes`"
            )
            raise UsageError(f"`init_from` {self.initial.argument}: that model reads {wanted}")
        symbols = vocabulary.characters
        old_ids = old.encode(symbols.encode("latin-1") if old.is_bytes else symbols, "replace")
        known_ids = np.flatnonzero(old_ids != old.unknown_id)
        learned = old_ids[known_ids]
        weights = {name: self._learned(name, tensor) for name, tensor in fresh.items()}
        for name in ("embedding.weight", "decoder.weight", "decoder.bias"):
            if name in fresh:
                weights[name] = fresh[name].copy()  # (V, ...)
                weights[name][known_ids] = self.model.weights[name][learned]
        if self.model.config.embedding_size == 0:
            name = "rnn.weight_ih_l0"
            weights[name] = fresh[name].copy()  # (G*H, V)
            weights[name][:, known_ids] = self.model.weights[name][:, learned]
        return weights

    def _learned(self, name: str, fresh: NDArray[Any]) -> NDArray[Any]:
        """The model's tensor called `name`; `fresh`, that of a new model, where it has none.

        Counts of n-grams are those of the new text alone. What was learned of them is taken over if
        both count contexts of the same lengths.
        """
        if name in layout.NAMES:
            return fresh
        if name.startswith("experts."):
            learned = self.model.weights.get(name, fresh)
            return learned if learned.shape == fresh.shape else fresh
        return self.model.weights[name]

    def report(self, vocabulary: Vocabulary) -> str:
        """One line that says which symbols of `vocabulary` the model knows and which are new."""
        old = set(self.model.vocabulary.characters)
        new = [symbol for symbol in vocabulary.characters if symbol not in old]
        num_known = len(vocabulary) - len(new)
        num_unused = len(old) - num_known
        line = f"starts from {self.initial.argument}: "
        line += f"it knows {num_known} of {len(vocabulary)} symbols"
        if new:
            shown = " ".join(repr(symbol)[1:-1] for symbol in new[:MAX_NEW_SYMBOLS_SHOWN])
            line += f"; new: {shown}{' ...' if len(new) > MAX_NEW_SYMBOLS_SHOWN else ''}"
        return line + (f"; {num_unused} of its own are not in this text" if num_unused else "")


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
