"""What a model is made of: the sizes that fix the shape of every parameter. No torch here."""

from dataclasses import dataclass
from typing import Literal, get_args

from charrnn.errors import UsageError

CellName = Literal["rnn", "gru", "lstm"]
CELL_NAMES: tuple[CellName, ...] = get_args(CellName)

GATES: dict[CellName, int] = {"rnn": 1, "gru": 3, "lstm": 4}
"""Blocks of H rows in each weight matrix. Torch's order: rnn h; gru r, z, n; lstm i, f, g, o."""

STATES: dict[CellName, tuple[str, ...]] = {"rnn": ("h",), "gru": ("h",), "lstm": ("h", "c")}
"""The arrays that a cell carries from one step to the next, each of shape (L, B, H)."""


@dataclass(frozen=True)
class ModelConfig:
    """The architecture. Raises UsageError, naming the option, for a size out of range."""

    vocab_size: int
    """V: symbols the model reads and writes."""
    cell: CellName = "gru"
    """Which recurrence: rnn (tanh), gru or lstm."""
    num_layers: int = 1
    """L: recurrent layers on top of each other."""
    hidden_size: int = 384
    """H: units in each layer."""
    embedding_size: int = 64
    """E: width of a learned linear embedding of the one-hot input; 0 feeds the one-hot itself."""
    dropout: float = 0.15
    """Fraction of units dropped between layers and before the decoder, while training."""
    weight_drop: float = 0.0
    """Fraction of recurrent weights dropped for a whole window, while training (Merity et al. 2018,
    "Regularizing and optimizing LSTM language models")."""

    def __post_init__(self) -> None:
        if self.cell not in CELL_NAMES:
            raise UsageError(f"--cell {self.cell!r}: choose one of {', '.join(CELL_NAMES)}")
        for option, value, least, most in (
            ("vocab-size", self.vocab_size, 1, 0x110000),
            ("num-layers", self.num_layers, 1, 64),
            ("hidden-size", self.hidden_size, 1, 65536),
            ("embedding-size", self.embedding_size, 0, 65536),
        ):
            if type(value) is not int or not least <= value <= most:
                raise UsageError(
                    f"--{option} {value}: must be a whole number from {least} to {most}"
                )
        for option, fraction in (("dropout", self.dropout), ("weight-drop", self.weight_drop)):
            if not 0.0 <= fraction < 1.0:
                raise UsageError(f"--{option} {fraction:g}: must be at least 0 and below 1")

    @property
    def input_size(self) -> int:
        """Width of what the first layer reads: E with an embedding, V without."""
        return self.embedding_size or self.vocab_size

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter's name and shape, in the order that the model creates them."""
        rows = GATES[self.cell] * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {}
        if self.embedding_size:
            shapes["embedding.weight"] = (self.vocab_size, self.embedding_size)
        for layer in range(self.num_layers):
            columns = self.input_size if layer == 0 else self.hidden_size
            shapes[f"rnn.weight_ih_l{layer}"] = (rows, columns)
            shapes[f"rnn.weight_hh_l{layer}"] = (rows, self.hidden_size)
            shapes[f"rnn.bias_ih_l{layer}"] = (rows,)
            shapes[f"rnn.bias_hh_l{layer}"] = (rows,)
        shapes["decoder.weight"] = (self.vocab_size, self.hidden_size)
        shapes["decoder.bias"] = (self.vocab_size,)
        return shapes

    def num_parameters(self) -> int:
        """How many numbers the model learns."""
        total = 0
        for shape in self.parameter_shapes().values():
            count = 1
            for size in shape:
                count *= size
            total += count
        return total
