"""Converting the values of options without pydantic, whose import is slow.

Typer converts the value of each option with pydantic when a command runs. With pydantic,
`charrnn sample -n 1 -q` takes 0.36 s of CPU time, without it 0.27 s; `charrnn --help`, which
converts nothing, takes 0.21 s either way (medians of 15 runs, Typer 0.29, two cores of a Xeon).
So the kinds of values that this command line has are converted here, and a word that is none of an
option's is refused, which pydantic words for programmers. Every other value still goes to Typer.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partialmethod
from typing import Any, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperOption

from charrnn.errors import did_you_mean

LEFT_TO_TYPER = object()
"""Stands for a value that is not converted here."""


class QuickConverter:
    """Stands in for Typer's converter of one parameter of a command."""

    def __init__(self, parameter: Any, typer_converter: Callable[[Any], Any]) -> None:
        self._typer_converter = typer_converter
        descriptor = parameter.type_descriptor
        self._parser = descriptor.parameter_info.parser
        self._annotation = descriptor.annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return `value`, a string or a default, as what the command expects."""
        converted = LEFT_TO_TYPER
        if param.multiple and self._parser is None:
            converted = self._convert_list(value)
        elif param.nargs == 1 and not param.multiple:
            converted = self._convert(value)
        if converted is LEFT_TO_TYPER:
            return self._typer_converter(param).coerce(value, param=param, ctx=ctx)
        return converted

    def _convert_list(self, value: Any) -> Any:
        """Convert the values of an option that may be given several times."""
        holds_strings = list[str] in (self._annotation, *get_args(self._annotation))
        if value is None:
            return None
        if holds_strings and all(type(element) is str for element in value):
            return list(value)
        return LEFT_TO_TYPER

    def _convert(self, value: Any) -> Any:
        """Convert the value of an option that is given once."""
        annotation = self._annotation
        if value is None:
            return None
        if self._parser is not None:
            return self._parser(value)
        if annotation is str and type(value) is str:
            return value
        if get_origin(annotation) is Literal:
            return _checked_choice(value, get_args(annotation))
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            if isinstance(value, annotation):
                return value
            return annotation(_checked_choice(value, [member.value for member in annotation]))
        return LEFT_TO_TYPER


def _checked_choice(value: str, choices: Sequence[str]) -> str:
    """Return `value`; raise BadParameter if it is none of `choices`."""
    if value not in choices:
        meant = did_you_mean(value, choices)
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(choices)}{meant}")
    return value


def use_quick_converters() -> None:
    """From here on, the value of each option and argument is converted quickly if it can be."""
    for kind in (TyperOption, TyperArgument):
        typer_converter = getattr(kind, "get_runtime_param", None)
        if typer_converter is not None:  # None in another Typer, which may do without pydantic
            kind.get_runtime_param = partialmethod(QuickConverter, typer_converter)  # type: ignore[method-assign,assignment]
