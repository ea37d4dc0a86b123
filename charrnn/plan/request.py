"""What a user asks of a training run, before anything is decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from charrnn.corpus.encoded import SplitConfig
from charrnn.corpus.text import TextConfig
from charrnn.errors import UsageError
from charrnn.model.config import ModelConfig
from charrnn.plan.config import OptimizerConfig, RunConfig, StepConfig, check_run_values
from charrnn.plan.engines import check_cell
from charrnn.plan.presets import PRESET_NAMES, PRESETS, STOPS, PresetName

DEFAULT_BUDGET_S = 180.0

_Config = TypeVar(
    "_Config", ModelConfig, OptimizerConfig, StepConfig, RunConfig, SplitConfig, TextConfig
)


@dataclass(frozen=True)
class TrainingRequest:
    """The options of `charrnn train`; None leaves the choice to the preset, or else to the plan or
    the config's default.

    Raises UsageError for a value out of range or for two that contradict each other, before any
    text is read or torch is imported.
    """

    preset: PresetName | None = None
    """A known net of presets.py, whose values stand where no other option does."""
    init_from: str | None = None
    """A model to start from: a run, a folder or a file."""
    cell: str | None = None
    num_layers: int | None = None
    hidden_size: int | None = None
    embedding_size: int | None = None
    dropout: float | None = None
    weight_drop: float | None = None
    optimizer: str | None = None
    lr: float | None = None
    warmup_steps: int | None = None
    lr_decay: float | None = None
    lr_decay_after: int | None = None
    alpha: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    batch_size: int | None = None
    seq_len: int | None = None
    reset_prob: float | None = None
    budget: float | None = None
    """Seconds of wall time for the whole command."""
    steps: int | None = None
    epochs: float | None = None
    eval_every: int | None = None
    eval_chars: int | None = None
    patience: int | None = None
    save_every: str | None = None
    seed: int | None = None
    init_range: float | None = None
    engine: str | None = None
    precision: str | None = None
    """fp32 or bf16; None (auto) takes what measures faster."""
    device: str | None = None
    threads: int | None = None
    val_frac: float | None = None
    test_frac: float | None = None
    split: str | None = None
    """streams: hold back the end of each stream of a batch, as char-rnn does; tail: the text's."""
    records: str | None = None
    """line: each line is a text of its own."""
    as_bytes: bool | None = None
    encoding: str | None = None
    normalize: str | None = None
    min_count: int | None = None
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None

    def __post_init__(self) -> None:
        given = [name for name in STOPS if getattr(self, name) is not None]
        if len(given) > 1:
            raise UsageError(f"--{given[0]} and --{given[1]} both say when to stop: give one")
        if self.budget is not None and not 1 <= self.budget < 1e9:
            raise UsageError(f"--budget {self.budget:g}s: must be at least 1s")
        if self.epochs is not None and not 0 < self.epochs < 1e9:
            raise UsageError(f"--epochs {self.epochs:g}: must be a positive number")
        if self.preset is not None and self.preset not in PRESET_NAMES:
            names = ", ".join(PRESET_NAMES)
            raise UsageError(f"--preset {self.preset}: choose one of {names}")
        model = self.model_config(vocab_size=2)
        self.optimizer_config()
        self.split_config()
        self.text_config()
        self.step_config()
        check_run_values(self._given(RunConfig))
        check_cell(model.cell, self.engine, self.precision)

    def with_preset(self) -> "TrainingRequest":
        """The same with its preset's values where it says nothing itself, nor when to stop."""
        values = self._preset_options()
        if any(getattr(self, stop) is not None for stop in STOPS):
            values = {name: value for name, value in values.items() if name not in STOPS}
        free = {name: value for name, value in values.items() if getattr(self, name) is None}
        return replace(self, **free)

    def from_preset(self) -> dict[str, Any]:
        """The values that are the preset's, once it is in."""
        return {
            name: value
            for name, value in self._preset_options().items()
            if getattr(self, name) == value
        }

    def _preset_options(self) -> Mapping[str, Any]:
        return {} if self.preset is None else PRESETS[self.preset].options

    def model_config(self, vocab_size: int) -> ModelConfig:
        """The architecture for `vocab_size` symbols."""
        return self._over(ModelConfig(vocab_size=vocab_size))

    def optimizer_config(self) -> OptimizerConfig:
        """The optimizer's settings; a rate that falls by epochs needs no warm-up."""
        warmup_steps = OptimizerConfig.warmup_steps if self.lr_decay is None else 0
        return self._over(OptimizerConfig(warmup_steps=warmup_steps))

    def split_config(self) -> SplitConfig:
        """What of the text is held back."""
        if self.split != "streams":
            return self._over(SplitConfig())
        step = self.step_config()
        return self._over(
            SplitConfig(split="streams", num_streams=step.batch_size, stream_unit=step.seq_len)
        )

    def text_config(self) -> TextConfig:
        """How the text is read."""
        return self._over(TextConfig())

    def step_config(self, chosen: StepConfig | None = None) -> StepConfig:
        """`chosen`, or the defaults, with what was asked for explicitly in its place."""
        return self._over(chosen or StepConfig())

    def run_config(self, chosen: RunConfig) -> RunConfig:
        """`chosen`, with what was asked for explicitly in its place."""
        return self._over(chosen)

    def _over(self, config: _Config) -> _Config:
        return replace(config, **self._given(type(config)))

    def _given(self, config: type[_Config]) -> dict[str, Any]:
        """What was asked for explicitly of the fields of `config`."""
        names = {field.name for field in fields(config)} & {field.name for field in fields(self)}
        return {name: value for name in names if (value := getattr(self, name)) is not None}
