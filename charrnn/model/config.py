"""What a model is made of: the sizes that fix the shape of every parameter. No torch here."""

from dataclasses import dataclass

from charrnn.errors import UsageError
from charrnn.model.cells import CELLS, CellName, Shapes


@dataclass(frozen=True)
class ModelConfig:
    """The architecture. Raises UsageError, naming the option, for a size out of range."""

    vocab_size: int
    """V: symbols the model reads and writes."""
    cell: CellName = "gru"
    """Which recurrence: a name of CELLS."""
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
        if self.cell not in tuple(CELLS):  # a tuple: a file may hold anything here
            raise UsageError(f"--cell {self.cell!r}: choose one of {', '.join(CELLS)}")
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

    def parameter_shapes(self) -> Shapes:
        """Every parameter's name and shape, in the order that the model creates them."""
        cell = CELLS[self.cell]
        rows = cell.gates * self.hidden_size
        shapes: Shapes = {}
        if self.embedding_size:
            shapes["embedding.weight"] = (self.vocab_size, self.embedding_size)
        for layer in range(self.num_layers):
            columns = self.input_size if layer == 0 else self.hidden_size
            of_layer: Shapes = {"weight_ih": (rows, columns), "bias_ih": (rows,)}
            of_layer |= cell.recurrent_shapes(self.hidden_size)
            for name, shape in sorted(of_layer.items(), key=lambda item: -len(item[1])):
                shapes[f"rnn.{name}_l{layer}"] = shape  # torch's order: matrices before biases
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
