"""The settings of a training run: what a step is, and how the run goes. No torch."""

import re
from dataclasses import MISSING, dataclass
from typing import Literal, NamedTuple

from charrnn.errors import UsageError
from charrnn.model.precision import Precision
from charrnn.options import COUNT, Range, check_options, option
from charrnn.plan.engines import EngineName
from charrnn.quantities import DURATIONS

STOPPING = "When training stops (--budget, --steps or --epochs; 3m if none)"
TRAINING = "Training"
MACHINE = "The machine"
RUN = "The run"

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class StepConfig:
    """What one training step is: the window that it reads, and what computes it."""

    batch_size: int = option(
        16,
        "Streams of the text that are read side by side in a step.",
        TRAINING,
        "B",
        within=Range(1, most=2**20),
    )
    seq_len: int = option(
        64,
        "Characters of each stream in a step's window; the gradient reaches no further back.",
        TRAINING,
        "T",
        within=Range(1, most=2**20),
    )
    reset_prob: float = option(
        0.01,
        "Probability with which a stream begins a window with the zero state, as sampling does.",
        TRAINING,
        "P",
        within=Range(0, most=1),
        default_words="0.01; 1 for irnn",
    )
    seed: int = option(
        0,
        "Seed of the initial weights, of dropout, and of the order in which records are read.",
        TRAINING,
        "N",
        within=Range(0, most=2**63 - 1),
    )
    init_range: float = option(
        0.0,
        "Half-width X of the interval (-X, X) from which every initial parameter is drawn, but for "
        "the biases that a cell sets; 0: as wide as each layer's size asks for.",
        TRAINING,
        "X",
        within=Range(0, below=100),
        default_words="by each layer's size",
    )
    engine: EngineName = option(
        "torch",
        "Code that runs the recurrent layers: our C++ kernels, torch's, or the plain equations.",
        MACHINE,
        default_words="the fastest",
    )
    precision: Precision = option(
        "fp32",
        "Number type of the matrix products in training; auto takes the faster one.",
        MACHINE,
        default_words="auto",
        takes_auto=True,
    )
    device: Device = option(
        "cpu", "Processor that trains.", MACHINE, default_words="cuda if there is one"
    )
    threads: int = option(
        1,
        "CPU threads that train.",
        MACHINE,
        "N",
        within=COUNT,
        default_words="all CPUs, or 1 where more would be slower",
    )

    def __post_init__(self) -> None:
        check_options(self)


class SaveInterval(NamedTuple):
    """How far apart saves are, beside those at each evaluation: so many steps, or so much time."""

    seconds: float
    steps: int | None
    """Steps between two saves; None: `seconds` decide."""

    @classmethod
    def parse(cls, text: str) -> "SaveInterval":
        """The interval that `--save-every` names; raises UsageError if it names none."""
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text)
        number, unit = (float(found[1]), found[2]) if found else (0.0, "")
        if number == 0 or not (unit or number.is_integer()):
            raise UsageError(
                f"`save_every` {text}: must be a time such as 30s or 5m, or a whole number of "
                "steps such as 500"
            )
        return cls(number * DURATIONS[unit], None) if unit else cls(0.0, int(number))


@dataclass(frozen=True)
class RunConfig:
    """How a run goes: how many steps, and after which of them it evaluates, reports and saves."""

    report_every: int
    """Optimizer steps between two reports of the training loss."""
    steps: int = option(
        MISSING,
        "Optimizer steps of the whole run, each on one window of every stream.",
        STOPPING,
        "N",
        within=COUNT,
    )
    eval_every: int = option(
        MISSING,
        "Optimizer steps between two evaluations.",
        TRAINING,
        "N",
        within=COUNT,
        default_words="a tenth of the run",
    )
    eval_chars: int = option(
        MISSING,
        "Characters of the validation text that an evaluation in training reads, about.",
        TRAINING,
        "N",
        within=COUNT,
        default_words="as many as all evaluations together can read in 3 % of the time",
    )
    patience: int = option(
        3,
        "Evaluations in a row without a better model after which training stops; 0: it never does.",
        STOPPING,
        "N",
        within=Range(0, most=10**12),
    )
    save_every: str = option(
        "1m",
        "Time (30s, 5m, 2h) or number of steps between two saves; every evaluation saves, too.",
        RUN,
        "TIME|STEPS",
        check=SaveInterval.parse,
    )

    def __post_init__(self) -> None:
        check_options(self)

    def save_interval(self) -> SaveInterval:
        """`save_every` as numbers."""
        return SaveInterval.parse(self.save_every)
