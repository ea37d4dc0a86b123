"""What was asked, and the plan made of it: fixed and saved before the first step. No torch.

A plan names every size, so that its `command()` repeats the run on the same machine, bit for bit.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from charrnn.corpus.encoded import SplitConfig
from charrnn.corpus.text import TextConfig
from charrnn.engines.config import check_cell
from charrnn.errors import CharRNNError, RunError, UsageError
from charrnn.model.config import ModelConfig
from charrnn.training.config import OptimizerConfig, TrainingConfig
from charrnn.training.presets import PRESET_NAMES, PRESETS, STOPS, PresetName

DEFAULT_BUDGET_S = 180.0

_ANY = TrainingConfig(steps=1, eval_every=1, eval_chars=1, report_every=1)

_Config = TypeVar("_Config", ModelConfig, OptimizerConfig, TrainingConfig, SplitConfig, TextConfig)


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
        self.training_config(_ANY)
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
        sizes = self.training_config(_ANY)
        return self._over(
            SplitConfig(split="streams", num_streams=sizes.batch_size, stream_unit=sizes.seq_len)
        )

    def text_config(self) -> TextConfig:
        """How the text is read."""
        return self._over(TextConfig())

    def training_config(self, chosen: TrainingConfig) -> TrainingConfig:
        """`chosen`, with what was asked for explicitly in its place."""
        return self._over(chosen)

    def _over(self, config: _Config) -> _Config:
        names = {field.name for field in fields(config)} & {field.name for field in fields(self)}
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(config, **given)


@dataclass(frozen=True)
class CorpusPlan:
    """Which text, so that a resumed run can read it again and see that it is the same."""

    name: str
    arguments: tuple[str, ...]
    """As they stood on the command line."""
    sources: tuple[str, ...]
    """The same as absolute paths; `stdlib` stays as it is. Empty if any of it came from stdin: the
    whole text is then kept in the run's folder."""
    text: TextConfig
    sha256: str
    num_symbols: int
    splits: SplitConfig


@dataclass(frozen=True)
class InitialModel:
    """The model that a run starts from."""

    argument: str
    """As it stood on the command line."""
    path: str
    sha256: str
    """Of the file."""


@dataclass(frozen=True)
class Plan:
    """Everything that the run will do."""

    corpus: CorpusPlan
    model: ModelConfig
    optimizer: OptimizerConfig
    training: TrainingConfig
    final_chars: int
    """Characters of the validation split that the final, exact evaluation reads."""
    budget_s: float | None
    """Wall time for the whole command, where the steps were chosen to fit one."""
    final_s: float
    """Seconds that the final evaluation and the last saves should take; kept free at the end."""
    precision_chars: int = 0
    """Characters of the validation split on which each sampling precision is judged, about."""
    most_steps: int | None = None
    """Where a budget decides: what the run may grow to if the machine gets faster on the way."""
    init: InitialModel | None = None
    """None: the weights are drawn."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a value is what it is, in a few words, by the option's name."""

    def command(self) -> str:
        """The command that repeats this run."""
        words = ["charrnn", "train", *self.corpus.arguments]
        words += _text_words(self.corpus.text)
        if self.init is not None:
            words += ["--init-from", self.init.argument]
        for config in (self.corpus.splits, self.model, self.optimizer, self.training):
            for name, value in asdict(config).items():
                if value is not None and name in TrainingRequest.__dataclass_fields__:
                    words += [f"--{name.replace('_', '-')}", f"{value}"]
        return shlex.join(words)

    def to_json(self) -> str:
        """The plan as JSON text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read a plan back; raises RunError if it is not one."""
        try:
            values: dict[str, Any] = json.loads(text)
            corpus = dict(values.pop("corpus"))
            init = values.pop("init", None)
            return cls(
                corpus=CorpusPlan(
                    splits=SplitConfig(**corpus.pop("splits")),
                    text=TextConfig(**corpus.pop("text")),
                    arguments=tuple(corpus.pop("arguments")),
                    sources=tuple(corpus.pop("sources")),
                    **corpus,
                ),
                model=ModelConfig(**values.pop("model")),
                optimizer=OptimizerConfig(**values.pop("optimizer")),
                training=TrainingConfig(**values.pop("training")),
                init=None if init is None else InitialModel(**init),
                **values,
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            CharRNNError,
        ) as error:
            reason = str(error)[:200]
            raise RunError(f"the run's plan.json cannot be read: {reason}") from error


def _text_words(config: TextConfig) -> list[str]:
    """The options that read a text this way; those that stand by default are left out."""
    words = []
    for name, value in asdict(config).items():
        if name == "as_bytes":
            words += ["--bytes"] if value else []
        elif isinstance(value, tuple):
            words += [word for one in value for word in (f"--{name}", one)]
        elif value != getattr(TextConfig, name):
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    return words
