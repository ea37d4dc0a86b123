r"""Escapes in an argument of the command line: \n, \t, \\, \xNN and \uNNNN."""

import re

from charrnn.errors import UsageError

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.?))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "\\": "\\"}
"""The character that an escape of one letter stands for, by that letter."""


def unescape(option: str, text: str) -> str:
    """Return `text`, the value of `option`, with the characters that its escapes stand for.

    Raises UsageError for a backslash that begins no escape.
    """

    def character_of(escape: re.Match[str]) -> str:
        code = escape[1] or escape[2]
        character = chr(int(code, 16)) if code else _PLAIN.get(escape[3])
        if character is None or "\ud800" <= character <= "\udfff":
            raise UsageError(
                f"{option} {text!r}: {escape[0]} is no escape; "
                r"--escape knows \n, \t, \\, \xNN and \uNNNN"
            )
        return character

    return _ESCAPE.sub(character_of, text)
