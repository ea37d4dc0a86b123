"""Whole training steps of every engine against torch.nn as a PyTorch user writes it.

    python -m benchmarks.bench_training [--size short] [--only "lstm 1x512"]

A step is forward, backward, clipping and AdamW, on a 64-wide embedding and 65 characters. All take
turns in one process; medians; read the ratios, the milliseconds belong to one machine and moment.
GFLOP/s count the recurrent stack's multiplications and additions; the share is of what a large
product of torch's reaches in the same run. Memory is that of three steps above torch itself, in a
process of its own for each engine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.command_line import make_parser, print_machine, print_table
from benchmarks.fresh_process import in_fresh_process
from benchmarks.shape import Shape
from charrnn.cli.process import prepare_for_training
from charrnn.cpus import usable_cpus


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    shapes: tuple[Shape, ...]
    seconds: float
    """Time for all contestants of a shape together, if five steps of each do not take longer."""
    product: int
    """Rows and columns of the matrices whose product the steps are compared with."""


SHAPES = tuple(
    Shape(cell, *sizes)
    for sizes in (
        (2, 128, 50, 50),
        (1, 384, 16, 64),
        (1, 512, 16, 64),
        (1, 512, 32, 64),
        (1, 1024, 16, 64),
        (2, 256, 64, 128),
        (3, 512, 100, 100),
    )
    for cell in ("lstm", "gru")
)
SIZES = {
    "toy": Size((Shape("gru", 2, 8, 3, 5),), seconds=0.0, product=64),
    "short": Size(SHAPES[:2], seconds=2.0, product=2048),
    "full": Size(SHAPES, seconds=8.0, product=2048),
}


def print_shape(shape: Shape, seconds: float, product_flops: dict[str, float]) -> None:
    """Print a row for each contestant; `product_flops`: of a large product, by precision."""
    from benchmarks.training_steps import COLUMNS, growths_mib, speeds, step_seconds

    def rows() -> Iterator[Sequence[object]]:
        found = step_seconds(shape, "cpu", seconds)
        mib = in_fresh_process(growths_mib, shape)
        for name in found:
            flops = shape.flops() / found[name]
            share = flops / product_flops["bf16" if "bf16" in name else "fp32"]
            yield *speeds(shape, found, name), flops / 1e9, share, mib[name]

    print_table(str(shape), {**COLUMNS, "GFLOP/s": "8.0f", "share": "6.2f", "MiB": "6.0f"}, rows())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each shape."""
    parser = make_parser(__doc__)
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    options = parser.parse_args(arguments)
    size = SIZES[options.size]
    prepare_for_training()
    import torch

    from benchmarks.training_steps import product_flops
    from charrnn.engines.selection import instruction_sets

    torch.set_num_threads(usable_cpus())
    print_machine(
        f"torch {torch.__version__}",
        f"{instruction_sets('native')} kernels",
        f"{usable_cpus()} threads",
    )
    flops = {
        name: product_flops(precision, size.product, min(1.0, size.seconds))
        for name, precision in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    billions = {name: f"{found / 1e9:.0f}" for name, found in flops.items()}
    print(f"a large product: fp32 {billions['fp32']}, bf16 {billions['bf16']} GFLOP/s")
    for shape in size.shapes:
        if options.only in str(shape):
            print_shape(shape, size.seconds, flops)


if __name__ == "__main__":
    main()
