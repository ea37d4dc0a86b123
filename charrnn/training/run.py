"""A run from its first step to its last: train, report, evaluate, keep the best, save, stop.

`TrainingRun.events()` does the work and yields what happens. While it is suspended at a yield the
run's files are consistent, so it can be abandoned there and resumed later.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Literal, TypeVar

import torch

from charrnn import checkpoint, sealed_file
from charrnn.checkpoint import Checkpoint, CorpusRecord, Losses
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.engines.choice import make_engine
from charrnn.engines.config import SAMPLING_PRECISIONS
from charrnn.errors import RunError
from charrnn.native_inference import make_network
from charrnn.run_folder import RunFolder
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.generator import make_writer
from charrnn.scoring import Score, evaluate, score_sampled
from charrnn.training.evaluation import TorchScorer
from charrnn.training.events import (
    EvalReport,
    Event,
    PaceChanged,
    RunFinished,
    RunStarted,
    SampleReport,
    StepReport,
    StopRequest,
)
from charrnn.training.plan import Plan
from charrnn.training.trainer import Trainer

FORMAT = "charrnn-training"
FORMAT_VERSION = 1
SAMPLE_CHARACTERS = 160
SAMPLE_TEMPERATURE = 0.8
DEADLINE_SLACK = 0.04
"""Fraction of the budget by which a run that turned out slower than calibrated may go over."""

PACE_CHECKS = 40
"""How often in a run its pace is compared with its budget."""
DRIFT = 0.08
"""A run whose remaining steps would differ by no more than this fraction keeps to its plan."""

_Report = TypeVar("_Report", bound=StepReport | EvalReport)

Reason = Literal["finished", "deadline", "interrupted", "no better"]


@dataclass(frozen=True)
class _Best:
    """The best model so far, by the bounded evaluation."""

    val_nats: float
    step: int


class TrainingRun:
    """A plan being carried out in a folder."""

    def __init__(
        self,
        plan: Plan,
        corpus: EncodedCorpus,
        folder: RunFolder,
        elapsed: Callable[[], float],
        notes: tuple[str, ...] = (),
    ) -> None:
        """`elapsed()` is the age of the command in seconds."""
        self.plan = plan
        self.folder = folder
        torch.set_num_threads(plan.training.threads)
        self._notes = notes
        self._validation = corpus.checked_split("validation")
        self._record_end = corpus.record_end
        self._vocabulary = corpus.vocabulary
        training = plan.training
        self._trainer = Trainer(corpus.split("train"), plan.model, plan.optimizer, training)
        engine = make_engine(training.engine, "fp32", training.threads)
        self._scorer = TorchScorer(self._trainer.model, engine)
        self._best: _Best | None = None
        self._evaluated_step = -1
        self._finished = False
        self._age = elapsed
        self._elapsed_before = 0.0
        self._last_report_s = 0.0
        self._paced = (0, 0.0)

    def _elapsed(self) -> float:
        return self._elapsed_before + self._age()

    def events(self, stop: StopRequest) -> Iterator[Event]:
        """Carry the plan out from where the run stands, yielding events; `stop` ends it early."""
        trainer = self._trainer
        if self._finished:
            yield self._over("already finished", self._best.val_nats if self._best else None)
            return
        yield RunStarted(self.plan, self.folder.path, trainer.step_count, self._notes)
        self._last_report_s = self._elapsed()
        self._paced = (trainer.step_count, self._last_report_s)
        pace_every = max(1, self.plan.training.steps // PACE_CHECKS)
        while (reason := self._reason_to_stop(stop)) is None:
            trainer.step()
            if trainer.step_count % pace_every == 0 and (change := self._keep_pace()):
                yield change
            if trainer.step_count % self.plan.training.report_every == 0:
                yield self._record(self._report())
            if trainer.step_count % self.plan.training.eval_every == 0:
                yield self._evaluate()
                yield self._sample()
        if reason == "interrupted":
            self._save_interrupted()
            yield self._over(reason, self._best.val_nats if self._best else None)
            return
        if self._evaluated_step != trainer.step_count:
            yield self._evaluate()
        final = self._evaluate_best()
        yield final
        yield self._over(reason, final.val_nats, final.windows_nats)

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
        training = self.plan.training
        if self._best is None or training.patience == 0:
            return False
        return self._evaluated_step - self._best.step >= training.patience * training.eval_every

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
            best_step=None if self._best is None else self._best.step,
        )

    def _report(self) -> StepReport:
        progress = self._trainer.report()
        self._check_finite(progress.train_nats)
        now = self._elapsed()
        seconds = max(now - self._last_report_s, 1e-9)
        self._last_report_s = now
        return StepReport(
            step=self._trainer.step_count,
            train_nats=progress.train_nats,
            lr=progress.lr,
            grad_norm=progress.grad_norm,
            chars_per_s=progress.characters / seconds,
            elapsed_s=now,
        )

    def _check_finite(self, nats: float) -> None:
        """Raise RunError if training has diverged; what is saved is from before."""
        if not math.isfinite(nats):
            kept = "no model was saved yet"
            if self._best is not None:
                kept = f"the best model, of step {self._best.step}, is kept"
            raise RunError(
                f"training diverged: the loss is {nats} after step {self._trainer.step_count}; "
                f"{kept}; try a lower --lr than {self.plan.optimizer.lr:g}"
            )

    def _evaluate(self) -> EvalReport:
        """The bounded evaluation; the model is saved if it is the best so far, the state always."""
        score = score_sampled(self._scorer, self._validation, self.plan.training.eval_chars)
        self._check_finite(score.nats)
        step = self._trainer.step_count
        self._evaluated_step = step
        best = self._best is None or score.nats_per_char < self._best.val_nats
        if best:
            self._best = _Best(score.nats_per_char, step)
            self._save_model(score)
        report = self._record(self._eval_report(score, carried=False, best=best))
        self._save_state(finished=False)
        return report

    def _evaluate_best(self) -> EvalReport:
        """Judge the best model in both ways, exactly, and seal that into its file."""
        assert self._best is not None
        best = checkpoint.read(self.folder.model)
        self._trainer.model.load_weights(best.weights)
        both = evaluate(self._scorer, self._validation[: self.plan.final_chars])
        score, windows_nats = both.carried, both.windows.nats_per_char
        losses = replace(
            self._judge_precisions(best),
            val_nats=score.nats_per_char,
            val_characters=score.characters,
            val_carried=True,
            val_windows_nats=windows_nats,
        )
        checkpoint.write(self.folder.model, replace(best, losses=losses))
        self._best = _Best(score.nats_per_char, best.step)
        report = self._record(
            replace(
                self._eval_report(score, carried=True, best=True),
                step=best.step,
                windows_nats=windows_nats,
            )
        )
        self._save_state(finished=True)
        return report

    def _judge_precisions(self, best: Checkpoint) -> Losses:
        """What sampling at each precision costs, all measured on the same text."""
        if self.plan.precision_chars == 0:
            return Losses()
        by_precision: dict[str, float] = {}
        for precision in SAMPLING_PRECISIONS:
            threads = self.plan.training.threads
            network = make_network(best.config, best.weights, precision, threads)
            score = score_sampled(network, self._validation, self.plan.precision_chars)
            by_precision[precision] = score.nats_per_char
        return Losses(by_precision=by_precision, precision_characters=score.characters)

    def _eval_report(self, score: Score, *, carried: bool, best: bool) -> EvalReport:
        return EvalReport(
            step=self._trainer.step_count,
            val_nats=score.nats_per_char,
            val_characters=score.characters,
            carried=carried,
            best=best,
            elapsed_s=self._elapsed(),
        )

    def _sample(self) -> SampleReport:
        """A few characters; the generator is this sample's own, so the run is not disturbed."""
        step = self._trainer.step_count
        network = make_network(self.plan.model, self._trainer.model.weights(), threads=1)
        config = SamplingConfig(
            seed=self.plan.training.seed + step,
            temperature=SAMPLE_TEMPERATURE,
            length=SAMPLE_CHARACTERS,
        )
        start = self._vocabulary.start()
        writer = make_writer(network, start, config, record_end=self._record_end)
        return SampleReport(step, self._vocabulary.decode(writer.write(config.length)[:, 0]))

    def _save_interrupted(self) -> None:
        """Keep everything; a run without an evaluation yet gets a model all the same."""
        if self._best is None:
            self._save_model(None)
        self._save_state(finished=False)

    def _save_model(self, score: Score | None) -> None:
        corpus = self.plan.corpus
        losses = Losses() if score is None else Losses(score.nats_per_char, score.characters)
        training = {
            "optimizer": asdict(self.plan.optimizer),
            "loop": asdict(self.plan.training),
            "elapsed_s": round(self._elapsed(), 3),
        }
        checkpoint.write(
            self.folder.model,
            Checkpoint(
                config=self.plan.model,
                vocabulary=self._vocabulary,
                weights=self._trainer.model.weights(),
                corpus=CorpusRecord(
                    corpus.name,
                    corpus.sha256,
                    corpus.num_symbols,
                    corpus.splits.val_frac,
                    corpus.splits.test_frac,
                    corpus.splits.records,
                    corpus.text,
                ),
                losses=losses,
                step=self._trainer.step_count,
                training=training,
                versions={"charrnn": version("charrnn"), "torch": str(torch.__version__)},
            ),
        )

    def _save_state(self, *, finished: bool) -> None:
        """Write training.safetensors; always after the model that it tells of."""
        numbers, tensors = self._trainer.state()
        header = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "trainer": numbers,
            "best": None if self._best is None else asdict(self._best),
            "evaluated_step": self._evaluated_step,
            "elapsed_s": self._elapsed(),
            "finished": finished,
            "corpus_sha256": self.plan.corpus.sha256,
        }
        sealed_file.write(self.folder.training, header, tensors)

    def resume(self) -> None:
        """Take up the state that the folder holds; a run that never saved any starts afresh.

        Raises CheckpointError or RunError if the state is damaged or of another run.
        """
        if not self.folder.training.exists():
            self._forget_metrics_after(0)
            return
        header, tensors = sealed_file.read(self.folder.training)
        try:
            if (header["format"], header["format_version"]) != (FORMAT, FORMAT_VERSION):
                raise ValueError(
                    f"format {header['format']!r} version {header['format_version']!r}"
                )
            if header["corpus_sha256"] != self.plan.corpus.sha256:
                raise ValueError("it was saved while learning from another text")
            self._finished = header["finished"]
            self._best = None if header["best"] is None else _Best(**header["best"])
            self._evaluated_step = header["evaluated_step"]
            self._elapsed_before = header["elapsed_s"] - self._age()
            self._trainer.load_state(header["trainer"], tensors)
        except (KeyError, TypeError, ValueError) as error:
            path = str(self.folder.training)
            raise RunError(f"{path!r} does not fit this run: {error}") from error
        self._forget_metrics_after(self._trainer.step_count)

    def _record(self, report: _Report) -> _Report:
        """Append `report` to the metrics file and return it."""
        kind = "step" if isinstance(report, StepReport) else "eval"
        with self.folder.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": kind, **asdict(report)}) + "\n")
        return report

    def _forget_metrics_after(self, step: int) -> None:
        """Drop the lines that the resumed run will write again, and a half-written last one."""
        if not self.folder.metrics.exists():
            return
        kept = []
        for line in self.folder.metrics.read_text(encoding="utf-8").splitlines(keepends=True):
            try:
                if line.endswith("\n") and json.loads(line)["step"] <= step:
                    kept.append(line)
            except (ValueError, KeyError):
                continue
        sealed_file.write_atomically(self.folder.metrics, "".join(kept).encode())
