"""Measuring how fast this machine trains and samples a model, on every engine that it has.

The text is made up of random characters: the speed does not depend on what they say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.split import Split
from charrnn.corpus.vocabulary import Ids
from charrnn.engines.selection import Kind, candidates
from charrnn.experts.text_counts import TextCounts
from charrnn.inference.make_network import make_network
from charrnn.model.checkpoint import Weights
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
"""Characters that are sampled between two readings of the clock."""
RUN_STEPS = 1000
"""Steps of the run that the timed steps belong to. Only the learning rate depends on it."""
TRAINING_SHARE = 0.8
"""Fraction of the time that measuring training takes; measuring sampling takes the rest."""


@dataclass(frozen=True)
class Benchmark:
    """Speeds in characters per second."""

    training: dict[Kind, float]
    """Speed of whole training steps, by engine and precision."""
    sampling: dict[SamplingPrecision, float]
    """Speed of writing one text, by the precision of the weights."""


def make_trainers(
    kinds: Iterable[Kind],
    split: Split,
    model: ModelConfig,
    optimizer: OptimizerConfig,
    step: StepConfig,
    counts: TextCounts | None = None,
) -> dict[Kind, Trainer]:
    """A trainer of the same model on the same text for each engine and precision in `kinds`.

    `counts` are those of `split`, if there are any already.
    """
    counts = counts or TextCounts(split)
    return {
        (engine, precision): Trainer(
            split,
            model,
            optimizer,
            replace(step, engine=engine, precision=precision),
            RUN_STEPS,
            counts,
        )
        for engine, precision in kinds
    }


def made_up_text(vocab_size: int, step: StepConfig) -> ContiguousText:
    """A text of random ids, the same each time, that fills four windows of a batch."""
    num_targets = 4 * step.batch_size * step.seq_len
    return ContiguousText(np.random.default_rng(0).integers(0, vocab_size, num_targets + 1))


def benchmark(model: ModelConfig, step: StepConfig, seconds: float) -> Benchmark:
    """Measure the speeds for about `seconds` seconds."""
    torch.set_num_threads(step.threads)
    text = made_up_text(model.vocab_size, step)
    trainers = make_trainers(
        candidates(step.device, model.cell), text, model, OptimizerConfig(), step
    )
    steps = {kind: trainer.step for kind, trainer in trainers.items()}
    step_s = median_seconds(steps, TRAINING_SHARE * seconds)
    weights = next(iter(trainers.values())).model.weights()
    block_s = _time_sampling(model, weights, text.ids[:1], (1 - TRAINING_SHARE) * seconds)
    return Benchmark(
        {kind: step.batch_size * step.seq_len / time_s for kind, time_s in step_s.items()},
        {precision: BLOCK / time_s for precision, time_s in block_s.items()},
    )


def _time_sampling(
    model: ModelConfig, weights: Weights, prime: Ids, seconds: float
) -> dict[SamplingPrecision, float]:
    """Median seconds in which one text grows by a BLOCK, by the precision of the weights."""
    blocks: dict[SamplingPrecision, Callable[[], object]] = {}
    for precision in SAMPLING_PRECISIONS:
        network = make_network(model, weights, precision)
        place = Place.after(network, prime)
        writer = make_writer(network, place, SamplingConfig(seed=0, length=ENDLESS))
        blocks[precision] = partial(writer.write, BLOCK)
    return median_seconds(blocks, seconds)
