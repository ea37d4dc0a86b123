"""Selecting an engine: which ones this machine can run, and the making of the chosen one."""

from typing import TypeAlias

import torch

from charrnn import native
from charrnn.engines.interface import Engine
from charrnn.engines.reference import ReferenceEngine
from charrnn.engines.torch_kernels import TorchEngine
from charrnn.errors import UsageError
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision
from charrnn.plan.engines import ENGINE_CELLS, EngineName

Kind: TypeAlias = tuple[EngineName, Precision]
"""An engine and the precision that it multiplies in: what a run chooses between."""

MISSING = (
    "the native engine was not built when charrnn was installed; "
    "install a C++ compiler (g++ or clang), and then charrnn once more"
)
"""What the user is told where the native engine is wanted and is not there."""
COST_OF_MISSING = "torch's kernels train a gru 2 to 4 times slower, an lstm up to 1.4 times"
"""What it costs to do without the native engine, by the figures of docs/native-engine.md."""


def check_device(device: str) -> None:
    """Raise UsageError if torch cannot train on `device` here."""
    if device == "cuda" and not torch.cuda.is_available():
        reason = "this torch was built without CUDA" if torch.version.cuda is None else "no GPU"
        raise UsageError(f"`device` cuda: torch finds none here ({reason}); leave it out")


def candidates(device: str, cell: CellName) -> list[Kind]:
    """Every engine and precision that may be the fastest for `cell` on `device`, cpu or cuda.

    Where no engine has a kernel of the cell, that is the reference.
    """
    able = [(name, precision) for name, precision in _fast(device) if cell in ENGINE_CELLS[name]]
    return able or [("reference", "fp32")]


def _fast(device: str) -> list[Kind]:
    """The engines with kernels of their own on `device`, each with the precisions that may pay.

    bf16 is offered where the processor has instructions for it: without, it is only slower.
    """
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
    """The CPU's instruction sets that an engine uses and that its bits depend on, in words.

    They are torch's, and for the native engine first those of our own kernels.
    """
    torch_set = torch.backends.cpu.get_cpu_capability()
    if name != "native" or not native.is_built():
        return torch_set
    from charrnn.native import _native

    return f"{_native.isa()}, {torch_set}"


def make_engine(name: EngineName, precision: Precision, threads: int) -> Engine:
    """Make the engine called `name`; `threads` are the CPU threads of the native engine.

    The reference takes neither: its precision is that of the weights. Raises UsageError for the
    native engine where it was not built.
    """
    if name == "reference":
        return ReferenceEngine()
    if name == "torch":
        return TorchEngine(precision)
    if not native.is_built():
        raise UsageError(f"`engine` native: {MISSING}")
    from charrnn.engines.native_kernels import NativeEngine

    return NativeEngine(precision, threads)
