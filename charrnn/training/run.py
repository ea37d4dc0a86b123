"""A run from its first step to its last: train, report, evaluate, keep the best, save, stop.

`TrainingRun.events()` does the work and yields what happens. It can be abandoned at any moment, and
resumed from its last save. Where training diverges it goes back to the last evaluation: that place
does not depend on the clock, so a run that was resumed goes the same way.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import torch

from charrnn.corpus.encoded import EncodedCorpus
from charrnn.engines.selection import make_engine
from charrnn.errors import RunError
from charrnn.files.run_folder import RunFolder
from charrnn.inference.scoring import Score, evaluate, score_sampled
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
from charrnn.runs.saves import Best
from charrnn.training.run_saver import Keeper, Standing
from charrnn.training.snapshot import judge_precisions, make_checkpoint, write_sample
from charrnn.training.torch_scorer import TorchScorer
from charrnn.training.trainer import Trainer

DEADLINE_SLACK = 0.04
"""Fraction of the budget by which a run that turned out slower than calibrated may go over."""

PACE_CHECKS = 40
"""How often in a run its pace is compared with its budget."""
DRIFT = 0.08
"""A run whose remaining steps would differ by no more than this fraction keeps to its plan."""

MOST_ROLLBACKS = 3
"""How often a run that diverges goes on with half the learning rate, before it gives up."""

Reason = Literal["finished", "deadline", "interrupted", "no better"]


class _DivergedError(Exception):
    """Training has come to a loss that no further step will mend."""

    def __init__(self, nats: float) -> None:
        self.nats = nats


class TrainingRun:
    """A plan being carried out in a folder."""

    def __init__(
        self,
        plan: Plan,
        corpus: EncodedCorpus,
        folder: RunFolder,
        elapsed: Callable[[], float],
        notes: tuple[str, ...] = (),
        start: Start | None = None,
    ) -> None:
        """`elapsed()` is the age of the command in seconds; `start` has the first weights."""
        self.plan = plan
        self.folder = folder
        torch.set_num_threads(plan.step.threads)
        self._notes = notes
        self._validation = corpus.checked_split("validation")
        self._record_end = corpus.record_end
        self._vocabulary = corpus.vocabulary
        self._trainer = Trainer(
            corpus.split("train"), plan.model, plan.optimizer, plan.step, plan.run.steps
        )
        if start is not None:
            model = self._trainer.model
            model.load_weights(start.remapped(corpus.vocabulary, model.weights()))
        engine = make_engine(plan.step.engine, "fp32", plan.step.threads)
        self._scorer = TorchScorer(self._trainer.model, engine)
        self._age = elapsed
        self._elapsed_before = 0.0
        self._last_report_s = 0.0
        self._paced = (0, 0.0)
        self._standing = Standing()
        self._keeper = Keeper(plan, folder, self._trainer, self._standing, self._elapsed)

    def _elapsed(self) -> float:
        return self._elapsed_before + self._age()

    def events(self, stop: StopRequest) -> Iterator[Event]:
        """Carry the plan out from where the run stands, yielding events; `stop` ends it early."""
        trainer = self._trainer
        if self._standing.finished:
            yield self._over("already finished", self._best_nats())
            return
        yield RunStarted(self.plan, self.folder.path, trainer.step_count, self._notes)
        if self.plan.init is not None and not self._keeper.has_saved:
            self._keeper.save_evaluated()  # from here on that model is not needed any more
        self._begin_timing()
        while True:
            try:
                while (reason := self._reason_to_stop(stop)) is None:
                    yield from self._step()
                if reason != "interrupted" and self._standing.evaluated_step != trainer.step_count:
                    yield self._evaluate()
                break
            except _DivergedError as found:
                yield self._roll_back(found.nats)
        if reason == "interrupted":
            self._save_interrupted()
            yield self._over(reason, self._best_nats())
            return
        final = self._evaluate_best()
        yield final
        yield self._over(reason, final.val_nats, final.windows_nats)

    def _begin_timing(self) -> None:
        self._last_report_s = self._elapsed()
        self._paced = (self._trainer.step_count, self._last_report_s)

    def _step(self) -> Iterator[Event]:
        """One step, and all that is due after it; raises _DivergedError."""
        trainer, run = self._trainer, self.plan.run
        trainer.step()
        if trainer.step_count % max(1, run.steps // PACE_CHECKS) == 0:
            change = self._keep_pace()
            if change is not None:
                yield change
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
        elif self._keeper.is_save_due():
            self._save_progress()

    def _reason_to_stop(self, stop: StopRequest) -> Reason | None:
        """The one place that decides whether to go on."""
        if self._trainer.step_count >= self._trainer.schedule.total:
            return "finished"
        if stop.signal is not None:
            return "interrupted"
        if self._out_of_patience():
            return "no better"
        budget = self.plan.budget_s
        if budget is not None:
            deadline = budget * (1 + DEADLINE_SLACK) - self.plan.final_s
            if self._trainer.step_count > 0 and self._elapsed() > deadline:
                return "deadline"
        return None

    def _keep_pace(self) -> PaceChanged | None:
        """Give the run as many steps as the rest of its budget holds, if that has changed much."""
        step, now = self._trainer.step_count, self._elapsed()
        paced_step, paced_s = self._paced
        planned = self._trainer.schedule.total
        if self.plan.budget_s is None or step >= planned:
            return None
        step_s = (now - paced_s) / (step - paced_step)
        left = max(1, int((self.plan.budget_s - self.plan.final_s - now) / step_s))
        steps = min(step + left, self.plan.most_steps or planned)
        if abs(steps - planned) <= DRIFT * (planned - step):
            return None
        self._trainer.end_at(steps)
        self._paced = (step, now)
        return PaceChanged(step, steps, now)

    def _out_of_patience(self) -> bool:
        """Whether the best model is so long ago that it was, most likely, the last one."""
        run, best = self.plan.run, self._standing.best
        if best is None or run.patience == 0:
            return False
        since = self._standing.evaluated_step - best.step
        return since >= run.patience * run.eval_every

    def _best_nats(self) -> float | None:
        return None if self._standing.best is None else self._standing.best.val_nats

    def _over(
        self,
        reason: Reason | Literal["already finished"],
        val_nats: float | None,
        windows_nats: float | None = None,
    ) -> RunFinished:
        return RunFinished(
            reason=reason,
            step=self._trainer.step_count,
            model=self.folder.model,
            val_nats=val_nats,
            elapsed_s=self._elapsed(),
            windows_nats=windows_nats,
            best_step=None if self._standing.best is None else self._standing.best.step,
        )

    def _report(self) -> StepReport:
        progress = self._trainer.report()
        self._check_loss(progress.train_nats)
        now = self._elapsed()
        seconds = max(now - self._last_report_s, 1e-9)
        self._last_report_s = now
        report = StepReport(
            step=self._trainer.step_count,
            train_nats=progress.train_nats,
            lr=progress.lr,
            grad_norm=progress.grad_norm,
            chars_per_s=progress.characters / seconds,
            elapsed_s=now,
        )
        self._keeper.record(report)
        return report

    def _check_loss(self, nats: float) -> None:
        """Raise _DivergedError for a loss, in nats, that a model in order does not have.

        A uniform guess loses ln V. Once a model has done better it does not do worse than that; and
        even a first step on text that it does not expect loses less than twice as much and a bit.
        """
        chance = math.log(len(self._vocabulary))
        learned = self._standing.best is not None and self._standing.best.val_nats < chance - 0.5
        if not nats <= (chance + 0.5 if learned else 2 * chance + 2):
            raise _DivergedError(nats)

    def _roll_back(self, nats: float) -> RolledBack:
        """Go back to the last evaluation with half the learning rate, or give up with RunError."""
        trainer, step = self._trainer, self._trainer.step_count
        self._keeper.go_back()
        if self._standing.rollbacks == MOST_ROLLBACKS:
            best = self._standing.best
            if best is None:
                self._save_model(None)
            raise RunError(
                f"training diverged again (loss {nats:.3g} after step {step}) although the "
                f"learning rate was halved {MOST_ROLLBACKS} times; the model of step "
                f"{trainer.step_count if best is None else best.step} is kept; "
                f"train anew with a lower --lr than {self.plan.optimizer.lr:g}"
            )
        trainer.lr_scale /= 2
        self._standing.rollbacks += 1
        back = RolledBack(
            step=trainer.step_count,
            diverged_step=step,
            train_nats=nats if math.isfinite(nats) else None,
            lr_scale=trainer.lr_scale,
            elapsed_s=self._elapsed(),
        )
        self._keeper.record(back)
        self._keeper.save_evaluated()
        self._begin_timing()
        return back

    def _evaluate(self) -> EvalReport:
        """The bounded evaluation; the model is saved if it is the best so far, the state always."""
        score = score_sampled(self._scorer, self._validation, self.plan.run.eval_chars)
        if not (math.isfinite(score.nats) and self._trainer.is_finite()):
            raise _DivergedError(math.nan)
        step = self._trainer.step_count
        self._standing.evaluated_step = step
        best = self._standing.best is None or score.nats_per_char < self._standing.best.val_nats
        if best:
            self._standing.best = Best(score.nats_per_char, step)
            self._save_model(score)
        report = self._eval_report(score, carried=False, best=best)
        self._keeper.record(report)
        self._keeper.save_evaluated()
        return report

    def _evaluate_best(self) -> EvalReport:
        """Judge the best model in both ways, exactly, and seal that into its file."""
        assert self._standing.best is not None
        best = self._keeper.best_model()
        self._trainer.model.load_weights(best.weights)
        both = evaluate(self._scorer, self._validation.first(self.plan.final_chars))
        score, windows_nats = both.carried, both.windows.nats_per_char
        losses = replace(
            judge_precisions(self.plan, best, self._validation),
            val_nats=score.nats_per_char,
            val_characters=score.characters,
            val_carried=True,
            val_windows_nats=windows_nats,
        )
        self._keeper.save_model(replace(best, losses=losses))
        self._standing.best = Best(score.nats_per_char, best.step)
        report = replace(
            self._eval_report(score, carried=True, best=True),
            step=best.step,
            windows_nats=windows_nats,
        )
        self._keeper.record(report)
        self._standing.finished = True
        self._keeper.save_evaluated()
        return report

    def _eval_report(self, score: Score, *, carried: bool, best: bool) -> EvalReport:
        return EvalReport(
            step=self._trainer.step_count,
            val_nats=score.nats_per_char,
            val_characters=score.characters,
            carried=carried,
            best=best,
            elapsed_s=self._elapsed(),
        )

    def _save_interrupted(self) -> None:
        """Keep everything, unless that is worthless: then the last evaluation is kept already."""
        try:
            self._save_progress()
        except _DivergedError:
            self._keeper.go_back()

    def _save_progress(self) -> None:
        """Save between evaluations; before the first, a model too. Raises _DivergedError."""
        if not self._trainer.is_finite():
            raise _DivergedError(math.nan)
        if self._standing.best is None:
            self._save_model(None)
        self._keeper.save_progress()

    def _save_model(self, score: Score | None) -> None:
        trainer = self._trainer
        model = make_checkpoint(
            self.plan,
            self._vocabulary,
            trainer.model.weights(),
            score,
            trainer.step_count,
            self._elapsed(),
        )
        self._keeper.save_model(model)

    def resume(self) -> None:
        """Take up the last good state in the folder; a run that never saved any starts afresh.

        Raises RunError if the states are damaged or of another run.
        """
        elapsed_s, notes = self._keeper.resume()
        if elapsed_s is not None:
            self._elapsed_before = elapsed_s - self._age()
        self._notes = (*self._notes, *notes)
