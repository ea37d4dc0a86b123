"""Presets: programs that are taught in lectures, as values of our options.

A preset gives values to options of `charrnn train` that the user leaves out. What a preset does
not name is chosen as always.

**char-rnn** is Karpathy's program of 2015 in Lua torch, its train.lua and its loader, run without
any option. These are the same here: the network; its initial weights, drawn from U(-0.08, 0.08),
with 1 for the forget gates' bias on the input's side alone; RMSprop and its learning rate, which is
multiplied by 0.97 after each epoch from the 10th on; the split, which holds back the last windows
of each of 50 streams; the state, which is carried without end, also from the end of a stream to
its beginning; and how the validation text is read. These differ:

- It clips each element of the gradient at 5, where the loss is the sum over the 50 characters of a
  window. Our loss is their mean, so that 5 / 50 clips the same elements; whoever changes --seq-len
  has to change --clip-value with it. RMSprop makes the same steps of a sum as of a mean, but for
  the 1e-8 that it adds to the root.
- It saves the model at every evaluation and leaves the choice to the user. We keep the best model,
  and the final evaluation is that of the best. It gives up a run whose loss explodes; we go back to
  the last evaluation and halve the learning rate.
- Its evaluation writes into the buffers that hold the state carried in training; ours does not.

**keras** is examples/lstm_text_generation.py of Keras 2. The same here are the network, RMSprop's
settings, and the windows of 40 characters, each of which begins with the zero state. These differ:

- It learns to predict the one character after each window, and takes a window at every third
  character of the text, in random order. We learn to predict every character of a window, most of
  them with fewer than 40 characters before them, and the windows follow each other, so that an
  epoch is one reading of the text.
- It draws its initial weights from Glorot's uniform distribution and as orthogonal matrices; ours
  are described in CharRNN. Its RMSprop adds 1e-7 to the root, ours 1e-8.
- It turns the text into lower case, holds none of it back, and leaves the judgement to the eye. We
  hold back the last tenth of the text and judge by it.

**karpathy-shakespeare** is the network that wrote Shakespeare in "The unreasonable effectiveness of
recurrent neural networks" (Karpathy 2015). The article says of it: 3 layers of 512 units, RMSprop,
all of Shakespeare (4.4 MB), and a few hours of training. Dropout of 0.5 after each layer and 100
streams of windows of 100 characters are what the article says of the network beside it, which
learned the essays of Paul Graham. All else is char-rnn's, with elements of the gradient clipped at
5 / 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

PresetName = Literal["char-rnn", "keras", "karpathy-shakespeare"]
PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)

WHOLE_SPLIT = 10**9
"""A number of characters that no validation split exceeds, so that evaluations read all of it."""


@dataclass(frozen=True)
class Preset:
    """A known program, as values of options."""

    about: str
    """What the program is, in a few words."""
    options: Mapping[str, Any]
    """The values, by the names of the options, which are those of TrainingRequest."""


_WITHOUT_LATER_METHODS = {
    "dropout": 0.0,
    "weight_drop": 0.0,
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "patience": 0,
    "precision": "fp32",
}
"""Values that turn off what none of the programs does unless its own values say so."""
_CHAR_RNN = _WITHOUT_LATER_METHODS | {
    "cell": "lstm",
    "num_layers": 2,
    "ngram_order": 0,
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
    "eval_chars": WHOLE_SPLIT,
}
_KERAS = _WITHOUT_LATER_METHODS | {
    "cell": "lstm",
    "num_layers": 1,
    "ngram_order": 0,
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
    "ngram_order": 0,
    "hidden_size": 512,
    "dropout": 0.5,
    "batch_size": 100,
    "seq_len": 100,
    "clip_value": 5 / 100,
}
PRESETS: Mapping[PresetName, Preset] = {
    "char-rnn": Preset("Karpathy's program of 2015", _CHAR_RNN),
    "keras": Preset("the text generation example of Keras 2", _KERAS),
    "karpathy-shakespeare": Preset(
        "the 3x512 network of Karpathy's article", _KARPATHY_SHAKESPEARE
    ),
}
"""Every preset by its name."""
PRESETS_IN_WORDS = ", ".join(f"{name} ({preset.about})" for name, preset in PRESETS.items())
"""The name of every preset with what it is, for help."""
