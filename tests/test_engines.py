"""Engines against the reference, forward and gradient; the reference against torch.nn."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from charrnn import native
from charrnn.corpus.vocabulary import Vocabulary
from charrnn.engines import selection
from charrnn.engines.interface import Engine, LayerWeights, input_table
from charrnn.engines.reference import ReferenceEngine
from charrnn.errors import UsageError
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.model.precision import Precision
from charrnn.plan.engines import ENGINE_CELLS, EngineName
from charrnn.training.char_rnn import CharRNN

T, B, V, H, E = 6, 3, 7, 5, 4
MODULES: dict[CellName, Any] = {
    "rnn": nn.RNN,
    "irnn": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


def make_model(cell: CellName, embedding_size: int, layers: int = 2) -> CharRNN:
    config = ModelConfig(V, cell, layers, hidden_size=H, embedding_size=embedding_size)
    model = CharRNN(config, torch.Generator().manual_seed(1))
    with torch.no_grad():  # biases that are not zero
        for parameter in model.parameters():
            generator = torch.Generator().manual_seed(2)
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def ids_and_masks(layers: int = 2) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(4)
    ids = torch.randint(0, V, (T, B), generator=generator)
    masks = [(torch.rand(T, B, H, generator=generator) > 0.4) / 0.6 for _ in range(layers)]
    return ids, masks


def outputs_and_gradients(model: CharRNN, engine: Engine, masks: list[Tensor]) -> list[Tensor]:
    """Logits, final state, and the gradient of every parameter and of the initial state."""
    ids, _ = ids_and_masks()
    generator = torch.Generator().manual_seed(5)
    state = tuple(
        torch.randn(p.shape, generator=generator).to(p.dtype).requires_grad_()
        for p in model.initial_state(B)
    )
    logits, final = model(ids, state, engine, masks)
    loss = (logits * torch.linspace(-1, 1, V)).square().sum() + sum(p.sin().sum() for p in final)
    gradients = torch.autograd.grad(loss, [*model.parameters(), *state])
    return [logits.detach(), *(p.detach() for p in final), *gradients]


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())


PAIRS = [(engine, cell) for engine, cells in ENGINE_CELLS.items() for cell in cells]
FAST = [(engine, cell) for engine, cell in PAIRS if engine != "reference"]


@pytest.mark.parametrize(("engine", "cell"), FAST)
@pytest.mark.parametrize("with_masks", [True, False])
@pytest.mark.parametrize("embedding_size", [0, E])
def test_fast_engines_agree_with_the_reference(
    engine: EngineName, cell: CellName, embedding_size: int, with_masks: bool
) -> None:
    masks = ids_and_masks()[1] if with_masks else []
    model = make_model(cell, embedding_size)
    exact = make_model(cell, embedding_size).double()
    expected = outputs_and_gradients(exact, ReferenceEngine(), masks)
    tolerances: dict[Precision, float] = {"fp32": 1e-5, "bf16": 0.05}
    for precision, tolerance in tolerances.items():
        fast = outputs_and_gradients(model, selection.make_engine(engine, precision, 2), masks)
        for tensor, exact_tensor in zip(fast, expected, strict=True):
            assert tensor.dtype == torch.float32
            assert distance(tensor, exact_tensor) < tolerance


@pytest.mark.parametrize("embedding_size", [0, E])
@pytest.mark.parametrize("cell", ENGINE_CELLS["torch"])
def test_the_parameters_load_into_torchs_own_module(cell: CellName, embedding_size: int) -> None:
    model = make_model(cell, embedding_size)
    options = {"nonlinearity": "relu"} if cell == "irnn" else {}
    module = MODULES[cell](embedding_size or V, H, 2, **options)
    module.load_state_dict(model.rnn.state_dict())
    ids, _ = ids_and_masks()
    x = torch.from_numpy(Vocabulary("abcdefg").one_hot(ids))  # (T, B, V)
    if embedding_size:
        x = x @ model.embedding.get_parameter("weight")
    hidden, _ = module(x)
    expected = hidden @ model.decoder.get_parameter("weight").T
    expected = expected + model.decoder.get_parameter("bias")
    logits, _ = model(ids, model.initial_state(B), ReferenceEngine())
    assert distance(logits.detach(), expected.detach()) < 1e-5


@pytest.mark.parametrize("embedding_size", [0, E])
def test_the_lookup_is_the_one_hot_product(embedding_size: int) -> None:
    model = make_model("gru", embedding_size)
    embedding = model.embedding.get_parameter("weight") if embedding_size else None
    first = model.layers()[0]
    ids, _ = ids_and_masks()
    looked_up = input_table(embedding, first)[ids]  # (T, B, 3H)
    x = torch.from_numpy(Vocabulary("abcdefg").one_hot(ids))
    x = x if embedding is None else x @ embedding
    assert torch.allclose(looked_up, x @ first.weight_ih.T + first.bias_ih, atol=1e-6)


@pytest.mark.parametrize(("name", "cell"), PAIRS)
def test_a_window_in_two_parts_with_the_state_carried_is_the_whole_window(
    name: EngineName, cell: CellName
) -> None:
    model = make_model(cell, E)
    ids, _ = ids_and_masks()
    engine = selection.make_engine(name, "fp32", threads=1)
    whole, end = model(ids, model.initial_state(B), engine)
    first, state = model(ids[:4], model.initial_state(B), engine)
    second, last = model(ids[4:], state, engine)
    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(end, last, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_of_the_whole_stack_agree_with_finite_differences(cell: CellName) -> None:
    model = make_model(cell, E).double()
    ids, masks = ids_and_masks()
    state = model.initial_state(B)
    embedding = model.embedding.get_parameter("weight")
    layers = [(layer.weight_ih, layer.bias_ih, *layer.recurrent) for layer in model.layers()]
    count = len(layers[0])

    def stack(embedding: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        pairs = [
            LayerWeights(weight_ih, bias_ih, tuple(recurrent))
            for weight_ih, bias_ih, *recurrent in (weights[:count], weights[count:])
        ]
        hidden, final = ReferenceEngine()(cell, ids, embedding, pairs, state, masks[:1])
        return hidden, *final

    inputs = (embedding, *layers[0], *layers[1])
    assert len(inputs) == len(list(model.parameters())) - 2  # the decoder's
    assert torch.autograd.gradcheck(stack, inputs, fast_mode=True)


def test_irnn_starts_as_the_identity_with_narrow_inputs_and_no_bias() -> None:
    config = ModelConfig(V, "irnn", 2, hidden_size=40)
    model = CharRNN(config, torch.Generator().manual_seed(0))
    for layer in model.layers():
        weight_hh, bias_hh = layer.recurrent
        assert torch.equal(weight_hh, torch.eye(40))
        assert not torch.cat([layer.bias_ih, bias_hh]).any()
        assert float(layer.weight_ih.detach().std()) == pytest.approx(0.001, rel=0.1)


def test_the_forget_gate_starts_open_and_other_biases_at_zero() -> None:
    config = ModelConfig(V, "lstm", 2, hidden_size=H)
    model = CharRNN(config, torch.Generator().manual_seed(0))
    for layer in model.layers():
        total = (layer.bias_ih + layer.recurrent[1]).detach().numpy()
        np.testing.assert_array_equal(total, np.repeat([0.0, 1.0, 0.0, 0.0], H))


def test_the_same_seed_gives_the_same_weights() -> None:
    first, same, other = (
        CharRNN(ModelConfig(V), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, same.weights()[n]) for n, a in first.weights().items())
    assert not np.array_equal(first.weights()["decoder.weight"], other.weights()["decoder.weight"])


def test_an_install_without_a_compiler_says_so_and_uses_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "is_built", lambda: False)
    assert {engine for engine, _ in selection.candidates("cpu", "gru")} == {"torch"}
    with pytest.raises(UsageError, match="`engine` native: the native engine was not built"):
        selection.make_engine("native", "fp32", 1)


@pytest.mark.parametrize("cell", CELLS)
def test_only_engines_that_know_the_cell_are_offered_and_there_is_always_one(
    cell: CellName,
) -> None:
    offered = selection.candidates("cpu", cell)
    known = {engine for engine, cells in ENGINE_CELLS.items() if cell in cells}
    assert {engine for engine, _ in offered} == (known - {"reference"} or {"reference"})
