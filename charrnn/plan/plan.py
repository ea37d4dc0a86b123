"""The plan of a run: everything that it will do, fixed and saved before the first step.

A plan names every size, so that its `command()` repeats the run on the same machine, bit for bit.
"""

import json
import re
import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from charrnn.corpus.marks import Marks
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import RunError
from charrnn.files import atomic
from charrnn.files.formats import PLAN
from charrnn.files.typed_json import LONGEST_REASON, make_record, parse_object
from charrnn.model.config import ModelConfig
from charrnn.options import Declaration, declarations, inapplicable
from charrnn.plan.config import RunConfig, StepConfig
from charrnn.plan.optimizers import OptimizerConfig


@dataclass(frozen=True)
class CorpusPlan:
    """Which text, so that a resumed run can read it again and see that it is the same."""

    name: str
    """The text's name, such as `shakespeare`."""
    arguments: tuple[str, ...]
    """The texts as they were called on the command line."""
    sources: tuple[str, ...]
    """The texts as absolute paths; `stdlib` stays as it is. Empty if any of them came from stdin:
    the ids of the whole text are then kept in the run's folder."""
    text: TextConfig
    """How the text is read."""
    sha256: str
    """SHA-256 of the text as UTF-8, or of the bytes as they are."""
    num_symbols: int
    """Characters of the whole text (bytes in byte mode)."""
    splits: SplitConfig
    """What of the text is held back."""
    marks: Marks | None = None
    """What the text costs without a model; None: an older charrnn made the plan."""

    def gives_name(self, run: str) -> bool:
        """Whether a run on this text is called `run` of itself, such as `notes` or `notes-2`."""
        stems = (run, re.sub(r"-[0-9]+$", "", run))
        return any(f"{self.name}, ".startswith((f"{stem}, ", f"{stem} and ")) for stem in stems)


@dataclass(frozen=True)
class InitialModel:
    """The model that a run starts from."""

    argument: str
    """What the command line calls the model."""
    path: str
    """The absolute path of the model's file."""
    sha256: str
    """SHA-256 of the file."""


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
    """Seconds of wall time for the whole command; None: the number of steps was asked for."""
    final_s: float
    """Seconds that the final evaluation and the last saves should take; kept free at the end."""
    precision_chars: int = 0
    """Characters of the validation split on which each sampling precision is judged, about."""
    most_steps: int | None = None
    """The most steps that a run with a budget may grow to if the machine gets faster on the way;
    None: no budget decides."""
    from_step: int = 0
    """Steps that were done when this plan was made: more than 0 where a run was told to learn on
    beyond the end that its first plan had."""
    reading_steps: int | None = None
    """Steps that read the training text once; None: an older charrnn made the plan."""
    init: InitialModel | None = None
    """The model whose weights the run starts from; None: the weights are drawn."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a value is what it is, in a few words, by the option's name."""

    def command(self, name: str) -> str:
        """The command that repeats this run, which is called `name`.

        A name that the text gives is left out: the repeat gets the next number. One that the user
        gave is kept, and the repeat takes the run's place, as it would else be refused.
        """
        words = ["charrnn", "train", *self.corpus.arguments]
        if not self.corpus.gives_name(name):
            words += ["--name", name, "--replace"]
        if self.init is not None:
            words += ["--init-from", self.init.argument]
        configs = (self.corpus.text, self.corpus.splits, self.model, self.optimizer)
        for config in (*configs, self.run, self.step):
            kind: type = type(config)
            meaningless = {declared.name for declared, _ in inapplicable(kind, vars(config))}
            for declared in declarations(kind):
                value = getattr(config, declared.name)
                is_usual = config is self.corpus.text and value == declared.default
                if declared.name not in meaningless and not is_usual:
                    words += _words(declared, value)
        return shlex.join(words)

    def write(self, path: Path) -> None:
        """Replace `path` by the plan as JSON. Raises OutputError."""
        text = json.dumps({**PLAN.header(), **asdict(self)}, indent=2) + "\n"
        atomic.write_atomically(path, text.encode())

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """The plan in the file `path`.

        Raises RunError if it is missing or damaged, NewerFormatError if a later charrnn wrote it.
        """
        try:
            values = parse_object(path.read_bytes())
            version = PLAN.check(path, values)
            return make_record(cls, _from_version_1(values) if version == 1 else values)
        except OSError as error:
            raise RunError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
        except ValueError as error:
            reason = str(error)[:LONGEST_REASON]
            raise RunError(f"{str(path)!r} is damaged or not a plan: {reason}") from error


def _from_version_1(values: dict[str, Any]) -> dict[str, Any]:
    """The entries of version 2: version 1 has both configs together under `training`."""
    together = values.get("training")
    return {**values, "step": together, "run": together}


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
