"""What was asked, and the plan made of it: fixed and saved before the first step. No torch.

A plan names every size, so that its `command()` repeats the run on the same machine, bit for bit.
"""

import json
import shlex
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import CharRNNError, RunError
from charrnn.model.config import ModelConfig
from charrnn.options import Declaration, declarations, inapplicable
from charrnn.plan.config import RunConfig, StepConfig
from charrnn.plan.optimizers import OptimizerConfig


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
    step: StepConfig
    run: RunConfig
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
        if self.init is not None:
            words += ["--init-from", self.init.argument]
        configs = (self.corpus.text, self.corpus.splits, self.model, self.optimizer)
        for config in (*configs, self.run, self.step):
            kind: type = type(config)
            meaningless = {declared.name for declared, _ in inapplicable(kind, vars(config))}
            for declared in declarations(kind):
                if declared.name not in meaningless:
                    words += _words(declared, getattr(config, declared.name))
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
            # A plan of an older charrnn has both under one name.
            together = values.pop("training", None) or {**values.pop("step"), **values.pop("run")}
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
                step=StepConfig(**{name: together[name] for name in together if name in _STEP}),
                run=RunConfig(**{name: together[name] for name in together if name not in _STEP}),
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


_STEP = tuple(field.name for field in fields(StepConfig))


def _words(declared: Declaration, value: Any) -> list[str]:
    """One option as it is written on a command line; no words for one that is not given."""
    flag = declared.flags[0]
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    if isinstance(value, tuple):
        return [word for text in value for word in (flag, text)]
    return [flag, str(value)]
