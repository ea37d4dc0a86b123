"""A model as it stands in the middle of a run: its checkpoint, a sample, what a precision costs."""

from dataclasses import asdict
from importlib.metadata import version

import torch

from charrnn.corpus.split import Split
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.inference.make_network import make_network
from charrnn.inference.scoring import Score, score_sampled
from charrnn.model.checkpoint import Checkpoint, CorpusRecord, Losses, Weights
from charrnn.model.precision import SAMPLING_PRECISIONS
from charrnn.plan.plan import Plan
from charrnn.runs.events import SampleReport
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.place import Place
from charrnn.sampling.writers import make_writer

SAMPLE_CHARACTERS = 160
SAMPLE_TEMPERATURE = 0.8


def make_checkpoint(
    plan: Plan,
    vocabulary: Vocabulary,
    weights: Weights,
    score: Score | None,
    step: int,
    elapsed_s: float,
) -> Checkpoint:
    """The model after `step` steps, `score` if it was judged."""
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
            **asdict(corpus.splits),
        ),
        losses=Losses() if score is None else Losses(score.nats_per_char, score.characters),
        step=step,
        training={
            "optimizer": asdict(plan.optimizer),
            "loop": asdict(plan.run) | asdict(plan.step),
            "elapsed_s": round(elapsed_s, 3),
        },
        versions={"charrnn": version("charrnn"), "torch": str(torch.__version__)},
    )


def write_sample(
    plan: Plan, vocabulary: Vocabulary, weights: Weights, step: int, record_end: int | None
) -> SampleReport:
    """A few characters; the generator is this sample's own, so the run is not disturbed."""
    network = make_network(plan.model, weights, threads=1)
    config = SamplingConfig(
        seed=plan.step.seed + step, temperature=SAMPLE_TEMPERATURE, length=SAMPLE_CHARACTERS
    )
    writer = make_writer(network, Place.after(network, vocabulary.start(), record_end), config)
    return SampleReport(step, vocabulary.decode(writer.write(config.length)[:, 0]))


def judge_precisions(plan: Plan, model: Checkpoint, validation: Split) -> Losses:
    """What sampling at each precision costs, all measured on the same text."""
    if plan.precision_chars == 0:
        return Losses()
    by_precision: dict[str, float] = {}
    for precision in SAMPLING_PRECISIONS:
        network = make_network(model.config, model.weights, precision, plan.step.threads)
        score = score_sampled(network, validation, plan.precision_chars)
        by_precision[precision] = score.nats_per_char
    return Losses(by_precision=by_precision, precision_characters=score.characters)
