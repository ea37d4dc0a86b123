"""Everything charrnn raises on purpose, as one tree.

    CharRNNError              exit code 1: something failed, and it says what to do
    ├── UsageError            exit code 2: the words of the command (or call) are wrong
    ├── CorpusError           a text is missing, unreadable, not text, or too short
    ├── VocabularyError       a symbol that the model has never seen
    ├── CheckpointError       a model or training file is missing, damaged or not ours
    ├── NewerFormatError      a file was written by a later charrnn, whose format is unknown here
    ├── OutputError           a file or folder cannot be written
    └── RunError              a run exists already, is missing, or cannot be continued

Every message is one line that names the offending value and the way out. An option is called as
in Python, in backticks: `seq_len`. The command line puts the option's flag in its place.
"""

from collections.abc import Iterable


class CharRNNError(Exception):
    """A mistake or failure that is worth one clear line and no traceback."""

    exit_code = 1


class UsageError(CharRNNError):
    """An option is out of its range, or two options contradict each other."""

    exit_code = 2


class CorpusError(CharRNNError):
    """A text is missing, unreadable, not text, or too short to learn from."""


class VocabularyError(CharRNNError):
    """A symbol is not in the vocabulary."""


class CheckpointError(CharRNNError):
    """A model or training file is missing, damaged, or not one of ours."""


class NewerFormatError(CharRNNError):
    """A file was written by a later charrnn, in a version of its format that is unknown here."""


class OutputError(CharRNNError):
    """A file or folder cannot be written: no room, no permission, no such place."""


class RunError(CharRNNError):
    """A run exists already, is missing, or cannot be continued."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'animals'?`, for the end of a message; empty if nothing is like `name`."""
    from difflib import get_close_matches  # not needed where all is well

    alike = get_close_matches(name, list(known), n=1)
    return f"; did you mean {alike[0]!r}?" if alike else ""
