"""How text is drawn from a model.

The filters apply in llama.cpp's order: symbols that are forbidden are out; then top_k, top_p and
min_p, each on what the one before it left, made to sum to 1 again, and at temperature 1; then the
temperature; then the draw. Greedy choice (temperature 0) knows only what is forbidden.
"""

from dataclasses import dataclass

from charrnn.errors import UsageError
from charrnn.options import Range, check_options, option

ENDLESS = -1
"""The length of a text without end."""
MOST_SAMPLES = 4096
LENGTH = 1000
"""New characters of a sample, or of each of its lines where lines are counted, unless told
otherwise."""

CHOICE = "Which character comes next"
END = "Where a text ends"
TEXTS = "The texts"


@dataclass(frozen=True)
class SamplingConfig:
    """Raises UsageError, naming the option, for a value out of range."""

    seed: int = option(
        0,
        "Seed of the random numbers: the same seed gives the same text on every machine.",
        CHOICE,
        "N",
        within=Range(0, most=2**64 - 1),
        default_words="random",
    )
    temperature: float = option(
        0.8,
        "Number that the logits are divided by: below 1 the text is safer, above 1 wilder; 0 "
        "always takes the likeliest character.",
        CHOICE,
        "T",
        within=Range(0),
        flags=("--temp", "-t", "--temperature"),
    )
    top_k: int = option(
        0,
        "Choose only among the K likeliest characters; 0: among all.",
        CHOICE,
        "K",
        within=Range(0, most=2**31 - 1),
    )
    top_p: float = option(
        1.0,
        "Choose only among the likeliest characters that together have probability P; "
        "1: among all.",
        CHOICE,
        "P",
        within=Range(above=0, most=1),
    )
    min_p: float = option(
        0.0,
        "Choose only among the characters with at least P times the probability of the likeliest; "
        "0: among all.",
        CHOICE,
        "P",
        within=Range(0, most=1),
    )
    forbid: str = option("", "Characters that are never written.", CHOICE, "CHARS")
    length: int = option(
        LENGTH,
        "Most new characters of a text; -1: no end.",
        END,
        "N",
        within=Range(ENDLESS, most=2**62),
        flags=("--length", "-n"),
        default_words=f"{LENGTH}, or {LENGTH} for each of --lines",
    )
    stop: tuple[str, ...] = option(
        (), "End the text before STRING; may be given again.", END, "STRING"
    )
    keep_stop: bool = option(
        False, "End the text behind the --stop string instead of before it.", END
    )
    lines: int | None = option(
        None, "End the text after N newlines.", END, "N", within=Range(1, most=2**31 - 1)
    )
    match: str | None = option(
        None,
        "Write only what matches the whole of a regular expression, in Python's syntax but for "
        "lookaround, back-references and conditions, atomic groups and possessive repeats, and "
        "anchors or word boundaries inside it; Python has no [[:alpha:]].",
        END,
        "REGEX",
    )
    samples: int = option(
        1,
        "Texts that are written side by side, each with random numbers of its own.",
        TEXTS,
        "N",
        within=Range(1, most=MOST_SAMPLES),
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.samples > 1 and self.length == ENDLESS:
            raise UsageError(f"`samples` {self.samples}: texts without end need one command each")
        if "" in self.stop:
            raise UsageError("`stop` '': an empty string is everywhere; give it a character")
        if self.keep_stop and not self.stop:
            raise UsageError("`keep_stop`: there is no `stop` to keep")

    def may_end(self) -> bool:
        """Whether a text ends at all: by its length, a stop string, its lines or its match."""
        has_limit = self.stop or self.lines is not None or self.match is not None
        return self.length != ENDLESS or bool(has_limit)
