"""Numbers and times as people write them: 10k, 5M, 90s, 2h."""

from collections.abc import Mapping
from decimal import Decimal

DURATIONS: Mapping[str, float] = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds in each unit that a time can be written in."""
MAX_EXPONENT = 25
"""Largest power of ten in a whole number that is read; the range of every option is far smaller."""
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
"""What a number is multiplied by, by the letter behind it."""


def parse_size(text: str) -> int:
    """`10k` -> 10000; k, M and G in either case, after a number of either sign.

    Raises ValueError, with a message for the user, for what is not a whole number.
    """
    digits, unit = _split_unit(text)
    try:
        size = Decimal(digits) * _FACTORS[unit]  # exact, where a float would round 2**53 + 1
        if not size.is_finite() or size.adjusted() > MAX_EXPONENT or size != size.to_integral():
            raise ValueError
    except (KeyError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{text!r} is not a whole number such as 500, 10k or 5M") from error
    return int(size)


def parse_duration(text: str) -> float:
    """`90s`, `5m`, `2h`, `1d` or a number of seconds -> seconds.

    Raises ValueError, with a message for the user, for what is not a time.
    """
    digits, unit = _split_unit(text)
    try:
        return float(digits) * DURATIONS[unit or "s"]
    except (KeyError, ValueError) as error:
        raise ValueError(f"{text!r} is not a time such as 90s, 5m or 2h") from error


def _split_unit(text: str) -> tuple[str, str]:
    """`5 M` -> (`5`, `m`); the unit is empty where no letters stand behind the number."""
    lower = text.lower()
    digits = lower.rstrip("abcdefghijklmnopqrstuvwxyz ")
    return digits, lower[len(digits) :].strip()
