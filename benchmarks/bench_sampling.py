"""Characters per second of `charrnn sample` against a torch loop as one writes it.

    python -m benchmarks.bench_sampling [--size short] [--only "2x128"] [--limits]

All take turns in one process; medians; read the ratios. Weights are random: their values change no
time. torch has its best of one thread and all. *Read* is the share of what C's memchr reads in the
same run, on one thread, from an array as large as the weights: it may be above 1 with two threads.
Then: what a character costs with n-gram experts.
Afterwards, in processes of their own: the time to the first character, next to `import torch`; a
long prime; and how much memory grows while many characters are written.
"""

import math
import string
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command_line import make_parser, print_machine, print_table
from benchmarks.fresh_process import resident_mib
from benchmarks.shape import EMBEDDING, VOCABULARY
from charrnn.cli.process import prepare_for_training
from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.cpus import usable_cpus
from charrnn.experts import layout
from charrnn.experts.counted_text import CountedText
from charrnn.experts.counting import count
from charrnn.experts.rule import BUCKETS, Rule
from charrnn.experts.table import shares_of
from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.parallel_reading import read_carried
from charrnn.inference.threads import BYTES_OF_WEIGHT
from charrnn.model import checkpoint
from charrnn.model.cells import CellName
from charrnn.model.checkpoint import Checkpoint, CorpusRecord, Losses
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, SamplingPrecision
from charrnn.native import _native
from charrnn.sampling.automaton import Automaton
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.limits import make_automaton
from charrnn.sampling.place import Place
from charrnn.sampling.writers import make_writer
from charrnn.training.timing import median_seconds

PEER_BLOCK = 40
"""Characters that the torch loop writes before the next one's turn."""
BLOCK_S = 0.02
"""Seconds, about, that ours write before the next one's turn."""
READS = 50
LIMITS: dict[str, dict[str, Any]] = {
    "none": {},
    "--stop": {"stop": ("no such end", "nor this")},
    "--match": {"match": r"(?:[A-Z]{4,10}:\n(?:[A-Z][a-z ,]{10,40}[.!?]\n){2})+"},
    "--match .*": {"match": r"(?:.|\n)*"},
}
"""What a text is bound by; the long expression is a dialogue."""
LIMITED_LENGTH = 2000
"""Characters of a text that is bound."""
ORDERS = (6, 10)
"""Lengths of the longest contexts of n-gram experts."""


@dataclass(frozen=True)
class Net:
    """A recurrent stack."""

    num_layers: int
    hidden_size: int
    cell: CellName = "lstm"

    def __str__(self) -> str:
        return f"{self.cell} {self.num_layers}x{self.hidden_size}"

    def model(self) -> Checkpoint:
        """The stack, untrained, with a record that says that int8 is good enough for it."""
        config = ModelConfig(
            vocab_size=VOCABULARY,
            cell=self.cell,
            num_layers=self.num_layers,
            hidden_size=self.hidden_size,
            embedding_size=EMBEDDING,
        )
        random = np.random.default_rng(0)
        return Checkpoint(
            config=config,
            vocabulary=Vocabulary("".join(sorted("\n !$&',-.3:;?" + string.ascii_letters))),
            weights={
                name: random.normal(0, self.hidden_size**-0.5, shape).astype(np.float32)
                for name, shape in config.parameter_shapes().items()
            },
            corpus=CorpusRecord("none", "0" * 64, 1, 0.1, 0.0),
            losses=Losses(
                by_precision=dict.fromkeys(SAMPLING_PRECISIONS, 1.5), precision_characters=1
            ),
        )


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    nets: tuple[Net, ...]
    seconds: float
    """Time for all rows of a table, if a few rounds of them do not take longer."""
    starts: int
    """How often a process is started to see its first character."""
    started: Net
    """The model of that process."""
    prime: int
    """Characters that are read before the first one is written."""
    characters: int
    """Characters that are written while memory is watched."""
    watched: Net
    """The model that reads the prime and writes those characters."""
    joined: Net
    """The model that n-gram experts are added to."""
    counted: int
    """Characters of the text whose n-grams are counted."""


SMALL, LARGE, JOINED = Net(2, 128), Net(1, 512), Net(1, 128, "gru")
SIZES = {
    "toy": Size((Net(2, 8),), 0.0, 1, Net(2, 8), 5_000, 300_000, Net(2, 8), Net(1, 8, "gru"), 3000),
    "short": Size((SMALL,), 2.0, 3, LARGE, 1 << 18, 2_000_000, SMALL, JOINED, 1 << 20),
    "full": Size(
        (SMALL, LARGE, Net(3, 512)), 6.0, 7, LARGE, 1 << 20, 10_000_000, SMALL, JOINED, 1 << 20
    ),
}


def recurrent_weights(model: Checkpoint) -> int:
    """Weights that each character reads: all but those that a row of the input table stands for."""
    arrays = model.weights.items()
    return sum(array.size for name, array in arrays if "_hh" in name or "_ih_l0" not in name)


def read_again_and_again(array: bytes) -> None:
    """Let C's memchr read all of it, READS times."""
    for _ in range(READS):
        array.find(b"x")


def print_speeds(net: Net, seconds: float) -> None:
    """Print a row for each precision and number of threads."""
    from benchmarks.textbook_loop import TextbookSampling

    model = net.model()
    peers: dict[str, Callable[[], object]] = {
        f"torch {threads}": partial(TextbookSampling(model.config).write, PEER_BLOCK, threads)
        for threads in {1, usable_cpus()}
    }
    calls: dict[str, Callable[[], object]] = {}
    characters: dict[str, int] = {}
    reads: dict[str, Callable[[], object]] = {}
    sizes: dict[str, int] = {}
    precision_of: dict[str, SamplingPrecision] = {}
    for precision in SAMPLING_PRECISIONS:
        sizes[precision] = recurrent_weights(model) * BYTES_OF_WEIGHT[precision]
        reads[f"read {precision}"] = partial(read_again_and_again, bytes(sizes[precision]))
        for threads in (1, 2, None)[: 3 if usable_cpus() > 1 else 1]:
            name = f"{precision} {threads or 'auto'}"
            network = NativeNetwork(model.config, model.weights, precision, threads)
            place = Place.after(network, np.zeros(1, np.int64))
            writer = make_writer(network, place, SamplingConfig(0))
            started = time.perf_counter()
            writer.write(50)
            characters[name] = max(50, int(50 * BLOCK_S / (time.perf_counter() - started)))
            calls[name] = partial(writer.write, characters[name])
            precision_of[name] = precision
    found = median_seconds({**peers, **calls, **reads}, seconds, rounds=7)
    best = min(peers, key=lambda name: found[name])
    peer_rate = PEER_BLOCK / found[best]

    def rows() -> Iterator[tuple[str, float, float, float | None, float | None]]:
        yield f"{best} threads", peer_rate, 1.0, None, None
        for name, precision in precision_of.items():
            rate = characters[name] / found[name]
            read = rate * sizes[precision]
            memchr = READS * sizes[precision] / found[f"read {precision}"]
            yield name, rate, rate / peer_rate, read / 1e9, read / memchr

    columns = {"": "16", "chars/s": "10,.0f", "x torch": "8.1f", "GB/s": "7.1f", "read": "6.2f"}
    print_table(f"{net}, one stream: precision and threads", columns, rows())


def print_limits(net: Net, seconds: float) -> None:
    """Print what a character costs with --stop and --match, as a multiple of one without.

    Each call writes a text as `sample` would, of as many characters, so that the automaton's end is
    met; building it is not part of that and has a figure of its own.
    """
    model = net.model()
    network = NativeNetwork(model.config, model.weights, "int8", 1)
    place = Place.after(network, np.zeros(1, np.int64))

    def write(config: SamplingConfig, automaton: Automaton | None) -> int:
        writer = make_writer(network, place, config, None, automaton)
        return len(writer.write(config.length))

    calls: dict[str, Callable[[], object]] = {}
    build_s, lengths = {}, {}
    for name, limit in LIMITS.items():
        config = SamplingConfig(0, length=LIMITED_LENGTH, **limit)
        started = time.perf_counter()
        automaton = make_automaton(config, model.vocabulary, None)
        build_s[name] = time.perf_counter() - started
        lengths[name] = write(config, automaton)  # a match may end a little earlier
        calls[name] = partial(write, config, automaton)
    found = median_seconds(calls, seconds, rounds=15)
    character_s = {name: found[name] / lengths[name] for name in LIMITS}
    print_table(
        f"{net}, int8, 1 thread: a character with limits",
        {"": "10", "x one without": "13.2f", "built in ms": "11.1f"},
        (
            (name, character_s[name] / character_s["none"], 1000 * build_s[name])
            for name in LIMITS
            if name != "none"
        ),
    )


def counted_text(length: int) -> CountedText:
    """The first characters of Python's own library, the most frequent VOCABULARY of them."""
    text = ""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        if len(text) < 1.1 * length:
            text += path.read_text(encoding="utf-8")
    known = {c: i for i, (c, _) in enumerate(Counter(text).most_common(VOCABULARY))}
    ids = np.array([known[character] for character in text if character in known][:length])
    return CountedText.of(ContiguousText(ids), VOCABULARY)


def with_experts(net: Checkpoint, text: CountedText, order: int) -> Checkpoint:
    """The model with experts for contexts of up to `order` characters, and their first weights."""
    table, _ = count(text, Rule(order))
    weight = np.full((order, BUCKETS), 0.15, np.float32)
    offset = np.full((order, BUCKETS), math.log(0.02), np.float32)
    gate = np.zeros((order, net.config.hidden_size), np.float32)
    tensors = {"experts.gate": gate, **layout.to_tensors(table, shares_of(weight, offset))}
    config = replace(net.config, ngram_order=order)
    return replace(net, config=config, weights=net.weights | tensors)


def print_experts(net: Net, size: Size) -> None:
    """Print what a character costs with n-gram experts, as a multiple of one of the net alone."""
    model = net.model()
    # A random net shall leave it to the experts what is written, or no context would be known.
    for name in ("decoder.weight", "decoder.bias"):
        model.weights[name] /= 10
    text = counted_text(size.counted)
    models = {0: model} | {order: with_experts(model, text, order) for order in ORDERS}
    calls: dict[tuple[SamplingPrecision, int], Callable[[], object]] = {}
    for precision in SAMPLING_PRECISIONS:
        for order, made in models.items():
            network = NativeNetwork(made.config, made.weights, precision, 1)
            place = Place.after(network, np.zeros(1, np.int64))
            writer = make_writer(network, place, SamplingConfig(0))
            calls[precision, order] = partial(writer.write, LIMITED_LENGTH)
    found = median_seconds(calls, size.seconds, rounds=15)
    print_table(
        f"{net}, 1 thread: a character with n-gram experts",
        {"": "20", "x one without": "13.2f"},
        (
            (f"{precision}, order {order}", found[precision, order] / found[precision, 0])
            for precision in SAMPLING_PRECISIONS
            for order in ORDERS
        ),
    )


def first_character_s(model: Path) -> float:
    """Seconds from starting `charrnn sample` to its first character on a pipe."""
    command = [sys.executable, "-m", "charrnn", "sample", str(model), "-q"]
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


def memory_growth_mib(model: Path, characters: int) -> tuple[float | None, float]:
    """(MiB that the process grows after its first 100,000 characters, characters per second)."""
    command = [sys.executable, "-m", "charrnn", "sample", str(model), "-q", "-n", str(characters)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(100_000)
    before = resident_mib("VmRSS", process.pid)
    started, left = time.perf_counter(), characters - 200_000
    while left > 0:
        left -= len(process.stdout.read(min(left, 1 << 16)))
    rate = (characters - 200_000) / (time.perf_counter() - started)
    after = resident_mib("VmRSS", process.pid)
    process.stdout.read()
    process.wait()
    return None if before is None or after is None else after - before, rate


def print_start(net: Net, starts: int, folder: Path) -> None:
    """Print how soon `charrnn sample` shows something, and how long `import torch` alone takes."""
    path = folder / "started.safetensors"
    checkpoint.write(path, net.model())
    calls: dict[str, Callable[[], float]] = {
        "first character": partial(first_character_s, path),
        "import torch": import_torch_s,
    }
    found = median_seconds(calls, 0.0, rounds=starts)
    print_table(f"{net}, cold", {"": "16", "s": "8.3f"}, found.items())


def print_writing(net: Net, characters: int, folder: Path) -> None:
    """Print what writing very many characters into a pipe takes, decoding included."""
    path = folder / "watched.safetensors"
    checkpoint.write(path, net.model())
    growth, rate = memory_growth_mib(path, characters)
    columns = {"": "16", "chars/s": "10,.0f", "memory grows by MiB": "19.1f"}
    print_table(f"{net}, {characters:,} characters", columns, [("into a pipe", rate, growth)])


def print_prime(net: Net, characters: int) -> None:
    """Print how long reading a prime of so many characters takes in each precision."""
    model = net.model()
    for name, weights in model.weights.items():  # as a trained net does, it shall forget
        model.weights[name] = weights / np.float32(3) if "rnn" in name else weights
    ids = np.random.default_rng(0).integers(0, VOCABULARY, characters).astype(np.uint8)

    def rows() -> Iterator[tuple[str, float]]:
        for precision in SAMPLING_PRECISIONS:
            network = NativeNetwork(model.config, model.weights, precision)
            read = partial(read_carried, network, ids)
            yield precision, median_seconds({"read": read}, 0.0)["read"]

    print_table(f"{net}, a prime of {characters:,} characters", {"": "16", "s": "8.3f"}, rows())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print two tables for each net, one of experts, and what processes of their own show."""
    parser = make_parser(__doc__)
    parser.add_argument("--only", default="", help="nets whose name contains this")
    parser.add_argument("--limits", action="store_true", help="only the cost of --stop, --match")
    options = parser.parse_args(arguments)
    size = SIZES[options.size]
    prepare_for_training()  # torch's threads would spin through the next one's turn
    print_machine(f"{_native.sampler_kernels()[-1]} kernels, {usable_cpus()} threads")
    for net in size.nets:
        if options.only in str(net):
            if not options.limits:
                print_speeds(net, size.seconds)
            print_limits(net, size.seconds)
    if not options.limits:
        print_experts(size.joined, size)
        with tempfile.TemporaryDirectory() as folder:
            print_start(size.started, size.starts, Path(folder))
            print_writing(size.watched, size.characters, Path(folder))
        print_prime(size.watched, size.prime)


if __name__ == "__main__":
    main()
