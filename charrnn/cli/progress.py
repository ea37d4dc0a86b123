"""How training runs look: a bar on a terminal, plain lines elsewhere; all of it on stderr."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.cli.arguments import format_duration
from charrnn.cli.reading import ReadingDisplay
from charrnn.cli.terminal import Color, make_console
from charrnn.corpus.progress import Note, Progress
from charrnn.inference.scoring import WINDOW, bits
from charrnn.plan.plan import Plan
from charrnn.runs.events import (
    EvalReport,
    Event,
    PaceChanged,
    RolledBack,
    RunFinished,
    RunStarted,
    SampleReport,
    StepReport,
)

if TYPE_CHECKING:
    from rich.console import Console
    from tqdm import tqdm

LOG_LINES = 20
"""Progress lines that a whole run writes where there is no terminal."""


class TrainingDisplay:
    """Shows the events of one run."""

    def __init__(self, color: Color) -> None:
        self._console = make_console(sys.stderr, color)
        self._reading = ReadingDisplay()
        self._bar: tqdm[Any] | None = None
        self._steps = self._planned = 0
        self._logged = 0
        self._manner = "state carried"

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Progress() | Note():
                self._reading.show(event)
            case RunStarted():
                self._reading.close()
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
        """Leave the terminal as it was."""
        self._reading.close()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show_start(self, event: RunStarted) -> None:
        plan = event.plan
        self._steps = self._planned = plan.run.steps
        if plan.corpus.splits.records is not None:
            self._manner = "each line by itself"
        for note in event.notes:
            self._print(note)
        _print_grid(self._console, _plan_rows(plan, event.folder))
        _print_grid(self._console, _reason_rows(plan))
        self._console.print(f"repeat with: {plan.command()}", soft_wrap=True, markup=False)
        if event.step:
            self._print(f"resumed after step {event.step:,}")
        self._open_bar(event.step)

    def _open_bar(self, step: int) -> None:
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
        if self._bar is not None:
            self._bar.total = event.steps

    def _show_rollback(self, event: RolledBack) -> None:
        loss = "not a number" if event.train_nats is None else f"{event.train_nats:.3g} nats"
        self._print(
            f"{_at(event.diverged_step, self._steps, event.elapsed_s)} training diverged, the loss "
            f"is {loss}: back to step {event.step:,} with {event.lr_scale:g} of the learning rate"
        )
        self._logged = event.step * LOG_LINES // self._steps
        if self._bar is not None:
            self._bar.update(event.step - self._bar.n)

    def _show_step(self, event: StepReport) -> None:
        figures = f"train {bits(event.train_nats):.3f} bits/char, {event.chars_per_s:,.0f} chars/s"
        if self._bar is not None:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update(event.step - self._bar.n)
        elif event.step * LOG_LINES // self._steps > self._logged:
            self._logged = event.step * LOG_LINES // self._steps
            self._print(f"{_at(event.step, self._steps, event.elapsed_s)} {figures}")

    def _show_eval(self, event: EvalReport) -> None:
        if event.carried:
            return
        best = ", best so far" if event.best else ""
        self._print(
            f"{_at(event.step, self._steps, event.elapsed_s)} "
            f"validation ~{_loss(event.val_nats)}{best}"
        )

    def _show_sample(self, event: SampleReport) -> None:
        for line in event.text.strip("\n").splitlines()[:4]:
            self._print(f"    {''.join(c for c in line if c.isprintable())}")

    def _show_end(self, event: RunFinished) -> None:
        self.close()
        name = event.model.parent.name
        if event.reason == "already finished":
            self._print(f"{name} is finished already, after step {event.step:,}")
            return
        if event.reason == "interrupted":
            self._print(f"stopped after step {event.step:,}, everything is saved")
            self._print(f"resume with: charrnn train --resume {name}")
            return
        if abs(event.step - self._planned) > 0.05 * self._planned and event.reason == "finished":
            how = "faster" if event.step > self._planned else "slower"
            self._print(
                f"{event.step:,} steps instead of {self._planned:,}: this machine became {how}"
            )
        if event.reason == "deadline":
            self._print(
                "this machine was slower than measured at the start: stopped at the budget, "
                f"after {event.step:,} of {self._steps:,} steps"
            )
        if event.reason == "no better":
            self._print(
                f"stopped after {event.step:,} of {self._steps:,} steps: validation has not "
                f"improved since step {event.best_step:,}, whose model is kept"
            )
        rows: list[tuple[str, ...]] = [
            ("model", str(event.model)),
            ("time", format_duration(event.elapsed_s)),
        ]
        if event.val_nats is not None:
            rows.append(("validation", f"{_loss(event.val_nats)}, {self._manner}"))
        if event.windows_nats is not None:
            rows.append(("", f"{_loss(event.windows_nats)}, windows of {WINDOW}, empty state"))
        rows.append(("write with", f"charrnn sample {name} --temp 0.8"))
        _print_grid(self._console, rows)

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        self._console.print(line, markup=False, soft_wrap=True)
        if self._bar is not None:
            self._bar.refresh()


class ComparisonDisplay(TrainingDisplay):
    """Shows the events of several runs in turn: a line when each begins, and one when it ends."""

    def _show_start(self, event: RunStarted) -> None:
        plan = event.plan
        self._steps = self._planned = plan.run.steps
        self._logged = 0
        self._print(
            f"{plan.model.cell} {plan.model.num_layers}x{plan.model.hidden_size}, "
            f"{plan.model.num_parameters():,} parameters, {self._steps:,} steps: "
            f"{event.folder.name}"
        )
        self._open_bar(event.step)

    def _show_step(self, event: StepReport) -> None:
        if self._bar is not None:
            super()._show_step(event)

    def _show_eval(self, event: EvalReport) -> None:
        if self._bar is None:
            super()._show_eval(event)

    def _show_sample(self, event: SampleReport) -> None:
        """Samples are for one who watches a single run."""

    def _show_end(self, event: RunFinished) -> None:
        if event.reason == "interrupted":
            super()._show_end(event)
            return
        self.close()
        loss = "" if event.val_nats is None else f", validation {_loss(event.val_nats)}"
        self._print(f"{format_duration(event.elapsed_s):>7} {event.step:,} steps{loss}")


def _plan_rows(plan: Plan, folder: Path) -> list[tuple[str, ...]]:
    model, step, corpus = plan.model, plan.step, plan.corpus
    unit = "bytes" if corpus.text.as_bytes else "characters"
    rows: list[tuple[str, ...]] = [
        ("run", str(folder)),
        ("text", f"{corpus.name}: {corpus.num_symbols:,} {unit}, {model.vocab_size} distinct"),
        (
            "model",
            f"{model.cell} {model.num_layers}x{model.hidden_size}, "
            f"{model.num_parameters():,} parameters",
        ),
        (
            "training",
            f"{plan.run.steps:,} steps of {_window(plan)}",
        ),
        (
            "engine",
            f"{step.engine} {step.precision} on {step.device}, "
            f"{step.threads} threads, seed {step.seed}",
        ),
    ]
    if plan.budget_s is not None:
        rows.append(("budget", format_duration(plan.budget_s)))
    return rows


def _reason_rows(plan: Plan) -> list[tuple[str, ...]]:
    """Every choice with its reason."""
    values = asdict(plan.model) | asdict(plan.run) | asdict(plan.step)
    values |= asdict(plan.optimizer) | asdict(plan.corpus.splits)
    return [
        (option.replace("_", "-"), f"{values[option]}", reason)
        for option, reason in plan.reasons.items()
    ]


def _window(plan: Plan) -> str:
    """What one step reads; and how often all is read, where that can be told beforehand."""
    step, corpus = plan.step, plan.corpus
    if corpus.splits.records is not None:
        return f"{step.batch_size} lines, {step.seq_len} characters of each at a time"
    read = plan.run.steps * step.batch_size * step.seq_len
    trained_on = corpus.num_symbols * (1 - corpus.splits.val_frac - corpus.splits.test_frac)
    return (
        f"{step.batch_size} streams x {step.seq_len} characters, {read / trained_on:.3g} readings"
    )


def _print_grid(console: "Console", rows: list[tuple[str, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for label, *cells in rows:
        grid.add_row(f"[bold]{label}[/]", *map(escape, cells))
    console.print(grid)


def _at(step: int, steps: int, elapsed_s: float) -> str:
    return f"{format_duration(elapsed_s):>7} {step:>{len(f'{steps:,}')},}/{steps:,}"


def _loss(nats: float) -> str:
    return f"{bits(nats):.3f} bits/char ({nats:.4f} nats)"
