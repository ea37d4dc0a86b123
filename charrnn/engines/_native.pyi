"""What the compiled module offers; its source is in `charrnn/engines/native`."""

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
