"""The model of a run as it stands between two steps: as a checkpoint, and a sample of its text."""

from dataclasses import asdict

import torch

from charrnn import __version__
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.inference.make_network import make_network
from charrnn.inference.scoring import Score
from charrnn.model.checkpoint import Checkpoint, CorpusRecord, Losses, Weights
from charrnn.plan.plan import Plan
from charrnn.runs.events import SampleReport
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.place import Place
from charrnn.sampling.writers import make_writer

SAMPLE_CHARACTERS = 160
"""Length of a sample that is shown during training."""


def make_checkpoint(
    plan: Plan,
    vocabulary: Vocabulary,
    weights: Weights,
    score: Score | None,
    step: int,
    elapsed_s: float,
) -> Checkpoint:
    """The model after `step` steps and `elapsed_s` seconds of its run.

    `score` is the estimate of its loss; None: not measured.
    """
    corpus = plan.corpus
    return Checkpoint(
        config=plan.model,
        vocabulary=vocabulary,
        weights=weights,
        corpus=CorpusRecord(
            name=corpus.name,
            sha256=corpus.sha256,
            num_symbols=corpus.num_symbols,
            text=corpus.text,
            marks=corpus.marks,
            **asdict(corpus.splits),
        ),
        losses=Losses() if score is None else Losses(score.nats_per_char, score.characters),
        step=step,
        training={
            "optimizer": asdict(plan.optimizer),
            "loop": asdict(plan.run) | asdict(plan.step),
            "elapsed_s": round(elapsed_s, 3),
        },
        versions={"charrnn": __version__, "torch": str(torch.__version__)},
    )


def write_sample(
    plan: Plan, vocabulary: Vocabulary, weights: Weights, step: int, record_end: int | None
) -> SampleReport:
    """A few characters of the model after `step` steps.

    `record_end` is the id that ends a record; None: the text is not made of records. The random
    numbers are the sample's own, so the run is not disturbed.
    """
    network = make_network(plan.model, weights, threads=1)
    config = SamplingConfig(seed=plan.step.seed + step, length=SAMPLE_CHARACTERS)
    writer = make_writer(network, Place.after(network, vocabulary.start(), record_end), config)
    return SampleReport(step, vocabulary.decode(writer.write(config.length)[:, 0]))
