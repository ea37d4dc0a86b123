"""Choosing a symbol from logits: what the native loop does, in numpy.

Sums are float64 and run in a fixed order, so that the last bits of the logits hardly ever matter.
A filter is a function and a line in FILTERS, here and in native/sampling/filters.h, and a field of
SamplingConfig.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from charrnn.sampling.config import SamplingConfig

Logits: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.intp]
"""Places in an array of logits, in rising order."""


def top_k(logits: Logits, k: float) -> Places:
    """Keep the k likeliest of logits (n,), or all if there are fewer."""
    return np.sort(_likeliest_first(logits)[: int(k)])


def top_p(logits: Logits, p: float) -> Places:
    """Keep the fewest of the likeliest that together have probability p (Holtzman et al. 2020,
    "The curious case of neural text degeneration").
    """
    total = np.cumsum(_exponentials(logits))[-1]
    ordered = _likeliest_first(logits)
    sums = np.cumsum(_exponentials(logits[ordered]))
    kept = int(np.searchsorted(sums, p * total)) + 1
    return np.sort(ordered[:kept])


def min_p(logits: Logits, p: float) -> Places:
    """Keep those that are at least p times as likely as the likeliest."""
    return np.flatnonzero(_exponentials(logits) >= p)


@dataclass(frozen=True)
class Filter:
    """One way to leave symbols out, with one parameter."""

    keep: Callable[[Logits, float], Places]
    """The places of the logits that stay, at least one."""
    off: float
    """The parameter that leaves the filter out."""


FILTERS: Mapping[str, Filter] = {
    "top_k": Filter(top_k, off=0),
    "top_p": Filter(top_p, off=1),
    "min_p": Filter(min_p, off=0),
}
"""Every filter by the name of its parameter in SamplingConfig, in the order in which they apply."""


def active_filters(config: SamplingConfig) -> dict[str, float]:
    """The parameter of each filter that is not left out, in the order in which they apply."""
    parameters = {name: float(getattr(config, name)) for name in FILTERS}
    return {name: value for name, value in parameters.items() if value != FILTERS[name].off}


def choose(
    logits: Logits,
    config: SamplingConfig,
    uniform: float,
    allowed: NDArray[Any] | None = None,
) -> int:
    """Return the id that `uniform` in [0, 1) picks from logits (V,), or -1 if none is allowed.

    allowed: (V,), 0 for symbols that may not be chosen. Ids keep their order on the unit interval.
    Temperature 0 takes the first of the highest.
    """
    ids = np.arange(len(logits)) if allowed is None else np.flatnonzero(allowed)
    if len(ids) == 0:
        return -1
    if config.temperature == 0:
        return int(ids[logits[ids].argmax()])
    for name, parameter in active_filters(config).items():
        ids = ids[FILTERS[name].keep(logits[ids], parameter)]
    cumulative = np.cumsum(_exponentials(logits[ids], config.temperature))
    target = min(uniform * cumulative[-1], np.nextafter(cumulative[-1], 0))
    return int(ids[np.searchsorted(cumulative, target, side="right")])


def _likeliest_first(logits: Logits) -> Places:
    return np.argsort(-logits, kind="stable")


def _exponentials(logits: Logits, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities but for a common factor; the highest is 1."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.exp((logits.astype(np.float64) - logits.max()) / temperature))
