"""What a user asks of a training run, before anything is decided."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, Unpack

from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import UsageError
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import MODEL, ModelConfig
from charrnn.options import (
    AUTO,
    Declaration,
    Range,
    check_values,
    declarations,
    inapplicable,
    option,
)
from charrnn.plan.config import STOPPING, RunConfig, StepConfig
from charrnn.plan.engines import check_engine
from charrnn.plan.keywords import TrainingKeywords
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.presets import KNOWN, PRESETS, STOPS, Preset, PresetName

DEFAULT_BUDGET_S = 180.0
"""Seconds of a run for which nothing says when it stops."""

_Config = TypeVar(
    "_Config", ModelConfig, OptimizerConfig, StepConfig, RunConfig, SplitConfig, TextConfig
)


@dataclass(frozen=True)
class PlanInputs:
    """Options that the plan is made from and that are no part of it."""

    budget: float | None = option(
        None,
        "Wall time of the whole command, such as 90s, 5m or 2h.",
        STOPPING,
        "TIME",
        within=Range(1, most=10**9),
        is_duration=True,
    )
    epochs: float | None = option(
        None, "Readings of the training text.", STOPPING, "N", within=Range(above=0, below=1e9)
    )
    preset: PresetName | None = option(
        None, f"Begin with the options of a known net: {KNOWN}.", MODEL, "NAME"
    )
    init_from: str | None = option(
        None,
        "Model to start from, a run, a folder or a file: it goes on learning, from another text.",
        MODEL,
        "MODEL",
    )


TRAINING_CONFIGS = (
    PlanInputs,
    RunConfig,
    ModelConfig,
    StepConfig,
    OptimizerConfig,
    SplitConfig,
    TextConfig,
)
"""The dataclasses that declare the options of training, in the order in which help shows them."""


def training_options() -> Iterator[Declaration]:
    """Every option of training."""
    for config in TRAINING_CONFIGS:
        yield from declarations(config)


@dataclass(frozen=True, init=False)
class TrainingRequest:
    """The options of `charrnn train` that were given; the others are left to the preset, the plan
    or their defaults.

    Raises UsageError for a value out of range, for two that contradict each other and for one that
    others make meaningless, and TypeError for a value of another type or an unknown option, before
    any text is read or torch is imported.
    """

    given: TrainingKeywords

    def __init__(self, **options: Unpack[TrainingKeywords]) -> None:
        object.__setattr__(self, "given", _normalized(options))
        self._check()

    def with_options(self, **options: Any) -> "TrainingRequest":
        """The same request with other values for some options; None takes an option back."""
        return TrainingRequest(**{**self.given, **options})

    def with_preset(self) -> "TrainingRequest":
        """The same with its preset's values where it says nothing itself."""
        return TrainingRequest(**{**self._preset_options(), **self.given})

    def from_preset(self) -> dict[str, Any]:
        """The values that are the preset's, once it is in."""
        values = self._preset().options
        return {name: value for name, value in values.items() if self.given.get(name) == value}

    def _preset(self) -> Preset:
        name = self.given.get("preset")
        return Preset("", {}) if name is None else PRESETS[name]

    def _preset_options(self) -> Mapping[str, Any]:
        """The preset's values, but for those that what was given makes meaningless, and for when to
        stop if that was given.
        """
        values = self._preset().options
        left_out = {declared.name for declared, _ in _inapplicable({**values, **self.given})}
        if self.given.keys() & set(STOPS):
            left_out |= set(STOPS)
        return {name: value for name, value in values.items() if name not in left_out}

    @property
    def cell(self) -> CellName:
        """The cell that is asked for, or the default."""
        return self.given.get("cell") or ModelConfig.cell

    def model_config(self, vocab_size: int) -> ModelConfig:
        """The architecture for `vocab_size` symbols."""
        return self._over(ModelConfig(vocab_size=vocab_size))

    def optimizer_config(self) -> OptimizerConfig:
        """The optimizer's settings; a rate that falls by epochs needs no warm-up."""
        warmup_steps = 0 if "lr_decay" in self.given else OptimizerConfig.warmup_steps
        return self._over(OptimizerConfig(warmup_steps=warmup_steps))

    def split_config(self) -> SplitConfig:
        """What of the text is held back."""
        if self.given.get("split") != "streams":
            return self._over(SplitConfig())
        sizes = self.step_config(StepConfig())
        return self._over(
            SplitConfig(split="streams", num_streams=sizes.batch_size, stream_unit=sizes.seq_len)
        )

    def text_config(self) -> TextConfig:
        """How the text is read."""
        return self._over(TextConfig())

    def step_config(self, chosen: StepConfig) -> StepConfig:
        """`chosen`, with what was asked for explicitly in its place."""
        return self._over(chosen)

    def run_config(self, chosen: RunConfig) -> RunConfig:
        """`chosen`, with what was asked for explicitly in its place."""
        return self._over(chosen)

    def _over(self, config: _Config) -> _Config:
        names = {entry.name for entry in fields(config)} & self.given.keys()
        return replace(config, **{name: self.given[name] for name in names})  # type: ignore[literal-required]

    def _check(self) -> None:
        """Raise UsageError or TypeError; see the class."""
        given = self.given
        stops = [stop for stop in STOPS if stop in given]
        if len(stops) > 1:
            raise UsageError(f"--{stops[0]} and --{stops[1]} both say when to stop: give one")
        check_values(PlanInputs, given)
        check_values(RunConfig, given)
        model = self.model_config(vocab_size=2)
        self.optimizer_config()
        self.text_config()
        self.step_config(StepConfig())
        self.split_config()
        for declared, needed in _inapplicable({**self._preset_options(), **given}):
            raise UsageError(f"{declared.flags[0]} has no meaning without {needed}: leave it out")
        if "reset_prob" in given and given.get("records") is not None:
            raise UsageError("--reset-prob has no meaning with --records: leave it out")
        if given.get("weight_drop") and not CELLS[model.cell].recurrent_shapes(1):
            raise UsageError(f"--weight-drop: --cell {model.cell} has no recurrent weights to drop")
        check_engine(model.cell, given.get("engine"), given.get("precision"), given.get("device"))


def _inapplicable(values: Mapping[str, Any]) -> Iterator[tuple[Declaration, str]]:
    for config in TRAINING_CONFIGS:
        yield from inapplicable(config, values)


def _normalized(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options that are given, without those that are None or left to the plan by `auto`."""
    declared = {each.name: each for each in training_options()}
    given = {}
    for name, value in options.items():
        if name not in declared:
            alike = difflib.get_close_matches(name, declared, n=1)
            meant = f"; did you mean {alike[0]}?" if alike else ""
            raise TypeError(f"no training option is called {name!r}{meant}")
        if value is None or (value == AUTO and declared[name].option.takes_auto):
            continue
        is_list = declared[name].kind is tuple and isinstance(value, list)
        given[name] = tuple(value) if is_list else value
    return given
