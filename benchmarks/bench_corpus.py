"""Reading large texts: encoding speed, memory, and the time until the first step.

    python benchmarks/bench_corpus.py [--megabytes 500] [--folder FOLDER]

Texts are made in a temporary folder (below FOLDER, if given), and the cache is in it too; about
three times --megabytes are needed there. Every figure is of a process of its own. The peer encodes
as character models commonly do: the whole text in memory, `sorted(set(text))`, a list of ids.
"""

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LANGUAGES = (
    "When he came home it was dark already, and nobody was waiting for him at the door.",
    "Quand il rentra chez lui, il faisait déjà nuit, et personne ne l'attendait à la porte.",
    "Когда он пришёл домой, было уже темно, и никто не ждал его у дверей.",
    "他回到家的時候,天已經黑了,沒有人在門口等他。",
    "Als er nach Hause kam, war es schon dunkel; niemand wartete vor der Tür auf ihn. 😀",
)
"""One sentence each; the mixed text is made of their words, a line in one language each."""

ENCODE = """
import sys, time
from pathlib import Path
from charrnn.corpus.cache import Cache
from charrnn.corpus.reading import read_sources
from charrnn.corpus.source import locate
from charrnn.corpus.text_config import TextConfig
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
wall, cpu = time.perf_counter(), time.process_time()
reading = read_sources([locate(sys.argv[1])], TextConfig(), cache=Cache(Path(sys.argv[2])))
result = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
"""
PEER = """
import sys, time
import numpy as np
wall = time.perf_counter()
text = open(sys.argv[1], encoding="utf-8").read()
characters = sorted(set(text))
id_of = {character: index for index, character in enumerate(characters)}
ids = np.array([id_of[character] for character in text], dtype=np.uint16)
result = {"wall": time.perf_counter() - wall}
"""
OPEN = """
import sys, time
from charrnn.corpus.encoded import EncodedCorpus, SplitConfig
from charrnn.corpus.reading import read_sources
from charrnn.corpus.source import locate
from charrnn.corpus.text_config import TextConfig
def opened():
    started = time.perf_counter()
    reading = read_sources([locate(sys.argv[1])], TextConfig())
    EncodedCorpus.from_encoded(reading.text, "text", SplitConfig())
    return time.perf_counter() - started
result = {"first": opened(), "second": opened()}
"""
ANONYMOUS = """
def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("RssAnon"))
"""
TORCH = ANONYMOUS + "import torch\nresult = {'mb': anonymous()}\n"
FIRST_STEP = """
import sys
from charrnn.cli.process import prepare_for_training
prepare_for_training()
import charrnn
from charrnn.training.events import StepReport, StopRequest
stop, found = StopRequest(), []
def on_event(event):
    if isinstance(event, StepReport):
        found.append(time.time() - STARTED)
        stop.signal = 2
charrnn.train(
    sys.argv[1], steps=400, num_layers=1, hidden_size=64, batch_size=16, seq_len=32,
    on_event=on_event, stop=stop,
)
result = {"s": found[0]}
"""
TRAIN = (
    ANONYMOUS
    + """
import sys, threading
from charrnn.cli.process import prepare_for_training
prepare_for_training()
import charrnn
peak, over = 0.0, threading.Event()
def watch():
    global peak
    while not over.wait(0.01):
        peak = max(peak, anonymous())
threading.Thread(target=watch).start()
try:
    charrnn.train(
        sys.argv[1], budget=20, num_layers=1, hidden_size=64, batch_size=16, seq_len=32
    )
finally:
    over.set()
result = {"mb": peak}
"""
)


def run(program: str, *arguments: str, folder: Path) -> dict[str, Any]:
    """Run `program` in a process of its own; return what it calls `result`."""
    whole = f"import json, os, time\nSTARTED = time.time()\n{program}\nprint(json.dumps(result))"
    done = subprocess.run(
        [sys.executable, "-c", whole, *arguments],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def make_text(path: Path, languages: tuple[str, ...], megabytes: int) -> None:
    """Lines of shuffled words, a line in one language each; about 1 MB of them, repeated."""
    draw = random.Random(0)
    lines: list[str] = []
    while sum(map(len, lines)) < 1_000_000:
        words = draw.choice(languages).split(" ")
        lines.append(" ".join(draw.choices(words, k=draw.randint(5, 15))))
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as file:
        while file.tell() < megabytes * 1_000_000:
            file.write(block)


def encoding(name: str, languages: tuple[str, ...], folder: Path, megabytes: int) -> None:
    """Print how fast a text is counted, hashed, encoded and written, and how fast the peer is."""
    path, small = folder / f"{name}.txt", folder / f"{name}-small.txt"
    make_text(path, languages, megabytes)
    make_text(small, languages, 20)

    def measured() -> dict[str, float]:
        shutil.rmtree(folder / "fresh", ignore_errors=True)
        return run(ENCODE, str(path), str(folder / "fresh"), folder=folder)

    rounds = [measured() for _ in range(5)]
    size, small_size = path.stat().st_size / 1e6, small.stat().st_size / 1e6
    wall = size / statistics.median(one["wall"] for one in rounds)
    cpu = size / statistics.median(one["cpu"] for one in rounds)
    peer = small_size / run(PEER, str(small), folder=folder)["wall"]
    print(
        f"  {name:14}{wall:8,.0f} MB/s{cpu:8,.0f} MB per CPU second"
        f"{peer:8,.0f} MB/s for the peer{wall / peer:8.0f}x",
        flush=True,
    )
    path.unlink()
    small.unlink()


def large(folder: Path, megabytes: int) -> None:
    """Print memory and times of a training on a large text, new and then cached."""
    path, small = folder / "large.txt", folder / "small.txt"
    make_text(path, LANGUAGES[:1], megabytes)
    make_text(small, LANGUAGES[:1], 1)
    for state, text in (("new", path), ("cached", path), ("1 MB instead", small)):
        found = run(FIRST_STEP, str(text), folder=folder)["s"]
        print(f"  {state:14}first step {found:.1f} s after the process began", flush=True)
    alone = run(TORCH, folder=folder)["mb"]
    (folder / "cache").rename(folder / "aside")
    for state in ("new", "cached"):
        peak = run(TRAIN, str(path), folder=folder)["mb"]
        print(
            f"  {state:14}20 s of training, evaluations and saves: {peak - alone:,.0f} MB "
            f"anonymous above the {alone:,.0f} MB of python with torch",
            flush=True,
        )
    opened = run(OPEN, str(path), folder=folder)
    print(
        f"  {'opened in':14}{1000 * opened['first']:.1f} ms, then {1000 * opened['second']:.1f} ms",
        flush=True,
    )


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=500, help="of the large text")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-corpus-") as name:
        folder = Path(name)
        needed, free = 3 * options.megabytes, shutil.disk_usage(folder).free // 1_000_000
        if free < needed:
            raise SystemExit(f"{needed:,} MB needed in {folder}, {free:,} MB free: see --folder")
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
        print("encoding: both passes, SHA-256 and writing, on one core, medians of 5")
        size = min(200, options.megabytes)
        encoding("ASCII", LANGUAGES[:1], folder, size)
        encoding("mixed UTF-8", LANGUAGES, folder, size)
        print(f"{options.megabytes} MB of text, gru 1x64, 16 streams x 32 characters")
        large(folder, options.megabytes)


if __name__ == "__main__":
    main()
