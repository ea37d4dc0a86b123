"""charrnn: learn the style of any text and write more of it, one character at a time.

    import charrnn

    model = charrnn.train("shakespeare.txt", budget="90s")
    print("".join(model.generate(prime="ROMEO:")))
    model = charrnn.load("checkpoints/shakespeare")

Importing this package imports neither torch nor numpy; what is used brings in what it needs.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
"""Version of the installed distribution, charrnn-cli, whose build reads it here."""

if TYPE_CHECKING:
    from charrnn.api import compare, evaluate, resume, train
    from charrnn.corpus.vocabulary import Vocabulary
    from charrnn.errors import CharRNNError
    from charrnn.sampling.trained_model import Model, load

__all__ = [
    "CharRNNError",
    "Model",
    "Vocabulary",
    "compare",
    "evaluate",
    "load",
    "resume",
    "train",
]

_HOMES = {
    "CharRNNError": "charrnn.errors",
    "Model": "charrnn.sampling.trained_model",
    "Vocabulary": "charrnn.corpus.vocabulary",
    "load": "charrnn.sampling.trained_model",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'charrnn' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "charrnn.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
