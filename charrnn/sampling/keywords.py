"""The keywords of Model.generate.

Made from the option declarations by `make generate`; not edited by hand.
"""

from collections.abc import Sequence
from typing import TypedDict


class SamplingKeywords(TypedDict, total=False):
    """The keywords of Model.generate."""

    seed: int | str | None
    """Seed of the random numbers: the same seed gives the same text on every machine. Default:
    random."""
    temperature: float | None
    """Number that the logits are divided by: below 1 the text is safer, above 1 wilder; 0 always
    takes the likeliest character. Default: 0.8."""
    top_k: int | str | None
    """Choose only among the K likeliest characters; 0: among all. Default: 0."""
    top_p: float | None
    """Choose only among the likeliest characters that together have probability P; 1: among all.
    Default: 1."""
    min_p: float | None
    """Choose only among the characters with at least P times the probability of the likeliest;
    0: among all. Default: 0."""
    forbid: str | None
    """Characters that are never written."""
    length: int | str | None
    """Most new characters of a text; -1: no end. Default: 1000, or 1000 for each of --lines."""
    stop: str | Sequence[str] | None
    """End the text before STRING; may be given again."""
    keep_stop: bool | None
    """End the text behind the --stop string instead of before it."""
    lines: int | str | None
    """End the text after N newlines."""
    match: str | None
    """Write only what matches the whole of a regular expression, in Python's syntax but for
    lookaround, back-references and conditions, atomic groups and possessive repeats, and
    anchors or word boundaries inside it; Python has no [[:alpha:]]."""
