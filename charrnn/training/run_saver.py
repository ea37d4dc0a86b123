"""Saving a run as it goes on, and the way back to one of its saves.

What a run is between two steps lies in its trainer and in its RunStatus. A save holds both; the
trainer is made anew from it in place, and the status is handed back to the run, which owns it.
"""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.engines.selection import instruction_sets
from charrnn.errors import OutputError, RunError
from charrnn.files.run_folder import RunFolder
from charrnn.inference.scoring import Score
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint
from charrnn.plan.config import StepConfig
from charrnn.plan.plan import Plan
from charrnn.runs import saves
from charrnn.runs.metrics import Metric, Metrics
from charrnn.runs.saves import FoundSave, Machine, RunState, RunStatus, Saved
from charrnn.training.snapshot import make_checkpoint
from charrnn.training.trainer import Trainer

SAVE_COST = 100
"""A save by the clock comes no sooner than this many times what the last one took."""


@dataclass(frozen=True)
class Resumed:
    """What a run that is taken up again goes on from."""

    status: RunStatus
    elapsed_s: float
    """Seconds that the run had taken when it was saved."""
    notes: tuple[str, ...]
    """What the user should know: damaged files, another machine."""


class RunSaver:
    """Saves a run in its folder, and brings its trainer back to a save."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        trainer: Trainer,
        vocabulary: Vocabulary,
        elapsed: Callable[[], float],
    ) -> None:
        """`elapsed()` is how long the run has taken so far, in seconds; `trainer` is at step 0."""
        self._plan = plan
        self._folder = folder
        self._trainer = trainer
        self._vocabulary = vocabulary
        self._elapsed = elapsed
        self._metrics = Metrics(folder.metrics)
        self._machine = _this_machine(plan.step)
        self._serial = 0
        self._last_save_s = time.monotonic()
        self._save_cost_s = 0.0
        self._saved_step: int | None = None
        self._evaluated = self._snapshot(RunStatus())

    @property
    def has_saved(self) -> bool:
        """Whether there is a save to go on from."""
        return self._saved_step is not None

    def is_save_due(self) -> bool:
        """Whether a save between evaluations should come now."""
        interval = self._plan.run.save_interval()
        if interval.steps is not None:
            return self._trainer.step_count % interval.steps == 0
        wait = max(interval.seconds, SAVE_COST * self._save_cost_s)
        return time.monotonic() - self._last_save_s >= wait

    def save_progress(self, status: RunStatus) -> None:
        """Save between evaluations; before the first, a model too. Raises OutputError."""
        if status.best is None:
            self.save_model(None)
        with self._saving():
            saves.write_progress(self._folder, self._snapshot(status))

    def save_evaluated(self, status: RunStatus) -> None:
        """Save at an evaluation, where the run goes back to if it diverges. Raises OutputError."""
        with self._saving():
            self._evaluated = self._snapshot(status)
            saves.write_evaluated(self._folder, self._evaluated)

    def save_model(self, score: Score | None) -> None:
        """Replace the best model by the one in training. Raises OutputError.

        `score` is the estimate of its loss; None: not measured.
        """
        weights, step = self._trainer.model.weights(), self._trainer.step_count
        self.replace_model(
            make_checkpoint(self._plan, self._vocabulary, weights, score, step, self._elapsed())
        )

    def replace_model(self, model: Checkpoint) -> None:
        """Replace the best model by `model`. Raises OutputError."""
        with self._explained():
            saves.write_model(self._folder, model)

    def best_model(self) -> Checkpoint:
        """The best model, as it was saved. Raises CheckpointError."""
        return checkpoint.read(self._folder.model)

    def record(self, report: Metric) -> None:
        """Append `report` to the metrics. Raises OutputError."""
        with self._explained():
            self._metrics.append(report)

    def go_back(self) -> RunStatus:
        """Bring the trainer and the metrics back to the last evaluation; its status is returned."""
        return self._restore(self._evaluated)

    def resume(self) -> Resumed | None:
        """Bring the trainer and the metrics to the newest good save; None if there is no save.

        Raises RunError if the saves are damaged or of another run, NewerFormatError if a later
        charrnn has gone on with the run, OutputError if the files cannot be put in order.
        """
        found = self._find()
        if found is None:
            with self._explained():
                self._metrics.cut(0)
            return None
        newest = found.newest.state
        try:
            if found.evaluated is not None:
                self._trainer.load_state(found.evaluated.state.trainer, found.evaluated.tensors)
                self._evaluated = found.evaluated
            elif self._plan.init is not None:  # where it began is not known any more
                self._evaluated = found.newest
            status = self._restore(found.newest)
        except ValueError as error:
            name = self._folder.name
            raise RunError(f"the saved state of {name!r} does not fit this run: {error}") from error
        self._serial = newest.serial
        self._saved_step = self._trainer.step_count
        notes = found.notes
        if differences := self._machine.differences(newest.machine):
            notes += (f"this will not be bit for bit the same run: {', '.join(differences)}",)
        return Resumed(status, newest.elapsed_s, notes)

    def _find(self) -> FoundSave | None:
        layout = saves.layout_of(self._evaluated.tensors)
        with self._explained():
            return saves.find(self._folder, layout, self._plan.corpus.sha256)

    def _snapshot(self, status: RunStatus) -> Saved:
        """The run as it is between two steps, with the next serial number."""
        numbers, tensors = self._trainer.state()
        with self._explained():
            metrics_bytes = self._metrics.flushed_size()
        self._serial += 1
        state = RunState(
            serial=self._serial,
            trainer=numbers,
            best=status.best,
            evaluated_step=status.evaluated_step,
            rollbacks=status.rollbacks,
            elapsed_s=self._elapsed(),
            finished=status.finished,
            metrics_bytes=metrics_bytes,
            corpus_sha256=self._plan.corpus.sha256,
            machine=self._machine,
        )
        return Saved(state, tensors)

    def _restore(self, saved: Saved) -> RunStatus:
        """Bring trainer and metrics to what they were at `saved`; ValueError if that cannot be."""
        self._trainer.load_state(saved.state.trainer, saved.tensors)
        with self._explained():
            self._metrics.cut(saved.state.metrics_bytes)
        return saved.state.status

    @contextmanager
    def _saving(self) -> Iterator[None]:
        """A save of the trainer's state: when it is done, and what it took, is remembered."""
        began = time.monotonic()
        with self._explained():
            yield
        self._saved_step = self._trainer.step_count
        self._last_save_s = time.monotonic()
        self._save_cost_s = self._last_save_s - began

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Let the OutputError of a file that cannot be written say what is safe, too."""
        try:
            yield
        except OutputError as error:
            safe = "nothing was saved yet"
            if self._saved_step is not None:
                safe = f"everything up to step {self._saved_step} is saved"
            name = shlex.quote(self._folder.name)
            raise OutputError(
                f"{error}; {safe}; make room, then: charrnn train --resume {name}"
            ) from error


def _this_machine(step: StepConfig) -> Machine:
    """What the bits of a step of this process depend on."""
    return Machine(
        engine=step.engine,
        precision=step.precision,
        device=step.device,
        threads=step.threads,
        cpu=instruction_sets(step.engine),
        torch=str(torch.__version__),
    )
