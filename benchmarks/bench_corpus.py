"""Reading large texts: encoding speed, memory, and the time until the first step.

    python -m benchmarks.bench_corpus [--size short] [--folder FOLDER]

Texts are made in a temporary folder (below FOLDER, if given), and the cache is in it too; about
three times the large text's size is needed there. Every figure is of a process of its own. The peer
encodes as character models commonly do: the whole text in memory, `sorted(set(text))`, a list of
ids.
"""

import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import charrnn
from benchmarks.command_line import make_parser, print_machine, print_table
from benchmarks.fresh_process import growth_mib, in_fresh_process
from charrnn.corpus.cache import Cache
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.reading import read_sources
from charrnn.corpus.source import locate
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.runs.events import Event, StepReport

SENTENCES = (
    "When he came home it was dark already, and nobody was waiting for him at the door.",
    "Quand il rentra chez lui, il faisait déjà nuit, et personne ne l'attendait à la porte.",
    "Когда он пришёл домой, было уже темно, и никто не ждал его у дверей.",
    "他回到家的時候,天已經黑了,沒有人在門口等他。",
    "Als er nach Hause kam, war es schon dunkel; niemand wartete vor der Tür auf ihn. 😀",
)
"""One in each language; the mixed text is made of their words, a line in one language each."""
TEXTS = {"ASCII": SENTENCES[:1], "mixed UTF-8": SENTENCES}
MODEL: dict[str, Any] = {
    "num_layers": 1,
    "hidden_size": 64,
    "batch_size": 16,
    "seq_len": 32,
    "ngram_order": 0,  # counting n-grams would hide what reading costs
}
"""Sizes of what is trained, by the options of charrnn.train."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    large_mb: int
    """Megabytes of the text that is trained on, on the disk and not in memory."""
    encoded_mb: int
    """Megabytes of the texts whose encoding is timed."""
    peer_mb: int
    """Megabytes of those that the peer encodes, in its own time."""
    rounds: int
    """How often each encoding is timed."""
    training_s: float
    """Seconds of each training."""


SIZES = {
    "toy": Size(large_mb=2, encoded_mb=1, peer_mb=1, rounds=1, training_s=1),
    "short": Size(large_mb=50, encoded_mb=50, peer_mb=10, rounds=3, training_s=5),
    "full": Size(large_mb=500, encoded_mb=200, peer_mb=20, rounds=5, training_s=20),
}


def make_text(path: Path, sentences: Sequence[str], megabytes: int) -> float:
    """Lines of shuffled words, a line of one sentence's each; about 1 MB of them, repeated.

    Returns how many megabytes it has come to.
    """
    draw = random.Random(0)
    block = bytearray()
    while len(block) < 1_000_000:
        words = draw.choice(sentences).split(" ")
        block += " ".join(draw.choices(words, k=draw.randint(5, 15))).encode() + b"\n"
    with path.open("wb") as file:
        while file.tell() < megabytes * 1_000_000:
            file.write(block)
        return file.tell() / 1e6


def encode_s(text: Path, cache: Path) -> tuple[float, float]:
    """(Seconds, CPU seconds) of reading `text` into a new cache, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wall, cpu = time.perf_counter(), time.process_time()
    read_sources([locate(str(text))], TextConfig(), cache=Cache(cache))
    return time.perf_counter() - wall, time.process_time() - cpu


def encode_as_the_peer_s(text: Path) -> float:
    """Seconds of encoding `text` as character models commonly do it."""
    started = time.perf_counter()
    content = text.read_text(encoding="utf-8")
    id_of = {character: index for index, character in enumerate(sorted(set(content)))}
    np.array([id_of[character] for character in content], dtype=np.uint16)
    return time.perf_counter() - started


def train(text: Path, folder: Path, seconds: float, began: float) -> tuple[float, float | None]:
    """(Seconds from `began`, a time.time(), to the first report; MiB above Python with torch).

    Of a training on `text` for so many seconds, evaluations and saves included.
    """
    import torch  # noqa: F401  what it takes in memory is not counted

    reports: list[float] = []

    def on_event(event: Event) -> None:
        if isinstance(event, StepReport):
            reports.append(time.time())

    _enter(folder)
    mib = growth_mib(lambda: charrnn.train(text, budget=seconds, on_event=on_event, **MODEL))
    return reports[0] - began, mib


def open_twice_s(text: Path, folder: Path) -> tuple[float, float]:
    """Seconds until `text`, which is in the cache, is there to train on: at first, and again."""

    def open_s() -> float:
        started = time.perf_counter()
        reading = read_sources([locate(str(text))], TextConfig())
        EncodedCorpus.from_encoded(reading.text, "text", SplitConfig())
        return time.perf_counter() - started

    _enter(folder)
    return open_s(), open_s()


def _enter(folder: Path) -> None:
    """Keep this process's runs and its cache of encoded texts in `folder`."""
    os.chdir(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")


def encoding_rows(size: Size, folder: Path) -> Iterator[tuple[str, float, float, float, float]]:
    """How fast each text is counted, hashed, encoded and written, and how fast the peer is."""
    text, cache = folder / "text.txt", folder / "fresh"
    for name, sentences in TEXTS.items():
        megabytes = make_text(text, sentences, size.encoded_mb)
        rounds = []
        for _ in range(size.rounds):
            shutil.rmtree(cache, ignore_errors=True)
            rounds.append(in_fresh_process(encode_s, text, cache))
        wall, cpu = (megabytes / statistics.median(times) for times in zip(*rounds, strict=True))
        peer = make_text(text, sentences, size.peer_mb)
        peer /= in_fresh_process(encode_as_the_peer_s, text)
        yield name, wall, cpu, peer, wall / peer
    text.unlink()


def training_rows(
    large: Path, small: Path, seconds: float, folder: Path
) -> Iterator[tuple[str, float, float | None]]:
    """How soon a training on each text begins, and what memory it takes."""
    for state, text in (("new", large), ("in the cache", large), ("new, 1 MB", small)):
        yield state, *in_fresh_process(train, text, folder, seconds, time.time())


def opening_rows(text: Path, folder: Path) -> Iterator[tuple[str, float]]:
    """Milliseconds until a text in the cache is there to train on."""
    first, second = in_fresh_process(open_twice_s, text, folder)
    yield "at first", 1000 * first
    yield "once more", 1000 * second


def print_tables(size: Size, folder: Path) -> None:
    """Print the tables, whose texts are made in `folder`."""
    columns = {
        "": "12",
        "MB/s": "8,.0f",
        "MB/CPU s": "8,.0f",
        "peer MB/s": "9,.0f",
        "x peer": "7.1f",
    }
    title = f"encoding {size.encoded_mb} MB: both passes, SHA-256 and writing, on one core"
    print_table(title, columns, encoding_rows(size, folder))
    large, small = folder / "large.txt", folder / "small.txt"
    make_text(large, SENTENCES[:1], size.large_mb)
    make_text(small, SENTENCES[:1], 1)
    print_table(
        f"training on {size.large_mb} MB for {size.training_s:g} s: the first report, from the "
        "start of the process on, and the most memory above that of Python with torch",
        {"": "12", "s": "8.1f", "MiB": "8,.0f"},
        training_rows(large, small, size.training_s, folder),
    )
    print_table(
        "opening it, out of the cache", {"": "12", "ms": "8.1f"}, opening_rows(large, folder)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all of it; exit with code 1 where there is no room for the texts."""
    parser = make_parser(__doc__)
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    options = parser.parse_args(arguments)
    size = SIZES[options.size]
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-corpus-") as name:
        needed, free = 3 * size.large_mb, shutil.disk_usage(name).free // 1_000_000
        if free < needed:
            raise SystemExit(
                f"bench_corpus: {needed:,} MB needed in {name}, {free:,} MB free: name a --folder"
            )
        print_machine()
        print_tables(size, Path(name))


if __name__ == "__main__":
    main()
