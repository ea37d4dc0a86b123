"""How training runs are shown on stderr: a bar on a terminal, plain lines elsewhere."""

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from charrnn.cli.arguments import format_duration
from charrnn.cli.flags import with_flags
from charrnn.cli.model_facts import architecture, privacy_rows, validation_bits
from charrnn.cli.plan_rows import opening_rows, plan_rows
from charrnn.cli.progress_lines import ProgressLines
from charrnn.cli.reading import ReadingDisplay
from charrnn.cli.terminal import (
    Color,
    folded_lines,
    make_console,
    print_command,
    print_labelled,
)
from charrnn.cli.verdict import verdict_on, verdict_rows
from charrnn.corpus.progress import Note, Progress
from charrnn.inference.scoring import WINDOW, bits
from charrnn.model import checkpoint
from charrnn.plan.plan import Plan
from charrnn.runs.events import (
    EvalReport,
    Event,
    Measuring,
    PaceChanged,
    RolledBack,
    RunFinished,
    RunStarted,
    SampleReport,
    StepReport,
)
from charrnn.sampling.trained_model import Model
from charrnn.words import counted

if TYPE_CHECKING:
    from tqdm import tqdm

MAX_SAMPLE_LINES = 2
"""Lines that are shown of a sample written in training."""
SAMPLE_INDENT = 4
"""Columns that such a line is indented by."""
NOTEWORTHY_CHANGE = 0.05
"""Fraction of the planned steps by which a run misses them if the difference is worth a line."""
MIN_WIDTH_FOR_SPEED = 76
"""Columns of a terminal whose bar has room for the characters per second."""


class TrainingDisplay:
    """Shows the events of one run.

    On a terminal there is a bar, and an evaluation now and then with a sample. Elsewhere there are
    lines, seldom, without samples. With `verbose` the whole plan is shown before the first step,
    and every evaluation and sample after it.
    """

    def __init__(self, color: Color, *, verbose: bool = False) -> None:
        self._console = make_console(sys.stderr, color)
        self._verbose = verbose
        self._reading = ReadingDisplay()
        self._bar: tqdm[Any] | None = None
        self._plan: Plan | None = None
        self._steps = 0
        """Optimizer steps of the run, as the machine's speed is now."""
        self._planned_steps = 0
        """Optimizer steps of the run, as they were planned."""
        self._is_bent = False
        """Whether the number of steps has changed on the way."""
        self._measuring_width = 0
        """Columns of the line that says what is measured; 0 where there is none."""
        self._started = (0, 0.0)
        """Steps that were done, and seconds that had passed, when this session began."""
        self._lines = ProgressLines(0, 0.0)
        self._shows_sample = False
        """Whether the sample that comes next is shown."""
        self._losses: dict[str, str] = {}
        """The last loss on each split, in words, by the split's name."""

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Progress() | Note():
                self._reading.show(event)
            case Measuring():
                self._show_measuring(event)
            case RunStarted():
                self._reading.close()
                self._clear_measuring()
                self._show_start(event)
            case PaceChanged():
                self._show_pace(event)
            case RolledBack():
                self._show_rollback(event)
            case StepReport():
                self._show_step(event)
            case EvalReport():
                self._show_eval(event)
            case SampleReport():
                self._show_sample(event)
            case RunFinished():
                self._show_end(event)

    def close(self) -> None:
        """Remove the bars from the terminal."""
        self._clear_measuring()
        self._reading.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show_start(self, event: RunStarted) -> None:
        """Show what the run will do; with `verbose` all of it, why, and what repeats it."""
        plan = event.plan
        self._begin(event)
        print_labelled(self._console, opening_rows(plan, event.folder, event.elapsed_s))
        for note in event.notes:
            self._print(with_flags(note))
        if self._verbose:
            print_labelled(self._console, plan_rows(plan))
        if self._verbose and not plan.from_step:
            print_command(self._console, "repeat with", plan.command(event.folder.name))
        if event.step:
            self._print(f"resumed after {counted(event.step, 'step')}")
        self._open_bar(event.step)

    def _show_measuring(self, event: Measuring) -> None:
        """Say on a terminal, in a line that the next one replaces, which model is timed."""
        if sys.stderr.isatty():
            self._clear_measuring()
            line = f"measuring this machine: {architecture(event.model)} ..."
            print(line, end="", file=sys.stderr, flush=True)
            self._measuring_width = len(line)

    def _clear_measuring(self) -> None:
        """Remove the line that says which model is timed."""
        if self._measuring_width:
            print(f"\r{' ' * self._measuring_width}\r", end="", file=sys.stderr, flush=True)
            self._measuring_width = 0

    def _begin(self, event: RunStarted) -> None:
        """Count steps and time from the start of a session on."""
        self._plan = event.plan
        self._steps = self._planned_steps = event.plan.run.steps
        self._started = (event.step, event.elapsed_s)
        self._lines = ProgressLines(*self._started)
        self._losses = {}

    def _open_bar(self, step: int) -> None:
        """Show the bar at a step, if stderr is a terminal."""
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self._steps,
                initial=step,
                file=sys.stderr,
                unit="step",
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}% |{bar}| {elapsed} < {remaining}{postfix}",
            )

    def _show_pace(self, event: PaceChanged) -> None:
        self._steps = event.steps
        self._is_bent = True
        if self._bar is not None:
            self._bar.total = event.steps

    def _show_rollback(self, event: RolledBack) -> None:
        loss = "not a number" if event.train_nats is None else f"{event.train_nats:.3g} nats"
        self._print(
            f"{self._progress(event.diverged_step, event.elapsed_s)} training diverged, the loss "
            f"is {loss}: back to step {event.step:,} with {event.lr_scale:g} of the learning rate"
        )
        self._lines.written(event.step, event.elapsed_s)
        if self._bar is not None:
            self._bar.update(event.step - self._bar.n)

    def _show_step(self, event: StepReport) -> None:
        """Move the bar; without one, print a line if it is due."""
        self._losses["train"] = f"{bits(event.train_nats):.3f}"
        if self._bar is not None:
            figures = f"train {self._losses['train']} bits/char"
            if self._console.width >= MIN_WIDTH_FOR_SPEED:
                figures += f", {event.chars_per_s:,.0f} chars/s"
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(event.step - self._bar.n)
        elif self._lines.is_due(event.step, self._steps, event.elapsed_s):
            self._print_losses(event.step, event.elapsed_s)

    def _show_eval(self, event: EvalReport) -> None:
        """Take note of an estimate on the validation split, and show it if it is time to."""
        if event.carried:
            return
        self._losses["validation"] = f"about {bits(event.val_nats):.3f}"
        is_shown = self._verbose or self._lines.is_apart(event.elapsed_s)
        if is_shown:
            self._print_losses(event.step, event.elapsed_s)
        self._shows_sample = is_shown and (self._verbose or self._bar is not None)

    def _print_losses(self, step: int, elapsed_s: float) -> None:
        """Print a line with the last losses, and where there is no bar, with the time left."""
        losses = ", ".join(f"{split} {loss}" for split, loss in self._losses.items())
        left = "" if self._bar is not None else self._time_left(step, elapsed_s)
        self._print(f"{self._progress(step, elapsed_s)}  {losses} bits/char{left}")
        self._lines.written(step, elapsed_s)

    def _show_sample(self, event: SampleReport) -> None:
        """Show the first lines of a sample, if the evaluation before it was shown."""
        if not self._shows_sample:
            return
        lines = [
            folded
            for line in event.text.strip("\n").splitlines()
            for folded in folded_lines(self._console, _printable(line), SAMPLE_INDENT)
        ]
        self._print("\n".join(f"{'':{SAMPLE_INDENT}}{line}" for line in lines[:MAX_SAMPLE_LINES]))

    def _show_end(self, event: RunFinished) -> None:
        """Show why the run has ended, and what to do next."""
        self.close()
        name = event.model.parent.name
        steps = counted(event.step, "step")
        if event.reason == "already finished":
            self._print(f"{name} is finished already, after {steps}")
        elif event.reason == "interrupted":
            self._print(f"stopped after {steps}, everything is saved")
            self._print(f"resume with: charrnn train --resume {shlex.quote(name)}")
        else:
            self._show_steps_made(event)
            self._show_result(event)
            if self._verbose:
                self._show_repeat(event)

    def _show_steps_made(self, event: RunFinished) -> None:
        """Say why the run has made another number of steps than planned, if it has."""
        difference = abs(event.step - self._planned_steps)
        steps = counted(event.step, "step")
        is_noteworthy = self._verbose and difference > NOTEWORTHY_CHANGE * self._planned_steps
        if event.reason == "finished" and is_noteworthy:
            planned = f"{self._planned_steps:,}"
            how = "faster" if event.step > self._planned_steps else "slower"
            self._print(f"{steps} instead of {planned}: this machine became {how}")
        elif event.reason == "deadline":
            self._print(
                "this machine was slower than measured at the start: stopped at the budget, "
                f"after {steps} of {self._steps:,}"
            )
        elif event.reason == "no better":
            self._print(
                f"stopped after {steps} of {self._steps:,}: validation has not improved since "
                f"step {event.best_step:,}, whose model is kept"
            )

    def _show_repeat(self, event: RunFinished) -> None:
        """Say what repeats a run, about, whose number of steps was changed by its budget.

        Its learning rate fell by a schedule that was bent to the time left, cut off at its end, or
        begun anew to learn on: there are no options for such a one. A run that stopped because it
        got no better is repeated by its plan, to the bit.
        """
        steps = self._steps if event.reason == "no better" else event.step
        plan = self._plan
        if plan is not None and (self._is_bent or plan.from_step or steps != self._planned_steps):
            plan = replace(plan, run=replace(plan.run, steps=steps))
            command = plan.command(event.model.parent.name)
            self._print(f"to learn about the same, as the steps changed on the way: {command}")

    def _show_result(self, event: RunFinished) -> None:
        """Say where the model is, what it took, how good it is and what to do with it."""
        steps, took = counted(event.step, "step"), format_duration(event.elapsed_s)
        model = Model(event.model, checkpoint.read(event.model))
        rows = [("model", str(event.model)), ("trained", f"{steps} in {took}")]
        if event.val_nats is not None:
            loss = f"{validation_bits(model.checkpoint)} bits/char ({event.val_nats:.4f} nats)"
            rows.append(("validation", loss))
        if event.windows_nats is not None and self._verbose:
            windows = f"{_format_loss(event.windows_nats)}, windows of {WINDOW}, empty state"
            rows.append(("", windows))
        verdict = verdict_on(model, self._plan)
        rows += verdict_rows(model, verdict) + privacy_rows(model.checkpoint)
        if verdict is None or not verdict.is_chance:
            rows.append(("write with", f"charrnn sample {shlex.quote(event.model.parent.name)}"))
        print_labelled(self._console, rows)

    def _progress(self, step: int, elapsed_s: float) -> str:
        """`  1m 15s   500/2,000`: the time that has passed, and the step of how many."""
        width = len(f"{self._steps:,}")
        return f"{format_duration(round(elapsed_s)):>7} {step:>{width},}/{self._steps:,}"

    def _time_left(self, step: int, elapsed_s: float) -> str:
        """`, 2m 5s left`: the time that the steps to come take at the pace of this session."""
        first_step, first_s = self._started
        if step >= self._steps or step <= first_step:
            return ""
        left_s = (self._steps - step) * (elapsed_s - first_s) / (step - first_step)
        return f", {format_duration(round(left_s))} left"

    def _print(self, text: str) -> None:
        """Print lines above the bar, if there is one."""
        if self._bar is not None:
            self._bar.clear()
        self._console.print(text, markup=False, soft_wrap=not self._console.is_terminal)
        if self._bar is not None:
            self._bar.refresh()


class ComparisonDisplay(TrainingDisplay):
    """Shows the events of several runs in turn: a line when each begins, and one when it ends.

    In between there is a bar, or where there is no terminal, a line now and then.
    """

    def _show_start(self, event: RunStarted) -> None:
        model = event.plan.model
        self._begin(event)
        self._print(
            f"{architecture(model)}, {counted(model.num_parameters(), 'parameter')}, "
            f"{counted(self._steps, 'step')}: {event.folder.name}"
        )
        self._open_bar(event.step)

    def _show_eval(self, event: EvalReport) -> None:
        """Show an evaluation where there is no bar, if it is time to."""
        if self._bar is None:
            super()._show_eval(event)

    def _show_sample(self, event: SampleReport) -> None:
        """Show nothing: a sample of each evaluation of each run would be too much."""

    def _show_end(self, event: RunFinished) -> None:
        if event.reason == "interrupted":
            super()._show_end(event)
            return
        self.close()
        loss = "" if event.val_nats is None else f", validation {_format_loss(event.val_nats)}"
        self._print(f"{format_duration(event.elapsed_s):>7} {counted(event.step, 'step')}{loss}")


def _format_loss(nats: float) -> str:
    """`2.053 bits/char (1.4230 nats)`: a loss in nats per character, in both units."""
    return f"{bits(nats):.3f} bits/char ({nats:.4f} nats)"


def _printable(line: str) -> str:
    return "".join(character for character in line if character.isprintable())
