"""The counts of one training text, made when they are first needed and kept for all who need them.

Counting takes a second for a few million symbols. A plan, the models that are timed for it, and
the run that follows share what was counted.
"""

from dataclasses import dataclass, replace

from charrnn.corpus.progress import Meter, Report, silent
from charrnn.corpus.split import Split
from charrnn.experts.counted_text import BLOCKS, MOST_COUNTED, CountedText
from charrnn.experts.counting import count
from charrnn.experts.rule import Rule
from charrnn.experts.table import Table

TASK = "counting n-grams"
"""What a progress bar calls it."""


@dataclass(frozen=True, eq=False)
class _Counted:
    """A table, and what was left out of it."""

    table: Table
    num_counted: int
    """How many symbols of the split were counted."""
    raised: int
    """How often every context must have been seen, so that the table is no larger than its rule
    allows; 0: as often as the rule says itself."""


class TextCounts:
    """Tables of the n-grams of one training split, by the rule of what they keep."""

    def __init__(self, split: Split, report: Report = silent, most: int = MOST_COUNTED) -> None:
        """`report` hears how far counting has come, if it takes long. About `most` symbols are
        counted.
        """
        self._split = split
        self._report = report
        self._most = most
        self._counted: dict[Rule, _Counted] = {}
        self._whole: dict[Rule, int] = {}  # rule without an order -> the longest of a whole table

    def table(self, vocab_size: int, rule: Rule) -> Table | None:
        """The table of the split, which has `vocab_size` symbols; None if the rule keeps nothing.

        It is the same whether other tables were made before it or not.
        """
        if rule.order == 0:
            return None
        if rule not in self._counted:
            self._counted[rule] = self._shortened(rule) or self._count(vocab_size, rule)
        return self._counted[rule].table

    def notes(self, rule: Rule) -> tuple[str, ...]:
        """What is left out of the table by `rule`, which was made before, and why, for the user."""
        if rule.order == 0:
            return ()
        counted, total = self._counted[rule], len(self._split)
        notes = []
        if counted.num_counted < total:
            notes.append(
                f"a long text: of its {total:,} characters to train on, the n-grams of "
                f"{counted.num_counted:,} are counted, in {BLOCKS} parts spread over it"
            )
        if counted.raised:
            notes.append(
                f"contexts of n-grams that occur less than {counted.raised} times are left out, "
                f"for the counts to take {rule.most_bytes:,} bytes (`ngram_size`) at most"
            )
        return tuple(notes)

    def _shortened(self, rule: Rule) -> _Counted | None:
        """A table of longer contexts without these, if nothing else was left out of it."""
        longest = self._whole.get(replace(rule, order=0), 0)
        if longest <= rule.order:
            return None
        longer = self._counted[replace(rule, order=longest)]
        return replace(longer, table=longer.table.shortened(rule.order))

    def _count(self, vocab_size: int, rule: Rule) -> _Counted:
        text = CountedText.of(self._split, vocab_size, self._most)
        meter = Meter(TASK, len(text.symbols), self._report)
        done = 0

        def advance(share: float) -> None:
            nonlocal done
            now = int(share * len(text.symbols))
            meter.advance(max(0, now - done))
            done = max(done, now)

        table, raised = count(text, rule, report=advance)
        meter.finish()
        if raised == 0:
            self._whole[replace(rule, order=0)] = rule.order
        return _Counted(table, text.num_counted, raised)
