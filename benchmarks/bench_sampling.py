"""Characters per second of `charrnn sample` against a torch loop as one writes it.

    python benchmarks/bench_sampling.py [--seconds 6] [--only "2x128"] [--characters 10000000]

All take turns in one process; medians; read the ratios. Weights are random: their values change no
time. torch has its best of one thread and all. *Read* is the share of what C's memchr reads in the
same run, on one thread, from an array as large as the weights: it may be above 1 with two threads.
Afterwards, in processes of their own: the time to the first character, next to `import torch`; a
prime of a megabyte; and how much memory grows while many characters are written.
"""

import argparse
import os
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from charrnn.cli.process import prepare_for_training

prepare_for_training()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from bench_training import processor  # noqa: E402
from torch import nn  # noqa: E402

from charrnn.corpus.vocabulary import Vocabulary  # noqa: E402
from charrnn.inference.native_network import NativeNetwork  # noqa: E402
from charrnn.inference.parallel_reading import read_carried  # noqa: E402
from charrnn.inference.threads import BYTES_OF_WEIGHT, default_threads  # noqa: E402
from charrnn.model import checkpoint  # noqa: E402
from charrnn.model.checkpoint import Checkpoint, CorpusRecord, Losses  # noqa: E402
from charrnn.model.config import ModelConfig  # noqa: E402
from charrnn.model.precision import SAMPLING_PRECISIONS  # noqa: E402
from charrnn.native import _native  # noqa: E402
from charrnn.sampling.automaton import Automaton  # noqa: E402
from charrnn.sampling.config import SamplingConfig  # noqa: E402
from charrnn.sampling.limits import make_automaton  # noqa: E402
from charrnn.sampling.place import Place  # noqa: E402
from charrnn.sampling.writers import make_writer  # noqa: E402
from charrnn.training.timing import median_seconds  # noqa: E402

VOCABULARY, EMBEDDING = 65, 64
SHAPES = ((2, 128), (1, 512), (3, 512))
PEER_BLOCK = 40
BLOCK_S = 0.02
"""Ours writes blocks of about this long."""
READS = 50
MATCH = r"(?:[A-Z]{4,10}:\n(?:[A-Z][a-z ,]{10,40}[.!?]\n){2})+"
MATCH_LENGTH = 2000
MEGABYTE = 1 << 20


class Peer:
    """The textbook loop: one step of nn.LSTM, softmax, multinomial."""

    def __init__(self, config: ModelConfig) -> None:
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        self.stack = nn.LSTM(EMBEDDING, config.hidden_size, config.num_layers)
        self.decoder = nn.Linear(config.hidden_size, VOCABULARY)
        self.last = torch.zeros(1, 1, dtype=torch.long)
        self.state = None

    @torch.inference_mode()
    def write(self, steps: int, threads: int) -> list[int]:
        """Sample `steps` characters."""
        torch.set_num_threads(threads)
        ids = []
        for _ in range(steps):
            hidden, self.state = self.stack(self.embedding(self.last), self.state)
            chances = torch.softmax(self.decoder(hidden[0]), dim=-1)
            self.last = torch.multinomial(chances, 1)
            ids.append(self.last.item())
        return ids


def model_of(layers: int, hidden: int) -> Checkpoint:
    """An untrained LSTM, whose file says that int8 is good enough."""
    config = ModelConfig(VOCABULARY, "lstm", layers, hidden, EMBEDDING)
    random = np.random.default_rng(0)
    weights = {
        name: random.normal(0, hidden**-0.5, shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }
    vocabulary = Vocabulary("".join(sorted("\n !$&',-.3:;?" + string.ascii_letters)))
    losses = Losses(by_precision=dict.fromkeys(SAMPLING_PRECISIONS, 1.5), precision_characters=1)
    corpus = CorpusRecord("none", "0" * 64, 1, 0.1, 0.0)
    return Checkpoint(config, vocabulary, weights, corpus, losses)


def read_again_and_again(array: bytes) -> None:
    """Let C's memchr read all of it, READS times."""
    for _ in range(READS):
        array.find(b"x")


def bench_shape(layers: int, hidden: int, seconds: float) -> None:
    """Print a row for each precision and number of threads."""
    model = model_of(layers, hidden)
    calls: dict[str, Callable[[], object]] = {
        f"torch {threads}": partial(Peer(model.config).write, PEER_BLOCK, threads)
        for threads in {1, default_threads()}
    }
    steps, sizes = {}, {}
    for precision in SAMPLING_PRECISIONS:
        recurrent = sum(w.size for n, w in model.weights.items() if "_hh" in n or "_ih_l0" not in n)
        sizes[precision] = recurrent * BYTES_OF_WEIGHT[precision]
        for threads in (1, 2, None)[: 3 if default_threads() > 1 else 1]:
            name = f"{precision} {threads or 'auto'}"
            network = NativeNetwork(model.config, model.weights, precision, threads)
            place = Place.after(network, np.zeros(1, np.int64))
            writer = make_writer(network, place, SamplingConfig(0))
            started = time.perf_counter()
            writer.write(50)
            steps[name] = max(50, int(50 * BLOCK_S / (time.perf_counter() - started)))
            calls[name] = partial(writer.write, steps[name])
        calls[f"read {precision}"] = partial(read_again_and_again, bytes(sizes[precision]))
    found = median_seconds(calls, seconds, rounds=7)
    torch_s, best = min((found[name], name) for name in found if name.startswith("torch"))
    torch_rate = PEER_BLOCK / torch_s
    print(f"\nlstm {layers}x{hidden}: eager {best} thread(s) {torch_rate:,.0f} chars/s")
    print(f"{'':12}{'chars/s':>10} {'x torch':>8} {'GB/s':>7} {'read':>6}")
    for name in steps:
        precision = name.split()[0]
        rate = steps[name] / found[name]
        bandwidth = READS * sizes[precision] / found[f"read {precision}"]
        read = rate * sizes[precision]
        print(
            f"{name:12}{rate:10,.0f} {rate / torch_rate:8.1f} {read / 1e9:7.1f} "
            f"{read / bandwidth:6.2f}",
            flush=True,
        )


def bench_match(layers: int, hidden: int, seconds: float) -> None:
    """Print what a character costs with --stop and --match, as a multiple of one without.

    Each call writes a text as `sample` would, of as many characters, so that the automaton's end is
    met; building it is not part of that and has a figure of its own.
    """
    model = model_of(layers, hidden)
    network = NativeNetwork(model.config, model.weights, "int8", 1)
    place = Place.after(network, np.zeros(1, np.int64))
    limits: dict[str, dict[str, Any]] = {
        "": {},
        "--stop": {"stop": ("no such end", "nor this")},
        "--match": {"match": MATCH},
        "--match .*": {"match": r"(?:.|\n)*"},
    }

    def write(config: SamplingConfig, automaton: Automaton | None) -> object:
        writer = make_writer(network, place, config, None, automaton)
        return writer.write(config.length)

    calls: dict[str, Callable[[], object]] = {}
    build_s, lengths = {}, {}
    for name, limit in limits.items():
        config = SamplingConfig(0, length=MATCH_LENGTH, **limit)
        started = time.perf_counter()
        automaton = make_automaton(config, model.vocabulary, None)
        build_s[name] = time.perf_counter() - started
        written = write(config, automaton)
        assert isinstance(written, np.ndarray)
        lengths[name] = len(written)  # a match may end a little earlier
        calls[name] = partial(write, config, automaton)
    found = median_seconds(calls, seconds, rounds=15)
    print(f"\nlstm {layers}x{hidden}, int8, 1 thread: a character with limits")
    for name in list(limits)[1:]:
        ratio = found[name] / lengths[name] / (found[""] / lengths[""])
        print(f"{name:12}{ratio:6.2f} x one without; built in {1000 * build_s[name]:.1f} ms")


def first_character_s(folder: Path) -> float:
    """Seconds from starting `charrnn sample` to its first character on a pipe."""
    command = [str(Path(sys.executable).parent / "charrnn"), "sample", str(folder), "-q"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    took = time.perf_counter() - started
    process.stdout.close()
    process.wait()
    return took


def import_torch_s() -> float:
    """Seconds that `import torch` takes in a process of its own."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - started


def memory_growth_mib(folder: Path, characters: int) -> tuple[float, float]:
    """(MiB that the process grows after its first 100,000 characters, characters per second)."""
    command = [sys.executable, "-m", "charrnn", "sample", str(folder), "-q", "-n", str(characters)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    status = Path(f"/proc/{process.pid}/status")

    def resident() -> int:
        return int(status.read_text().split("VmRSS:")[1].split()[0])

    process.stdout.read(100_000)
    before, started, left = resident(), time.perf_counter(), characters - 200_000
    while left > 0:
        left -= len(process.stdout.read(min(left, 1 << 16)))
    rate = (characters - 200_000) / (time.perf_counter() - started)
    growth = (resident() - before) / 1024
    process.stdout.read()
    process.wait()
    return growth, rate


def bench_processes(characters: int) -> None:
    """Print what only a process of its own can show."""
    with tempfile.TemporaryDirectory() as name:
        large, small = Path(name) / "large.safetensors", Path(name) / "small.safetensors"
        checkpoint.write(large, model_of(1, 512))
        checkpoint.write(small, model_of(2, 128))
        calls = {"first": partial(first_character_s, large), "torch": import_torch_s}
        found = median_seconds(calls, 0.0, rounds=7)
        print(
            f"\nlstm 1x512, cold: the first character after {found['first']:.3f} s; "
            f"`import torch` alone takes {found['torch']:.3f} s, "
            f"{found['torch'] / found['first']:.1f} times as long"
        )
        if Path("/proc/self/status").exists():
            growth, rate = memory_growth_mib(small, characters)
            print(
                f"lstm 2x128, {characters:,} characters into a pipe: memory grows by "
                f"{growth:.1f} MiB; {rate:,.0f} chars/s, decoding and writing included"
            )
    model = model_of(2, 128)
    for name, weights in model.weights.items():  # as a trained net does, it shall forget
        model.weights[name] = weights / 3 if "rnn" in name else weights
    ids = np.random.default_rng(0).integers(0, VOCABULARY, MEGABYTE).astype(np.uint8)
    for precision in SAMPLING_PRECISIONS:
        network = NativeNetwork(model.config, model.weights, precision)
        seconds = median_seconds({"": partial(read_carried, network, ids)}, 0.0)[""]
        print(f"lstm 2x128, a prime of a megabyte, {precision}: {seconds:.2f} s")


def main() -> None:
    """Print a table for each shape, and what processes show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="for each shape")
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument(
        "--characters", type=int, default=10_000_000, help="for the memory; 0: only the tables"
    )
    parser.add_argument("--limits", action="store_true", help="only the cost of --stop, --match")
    options = parser.parse_args()
    print(
        f"{processor()}, {_native.sampler_kernels()[-1]} kernels, {default_threads()} CPUs, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    for layers, hidden in SHAPES:
        if options.only in f"{layers}x{hidden}":
            if not options.limits:
                bench_shape(layers, hidden, options.seconds)
            bench_match(layers, hidden, options.seconds)
    if options.characters and not options.limits:
        bench_processes(options.characters)


if __name__ == "__main__":
    main()
