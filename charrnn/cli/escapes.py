r"""Escapes in an argument: \n, \t, \\, \xNN and \uNNNN."""

import re

from charrnn.errors import UsageError

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.?))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "\\": "\\"}


def unescape(option: str, text: str) -> str:
    """Return `text` with its escapes resolved. Raises UsageError for what is none."""

    def resolved(found: re.Match[str]) -> str:
        code = found[1] or found[2]
        character = chr(int(code, 16)) if code else _PLAIN.get(found[3])
        if character is None or "\ud800" <= character <= "\udfff":
            raise UsageError(
                f"{option} {text!r}: {found[0]} is no escape; "
                r"--escape knows \n, \t, \\, \xNN and \uNNNN"
            )
        return character

    return _ESCAPE.sub(resolved, text)
