"""What `--help` shows of a command: two examples at the end, and no escapes with NO_COLOR."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from charrnn.cli.terminal import NO_COLOR

Function = TypeVar("Function", bound=Callable[..., None])


class Command(TyperCommand):
    """A command whose help honours NO_COLOR, as what commands print does."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        _honour_no_color()
        super().format_help(ctx, formatter)


class Group(TyperGroup):
    """A command of commands whose help honours NO_COLOR."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        _honour_no_color()
        super().format_help(ctx, formatter)


def make_app(help: str, first: str, second: str, **options: Any) -> typer.Typer:  # noqa: A002
    """A command that only has commands of its own; its help ends with two examples."""
    return typer.Typer(cls=Group, help=help, epilog=_ending(first, second), **options)


def command(app: typer.Typer, name: str, first: str, second: str) -> Callable[[Function], Function]:
    """A decorator that makes a function a command of `app`; its help ends with two examples."""
    return app.command(name, cls=Command, epilog=_ending(first, second))


def _ending(first: str, second: str) -> str:
    return f"[bold]Examples:[/]\n{first}\n{second}"


def _honour_no_color() -> None:
    """Let Typer's help have no escape sequence at all: not for bold text either."""
    from typer import rich_utils

    if NO_COLOR in os.environ:
        rich_utils.COLOR_SYSTEM = None
