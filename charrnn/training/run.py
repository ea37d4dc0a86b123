"""A run from its first step to its last: train, report, evaluate, keep the best, save, stop.

`TrainingRun.events()` does the work and yields what happens. It can be abandoned at any moment, and
resumed from its last save. Where training diverges it goes back to the last evaluation: that place
does not depend on the clock, so a run that was resumed goes the same way.
"""

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Literal, NoReturn

import torch

from charrnn.corpus.encoded import EncodedCorpus
from charrnn.errors import RunError
from charrnn.experts.text_counts import TextCounts
from charrnn.files.run_folder import RunFolder
from charrnn.plan.fine_tuning import Start
from charrnn.plan.plan import Plan
from charrnn.runs.events import (
    EvalReport,
    Event,
    PaceChanged,
    RolledBack,
    RunFinished,
    RunStarted,
    StepReport,
    StopRequest,
)
from charrnn.runs.saves import Best, RunStatus
from charrnn.training.divergence import MOST_ROLLBACKS, DivergedError, check_loss
from charrnn.training.evaluation import Evaluator
from charrnn.training.pace import Pace
from charrnn.training.run_saver import RunSaver
from charrnn.training.snapshot import write_sample
from charrnn.training.trainer import Trainer

Reason = Literal["finished", "deadline", "interrupted", "no better"]


class TrainingRun:
    """A plan that is carried out in a folder.

    Between two steps the run is what its trainer and its status say; the status is owned and
    changed here alone.
    """

    def __init__(
        self,
        plan: Plan,
        corpus: EncodedCorpus,
        folder: RunFolder,
        elapsed: Callable[[], float],
        notes: tuple[str, ...] = (),
        start: Start | None = None,
        counts: TextCounts | None = None,
    ) -> None:
        """Stand before the first step of `plan`.

        `elapsed()` is the age of the command in seconds, `notes` are for the user, and `start` is
        the model whose weights the run begins with; None: they are drawn. `counts` are those of the
        training split, if there are any already.
        """
        self.plan = plan
        self.folder = folder
        torch.set_num_threads(plan.step.threads)
        self._record_end = corpus.record_end
        self._vocabulary = corpus.vocabulary
        train = corpus.split("train")
        counts = counts or TextCounts(train)
        self._trainer = Trainer(
            train, plan.model, plan.optimizer, plan.step, plan.run.steps, counts
        )
        self._notes = (*notes, *counts.notes(plan.model.ngram_rule))
        if start is not None:
            model = self._trainer.model
            model.load_weights(start.remapped(corpus.vocabulary, model.weights()))
        self._evaluator = Evaluator(plan, corpus, self._trainer.model)
        self._command_age = elapsed
        self._earlier_s = 0.0
        self._reported_s = 0.0
        self._pace = Pace(plan)
        self._status = RunStatus()
        self._saver = RunSaver(plan, folder, self._trainer, corpus.vocabulary, self._elapsed)

    def _elapsed(self) -> float:
        """The age of the run in seconds: of this session and those before it."""
        return self._earlier_s + self._command_age()

    def resume(self) -> None:
        """Take up the last good state in the folder; a run that never saved any starts afresh.

        Raises RunError if the states are damaged or of another run.
        """
        resumed = self._saver.resume()
        if resumed is None:
            self._notes += ("stopped before its first save: it starts from its plan",)
            return
        self._status = resumed.status
        self._earlier_s = resumed.elapsed_s - self._command_age()
        self._notes += resumed.notes

    @property
    def standing(self) -> tuple[int, float]:
        """(steps done, seconds that the run took in earlier commands)."""
        return self._trainer.step_count, self._earlier_s

    def learn_on(self) -> None:
        """Go on to the end of a plan that was made after the run had come as far as it has.

        Raises OutputError if that cannot be saved.
        """
        self._trainer.learn_on(self.plan.run.steps)
        if self._status.finished and self._status.best is not None:
            # The model is the best one. Its loss was judged exactly; those to come are estimates.
            best = replace(self._status.best, val_nats=self._evaluator.estimate().nats_per_char)
            self._status = replace(self._status, best=best, finished=False)
        self._saver.save_evaluated(self._status)

    def events(self, stop: StopRequest) -> Iterator[Event]:
        """Carry the plan out from where the run stands, yielding events; `stop` ends it early.

        Raises RunError if training diverges again and again, OutputError if a file cannot be
        written; what was saved before that stays.
        """
        if self._status.finished:
            yield self._finished("already finished")
            return
        step = self._trainer.step_count
        yield RunStarted(self.plan, self.folder.path, step, self._notes, self._elapsed())
        if self.plan.init is not None and not self._saver.has_saved:
            self._saver.save_evaluated(self._status)  # from here on that model is not needed
        reason = yield from self._train(stop)
        if reason == "interrupted":
            self._save_interrupted()
            yield self._finished(reason)
            return
        final = self._judge_best_model()
        yield final
        yield self._finished(reason, final.windows_nats)

    def _train(self, stop: StopRequest) -> Generator[Event, None, Reason]:
        """Take steps until there is a reason to stop, which is returned."""
        self._begin_timing()
        while True:
            try:
                while (reason := self._reason_to_stop(stop)) is None:
                    yield from self._step()
                if reason != "interrupted" and not self._is_evaluated():
                    yield self._evaluate()
                return reason
            except DivergedError as diverged:
                yield self._roll_back(diverged.nats)

    def _begin_timing(self) -> None:
        """Measure speeds from here on."""
        self._reported_s = self._elapsed()
        self._pace.begin(self._trainer.step_count, self._reported_s)

    def _reason_to_stop(self, stop: StopRequest) -> Reason | None:
        """Why no further step is taken; None: one is. No other place decides that."""
        step = self._trainer.step_count
        if step >= self._trainer.schedule.total:
            return "finished"
        if stop.signal is not None:
            return "interrupted"
        if self._is_out_of_patience():
            return "no better"
        if self._pace.is_over(step, self._elapsed()):
            return "deadline"
        return None

    def _is_out_of_patience(self) -> bool:
        """Whether the best model is so long ago that it was, most likely, the last one.

        A run that learns on does so at a higher rate, at which it is worse at first than the model
        that it had ended with; so its patience begins when half of its new steps are done.
        """
        best, run, from_step = self._status.best, self.plan.run, self.plan.from_step
        if best is None or run.patience == 0:
            return False
        since = max(best.step, (from_step + run.steps) // 2 if from_step else 0)
        return self._status.evaluated_step - since >= run.patience * run.eval_every

    def _is_evaluated(self) -> bool:
        """Whether the model as it stands has been evaluated."""
        return self._status.evaluated_step == self._trainer.step_count

    def _step(self) -> Iterator[Event]:
        """Take one step, and do what is due after it. Raises DivergedError."""
        trainer, run = self._trainer, self.plan.run
        trainer.step()
        if self._pace.is_check_due(trainer.step_count):
            yield from self._keep_pace()
        if trainer.step_count % run.report_every == 0:
            yield self._report()
        if trainer.step_count % run.eval_every == 0:
            yield self._evaluate()
            yield write_sample(
                self.plan,
                self._vocabulary,
                trainer.model.weights(),
                trainer.step_count,
                self._record_end,
            )
        elif self._saver.is_save_due():
            self._save_progress()

    def _keep_pace(self) -> Iterator[Event]:
        """Give the run as many steps as the rest of its budget holds, if that has changed much."""
        step, now = self._trainer.step_count, self._elapsed()
        steps = self._pace.steps_that_fit(step, self._trainer.schedule.total, now)
        if steps is not None:
            self._trainer.end_at(steps)
            yield PaceChanged(step, steps, now)

    def _report(self) -> StepReport:
        """Report and record the steps since the last report. Raises DivergedError."""
        progress = self._trainer.report()
        check_loss(progress.train_nats, len(self._vocabulary), self._best_nats())
        now = self._elapsed()
        seconds = max(now - self._reported_s, 1e-9)
        self._reported_s = now
        report = StepReport(
            step=self._trainer.step_count,
            train_nats=progress.train_nats,
            lr=progress.lr,
            grad_norm=progress.grad_norm if math.isfinite(progress.grad_norm) else None,
            chars_per_s=progress.characters / seconds,
            elapsed_s=now,
        )
        self._saver.record(report)
        return report

    def _evaluate(self) -> EvalReport:
        """Estimate the model's loss; save the model if it is the best so far, the state always.

        Raises DivergedError if a number of the state or the loss itself is not finite.
        """
        score = self._evaluator.estimate()
        if not (math.isfinite(score.nats) and self._trainer.is_finite()):
            raise DivergedError(math.nan)
        step, best_nats = self._trainer.step_count, self._best_nats()
        self._status = replace(self._status, evaluated_step=step)
        is_best = best_nats is None or score.nats_per_char < best_nats
        if is_best:
            self._status = replace(self._status, best=Best(score.nats_per_char, step))
            self._saver.save_model(score)
        report = EvalReport(
            step=step,
            val_nats=score.nats_per_char,
            val_characters=score.characters,
            carried=False,
            best=is_best,
            elapsed_s=self._elapsed(),
        )
        self._saver.record(report)
        self._saver.save_evaluated(self._status)
        return report

    def _judge_best_model(self) -> EvalReport:
        """The final evaluation: the best model's exact losses, sealed into its file."""
        share = self._pace.final_share(self._elapsed())
        best = self._evaluator.judged(self._saver.best_model(), share)
        self._saver.replace_model(best)
        losses = best.losses
        assert losses.val_nats is not None
        assert losses.val_characters is not None
        report = EvalReport(
            step=best.step,
            val_nats=losses.val_nats,
            val_characters=losses.val_characters,
            carried=True,
            best=True,
            elapsed_s=self._elapsed(),
            windows_nats=losses.val_windows_nats,
        )
        self._saver.record(report)
        self._status = replace(self._status, best=Best(losses.val_nats, best.step), finished=True)
        self._saver.save_evaluated(self._status)
        return report

    def _roll_back(self, nats: float) -> RolledBack:
        """Go back to the last evaluation with half the learning rate, or give up with RunError."""
        trainer, diverged_step = self._trainer, self._trainer.step_count
        self._status = self._saver.go_back()
        if self._status.rollbacks == MOST_ROLLBACKS:
            self._give_up(nats, diverged_step)
        trainer.lr_scale /= 2
        self._status = replace(self._status, rollbacks=self._status.rollbacks + 1)
        report = RolledBack(
            step=trainer.step_count,
            diverged_step=diverged_step,
            train_nats=nats if math.isfinite(nats) else None,
            lr_scale=trainer.lr_scale,
            elapsed_s=self._elapsed(),
        )
        self._saver.record(report)
        self._saver.save_evaluated(self._status)
        self._begin_timing()
        return report

    def _give_up(self, nats: float, diverged_step: int) -> NoReturn:
        """Raise RunError, with a model in the folder: the best one, or else the first weights."""
        best = self._status.best
        if best is None:
            self._saver.save_model(None)
        raise RunError(
            f"training diverged again (loss {nats:.3g} after step {diverged_step}) although the "
            f"learning rate was halved {MOST_ROLLBACKS} times; the model of step "
            f"{self._trainer.step_count if best is None else best.step} is kept; "
            f"train anew with a lower `lr` than {self.plan.optimizer.lr:g}"
        )

    def _save_interrupted(self) -> None:
        """Save the run as it is; if it has diverged, its last evaluation is saved already."""
        try:
            self._save_progress()
        except DivergedError:
            self._status = self._saver.go_back()

    def _save_progress(self) -> None:
        """Save between evaluations. Raises DivergedError if a number of the state is not finite."""
        if not self._trainer.is_finite():
            raise DivergedError(math.nan)
        self._saver.save_progress(self._status)

    def _best_nats(self) -> float | None:
        best = self._status.best
        return None if best is None else best.val_nats

    def _finished(
        self, reason: Reason | Literal["already finished"], windows_nats: float | None = None
    ) -> RunFinished:
        best = self._status.best
        return RunFinished(
            reason=reason,
            step=self._trainer.step_count,
            model=self.folder.model,
            val_nats=self._best_nats(),
            elapsed_s=self._elapsed(),
            windows_nats=windows_nats,
            best_step=None if best is None else best.step,
        )
