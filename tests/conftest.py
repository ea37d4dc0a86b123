import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.vocabulary import Ids, Vocabulary
from charrnn.experts.counted_text import CountedText
from charrnn.experts.counting import count
from charrnn.experts.layout import to_tensors
from charrnn.experts.table import shares_of
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint, CorpusRecord, Losses, Weights
from charrnn.model.config import ModelConfig
from tests.forked_command import run_forked

# Run in the background or by nohup, the tests ignore these, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

Run = Callable[..., subprocess.CompletedProcess[bytes]]

# A text with some structure, all its own, long enough for every split.
TEXT = "".join(
    f"{number}: the {colour} {animal} sat on the {place};\nwho? {animal.upper()}!\n"
    for number in range(20)
    for colour in ("red", "green", "blue")
    for animal, place in (("cat", "mat"), ("dog", "log"), ("fox", "box"))
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded texts go where no other test and no user looks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "animals.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def cli(tmp_path: Path) -> Run:
    """Run `charrnn ARGUMENTS...` in tmp_path as a user would, without a terminal.

    Python is started anew where stdin or the environment matters; elsewhere a copy of a process
    that has imported everything does, and saves most of the time.
    """

    def run(
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[bytes]:
        variables = {**os.environ, "COLUMNS": "200", **(environment or {})}
        if not stdin and environment is None:
            return run_forked(arguments, tmp_path, variables, timeout)
        return subprocess.run(
            [sys.executable, "-m", "charrnn", *arguments],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=variables,
            timeout=timeout,
        )

    return run


def random_checkpoint(config: ModelConfig, seed: int = 0, scale: float = 0.5) -> Checkpoint:
    """An untrained model whose weights are not symmetric in any way, with experts if it has any."""
    random = np.random.default_rng(seed)
    characters = "\n" + "".join(chr(ord("a") + i) for i in range(config.vocab_size - 1))
    weights: Weights = {
        name: random.normal(0, scale, shape).astype(np.float32)
        for name, shape in config.parameter_shapes().items()
    }
    if config.ngram_order:
        weights |= counts_of(config, weights, repetitive_ids(config.vocab_size, random))
    return Checkpoint(
        config=config,
        vocabulary=Vocabulary(characters),
        weights=weights,
        corpus=CorpusRecord("letters", "0" * 64, 1234, 0.1, 0.0),
        losses=Losses(1.5, 123, val_carried=True),
        step=7,
        training={"loop": {"steps": 9}},
        versions={"charrnn": "0"},
    )


def repetitive_ids(vocab_size: int, random: np.random.Generator) -> Ids:
    """A short text whose n-grams come once, twice and often."""
    ids = np.tile(random.integers(0, vocab_size, 29), 8)
    changed = random.random(len(ids)) < 0.2
    ids[changed] = random.integers(0, vocab_size, int(changed.sum()))
    return ids.astype(np.uint16)


def counts_of(config: ModelConfig, weights: Weights, ids: Ids) -> Weights:
    """The tensors beside the parameters `weights` of a model whose experts have counted a text."""
    table, _ = count(CountedText.of(ContiguousText(ids), config.vocab_size), config.ngram_rule)
    return to_tensors(table, shares_of(weights["experts.weight"], weights["experts.log_offset"]))


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """A small model below checkpoints/ in tmp_path, as a run called `letters`."""
    config = ModelConfig(vocab_size=11, hidden_size=13, embedding_size=5, num_layers=2)
    path = tmp_path / "checkpoints" / "letters" / "model.safetensors"
    path.parent.mkdir(parents=True)
    checkpoint.write(path, random_checkpoint(config))
    return path
