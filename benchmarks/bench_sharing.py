"""Whether trainings that share the cores get their share, or starve each other.

    python -m benchmarks.bench_sharing [--size short]

Trains one small model alone, then two at the same time in two processes, each with as many threads
as there are cores. Two at once should each be half as fast as one alone. The first table is with
what `charrnn train` sets for its process, the second with torch's defaults.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.command_line import make_parser, print_machine, print_table


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    hidden_size: int
    seconds: float
    """Time for each measurement, of all engines together."""
    settings: tuple[str, ...] = ("as charrnn sets them", "as torch has them")
    """Names of the settings of threads and memory that are compared."""


SIZES = {
    "toy": Size(8, 0.01, ("as charrnn sets them",)),
    "short": Size(128, 2.0),
    "full": Size(128, 6.0),
}
ENVIRONMENTS = {
    "as charrnn sets them": {},
    "as torch has them": {"GOMP_SPINCOUNT": "300000", "MALLOC_ARENA_MAX": "8"},
}
"""What each of the settings adds to the environment; a variable that is there already, charrnn
leaves as it is."""


def speeds(processes: int, size: Size, environment: dict[str, str]) -> list[dict[str, float]]:
    """Characters per second by engine, for each of `processes` run at the same time."""
    sizes = ["--num-layers", "2", "--hidden-size", str(size.hidden_size)]
    command = [sys.executable, "-m", "charrnn", "bench", *sizes, "--seconds", f"{size.seconds}s"]
    running = [
        subprocess.Popen(
            [*command, "--json"], stdout=subprocess.PIPE, env={**os.environ, **environment}
        )
        for _ in range(processes)
    ]
    return [json.loads(process.communicate()[0])["training"] for process in running]


def rows(size: Size, environment: dict[str, str]) -> Iterator[tuple[str, float, float, float]]:
    """Each engine's speed alone and beside another, and how many times slower that is."""
    alone = speeds(1, size, environment)[0]
    first, second = speeds(2, size, environment)
    for engine, speed in alone.items():
        shared = (first[engine] + second[engine]) / 2
        yield engine, speed, shared, speed / shared


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table with charrnn's settings, and one with torch's."""
    size = SIZES[make_parser(__doc__).parse_args(arguments).size]
    print_machine()
    columns = {"": "14", "alone": "12,.0f", "beside another": "14,.0f", "slowdown": "8.1f"}
    for settings in size.settings:
        title = f"lstm 2x{size.hidden_size}, chars/s, threads and memory {settings}"
        print_table(title, columns, rows(size, ENVIRONMENTS[settings]))


if __name__ == "__main__":
    main()
