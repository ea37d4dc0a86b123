"""Options in messages: the rooms below call them as Python does, and a user typed their flags."""

import re
from collections.abc import Mapping

from charrnn.options import declarations, flag
from charrnn.plan.request import TRAINING_CONFIGS
from charrnn.sampling.config import SamplingConfig

ARGUMENTS = ("cells", "corpus", "name", "parameters", "plot", "replace", "resume", "unknown")
"""Arguments of our functions that are flags of commands without being declared options."""
FLAGS: Mapping[str, str] = {name: flag(name) for name in ARGUMENTS} | {
    declared.name: declared.flags[0]
    for config in (*TRAINING_CONFIGS, SamplingConfig)
    for declared in declarations(config)
}
"""The flag of each option and argument, by its name in Python."""


def with_flags(message: str) -> str:
    """`message` with flags in place of names in backticks: `seq_len` becomes --seq-len."""
    return re.sub(r"`(\w+)`", lambda found: FLAGS.get(found[1], found[0]), message)
