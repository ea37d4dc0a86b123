"""Every cell as the plain equations of its paper: the reference that tests hold the engines to.

The one place that knows what a cell is; docs/adding-a-cell.md adds one. A cell's step is a pure
function `(x, state, weights, functions) -> state` that works on numpy arrays and on torch tensors
alike, given that library's functions: sampler, training and tests run the same lines. It reads one
step of B streams in a layer of H units whose input has I numbers:

    x          (B, G*H): the input's share of the cell's G gates, W_ih x_t + b_ih with x_t (B, I),
               computed before the step; for a one-hot x_t the product is a row of W_ih^T, looked up
    state      what is carried from step to step: one array (B, H) for each name in Cell.state
    weights    the parameters named in Cell.recurrent, in that order; as a rule W_hh, weight_hh
               (G*H, H), and b_hh, bias_hh (G*H,), whose G blocks of H rows follow one another as
               the gates do in the equations
    functions  tanh and s of the library that the arrays belong to

It returns the state after the step, whose first array is the layer's output. In the equations `*`
is the elementwise product, s the logistic sigmoid, and h_{t-1} what the state holds before step t.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

Array: TypeAlias = Any
"""A numpy.ndarray or a torch.Tensor: the equations are the same."""
Arrays: TypeAlias = tuple[Array, ...]
"""The state of a cell, each array (B, H), or its weights."""
Shapes: TypeAlias = dict[str, tuple[int, ...]]
"""The shapes of parameters, by name."""
Elementwise: TypeAlias = Callable[[Array], Array]
"""A function of one number that is applied to every element of an array."""


class Functions(NamedTuple):
    """What a cell needs that numpy and torch do not share."""

    tanh: Elementwise
    sigmoid: Elementwise

    @classmethod
    def of(cls, tanh: Elementwise) -> "Functions":
        """The functions of a library that has `tanh` but no sigmoid.

        s(x) = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, in which no x overflows.
        """
        return cls(tanh, lambda x: 0.5 + 0.5 * tanh(0.5 * x))


Step: TypeAlias = Callable[[Array, Arrays, Arrays, Functions], Arrays]
"""A cell's equations: (x, state, weights, functions) -> state, as told at the top of this file."""


@dataclass(frozen=True)
class Cell:
    """What the rest of the program needs to know of a cell."""

    step: Step
    """The cell's equations for one step."""
    gates: int = 1
    """G: blocks of H numbers in x."""
    state: tuple[str, ...] = ("h",)
    """Names of the arrays that are carried from one step to the next; the first one is the layer's
    output."""
    recurrent: Mapping[str, tuple[int, ...]] | None = None
    """Weights of the cell beside weight_ih and bias_ih, by name, with their shapes in units of H.
    None is the rule: weight_hh (G, 1), which means (G*H, H), and bias_hh (G,)."""
    bias: tuple[float, ...] = ()
    """Value that each of the G blocks of bias_ih begins with; blocks that are not named, and those
    with 0, begin as biases do."""
    identity: bool = False
    """Whether weight_hh begins as the identity matrix."""
    input_std: float | None = None
    """Standard deviation of the gaussian that weight_ih is drawn from at first; None: weight_ih is
    drawn as any matrix is."""
    kernels: tuple[Literal["native", "torch"], ...] = ()
    """Engines that have a kernel for the cell, beside the reference, which runs every cell.
    "native" stands for our C++, which then both trains and samples it."""
    period: int = 1
    """Number of steps after which the state begins afresh by itself; 1 where it never does.
    Parallel readings of a text start at multiples of it, or they would never agree."""

    def recurrent_shapes(self, hidden_size: int) -> Shapes:
        """The shapes of the weights that the step takes, by name, in the order it takes them."""
        recurrent = self.recurrent
        if recurrent is None:
            recurrent = {"weight_hh": (self.gates, 1), "bias_hh": (self.gates,)}
        return {
            name: tuple(blocks * hidden_size for blocks in shape)
            for name, shape in recurrent.items()
        }


def rnn(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """The simple recurrent network (Elman 1990, "Finding structure in time").

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    x        (B, H): W_ih x_t + b_ih
    state    h (B, H), the output
    weights  weight_hh (H, H), bias_hh (H,)
    """
    (h,) = state
    weight_hh, bias_hh = weights
    return (functions.tanh(x + h @ weight_hh.T + bias_hh),)


def gru(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """The gated recurrent unit (Cho et al. 2014), with the reset gate after the product.

        r_t = s(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
        z_t = s(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n_t = tanh(W_in x_t + b_in + r_t * (W_hn h_{t-1} + b_hn))
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    x        (B, 3H): W_ih x_t + b_ih for r, z, n
    state    h (B, H), the output
    weights  weight_hh (3H, H), bias_hh (3H,) for r, z, n

    The paper resets h before the product, as gru-cho does; this form, cuDNN's and torch's, lets
    the three products run as one.
    """
    (h,) = state
    weight_hh, bias_hh = weights
    size = h.shape[-1]
    recurrent = h @ weight_hh.T + bias_hh  # (B, 3H)
    r_and_z = functions.sigmoid(x[..., : 2 * size] + recurrent[..., : 2 * size])  # (B, 2H)
    r, z = r_and_z[..., :size], r_and_z[..., size:]
    n = functions.tanh(x[..., 2 * size :] + r * recurrent[..., 2 * size :])
    return (n + z * (h - n),)


def lstm(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000).

        i_t = s(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
        f_t = s(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        o_t = s(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * tanh(c_t)

    x        (B, 4H): W_ih x_t + b_ih for i, f, g, o
    state    h (B, H), the output, and c (B, H)
    weights  weight_hh (4H, H), bias_hh (4H,) for i, f, g, o

    b_if begins at 1: at first the cell remembers (Jozefowicz et al. 2015, "An empirical exploration
    of recurrent network architectures").
    """
    h, c = state
    weight_hh, bias_hh = weights
    size = h.shape[-1]
    gates = x + h @ weight_hh.T + bias_hh  # (B, 4H)
    i_and_f = functions.sigmoid(gates[..., : 2 * size])  # (B, 2H)
    i, f = i_and_f[..., :size], i_and_f[..., size:]
    g = functions.tanh(gates[..., 2 * size : 3 * size])
    o = functions.sigmoid(gates[..., 3 * size :])
    c = f * c + i * g
    return (o * functions.tanh(c), c)


def jordan(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """Jordan's network (Jordan 1986, "Serial order: a parallel distributed processing approach").

        h_t = tanh(W_ih x_t + b_ih + W_hh y_{t-1} + b_hh)
        y_t = tanh(W_hy h_t + b_hy)

    x        (B, H): W_ih x_t + b_ih
    state    y (B, H), the output
    weights  weight_hh (H, H), bias_hh (H,), weight_hy (H, H), bias_hy (H,)

    What returns is the layer's output y, not its hidden units h, which are not carried. Jordan's
    outputs are squashed, and so is y_t: fed back as it is, it could grow without bound.
    """
    (y,) = state
    weight_hh, bias_hh, weight_hy, bias_hy = weights
    h = functions.tanh(x + y @ weight_hh.T + bias_hh)
    return (functions.tanh(h @ weight_hy.T + bias_hy),)


def irnn(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """The IRNN (Le, Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of
    rectified linear units").

        h_t = max(0, W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    x        (B, H): W_ih x_t + b_ih
    state    h (B, H), the output
    weights  weight_hh (H, H), bias_hh (H,)

    W_hh begins as the identity and the biases as zeros: at first the cell adds up what it reads and
    forgets nothing. W_ih begins narrow, with standard deviation 0.001, so that the sum stays small.
    """
    (h,) = state
    weight_hh, bias_hh = weights
    h = x + h @ weight_hh.T + bias_hh
    return (h * (h > 0),)


def gru_simple(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """A GRU without its reset gate: the UGRNN (Collins, Sohl-Dickstein & Sussillo 2016, "Capacity
    and trainability in recurrent neural networks").

        z_t = s(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n_t = tanh(W_in x_t + b_in + W_hn h_{t-1} + b_hn)
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    x        (B, 2H): W_ih x_t + b_ih for z, n
    state    h (B, H), the output
    weights  weight_hh (2H, H), bias_hh (2H,) for z, n
    """
    (h,) = state
    weight_hh, bias_hh = weights
    size = h.shape[-1]
    gates = x + h @ weight_hh.T + bias_hh  # (B, 2H)
    z = functions.sigmoid(gates[..., :size])
    n = functions.tanh(gates[..., size:])
    return (n + z * (h - n),)


def gru_cho(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """The gated recurrent unit with the reset gate before the product (Cho et al. 2014, "Learning
    phrase representations using RNN encoder-decoder"), as most lectures show it.

        r_t = s(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
        z_t = s(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n_t = tanh(W_in x_t + b_in + W_hn (r_t * h_{t-1}) + b_hn)
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    x        (B, 3H): W_ih x_t + b_ih for r, z, n
    state    h (B, H), the output
    weights  weight_hh (2H, H), bias_hh (2H,) for r, z; weight_hn (H, H), bias_hn (H,)

    `gru`, cuDNN's and torch's form, resets after the product. Here W_hn has to wait for r_t, so it
    is a matrix of its own.
    """
    (h,) = state
    weight_hh, bias_hh, weight_hn, bias_hn = weights
    size = h.shape[-1]
    r_and_z = functions.sigmoid(x[..., : 2 * size] + h @ weight_hh.T + bias_hh)  # (B, 2H)
    r, z = r_and_z[..., :size], r_and_z[..., size:]
    n = functions.tanh(x[..., 2 * size :] + (r * h) @ weight_hn.T + bias_hn)
    return (n + z * (h - n),)


BAG = 64
"""Number of characters that `bow` averages before it begins afresh: the default --seq-len."""


def bow(x: Array, state: Arrays, weights: Arrays, functions: Functions) -> Arrays:
    """A bag of characters: the mean of what was read, blind to its order (cf. the bag of words of
    Harris 1954, "Distributional structure"). It is what a recurrent net has to beat.

        n_t = (n_{t-1} mod BAG) + 1
        h_t = ((n_t - 1) * h_{t-1} + W_ih x_t + b_ih) / n_t

    x        (B, H): W_ih x_t + b_ih
    state    h (B, H), the output, and n (B, H), the characters in the mean, the same for all units
    weights  none

    It begins again by itself after BAG characters, so that training, sampling and scoring agree,
    however they cut the text.
    """
    h, n = state
    n = n * (n < BAG)
    return ((h * n + x) / (n + 1), n + 1)


CELLS: Mapping[str, Cell] = {
    "rnn": Cell(rnn, kernels=("native", "torch")),
    "gru": Cell(gru, gates=3, kernels=("native", "torch")),
    "lstm": Cell(
        lstm,
        gates=4,
        state=("h", "c"),
        bias=(0.0, 1.0, 0.0, 0.0),
        kernels=("native", "torch"),
    ),
    "jordan": Cell(
        jordan,
        state=("y",),
        recurrent={"weight_hh": (1, 1), "bias_hh": (1,), "weight_hy": (1, 1), "bias_hy": (1,)},
    ),
    "irnn": Cell(irnn, identity=True, input_std=0.001, kernels=("torch",)),
    "gru-simple": Cell(gru_simple, gates=2),
    "gru-cho": Cell(
        gru_cho,
        gates=3,
        recurrent={"weight_hh": (2, 1), "bias_hh": (2,), "weight_hn": (1, 1), "bias_hn": (1,)},
    ),
    "bow": Cell(bow, state=("h", "n"), recurrent={}, period=BAG),
}
"""Every cell by its name, which is what --cell takes."""

if TYPE_CHECKING:
    CellName: TypeAlias = str
    """The name of a cell in CELLS."""
else:  # the options of the command line take their choices from the Literal
    CellName = Literal[tuple(CELLS)]
