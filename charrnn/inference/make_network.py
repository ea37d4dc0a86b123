"""Choosing the fastest network that this machine has for a model."""

from charrnn.inference.native_network import NativeNetwork
from charrnn.inference.network import Network
from charrnn.inference.numpy_network import NumpyNetwork
from charrnn.model.cells import CELLS
from charrnn.model.checkpoint import Weights
from charrnn.model.config import ModelConfig
from charrnn.model.precision import SamplingPrecision


def make_network(
    config: ModelConfig,
    weights: Weights,
    precision: SamplingPrecision = "fp32",
    threads: int | None = None,
) -> Network:
    """The fastest network for the model of `config` and `weights`, at `precision`.

    `threads` is how many CPU threads compute; None suits them to the work and the load.
    """
    if "native" not in CELLS[config.cell].kernels:
        return NumpyNetwork(config, weights, precision)
    try:
        return NativeNetwork(config, weights, precision, threads)
    except ImportError:  # the package was installed without a C++ compiler
        return NumpyNetwork(config, weights, precision)
