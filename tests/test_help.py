"""`--help` of every command ends with two examples, which are whole at any width and can be run."""

import os
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from charrnn.cli.main import app
from tests.forked_command import run_forked


def paths(group: TyperGroup, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of `group` and of every command in it, such as ("corpus", "get")."""
    found = [above]
    for name, command in group.commands.items():
        path = (*above, name)
        found += paths(command, path) if isinstance(command, TyperGroup) else [path]
    return found


CHARRNN = typer.main.get_command(app)
assert isinstance(CHARRNN, TyperGroup)
COMMANDS = paths(CHARRNN)


def check_that_it_parses(words: list[str]) -> None:
    """Read the arguments of `charrnn` as a command line does, which fails for unknown options."""
    context, command = None, CHARRNN
    while isinstance(command, TyperGroup):
        context = command.make_context("charrnn", words, parent=context)
        words = [*context._protected_args, *context.args]
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
    command.make_context("charrnn", words, parent=context)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_ends_with_two_examples_of_the_command(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    shown = set()
    for columns in ("80", "50"):
        variables = {**os.environ, "COLUMNS": columns}
        done = run_forked((*command, "--help"), tmp_path, variables, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        lines = [line.strip() for line in done.stdout.decode().splitlines()]
        assert all(len(line) <= int(columns) for line in lines)
        heading, *examples = [line for line in lines if line][-3:]
        assert heading == "Examples:"
        shown.add(tuple(examples))
    (whole,) = shown  # none is folded at 50 columns
    for example in whole:
        program, *words = shlex.split(example.partition(" | ")[0])
        assert program == "charrnn"
        assert tuple(words[: len(command)]) == command
        check_that_it_parses(words)


def test_there_are_commands_whose_examples_are_tested() -> None:
    assert {(), ("train",), ("sample",), ("corpus", "stats")} < set(COMMANDS)
    with pytest.raises(Exception, match="--no-such-option"):
        check_that_it_parses(["sample", "--no-such-option"])
