"""Give the readers of model, training state, saved state and ids files thousands of bad ones.

    python -m tests.fuzz_files --files 20000

Bits are flipped, ends are cut off, headers spliced, numbers made huge, negative or not numbers at
all, keys doubled, JSON nested without end; half of the files carry a checksum that agrees all the
same. Each must load to the very values that were written, or end in one CharRNNError of one line:
no other exception, no more than 2 s, no more than 500 MB.
"""

import argparse
import hashlib
import json
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from charrnn.cli.model_facts import model_record, model_rows
from charrnn.corpus import ids_file
from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.errors import CharRNNError
from charrnn.experts.layout import from_tensors
from charrnn.experts.table import Table
from charrnn.files import sealed_file
from charrnn.model import checkpoint
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.runs import saves
from charrnn.runs.saves import Best, Machine, RunState, Saved
from charrnn.runs.verdict import verdict_on
from charrnn.sampling import saved_state
from charrnn.sampling.place import Place
from charrnn.sampling.trained_model import Model
from charrnn.training.trainer import Trainer
from tests.conftest import random_checkpoint

MOST_BYTES = 500 << 20
MOST_SECONDS = 2.0
LONGEST_MESSAGE = 1000

CONFIG = ModelConfig(vocab_size=11, hidden_size=6, embedding_size=3)
EXPERTS = replace(CONFIG, ngram_order=1)
IDS = np.random.default_rng(0).integers(0, 11, 300).astype(np.uint8)

HOSTILE: list[Any] = [
    -1, 0, 1, 2**31, 2**62, 2**64, 10**40, 0.5, -0.0, 1e308, float("nan"), float("inf"), True, None,
    "", "a", "\ud800", "\x00", "z" * 5000, "\U0010ffff", "../../x", [], {}, [[]], [0], [-1, 2**62],
    {"": 0}, [None] * 50, {"sha256": ""},
]  # fmt: skip
SPLICES = [
    b"-", b"9" * 30, b"e999", b"[" * 2000, b'{"a":' * 500, b"NaN", b"null", b"}", b"]", b'"', b",",
    b"\\u0000", b"\xff\xfe", b'"dtype":"F64"', b'"shape":[4611686018427387904,4]', b" " * 100,
    b'"data_offsets":[0,8]', b'"__metadata__":{},', b'\\"format\\":\\"x\\",',
]  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """One kind of file: a good one, how it is read, and what reading gives."""

    good: bytes
    read: Callable[[Path], Any]
    suffix: str


def read_model(path: Path) -> Any:
    model = checkpoint.read(path)
    shown = Model(path, model)
    assert model_rows(shown)
    assert json.dumps(model_record(shown, verdict_on(model)))
    weights = {name: weight.tobytes() for name, weight in model.weights.items()}
    config = model.config
    if config.ngram_order:
        walk_everywhere(from_tensors(model.weights, config.vocab_size, config.ngram_order))
    return weights, model.vocabulary, model.config, model.corpus, model.losses, model.step


def walk_everywhere(table: Table) -> None:
    """Let our C++ check and walk a table that was read, and numpy tell all that it holds."""
    ids = IDS[:, None].astype(np.int64)
    nodes = np.empty((len(ids), 1, table.order), np.int32)
    table.native.walk(threads=1, ids=ids, recent=table.nothing_read(1), nodes=nodes)
    for length in range(table.order):
        table.entries(nodes[:, 0, length])


def read_ids(path: Path) -> Any:
    text = ids_file.open_ids(path)
    corpus = EncodedCorpus.from_encoded(text, "fuzz", SplitConfig())
    for split in ("train", "validation"):
        corpus.checked_split(split)
    return text.vocabulary, text.ids.tobytes(), text.sha256


def make_trainer() -> Trainer:
    step = StepConfig(batch_size=3, seq_len=5)
    return Trainer(ContiguousText(IDS), CONFIG, OptimizerConfig(), step, total_steps=9)


def make_subjects(folder: Path) -> list[Subject]:
    trainer = make_trainer()
    for _ in range(3):
        trainer.step()
    numbers, tensors = trainer.state()
    layout = saves.layout_of(tensors)
    machine = Machine("native", "fp32", "cpu", 1, "avx2", "2")
    state = RunState(3, numbers, Best(1.5, 2), 2, 1, 0.5, False, 99, "0" * 64, machine)
    reader = make_trainer()

    def read_state(path: Path) -> Any:
        saved = saves.read(path, layout, "0" * 64)
        try:
            reader.load_state(saved.state.trainer, saved.tensors)
        except ValueError as error:  # what TrainingRun.resume makes a RunError of
            raise CharRNNError(" ".join(str(error).split())) from error
        return saved.state, {name: tensor.tobytes() for name, tensor in saved.tensors.items()}

    path = folder / "good"
    found = []
    checkpoint.write(path, random_checkpoint(CONFIG))
    found.append(Subject(path.read_bytes(), read_model, "model"))
    checkpoint.write(path, random_checkpoint(EXPERTS))
    found.append(Subject(path.read_bytes(), read_model, "experts"))
    saves.write(path, Saved(state, tensors))
    found.append(Subject(path.read_bytes(), read_state, "state"))
    model = random_checkpoint(replace(CONFIG, ngram_order=3))
    hidden = np.random.default_rng(1).normal(size=(1, 1, 6)).astype(np.float32)  # (L, 1, H)
    recent = np.array([[[0, 11, 5]]], np.int32)  # (1, 1, K)
    saved_state.write(path, Place((hidden, recent), 7), model)

    def read_place(path: Path) -> Any:
        place = saved_state.read(path, model)
        return place.last, [part.tobytes() for part in place.state]

    found.append(Subject(path.read_bytes(), read_place, "place"))
    ids_file.write(path, Vocabulary("\nabcdefghij"), len(IDS), "0" * 64, [IDS])
    found.append(Subject(path.read_bytes(), read_ids, "ids"))
    return found


def flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 8])):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.2:
        return data + chance.randbytes(chance.choice([1, 8, 500]))
    return data[: chance.randrange(len(data))]


def splice(data: bytes, chance: random.Random) -> bytes:
    """Put something into the header; most often its length is made to agree."""
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length]
    for _ in range(chance.choice([1, 1, 3])):
        start = chance.randrange(len(header) + 1)
        end = min(len(header), start + chance.choice([0, 0, 1, 5, 40]))
        header = header[:start] + chance.choice(SPLICES) + header[end:]
    size = len(header) if chance.random() < 0.8 else chance.choice([0, 2**31, 2**63, 2**64 - 1])
    return size.to_bytes(8, "little") + header + data[8 + length :]


def parts_of(data: bytes) -> tuple[Any, bytes]:
    """The JSON of a file's header, and what is behind it."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite(data: bytes, chance: random.Random) -> bytes:
    """Change some bytes of one tensor, whatever its size, under a checksum that agrees."""
    header, body = parts_of(data)
    if "__metadata__" not in header:
        return reseal(data, chance)
    inner = json.loads(header.pop("__metadata__")["charrnn"])
    del inner["sha256"]
    begin, end = header[chance.choice(sorted(header))]["data_offsets"]
    changed = bytearray(body)
    for _ in range(chance.choice([1, 1, 2, 3])):
        if begin < end:
            changed[chance.randrange(begin, end)] = chance.choice([0, 1, 127, 128, 255])
    return sealed(header, inner, bytes(changed), chance)


def reseal(data: bytes, chance: random.Random) -> bytes:
    """Change what the header says, or what the tensors are, under a checksum that agrees."""
    header, body = parts_of(data)
    if "__metadata__" not in header:
        del header["checksum"]
        change(header, chance)
        text = dumped(header)
        checksum = hashlib.sha256(text).hexdigest()
        text = text[:-1] + b',"checksum":"' + checksum.encode() + b'"}'
        return len(text).to_bytes(8, "little") + text + body
    inner = json.loads(header["__metadata__"]["charrnn"])
    del inner["sha256"]
    if chance.random() < 0.3:
        del header["__metadata__"]
        change(header, chance)
        header = header if isinstance(header, dict) else {}
    else:
        change(inner, chance)
    return sealed(header, inner, body, chance)


def sealed(header: Any, inner: Any, body: bytes, chance: random.Random) -> bytes:
    """A file of tensors that `header` describes and `inner` speaks of, with their checksum."""
    digest = hashlib.sha256(dumped(inner))
    for name in sorted(header):
        entry = header[name]
        if name == "__metadata__" or not isinstance(entry, dict):
            continue
        dtype = sealed_file.NUMPY_TYPES.get(str(entry.get("dtype")), "?")
        shape = entry.get("shape")
        shape = tuple(shape) if isinstance(shape, list) else ()
        digest.update(f"\n{name} {dtype} {shape}\n".encode("utf-8", "replace"))
        offsets = entry.get("data_offsets")
        if isinstance(offsets, list) and all(type(one) is int for one in offsets):
            digest.update(body[slice(*offsets[:2])] if len(offsets) > 1 else b"")
    text = dumped(inner)
    text = text[:-1] + b',"sha256":"' + digest.hexdigest().encode() + b'"}'
    if chance.random() < 0.1:
        text = text.replace(b"{", b'{"format":"charrnn-model",', 1)
    header["__metadata__"] = {"charrnn": text.decode("utf-8", "replace")}
    outer = json.dumps(header).encode()
    return len(outer).to_bytes(8, "little") + outer + body


def dumped(header: Any) -> bytes:
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def change(value: Any, chance: random.Random) -> None:
    """Replace, remove or add something somewhere within a JSON object or array."""
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not places or chance.random() < 0.05:
        if isinstance(value, dict):
            value[chance.choice(["", "x", "shape", "step", "\ud800"])] = chance.choice(HOSTILE)
        return
    place = chance.choice(places)
    if isinstance(value[place], dict | list) and value[place] and chance.random() < 0.8:
        change(value[place], chance)
    elif chance.random() < 0.15:
        del value[place]
    else:
        value[place] = chance.choice(HOSTILE)


def check(subject: Subject, data: bytes, sealed: bool, path: Path) -> str:
    """Read `data`; return how that went. Raises AssertionError if not as it should."""
    path.write_bytes(data)
    began = time.monotonic()
    try:
        values = subject.read(path)
    except CharRNNError as error:
        how, message = "refused", str(error)
    else:
        how, message = "loaded", ""
        if not sealed:
            path.write_bytes(subject.good)
            assert values == subject.read(path), "other values were loaded"
    seconds = time.monotonic() - began
    assert "\n" not in message, "more than one line"
    assert len(message) < LONGEST_MESSAGE, f"{len(message)} characters"
    assert seconds < MOST_SECONDS, f"{seconds:.1f} s"
    return how


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    counts: Counter[str] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        subjects = make_subjects(Path(folder))
        for subject in subjects:
            assert check(subject, subject.good, False, Path(folder, "x")) == "loaded"
        before = peak()
        for number in range(arguments.files):
            subject = chance.choice(subjects)
            mutate = chance.choice([flip, cut, splice, rewrite, reseal, reseal, reseal])
            data = mutate(subject.good, chance)
            path = Path(folder, "x")
            try:
                how = check(subject, data, mutate in (rewrite, reseal), path)
                counts[f"{subject.suffix} {mutate.__name__} {how}"] += 1
            except Exception as error:  # the one thing that must never happen
                bad += 1
                kept = Path(f"fuzz-{arguments.seed}-{number}.{subject.suffix}")
                kept.write_bytes(data)
                print(f"{kept}: {type(error).__name__}: {error}"[:300], file=sys.stderr)
        grown = peak() - before
    for what, count in sorted(counts.items()):
        print(f"{what:<24} {count:>6}")
    print(f"{arguments.files} files, {bad} bad, {grown >> 20} MB more memory at most")
    raise SystemExit(1 if bad or grown > MOST_BYTES else 0)


if __name__ == "__main__":
    main()
