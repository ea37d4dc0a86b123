"""How fast this machine trains and samples one model, engine by engine, on made-up text."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.split import Split
from charrnn.engines.selection import Kind, candidates
from charrnn.inference.make_network import make_network
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS, SamplingPrecision
from charrnn.plan.config import StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.sampling.config import ENDLESS, SamplingConfig
from charrnn.sampling.place import Place
from charrnn.sampling.writers import make_writer
from charrnn.training.timing import median_seconds
from charrnn.training.trainer import Trainer

BLOCK = 200
"""Characters written at a time."""
TIMED_STEPS = 1000
"""Steps of the run of which a few are timed; only the learning rate depends on them."""


@dataclass(frozen=True)
class Benchmark:
    """Characters per second."""

    training: dict[Kind, float]
    """Whole training steps, by engine and precision."""
    sampling: dict[SamplingPrecision, float]
    """One stream, characters written one after another, by precision."""


def make_trainers(
    kinds: Iterable[Kind],
    split: Split,
    model: ModelConfig,
    optimizer: OptimizerConfig,
    step: StepConfig,
) -> dict[Kind, Trainer]:
    """The same training once for each engine and precision, to be timed against each other."""
    return {
        (engine, precision): Trainer(
            split,
            model,
            optimizer,
            replace(step, engine=engine, precision=precision),
            TIMED_STEPS,
        )
        for engine, precision in kinds
    }


def made_up_text(vocab_size: int, step: StepConfig) -> ContiguousText:
    """A text of random ids, the same each time, that fills four windows of a batch."""
    num_targets = 4 * step.batch_size * step.seq_len
    return ContiguousText(np.random.default_rng(0).integers(0, vocab_size, num_targets + 1))


def benchmark(model: ModelConfig, step: StepConfig, seconds: float) -> Benchmark:
    """Measure for about `seconds`; medians of steps taken in turn."""
    torch.set_num_threads(step.threads)
    window = step.batch_size * step.seq_len
    text = made_up_text(model.vocab_size, step)
    kinds = candidates(step.device, model.cell)
    trainers = make_trainers(kinds, text, model, OptimizerConfig(), step)
    steps = {kind: trainer.step for kind, trainer in trainers.items()}
    step_s = median_seconds(steps, 0.8 * seconds)
    weights = next(iter(trainers.values())).model.weights()
    writers = {}
    for precision in SAMPLING_PRECISIONS:
        network = make_network(model, weights, precision)
        place = Place.after(network, text.ids[:1])
        writers[precision] = make_writer(network, place, SamplingConfig(seed=0, length=ENDLESS))
    blocks = {name: partial(writer.write, BLOCK) for name, writer in writers.items()}
    block_s = median_seconds(blocks, 0.2 * seconds)
    return Benchmark(
        {kind: window / found for kind, found in step_s.items()},
        {precision: BLOCK / found for precision, found in block_s.items()},
    )
