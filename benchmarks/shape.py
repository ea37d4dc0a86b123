"""What the benchmarks train: a model's sizes, and those of the windows that it learns from."""

from dataclasses import dataclass

from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig

VOCABULARY, EMBEDDING = 65, 64
"""Characters, as many as Tiny Shakespeare has, and the width of their embedding."""


@dataclass(frozen=True)
class Shape:
    """A recurrent stack, and windows of `batch_size` streams by `seq_len` characters."""

    cell: CellName
    num_layers: int
    hidden_size: int
    batch_size: int
    seq_len: int

    def __str__(self) -> str:
        return (
            f"{self.cell} {self.num_layers}x{self.hidden_size} B{self.batch_size} T{self.seq_len}"
        )

    def model(self, dropout: float = 0.0) -> ModelConfig:
        """The model's sizes, with the characters and the embedding that all benchmarks have."""
        return ModelConfig(
            vocab_size=VOCABULARY,
            cell=self.cell,
            num_layers=self.num_layers,
            hidden_size=self.hidden_size,
            embedding_size=EMBEDDING,
            dropout=dropout,
        )

    def characters(self) -> int:
        """Characters in a window, which one training step reads."""
        return self.batch_size * self.seq_len

    def flops(self) -> float:
        """Multiplications and additions of the recurrent stack in a training step.

        The backward pass has twice those of the forward pass.
        """
        inputs = EMBEDDING + (self.num_layers - 1) * self.hidden_size
        columns = inputs + self.num_layers * self.hidden_size
        weights = CELLS[self.cell].gates * self.hidden_size * columns
        return 3 * 2 * weights * self.characters()
