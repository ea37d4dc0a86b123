"""How training runs are shown on stderr: a bar on a terminal, plain lines elsewhere."""

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from charrnn.cli.arguments import format_duration
from charrnn.cli.model_facts import architecture
from charrnn.cli.plan_rows import plan_rows, reason_rows
from charrnn.cli.reading import ReadingDisplay
from charrnn.cli.terminal import Color, make_console, print_labelled
from charrnn.corpus.progress import Note, Progress
from charrnn.inference.scoring import WINDOW, bits
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

if TYPE_CHECKING:
    from tqdm import tqdm

LOG_LINES = 20
"""Progress lines that a whole run writes, at most, where there is no terminal."""
MAX_SAMPLE_LINES = 4
"""Lines that are shown of a sample written in training."""
NOTEWORTHY_CHANGE = 0.05
"""Fraction of the planned steps by which a run misses them if the difference is worth a line."""


class TrainingDisplay:
    """Shows the events of one run."""

    def __init__(self, color: Color) -> None:
        self._console = make_console(sys.stderr, color)
        self._reading = ReadingDisplay()
        self._bar: tqdm[Any] | None = None
        self._plan: Plan | None = None
        self._steps = 0
        """Optimizer steps of the run, as the machine's speed is now."""
        self._planned_steps = 0
        """Optimizer steps of the run, as they were planned."""
        self._is_bent = False
        """Whether the number of steps has changed on the way."""
        self._lines_logged = 0
        """How many of LOG_LINES have been due so far."""
        self._evaluation_manner = "state carried"
        self._measuring_width = 0
        """Columns of the line that says what is measured; 0 where there is none."""

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
        """Show what the run will do, why, and the command that repeats it."""
        plan = self._plan = event.plan
        self._steps = self._planned_steps = plan.run.steps
        if plan.corpus.splits.records is not None:
            self._evaluation_manner = "each line by itself"
        for note in event.notes:
            self._print(note)
        print_labelled(self._console, plan_rows(plan, event.folder))
        print_labelled(self._console, reason_rows(plan))
        self._print(f"repeat with: {plan.command(event.folder.name)}")
        if event.step:
            self._print(f"resumed after step {event.step:,}")
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
        self._lines_logged = self._lines_due(event.step)
        if self._bar is not None:
            self._bar.update(event.step - self._bar.n)

    def _show_step(self, event: StepReport) -> None:
        """Move the bar; without one, print a line if the next of LOG_LINES is due."""
        figures = f"train {bits(event.train_nats):.3f} bits/char, {event.chars_per_s:,.0f} chars/s"
        if self._bar is not None:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(event.step - self._bar.n)
        elif self._lines_due(event.step) > self._lines_logged:
            self._lines_logged = self._lines_due(event.step)
            self._print(f"{self._progress(event.step, event.elapsed_s)} {figures}")

    def _show_eval(self, event: EvalReport) -> None:
        if event.carried:
            return
        progress = self._progress(event.step, event.elapsed_s)
        best = ", best so far" if event.best else ""
        self._print(f"{progress} validation ~{_format_loss(event.val_nats)}{best}")

    def _show_sample(self, event: SampleReport) -> None:
        for line in event.text.strip("\n").splitlines()[:MAX_SAMPLE_LINES]:
            self._print(f"    {''.join(c for c in line if c.isprintable())}")

    def _show_end(self, event: RunFinished) -> None:
        """Show why the run has ended, and what to do next."""
        self.close()
        name = event.model.parent.name
        if event.reason == "already finished":
            self._print(f"{name} is finished already, after step {event.step:,}")
        elif event.reason == "interrupted":
            self._print(f"stopped after step {event.step:,}, everything is saved")
            self._print(f"resume with: charrnn train --resume {shlex.quote(name)}")
        else:
            self._show_steps_made(event)
            self._show_result(event)
            self._show_repeat(event)

    def _show_steps_made(self, event: RunFinished) -> None:
        """Say why the run has made another number of steps than planned, if it has."""
        difference = abs(event.step - self._planned_steps)
        if event.reason == "finished" and difference > NOTEWORTHY_CHANGE * self._planned_steps:
            planned = f"{self._planned_steps:,}"
            how = "faster" if event.step > self._planned_steps else "slower"
            self._print(f"{event.step:,} steps instead of {planned}: this machine became {how}")
        elif event.reason == "deadline":
            self._print(
                "this machine was slower than measured at the start: stopped at the budget, "
                f"after {event.step:,} of {self._steps:,} steps"
            )
        elif event.reason == "no better":
            self._print(
                f"stopped after {event.step:,} of {self._steps:,} steps: validation has not "
                f"improved since step {event.best_step:,}, whose model is kept"
            )

    def _show_repeat(self, event: RunFinished) -> None:
        """Say what repeats a run, about, whose number of steps was changed by its budget.

        Its learning rate fell by a schedule that was bent to the time left, or cut off at its end:
        there are no options for such a one. A run that stopped because it got no better is repeated
        by its plan, to the bit.
        """
        steps = self._steps if event.reason == "no better" else event.step
        if self._plan is not None and (self._is_bent or steps != self._planned_steps):
            plan = replace(self._plan, run=replace(self._plan.run, steps=steps))
            command = plan.command(event.model.parent.name)
            self._print(f"to learn about the same, as the steps changed on the way: {command}")

    def _show_result(self, event: RunFinished) -> None:
        """Say where the model is, what it took and how good it is."""
        rows = [("model", str(event.model)), ("time", format_duration(event.elapsed_s))]
        if event.val_nats is not None:
            loss = _format_loss(event.val_nats)
            rows.append(("validation", f"{loss}, {self._evaluation_manner}"))
        if event.windows_nats is not None:
            loss = _format_loss(event.windows_nats)
            rows.append(("", f"{loss}, windows of {WINDOW}, empty state"))
        rows.append(("write with", f"charrnn sample {shlex.quote(event.model.parent.name)}"))
        print_labelled(self._console, rows)

    def _lines_due(self, step: int) -> int:
        """How many of LOG_LINES a run without a terminal should have written by a step."""
        return step * LOG_LINES // self._steps

    def _progress(self, step: int, elapsed_s: float) -> str:
        """`  1m 15s   500/2,000`: the time that has passed, and the step of how many."""
        width = len(f"{self._steps:,}")
        return f"{format_duration(elapsed_s):>7} {step:>{width},}/{self._steps:,}"

    def _print(self, line: str) -> None:
        """Print a line above the bar, if there is one."""
        if self._bar is not None:
            self._bar.clear()
        self._console.print(line, markup=False, soft_wrap=True)
        if self._bar is not None:
            self._bar.refresh()


class ComparisonDisplay(TrainingDisplay):
    """Shows the events of several runs in turn: a line when each begins, and one when it ends.

    In between there is a bar, or the evaluations where there is no terminal.
    """

    def _show_start(self, event: RunStarted) -> None:
        model = event.plan.model
        self._steps = self._planned_steps = event.plan.run.steps
        self._lines_logged = 0
        self._print(
            f"{architecture(model)}, {model.num_parameters():,} parameters, "
            f"{self._steps:,} steps: {event.folder.name}"
        )
        self._open_bar(event.step)

    def _show_step(self, event: StepReport) -> None:
        if self._bar is not None:
            super()._show_step(event)

    def _show_eval(self, event: EvalReport) -> None:
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
        self._print(f"{format_duration(event.elapsed_s):>7} {event.step:,} steps{loss}")


def _format_loss(nats: float) -> str:
    """`2.053 bits/char (1.4230 nats)`: a loss in nats per character, in both units."""
    return f"{bits(nats):.3f} bits/char ({nats:.4f} nats)"
