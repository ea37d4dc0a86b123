"""The C++ kernels of training and sampling, in a compiled module that needs no torch.

`charrnn.native._native` is missing where charrnn was installed without a C++ compiler.
"""

from importlib.util import find_spec


def is_built() -> bool:
    """Whether the compiled module was built when charrnn was installed; does not load it."""
    return find_spec("charrnn.native._native") is not None
