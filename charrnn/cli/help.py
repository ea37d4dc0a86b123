"""How `--help` of every command ends: with two examples."""

from collections.abc import Callable
from typing import Any, TypeVar

import typer

Function = TypeVar("Function", bound=Callable[..., None])


def make_app(help: str, first: str, second: str, **options: Any) -> typer.Typer:  # noqa: A002
    """A command that only has commands of its own; its help ends with two examples."""
    return typer.Typer(help=help, epilog=_ending(first, second), **options)


def command(app: typer.Typer, name: str, first: str, second: str) -> Callable[[Function], Function]:
    """A decorator that makes a function a command of `app`; its help ends with two examples."""
    return app.command(name, epilog=_ending(first, second))


def _ending(first: str, second: str) -> str:
    return f"[bold]Examples:[/]\n{first}\n{second}"
