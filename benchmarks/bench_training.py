"""Whole training steps of the native engine and of torch's layers, interleaved in one process.

A step is what a user pays for: embedding, recurrent stack, decoder, cross-entropy, backward,
gradient clipping and fused AdamW. Medians over interleaved repeats; read the ratios, not the
milliseconds. `--allocator` keeps large buffers in the process (glibc), for torch and us alike.
"""

from __future__ import annotations

import argparse
import ctypes
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from charrnn.engines import _native
from charrnn.engines.native_kernels import LayerWeights, NativeEngine, Precision

VOCABULARY = 65


@dataclass(frozen=True)
class Shape:
    """What is trained: cell, layers x hidden, embedding, batch rows, window."""

    cell: str
    layers: int
    hidden: int
    embedding: int
    batch: int
    steps: int

    def __str__(self) -> str:
        return f"{self.cell} {self.layers}x{self.hidden} B{self.batch} T{self.steps}"


SHAPES = [
    Shape("lstm", 2, 128, 64, 50, 50),
    Shape("lstm", 1, 512, 128, 32, 64),
    Shape("lstm", 3, 512, 128, 100, 100),
    Shape("gru", 2, 128, 64, 50, 50),
    Shape("lstm", 2, 256, 128, 64, 128),
    Shape("rnn", 2, 128, 64, 50, 50),
]


def recurrent(shape: Shape) -> nn.RNNBase:
    """Torch's own module of this shape; the native engine trains its parameters."""
    kinds: dict[str, Callable[..., nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    return kinds[shape.cell](shape.embedding, shape.hidden, shape.layers)


class Step:
    """One model and its optimizer; calling it trains for one window and returns the loss."""

    def __init__(self, shape: Shape, engine: NativeEngine | None, autocast: bool = False) -> None:
        torch.manual_seed(0)
        self.shape, self.engine, self.autocast = shape, engine, autocast
        self.embedding = nn.Embedding(VOCABULARY, shape.embedding)
        self.stack = recurrent(shape)
        self.decoder = nn.Linear(shape.hidden, VOCABULARY)
        self.parameters = [
            *self.embedding.parameters(), *self.stack.parameters(), *self.decoder.parameters()
        ]  # fmt: skip
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-3, fused=True)
        states = 2 if shape.cell == "lstm" else 1
        self.state = tuple(
            torch.zeros(shape.layers, shape.batch, shape.hidden) for _ in range(states)
        )

    def hidden(self, ids: Tensor) -> Tensor:
        """Ids (T, B) -> the top layer's outputs (T, B, H)."""
        if self.engine is None:
            lstm = self.shape.cell == "lstm"
            hidden: Tensor
            hidden, state = self.stack(self.embedding(ids), self.state if lstm else self.state[0])
            self.state = tuple(s.detach().float() for s in (state if lstm else (state,)))
            return hidden
        layers = [LayerWeights(*weights) for weights in self.stack.all_weights]
        first = layers[0]
        table = torch.addmm(first.bias_ih, self.embedding.weight, first.weight_ih.T)  # (V, G*H)
        masks = [None] * (self.shape.layers - 1)
        hidden, state = self.engine(self.shape.cell, ids, table, layers, self.state, masks)
        self.state = tuple(s.detach() for s in state)
        return hidden

    def __call__(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Train on one window (T, B); returns its loss."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast and self.engine is None):
            hidden = self.hidden(ids)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            logits = self.decoder(hidden)  # (T, B, V)
        loss = cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return loss.detach()


def milliseconds(steps: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median time of each step, taken in turn for about `seconds` altogether."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    end = time.perf_counter() + seconds
    while len(times[next(iter(steps))]) < 5 or time.perf_counter() < end:
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def product_rate(precision: torch.dtype) -> float:
    """Multiply-adds per second (in units of 1e9) of one large torch product."""
    a, b = torch.randn(2048, 2048).to(precision), torch.randn(2048, 512).to(precision)
    elapsed = milliseconds({"mm": lambda: a @ b}, 0.3)["mm"]
    return 2048 * 2048 * 512 / elapsed / 1e6


def work(shape: Shape) -> float:
    """Multiply-adds of the recurrent stack in one step, in units of 1e9 (input table folded)."""
    gates = {"lstm": 4, "gru": 3}.get(shape.cell, 1)
    products = shape.layers + (shape.layers - 1)
    return 3 * products * shape.steps * shape.batch * gates * shape.hidden**2 / 1e9


def keep_large_buffers() -> None:
    """Tell glibc to reuse large allocations instead of mapping fresh pages every time."""
    libc = ctypes.CDLL(None)
    m_trim_threshold, m_mmap_threshold = -1, -3
    libc.mallopt(m_mmap_threshold, 1 << 30)
    libc.mallopt(m_trim_threshold, (1 << 31) - 1)


def processor() -> str:
    """The name the system gives its processor, and what the kernels use of it."""
    info = Path("/proc/cpuinfo")
    names = [n for n in info.read_text().splitlines() if n.startswith("model name")]
    name = names[0].split(":")[1].strip() if names else platform.processor()
    return f"{name}, {_native.isa()} kernels, {torch.get_num_threads()} threads"


def main() -> None:
    """Print one line per shape."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=6.0, help="per shape")
    arguments.add_argument("--only", default="", help="shapes whose name contains this")
    arguments.add_argument("--native-only", action="store_true", help="skip torch's layers")
    arguments.add_argument("--allocator", action="store_true", help="keep large buffers (glibc)")
    options = arguments.parse_args()
    if options.allocator:
        keep_large_buffers()
    threads = torch.get_num_threads()
    print(f"{processor()}, torch {torch.__version__}, allocator kept: {options.allocator}")
    fp32, bf16 = product_rate(torch.float32), product_rate(torch.bfloat16)
    print(f"a large product reaches {fp32:.0f} (fp32) and {bf16:.0f} (bf16) G multiply-adds/s")
    for shape in SHAPES:
        if options.only not in str(shape):
            continue
        ids = torch.randint(0, VOCABULARY, (shape.steps + 1, shape.batch))
        window, targets = ids[:-1], ids[1:]
        makers: dict[str, Step] = {}
        precisions: tuple[Precision, ...] = ("fp32", "bf16")
        for kind in precisions:
            makers[f"native {kind}"] = Step(shape, NativeEngine(kind, threads), kind == "bf16")
            if not options.native_only:
                makers[f"torch {kind}"] = Step(shape, None, kind == "bf16")
        steps = {name: partial(step, window, targets) for name, step in makers.items()}
        found = milliseconds(steps, options.seconds)
        line = "  ".join(f"{name} {ms:.1f}" for name, ms in found.items())
        rates = f"share of a large product {work(shape) / found['native fp32'] * 1e3 / fp32:.2f}"
        rates += f" {work(shape) / found['native bf16'] * 1e3 / bf16:.2f}"
        if not options.native_only:
            ratios = [found[f"torch {p}"] / found[f"native {p}"] for p in ("fp32", "bf16")]
            rates += f"  ratio fp32 {ratios[0]:.2f} bf16 {ratios[1]:.2f}"
        print(f"{shape!s:26} ms: {line}  {rates}", flush=True)


if __name__ == "__main__":
    main()
