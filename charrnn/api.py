"""What Python users and the command line both call. Only training imports torch, when called."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from charrnn import run_folder, scoring, sealed_file
from charrnn.corpus import source
from charrnn.corpus.encoded import MIN_SPLIT, EncodedCorpus, SplitConfig, SplitName
from charrnn.corpus.source import Source
from charrnn.errors import CorpusError, RunError, UsageError
from charrnn.run_folder import RunFolder
from charrnn.scoring import Evaluation
from charrnn.trained import Model, load
from charrnn.training.events import Event, StopRequest
from charrnn.training.plan import CorpusPlan, Plan, TrainingRequest

if TYPE_CHECKING:
    from charrnn.training.run import TrainingRun

Clock = Callable[[], float]
Corpus = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def evaluate(
    model: Model, split: SplitName = "validation", corpus: Corpus | None = None
) -> Evaluation:
    """Judge `model` on a split of the text that it learned from: state carried, and in windows.

    The text is looked for where the run's plan says, unless `corpus` says where it is now.
    Raises CorpusError if it is not that text any more, UsageError if the split is empty.
    """
    record = model.checkpoint.corpus
    if corpus is None:
        plan_file = RunFolder(model.path.parent).plan
        if not plan_file.is_file():
            raise CorpusError(f"{str(model.path)!r} has no plan.json beside it: name the --corpus")
        corpus = _sources(_read_plan(plan_file), RunFolder(model.path.parent))
    splits = SplitConfig(record.val_frac, record.test_frac)
    text = source.read(_located(_arguments(corpus)), as_bytes=model.vocabulary.is_bytes)
    encoded = EncodedCorpus.from_text(text, record.name, splits)
    if encoded.sha256 != record.sha256:
        raise CorpusError(
            f"the text of {record.name!r} has changed since this model learned from it"
        )
    ids = encoded.split(split)
    if len(ids) < MIN_SPLIT:
        raise UsageError(f"--split {split}: this model was trained without one (--test-frac 0)")
    return scoring.evaluate(model.network("fp32"), ids)


def train(
    corpus: Corpus,
    *,
    name: str | None = None,
    replace: bool = False,
    as_bytes: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: StopRequest | None = None,
    elapsed: Clock | None = None,
    stdin: BinaryIO | None = None,
    **options: Any,
) -> Model:
    """Learn from `corpus` (paths, folders, `-`, `stdlib`) and return the best model.

    `options` are those of `charrnn train`, by the names in TrainingRequest: `budget=90` (seconds),
    `steps=1000`, `hidden_size=512` and so on. Raises UsageError, CorpusError or RunError before
    anything is written.
    """
    clock = elapsed or _stopwatch()
    arguments = _arguments(corpus)
    request = TrainingRequest(**options)
    if replace and name is None:
        raise UsageError("--replace needs the --name of the run to write over")
    sources = _located(arguments)
    run_name = sources[0].stem if name is None else run_folder.check_name(name)
    if name is not None and not replace:
        run_folder.check_free(run_name)
    text = source.read(sources, as_bytes=as_bytes, stdin=stdin)
    corpus_name = ", ".join(one.stem for one in sources)
    encoded = EncodedCorpus.from_text(text, corpus_name, request.split_config())

    from charrnn.training.planning import make_plan
    from charrnn.training.run import TrainingRun

    from_stdin = any(one.kind == "stdin" for one in sources)
    corpus_plan = CorpusPlan(
        name=corpus_name,
        arguments=tuple(arguments),
        sources=() if from_stdin else tuple(map(_absolute, sources)),
        as_bytes=as_bytes,
        sha256=encoded.sha256,
        num_symbols=len(encoded.ids),
        splits=encoded.splits,
    )
    plan, notes = make_plan(request, encoded, corpus_plan, clock)
    folder = run_folder.create(run_name, explicit=name is not None, replace=replace)
    if from_stdin:
        data = text if isinstance(text, bytes) else text.encode()
        sealed_file.write_atomically(folder.corpus, data)
    sealed_file.write_atomically(folder.plan, plan.to_json().encode())
    return _carry_out(TrainingRun(plan, encoded, folder, clock, notes), on_event, stop)


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
    plan = _read_plan(folder.plan)
    text = source.read(_located(_sources(plan, folder)), as_bytes=plan.corpus.as_bytes)
    encoded = EncodedCorpus.from_text(text, plan.corpus.name, plan.corpus.splits)
    if encoded.sha256 != plan.corpus.sha256:
        raise CorpusError(
            f"the text of run {name!r} has changed; it cannot be resumed, only trained anew"
        )

    from charrnn.training.run import TrainingRun

    run = TrainingRun(plan, encoded, folder, clock)
    run.resume()
    return _carry_out(run, on_event, stop)


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


def _located(arguments: Sequence[str]) -> list[Source]:
    if not arguments:
        raise UsageError("no text to learn from: name a file, a folder, - for stdin, or stdlib")
    return [source.locate(argument) for argument in arguments]


def _absolute(one: Source) -> str:
    return source.STDLIB if one.kind == "stdlib" else str(one.path.resolve())


def _sources(plan: Plan, folder: RunFolder) -> tuple[str, ...]:
    """Where the text of a run can be read again: text from stdin was kept in the run's folder."""
    return plan.corpus.sources or (str(folder.corpus),)


def _read_plan(path: Path) -> Plan:
    try:
        return Plan.from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _stopwatch() -> Clock:
    started = time.monotonic()
    return lambda: time.monotonic() - started
