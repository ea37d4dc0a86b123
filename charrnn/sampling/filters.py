"""Choosing a symbol from logits: what the native loop does, in numpy.

Sums are float64 and run in a fixed order, so that the last bits of the logits hardly ever matter.
The order of the filters is told in config.py.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn.sampling.config import SamplingConfig


def choose(
    logits: NDArray[np.float32],
    config: SamplingConfig,
    uniform: float,
    allowed: NDArray[Any] | None = None,
) -> int:
    """Return the id that `uniform` in [0, 1) picks from logits (V,), or -1 if none is allowed.

    Ids keep their order on the unit interval. Temperature 0 takes the first of the highest.
    """
    ids = np.arange(len(logits)) if allowed is None else np.flatnonzero(allowed)
    if len(ids) == 0:
        return -1
    if config.temperature == 0:
        return int(ids[logits[ids].argmax()])
    ids = _filtered(logits, ids, config)
    cumulative = np.cumsum(_exponentials(logits[ids], config.temperature))
    target = min(uniform * cumulative[-1], np.nextafter(cumulative[-1], 0))
    return int(ids[np.searchsorted(cumulative, target, side="right")])


def _filtered(
    logits: NDArray[np.float32], ids: NDArray[Any], config: SamplingConfig
) -> NDArray[Any]:
    """The ids that top_k, top_p and min_p leave, in their order."""
    if 0 < config.top_k < len(ids):
        ids = np.sort(_likeliest_first(logits, ids)[: config.top_k])
    if config.top_p < 1:
        total = np.cumsum(_exponentials(logits[ids]))[-1]
        ordered = _likeliest_first(logits, ids)
        sums = np.cumsum(_exponentials(logits[ordered]))
        kept = int(np.searchsorted(sums, config.top_p * total)) + 1
        ids = np.sort(ordered[:kept])
    if config.min_p > 0:
        ids = ids[_exponentials(logits[ids]) >= config.min_p]
    return ids


def _likeliest_first(logits: NDArray[np.float32], ids: NDArray[Any]) -> NDArray[Any]:
    return ids[np.argsort(-logits[ids], kind="stable")]


def _exponentials(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities but for a common factor; the highest is 1."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp((logits.astype(np.float64) - logits.max()) / temperature))
