"""The keywords of charrnn.train and charrnn.compare.

Made from the option declarations by `make generate`; not edited by hand.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict


class TrainingKeywords(TypedDict, total=False):
    """The keywords of charrnn.train and charrnn.compare."""

    budget: float | str | None
    """Wall time of the whole command, such as 90s, 5m or 2h. With --steps or --epochs beside it,
    training stops at whichever comes first. A number is in seconds."""
    epochs: float | None
    """Epochs to train for, each of them one reading of the training text."""
    preset: Literal["char-rnn", "keras", "karpathy-shakespeare"] | None
    """Known program whose settings replace the defaults: char-rnn (Karpathy's program of 2015),
    keras (the text generation example of Keras 2), karpathy-shakespeare (the 3x512 network of
    Karpathy's article)."""
    init_from: str | None
    """Model (a run, a folder or a file) whose weights training starts from."""
    steps: int | str | None
    """Optimizer steps of the whole run, each on one window of every stream."""
    eval_every: int | str | None
    """Optimizer steps between two evaluations. Default: a tenth of the run."""
    eval_chars: int | str | None
    """Characters of the validation text that an evaluation in training reads, about. Default: as
    many as all evaluations together can read in 3 % of the time."""
    patience: int | str | None
    """Evaluations in a row without a better model after which training stops; 0: it never does.
    Default: 3."""
    save_every: str | None
    """Time (30s, 5m, 2h) or number of steps between two saves; every evaluation saves, too.
    Default: 1m."""
    cell: Literal["rnn", "gru", "lstm", "jordan", "irnn", "gru-simple", "gru-cho", "bow"] | None
    """Recurrent cell of every layer. gru applies its reset gate after the recurrent product, as
    cuDNN does, gru-cho before it. Default: gru."""
    num_layers: int | str | None
    """Recurrent layers, each reading the one below. Default: 1."""
    hidden_size: int | str | None
    """Units in each layer. Default: by text and time."""
    embedding_size: int | str | None
    """Width of the learned linear embedding of the one-hot input; 0 feeds the one-hot vectors
    themselves. Default: 64."""
    dropout: float | None
    """Probability with which the output of a unit is left out at a step, between layers and
    before the decoder; in training only. Default: by text and time."""
    weight_drop: float | None
    """Probability with which each recurrent weight is left out for one window, while the others
    are scaled up; in training only (Merity et al. 2018). Default: by text and time."""
    ngram_order: int | str | None
    """Length of the longest contexts of which it is counted what follows them in the text:
    n-gram experts, which share in every prediction; 0: the net alone. Default: by text and
    time."""
    ngram_dropout: float | None
    """Probability with which the n-gram experts are left out of a stream for one window, so that
    the net learns to do without them, too; in training only. Default: by text and time."""
    ngram_size: int | str | None
    """Bytes that the counts of n-grams may take in the model file; what was seen most rarely is
    left out. Default: 16M."""
    ngram_min_count: int | str | None
    """How often a symbol must have followed a context of 6 symbols or more for that to be kept
    in the model file. Default: 1."""
    private: bool | None
    """Keep of no context, however short, what followed it only once in the text."""
    batch_size: int | str | None
    """Streams of the text that are read side by side in a step. Default: 16."""
    seq_len: int | str | None
    """Characters of each stream in a step's window; the gradient reaches no further back.
    Default: 64."""
    reset_prob: float | None
    """Probability with which a stream begins a window with the zero state, as sampling does.
    Default: 0.01; 1 for irnn."""
    seed: int | str | None
    """Seed of the initial weights, of dropout, and of the order in which records are read.
    Default: 0."""
    init_range: float | None
    """Half-width X of the interval (-X, X) from which every initial parameter is drawn, but for
    the biases that a cell sets; 0: as wide as each layer's size asks for. Default: by each
    layer's size."""
    engine: Literal["native", "torch", "reference"] | None
    """Code that runs the recurrent layers: our C++ kernels, torch's, or the plain equations.
    Default: the fastest."""
    precision: Literal["fp32", "bf16", "auto"] | None
    """Number type of the matrix products in training; auto takes the faster one. Default: auto."""
    device: Literal["cpu", "cuda"] | None
    """Processor that trains. Default: cuda if there is one."""
    threads: int | str | None
    """CPU threads that train. Default: all CPUs, or 1 where more would be slower."""
    optimizer: Literal["adamw", "rmsprop", "sgd"] | None
    """Equations that turn gradients into steps: cautious AdamW, RMSprop, or SGD with momentum.
    Default: adamw."""
    lr: float | None
    """Highest learning rate, reached after the warm-up. Default: by text and time."""
    warmup_steps: int | str | None
    """Steps over which the learning rate rises from zero; at most a tenth of the run. Default:
    50."""
    lr_decay: float | None
    """Factor by which the learning rate is multiplied after each epoch from the --lr-decay-
    after-th on, in place of a cosine over the run; 1 keeps the rate as it is. Default: a
    cosine."""
    lr_decay_after: int | str | None
    """First epoch after which the learning rate is multiplied by --lr-decay. Default: 10."""
    alpha: float | None
    """Decay of RMSprop's mean of the squared gradients, per step. Default: 0.95."""
    momentum: float | None
    """Fraction of SGD's last step that is added to the next one. Default: 0.9."""
    weight_decay: float | None
    """Weight decay of every weight matrix, per step and unit of learning rate; biases never
    decay. Default: by text and time."""
    clip_norm: float | None
    """Largest norm of the gradient of all parameters together; a longer gradient is scaled down
    to it. 0: any norm. Default: 1."""
    clip_value: float | None
    """Largest size of an element of the gradient, at which it is cut off after --clip-norm. 0:
    any size. Default: 0."""
    val_frac: float | None
    """Fraction of the text, or of the records, that is held back for validation: the end of the
    text, before the test part. Default: 0.1."""
    test_frac: float | None
    """Fraction of the text, or of the records, that is held back for the test: the very end.
    Default: 0."""
    records: Literal["line"] | None
    """line: each line is a text of its own, such as a name; lines are shuffled before they are
    split. Left out, the text is one whole."""
    split: Literal["tail", "streams"] | None
    """Where the held-back text lies: at the end of the whole text (tail), or at the end of each
    stream of a batch, as in char-rnn (streams). Default: tail."""
    as_bytes: bool | None
    """Learn bytes instead of characters, whatever they mean."""
    encoding: str | None
    """Encoding of the text: any that Python knows, such as latin-1, utf-16 or cp1252. Default:
    utf-8."""
    normalize: Literal["NFC"] | None
    """NFC composes letters and their accents; left out, the text stays as it is."""
    min_count: int | str | None
    """Characters that occur less often than this become U+FFFD, the replacement character.
    Default: 1."""
    include: str | Sequence[str] | None
    """Take only files in folders that match the pattern, such as '*.c'; may be given again."""
    exclude: str | Sequence[str] | None
    """Leave out files and folders in folders that match the pattern; may be given again."""
