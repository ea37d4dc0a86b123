"""The learning rate of every optimizer step, as a pure function of how far the run has come."""

import math
from dataclasses import dataclass, replace

from charrnn.plan.optimizers import OptimizerConfig


@dataclass(frozen=True)
class Schedule:
    """How far a run has come at each of its steps: 0 until the warm-up is over, 1 at the end.

    A run whose end is moved while it goes on bends its schedule (`bent`): progress stays as it was
    at that step, and grows evenly from there to 1 at the new end, so the rate does not jump. A run
    that learns on after its end is put back to where a longer run would be (`extended`).
    """

    warmup: int
    """Steps at the beginning over which the learning rate rises."""
    total: int
    """Steps of the whole run."""
    bend_step: int
    """Step from which progress grows evenly, to 1 at `total`: the end of the warm-up, or the last
    step at which the run's end was moved."""
    bend_progress: float
    """Progress at `bend_step`, from 0 to 1."""

    @classmethod
    def of(cls, steps: int, config: OptimizerConfig) -> "Schedule":
        """The schedule of a run of `steps` steps; the warm-up is at most a tenth of them."""
        warmup = min(config.warmup_steps, steps // 10)
        return cls(warmup, steps, warmup, 0.0)

    def progress(self, step: int) -> float:
        """How far the run has come at `step`, from 0 to 1."""
        done = max(0, step - self.bend_step) / max(1, self.total - self.bend_step)
        return self.bend_progress + (1 - self.bend_progress) * done

    def bent(self, step: int, total: int) -> "Schedule":
        """The same schedule until `step`, and from there evenly to an end at `total` steps."""
        return replace(self, total=total, bend_step=step, bend_progress=self.progress(step))

    def extended(self, step: int, total: int) -> "Schedule":
        """The schedule from `step` on of a run of `total` steps, `step` of which are done."""
        return replace(self, total=total, bend_step=step, bend_progress=step / total)


def learning_rate(step: int, schedule: Schedule, config: OptimizerConfig, epoch: int = 0) -> float:
    """The learning rate of step number `step`, which counts from 0.

    It rises linearly to `config.lr` over the warm-up and then falls along half a cosine to
    `config.final_lr_frac` of that (Loshchilov & Hutter 2017, "SGDR"). With `config.lr_decay` there
    is no cosine: the rate stays as it is and is multiplied by `lr_decay` after each epoch from the
    `lr_decay_after`-th on; `epoch` is the number of epochs that are over.
    """
    if step < schedule.warmup:
        return config.lr * (step + 1) / (schedule.warmup + 1)
    if config.lr_decay is not None:
        return config.lr * config.lr_decay ** max(0, epoch + 1 - config.lr_decay_after)
    cosine = 0.5 * (1 + math.cos(math.pi * schedule.progress(step)))
    return config.lr * (config.final_lr_frac + (1 - config.final_lr_frac) * cosine)
