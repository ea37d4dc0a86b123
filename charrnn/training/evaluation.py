"""Judging a model in training on the validation split: estimates on the way, exactly at the end."""

from dataclasses import replace

from charrnn.corpus.encoded import EncodedCorpus
from charrnn.engines.selection import make_engine
from charrnn.inference.make_network import make_network
from charrnn.inference.scoring import Score, evaluate, score_sampled
from charrnn.model.checkpoint import Checkpoint, Losses
from charrnn.model.precision import SAMPLING_PRECISIONS
from charrnn.plan.budget import LEAST_EVAL_CHARS
from charrnn.plan.plan import Plan
from charrnn.training.char_rnn import CharRNN
from charrnn.training.torch_scorer import TorchScorer


class Evaluator:
    """Judges `model`, whose weights may change between two calls, in fp32 on the run's engine."""

    def __init__(self, plan: Plan, corpus: EncodedCorpus, model: CharRNN) -> None:
        self._plan = plan
        self._validation = corpus.checked_split("validation")
        self._model = model
        engine = make_engine(plan.step.engine, "fp32", plan.step.threads)
        self._scorer = TorchScorer(model, engine)

    def estimate(self) -> Score:
        """The model's loss on about `eval_chars` characters of the validation split."""
        return score_sampled(self._scorer, self._validation, self._plan.run.eval_chars)

    def judged(self, checkpoint: Checkpoint, share: float = 1.0) -> Checkpoint:
        """`checkpoint` with its exact losses; the model has its weights from now on.

        They are measured on `share` of the characters that the plan says, but not on a few.
        """
        self._model.load_weights(checkpoint.weights)
        exact = evaluate(self._scorer, self._validation.first(_part(self._plan.final_chars, share)))
        losses = replace(
            self._losses_by_precision(checkpoint, _part(self._plan.precision_chars, share)),
            val_nats=exact.carried.nats_per_char,
            val_characters=exact.carried.characters,
            val_carried=True,
            val_windows_nats=exact.windows.nats_per_char,
        )
        return replace(checkpoint, losses=losses)

    def _losses_by_precision(self, checkpoint: Checkpoint, characters: int) -> Losses:
        """What sampling at each precision costs, all measured on the same text."""
        if characters == 0:
            return Losses()
        by_precision: dict[str, float] = {}
        for precision in SAMPLING_PRECISIONS:
            network = make_network(
                checkpoint.config, checkpoint.weights, precision, self._plan.step.threads
            )
            score = score_sampled(network, self._validation, characters)
            by_precision[precision] = score.nats_per_char
        return Losses(by_precision=by_precision, precision_characters=score.characters)


def _part(characters: int, share: float) -> int:
    """`share` of so many characters, but LEAST_EVAL_CHARS of them if there are as many."""
    return max(int(share * characters), min(characters, LEAST_EVAL_CHARS))
