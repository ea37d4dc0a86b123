"""What a model of a text should beat: guesses by how often each symbol occurs, and a compressor."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Marks:
    """What a symbol of a text costs without a model, in bits, by the text's first symbols."""

    order0_bits: float
    """The entropy of a symbol given nothing before it: what guesses by frequency cost."""
    compressed_bits: float
    """What the best compressor needs."""
    compressor: Literal["bz2", "xz"] = "bz2"
    """Which compressor that is."""
