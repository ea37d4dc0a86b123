"""Whether trainings that share the cores get their share, or starve each other.

    python benchmarks/bench_sharing.py [--seconds 6]

Trains one small model alone, then two at the same time in two processes, each with as many threads
as there are cores. Two at once should each be half as fast as one alone. The first table is with
what `charrnn train` sets for its process, the second with torch's defaults.
"""

import argparse
import json
import os
import subprocess
import sys

MODEL = ["--num-layers", "2", "--hidden-size", "128", "--json"]
PROGRAM = "from charrnn.cli.main import main; main()"
DEFAULTS = {"GOMP_SPINCOUNT": "300000", "MALLOC_ARENA_MAX": "8"}


def speeds(processes: int, seconds: float, environment: dict[str, str]) -> list[dict[str, float]]:
    """Characters per second by engine, for each of `processes` run at the same time."""
    command = [sys.executable, "-c", PROGRAM, "bench", *MODEL, "--seconds", f"{seconds}s"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environment})
        for _ in range(processes)
    ]
    return [json.loads(one.communicate()[0])["training"] for one in running]


def main() -> None:
    """Print, for each engine, its speed alone and beside another, and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="for each measurement")
    options = parser.parse_args()
    for title, environment in (("as charrnn sets it", {}), ("torch's defaults", DEFAULTS)):
        alone = speeds(1, options.seconds, environment)[0]
        both = speeds(2, options.seconds, environment)
        print(f"{title}: chars/s alone, beside another, slowdown")
        for engine, speed in alone.items():
            shared = sum(one[engine] for one in both) / 2
            print(f"  {engine:14}{speed:12,.0f}{shared:12,.0f}{speed / shared:8.1f}x", flush=True)


if __name__ == "__main__":
    main()
