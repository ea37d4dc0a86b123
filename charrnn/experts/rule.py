"""What of a text's n-grams is kept: which contexts, which continuations, how many in all."""

from collections.abc import Iterator
from dataclasses import dataclass

LEVELS = 8
"""Classes of contexts by how often they were seen."""
KINDS = 4
"""Classes of contexts by the number of symbols that followed them: 1, 2, 3 or 4, more."""
BUCKETS = LEVELS * KINDS
"""How many buckets there are: a class of each sort. What a count is worth depends on both."""
MOST_ORDER = 16
"""Length of the longest contexts that may be counted."""
MOST_SYMBOLS = 65535
"""The largest vocabulary that contexts are counted of."""
LONG = 6
"""The shortest context that counts as long: what follows it is often what one person wrote once."""
LEAST_LONG = 2
"""How often a long context must have been seen for its continuations to be kept."""


@dataclass(frozen=True)
class Rule:
    """Which n-grams a table keeps. A context of length k is k symbols; the next continues it."""

    order: int
    """Length of the longest contexts."""
    min_count: int = 1
    """How often a continuation of a long context must have been seen to be kept."""
    private: bool = False
    """Whether continuations of all contexts, also the short ones, must have been seen twice."""
    most_bytes: int = 16_000_000
    """Bytes that the table may take in the model file; single symbols are kept in any case."""

    def least_contexts(self, raised: int) -> list[int]:
        """For each length from 0 to `order`: how often a context must have been seen.

        `raised` is what the whole table's size asks of every context.
        """
        lengths = range(1, self.order + 1)
        return [0, *(max(LEAST_LONG if k >= LONG else 0, raised) for k in lengths)]

    def least_continuations(self) -> list[int]:
        """For each length from 0 to `order`: how often a continuation must have been seen."""
        least = [1]
        for length in range(1, self.order + 1):
            least.append(self.min_count if length >= LONG else 1)
            if self.private:
                least[-1] = max(2, self.min_count)
        return least


def thresholds() -> Iterator[int]:
    """What is asked of contexts, one after another, until the table is small enough: 0, 2, 3, 4, 6,
    8, 12 and so on.
    """
    yield from (0, 2, 3)
    power = 4
    while True:
        yield from (power, power + power // 2)
        power *= 2
