"""Records docs/first-minutes.svg, which the README shows: commands as a newcomer runs them.

`make record` runs it, in three minutes. The commands run in an empty folder and on a terminal of
their own; pyte keeps that terminal's screen, and rich draws it. The text comes from corpora/, and
is fetched into it first if it is not there.
"""

import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "first-minutes.svg"
COMMANDS = (
    "charrnn train shakespeare --budget 2m",
    "charrnn sample --prime 'ROMEO:' --length 280 --seed 3",
)
COLUMNS, MOST_ROWS = 80, 100
PROMPT = "\x1b[1;32m$\x1b[0m "
OTHER_NAMES = {"brown": "yellow", "default": None}
"""What pyte calls a colour, where rich calls it otherwise."""


def run(command: str, screen: pyte.Screen, stream: pyte.ByteStream, folder: Path) -> None:
    """Run a command on the terminal whose screen is `screen`, as if it had been typed there."""
    stream.feed(f"{PROMPT}{command}\r\n".encode())
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        wanted = {"PATH": path, "TERM": "xterm-256color", "XDG_CACHE_HOME": str(folder / "cache")}
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
        words = shlex.split(command)
        os.execvpe(words[0], words, {**environment, **wanted})
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", MOST_ROWS, COLUMNS, 0, 0))
    while data := read(terminal):
        stream.feed(data)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit("\n".join([*screen.display, f"{command} failed"]))


def read(terminal: int) -> bytes:
    """What comes next from a terminal; nothing when its program has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end
        return b""


def style_of(cell: pyte.screens.Char) -> Style:
    """How a character looks."""
    color = OTHER_NAMES.get(cell.fg, cell.fg)
    is_number = color is not None and re.fullmatch("[0-9a-f]{6}", color)
    return Style(color=f"#{color}" if is_number else color, bold=cell.bold)


def screen_as_text(screen: pyte.Screen) -> Text:
    """All lines of a screen down to the last that is not empty."""
    lines = []
    for row in range(MOST_ROWS):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        line = Text()
        for style, alike in groupby(cells, key=style_of):
            line.append("".join(cell.data for cell in alike), style)
        line.rstrip()
        lines.append(line)
    while not lines[-1].plain:
        lines.pop()
    return Text("\n").join(lines)


def main() -> None:
    """Record the picture anew."""
    screen = pyte.Screen(COLUMNS, MOST_ROWS)
    stream = pyte.ByteStream(screen)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpora").symlink_to(ROOT / "corpora")
        get = [str(Path(sys.executable).with_name("charrnn")), "corpus", "get", "shakespeare"]
        subprocess.run(get, cwd=folder, check=True)
        for command in COMMANDS:
            run(command, screen, stream, folder)
    console = Console(file=io.StringIO(), record=True, width=COLUMNS)
    console.print(screen_as_text(screen))
    svg = console.export_svg(title="charrnn", unique_id="charrnn")
    # A picture in a page may not fetch fonts; the reader's own monospaced one serves.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    PICTURE.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


if __name__ == "__main__":
    main()
