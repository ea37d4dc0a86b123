"""How the bytes of files become symbols. No numpy."""

import codecs
from dataclasses import dataclass
from typing import Literal

from charrnn.errors import UsageError
from charrnn.options import COUNT, check_options, option

TEXT = "Text"


def _known_encoding(name: str) -> str:
    """Python's name for an encoding; raise UsageError if it is none, or no encoding of text."""
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError, UnicodeError) as error:
        raise UsageError(
            f"`encoding` {name}: no such text encoding; for example utf-8, latin-1, utf-16, cp1252"
        ) from error
    return codecs.lookup(name).name


@dataclass(frozen=True)
class TextConfig:
    """How bytes become symbols. Raises UsageError, naming the option."""

    as_bytes: bool = option(
        False, "Learn bytes instead of characters, whatever they mean.", TEXT, flags=("--bytes",)
    )
    encoding: str = option(
        "utf-8",
        "Encoding of the text: any that Python knows, such as latin-1, utf-16 or cp1252.",
        TEXT,
        "NAME",
        check=_known_encoding,
    )
    normalize: Literal["NFC"] | None = option(
        None, "NFC composes letters and their accents; left out, the text stays as it is.", TEXT
    )
    min_count: int = option(
        1,
        "Characters that occur less often than this become U+FFFD, the replacement character.",
        TEXT,
        "N",
        within=COUNT,
    )
    include: tuple[str, ...] = option(
        (),
        "Take only files in folders that match the pattern, such as '*.c'; may be given again.",
        TEXT,
        "PATTERN",
    )
    exclude: tuple[str, ...] = option(
        (),
        "Leave out files and folders in folders that match the pattern; may be given again.",
        TEXT,
        "PATTERN",
    )

    def __post_init__(self) -> None:
        check_options(self)
        object.__setattr__(self, "encoding", _known_encoding(self.encoding))
        if self.as_bytes:
            for other, given in (
                ("encoding", self.encoding != "utf-8"),
                ("normalize", self.normalize is not None),
                ("min_count", self.min_count != 1),
            ):
                if given:
                    raise UsageError(f"`as_bytes` and `{other}` contradict each other: give one")
