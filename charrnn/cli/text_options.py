"""The options that say how text is read, the same for every command that reads some."""

from typing import Annotated, Literal

import typer

from charrnn.cli.arguments import parse_size

TEXT = "Text"

AsBytesOption = Annotated[
    bool,
    typer.Option("--bytes", help="Learn bytes, whatever they mean.", rich_help_panel=TEXT),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="latin-1, utf-16, cp1252 and so on.",
        show_default="utf-8",
        rich_help_panel=TEXT,
    ),
]
NormalizeOption = Annotated[
    Literal["NFC"] | None,
    typer.Option(help="NFC composes letters and accents.", rich_help_panel=TEXT),
]
MinCountOption = Annotated[
    int | None,
    typer.Option(
        parser=parse_size,
        metavar="N",
        help="Characters that occur less often become U+FFFD.",
        show_default="1",
        rich_help_panel=TEXT,
    ),
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="In folders, take only files such as '*.c'; may be given again.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="In folders, leave out such files and folders.",
        show_default=False,
        rich_help_panel=TEXT,
    ),
]
