"""N-gram experts in training: against written-out counts and equations, on every engine."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from charrnn.corpus.encoded import EncodedCorpus
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.windows import FOLDS
from charrnn.engines.selection import make_engine
from charrnn.experts.codes import COUNT_OF_CODE, bucket_of, code_of
from charrnn.experts.counted_text import CountedText
from charrnn.experts.counting import count
from charrnn.experts.table import Table
from charrnn.inference.held_out import HeldOutNetwork
from charrnn.inference.scoring import evaluate
from charrnn.model.config import ModelConfig
from charrnn.plan.config import StepConfig
from charrnn.plan.engines import EngineName
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.training.char_rnn import CharRNN
from charrnn.training.torch_scorer import TorchScorer
from charrnn.training.trainer import Trainer

ENGINES: list[EngineName] = ["reference", "torch", "native"]
ORDER, HIDDEN, BATCH, STEPS = 3, 13, 4, 7


def text_of(length: int, symbols: int, seed: int = 0) -> str:
    """A text that repeats itself often, so that its contexts have been seen before."""
    random = np.random.default_rng(seed)
    words = ["".join(chr(97 + s) for s in random.integers(0, symbols, n)) for n in (2, 3, 5, 4)]
    text = ""
    while len(text) < length:
        text += words[random.integers(len(words))]
    return text[:length]


def corpus_of(text: str, **splits: object) -> EncodedCorpus:
    return EncodedCorpus.from_text(text, "t", SplitConfig(**splits))  # type: ignore[arg-type]


def model_and_table(
    corpus: EncodedCorpus, order: int = ORDER, **options: object
) -> tuple[ModelConfig, Table]:
    config = ModelConfig(
        vocab_size=len(corpus.vocabulary),
        hidden_size=HIDDEN,
        embedding_size=5,
        dropout=0.0,
        ngram_order=order,
        **options,  # type: ignore[arg-type]
    )
    text = CountedText.of(corpus.split("train"), config.vocab_size)
    return config, count(text, config.ngram_rule)[0]


def random_model(config: ModelConfig, table: Table | None) -> CharRNN:
    """A model whose experts' parameters are drawn, too."""
    generator = torch.Generator().manual_seed(3)
    model = CharRNN(config, generator, table=table)
    with torch.no_grad():
        for parameter in model.expert_parameters().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model


def window(corpus: EncodedCorpus) -> tuple[torch.Tensor, torch.Tensor, NDArray[np.uint8]]:
    """(ids, targets, folds) of a window in the middle of the training text."""
    windows = corpus.split("train").training_windows(BATCH, STEPS, 0)
    windows.position = 2
    part = windows.next()
    assert part.folds is not None
    return torch.from_numpy(part.inputs), torch.from_numpy(part.targets), part.folds


@pytest.mark.parametrize("engine", ENGINES)
def test_the_logits_are_the_decoders_and_what_counting_says(engine: EngineName) -> None:
    text = text_of(400, 4)
    corpus = corpus_of(text)
    config, table = model_and_table(corpus)
    model = random_model(config, table)
    train = text[: len(corpus.split("train"))]
    ids, targets, folds = window(corpus)
    length = (len(train) - 1) // BATCH
    alone = random_model(ModelConfig(**{**vars(config), "ngram_order": 0}), None)
    alone.load_weights({k: v for k, v in model.weights().items() if not k.startswith("experts")})
    runs = make_engine(engine, "fp32", 2)
    with torch.no_grad():
        # The window is read from what came before it, so that its contexts reach back.
        before = torch.stack(
            [ids_of(corpus, b * length, 2 * STEPS) for b in range(BATCH)], dim=1
        )  # (2 T, B)
        _, state = model(before, model.initial_state(BATCH), runs)
        hidden, _ = model._hidden(ids, state, runs, (), ())
        logits, _ = alone(ids, state[:1], runs)  # (T, B, V)
        gates = 2 * torch.sigmoid(hidden @ model.experts.get_parameter("gate").T)  # (T, B, K)
        nats, _ = model.mean_nats(ids, targets, state, runs, folds=folds)
    weight, log_offset = (
        model.experts.get_parameter(name).detach().double().numpy()
        for name in ("weight", "log_offset")
    )
    symbols = corpus.vocabulary.characters
    costs = []
    for t in range(STEPS):
        for b in range(BATCH):
            place = b * length + 2 * STEPS + t + 1  # of the target in the text
            z = logits[t, b].double().numpy().copy()
            fold = place * FOLDS // len(train)
            for k in range(1, ORDER + 1):
                seen = Counter(
                    train[i]
                    for i in range(k, len(train))
                    if i * FOLDS // len(train) != fold
                    and train[i - k : i] == train[place - k : place]
                )
                context = sum(
                    train[i - k + 1 : i + 1] == train[place - k : place]
                    and i * FOLDS // len(train) != fold
                    for i in range(k - 1, len(train))
                )
                own = code_of(np.array([context]))
                bucket = int(bucket_of(own, np.array([len(seen)]))[0])
                for symbol, number in seen.items():
                    counted = COUNT_OF_CODE[code_of(np.array([number]))[0]]
                    ratio = counted / math.exp(log_offset[k - 1, bucket])
                    share = weight[k - 1, bucket] * math.log1p(ratio)
                    z[symbols.index(symbol)] += float(gates[t, b, k - 1]) * share
            costs.append(np.log(np.exp(z).sum()) - z[int(targets[t, b])])
    assert float(nats) == pytest.approx(np.mean(costs), abs=2e-5)


def ids_of(corpus: EncodedCorpus, start: int, length: int) -> torch.Tensor:
    return torch.from_numpy(corpus.split("train").ids[start : start + length].astype(np.int64))


def test_every_gradient_is_that_of_finite_differences() -> None:
    corpus = corpus_of(text_of(500, 5))
    config, table = model_and_table(corpus)
    model = random_model(config, table).double()
    ids, targets, folds = window(corpus)
    runs = make_engine("reference", "fp32", 1)
    state = model.initial_state(BATCH)

    def nats() -> torch.Tensor:
        return model.mean_nats(ids, targets, state, runs, folds=folds)[0]

    nats().backward()  # type: ignore[no-untyped-call]
    random = np.random.default_rng(0)
    step = 1e-5
    for name, parameter in model.expert_parameters().items():
        assert parameter.grad is not None
        numbers, gradient = parameter.data.view(-1), parameter.grad.view(-1)
        for place in map(int, random.choice(len(numbers), 30, replace=False)):
            kept = float(numbers[place])
            sides = []
            for sign in (1, -1):
                numbers[place] = kept + sign * step
                with torch.no_grad():
                    sides.append(float(nats()))
            numbers[place] = kept
            wanted = (sides[0] - sides[1]) / (2 * step)
            assert float(gradient[place]) == pytest.approx(wanted, abs=1e-8), name
        assert gradient.abs().max() > 0


@pytest.mark.parametrize(
    ("engine", "precision", "tolerance"),
    [("torch", "fp32", 1e-5), ("native", "fp32", 1e-5), ("native", "bf16", 2e-2)],
)
@pytest.mark.parametrize("records", [None, "line"])
def test_every_engine_has_the_gradients_of_the_reference(
    engine: EngineName, precision: str, tolerance: float, records: str | None
) -> None:
    text = text_of(600, 5)
    if records:
        text = "\n".join(text[i : i + 3 + i % 7] for i in range(0, 500, 10))
    corpus = corpus_of(text, records=records)
    config, table = model_and_table(corpus)
    ids, targets, folds = window(corpus)
    left_out = torch.tensor([False, True, False, False])
    found: list[dict[str, torch.Tensor]] = []
    for name, kind in (("reference", "fp32"), (engine, precision)):
        model = random_model(config, table)
        runs = make_engine(name, kind, 2)  # type: ignore[arg-type]
        nats, _ = model.mean_nats(
            ids, targets, model.initial_state(BATCH), runs, folds=folds, left_out=left_out
        )
        nats.backward()  # type: ignore[no-untyped-call]
        gradients = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
        found.append({"nats": nats.detach(), **gradients})
    assert found[0].keys() == found[1].keys()
    for name, wanted in found[0].items():
        scale = float(wanted.abs().max())
        assert float((found[1][name] - wanted).abs().max()) <= tolerance * max(scale, 1e-3), name


@pytest.mark.parametrize("engine", ENGINES)
def test_a_window_without_its_experts_is_that_of_the_net_alone(engine: EngineName) -> None:
    corpus = corpus_of(text_of(500, 5))
    config, table = model_and_table(corpus)
    ids, targets, folds = window(corpus)
    runs = make_engine(engine, "fp32", 2)
    found = []
    for order in (ORDER, 0):
        generator = torch.Generator().manual_seed(1)
        chosen = ModelConfig(**{**vars(config), "ngram_order": order})
        model = CharRNN(chosen, generator, table=table if order else None)
        nats, _ = model.mean_nats(
            ids,
            targets,
            model.initial_state(BATCH),
            runs,
            folds=folds,
            left_out=torch.ones(BATCH, dtype=torch.bool),
        )
        nats.backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad for p in model.net_parameters().values()]
        found.append([nats.detach(), *gradients])
    for with_experts, alone in zip(*found, strict=True):
        assert with_experts is not None
        assert alone is not None
        assert torch.equal(with_experts, alone)


def test_nothing_is_learned_of_a_random_text() -> None:
    """A prediction that saw its own count would learn to copy, also where there is nothing to."""
    random = np.random.default_rng(0)
    text = "".join(map(chr, random.integers(97, 97 + 6, 90_000)))
    corpus = corpus_of(text)
    config, _ = model_and_table(corpus, order=8)
    trainer = Trainer(
        corpus.split("train"),
        config,
        OptimizerConfig(lr=0.01),
        StepConfig(batch_size=8, seq_len=32, engine="native"),
        300,
    )
    losses = []
    for step in range(300):
        trainer.step()
        if step % 20 == 19 and step >= 100:
            losses.append(trainer.report().train_nats)
    assert np.mean(losses) >= math.log(6) - 0.01


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("the cat sat on the mat, he did", {}),
        ("ab" * 11, {}),  # of nineteen symbols, at most three are of one fold
        ("abba" * 90, {}),
        ("ab\ncd", {"val_frac": 0.4}),  # most folds are empty
        ("a\nb\nb\na\nc\n" * 4, {"records": "line"}),
        ("\n" * 40 + "a\n" * 5, {"records": "line"}),
        ("ab\nc\nd\n", {"records": "line", "val_frac": 0.4}),
        ("abbabaab" * 20, {"split": "streams", "num_streams": 3, "stream_unit": 2}),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_smallest_texts_are_learned_with_experts(
    engine: EngineName, text: str, splits: dict[str, object]
) -> None:
    corpus = corpus_of(text, **splits)
    split = corpus.split("train")
    config, _ = model_and_table(corpus, order=16)
    batch_size, seq_len = split.fitted_sizes(3, 2)
    step = StepConfig(batch_size=batch_size, seq_len=seq_len, engine=engine)
    trainer = Trainer(split, replace(config, ngram_dropout=0.3), OptimizerConfig(), step, 9)
    for _ in range(9):
        trainer.step()
    assert trainer.is_finite()
    assert trainer.model.table is not None
    network = HeldOutNetwork(config, trainer.model.weights(), trainer.model.table)
    assert math.isfinite(evaluate(network, split).windows.nats)


def test_the_probabilities_of_all_symbols_sum_to_one() -> None:
    corpus = corpus_of(text_of(500, 5))
    config, table = model_and_table(corpus)
    scorer = TorchScorer(random_model(config, table), make_engine("native", "fp32", 1))
    ids, _, _ = window(corpus)
    total = np.zeros(ids.shape)
    for symbol in range(config.vocab_size):
        targets = np.full(ids.shape, symbol)
        nats, _ = scorer.score(ids.numpy(), targets, scorer.initial_state(BATCH))
        total += np.exp(-nats)
    assert total == pytest.approx(np.ones(ids.shape), abs=1e-6)
