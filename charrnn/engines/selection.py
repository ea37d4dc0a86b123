"""An engine by its name, and which of them this machine can run: chosen once, before the run."""

import torch

from charrnn import native
from charrnn.engines.interface import Engine
from charrnn.engines.reference import ReferenceEngine
from charrnn.engines.torch_kernels import TorchEngine
from charrnn.errors import UsageError
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision
from charrnn.plan.engines import ENGINE_CELLS, EngineName

Kind = tuple[EngineName, Precision]

MISSING = (
    "the native engine was not built when charrnn was installed (it needs a C++ compiler); "
    "torch's kernels are used instead, which train more slowly"
)


def candidates(device: str, cell: CellName) -> list[Kind]:
    """The engines and precisions that may be the fastest on `device`, of those that run `cell`.

    The reference is one where there is no other.
    """
    able = [kind for kind in _fast(device) if cell in ENGINE_CELLS[kind[0]]]
    return able or [("reference", "fp32")]


def _fast(device: str) -> list[Kind]:
    kinds: list[Kind] = [("torch", "fp32")]
    if device == "cuda":
        return [*kinds, ("torch", "bf16")] if torch.cuda.is_bf16_supported() else kinds
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        kinds.append(("torch", "bf16"))
    if native.is_built():
        from charrnn.native import _native

        kinds.append(("native", "fp32"))
        if _native.has_fast_bf16():
            kinds.append(("native", "bf16"))
    return kinds


def instruction_sets(name: EngineName) -> str:
    """What an engine's bits depend on in a CPU: torch's instruction set, and our kernels' own."""
    torchs = torch.backends.cpu.get_cpu_capability()
    if name != "native" or not native.is_built():
        return torchs
    from charrnn.native import _native

    return f"{_native.isa()}, {torchs}"


def make_engine(name: EngineName, precision: Precision, threads: int) -> Engine:
    """Return the engine called `name`; the reference knows no precision but its weights' own.

    Raises UsageError for the native engine where it was not built.
    """
    if name == "reference":
        return ReferenceEngine()
    if name == "torch":
        return TorchEngine(precision)
    if not native.is_built():
        raise UsageError(f"--engine native: {MISSING}")
    from charrnn.engines.native_kernels import NativeEngine

    return NativeEngine(precision, threads)
