import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.corpus import source
from charrnn.corpus.encoded import EncodedCorpus, SplitConfig
from charrnn.corpus.reading import read_sources
from charrnn.corpus.text import TextConfig
from charrnn.engines.config import ENGINE_CELLS, PRECISIONS, EngineName, Precision
from charrnn.engines.native_kernels import NativeEngine
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.scoring import score_carried
from charrnn.training.config import OptimizerConfig, TrainingConfig
from charrnn.training.dropout import draw_mask
from charrnn.training.evaluation import TorchScorer
from charrnn.training.optimizer import AdamW, Schedule, learning_rate
from charrnn.training.trainer import Trainer

V = 7
MODEL = ModelConfig(V, hidden_size=12, embedding_size=5, num_layers=2, dropout=0.3, weight_drop=0.2)
TRAINING = TrainingConfig(
    steps=40,
    eval_every=10,
    eval_chars=64,
    report_every=5,
    batch_size=3,
    seq_len=11,
    reset_prob=0.1,
    seed=5,
)
IDS = np.random.default_rng(0).integers(0, V, 700).astype(np.uint8)


def make_trainer(model: ModelConfig = MODEL, **changes: Any) -> Trainer:
    return Trainer(IDS, model, OptimizerConfig(), replace(TRAINING, **changes))


def weights_after(trainer: Trainer, steps: int) -> dict[str, np.ndarray]:
    for _ in range(steps):
        trainer.step()
    return trainer.model.weights()


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("cell", "engine", "precision"),
    [
        (cell, engine, precision)
        for engine, cells in ENGINE_CELLS.items()
        for cell in cells
        for precision in (PRECISIONS if engine != "reference" else ("fp32",))
    ],
)
def test_a_resumed_trainer_is_bit_for_bit_an_unbroken_one(
    cell: CellName, engine: EngineName, precision: Precision
) -> None:
    model = replace(MODEL, cell=cell)
    unbroken = make_trainer(model, engine=engine, precision=precision)
    expected = weights_after(unbroken, 31)
    first = make_trainer(model, engine=engine, precision=precision)
    weights_after(first, 13)
    numbers, tensors = first.state()
    resumed = make_trainer(model, engine=engine, precision=precision, seed=99)
    resumed.load_state(numbers, tensors)
    assert same(weights_after(resumed, 18), expected)
    assert resumed.report() == unbroken.report()
    assert resumed.epoch == unbroken.epoch


@pytest.mark.slow
@pytest.mark.parametrize("cell", ENGINE_CELLS["native"])
def test_bf16_training_ends_where_fp32_does(cell: CellName) -> None:
    encoded = read_sources([source.locate("stdlib")], TextConfig()).text
    encoded = replace(encoded, ids=encoded.ids[:400_000])
    corpus = EncodedCorpus.from_encoded(encoded, "stdlib", SplitConfig())
    model = ModelConfig(len(corpus.vocabulary), cell, 2, 128, 64, dropout=0.0)
    training = replace(TRAINING, steps=500, batch_size=50, seq_len=50, threads=2)
    nats = {}
    for precision in PRECISIONS:
        config = replace(training, engine="native", precision=precision)
        trainer = Trainer(corpus.split("train"), model, OptimizerConfig(lr=2e-3), config)
        weights_after(trainer, 500)
        scorer = TorchScorer(trainer.model, NativeEngine("fp32", 2))
        nats[precision] = score_carried(scorer, corpus.split("validation")).nats_per_char
    print(cell, nats)
    assert nats["bf16"] == pytest.approx(nats["fp32"], abs=0.01)


def test_a_state_of_another_shape_is_refused() -> None:
    numbers, tensors = make_trainer().state()
    with pytest.raises(ValueError, match="shape"):
        make_trainer(replace(MODEL, hidden_size=13)).load_state(numbers, tensors)
    del tensors["mean.decoder.bias"]
    with pytest.raises(KeyError):
        make_trainer().load_state(numbers, tensors)


def test_the_seed_decides_the_run() -> None:
    assert same(weights_after(make_trainer(), 9), weights_after(make_trainer(), 9))
    assert not same(weights_after(make_trainer(), 9), weights_after(make_trainer(seed=6), 9))


def test_a_text_with_a_pattern_is_learned() -> None:
    pattern = np.tile(np.array([0, 1, 2, 3, 4, 5, 6, 6, 5, 0, 0, 2], np.uint8), 60)
    config = replace(TRAINING, steps=300)
    trainer = Trainer(
        pattern, replace(MODEL, dropout=0.0, weight_drop=0.0), OptimizerConfig(lr=0.02), config
    )
    trainer.step()
    assert trainer.report().train_nats == pytest.approx(math.log(V), abs=0.5)
    weights_after(trainer, 279)
    trainer.report()
    weights_after(trainer, 20)
    assert trainer.report().train_nats < 0.15


def test_the_state_is_carried_but_no_gradient_is() -> None:
    """One step of two windows in a row is what a hand-written loop over them gives."""
    trainer = make_trainer(replace(MODEL, dropout=0.0, weight_drop=0.0), reset_prob=0.0)
    twin = make_trainer(replace(MODEL, dropout=0.0, weight_drop=0.0), reset_prob=1.0)
    first, other = weights_after(trainer, 1), weights_after(twin, 1)
    assert same(first, other)  # the first window starts from nothing in both
    assert not same(weights_after(trainer, 1), weights_after(twin, 1))
    assert all(not part.requires_grad for part in trainer._carried)


@pytest.mark.parametrize("native_threads", [0, 1, 3])
def test_cautious_adamw_is_its_equations(native_threads: int) -> None:
    config = OptimizerConfig(beta1=0.8, beta2=0.95, weight_decay=0.1, clip_norm=1e9)
    random = np.random.default_rng(1)
    shapes = ((3, 4), (5,), (37, 19))
    values = [random.normal(size=shape) for shape in shapes]
    parameters = [torch.nn.Parameter(torch.tensor(v, dtype=torch.float32)) for v in values]
    optimizer = AdamW(parameters, config, native_threads)
    means, squares = [0 * v for v in values], [0 * v for v in values]
    for step in range(5):
        lr = learning_rate(step, Schedule.of(5, config), config)
        for i, parameter in enumerate(parameters):
            gradient = random.normal(size=shapes[i])
            parameter.grad = torch.tensor(gradient, dtype=torch.float32)
            if len(shapes[i]) == 2:
                values[i] = values[i] - lr * 0.1 * values[i]
            means[i] = 0.8 * means[i] + 0.2 * gradient
            squares[i] = 0.95 * squares[i] + 0.05 * gradient**2
            mean, square = means[i] / (1 - 0.8 ** (step + 1)), squares[i] / (1 - 0.95 ** (step + 1))
            caution = means[i] * gradient > 0
            values[i] = values[i] - lr * caution * mean / (np.sqrt(square) + 1e-8)
        optimizer.step(step, lr)
        for value, parameter in zip(values, parameters, strict=True):
            np.testing.assert_allclose(parameter.detach().numpy(), value, rtol=1e-4, atol=1e-6)
            assert parameter.grad is None


def test_gradients_are_clipped_by_their_common_norm() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(2, 2)), torch.nn.Parameter(torch.zeros(3))]
    optimizer = AdamW(parameters, OptimizerConfig(clip_norm=1.0))
    parameters[0].grad, parameters[1].grad = torch.full((2, 2), 2.0), torch.zeros(3)
    parameters[1].grad[0] = 3.0
    assert float(optimizer.clip()) == pytest.approx(5.0)
    assert parameters[0].grad[1, 1] == pytest.approx(0.4, rel=1e-5)
    assert parameters[1].grad.tolist() == pytest.approx([0.6, 0, 0], rel=1e-5)


def test_weight_drop_silences_its_share_of_the_recurrent_weights_for_a_window() -> None:
    model = replace(MODEL, cell="gru", dropout=0.0, weight_drop=0.25, hidden_size=40)
    trainer = Trainer(IDS, model, OptimizerConfig(weight_decay=0.0), TRAINING)
    before = trainer.model.weights()
    trainer.step()
    after = trainer.model.weights()
    for layer in (0, 1):
        recurrent = f"rnn.weight_hh_l{layer}"
        unchanged = float((before[recurrent] == after[recurrent]).mean())
        assert unchanged == pytest.approx(0.25, abs=0.04)  # no gradient reached these
    trainer.step()
    unchanged = float((before[recurrent] == trainer.model.weights()[recurrent]).mean())
    assert unchanged == pytest.approx(0.25**2, abs=0.02)  # others were dropped this time


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "irnn"])  # may be silent
def test_weight_drop_takes_every_recurrent_matrix_and_nothing_else(cell: CellName) -> None:
    model = replace(MODEL, cell=cell, dropout=0.0, weight_drop=0.25, hidden_size=40)
    config = replace(TRAINING, engine="reference")
    trainer = Trainer(IDS, model, OptimizerConfig(weight_decay=0.0), config)
    before = trainer.model.weights()
    for _ in range(2):  # in the first window nothing carried reaches the first step
        trainer.step()
    after = trainer.model.weights()
    recurrent = CELLS[cell].recurrent_shapes(40)
    for name in after:
        matrix = name.removeprefix("rnn.").removesuffix("_l1")
        if name.endswith("_l1") and after[name].ndim == 2:
            unchanged = float((before[name] == after[name]).mean())
            expected = 0.25**2 if matrix in recurrent else 0.0
            assert unchanged == pytest.approx(expected, abs=0.03), name


@pytest.mark.parametrize("dropout", [0.05, 0.5, 0.9])
def test_a_mask_drops_the_fraction_asked_for_and_keeps_the_mean(dropout: float) -> None:
    mask = draw_mask((100, 41, 7), dropout, torch.Generator().manual_seed(0))
    assert mask.shape == (100, 41, 7)
    levels = round(dropout * 256) / 256
    assert sorted(mask.unique().tolist()) == pytest.approx([0, 1 / (1 - levels)])
    spread = 5 * math.sqrt(levels * (1 - levels) / mask.numel())
    assert float((mask == 0).float().mean()) == pytest.approx(levels, abs=spread)
    assert float(mask.mean()) == pytest.approx(1, abs=spread / (1 - levels))
    columns = mask.flatten(0, 1)
    assert len({tuple(column) for column in columns.T.tolist()}) == 7  # no two units alike
