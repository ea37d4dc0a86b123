"""Every cell as the plain equations of its paper: the reference that tests hold the engines to.

A cell is a pure function `(x, state, weight_hh, bias_hh, tanh) -> state`. It works on numpy arrays
and on torch tensors alike, given that library's `tanh`: sampler and tests run the same lines.

    x           (B, G*H)   the input's share of the gates, x_t W_ih^T + b_ih, computed beforehand;
                           for a one-hot x_t the product is a row of W_ih^T: a table lookup
    state       (h,) or (h, c), each (B, H); the new h, first in the returned state, is the output
    weight_hh   (G*H, H)   gate blocks in torch's order
    bias_hh     (G*H,)

`*` is the elementwise product, s the logistic sigmoid.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from charrnn.model.config import CellName

Array: TypeAlias = Any  # numpy.ndarray or torch.Tensor: the equations are the same
State: TypeAlias = tuple[Array, ...]
Tanh: TypeAlias = Callable[[Array], Array]
Cell: TypeAlias = Callable[[Array, State, Array, Array, Tanh], State]


def sigmoid(x: Array, tanh: Tanh) -> Array:
    """s(x) = 1 / (1 + exp(-x)), written with tanh so that no x overflows."""
    return 0.5 + 0.5 * tanh(0.5 * x)


def rnn(x: Array, state: State, weight_hh: Array, bias_hh: Array, tanh: Tanh) -> State:
    """The simple recurrent network (Elman, "Finding structure in time", 1990).

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
    """
    (h,) = state
    return (tanh(x + h @ weight_hh.T + bias_hh),)


def gru(x: Array, state: State, weight_hh: Array, bias_hh: Array, tanh: Tanh) -> State:
    """The gated recurrent unit (Cho et al. 2014), with the reset gate after the product.

        r_t = s(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
        z_t = s(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    The paper resets h before the product; this form, cuDNN's and torch's, lets the three
    products run as one.
    """
    (h,) = state
    size = h.shape[-1]
    recurrent = h @ weight_hh.T + bias_hh  # (B, 3H)
    both = sigmoid(x[..., : 2 * size] + recurrent[..., : 2 * size], tanh)  # (B, 2H)
    r, z = both[..., :size], both[..., size:]
    n = tanh(x[..., 2 * size :] + r * recurrent[..., 2 * size :])
    return (n + z * (h - n),)


def lstm(x: Array, state: State, weight_hh: Array, bias_hh: Array, tanh: Tanh) -> State:
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    i_t = s(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
    f_t = s(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    o_t = s(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)
    """
    h, c = state
    size = h.shape[-1]
    gates = x + h @ weight_hh.T + bias_hh  # (B, 4H)
    i_and_f = sigmoid(gates[..., : 2 * size], tanh)  # (B, 2H)
    i, f = i_and_f[..., :size], i_and_f[..., size:]
    g = tanh(gates[..., 2 * size : 3 * size])
    o = sigmoid(gates[..., 3 * size :], tanh)
    c = f * c + i * g
    return (o * tanh(c), c)


CELLS: dict[CellName, Cell] = {"rnn": rnn, "gru": gru, "lstm": lstm}
