"""Choosing the plan of a run: sizes that fit text, time and machine, steps that fit the budget.

The rules are those of charrnn/plan/recipe.py; how fast the machine is, calibration.py measures.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property

import torch

from charrnn import native
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.progress import silent
from charrnn.corpus.split import Split
from charrnn.cpus import affordable_threads
from charrnn.engines.selection import COST_OF_MISSING, MISSING, Kind, candidates
from charrnn.experts.rule import MOST_SYMBOLS
from charrnn.experts.text_counts import TextCounts
from charrnn.model.config import ModelConfig
from charrnn.plan.budget import (
    EVALUATION_SHARE,
    FINAL_SHARE,
    LEAST_EVAL_CHARS,
    UNMEASURED,
    WARM_UP,
    Speeds,
    plan_ending,
    steps_in_time,
)
from charrnn.plan.config import Device, RunConfig, StepConfig
from charrnn.plan.engines import ENGINE_CELLS, training_threads
from charrnn.plan.optimizers import OPTIMIZERS, OptimizerConfig, OptimizerTraits
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.recipe import (
    AS_ASKED,
    LONGEST_CONTEXTS,
    MAX_EPOCHS,
    OPTIONS_WITH_REASONS,
    REASONS_FOR_DEFAULTS,
    choose_dropout,
    choose_hidden_size,
    choose_lr,
    choose_ngram_dropout,
    choose_ngram_order,
    choose_reset_prob,
    choose_weight_decay,
    choose_weight_drop,
)
from charrnn.plan.request import DEFAULT_BUDGET_S, STOPPING_OPTIONS, TrainingRequest
from charrnn.runs.events import Measuring
from charrnn.training.calibration import Machine
from charrnn.words import counted

EVALUATIONS = 10
"""Evaluations while a run trains, at most."""
REPORTS = 400
"""Reports of the training loss in a run, about."""
READ_OFTEN_ENOUGH = f"{MAX_EPOCHS:g} readings: with more, so small a text would be learned by heart"
"""Why a run with time for more has no more steps."""

FROM_PRESET = "from --preset"
"""How the reason begins for a value that a preset gave; its name follows."""
MOST_MORE_STEPS = 10**9
"""Steps for which a run may learn on in the time that it is given, however often it has read the
text: its patience stops it where that teaches nothing."""

OnMeasuring = Callable[[Measuring], None]
MakeMachine = Callable[
    [Split, StepConfig, list[Kind], float | None, OnMeasuring, TextCounts], Machine
]


@dataclass(frozen=True, eq=False)
class Reading:
    """What one reading of the training text is, in steps of one kind."""

    split: Split
    step: StepConfig

    @cached_property
    def steps(self) -> int:
        """Steps that read the text once."""
        step = self.step
        return self.split.training_windows(step.batch_size, step.seq_len, step.seed).per_epoch

    @property
    def step_chars(self) -> float:
        """Characters that a step learns from, about."""
        return len(self.split) / self.steps


def make_plan(
    request: TrainingRequest,
    corpus: EncodedCorpus,
    corpus_plan: CorpusPlan,
    elapsed: Callable[[], float],
    report: OnMeasuring = silent,
    make_machine: MakeMachine = Machine,
    counts: TextCounts | None = None,
) -> tuple[Plan, tuple[str, ...]]:
    """Return the complete plan, and notes for the user.

    `elapsed()` is the age of the command in seconds, `report` hears what is measured,
    `make_machine` makes what measures, and `counts` are those of the training split, if there are
    any already. Raises UsageError if the budget is too short for a model
    that was asked for.
    """
    train, validation = corpus.split("train"), len(corpus.split("validation"))
    step, notes = _fit_to_text(request, train)
    notes = (*notes, *_note_on_missing_engine(request, step))
    notes = (*notes, *_note_on_many_symbols(request, len(corpus.vocabulary)))
    torch.set_num_threads(step.threads)
    budget_s = _budget(request)
    reading = Reading(train, step)
    counts = counts or TextCounts(train)
    kinds = _kinds_left_open(request, step.device)
    machine = make_machine(train, step, kinds, budget_s, report, counts)
    left_s = None
    if budget_s is not None:
        left_s = budget_s * (1 - EVALUATION_SHARE - FINAL_SHARE) - elapsed()
    reasons = dict(REASONS_FOR_DEFAULTS)
    model, why = _choose_model(request, reading, machine, len(corpus.vocabulary), left_s)
    optimizer, whys = _choose_optimizer(request, reading, model)
    reasons |= {"hidden_size": why, **whys} if why else whys
    speeds = UNMEASURED
    if budget_s is not None or {"engine", "precision", "eval_chars"} - request.given.keys():
        (engine, precision), speeds = machine.measure(model, optimizer)
        step = replace(step, engine=engine, precision=precision)
    ending = plan_ending(budget_s, validation, speeds)
    steps = most_steps = _most_steps(request, reading)
    if budget_s is not None:
        steps = steps_in_time(budget_s, elapsed(), validation, speeds, most_steps)
        reasons["steps"] = f"fill the budget at {1000 * speeds.step_s:.3g} ms each"
        if steps == most_steps:
            reasons["steps"] = AS_ASKED if _says_how_much(request) else READ_OFTEN_ENOUGH
    model, why = _with_dropout(request, model, steps / reading.steps, len(train))
    reasons |= dict.fromkeys(("dropout", "weight_drop", "ngram_order", "ngram_dropout"), why)
    plan = Plan(
        corpus=corpus_plan,
        model=model,
        optimizer=optimizer,
        step=step,
        run=_plan_run(request, steps, speeds, validation),
        final_chars=ending.final_chars,
        budget_s=budget_s,
        final_s=ending.seconds,
        precision_chars=ending.precision_chars,
        most_steps=None if budget_s is None else most_steps,
        reading_steps=reading.steps,
        reasons=reasons | _reasons_of_what_was_asked(request),
    )
    return plan, notes


def continue_plan(
    plan: Plan,
    limits: TrainingRequest,
    corpus: EncodedCorpus,
    standing: tuple[int, float],
    elapsed: Callable[[], float],
    report: OnMeasuring = silent,
    make_machine: MakeMachine = Machine,
    counts: TextCounts | None = None,
) -> Plan:
    """The plan of a run that learns on for the budget, steps or epochs of `limits`.

    `standing` are the steps that it has done and the seconds that it took; the other arguments are
    those of `make_plan`. Dropout and weight-drop become those of a run of the whole length, unless
    they were asked for. Raises UsageError if the budget is too short.
    """
    (done, earlier_s), step = standing, plan.step
    train, validation = corpus.split("train"), len(corpus.split("validation"))
    torch.set_num_threads(step.threads)
    reading, budget_s = Reading(train, step), limits.given.get("budget")
    speeds = UNMEASURED
    steps = most_steps = _most_steps(limits, reading)
    if budget_s is not None:
        kinds: list[Kind] = [(step.engine, step.precision)]
        counts = counts or TextCounts(train)
        machine = make_machine(train, step, kinds, budget_s, report, counts)
        speeds = machine.measure(plan.model, plan.optimizer)[1]
        if not _says_how_much(limits):
            most_steps = max(most_steps, MOST_MORE_STEPS)
        steps = steps_in_time(budget_s, elapsed(), validation, speeds, most_steps)
    ending = plan_ending(budget_s, validation, speeds)
    reasons = {**plan.reasons, "steps": f"{done:,} were done, {steps:,} more"}
    names = {"dropout", "weight_drop", "ngram_dropout"}
    asked = {name: getattr(plan.model, name) for name in names if not _was_chosen(plan, name)}
    readings = (done + steps) / reading.steps
    model, why = _with_dropout(TrainingRequest(**asked), plan.model, readings, len(train))
    reasons |= dict.fromkeys(names - asked.keys(), why)
    run = _plan_run(limits, steps, speeds, validation)
    run = replace(
        run, steps=done + steps, patience=plan.run.patience, save_every=plan.run.save_every
    )
    if budget_s is None:
        run = replace(run, eval_chars=plan.run.eval_chars)
    return replace(
        plan,
        model=model,
        run=run,
        final_chars=ending.final_chars,
        budget_s=None if budget_s is None else earlier_s + budget_s,
        final_s=ending.seconds,
        precision_chars=ending.precision_chars,
        most_steps=None if budget_s is None else done + most_steps,
        reading_steps=reading.steps,
        from_step=done,
        reasons=reasons,
    )


def _says_how_much(request: TrainingRequest) -> bool:
    """Whether a request says for how many steps or epochs to train."""
    return bool({"steps", "epochs"} & request.given.keys())


def _was_chosen(plan: Plan, name: str) -> bool:
    """Whether the value of an option was chosen: neither the user nor a preset gave it."""
    return not plan.reasons.get(name, AS_ASKED).startswith((AS_ASKED, FROM_PRESET))


def _budget(request: TrainingRequest) -> float | None:
    """Seconds of the whole command; None where steps or epochs say when to stop."""
    if request.given.keys() & set(STOPPING_OPTIONS):
        return request.given.get("budget")
    return DEFAULT_BUDGET_S


def _note_on_missing_engine(request: TrainingRequest, step: StepConfig) -> tuple[str, ...]:
    """A note where the native engine would run the cell but was not built."""
    wanted = "engine" not in request.given and step.device == "cpu"
    if wanted and request.cell in ENGINE_CELLS["native"] and not native.is_built():
        return (f"{COST_OF_MISSING}: {MISSING}",)
    return ()


def _note_on_many_symbols(request: TrainingRequest, vocab_size: int) -> tuple[str, ...]:
    """A note where the plan leaves n-gram experts out because the text has too many symbols."""
    if "ngram_order" in request.given or vocab_size <= MOST_SYMBOLS:
        return ()
    return (
        f"the text has {vocab_size:,} distinct characters: too many for n-gram experts, which know "
        f"{MOST_SYMBOLS:,} at most; the net learns alone",
    )


def _choose_model(
    request: TrainingRequest,
    reading: Reading,
    machine: Machine,
    vocab_size: int,
    left_s: float | None,
) -> tuple[ModelConfig, str]:
    """(the model, with a width and dropout that fit text, time and machine; why that width).

    There is no reason for a width that was asked for. `left_s` is the time for training in
    seconds, None where no budget decides.
    """
    num_ids = len(reading.split)
    most_chars = _most_steps(request, reading) * reading.step_chars

    @cache
    def chars_in_time(config: ModelConfig) -> float:
        """Characters that `config` reads in the time there is, or in the steps asked for."""
        if left_s is None:
            return most_chars
        return min(most_chars, left_s / machine.step_seconds(config) * reading.step_chars)

    model, why = request.model_config(vocab_size), ""
    if "ngram_order" not in request.given and vocab_size <= MOST_SYMBOLS:
        model = replace(model, ngram_order=LONGEST_CONTEXTS)
    if "hidden_size" not in request.given:
        hidden_size, why = choose_hidden_size(model, chars_in_time)
        model = replace(model, hidden_size=hidden_size)
    # A first guess at the readings, so that the steps timed next have about the run's dropout.
    readings = chars_in_time(model) / num_ids
    if "ngram_order" not in request.given and model.ngram_order:
        model = replace(model, ngram_order=choose_ngram_order(readings))
    return _with_dropout(request, model, readings, num_ids)[0], why


def _choose_optimizer(
    request: TrainingRequest, reading: Reading, model: ModelConfig
) -> tuple[OptimizerConfig, dict[str, str]]:
    """(the optimizer, with a rate and a decay that fit width and text; the reasons for these)."""
    optimizer = request.optimizer_config()
    if "weight_decay" not in request.given:
        decay = choose_weight_decay(reading.steps, optimizer.optimizer)
        optimizer = replace(optimizer, weight_decay=decay)
    if "lr" not in request.given:
        optimizer = replace(optimizer, lr=choose_lr(model.hidden_size, optimizer.optimizer))
    why_lr, why_decay = (
        f"for {model.hidden_size} units",
        f"a reading is {counted(reading.steps, 'step')}",
    )
    if OPTIMIZERS[optimizer.optimizer] != OptimizerTraits():
        why_lr = why_decay = f"for {optimizer.optimizer}"
    return optimizer, {"weight_decay": why_decay, "lr": why_lr}


def _with_dropout(
    request: TrainingRequest, model: ModelConfig, readings: float, num_ids: int
) -> tuple[ModelConfig, str]:
    """(`model` with the dropout and weight-drop that fit, where they were not given; why).

    `readings` is how often the run reads its training text, which has `num_ids` characters.
    """
    per_char = model.num_parameters() / num_ids
    dropout = choose_dropout(readings, per_char)
    if "dropout" not in request.given:
        model = replace(model, dropout=dropout)
    if "ngram_dropout" not in request.given and model.ngram_order:
        model = replace(model, ngram_dropout=choose_ngram_dropout(readings))
    if "weight_drop" not in request.given:
        model = replace(model, weight_drop=choose_weight_drop(model.dropout, model.cell))
    return (
        model,
        f"{counted(readings, 'reading')} of the text, {per_char:.3g} parameters a character",
    )


def _reasons_of_what_was_asked(request: TrainingRequest) -> dict[str, str]:
    """A reason for each option that was given, and for each that a preset says."""
    given = {option: AS_ASKED for option in OPTIONS_WITH_REASONS if option in request.given}
    values = request.from_preset()
    origin = f"{FROM_PRESET} {request.given.get('preset')}"
    preset = dict.fromkeys(values, origin)
    if preset.pop("epochs", None):
        preset["steps"] = f"--epochs {values['epochs']:g}, {origin}"
    return given | preset


def _most_steps(request: TrainingRequest, reading: Reading) -> int:
    """The steps asked for, outright or as epochs; where neither was, as many as teach anything."""
    if "steps" in request.given:
        return int(request.given["steps"] or 1)
    epochs = request.given.get("epochs") or MAX_EPOCHS
    return max(1, round(epochs * reading.steps))


def _plan_run(request: TrainingRequest, steps: int, speeds: Speeds, validation: int) -> RunConfig:
    """How the run goes; `validation` is the number of characters that an evaluation can read."""
    evaluations, eval_chars = _evaluations(request, steps * speeds.step_s, speeds)
    run = request.run_config(
        RunConfig(
            steps=steps,
            eval_every=-(-steps // evaluations),
            eval_chars=eval_chars,
            report_every=max(1, steps // REPORTS),
        )
    )
    return replace(run, steps=steps, eval_chars=min(validation, run.eval_chars))


def _evaluations(request: TrainingRequest, training_s: float, speeds: Speeds) -> tuple[int, int]:
    """(number of evaluations while the run trains, characters that each reads).

    Together they take about EVALUATION_SHARE of the time for training, `training_s` seconds. Where
    that is too little for all of them, there are fewer, and not shorter ones.

    Where no budget decides there are always as many, however long they take.
    """
    characters = int(EVALUATION_SHARE * training_s * speeds.eval_chars_per_s)
    number = EVALUATIONS
    if _budget(request) is not None:
        number = max(1, min(number, characters // (WARM_UP + LEAST_EVAL_CHARS)))
    return number, max(LEAST_EVAL_CHARS, characters // EVALUATIONS - WARM_UP)


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
    threads, note = affordable_threads(asked.threads)
    asked, notes = replace(asked, threads=threads), () if note is None else (note,)
    batch_size, seq_len = train.fitted_sizes(asked.batch_size, asked.seq_len)
    fitted = replace(asked, batch_size=batch_size, seq_len=seq_len)
    if (batch_size, seq_len) == (asked.batch_size, asked.seq_len):
        return fitted, notes
    sizes = [("batch size", asked.batch_size, batch_size), ("window", asked.seq_len, seq_len)]
    changes = [f"{name} {before} -> {now}" for name, before, now in sizes if before != now]
    small = f"a small text, {counted(len(train), 'character')} to train on"
    return fitted, (*notes, f"{small}: {', '.join(changes)}")


def _kinds_left_open(request: TrainingRequest, device: str) -> list[Kind]:
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
