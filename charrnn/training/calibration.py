"""Making the plan: sizes that fit text, time and machine, and steps that fit the budget.

The rules are those of recipe.py. A short calibration measures this machine's speed on models of
its own, so it uses up none of the run's randomness: with or without it, the same plan learns the
same weights.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from charrnn import native
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split import Split
from charrnn.engines.selection import MISSING, Kind, candidates, make_engine
from charrnn.inference.parallel_reading import CHUNK, STREAMS
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SAMPLING_PRECISIONS
from charrnn.plan.config import Device, RunConfig, StepConfig
from charrnn.plan.engines import ENGINE_CELLS, training_threads
from charrnn.plan.optimizers import OPTIMIZERS, OptimizerConfig, OptimizerTraits
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.recipe import (
    AS_ASKED,
    MAX_EPOCHS,
    OPTIONS_WITH_REASONS,
    REASONS_FOR_DEFAULTS,
    choose_dropout,
    choose_hidden_size,
    choose_lr,
    choose_reset_prob,
    choose_weight_decay,
    choose_weight_drop,
)
from charrnn.plan.request import DEFAULT_BUDGET_S, STOPPING_OPTIONS, TrainingRequest
from charrnn.training.benchmark import make_trainers
from charrnn.training.timing import mean_seconds, median_seconds
from charrnn.training.torch_scorer import TorchScorer
from charrnn.training.trainer import Trainer

EVALUATIONS = 10
"""While training, at most."""
LEAST_EVAL_CHARS = 4096
"""Of an evaluation: fewer characters could not tell which model is the best, or when to stop."""
REPORTS = 400
EVALUATION_SHARE = 0.03
"""Of the budget, for all evaluations during training together."""
FINAL_SHARE = 0.06
"""Of the budget, at most, for the final evaluation."""
PRECISION_SHARE = 0.02
"""Of the budget, about, for judging the sampling precisions afterwards."""
PRECISION_CHARS = (4096, 32768)
"""Characters that judging them reads, at least and at most; fewer only of a shorter split."""
FINAL_READINGS = 2.5
"""A final evaluation reads its characters about this often: until the states settle, and in
windows."""
CALIBRATION_SHARE = 0.025
"""Of the budget, for measuring before the first step; at most BUDGET_CALIBRATION_S."""
BUDGET_CALIBRATION_S = 3.0
STEPS_CALIBRATION_S = 0.3
"""Seconds for measuring where no budget depends on it, only the choice of a precision."""
HOPELESS = 2.0
"""An engine that takes this many times as long as another is not timed again."""
EXIT_S = 0.3
"""Saving the last files and leaving Python."""


@dataclass(frozen=True)
class Speeds:
    """What this machine does, measured."""

    step_s: float
    """One training step."""
    eval_chars_per_s: float
    """Reading validation text in parallel streams."""


def make_plan(
    request: TrainingRequest,
    corpus: EncodedCorpus,
    corpus_plan: CorpusPlan,
    elapsed: Callable[[], float],
) -> tuple[Plan, tuple[str, ...]]:
    """Return the complete plan, and notes for the user; `elapsed()` is the command's age in s."""
    asked = request.given
    train = corpus.split("train")
    step, notes = _fit_to_text(request, train)
    wanted = "engine" not in asked and step.device == "cpu"
    if wanted and request.cell in ENGINE_CELLS["native"] and not native.is_built():
        notes = (*notes, MISSING)
    torch.set_num_threads(step.threads)
    budget = asked.get("budget")
    if not asked.keys() & set(STOPPING_OPTIONS):
        budget = DEFAULT_BUDGET_S
    left = None if budget is None else budget * (1 - EVALUATION_SHARE - FINAL_SHARE) - elapsed()
    machine = _Machine(request, train, step, budget)
    model, optimizer, reasons = _choose(request, machine, len(corpus.vocabulary), left)
    speeds = Speeds(step_s=0.0, eval_chars_per_s=0.0)
    if budget is not None or {"engine", "precision", "eval_chars"} - asked.keys():
        kind, speeds = machine.calibrate(model, optimizer)
        step = replace(step, engine=kind[0], precision=kind[1])
    validation = len(corpus.split("validation"))
    final_chars, final_s = _final_evaluation(validation, budget, speeds)
    precision_chars, precision_s = _precision_evaluation(validation, budget, speeds)
    final_s += precision_s
    steps = _steps(request, machine)
    if budget is not None:
        left = budget * (1 - EVALUATION_SHARE) - elapsed() - final_s - EXIT_S
        steps, reasons["steps"] = _steps_in_time(left, speeds, machine)
    readings = steps / machine.per_epoch
    model, why = _dropping(request, model, readings, len(train))
    reasons["dropout"] = reasons["weight_drop"] = why
    evaluations, eval_chars = _evaluations(request, steps * speeds.step_s, speeds)
    run = request.run_config(
        RunConfig(
            steps=steps,
            eval_every=-(-steps // evaluations),
            eval_chars=eval_chars,
            report_every=max(1, steps // REPORTS),
        )
    )
    plan = Plan(
        corpus=corpus_plan,
        model=model,
        optimizer=optimizer,
        step=step,
        run=replace(run, eval_chars=min(validation, run.eval_chars)),
        final_chars=final_chars,
        budget_s=budget,
        final_s=final_s,
        precision_chars=precision_chars,
        most_steps=machine.most_steps if budget is not None else None,
        reasons=reasons | _given(request),
    )
    return plan, notes


def _choose(
    request: TrainingRequest, machine: "_Machine", vocab_size: int, left: float | None
) -> tuple[ModelConfig, OptimizerConfig, dict[str, str]]:
    """The model, the optimizer and the reasons; `left` is the time for training in s, if any."""
    num_ids = len(machine.split)
    asked_steps = _steps(request, machine)

    @cache
    def chars_in_time(config: ModelConfig) -> float:
        if left is None:
            return asked_steps * machine.step_chars
        chars = left / machine.step_seconds(config) * machine.step_chars
        return min(chars, MAX_EPOCHS * num_ids)

    reasons = dict(REASONS_FOR_DEFAULTS)
    model, optimizer = request.model_config(vocab_size), request.optimizer_config()
    if "hidden_size" not in request.given:
        width, reasons["hidden_size"] = choose_hidden_size(model, chars_in_time)
        model = replace(model, hidden_size=width)
    # The readings are a first guess: what is timed next must drop as the run will.
    model, _ = _dropping(request, model, chars_in_time(model) / num_ids, num_ids)
    if "weight_decay" not in request.given:
        decay = choose_weight_decay(machine.per_epoch, optimizer.optimizer)
        optimizer = replace(optimizer, weight_decay=decay)
    if "lr" not in request.given:
        optimizer = replace(optimizer, lr=choose_lr(model.hidden_size, optimizer.optimizer))
    reasons["weight_decay"] = f"a reading has {machine.per_epoch:,} steps"
    reasons["lr"] = f"for {model.hidden_size} units"
    if OPTIMIZERS[optimizer.optimizer] != OptimizerTraits():
        reasons["lr"] = reasons["weight_decay"] = f"for {optimizer.optimizer}"
    return model, optimizer, reasons


def _dropping(
    request: TrainingRequest, model: ModelConfig, readings: float, num_ids: int
) -> tuple[ModelConfig, str]:
    """(`model`, dropping what one that reads so much of its text so often should; why)."""
    per_char = model.num_parameters() / num_ids
    dropout = choose_dropout(readings, per_char)
    if "dropout" not in request.given:
        model = replace(model, dropout=dropout)
    if "weight_drop" not in request.given:
        model = replace(model, weight_drop=choose_weight_drop(dropout, model.cell))
    return model, f"the text is read {readings:.3g} times, by {per_char:.3g} parameters a character"


def _given(request: TrainingRequest) -> dict[str, str]:
    """Of what would have been chosen, and of what a preset says, the options that were given."""
    given = {option: AS_ASKED for option in OPTIONS_WITH_REASONS if option in request.given}
    values = request.from_preset()
    origin = f"from --preset {request.given.get('preset')}"
    preset = dict.fromkeys(values, origin)
    if preset.pop("epochs", None):
        preset["steps"] = f"{values['epochs']:g} epochs, {origin}"
    return given | preset


def _steps(request: TrainingRequest, machine: "_Machine") -> int:
    """The steps asked for, outright or as epochs; 1 where a budget decides."""
    epochs = request.given.get("epochs")
    if epochs is None:
        return request.given.get("steps") or 1
    return max(1, round(epochs * machine.per_epoch))


def _steps_in_time(left: float, speeds: Speeds, machine: "_Machine") -> tuple[int, str]:
    """(steps, why): as many as `left` seconds hold, but no more readings than teach anything."""
    steps = max(1, int(left / speeds.step_s))
    if steps > machine.most_steps:
        return (
            machine.most_steps,
            f"{MAX_EPOCHS:g} readings: more of so small a text would be learned by heart",
        )
    return steps, f"fill the budget at {1000 * speeds.step_s:.3g} ms each"


def _evaluations(request: TrainingRequest, training_s: float, speeds: Speeds) -> tuple[int, int]:
    """(how many, characters of each): what their share of the time holds, rather few than short.

    Where no budget decides there are always as many, however long they take.
    """
    warm_up = CHUNK * STREAMS
    characters = int(EVALUATION_SHARE * training_s * speeds.eval_chars_per_s)
    number = EVALUATIONS
    if not request.given.keys() & {"steps", "epochs"}:
        number = max(1, min(number, characters // (warm_up + LEAST_EVAL_CHARS)))
    each = max(LEAST_EVAL_CHARS, characters // EVALUATIONS - warm_up)
    return number, each


def _final_evaluation(validation: int, budget: float | None, speeds: Speeds) -> tuple[int, float]:
    """(characters, seconds): the whole split, or as much as its share of the budget allows."""
    if budget is None:
        return validation, 0.0
    seconds = FINAL_READINGS * validation / speeds.eval_chars_per_s
    share = min(1.0, FINAL_SHARE * budget / seconds)
    return max(2, int(validation * share)), share * seconds


def _precision_evaluation(
    validation: int, budget: float | None, speeds: Speeds
) -> tuple[int, float]:
    """(characters, seconds): what each precision is judged on, and what all of them take."""
    least, most = (min(validation, chars) for chars in PRECISION_CHARS)
    if budget is None:
        return most, 0.0
    char_s = len(SAMPLING_PRECISIONS) / speeds.eval_chars_per_s
    chars = int(PRECISION_SHARE * budget / char_s) - CHUNK * STREAMS
    chars = max(least, min(most, chars))
    return chars, (chars + CHUNK * STREAMS) * char_s


def _fit_to_text(request: TrainingRequest, train: Split) -> tuple[StepConfig, tuple[str, ...]]:
    """The step's options with sizes that fit `train`, and a note where they are not as asked."""
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    asked = request.step_config(
        StepConfig(
            reset_prob=choose_reset_prob(request.cell),
            device=device,
            threads=training_threads(request.cell, request.given.get("engine")),
        )
    )
    batch_size, seq_len = train.fitted_sizes(asked.batch_size, asked.seq_len)
    fitted = replace(asked, batch_size=batch_size, seq_len=seq_len)
    if (batch_size, seq_len) == (asked.batch_size, asked.seq_len):
        return fitted, ()
    return fitted, (
        f"a small text, {len(train):,} characters to train on: batch size {asked.batch_size} -> "
        f"{batch_size}, window {asked.seq_len} -> {seq_len}",
    )


class _Machine:
    """What the machine does with one text, measured on models of its own."""

    def __init__(
        self, request: TrainingRequest, split: Split, step: StepConfig, budget: float | None
    ) -> None:
        self.split = split
        self.step = step
        sizes = step.batch_size, step.seq_len, step.seed
        self.per_epoch = split.training_windows(*sizes).per_epoch
        """Steps that read the text once."""
        self.step_chars = len(split) / self.per_epoch
        """Characters that a step learns from, about."""
        self.most_steps = max(1, int(MAX_EPOCHS * self.per_epoch))
        """Steps that read the text MAX_EPOCHS times."""
        self._kinds = _offered(request, step.device)
        self._limit = STEPS_CALIBRATION_S
        if budget is not None:
            self._limit = min(BUDGET_CALIBRATION_S, CALIBRATION_SHARE * budget)

    def step_seconds(self, model: ModelConfig) -> float:
        """About how long one training step takes on the fastest engine.

        An engine that is left far behind once is not tried again.
        """
        found = median_seconds(_steps_of(self._trainers(model, OptimizerConfig())), seconds=0.0)
        fastest = min(found.values())
        self._kinds = [kind for kind in self._kinds if found[kind] < HOPELESS * fastest]
        return fastest

    def calibrate(self, model: ModelConfig, optimizer: OptimizerConfig) -> tuple[Kind, Speeds]:
        """Of the engines and precisions on offer the fastest, and how fast it is."""
        trainers = self._trainers(model, optimizer)
        steps = _steps_of(trainers)
        found = median_seconds(steps, seconds=0.3 * self._limit)
        fastest = min(found, key=lambda kind: found[kind])
        step_s = mean_seconds(steps[fastest], seconds=0.6 * self._limit)
        engine = make_engine(fastest[0], "fp32", self.step.threads)
        scorer = TorchScorer(trainers[fastest].model, engine)
        window = np.zeros((CHUNK, STREAMS), np.int64)
        state = scorer.initial_state(STREAMS)
        score = {"": lambda: scorer.score(window, window, state)}
        eval_s = median_seconds(score, 0.1 * self._limit)[""]
        return fastest, Speeds(step_s, window.size / eval_s)

    def _trainers(self, model: ModelConfig, optimizer: OptimizerConfig) -> dict[Kind, Trainer]:
        return make_trainers(self._kinds, self.split, model, optimizer, self.step)


def _steps_of(trainers: dict[Kind, Trainer]) -> dict[Kind, Callable[[], None]]:
    return {kind: trainer.step for kind, trainer in trainers.items()}


def _offered(request: TrainingRequest, device: str) -> list[Kind]:
    """The candidates that the request leaves open; what it names outright is always one."""
    asked = request.given
    kinds = [
        (engine, precision)
        for engine, precision in candidates(device, request.cell)
        if asked.get("engine", engine) == engine and asked.get("precision", precision) == precision
    ]
    if kinds:
        return kinds
    step = request.step_config(StepConfig())
    return [(step.engine, step.precision)]
