"""Keeping a run: its saves as it goes on, and the way back to one of them.

The trainer and the standing are all that a run is between two steps; a save holds both.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from charrnn.engines.selection import instruction_sets
from charrnn.errors import OutputError, RunError
from charrnn.files.run_folder import RunFolder
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint
from charrnn.plan.plan import Plan
from charrnn.runs import saves
from charrnn.runs.events import EvalReport, RolledBack, StepReport
from charrnn.runs.metrics import Metrics
from charrnn.runs.saves import Best, Machine, RunState, Saved
from charrnn.training.trainer import Trainer

SAVE_COST = 100
"""A save by the clock comes no sooner than this many times what the last one took."""


@dataclass
class Standing:
    """What a run has come to, beside its trainer."""

    best: Best | None = None
    evaluated_step: int = -1
    """The step of the last evaluation; -1 before the first."""
    rollbacks: int = 0
    """How often it has diverged and gone back."""
    finished: bool = False


class Keeper:
    """Saves a run in its folder, and makes the run what it was at a save."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        trainer: Trainer,
        standing: Standing,
        elapsed: Callable[[], float],
    ) -> None:
        """`elapsed()` is how long the run has taken so far, in seconds."""
        self._plan = plan
        self._folder = folder
        self._trainer = trainer
        self._standing = standing
        self._elapsed = elapsed
        self._metrics = Metrics(folder.metrics)
        self._machine = _machine(plan)
        self._serial = 0
        self._last_save_s = time.monotonic()
        self._save_cost_s = 0.0
        self._saved_step: int | None = None
        self._evaluated = self._now()

    @property
    def has_saved(self) -> bool:
        """Whether there is anything to go on from."""
        return self._saved_step is not None

    def is_save_due(self) -> bool:
        """Whether a save between evaluations should come now."""
        every = self._plan.run.save_interval()
        if every.steps is not None:
            return self._trainer.step_count % every.steps == 0
        wait = max(every.seconds, SAVE_COST * self._save_cost_s)
        return time.monotonic() - self._last_save_s >= wait

    def save_progress(self) -> None:
        """Save between evaluations."""
        began = time.monotonic()
        saved = self._now()
        with self._writing():
            saves.write_progress(self._folder, saved)
        self._note_save(began)

    def save_evaluated(self) -> None:
        """Save at an evaluation; this is where the run goes back to if it diverges."""
        began = time.monotonic()
        self._evaluated = self._now()
        with self._writing():
            saves.write_evaluated(self._folder, self._evaluated)
        self._note_save(began)

    def save_model(self, model: Checkpoint) -> None:
        """Replace the best model."""
        with self._writing():
            saves.write_model(self._folder, model)

    def best_model(self) -> Checkpoint:
        """The best model, as it was saved."""
        return checkpoint.read(self._folder.model)

    def record(self, report: StepReport | EvalReport | RolledBack) -> None:
        """Append `report` to the metrics file."""
        with self._writing():
            self._metrics.append(report)

    def go_back(self) -> None:
        """Make the run what it was at its last evaluation."""
        self._restore(self._evaluated)

    def resume(self) -> tuple[float | None, tuple[str, ...]]:
        """Take up the last good state: (seconds that the run had taken then, notes).

        None if there is no state: the run starts afresh. Raises RunError if the states are damaged
        or of another run.
        """
        layout = saves.layout_of(self._evaluated.tensors)
        with self._writing():
            found = saves.find(self._folder, layout, self._plan.corpus.sha256)
            if found is None:
                self._metrics.cut(0)
        if found is None:
            return None, ("stopped before its first save: it starts from its plan",)
        newest = found.newest.state
        try:
            if found.evaluated is not None:
                self._trainer.load_state(found.evaluated.state.trainer, found.evaluated.tensors)
                self._evaluated = found.evaluated
            elif self._plan.init is not None:  # where it began is not known any more
                self._evaluated = found.newest
            self._restore(found.newest)
        except ValueError as error:
            name = self._folder.name
            raise RunError(f"the saved state of {name!r} does not fit this run: {error}") from error
        self._serial = newest.serial
        self._saved_step = self._trainer.step_count
        if differences := self._machine.differences(newest.machine):
            changed = ", ".join(differences)
            note = f"this will not be bit for bit the same run: {changed}"
            return newest.elapsed_s, (*found.notes, note)
        return newest.elapsed_s, found.notes

    def _now(self) -> Saved:
        """The run as it stands."""
        numbers, tensors = self._trainer.state()
        with self._writing():
            metrics_bytes = self._metrics.flushed_size()
        self._serial += 1
        state = RunState(
            serial=self._serial,
            trainer=numbers,
            best=self._standing.best,
            evaluated_step=self._standing.evaluated_step,
            rollbacks=self._standing.rollbacks,
            elapsed_s=self._elapsed(),
            finished=self._standing.finished,
            metrics_bytes=metrics_bytes,
            corpus_sha256=self._plan.corpus.sha256,
            machine=self._machine,
        )
        return Saved(state, tensors)

    def _restore(self, saved: Saved) -> None:
        """Make the run what it was at `saved`; raises ValueError if that does not fit."""
        state, standing = saved.state, self._standing
        self._trainer.load_state(state.trainer, saved.tensors)
        standing.best, standing.evaluated_step = state.best, state.evaluated_step
        standing.rollbacks, standing.finished = state.rollbacks, state.finished
        with self._writing():
            self._metrics.cut(state.metrics_bytes)

    def _note_save(self, began: float) -> None:
        self._saved_step = self._trainer.step_count
        self._last_save_s = time.monotonic()
        self._save_cost_s = self._last_save_s - began

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A file that cannot be written ends the run in one line that says what is safe."""
        try:
            yield
        except OutputError as error:
            safe = "nothing was saved yet"
            if self._saved_step is not None:
                safe = f"everything up to step {self._saved_step} is saved"
            raise OutputError(
                f"{error}; {safe}; make room, then: charrnn train --resume {self._folder.name}"
            ) from error


def _machine(plan: Plan) -> Machine:
    step = plan.step
    return Machine(
        engine=step.engine,
        precision=step.precision,
        device=step.device,
        threads=step.threads,
        cpu=instruction_sets(step.engine),
        torch=str(torch.__version__),
    )
