"""What people type: numbers such as 10k and 5M, times such as 90s and 2h, text in UTF-8."""

import os
from decimal import Decimal

import typer

MOST_DIGITS = 25
"""Digits of the largest whole number that is read; every option's range is far smaller."""
_SIZES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_DURATIONS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str | int) -> int:
    """`10k` -> 10000; also M and G, in either case, and negative numbers. A default passes too."""
    digits, unit = _parted(str(text).lower())
    try:
        size = Decimal(digits) * _SIZES[unit]  # exact, where a float would round 2**53 + 1
        if not size.is_finite() or size.adjusted() > MOST_DIGITS or size != size.to_integral():
            raise ValueError
    except (KeyError, ValueError, ArithmeticError) as error:
        raise typer.BadParameter(
            f"{text!r} is not a whole number such as 500, 10k or 5M"
        ) from error
    return int(size)


def parse_number(text: str | float) -> float:
    """`0.8` -> 0.8. A default passes too."""
    try:
        return float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a number") from error


def parse_duration(text: str) -> float:
    """`90s`, `5m`, `2h` -> seconds; a bare number is seconds."""
    digits, unit = _parted(text.lower())
    try:
        return float(digits) * _DURATIONS[unit]
    except (KeyError, ValueError) as error:
        raise typer.BadParameter(f"{text!r} is not a time such as 90s, 5m or 2h") from error


def parse_text(argument: str) -> str:
    """An argument as UTF-8, whatever the locale says."""
    try:
        return os.fsencode(argument).decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{argument!r} is not UTF-8") from error


def format_duration(seconds: float) -> str:
    """75.2 -> `1m 15s`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s"


def format_count(count: float) -> str:
    """547585 -> `548k`, 2000000 -> `2M`; fewer than a thousand as they are."""
    if count >= 999_500:
        return f"{count / 1e6:.1f}".removesuffix(".0") + "M"
    return f"{count / 1e3:.0f}k" if count >= 1000 else f"{count:.0f}"


def _parted(text: str) -> tuple[str, str]:
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    return digits, text[len(digits) :].strip()
