"""The counts of one training text, made when they are first needed and kept for all who need them.

Counting takes a second for a few million symbols. A plan, the models that are timed for it, and
the run that follows share what was counted.
"""

from dataclasses import replace

from charrnn.corpus.progress import Meter, Report, silent
from charrnn.corpus.split import Split
from charrnn.experts.counted_text import CountedText
from charrnn.experts.counting import count
from charrnn.experts.rule import Rule
from charrnn.experts.table import Table

TASK = "counting n-grams"
"""What a progress bar calls it."""


class TextCounts:
    """Tables of the n-grams of one training split, by the rule of what they keep."""

    def __init__(self, split: Split, report: Report = silent) -> None:
        """`report` hears how far counting has come, if it takes long."""
        self._split = split
        self._report = report
        self._tables: dict[Rule, Table] = {}
        self._whole: dict[Rule, int] = {}  # rule without an order -> the longest of a whole table

    def table(self, vocab_size: int, rule: Rule) -> Table | None:
        """The table of the split, which has `vocab_size` symbols; None if the rule keeps nothing.

        It is the same whether other tables were made before it or not.
        """
        if rule.order == 0:
            return None
        if rule not in self._tables:
            self._tables[rule] = self._shortened(rule) or self._counted(vocab_size, rule)
        return self._tables[rule]

    def _shortened(self, rule: Rule) -> Table | None:
        """A table of longer contexts without these, if nothing else was left out of it."""
        longest = self._whole.get(replace(rule, order=0), 0)
        if longest <= rule.order:
            return None
        return self._tables[replace(rule, order=longest)].shortened(rule.order)

    def _counted(self, vocab_size: int, rule: Rule) -> Table:
        text = CountedText.of(self._split, vocab_size)
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
        return table
