"""An engine by its name: chosen once, before the run."""

from charrnn.engines.config import EngineName, Precision
from charrnn.engines.interface import Engine
from charrnn.engines.reference import ReferenceEngine
from charrnn.engines.torch_kernels import TorchEngine


def make_engine(name: EngineName, precision: Precision) -> Engine:
    """Return the engine called `name`; the reference knows no precision but its weights' own."""
    return TorchEngine(precision) if name == "torch" else ReferenceEngine()
