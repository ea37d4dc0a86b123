"""The native engine for torch: our C++ kernels as a differentiable function of a whole layer.

A layer over a window is one call forward and one backward; the stack is composed here. What the
kernels take is in native/_native.pyi, what they do and why in docs/native-engine.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from charrnn.engines.interface import (
    Decoder,
    Experts,
    LayerWeights,
    Masks,
    State,
    input_table,
)
from charrnn.model.cells import CellName
from charrnn.model.precision import Precision
from charrnn.native import _native


class _Layer(torch.autograd.Function):
    """One layer over one window: native forward, native backward.

    Its input is a row of `table` for every id, or `x` times `mask` through `weight_ih` with the
    single row of `table` as the bias.
    """

    @staticmethod
    def forward(
        ctx: Any,
        settings: tuple[CellName, Precision, int, bool],
        ids: Tensor | None,  # (T, B)
        x: Tensor | None,  # (T, B, I)
        mask: Tensor | None,  # (T, B, I)
        table: Tensor,  # (V, G*H)
        weight_ih: Tensor | None,  # (G*H, I)
        weight_hh: Tensor,  # (G*H, H)
        bias_hh: Tensor,  # (G*H,)
        h: Tensor,  # (B, H)
        c: Tensor | None,  # (B, H)
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        cell, precision, threads, save = settings
        source = ids if ids is not None else x
        assert source is not None
        steps, batch = source.shape[:2]
        hidden = h.new_empty(steps, batch, h.shape[-1])  # (T, B, H)
        h_last = torch.empty_like(h)
        c_last = None if c is None else torch.empty_like(c)
        ctx.window = _native.forward(
            cell=cell,
            precision=precision,
            threads=threads,
            save=save,
            table=_plain(table),
            ids=ids,
            x=_plain_or_none(x),
            mask=mask,
            weight_ih=_plain_or_none(weight_ih),
            weight_hh=_plain(weight_hh),
            bias_hh=_plain(bias_hh),
            h_first=_plain(h),
            c_first=_plain_or_none(c),
            out=hidden,
            h_last=h_last,
            c_last=c_last,
        )
        # The window keeps what else backward needs, in buffers of its own: the arrays above may go.
        ctx.threads = threads
        ctx.table_shape = table.shape
        ctx.state_shape, ctx.has_c = h.shape, c is not None
        ctx.input_shape = None if x is None else x.shape
        ctx.input_needs_grad = x is not None and x.requires_grad
        ctx.save_for_backward(ids, mask, weight_ih, weight_hh)
        ctx.set_materialize_grads(False)
        return hidden, h_last, c_last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any, d_hidden: Tensor | None, d_h_last: Tensor | None, d_c_last: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        ids, mask, weight_ih, weight_hh = ctx.saved_tensors
        new = weight_hh.new_empty
        d_table = new(ctx.table_shape)
        d_x = new(ctx.input_shape) if ctx.input_needs_grad else None
        d_weight_ih = None if weight_ih is None else torch.empty_like(weight_ih)
        d_weight_hh, d_bias_hh = torch.empty_like(weight_hh), new(weight_hh.shape[0])
        d_h = new(ctx.state_shape)
        d_c = new(ctx.state_shape) if ctx.has_c else None
        _native.backward(
            window=ctx.window,
            threads=ctx.threads,
            ids=ids,
            mask=mask,
            weight_ih=_plain_or_none(weight_ih),
            weight_hh=_plain(weight_hh),
            d_out=_plain_or_none(d_hidden),
            d_h_last=_plain_or_none(d_h_last),
            d_c_last=_plain_or_none(d_c_last),
            d_table=d_table,
            d_x=d_x,
            d_weight_ih=d_weight_ih,
            d_weight_hh=d_weight_hh,
            d_bias_hh=d_bias_hh,
            d_h_first=d_h,
            d_c_first=d_c,
        )
        return None, None, d_x, None, d_table, d_weight_ih, d_weight_hh, d_bias_hh, d_h, d_c


class _Loss(torch.autograd.Function):
    """The mean nats of targets (N,) decoded from x (N, H) times mask (N, H).

    With `experts`, which say what contexts the rows have, `weight` (V + K, H) has their gates below
    the decoder, and `shares` are theirs, named once more for their gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        settings: tuple[Precision, int],
        x: Tensor,
        mask: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        shares: Tensor | None,  # (K, BUCKETS, CODES)
        experts: Experts | None,
    ) -> Tensor:
        nats = x.new_empty(())
        precision, threads = settings
        ctx.window = _native.loss_forward(
            precision=precision,
            threads=threads,
            x=_plain(x),
            mask=mask,
            weight=_plain(weight),
            bias=_plain(bias),
            targets=targets,
            nats=nats,
            **_contexts(experts),
        )
        ctx.save_for_backward(mask, weight)
        ctx.input_shape, ctx.bias_shape = x.shape, bias.shape
        ctx.shares_shape = None if shares is None else shares.shape
        return nats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_nats: Tensor) -> tuple[Tensor | None, ...]:
        mask, weight = ctx.saved_tensors
        d_x, d_weight = weight.new_empty(ctx.input_shape), torch.empty_like(weight)
        d_bias = weight.new_empty(ctx.bias_shape)
        d_shares = None if ctx.shares_shape is None else weight.new_empty(ctx.shares_shape)
        _native.loss_backward(
            window=ctx.window,
            mask=mask,
            weight=_plain(weight),
            d_x=d_x,
            d_weight=d_weight,
            d_bias=d_bias,
            d_shares=d_shares,
        )
        if d_nats != 1:
            d_x, d_weight, d_bias = d_x * d_nats, d_weight * d_nats, d_bias * d_nats
            d_shares = None if d_shares is None else d_shares * d_nats
        return None, d_x, None, d_weight, d_bias, None, d_shares, None


class NativeEngine:
    """Runs the recurrent stack over a window on our own kernels.

    precision: "bf16" rounds what enters the products (weights, h, gate gradients) and the gates
        kept for backward; sums, the LSTM's cell state and everything handed out stay fp32.
    threads: how many threads one call uses; the result does not depend on it.
    """

    name = "native"

    def __init__(self, precision: Precision, threads: int) -> None:
        self.precision: Precision = precision
        self.threads = threads

    def __call__(
        self,
        cell: CellName,
        ids: Tensor,
        embedding: Tensor | None,
        layers: Sequence[LayerWeights],
        state: State,
        masks: Masks,
    ) -> tuple[Tensor, State]:
        """See Engine."""
        return self.run(cell, ids, input_table(embedding, layers[0]), layers, state, masks)

    def mean_nats(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        decoder: Decoder,
        targets: Tensor,
        experts: Experts | None = None,
    ) -> Tensor:
        """See Engine. One function of our own."""
        weight, bias = decoder
        nats: Tensor = _Loss.apply(  # type: ignore[no-untyped-call]
            (self.precision, self.threads),
            hidden.flatten(0, 1),
            None if mask is None else _plain(mask.flatten(0, 1)),
            _with_gates(weight, experts),
            bias,
            targets.flatten(),
            None if experts is None else experts.shares,
            experts,
        )
        return nats

    def nats(
        self, hidden: Tensor, decoder: Decoder, targets: Tensor, experts: Experts | None = None
    ) -> Tensor:
        """See Engine."""
        weight, bias = decoder
        nats = torch.empty(targets.shape)
        _native.loss_forward(
            precision=self.precision,
            threads=self.threads,
            x=_plain(hidden.flatten(0, 1)),
            mask=None,
            weight=_plain(_with_gates(weight, experts)),
            bias=_plain(bias),
            targets=targets.flatten(),
            nats=torch.empty(()),
            row_nats=nats.view(-1),
            **_contexts(experts),
        )
        return nats

    def run(
        self,
        cell: CellName,
        ids: Tensor,
        table: Tensor,
        layers: Sequence[LayerWeights],
        state: State,
        masks: Sequence[Tensor | None],
    ) -> tuple[Tensor, State]:
        """The stack with its first layer's share of each symbol, `table` (V, G*H), already made.

        weight_ih and bias_ih of the first layer are in the table and not used. A mask may be None.
        """
        ids, table = ids.contiguous(), table.float()  # autocast may have made it bf16
        has_c = len(state) == 2
        save = torch.is_grad_enabled()
        hidden: Tensor | None = None
        final: list[tuple[Tensor, ...]] = []  # of each layer: (B, H), one for each array of state
        for number, weights in enumerate(layers):
            first = number == 0
            mask = None if first or not masks else masks[number - 1]
            weight_hh, bias_hh = weights.recurrent
            hidden, h, c = _Layer.apply(  # type: ignore[no-untyped-call]
                (cell, self.precision, self.threads, save),
                ids if first else None,
                hidden,
                _plain_or_none(mask),
                table if first else weights.bias_ih.unsqueeze(0),
                None if first else weights.weight_ih,
                weight_hh,
                bias_hh,
                state[0][number],
                state[1][number] if has_c else None,
            )
            final.append((h, c) if has_c else (h,))
        assert hidden is not None
        return hidden, tuple(torch.stack(parts) for parts in zip(*final, strict=True))


def _plain(tensor: Tensor) -> Tensor:
    """The same data, contiguous and outside autograd, as the native side takes it."""
    return tensor.detach().contiguous()


def _plain_or_none(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else _plain(tensor)


def _with_gates(weight: Tensor, experts: Experts | None) -> Tensor:
    """The decoder's matrix (V, H) with the gates of experts below it, if any: (V + K, H)."""
    return weight if experts is None else torch.cat([weight, experts.gate])


def _contexts(experts: Experts | None) -> dict[str, Any]:
    """What the native loss is told of the experts."""
    if experts is None:
        return {}
    rows = experts.nodes.shape[0] * experts.nodes.shape[1]
    return {
        "ngrams": experts.table.native,
        "nodes": experts.nodes.reshape(rows, -1),
        "folds": None if experts.folds is None else experts.folds.reshape(rows),
        "shares": _plain(experts.shares),
    }
