"""Nets that the lectures show, as values of our options; what a preset leaves out is as ever.

**char-rnn** (Karpathy 2015, Lua torch: train.lua and its loader, no option given). Exact in the
net; in its beginning, U(-0.08, 0.08) and 1 for the forget gates' bias on the input's side alone; in
RMSprop and its rate, times 0.97 after each epoch from the 10th on; in the split, the last windows
of each of 50 streams; in carrying the state without end, from a stream's end to its beginning, too;
and in how validation is read. What differs:

- It clips the gradient of a window's sum over time at 5. Our loss is the mean, so 5 / 50 is the
  same here, and whoever changes --seq-len has to change --clip-value with it. To RMSprop a sum is
  as good as a mean, but for the 1e-8 that it adds to the root.
- It saves at every evaluation and leaves the choice to the user; here the best is kept, and is what
  the figure at the end is of. A run that explodes it gives up; ours goes back and halves the rate.
- Its evaluation writes into the buffers that hold the state carried in training; ours does not.

**keras** (Keras 2, examples/lstm_text_generation.py). Exact in the net, in RMSprop's settings and
in windows of 40 that begin with the zero state. What differs:

- It learns from the one character after each window, takes a window at every third place, and
  shuffles them. Here every place in a window is learned from, most with less than 40 characters
  before them, and the windows follow each other: an epoch is one reading of the text.
- It draws Glorot's uniform and orthogonal matrices, ours are in CharRNN; RMSprop adds 1e-7 to the
  root, here 1e-8.
- It reads lower case, holds nothing back and judges by eye; here the text's last tenth judges.

**karpathy-shakespeare** ("The unreasonable effectiveness of recurrent neural networks", 2015). Told
are 3 x 512, RMSprop, all of Shakespeare (4.4 MB) and a few hours. Dropout of 0.5 after each layer
and 100 streams of windows of 100 are told of its neighbour, the essays of Paul Graham. The rest is
char-rnn's own, the clipping at 5 / 100 accordingly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

PresetName = Literal["char-rnn", "keras", "karpathy-shakespeare"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)

STOPS = ("budget", "steps", "epochs")
"""Options of which one decides when a run ends."""
ALL = 10**9
"""More characters than there are: each evaluation reads the whole split."""


@dataclass(frozen=True)
class Preset:
    """A known net."""

    about: str
    """What it is, in a few words."""
    options: Mapping[str, Any]
    """Values by the names of TrainingRequest."""


_UNRESTRAINED = {
    "dropout": 0.0,
    "weight_drop": 0.0,
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "patience": 0,
    "precision": "fp32",
}
_CHAR_RNN = _UNRESTRAINED | {
    "cell": "lstm",
    "num_layers": 2,
    "hidden_size": 128,
    "embedding_size": 0,
    "init_range": 0.08,
    "batch_size": 50,
    "seq_len": 50,
    "reset_prob": 0.0,
    "optimizer": "rmsprop",
    "lr": 2e-3,
    "alpha": 0.95,
    "lr_decay": 0.97,
    "lr_decay_after": 10,
    "warmup_steps": 0,
    "clip_value": 5 / 50,
    "split": "streams",
    "val_frac": 0.05,
    "epochs": 50,
    "eval_every": 1000,
    "eval_chars": ALL,
}
_KERAS = _UNRESTRAINED | {
    "cell": "lstm",
    "num_layers": 1,
    "hidden_size": 128,
    "embedding_size": 0,
    "batch_size": 128,
    "seq_len": 40,
    "reset_prob": 1.0,
    "optimizer": "rmsprop",
    "lr": 0.01,
    "alpha": 0.9,
    "lr_decay": 1.0,
    "warmup_steps": 0,
    "epochs": 60,
}
_KARPATHY_SHAKESPEARE = _CHAR_RNN | {
    "num_layers": 3,
    "hidden_size": 512,
    "dropout": 0.5,
    "batch_size": 100,
    "seq_len": 100,
    "clip_value": 5 / 100,
}
PRESETS: Mapping[PresetName, Preset] = {
    "char-rnn": Preset("Karpathy's program", _CHAR_RNN),
    "keras": Preset("Keras's example", _KERAS),
    "karpathy-shakespeare": Preset("his blog's 3x512", _KARPATHY_SHAKESPEARE),
}
KNOWN = ", ".join(f"{name} ({preset.about})" for name, preset in PRESETS.items())
"""Every preset with what it is, in words."""
