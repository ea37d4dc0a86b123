"""Options read without pydantic, whose import would take a third of the time of a short command.

Typer asks a parameter for a converter when the command runs, and makes every one with pydantic.
The plain kinds that this command line is made of are converted here; whatever is not plain, a
mistake among it, still goes to Typer's own, which also words the error.
"""

from collections.abc import Callable
from enum import Enum
from functools import partialmethod
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperArgument, TyperOption

UNKNOWN = object()


class QuickConverter:
    """Stands in for Typer's converter of one parameter."""

    def __init__(self, parameter: Any, own: Callable[[Any], Any]) -> None:
        self._own = own
        descriptor = parameter.type_descriptor
        self._parser = descriptor.parameter_info.parser
        self._annotation = descriptor.annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return `value`, a string or a default, as what the command expects."""
        known = UNKNOWN
        if param.multiple and self._parser is None:
            known = self._listed(value)
        elif param.nargs == 1 and not param.multiple:
            known = self._converted(value)
        return self._own(param).coerce(value, param=param, ctx=ctx) if known is UNKNOWN else known

    def _listed(self, value: Any) -> Any:
        of_strings = list[str] in (self._annotation, *get_args(self._annotation))
        if value is None:
            return None
        if of_strings and all(type(each) is str for each in value):
            return list(value)
        return UNKNOWN

    def _converted(self, value: Any) -> Any:
        annotation = self._annotation
        if value is None:
            return None
        if self._parser is not None:
            return self._parser(value)
        if annotation is str and type(value) is str:
            return value
        if get_origin(annotation) is Literal and value in get_args(annotation):
            return value
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            if isinstance(value, annotation):
                return value
            if value in {member.value for member in annotation}:
                return annotation(value)
        return UNKNOWN


def use_quick_converters() -> None:
    """From here on, every option and argument of Typer's is converted quickly if it can be."""
    for kind in (TyperOption, TyperArgument):
        own = getattr(kind, "get_runtime_param", None)
        if own is not None:  # another Typer, which may do without pydantic
            kind.get_runtime_param = partialmethod(QuickConverter, own)  # type: ignore[method-assign,assignment]
