"""What people type on a command line, as values: numbers such as 10k, times such as 90s, text."""

import os
from decimal import Decimal

import typer

from charrnn.options import DURATIONS

MAX_EXPONENT = 25
"""Largest power of ten in a whole number that is read; the range of every option is far smaller."""
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
"""What a number is multiplied by, by the letter behind it."""


def parse_size(text: str | int) -> int:
    """`10k` -> 10000; k, M and G in either case, after a number of either sign.

    A number is returned as it is, since Typer hands defaults over too. Raises BadParameter for what
    is not a whole number.
    """
    digits, unit = _split_unit(str(text).lower())
    try:
        size = Decimal(digits) * _FACTORS[unit]  # exact, where a float would round 2**53 + 1
        if not size.is_finite() or size.adjusted() > MAX_EXPONENT or size != size.to_integral():
            raise ValueError
    except (KeyError, ValueError, ArithmeticError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a whole number such as 500, 10k or 5M"
        ) from error
    return int(size)


def parse_number(text: str | float) -> float:
    """`0.8` -> 0.8; a number is returned as it is. Raises BadParameter for what is no number."""
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a number") from error


def parse_duration(text: str | float) -> float:
    """`90s`, `5m`, `2h`, `1d` or a number of seconds -> seconds. Raises BadParameter for others."""
    digits, unit = _split_unit(str(text).lower())
    try:
        return float(digits) * DURATIONS[unit or "s"]
    except (KeyError, ValueError) as error:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 5m or 2h") from error


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


def _split_unit(text: str) -> tuple[str, str]:
    """`5 m` -> (`5`, `m`); the unit is empty where no letters stand behind the number."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    return digits, text[len(digits) :].strip()
