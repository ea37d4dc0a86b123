"""Rows, tables and commands on terminals of any width, and in pipes."""

import io
import shlex

import pytest
from rich.console import Console

from charrnn.cli.terminal import print_command, print_labelled, print_table

PATH = "/home/somebody/texts/checkpoints/the-collected-letters-of-1897/model.safetensors"
ROWS = [
    ("model", PATH),
    ("network", "gru 1x192, 163,771 parameters"),
    ("sampling", "int8; fp32 1.6704, int8 1.6704, bf16 1.6704 nats over 4,999 characters"),
]


def console(columns: int | None) -> Console:
    """A terminal of so many columns; None: a pipe."""
    return Console(
        file=io.StringIO(),
        force_terminal=columns is not None,
        width=columns,
        color_system=None,
        highlight=False,
    )


def shown(on: Console) -> list[str]:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue().splitlines()


@pytest.mark.parametrize("columns", [40, 50, 80])
def test_labelled_rows_lose_nothing_on_a_narrow_terminal(columns: int) -> None:
    on = console(columns)
    print_labelled(on, ROWS)
    lines = shown(on)
    assert max(map(len, lines)) <= columns
    texts = [line[10:] for line in lines]
    assert "".join(texts).replace(" ", "") == "".join(v for _, v in ROWS).replace(" ", "")
    assert all(number in " ".join(texts) for number in ("163,771", "4,999", "1.6704 nats"))


def test_a_pipe_gets_each_row_on_one_line() -> None:
    on = console(None)
    print_labelled(on, ROWS)
    assert [line.split("  ", 1)[1].strip() for line in shown(on)] == [value for _, value in ROWS]


def test_a_table_leaves_out_what_can_be_spared_and_folds_what_may_be_long() -> None:
    def table(columns: int | None) -> list[str]:
        on = console(columns)
        rows = [("a-run-with-a-long-name", "2.053", "gru 1x192", "1,234,567", "so good " * 9)]
        headings = ("run", "bits/char", "model", "steps", "verdict")
        print_table(
            on, headings, rows, right=["steps"], folded="verdict", dispensable=("steps", "model")
        )
        return shown(on)

    (heading, row) = table(None)
    assert heading.split() == ["run", "bits/char", "model", "steps", "verdict"]
    assert row.rstrip().endswith("so good so good")
    wide, narrow = table(100), table(70)
    assert wide[0].split() == ["run", "bits/char", "model", "steps", "verdict"]
    assert narrow[0].split() == ["run", "bits/char", "model", "verdict"]
    for lines, columns in ((wide, 100), (narrow, 70), (table(50), 50), (table(30), 30)):
        assert max(map(len, lines)) <= columns
        assert "…" not in "".join(lines)
        assert " ".join(lines).count("good") == 9


def test_a_command_can_be_copied_from_a_narrow_terminal() -> None:
    command = "charrnn train 'my notes.txt' --hidden-size 128 --lr 0.016 --val-frac 0.1 -n 'a  b'"
    for columns in (40, 200, None):
        on = console(columns)
        print_command(on, "repeat with", command)
        assert columns is None or max(map(len, shown(on))) <= columns
        copied = "\n".join(shown(on)).removeprefix("repeat with:")
        assert shlex.split(copied.replace("\\\n", "")) == shlex.split(command)
