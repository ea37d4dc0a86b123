"""What Python users and the command line both call. Only training imports torch, when called."""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Unpack

from charrnn.comparison.curves import LearningCurve, read_learning_curve
from charrnn.comparison.request import ComparisonRequest
from charrnn.comparison.result import CellResult, ComparisonResult
from charrnn.comparison.shared_defaults import BUDGET_PER_CELL_S, SharedDefaults
from charrnn.corpus import ids_file, source
from charrnn.corpus.catalogue import find_entry
from charrnn.corpus.encoded import MIN_SPLIT, EncodedCorpus, SplitName
from charrnn.corpus.progress import Note, Report, silent
from charrnn.corpus.reading import Reading, read_sources
from charrnn.corpus.source import Source
from charrnn.corpus.split_config import SplitConfig
from charrnn.errors import CharRNNError, CorpusError, RunError, UsageError
from charrnn.files import atomic, run_folder
from charrnn.files.run_folder import RunFolder
from charrnn.inference import scoring
from charrnn.inference.scoring import Evaluation
from charrnn.model.cells import CELLS
from charrnn.options import with_keywords
from charrnn.plan.fine_tuning import INHERITED_OPTIONS, INHERITED_REASON, Start
from charrnn.plan.keywords import TrainingKeywords
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.request import STOPPING_OPTIONS, TRAINING_CONFIGS, TrainingRequest
from charrnn.runs.events import Event, RunFinished, StopRequest
from charrnn.sampling.trained_model import Model, load

if TYPE_CHECKING:
    from charrnn.corpus.statistics import Statistics
    from charrnn.training.run import TrainingRun

Clock = Callable[[], float]
Corpus = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def evaluate(
    model: Model,
    split: SplitName = "validation",
    corpus: Corpus | None = None,
    *,
    report: Report = silent,
) -> Evaluation:
    """Judge `model` on a split of the text that it learned from: state carried, and in windows.

    The text is looked for where the run's plan says, unless `corpus` says where it is now; what
    reading it tells goes to `report`. Raises CorpusError if it is not that text any more,
    UsageError if the split is empty.
    """
    record = model.checkpoint.corpus
    splits = SplitConfig(
        **{each.name: getattr(record, each.name) for each in dataclasses.fields(SplitConfig)}
    )
    if corpus is None:
        plan_file = RunFolder(model.path.parent).plan
        if not plan_file.is_file():
            raise CorpusError(f"{str(model.path)!r} has no plan.json beside it: name the --corpus")
        encoded = _read_again(_read_plan(plan_file), RunFolder(model.path.parent), report)
    else:
        reading = read_sources(_located(_arguments(corpus), report), record.text, report=report)
        encoded = EncodedCorpus.from_encoded(reading.text, record.name, splits)
    if encoded.sha256 != record.sha256:
        raise CorpusError(
            f"the text of {record.name!r} has changed since this model learned from it"
        )
    part = encoded.checked_split(split)
    if len(part) < MIN_SPLIT:
        raise UsageError(f"--split {split}: this model was trained without one (--test-frac 0)")
    return scoring.evaluate(model.network("fp32"), part)


def fetch_corpus(name: str, *, report: Report = silent) -> Path:
    """Fetch a corpus of the catalogue into `corpora/`, unless it is there; return its place.

    Raises CorpusError if there is no such corpus, or if it cannot be had whole.
    """
    from charrnn.corpus.download import download

    entry = find_entry(name)
    if entry is None:
        raise CorpusError(f"no corpus {name!r} in the catalogue; `charrnn corpus list` shows it")
    return download(entry, source.CORPORA, report)


@with_keywords(*TRAINING_CONFIGS)
def describe(
    corpus: Corpus, *, report: Report = silent, **options: Unpack[TrainingKeywords]
) -> tuple["Statistics", Plan | None]:
    """What a text is made of, and the plan that `train` would make for it; None if it is too short.

    `options` are those of `train`. Raises UsageError for a value out of range, CorpusError for what
    cannot be read.
    """
    from charrnn.corpus import statistics

    clock = _stopwatch()
    request, arguments = TrainingRequest(**options).with_preset(), _arguments(corpus)
    sources = _located(arguments, report)
    reading = read_sources(sources, request.text_config(), report=report)
    for note in reading.notes:
        report(Note(note))
    found = statistics.describe(reading.text, report)
    try:
        encoded = _encoded(reading, sources, request)
    except CorpusError:
        return found, None
    return found, _planned(request, arguments, sources, encoded, clock)[0]


@with_keywords(*TRAINING_CONFIGS)
def train(
    corpus: Corpus,
    *,
    name: str | None = None,
    replace: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: StopRequest | None = None,
    elapsed: Clock | None = None,
    stdin: BinaryIO | None = None,
    **options: Unpack[TrainingKeywords],
) -> Model:
    """Learn from `corpus` (paths, folders, `-`, `stdlib`) and return the best model.

    `options` are those of `charrnn train`, by the names in TrainingRequest: `budget=90` (seconds),
    `steps=1000`, `hidden_size=512` and so on. Raises UsageError, CorpusError or RunError before
    anything is written.
    """
    clock = elapsed or _stopwatch()
    arguments = _arguments(corpus)
    request = TrainingRequest(**options)
    initial = request.given.get("init_from")
    start = None if initial is None else Start.load(initial)
    if start is not None:
        request = start.with_inherited_options(request)
    request = request.with_preset()
    if replace and name is None:
        raise UsageError("--replace needs the --name of the run to write over")
    report = on_event or silent
    sources = _located(arguments, report)
    run_name = sources[0].stem if name is None else run_folder.check_name(name)
    if name is not None and not replace:
        run_folder.check_free(run_name)
    reading = read_sources(sources, request.text_config(), report=report, stdin=stdin)
    encoded = _encoded(reading, sources, request)

    from charrnn.training.run import TrainingRun

    plan, notes = _planned(request, arguments, sources, encoded, clock)
    notes = (*reading.notes, *notes)
    if start is not None:
        reasons = {**plan.reasons, **dict.fromkeys(INHERITED_OPTIONS, INHERITED_REASON)}
        plan = dataclasses.replace(plan, init=start.initial, reasons=reasons)
        notes = (*notes, start.report(encoded.vocabulary))
    folder = run_folder.create(run_name, explicit=name is not None, replace=replace)
    with folder.locked():
        folder.clear()
        _write_plan(plan, encoded, folder, with_ids=not plan.corpus.sources)
        return _carry_out(TrainingRun(plan, encoded, folder, clock, notes, start), on_event, stop)


@with_keywords(*TRAINING_CONFIGS, leave_out=("cell", "init_from"))
def compare(
    corpus: Corpus,
    *,
    cells: Sequence[str] = tuple(CELLS),
    parameters: int | None = None,
    name: str | None = None,
    replace: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: StopRequest | None = None,
    stdin: BinaryIO | None = None,
    **options: Unpack[TrainingKeywords],
) -> ComparisonResult:
    """Train each of `cells` on `corpus` on the same terms, one after the other.

    All get about as many `parameters`, or the same `hidden_size`. `options` are those of `train`;
    what is left open is the same for all (training/terms.py), and a budget is for each cell. The
    runs are called NAME-CELL. One that fails is in the result as failed. Raises UsageError,
    CorpusError or RunError before anything is written.
    """
    asked = TrainingRequest(**options)
    if not asked.given.keys() & set(STOPPING_OPTIONS):
        asked = asked.with_options(budget=BUDGET_PER_CELL_S)
    shared = asked.with_options(**(dataclasses.asdict(SharedDefaults()) | asked.given))
    request = ComparisonRequest(tuple(cells), shared, parameters)
    arguments, stop = _arguments(corpus), stop or StopRequest()
    report = on_event or _unheard
    if replace and name is None:
        raise UsageError("--replace needs the --name of the runs to write over")
    sources = _located(arguments, report)
    prefix = f"{sources[0].stem}-compare" if name is None else run_folder.check_name(name)
    if not replace:
        members = tuple(CELLS) if name is None else request.cells
        prefix = run_folder.free_prefix(prefix, members, explicit=name is not None)
    reading = read_sources(sources, request.shared.text_config(), report=report, stdin=stdin)
    encoded = _encoded(reading, sources, request.shared)

    from charrnn.training.comparison_plans import make_plans

    report(Note(f"measuring this machine for {', '.join(request.cells)} ..."))
    corpus_plan = _corpus_plan(request.shared, arguments, sources, encoded)
    plans, notes = make_plans(request, encoded, corpus_plan)
    for note in (*reading.notes, *notes):
        report(Note(note))
    results: list[CellResult] = []
    for cell, plan in zip(request.cells, plans, strict=True):
        if stop.signal is not None:
            break
        name = f"{prefix}-{cell}"
        results.append(_trained_to_compare(plan, encoded, name, replace, report, stop))
    return ComparisonResult.ranked(prefix, results, request.cells[len(results) :])


def _unheard(event: Event) -> None:
    """An `on_event` that tells nobody."""


def _trained_to_compare(
    plan: Plan,
    encoded: EncodedCorpus,
    name: str,
    replace: bool,
    on_event: Callable[[Event], None],
    stop: StopRequest,
) -> CellResult:
    """Carry out one cell's plan; what goes wrong with it is part of the result."""
    from charrnn.training.run import TrainingRun

    cell = plan.model.cell
    ended, error = "failed", None
    curve = LearningCurve(cell)

    def watch(event: Event) -> None:
        nonlocal ended
        if isinstance(event, RunFinished):
            ended = event.reason
        on_event(event)

    try:
        folder = run_folder.create(name, explicit=True, replace=replace)
        with folder.locked():
            folder.clear()
            _write_plan(plan, encoded, folder, with_ids=not plan.corpus.sources)
            try:
                _carry_out(TrainingRun(plan, encoded, folder, _stopwatch()), watch, stop)
            finally:
                curve = read_learning_curve(folder, cell)
    except (CharRNNError, MemoryError, RuntimeError) as failure:  # torch's are RuntimeErrors
        error = next(iter(str(failure).splitlines()), "") or type(failure).__name__
        on_event(Note(f"{cell} failed: {error}"))
    return CellResult(cell, name, plan, curve, ended, error)


def _encoded(
    reading: Reading, sources: Sequence[Source], request: TrainingRequest
) -> EncodedCorpus:
    name = source.name_of(sources)
    return EncodedCorpus.from_encoded(reading.text, name, request.split_config())


def _planned(
    request: TrainingRequest,
    arguments: Sequence[str],
    sources: Sequence[Source],
    encoded: EncodedCorpus,
    clock: Clock,
) -> tuple[Plan, tuple[str, ...]]:
    """The plan and notes for the user. Imports torch."""
    from charrnn.training.calibration import make_plan

    corpus_plan = _corpus_plan(request, arguments, sources, encoded)
    return make_plan(request, encoded, corpus_plan, clock)


def _corpus_plan(
    request: TrainingRequest,
    arguments: Sequence[str],
    sources: Sequence[Source],
    encoded: EncodedCorpus,
) -> CorpusPlan:
    read_once = any(one.is_read_once for one in sources)
    return CorpusPlan(
        name=encoded.name,
        arguments=tuple(arguments),
        sources=() if read_once else tuple(map(_absolute, sources)),
        text=request.text_config(),
        sha256=encoded.sha256,
        num_symbols=len(encoded.ids),
        splits=encoded.splits,
    )


def resume(
    name: str,
    *,
    on_event: Callable[[Event], None] | None = None,
    stop: StopRequest | None = None,
    elapsed: Clock | None = None,
) -> Model:
    """Continue the run called `name` as if it had never stopped, and return its best model.

    Raises RunError if there is no such run, CorpusError if its text has changed.
    """
    clock = elapsed or _stopwatch()
    folder = run_folder.find_run(name)
    with folder.locked():
        plan = _read_plan(folder.plan)
        encoded = _read_again(plan, folder, on_event or silent)
        if (encoded.sha256, len(encoded.ids), len(encoded.vocabulary)) != (
            plan.corpus.sha256,
            plan.corpus.num_symbols,
            plan.model.vocab_size,
        ):
            raise CorpusError(
                f"the text of run {name!r} has changed; it cannot be resumed, only trained anew"
            )

        from charrnn.training.run import TrainingRun

        start = None
        if plan.init is not None and not folder.training.exists():  # else its state tells all
            start = Start.reload(plan.init)
        run = TrainingRun(plan, encoded, folder, clock, start=start)
        run.resume()
        return _carry_out(run, on_event, stop)


def _write_plan(plan: Plan, corpus: EncodedCorpus, folder: RunFolder, *, with_ids: bool) -> None:
    """Write what a run begins with; a folder without a plan is not left behind."""
    try:
        if with_ids:
            _keep_ids(corpus, folder)
        atomic.write_atomically(folder.plan, plan.to_json().encode())
    except CharRNNError:
        with suppress(OSError):
            folder.clear()
            folder.path.rmdir()
        raise


def _keep_ids(corpus: EncodedCorpus, folder: RunFolder) -> None:
    """Keep with the run what cannot be read again."""
    ids = corpus.ids
    try:
        ids_file.write(folder.corpus, corpus.vocabulary, len(ids), corpus.sha256, [ids])
    except OSError as error:
        raise RunError(
            f"cannot keep the text in {str(folder.path)!r}: {error.strerror or error}"
        ) from error


def _carry_out(
    run: "TrainingRun", on_event: Callable[[Event], None] | None, stop: StopRequest | None
) -> Model:
    for event in run.events(stop or StopRequest()):
        if on_event is not None:
            on_event(event)
    return load(run.folder.model)


def _arguments(corpus: Corpus) -> list[str]:
    if isinstance(corpus, str | os.PathLike):
        return [os.fspath(corpus)]
    return [os.fspath(argument) for argument in corpus]


def _located(arguments: Sequence[str], report: Report) -> list[Source]:
    if not arguments:
        raise UsageError("no text to learn from: name a file, a folder, - for stdin, or stdlib")
    return [_located_or_fetched(argument, report) for argument in arguments]


def _located_or_fetched(argument: str, report: Report) -> Source:
    entry = find_entry(argument)
    if entry is None or source.find(argument) is not None:
        return source.locate(argument)
    return source.locate(str(fetch_corpus(entry.name, report=report)))


def _absolute(one: Source) -> str:
    return source.STDLIB if one.kind == "stdlib" else str(one.path.resolve())


def _read_again(plan: Plan, folder: RunFolder, report: Report) -> EncodedCorpus:
    """The text of a run once more; ids from stdin were kept in the run's folder."""
    corpus = plan.corpus
    if corpus.sources:
        sources = _located(corpus.sources, report)
        text = read_sources(sources, corpus.text, report=report).text
    else:
        text = ids_file.open_ids(folder.corpus)
    return EncodedCorpus.from_encoded(text, corpus.name, corpus.splits)


def _read_plan(path: Path) -> Plan:
    try:
        return Plan.from_json(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise RunError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _stopwatch() -> Clock:
    started = time.monotonic()
    return lambda: time.monotonic() - started
