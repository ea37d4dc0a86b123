"""What the compiled module offers; its source is the C++ beside this file (docs/native-engine.md).

An array may be of numpy, torch or any other library that speaks DLPack. It must be contiguous, in
the CPU's memory, and of exactly the type and shape that is said; a wrong type is a TypeError, a
wrong shape or value a ValueError that names it.

Shapes: T steps, B batch rows or streams, I inputs, H hidden units, G gates of the cell, V symbols,
L layers, N = T*B rows. No result depends on the number of threads.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats: TypeAlias = NDArray[np.float32] | Tensor
Ids: TypeAlias = NDArray[np.int64] | Tensor

# --- n-grams ---

class NgramTable:
    """What follows the contexts of a text: a table of experts/table.py, whose arrays it keeps.

    In shapes, M is the number of nodes, I of those that may have children, K the length of the
    longest contexts, F the number of folds.
    """

    def __init__(
        self,
        *,
        order: int,
        vocab_size: int,
        symbols: NDArray[np.uint16],
        codes: NDArray[np.uint8],
        first_child: NDArray[np.uint32],
        held_out: NDArray[np.uint8] | None,
    ) -> None:
        """symbols, codes: (M,), first_child: (I + 1,), held_out: (F, M) or None.

        Raises ValueError for children that lie outside of the table or before their parents.
        """

    def walk(
        self,
        *,
        threads: int,
        ids: NDArray[np.int64],
        recent: NDArray[np.int32],
        nodes: NDArray[np.int32],
    ) -> None:
        """Read ids (T, B) after `recent` (1, B, K), which is changed; fill nodes (T, B, K)."""

class NgramCounter:
    """Counts what follows the contexts of a text, in folds; experts/counting.py says what it does.

    In shapes, N is the number of symbols and breaks of the text, and M, I, K and F are as above.
    """

    def __init__(
        self,
        *,
        threads: int,
        symbols: NDArray[np.uint16],
        folds: NDArray[np.uint8],
        vocab_size: int,
        num_folds: int,
        order: int,
    ) -> None:
        """Symbols (N,): an id + 1, or 0 where contexts end. folds (N,): 0 to F - 1, or 255 for a
        symbol that is only read, which no other may precede.
        """

    def sort(self) -> bool:
        """Sort some millions of places more by what follows them; return whether all are sorted."""

    def sorted_share(self) -> float:
        """The share of all places that are sorted, from 0 to 1."""

    def count(
        self, *, least_contexts: list[int], least_continuations: list[int], most: int
    ) -> list[int] | None:
        """The number of nodes of depth 0 to K + 1, once all is sorted; None if they are more than
        `most` together.

        For contexts of 0 to K symbols: how often one must have been seen, and how often what
        continues it, to be kept. Both lists ascend from 1 on.
        """

    def fill(
        self,
        *,
        least_of_code: NDArray[np.int64],
        symbols: NDArray[np.uint16],
        codes: NDArray[np.uint8],
        first_child: NDArray[np.uint32],
        held_out: NDArray[np.uint8],
    ) -> None:
        """Fill the arrays of a table with the nodes that `count` has told of last.

        symbols, codes: (M,), first_child: (I + 1,), held_out: (F, M). least_of_code: (CODES,) of
        experts/codes.py.
        """

# --- training: one recurrent layer over one window ---

class Window:
    """What `forward` keeps for `backward`."""

def forward(
    cell: str,
    precision: Literal["fp32", "bf16"],
    threads: int,
    save: bool,
    table: Floats,
    ids: Ids | None,
    x: Floats | None,
    mask: Floats | None,
    weight_ih: Floats | None,
    weight_hh: Floats,
    bias_hh: Floats,
    h_first: Floats,
    c_first: Floats | None,
    out: Floats,
    h_last: Floats,
    c_last: Floats | None,
) -> Window | None:
    """Run one layer over a window, into `out`, `h_last` and `c_last`.

    The layer's input is either a row of `table` for each of `ids`, or x * mask through weight_ih,
    with the one row of `table` as its bias.

        table     (V, G*H), or (1, G*H) with x; the input's bias is in it
        ids       (T, B), or None with x
        x, mask   (T, B, I); the mask may be None
        weight_ih (G*H, I), weight_hh (G*H, H), bias_hh (G*H,)
        out       (T, B, H): h after every step
        h_first, h_last, and of a cell that has it c_first, c_last: (B, H)

    cell: one of `cells()`. Returns what `backward` needs, or None unless `save`.
    """

def backward(
    window: Window,
    threads: int,
    ids: Ids | None,
    mask: Floats | None,
    weight_ih: Floats | None,
    weight_hh: Floats,
    d_out: Floats | None,
    d_h_last: Floats | None,
    d_c_last: Floats | None,
    d_table: Floats,
    d_x: Floats | None,
    d_weight_ih: Floats | None,
    d_weight_hh: Floats,
    d_bias_hh: Floats,
    d_h_first: Floats,
    d_c_first: Floats | None,
) -> None:
    """Fill the gradients of one layer over the window that `forward` saw.

    ids, mask and weights are those that `forward` was given. d_out, d_h_last and d_c_last come in,
    None for zero; the others go out. Each gradient has the shape of what it is the gradient of;
    d_x may be None if nobody wants it. Raises RuntimeError at a second call for the same window.
    """

# --- training: decoder and loss ---

class LossWindow:
    """What `loss_forward` keeps for `loss_backward`."""

def loss_forward(
    precision: Literal["fp32", "bf16"],
    threads: int,
    x: Floats,
    mask: Floats | None,
    weight: Floats,
    bias: Floats,
    targets: Ids,
    nats: Floats,
    ngrams: NgramTable | None = None,
    nodes: NDArray[np.int32] | None = None,
    folds: NDArray[np.uint8] | None = None,
    shares: Floats | None = None,
    row_nats: Floats | None = None,
) -> LossWindow:
    """Write the mean of -ln p(target) under the softmax of (x * mask) @ weight.T + bias to `nats`.

    x (N, H), mask (N, H) or None, weight (V, H), bias (V,), targets (N,), nats (). A row whose
    target is negative is left out. `row_nats` (N,), if there is one, gets what each target costs.

    With `ngrams` of K lengths, weight is (V + K, H), and its last K rows are the gates; `nodes`
    (N, K) are the contexts of each row, -1 for none, and `folds` (N,) the fold whose counts are
    held out of it; None: of no fold. `shares` (K, 32, 128) is what each count adds to a logit.
    """

def loss_backward(
    window: LossWindow,
    mask: Floats | None,
    weight: Floats,
    d_x: Floats,
    d_weight: Floats,
    d_bias: Floats,
    d_shares: Floats | None = None,
) -> None:
    """Fill d_x (N, H), d_weight (V, H) and d_bias (V,), gradients of what `loss_forward` gave.

    mask and weight are those that `loss_forward` was given. With n-grams d_weight is (V + K, H),
    and d_shares (K, 32, 128) is filled, too.
    """

# --- training: the optimizer's step, and dropout ---

def adamw(
    threads: int,
    weights: Floats,
    gradients: Floats,
    means: Floats,
    squares: Floats,
    rate: float,
    decay: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    mean_scale: float,
    square_scale: float,
) -> None:
    """Update one parameter and its moments in place; the equations are AdamW's of
    training/optimizer.py.

    The four arrays are of any one shape. decay: the fraction that the weights lose in this step.
    mean_scale and square_scale: 1 / (1 - beta^t) after t steps.
    """

def dropout_mask(threads: int, seed: int, dropped: float, mask: Floats) -> None:
    """Fill a mask of any shape: 0 with probability `dropped`, in [0, 1), else 1 / (1 - dropped).

    An entry depends on the seed, of 64 bits, and its place alone, not on the instruction set.
    """

# --- sampling and scoring ---

class Automaton:
    """Which symbols may come next: the tables of sampling/automaton.py, checked."""

    def __init__(
        self,
        *,
        symbol_class: NDArray[np.int32],
        next_state: NDArray[np.int32],
        final: NDArray[np.uint8],
        distance: NDArray[np.int32],
    ) -> None:
        """symbol_class (V,), next_state (S, C), final (S,), distance (S,) of S states."""

class Sampler:
    """A network packed for sampling and scoring.

    Its results are the same to the bit whatever `kernels` and `threads` are, and however many
    streams it works on. h (L, B, H), c of a cell that has it, and recent (1, B, K) of a network
    with experts, which are parts of a State of inference/network.py, are changed in place.
    """

    def __init__(
        self,
        *,
        cell: str,
        precision: Literal["fp32", "bf16", "int8"],
        table: NDArray[np.float32],
        weight_ih: list[NDArray[np.float32]],
        bias_ih: list[NDArray[np.float32]],
        weight_hh: list[NDArray[np.float32]],
        bias_hh: list[NDArray[np.float32]],
        decoder: NDArray[np.float32],
        decoder_bias: NDArray[np.float32],
        ngrams: NgramTable | None,
        gate: NDArray[np.float32] | None,
        shares: NDArray[np.float32] | None,
        kernels: str = "",
    ) -> None:
        """Pack the weights; the arrays are not needed afterwards.

            table                 (V + 1, G*H): each symbol's share of layer 0, with bias_ih;
                                  the last row is the unknown symbol's
            weight_ih, bias_ih    of layers 1 ... L-1: (G*H, H), (G*H,)
            weight_hh, bias_hh    of layers 0 ... L-1: (G*H, H), (G*H,)
            decoder, decoder_bias (V, H), (V,)
            ngrams, gate, shares  of a model with n-gram experts, whose longest contexts have K
                                  symbols: their counts, (K, H), (K, BUCKETS, CODES)

        cell: one of `cells()`. kernels: one of `sampler_kernels()`, or the best.
        """

    def write(
        self,
        *,
        threads: int,
        h: NDArray[np.float32],
        c: NDArray[np.float32] | None,
        recent: NDArray[np.int32] | None,
        last: NDArray[np.int64],
        automaton_state: NDArray[np.int32],
        ended: NDArray[np.int8],
        position: int,
        symbols_left: int,
        record_end: int,
        seed: int,
        temperature: float,
        filters: Mapping[str, float],
        allowed: NDArray[np.uint8] | None,
        automaton: Automaton | None,
        out: NDArray[np.int32],
    ) -> int:
        """Fill out (n, B) with what B streams write after `last`, -1 where one has ended.

        It stops early where all have ended, and returns how many steps it took. last,
        automaton_state and ended, (B,) each, are changed in place, too: they and record_end are
        fields of inference/writer_state.py.

            position      symbols written so far: random number `position + i` of stream b under
                          the key `seed` chooses its i-th symbol
            symbols_left  that each stream may still write, by this call and later ones; states
                          that are farther from an end are not entered
            filters       the parameter of each filter in use, by the names of `filters()`
            allowed       (V,): 0 for what is never chosen; None for all
        """

    def read(
        self,
        *,
        threads: int,
        ids: NDArray[np.int64],
        h: NDArray[np.float32],
        c: NDArray[np.float32] | None,
        recent: NDArray[np.int32] | None,
        logits: NDArray[np.float32] | None,
    ) -> None:
        """Read ids (T, B); fill logits (B, V) after the last of them, unless None."""

    def score(
        self,
        *,
        threads: int,
        ids: NDArray[np.int64],
        targets: NDArray[np.int64],
        h: NDArray[np.float32],
        c: NDArray[np.float32] | None,
        recent: NDArray[np.int32] | None,
        nats: NDArray[np.float64],
    ) -> None:
        """Read ids (T, B); fill nats (T, B) with what targets (T, B) cost."""

    def kernels(self) -> str:
        """Name of the kernels in use."""

def sampler_kernels() -> list[str]:
    """Names of all kernels of Sampler that this machine can run, slowest first."""

def filters() -> list[str]:
    """Names of all filters of Sampler.write, in the order in which they apply."""

# --- the machine ---

def cells() -> list[str]:
    """Names of all cells that have kernels, of training and of sampling."""

def isa() -> str:
    """Name of the instruction set in use."""

def available_isas() -> list[str]:
    """Names of all instruction sets that this machine can run, slowest first."""

def cap_isa(name: str) -> None:
    """Use no better instruction set than this one; '' lifts the cap. CHARRNN_ISA does so too.

    Raises ValueError for a name that does not exist.
    """

def has_fast_bf16() -> bool:
    """Whether training in bf16 is faster than in fp32 here."""

def thread_source() -> Literal["openmp", "own"]:
    """Whose threads are used: those of an OpenMP team that torch brought, or our own."""

def release_memory() -> None:
    """Give buffers that are kept for the next window back to the system."""
