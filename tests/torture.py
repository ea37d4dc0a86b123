"""Kill training with SIGKILL at random moments, again and again, and resume it to its end.

    python tests/torture.py --kills 200

Every cell on every engine, with n-gram experts; the text is one whole, records or streams in turn.
A run that is lost, or whose end differs in one bit from the unbroken run's (weights, optimizer,
metrics), is a failure. Trainings are forks of this process, so that a kill costs no new start of
Python; it itself never computes anything, so it has no threads to lose.
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from charrnn import api
from charrnn.files import sealed_file
from charrnn.model.cells import CELLS
from charrnn.model.precision import PRECISIONS
from charrnn.plan.engines import ENGINE_CELLS
from charrnn.training import choose_plan  # noqa: F401  imported once, before the forks
from tests.conftest import TEXT

KINDS = [
    (cell, engine, precision)
    for engine, cells in ENGINE_CELLS.items()
    for cell in cells
    for precision in (PRECISIONS if engine != "reference" else ("fp32",))
]
TEXTS: list[dict[str, Any]] = [{}, {"records": "line"}, {"split": "streams"}]
"""How the text is read: as one whole, as records, as parallel streams."""
SIZES: dict[str, Any] = {
    "num_layers": 2,
    "hidden_size": 19,
    "embedding_size": 6,
    "batch_size": 5,
    "seq_len": 16,
    "dropout": 0.2,
    "weight_drop": 0.1,
    "ngram_order": 4,
    "ngram_dropout": 0.3,
    "steps": 40,
    "eval_every": 7,
    "eval_chars": 64,
    "threads": 1,
}
TIMED = {"elapsed_s", "chars_per_s"}
FAILED = 3
MOST_BAD = 3
"""Of one kind; then it is not tried further."""


def start(name: str, options: dict[str, Any]) -> int:
    """Fork a process that carries a run on, or begins it; return its id."""
    if child := os.fork():
        return child
    code = FAILED
    try:
        if Path("checkpoints", name, "plan.json").exists():
            api.resume(name)
        else:
            api.train("text.txt", name=name, replace=True, **options)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float) -> int | None:
    """The exit code of `child`, or None if it was still there after `seconds` and was killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def outcome(name: str) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Everything that must not differ at the end of a run."""
    folder = Path("checkpoints", name)
    tensors = {}
    for file in ("model", "training"):
        for key, tensor in sealed_file.read(folder / f"{file}.safetensors")[1].items():
            tensors[f"{file}/{key}"] = np.asarray(tensor).tobytes()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    metrics = [{k: v for k, v in json.loads(line).items() if k not in TIMED} for line in lines]
    return tensors, metrics


def torture(
    kind: tuple[str, str, str], text: dict[str, Any], kills: int, chance: random.Random
) -> int:
    """Kill runs of one kind `kills` times; return how many were lost or are not the same.

    `text` are the options that say how the text is read.
    """
    cell, engine, precision = kind
    options = {**SIZES, **text, "cell": cell, "engine": engine, "precision": precision}
    if not CELLS[cell].recurrent_shapes(1):
        del options["weight_drop"]  # which such a cell refuses: it has no recurrent weights
    unbroken = "-".join(kind)
    began = time.monotonic()
    if wait(start(unbroken, {**options, "save_every": "1"}), 120) != 0:
        raise SystemExit(f"{unbroken}: the unbroken run failed")
    whole_s = time.monotonic() - began
    expected = outcome(unbroken)
    assert {"model/experts.codes", "training/model.experts.gate"} <= expected[0].keys()
    done = runs = bad = 0
    while done < kills and bad < MOST_BAD:
        runs += 1
        name = f"{unbroken}-{runs}"
        given = {**options, "save_every": chance.choice(["1", "3", "1m"])}
        while True:
            seconds = chance.uniform(0, 1.1 * whole_s) if done < kills else 120
            code = wait(start(name, given), seconds)
            if code is not None:
                break
            done += 1
        if code != 0:
            print(f"{name}: LOST, exit code {code}")
            bad += 1
        elif outcome(name) != expected:
            print(f"{name}: DIFFERS from the unbroken run")
            bad += 1
    print(
        f"{unbroken:<22} {done:>4} kills, {runs:>3} runs of {whole_s:.2f} s, {bad} bad", flush=True
    )
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kinds", type=int, default=len(KINDS), help="how many of the kinds")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)

    kinds = chance.sample(KINDS, arguments.kinds)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["XDG_CACHE_HOME"] = folder
        Path("text.txt").write_text(TEXT, encoding="utf-8")
        kills = -(-arguments.kills // len(kinds))
        bad = sum(
            torture(kind, TEXTS[number % len(TEXTS)], kills, chance)
            for number, kind in enumerate(kinds)
        )
        os.chdir("/")
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
