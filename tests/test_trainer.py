"""One step after another: what is learned, carried, dropped and resumed."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from charrnn.corpus import source
from charrnn.corpus.contiguous import ContiguousText
from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.reading import read_sources
from charrnn.corpus.split import Split
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.streams import Streams
from charrnn.corpus.text_config import TextConfig
from charrnn.engines.native_kernels import NativeEngine
from charrnn.inference.scoring import score_carried
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.model.precision import PRECISIONS, Precision
from charrnn.plan.config import StepConfig
from charrnn.plan.engines import ENGINE_CELLS, EngineName
from charrnn.plan.optimizers import OPTIMIZERS, OptimizerConfig, OptimizerName
from charrnn.training.dropout import draw_mask
from charrnn.training.torch_scorer import TorchScorer
from charrnn.training.trainer import Trainer

V = 7
MODEL = ModelConfig(V, hidden_size=12, embedding_size=5, num_layers=2, dropout=0.3, weight_drop=0.2)
STEP = StepConfig(batch_size=3, seq_len=11, reset_prob=0.1, seed=5)
STEPS = 40
IDS = np.random.default_rng(0).integers(0, V, 700).astype(np.uint8)
TEXT = ContiguousText(IDS)


def make_trainer(model: ModelConfig = MODEL, **changes: Any) -> Trainer:
    return Trainer(TEXT, model, OptimizerConfig(), replace(STEP, **changes), STEPS)


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


@pytest.mark.parametrize(
    "split", [TEXT, Streams.of(IDS, 3, 11).part(0, 121)], ids=["tail", "streams"]
)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_and_split_is_resumed_bit_for_bit(
    name: OptimizerName, split: Split
) -> None:
    """The steps go on across the end of an epoch, where the rate falls."""
    optimizer = OptimizerConfig(optimizer=name, lr=0.01, lr_decay=0.5, lr_decay_after=1)

    def make(seed: int) -> Trainer:
        return Trainer(split, MODEL, optimizer, replace(STEP, seed=seed, init_range=0.3), STEPS)

    unbroken, first, resumed = make(5), make(5), make(6)
    expected = weights_after(unbroken, 47)
    weights_after(first, 19)
    resumed.load_state(*first.state())
    assert same(weights_after(resumed, 28), expected)
    assert resumed.report() == unbroken.report()
    assert unbroken.epoch > 2
    assert not same(first.model.weights(), expected)


def test_the_rate_falls_after_each_epoch_from_the_one_named_on() -> None:
    optimizer = OptimizerConfig(lr=0.01, lr_decay=0.5, lr_decay_after=2, warmup_steps=0)
    trainer = Trainer(TEXT, MODEL, optimizer, STEP, STEPS)
    rates = []
    for _ in range(4 * 21):  # 699 // 3 // 11 windows in an epoch
        trainer.step()
        rates.append(trainer.report().lr)
    assert rates == [0.01] * 42 + [0.005] * 21 + [0.0025] * 21


def test_parameters_begin_in_the_range_asked_for() -> None:
    model = replace(MODEL, cell="lstm", hidden_size=40)
    weights = make_trainer(model, init_range=0.08).model.weights()
    for layer in (0, 1):
        forget = weights[f"rnn.bias_ih_l{layer}"][40:80]
        assert (forget == 1).all()
        forget[:] = weights[f"rnn.bias_hh_l{layer}"][40:80]
    for name, values in weights.items():
        assert np.abs(values).max() <= 0.08, name
    everything = np.concatenate([values.ravel() for values in weights.values()])
    assert everything.std() == pytest.approx(0.08 / math.sqrt(3), rel=0.02)
    assert len(np.unique(weights["decoder.bias"])) == V


@pytest.mark.slow
@pytest.mark.parametrize("cell", ENGINE_CELLS["native"])
def test_bf16_training_ends_where_fp32_does(cell: CellName) -> None:
    encoded = read_sources([source.locate("stdlib")], TextConfig()).text
    encoded = replace(encoded, ids=encoded.ids[:400_000])
    corpus = EncodedCorpus.from_encoded(encoded, "stdlib", SplitConfig())
    model = ModelConfig(len(corpus.vocabulary), cell, 2, 128, 64, dropout=0.0)
    training = replace(STEP, batch_size=50, seq_len=50, threads=2)
    nats = {}
    for precision in PRECISIONS:
        config = replace(training, engine="native", precision=precision)
        trainer = Trainer(corpus.split("train"), model, OptimizerConfig(lr=2e-3), config, 500)
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
    ids = np.tile(np.array([0, 1, 2, 3, 4, 5, 6, 6, 5, 0, 0, 2], np.uint8), 60)
    pattern = ContiguousText(ids)
    trainer = Trainer(
        pattern, replace(MODEL, dropout=0.0, weight_drop=0.0), OptimizerConfig(lr=0.02), STEP, 300
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
    _, tensors = trainer.state()  # numpy takes no tensor that a gradient flows through
    assert any(tensors["carried.0"].ravel())


def test_weight_drop_silences_its_share_of_the_recurrent_weights_for_a_window() -> None:
    model = replace(MODEL, cell="gru", dropout=0.0, weight_drop=0.25, hidden_size=40)
    trainer = Trainer(TEXT, model, OptimizerConfig(weight_decay=0.0), STEP, STEPS)
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
    config = replace(STEP, engine="reference")
    trainer = Trainer(TEXT, model, OptimizerConfig(weight_decay=0.0), config, STEPS)
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


@pytest.mark.parametrize("native_threads", [0, 1, 3])
@pytest.mark.parametrize("dropout", [0.05, 0.5, 0.9])
def test_a_mask_drops_the_fraction_asked_for_and_keeps_the_mean(
    dropout: float, native_threads: int
) -> None:
    mask = draw_mask((100, 41, 7), dropout, torch.Generator().manual_seed(0), native_threads)
    assert mask.shape == (100, 41, 7)
    levels = dropout if native_threads else round(dropout * 256) / 256
    assert sorted(set(mask.flatten().tolist())) == pytest.approx([0, 1 / (1 - levels)])
    spread = 5 * math.sqrt(levels * (1 - levels) / mask.numel())
    assert float((mask == 0).float().mean()) == pytest.approx(levels, abs=spread)
    assert float(mask.mean()) == pytest.approx(1, abs=spread / (1 - levels))
    columns = mask.flatten(0, 1)
    assert len({tuple(column) for column in columns.T.tolist()}) == 7  # no two units alike
