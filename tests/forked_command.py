"""`charrnn` in a copy of a process that has imported it already, and torch: what starting costs.

A command that is started anew imports for a quarter of a second, and one that trains for a second
and a half. The copies are of a process that computes nothing, and so has no threads to lose.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

IMPORTED = ["charrnn.cli.main", "charrnn.training.choose_plan", "charrnn.training.run"]


@cache
def copies() -> ForkServerContext:
    """What makes copies; the process that they are of starts with the first one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


def run_forked(
    arguments: Sequence[str], folder: Path, environment: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Run `charrnn ARGUMENTS...` in `folder` with nothing on stdin, as subprocess.run would."""
    command = ["charrnn", *arguments]
    with tempfile.TemporaryDirectory() as name:
        stdout, stderr = Path(name, "stdout"), Path(name, "stderr")
        process = copies().Process(
            target=_become, args=(command, folder, environment, stdout, stderr)
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(
            command, process.exitcode, stdout.read_bytes(), stderr.read_bytes()
        )


def _become(
    command: list[str], folder: Path, environment: dict[str, str], stdout: Path, stderr: Path
) -> None:
    from charrnn.cli.main import main

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate((Path(os.devnull), stdout, stderr)):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT), number)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    sys.argv = command
    main()
