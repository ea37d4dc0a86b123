"""One cell of a comparison, trained in a run of its own."""

from collections.abc import Callable

from charrnn.comparison.curves import LearningCurve, read_learning_curve
from charrnn.comparison.result import CellResult
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.progress import Note
from charrnn.errors import CharRNNError
from charrnn.files import run_folder
from charrnn.plan.plan import Plan
from charrnn.runs.beginning import write_beginning
from charrnn.runs.events import Event, RunFinished, StopRequest
from charrnn.training.run import TrainingRun


def train_cell(
    plan: Plan,
    measured_step_s: float,
    corpus: EncodedCorpus,
    name: str,
    elapsed: Callable[[], float],
    on_event: Callable[[Event], None],
    stop: StopRequest,
    *,
    replace: bool,
) -> CellResult:
    """Carry out one cell's plan in the run `name`; what goes wrong is part of the result.

    `measured_step_s` is how many seconds a step took before the first of the runs.
    """
    cell = plan.model.cell
    ended, error = "failed", None
    curve = LearningCurve(cell)
    try:
        folder = run_folder.create(name, explicit=True, replace=replace)
        with folder.locked():
            write_beginning(folder, plan, corpus)
            try:
                for event in TrainingRun(plan, corpus, folder, elapsed).events(stop):
                    if isinstance(event, RunFinished):
                        ended = event.reason
                    on_event(event)
            finally:
                curve = read_learning_curve(folder, cell)
    except (CharRNNError, MemoryError, RuntimeError) as failure:  # torch's are RuntimeErrors
        error = next(iter(str(failure).splitlines()), "") or type(failure).__name__
        on_event(Note(f"{cell} failed: {error}"))
    return CellResult(cell, name, plan, curve, ended, measured_step_s, error)
