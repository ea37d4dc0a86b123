"""What a model is made of: the sizes that fix the shape of every parameter. No torch here."""

import math
from dataclasses import dataclass

from charrnn.errors import UsageError
from charrnn.experts.rule import BUCKETS, LONG, MOST_ORDER, MOST_SYMBOLS, Rule
from charrnn.model.cells import CELLS, CellName, Shapes
from charrnn.options import BY_PLAN, Range, check_options, option

MODEL = "Model"
"""Heading of the model's options in help and docs/options.md."""


@dataclass(frozen=True)
class ModelConfig:
    """A model's architecture. Raises UsageError, naming the option, for a size out of range."""

    vocab_size: int
    """V: number of distinct symbols that the model reads and writes."""
    cell: CellName = option(
        "gru",
        "Recurrent cell of every layer. gru applies its reset gate after the recurrent product, as "
        "cuDNN does, gru-cho before it.",
        MODEL,
    )
    num_layers: int = option(
        1, "Recurrent layers, each reading the one below.", MODEL, "L", within=Range(1, most=64)
    )
    hidden_size: int = option(
        384,
        "Units in each layer.",
        MODEL,
        "H",
        within=Range(1, most=65536),
        default_words=BY_PLAN,
    )
    embedding_size: int = option(
        64,
        "Width of the learned linear embedding of the one-hot input; 0 feeds the one-hot "
        "vectors themselves.",
        MODEL,
        "E",
        within=Range(0, most=65536),
    )
    dropout: float = option(
        0.15,
        "Probability with which the output of a unit is left out at a step, between layers and "
        "before the decoder; in training only.",
        MODEL,
        "P",
        within=Range(0, below=1),
        default_words=BY_PLAN,
    )
    weight_drop: float = option(
        0.0,
        "Probability with which each recurrent weight is left out for one window, while the others "
        "are scaled up; in training only (Merity et al. 2018).",
        MODEL,
        "P",
        within=Range(0, below=1),
        default_words=BY_PLAN,
    )
    ngram_order: int = option(
        0,
        "Length of the longest contexts of which it is counted what follows them in the text: "
        "n-gram experts, which share in every prediction; 0: the net alone.",
        MODEL,
        "N",
        within=Range(0, most=MOST_ORDER),
        default_words=BY_PLAN,
    )
    ngram_dropout: float = option(
        0.0,
        "Probability with which the n-gram experts are left out of a stream for one window, so "
        "that the net learns to do without them, too; in training only.",
        MODEL,
        "P",
        within=Range(0, most=1),
        only_with_some="ngram_order",
        default_words=BY_PLAN,
    )
    ngram_size: int = option(
        16_000_000,
        "Bytes that the counts of n-grams may take in the model file; what was seen most rarely is "
        "left out.",
        MODEL,
        "BYTES",
        within=Range(10_000, most=2**31 - 1),
        only_with_some="ngram_order",
        default_words="16M",
    )
    ngram_min_count: int = option(
        1,
        f"How often a symbol must have followed a context of {LONG} symbols or more for that to be "
        "kept in the model file.",
        MODEL,
        "N",
        within=Range(1, most=10**6),
        only_with_some="ngram_order",
    )
    private: bool = option(
        False,
        "Keep of no context, however short, what followed it only once in the text.",
        MODEL,
        only_with_some="ngram_order",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if type(self.vocab_size) is not int or not 1 <= self.vocab_size <= 0x110000:
            raise UsageError(
                f"vocab_size {self.vocab_size}: must be a whole number from 1 to {0x110000}"
            )
        if self.ngram_order and self.vocab_size > MOST_SYMBOLS:
            raise UsageError(
                f"`ngram_order` {self.ngram_order}: n-grams are counted of {MOST_SYMBOLS:,} "
                f"distinct characters at most, and this text has {self.vocab_size:,}; leave it out"
            )

    @property
    def input_size(self) -> int:
        """Numbers in what the first layer reads at a step: E with an embedding, V without."""
        return self.embedding_size or self.vocab_size

    def parameter_shapes(self) -> Shapes:
        """The shape of every parameter by name, in the order in which the model creates them."""
        cell = CELLS[self.cell]
        rows = cell.gates * self.hidden_size
        shapes: Shapes = {}
        if self.embedding_size:
            shapes["embedding.weight"] = (self.vocab_size, self.embedding_size)
        for layer in range(self.num_layers):
            columns = self.input_size if layer == 0 else self.hidden_size
            layer_shapes: Shapes = {"weight_ih": (rows, columns), "bias_ih": (rows,)}
            layer_shapes |= cell.recurrent_shapes(self.hidden_size)
            # As in torch's own modules, matrices come before biases.
            for name, shape in sorted(layer_shapes.items(), key=lambda item: -len(item[1])):
                shapes[f"rnn.{name}_l{layer}"] = shape
        shapes["decoder.weight"] = (self.vocab_size, self.hidden_size)
        shapes["decoder.bias"] = (self.vocab_size,)
        if self.ngram_order:
            shapes["experts.weight"] = (self.ngram_order, BUCKETS)
            shapes["experts.log_offset"] = (self.ngram_order, BUCKETS)
            shapes["experts.gate"] = (self.ngram_order, self.hidden_size)
        return shapes

    @property
    def ngram_rule(self) -> Rule:
        """Which n-grams the model keeps."""
        return Rule(self.ngram_order, self.ngram_min_count, self.private, self.ngram_size)

    def num_parameters(self) -> int:
        """How many numbers the model learns."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values())
