"""What a user asks of a training run: the options that were given, before a plan is made."""

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
    check_names,
    check_value,
    declarations,
    inapplicable,
    option,
)
from charrnn.plan.config import STOPPING, RunConfig, StepConfig
from charrnn.plan.engines import check_engine
from charrnn.plan.keywords import TrainingKeywords
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.presets import PRESETS, PRESETS_IN_WORDS, Preset, PresetName

DEFAULT_BUDGET_S = 180.0
"""Seconds that the command takes where no option says when training stops."""
STOPPING_OPTIONS = ("budget", "steps", "epochs")
"""Names of the options that say when training stops: a budget, steps or epochs, or a budget and one
of the others; then whichever comes first stops it."""

_Config = TypeVar(
    "_Config", ModelConfig, OptimizerConfig, StepConfig, RunConfig, SplitConfig, TextConfig
)


@dataclass(frozen=True)
class PlanInputs:
    """Options that a plan is made from without being part of it."""

    budget: float | None = option(
        None,
        "Wall time of the whole command, such as 90s, 5m or 2h. With --steps or --epochs beside "
        "it, training stops at whichever comes first.",
        STOPPING,
        "TIME",
        within=Range(1, most=10**9),
        is_duration=True,
    )
    epochs: float | None = option(
        None,
        "Epochs to train for, each of them one reading of the training text.",
        STOPPING,
        "N",
        within=Range(above=0, below=1e9),
    )
    preset: PresetName | None = option(
        None,
        f"Known program whose settings replace the defaults: {PRESETS_IN_WORDS}.",
        MODEL,
        "NAME",
    )
    init_from: str | None = option(
        None,
        "Model (a run, a folder or a file) whose weights training starts from.",
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
    """The declaration of every option of training, in the order in which help shows them."""
    for config in TRAINING_CONFIGS:
        yield from declarations(config)


@dataclass(frozen=True, init=False)
class TrainingRequest:
    """The options of training that were given.

    The other options get their values from the preset, from the plan, or from their defaults.
    Raises UsageError for a value out of range, for two options that contradict each other and for
    one that others make meaningless; TypeError for a value of another type or an unknown option.
    All of that happens before any text is read or torch is imported.
    """

    given: dict[str, Any]
    """The values that were given, by the names of their options."""

    def __init__(self, **options: Unpack[TrainingKeywords]) -> None:
        object.__setattr__(self, "given", _normalized(options))
        self._check()

    def with_options(self, **options: Any) -> "TrainingRequest":
        """The same request with other values for `options`; None stands for not given."""
        return TrainingRequest(**{**self.given, **options})

    def with_preset(self) -> "TrainingRequest":
        """The same request with the values of its preset for options that were not given."""
        return TrainingRequest(**{**self._preset_options(), **self.given})

    def from_preset(self) -> dict[str, Any]:
        """The values that the request shares with its preset, by the names of their options."""
        values = self._preset().options
        return {name: value for name, value in values.items() if self.given.get(name) == value}

    def _preset(self) -> Preset:
        """The preset that was asked for; one without any values if none was."""
        name = self.given.get("preset")
        return Preset("", {}) if name is None else PRESETS[name]

    def _preset_options(self) -> Mapping[str, Any]:
        """The preset's values, but for those that cannot stand beside what was given.

        Left out are the values of options that the given ones make meaningless, and when to stop if
        that was given.
        """
        values = self._preset().options
        left_out = {declared.name for declared, _ in _inapplicable({**values, **self.given})}
        if self.given.keys() & set(STOPPING_OPTIONS):
            left_out |= set(STOPPING_OPTIONS)
        return {name: value for name, value in values.items() if name not in left_out}

    @property
    def cell(self) -> CellName:
        """Name of the cell that is asked for, or of the default cell."""
        return self.given.get("cell") or ModelConfig.cell

    def model_config(self, vocab_size: int) -> ModelConfig:
        """The architecture for a text with `vocab_size` distinct symbols."""
        return self._over(ModelConfig(vocab_size=vocab_size))

    def optimizer_config(self) -> OptimizerConfig:
        """The settings of the optimizer.

        With --lr-decay the learning rate has no warm-up unless one is asked for.
        """
        warmup_steps = 0 if "lr_decay" in self.given else OptimizerConfig.warmup_steps
        return self._over(OptimizerConfig(warmup_steps=warmup_steps))

    def split_config(self) -> SplitConfig:
        """How much of the text is held back, and where it lies.

        Splits of streams need the sizes of a window, which are those of a step.
        """
        if self.given.get("split") != "streams":
            return self._over(SplitConfig())
        sizes = self.step_config(StepConfig())
        return self._over(
            SplitConfig(split="streams", num_streams=sizes.batch_size, stream_unit=sizes.seq_len)
        )

    def text_config(self) -> TextConfig:
        """How the bytes of the files become symbols."""
        return self._over(TextConfig())

    def step_config(self, chosen: StepConfig) -> StepConfig:
        """`chosen`, with the values that were given in place of its own."""
        return self._over(chosen)

    def run_config(self, chosen: RunConfig) -> RunConfig:
        """`chosen`, with the values that were given in place of its own."""
        return self._over(chosen)

    def _over(self, config: _Config) -> _Config:
        """`config`, with the values that were given in place of its own."""
        names = {entry.name for entry in fields(config)} & self.given.keys()
        return replace(config, **{name: self.given[name] for name in names})

    def _check(self) -> None:
        """Raise UsageError or TypeError for what the class says."""
        given = self.given
        if "steps" in given and "epochs" in given:
            raise UsageError("`steps` and `epochs` both say how much to train: give one of them")
        model = self.model_config(vocab_size=2)
        self.optimizer_config()
        self.text_config()
        self.step_config(StepConfig())
        self.split_config()
        for declared, needed in _inapplicable({**self._preset_options(), **given}):
            raise UsageError(f"`{declared.name}` has no meaning without {needed}: leave it out")
        if "reset_prob" in given and given.get("records") is not None:
            raise UsageError("`reset_prob` has no meaning with `records`: leave it out")
        if given.get("weight_drop") and not CELLS[model.cell].recurrent_shapes(1):
            raise UsageError(f"`weight_drop`: `cell` {model.cell} has no recurrent weights to drop")
        check_engine(model.cell, given.get("engine"), given.get("precision"), given.get("device"))


def _inapplicable(values: Mapping[str, Any]) -> Iterator[tuple[Declaration, str]]:
    """(option, what it needs) for each given option of training that others make meaningless."""
    for config in TRAINING_CONFIGS:
        yield from inapplicable(config, values)


def _normalized(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are given, all but those that are None or `auto`, each of its own kind.

    Raises UsageError or TypeError for a value that is none of the option's, TypeError for an option
    that does not exist.
    """
    declared = {declaration.name: declaration for declaration in training_options()}
    given = {}
    check_names(options, declared, "training")
    for name, value in options.items():
        if value is None or (value == AUTO and declared[name].option.takes_auto):
            continue
        given[name] = check_value(declared[name], value)
    return given
