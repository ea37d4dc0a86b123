"""Declared options as parameters of a Typer command, so that no command declares them again."""

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import typer

from charrnn.cli.arguments import parse_duration, parse_number, parse_size
from charrnn.options import AUTO, Declaration, declarations

Command = TypeVar("Command", bound=Callable[..., None])


def with_options(
    *configs: type,
    only: Collection[str] | None = None,
    leave_out: Collection[str] = (),
    defaults: Mapping[str, str] | None = None,
) -> Callable[[Command], Command]:
    """Give a command the options that the dataclasses `configs` declare.

    The options take the place of the command's `**options`. They are all that are declared, or
    those named in `only`, without those named in `leave_out`. `defaults` says in words, by an
    option's name, what help shows as its default where this command has another one.
    """

    def decorate(command: Command) -> Command:
        options = [
            _parameter(declared, (defaults or {}).get(declared.name, declared.default_words))
            for config in configs
            for declared in declarations(config)
            if declared.name not in leave_out and (only is None or declared.name in only)
        ]
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        hints = {**get_type_hints(command, include_extras=True)}
        hints |= {parameter.name: parameter.annotation for parameter in options}
        command.__annotations__ = hints
        command.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=_ordered([p.replace(annotation=hints[p.name]) for p in own], options)
        )
        return command

    return decorate


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the options that stand on the command line, by the options' names."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in options.items()
        if value is not None and value is not False and value != []
    }


def _ordered(
    own: Iterable[inspect.Parameter], options: Iterable[inspect.Parameter]
) -> list[inspect.Parameter]:
    """The parameters of a command: the declared ones first, since help shows panels in order."""
    return [p.replace(kind=p.KEYWORD_ONLY) for p in (*options, *own)]


def _parameter(declared: Declaration, default_words: str) -> inspect.Parameter:
    """A declared option as a parameter whose value is None, or False, unless it is given."""
    option = declared.option
    annotation, parser = _type_and_parser(declared)
    info = typer.Option(
        *declared.flags,
        parser=parser,
        metavar=option.metavar or None,
        help=option.help,
        show_default=default_words or False,
        rich_help_panel=option.panel,
    )
    return inspect.Parameter(
        declared.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if declared.kind is bool else None,
        annotation=Annotated[annotation, info],
    )


def _type_and_parser(declared: Declaration) -> tuple[Any, Callable[[str], Any] | None]:
    """(the annotation by which Typer reads the option, what parses its value if not Typer)."""
    if declared.choices:
        words = (AUTO, *declared.choices) if declared.option.takes_auto else declared.choices
        return Literal[words] | None, None
    if declared.kind is bool:
        return bool, None
    if declared.kind is tuple:
        return list[str] | None, None
    if declared.option.is_duration:
        return float | None, parse_duration
    parsers: dict[type, Callable[[str], Any]] = {int: parse_size, float: parse_number}
    return declared.kind | None, parsers.get(declared.kind)
