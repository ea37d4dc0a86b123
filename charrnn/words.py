"""Numbers of things in words, for every message that counts something."""


def counted(number: float, noun: str) -> str:
    """`1 step`, `2,000 steps`: a number with its noun, which gets an s unless it is one.

    A whole number is written out, any other with three digits.
    """
    shown = f"{number:,}" if isinstance(number, int) else f"{number:.3g}"
    return f"{shown} {noun}" if shown == "1" else f"{shown} {noun}s"
