"""What Python users and the command line both call. Only training imports torch, when called."""

import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack, get_args

from charrnn.comparison.request import NOT_OF_COMPARISONS, ComparisonRequest
from charrnn.comparison.result import CellResult, ComparisonResult
from charrnn.comparison.shared_defaults import BUDGET_PER_CELL_S, SharedDefaults
from charrnn.corpus.encoded import MIN_SPLIT, EncodedCorpus, SplitName
from charrnn.corpus.progress import Note, Report, silent
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.cpus import affordable_threads
from charrnn.errors import CorpusError, RunError, UsageError
from charrnn.experts.text_counts import TextCounts
from charrnn.files import run_folder
from charrnn.files.run_folder import RunFolder
from charrnn.files.typed_json import make_record
from charrnn.inference import scoring
from charrnn.inference.held_out import HeldOutNetwork
from charrnn.inference.scoring import Evaluation
from charrnn.model.cells import CELLS
from charrnn.options import check_choice, check_type, whole_number, with_keywords
from charrnn.plan.fine_tuning import INHERITED_OPTIONS, INHERITED_REASON, Start
from charrnn.plan.keywords import TrainingKeywords
from charrnn.plan.plan import Plan
from charrnn.plan.request import STOPPING_OPTIONS, TRAINING_CONFIGS, TrainingRequest
from charrnn.runs import existing, run_text
from charrnn.runs.beginning import write_beginning
from charrnn.runs.events import Event, StopRequest
from charrnn.runs.run_text import Corpus
from charrnn.sampling.trained_model import Model, load

if TYPE_CHECKING:
    from charrnn.corpus.statistics import Statistics
    from charrnn.training.run import TrainingRun

Clock = Callable[[], float]
"""Seconds since a command began."""
OnEvent = Callable[[Event], None]


@with_keywords(*TRAINING_CONFIGS)
def train(
    corpus: Corpus,
    *,
    name: str | None = None,
    replace: bool = False,
    on_event: OnEvent | None = None,
    stop: StopRequest | None = None,
    elapsed: Clock | None = None,
    stdin: BinaryIO | None = None,
    **options: Unpack[TrainingKeywords],
) -> Model:
    """Learn from a text and return the best model.

    `corpus` is a path, a folder, `-` for stdin, `stdlib`, a name of the catalogue, or a list of
    them. `options` are those of `charrnn train`: `budget="90s"` (a number is in seconds),
    `steps=1000`, `hidden_size=512` and so on. The run is kept in checkpoints/`name`; `replace`
    writes over one of that name. `on_event` hears what happens; setting `stop.signal` ends the run
    after the current step. `elapsed()` says how many seconds of a budget are gone; `stdin` is read
    in place of the process's own.

    Raises TypeError, UsageError, CorpusError or RunError before anything is written.
    """
    clock, report = elapsed or _stopwatch(), on_event or silent
    request, start = _with_starting_model(TrainingRequest(**options))
    _check_device(request.given.get("device"))
    if replace and name is None:
        raise UsageError("`replace` needs the `name` of the run to write over")
    found = run_text.find(corpus, report)
    run_name = found.stem if name is None else run_folder.check_name(name)
    if name is not None and not replace:
        existing.check_free(run_name)
    text = found.read(request.text_config(), report, stdin)
    encoded = text.split(request.split_config())
    counts = TextCounts(encoded.split("train"), report)
    plan, notes = _make_plan(request, text, encoded, clock, report, counts)
    notes = (*text.reading.notes, *notes)
    if start is not None:
        plan = _starting_from(start, plan)
        notes = (*notes, start.report(encoded.vocabulary))
    folder = run_folder.create(run_name, explicit=name is not None, replace=replace)
    with folder.locked():
        write_beginning(folder, plan, encoded)

        from charrnn.training.run import TrainingRun

        run = TrainingRun(plan, encoded, folder, clock, notes, start, counts)
        return _carry_out(run, report, stop)


def resume(
    name: str,
    *,
    budget: float | str | None = None,
    steps: int | str | None = None,
    epochs: float | None = None,
    corpus: Corpus | None = None,
    on_event: OnEvent | None = None,
    stop: StopRequest | None = None,
    elapsed: Clock | None = None,
) -> Model:
    """Continue the run called `name` as if it had never stopped, and return its best model.

    With a `budget` ("5m", or seconds), `steps` or `epochs` it learns on for so much longer, also if
    it had finished; its model is replaced only by a better one. `corpus` says where its text is
    now, if that has moved. The other arguments are those of `train`. Raises RunError if there is no
    such run, CorpusError if its text has changed, UsageError if the budget is too short.
    """
    clock, report = elapsed or _stopwatch(), on_event or silent
    limits = TrainingRequest(budget=budget, steps=steps, epochs=epochs)
    check_type("name", name, (str, os.PathLike), "a run's name")
    folder = run_folder.find_run(os.fspath(name))
    with folder.locked():
        plan = existing.read_plan(folder)
        _check_device(plan.step.device)
        threads, note = affordable_threads(plan.step.threads)
        plan = replace(plan, step=replace(plan.step, threads=threads))
        encoded, plan = _text_of_run(name, plan, folder, corpus, report)
        has_state = folder.training.exists()  # which holds the weights that a start would give
        start = None if plan.init is None or has_state else Start.reload(plan.init)

        from charrnn.training.choose_plan import continue_plan
        from charrnn.training.run import TrainingRun

        notes = () if note is None else (note,)
        counts = TextCounts(encoded.split("train"), report)
        run = TrainingRun(plan, encoded, folder, clock, notes, start, counts)
        run.resume()
        if limits.given:
            plan = continue_plan(plan, limits, encoded, run.standing, clock, report, counts=counts)
            plan.write(folder.plan)
            run = TrainingRun(plan, encoded, folder, clock, notes, counts=counts)
            run.resume()
            run.learn_on()
        return _carry_out(run, report, stop)


@with_keywords(*TRAINING_CONFIGS, leave_out=NOT_OF_COMPARISONS)
def compare(
    corpus: Corpus,
    *,
    cells: str | Sequence[str] = tuple(CELLS),
    parameters: int | str | None = None,
    name: str | None = None,
    replace: bool = False,
    on_event: OnEvent | None = None,
    stop: StopRequest | None = None,
    stdin: BinaryIO | None = None,
    **options: Unpack[TrainingKeywords],
) -> ComparisonResult:
    """Train each of `cells` on the same text on equal terms, one after the other.

    All get about as many `parameters`, or the same `hidden_size`. `options` and the other arguments
    are those of `train`; what is left open is the same for all (SharedDefaults), and a budget is
    for each cell. The runs are called NAME-CELL. One that fails is in the result as failed.

    Raises TypeError, UsageError, CorpusError or RunError before anything is written.
    """
    stop, report = stop or StopRequest(), on_event or silent
    names = (cells,) if isinstance(cells, str) else tuple(cells)
    size = None if parameters is None else whole_number("parameters", parameters)
    request = ComparisonRequest(names, _on_equal_terms(options), size)
    _check_device(request.shared.given.get("device"))
    if replace and name is None:
        raise UsageError("`replace` needs the `name` of the runs to write over")
    found = run_text.find(corpus, report)
    prefix = f"{found.stem}-compare" if name is None else run_folder.check_name(name)
    if not replace:
        members = tuple(CELLS) if name is None else request.cells
        prefix = run_folder.free_prefix(prefix, members, explicit=name is not None)
    text = found.read(request.shared.text_config(), report, stdin)
    encoded = text.split(request.shared.split_config())

    from charrnn.training.comparison_plans import make_plans, time_steps
    from charrnn.training.comparison_run import train_cell

    report(Note(f"measuring this machine for {', '.join(request.cells)} ..."))
    corpus_plan = text.plan(encoded, request.shared.text_config())
    plans, notes = make_plans(request, encoded, corpus_plan)
    for note in (*text.reading.notes, *notes):
        report(Note(note))
    step_seconds = time_steps(plans)
    results: list[CellResult] = []
    for cell, plan, step_s in zip(request.cells, plans, step_seconds, strict=True):
        if stop.signal is not None:
            break
        run_name = f"{prefix}-{cell}"
        clock = _stopwatch()
        results.append(
            train_cell(plan, step_s, encoded, run_name, clock, report, stop, replace=replace)
        )
    return ComparisonResult.ranked(prefix, results, request.cells[len(results) :])


def evaluate(
    model: Model,
    split: SplitName = "validation",
    corpus: Corpus | None = None,
    *,
    report: Report = silent,
) -> Evaluation:
    """Judge `model` on a split of the text that it learned from: state carried, and in windows.

    The text is looked for where the run's plan says, unless `corpus` says where it is now; `report`
    hears how far reading it has come. On the split `train`, whose n-grams the model may have
    counted, each symbol is judged without the counts of its own ninth of the text. Raises
    CorpusError if it is not that text any more, UsageError if the split is empty.
    """
    check_type("model", model, Model, "a Model, such as charrnn.load returns")
    check_choice("split", split, get_args(SplitName))
    record = model.checkpoint.corpus
    if corpus is None:
        folder = RunFolder(model.path.parent)
        if not folder.plan.is_file():
            raise CorpusError(f"{str(model.path)!r} has no plan.json beside it: name the `corpus`")
        try:
            plan = Plan.read(folder.plan)
        except RunError as error:
            raise CorpusError(f"{error}; name the `corpus`") from error
        encoded = run_text.read_again(plan.corpus, folder, report)
    else:
        splits = make_record(SplitConfig, asdict(record))
        reading = run_text.find(corpus, report).read(record.text, report).reading
        encoded = EncodedCorpus.from_encoded(reading.text, record.name, splits)
    if encoded.sha256 != record.sha256:
        raise CorpusError(
            f"{_other_text(encoded, record.num_symbols, corpus)}; a model is judged on a part of "
            "its own text that it did not learn from: say with `corpus` where that is now, or "
            "train on the new text"
        )
    part = encoded.checked_split(split)
    if len(part) < MIN_SPLIT:
        raise UsageError(f"`split` {split}: this model was trained without one (`test_frac` 0)")
    if split == "train" and model.config.ngram_order:
        return scoring.evaluate(_held_out(model, part, report), part)
    return scoring.evaluate(model.network("fp32"), part)


@with_keywords(*TRAINING_CONFIGS)
def describe(
    corpus: Corpus, *, report: Report = silent, **options: Unpack[TrainingKeywords]
) -> tuple["Statistics", Plan | None]:
    """What a text is made of, and the plan that `train` would make for it; None if it is too short.

    `options` are those of `train`. Raises TypeError, UsageError, or CorpusError for what cannot be
    read.
    """
    from charrnn.corpus import statistics

    clock = _stopwatch()
    request = TrainingRequest(**options).with_preset()
    text = run_text.find(corpus, report).read(request.text_config(), report)
    for note in text.reading.notes:
        report(Note(note))
    figures = statistics.describe(text.reading.text, report)
    try:
        encoded = text.split(request.split_config())
    except CorpusError:
        return figures, None
    return figures, _make_plan(
        request, text, encoded, clock, silent, TextCounts(encoded.split("train"), report)
    )[0]


def fetch_corpus(name: str, *, report: Report = silent) -> Path:
    """Fetch a corpus of the catalogue into `corpora/`, unless it is there; return its place.

    Raises CorpusError if there is no such corpus, or if it cannot be had whole.
    """
    return run_text.fetch(name, report)


def _text_of_run(
    name: str, plan: Plan, folder: RunFolder, corpus: Corpus | None, report: Report
) -> tuple[EncodedCorpus, Plan]:
    """The text that the run called `name` learns from, and its plan, which knows where that is.

    `corpus` says where it is now, if it has moved; the plan in the folder is replaced then. Raises
    CorpusError if it cannot be found, or is another text than it was.
    """
    if corpus is None:
        encoded = run_text.read_again(plan.corpus, folder, report)
    else:
        text = run_text.find(corpus, report).read(plan.corpus.text, report)
        encoded = EncodedCorpus.from_encoded(
            text.reading.text, plan.corpus.name, plan.corpus.splits
        )
    known = (plan.corpus.sha256, plan.corpus.num_symbols, plan.model.vocab_size)
    if (encoded.sha256, len(encoded.ids), len(encoded.vocabulary)) != known:
        raise CorpusError(
            f"{_other_text(encoded, plan.corpus.num_symbols, corpus)}, which run {name!r} cannot "
            "go on with; to learn what is new in it, train on it with "
            f"`init_from` {shlex.quote(name)}"
        )
    if corpus is not None:
        moved = replace(text.plan(encoded, plan.corpus.text), name=plan.corpus.name)
        plan = replace(plan, corpus=moved)
        plan.write(folder.plan)
    return encoded, plan


def _held_out(model: Model, train: Split, report: Report) -> HeldOutNetwork:
    """The network that judges a model with n-gram experts on the text that it learned from.

    Raises CorpusError if `train` was not what the model has counted.
    """
    config = model.config
    table = TextCounts(train, report).table(config.vocab_size, config.ngram_rule)
    assert table is not None
    try:
        return HeldOutNetwork(config, model.checkpoint.weights, table)
    except ValueError as error:
        raise CorpusError(
            f"the n-grams that {str(model.path)!r} has counted are not those of its training text: "
            "it cannot be judged there; judge it on the validation split"
        ) from error


def _other_text(encoded: EncodedCorpus, num_symbols: int, corpus: Corpus | None) -> str:
    """Words for a text that is not the one of `num_symbols` symbols that a model learned from."""
    now = f"{len(encoded.ids):,} characters, where the model learned from {num_symbols:,}"
    if corpus is None:
        return f"the text {encoded.name!r} has changed: it has {now}"
    return f"this is not the text that the model learned from: it has {now}"


def _check_device(device: str | None) -> None:
    """Raise UsageError if a device is named that is not there. Imports torch for a GPU alone."""
    if device not in (None, "cpu"):
        from charrnn.engines.selection import check_device

        check_device(device)


def _with_starting_model(request: TrainingRequest) -> tuple[TrainingRequest, Start | None]:
    """The request with the sizes of the model that it starts from, if any, and its preset's values;
    and that model.
    """
    argument = request.given.get("init_from")
    if argument is None:
        return request.with_preset(), None
    start = Start.load(argument)
    return start.with_inherited_options(request).with_preset(), start


def _starting_from(start: Start, plan: Plan) -> Plan:
    """The plan of a run whose first weights are those of `start`."""
    reasons = {**plan.reasons, **dict.fromkeys(INHERITED_OPTIONS, INHERITED_REASON)}
    return replace(plan, init=start.initial, reasons=reasons)


def _on_equal_terms(options: TrainingKeywords) -> TrainingRequest:
    """What all cells of a comparison have in common: what was asked, else the shared defaults."""
    asked = TrainingRequest(**options)
    if not asked.given.keys() & set(STOPPING_OPTIONS):
        asked = asked.with_options(budget=BUDGET_PER_CELL_S)
    return asked.with_options(**(asdict(SharedDefaults()) | asked.given))


def _make_plan(
    request: TrainingRequest,
    text: run_text.ReadText,
    encoded: EncodedCorpus,
    clock: Clock,
    report: OnEvent,
    counts: TextCounts,
) -> tuple[Plan, tuple[str, ...]]:
    """The plan, and notes for the user. Imports torch."""
    from charrnn.training.choose_plan import make_plan

    corpus = text.plan(encoded, request.text_config())
    return make_plan(request, encoded, corpus, clock, report, counts=counts)


def _carry_out(run: "TrainingRun", report: OnEvent, stop: StopRequest | None) -> Model:
    for event in run.events(stop or StopRequest()):
        report(event)
    return load(run.folder.model)


def _stopwatch() -> Clock:
    started = time.monotonic()
    return lambda: time.monotonic() - started
