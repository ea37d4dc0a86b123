"""The loop that writes: read a symbol, look at the logits, choose the next, and so on."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from charrnn.inference import Stepper
from charrnn.sampling.config import ENDLESS, SamplingConfig
from charrnn.vocabulary import Ids


def generate_ids(
    stepper: Stepper, prime: Ids, config: SamplingConfig, record_end: int | None = None
) -> Iterator[int]:
    """Read `prime` (at least one id), then yield ids one at a time, `config.length` of them.

    After the id `record_end`, if there is one, the state is reset: the next record begins.
    """
    random = np.random.Generator(np.random.Philox(config.seed))
    state = stepper.initial_state(1)
    for symbol in prime[:-1]:
        _, state = stepper.step(np.array([symbol]), state)
    last = int(prime[-1])
    for _ in itertools.count() if config.length == ENDLESS else range(config.length):
        if last == record_end:
            state = stepper.initial_state(1)
        logits, state = stepper.step(np.array([last]), state)  # (1, V)
        last = choose(logits[0], config.temperature, random.random())
        yield last


def choose(logits: NDArray[np.float32], temperature: float, uniform: float) -> int:
    """Return an id drawn from softmax(logits / temperature); logits (V,), uniform in [0, 1).

    Temperature 0 returns the id of the highest logit, the first of equals.
    """
    if temperature == 0:
        return int(logits.argmax())
    with np.errstate(over="ignore"):
        scaled = (logits.astype(np.float64) - logits.max()) / temperature
    cumulative = np.cumsum(np.exp(scaled))
    target = min(uniform * cumulative[-1], np.nextafter(cumulative[-1], 0))
    return int(np.searchsorted(cumulative, target, side="right"))
