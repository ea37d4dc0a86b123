"""What the compiled module offers; its source is in `charrnn/native`."""

from typing import Any

Array = Any  # numpy, torch or any other array that speaks DLPack: contiguous, float32 (ids: int64)

class Window:
    """What `forward` keeps for `backward`."""

def forward(
    cell: str,
    precision: str,
    threads: int,
    save: bool,
    table: Array,
    ids: Array | None,
    x: Array | None,
    mask: Array | None,
    weight_ih: Array | None,
    weight_hh: Array,
    bias_hh: Array,
    h_first: Array,
    c_first: Array | None,
    out: Array,
    h_last: Array,
    c_last: Array | None,
) -> Window | None:
    """Run one layer over a window into `out`; the result is for `backward`."""

def backward(
    window: Window,
    threads: int,
    ids: Array | None,
    mask: Array | None,
    weight_ih: Array | None,
    weight_hh: Array,
    d_out: Array | None,
    d_h_last: Array | None,
    d_c_last: Array | None,
    d_table: Array,
    d_x: Array | None,
    d_weight_ih: Array | None,
    d_weight_hh: Array,
    d_bias_hh: Array,
    d_h_first: Array,
    d_c_first: Array | None,
) -> None:
    """Fill the gradients of one layer over the window that `forward` saw."""

def adamw(
    threads: int,
    weights: Array,
    gradients: Array,
    means: Array,
    squares: Array,
    rate: float,
    decay: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    mean_scale: float,
    square_scale: float,
) -> None:
    """Update one parameter and its moments in place."""

def dropout_mask(threads: int, seed: int, dropped: float, mask: Array) -> None:
    """Fill a mask: 0 with probability `dropped`, else 1 / (1 - dropped).

    An entry depends on the seed and its place alone, not on threads or instruction set.
    """

class LossWindow:
    """What `loss_forward` keeps for `loss_backward`."""

def loss_forward(
    precision: str,
    threads: int,
    x: Array,
    mask: Array | None,
    weight: Array,
    bias: Array,
    targets: Array,
    nats: Array,
) -> LossWindow:
    """Write the mean nats of the targets under a linear decoder of x * mask into `nats`."""

def loss_backward(
    window: LossWindow,
    mask: Array | None,
    weight: Array,
    d_x: Array,
    d_weight: Array,
    d_bias: Array,
) -> None:
    """Fill the gradients of the mean that `loss_forward` gave."""

def isa() -> str:
    """Name of the instruction set in use."""

def has_fast_bf16() -> bool:
    """Whether bf16 is faster than fp32 here."""

def available_isas() -> list[str]:
    """Names of all instruction sets that this machine can run, slowest first."""

def cap_isa(name: str) -> None:
    """Use no better instruction set than this one; '' lifts the cap."""

def thread_source() -> str:
    """Whose threads are used: 'openmp' (a team that torch brought) or 'own'."""

def release_memory() -> None:
    """Give buffers kept for the next window back to the system."""

class Automaton:
    """Tables of sampling/automaton.py, checked."""

    def __init__(
        self, symbol_class: Array, next_state: Array, final: Array, distance: Array
    ) -> None: ...

class Sampler:
    """A network packed for sampling and scoring. h (L, B, H) and c are changed in place."""

    threads: int
    """Of each call; the results do not depend on it."""

    def __init__(
        self,
        cell: str,
        precision: str,
        table: Array,
        weight_ih: list[Array],
        bias_ih: list[Array],
        weight_hh: list[Array],
        bias_hh: list[Array],
        decoder: Array,
        decoder_bias: Array,
        kernels: str = "",
    ) -> None:
        """table: (V + 1, G*H); weight_ih and bias_ih: of all layers but the first."""

    def write(
        self,
        h: Array,
        c: Array | None,
        last: Array,
        states: Array,
        ended: Array,
        seed: int,
        streams: Array,
        position: int,
        left: int,
        temperature: float,
        top_k: int,
        top_p: float,
        min_p: float,
        allowed: Array | None,
        automaton: Automaton | None,
        record_end: int,
        out: Array,
    ) -> int:
        """Fill out (n, B), int32, with what B streams write after `last`; return the steps taken.

        last, states (of the automaton) and ended, (B,), int64, int32 and int8, are changed in
        place. Random number `position + n` of stream `streams[b]` under the key `seed` decides.
        left: how many symbols may still be written, by this call and later ones: states that are
        farther from an end are not entered. allowed: (V,), uint8, or None for all. After
        `record_end` (-1: none) a stream goes on from the zero state.
        """

    def read(self, ids: Array, h: Array, c: Array | None, logits: Array | None) -> None:
        """Read ids (T, B); fill logits (B, V) after the last of them."""

    def score(self, ids: Array, targets: Array, h: Array, c: Array | None, nats: Array) -> None:
        """Read ids (T, B); fill nats (T, B), float64, with what targets (T, B) cost."""

    def kernels(self) -> str:
        """Name of the kernels in use."""

def sampler_kernels() -> list[str]:
    """Names of all kernels of Sampler that this machine can run, slowest first."""
