"""What people type on a command line, as values: numbers such as 10k, times such as 90s, text."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from charrnn import quantities


def parse_size(text: str | int) -> int:
    """`10k` -> 10000; a number is returned as it is, since Typer hands defaults over too.

    Raises BadParameter for what is not a whole number.
    """
    with _bad_parameter():
        return quantities.parse_size(str(text))


def parse_number(text: str | float) -> float:
    """`0.8` -> 0.8; a number is returned as it is. Raises BadParameter for what is no number."""
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a number") from error


def parse_duration(text: str | float) -> float:
    """`90s`, `5m`, `2h`, `1d` or a number of seconds -> seconds. Raises BadParameter for others."""
    with _bad_parameter():
        return quantities.parse_duration(str(text))


def parse_text(argument: str) -> str:
    """An argument's bytes as UTF-8, whatever the locale says. Raises BadParameter for others."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{argument!r} is not UTF-8") from error


def format_duration(seconds: float) -> str:
    """75.2 -> `1m 15s`, 180 -> `3m`, 12.04 -> `12s`, 7200 -> `2h`."""
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m {rest}s" if rest else f"{minutes}m"


def format_count(count: float) -> str:
    """547585 -> `548k`, 2000000 -> `2M`, 999 -> `999`."""
    if count >= 999_500:
        return f"{count / 1e6:.1f}".removesuffix(".0") + "M"
    return f"{count / 1e3:.0f}k" if count >= 1000 else f"{count:.0f}"


@contextmanager
def _bad_parameter() -> Iterator[None]:
    """What is wrong with a value becomes Typer's error, which names the option."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
