"""The verdict on a run: by the figures of docs/experiments/verdict.md, and as commands say it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from charrnn.cli.verdict import verdict_rows
from charrnn.corpus.marks import Marks
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Losses
from charrnn.model.config import ModelConfig
from charrnn.runs.events import EvalReport, StepReport
from charrnn.runs.metrics import Metric
from charrnn.runs.verdict import CurvePoint, Figures, Verdict, curve_of, judge
from charrnn.sampling.trained_model import Model
from tests.conftest import Run, random_checkpoint

PROSE = (
    "It was a bright cold day in spring, and the clocks of the town had just begun to strike. "
    "Nobody was out but a dog, two gulls and the man who sells newspapers by the harbour, "
    "wet to the skin and whistling a tune."
)


def curve(*points: tuple[int, float, float]) -> tuple[CurvePoint, ...]:
    """Evaluations as (step, bits per validation character, bits per training character)."""
    return tuple(CurvePoint(*point) for point in points)


# Runs of docs/experiments/verdict.md, by the names they have there.
SHAKESPEARE_212 = Figures(191, 5.854, True, Marks(4.54, 6.528), 40.0, curve((80, 5.854, 1.166)))
SHAKESPEARE_2K = Figures(
    1800,
    3.448,
    True,
    Marks(4.55, 4.068),
    36.6,
    curve((128, 3.482, 2.45), (160, 3.448, 2.304), (192, 3.478, 2.176), (256, 3.485, 2.101)),
)
SHAKESPEARE_50K = Figures(
    45_000,
    2.287,
    True,
    Marks(4.73, 2.848),
    27.9,
    curve((246, 2.507, 3.046), (738, 2.333, 2.327), (984, 2.291, 2.226), (1200, 2.287, 2.168)),
)
SHAKESPEARE_5S = Figures(
    1_003_855,
    3.009,
    True,
    Marks(4.78, 2.354),
    0.16,
    curve((64, 3.089, 3.713), (128, 2.949, 3.035), (153, 2.940, 2.995)),
)
PYTHON = Figures(
    553_462,
    1.526,
    True,
    Marks(4.74, 1.656),
    2.12,
    curve((198, 2.112, 2.774), (594, 1.709, 1.723), (990, 1.528, 1.517), (1143, 1.522, 1.465)),
)
GPL = Figures(
    31_634,
    2.702,
    True,
    Marks(4.57, 2.437),
    11.2,
    curve((168, 2.760, 1.894), (264, 2.702, 1.675), (288, 2.743, 1.631), (336, 2.733, 1.595)),
)
BY_HEART = Figures(
    45_000,
    2.610,
    True,
    Marks(4.73, 2.848),
    24.0,
    curve((258, 2.610, 2.542), (516, 2.954, 1.603), (774, 3.203, 1.383), (1032, 3.207, 1.312)),
)
WORD_LIST = Figures(
    80_036,
    2.544,
    True,
    Marks(4.22, 2.387, "xz"),
    13.3,
    curve((714, 2.716, 1.755), (833, 2.544, 1.720), (952, 2.594, 1.656), (1034, 2.565, 1.641)),
)
RANDOM = Figures(
    90_000,
    6.008,
    True,
    Marks(6.00, 6.055),
    4.0,
    curve((113, 6.013, 6.048), (226, 6.008, 5.995), (345, 6.012, 5.977)),
)
REPEATED = Figures(47_520, 0.0005, True, Marks(3.93, 0.025), 12.5, curve((577, 0.0005, 0.002)))


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        (
            SHAKESPEARE_212,
            "too little text, no better than chance: add text; 100,000 characters are a start",
        ),
        (SHAKESPEARE_2K, "too little text: add text; 100,000 characters are a start"),
        (SHAKESPEARE_50K, "20 % better than bz2: this compressor needs 2.848 bits/char"),
        (SHAKESPEARE_5S, "still learning, 28 % worse than bz2 so far: give it more time"),
        (PYTHON, "still learning, 8 % better than bz2 so far: give it more time"),
        (
            GPL,
            "learned by heart from step 264 on, 11 % worse than bz2: the model of that step is "
            "kept; more text would help, more time would not",
        ),
        (
            BY_HEART,
            "learned by heart from step 258 on, 8 % better than bz2: the model of that step is "
            "kept; more text would help, more time would not",
        ),
        (
            WORD_LIST,
            "learned by heart from step 833 on, 7 % worse than xz: the model of that step is "
            "kept; more text would help, more time would not",
        ),
        (
            RANDOM,
            "nothing to learn, no better than chance: no character follows from those before it",
        ),
        (REPEATED, "98 % better than bz2: this compressor needs 0.025 bits/char"),
        (replace(GPL, is_finished=False), "not finished"),
    ],
)
def test_the_figures_of_a_run_give_the_verdict_of_a_person(figures: Figures, sentence: str) -> None:
    verdict = judge(figures)
    assert str(verdict) == sentence
    assert verdict is not None
    assert verdict.is_chance == ("no better than chance" in sentence)


def test_where_figures_are_missing_nothing_is_said_that_they_would_have_to_prove() -> None:
    bare = replace(SHAKESPEARE_50K, marks=None, readings=None, curve=())
    assert judge(bare) is None
    assert str(judge(replace(bare, marks=Marks(4.73, 2.848)))).startswith("20 % better than bz2")
    assert str(judge(replace(BY_HEART, marks=None))).startswith(
        "learned by heart from step 258 on:"
    )
    assert str(judge(replace(PYTHON, marks=None))) == "still learning: give it more time"
    assert judge(replace(PYTHON, marks=None, readings=None)) is None


def test_a_few_steps_on_a_short_text_do_not_prove_that_it_is_too_short() -> None:
    short = replace(SHAKESPEARE_2K, readings=0.3, curve=curve((1, 5.6, 5.6), (2, 5.5, 5.6)))
    assert str(judge(short)).startswith("still learning")
    untaught = replace(short, val_bits=5.5)
    verdict = judge(untaught)
    assert verdict is not None
    assert verdict.kind == "still learning"
    given_up = replace(untaught, curve=curve((4, 4.5, 3.0), (6, 4.6, 2.2), (8, 4.6, 1.7)))
    assert str(judge(given_up)).startswith("too little text")
    read_often = replace(untaught, readings=12.0)
    assert str(judge(read_often)).startswith("too little text, no better than chance")


def test_one_bad_evaluation_is_not_yet_learning_by_heart() -> None:
    best, worse = (800, 2.0, 1.9), (900, 2.2, 1.7)
    one = replace(BY_HEART, curve=curve((400, 2.1, 2.0), best, worse))
    assert "by heart" not in str(judge(one))
    two = replace(one, curve=(*one.curve, *curve((1000, 2.2, 1.6))))
    assert "by heart from step 800 on" in str(judge(two))
    untaught = replace(one, curve=(*one.curve, *curve((1000, 2.2, 1.89))))
    assert "by heart" not in str(judge(untaught))


@pytest.mark.parametrize("val_bits", [0.0, -1.0, 1e308, 2.0**62])
@pytest.mark.parametrize("marks", [Marks(0.0, 0.0), Marks(1e-300, 1e-300), Marks(-1.0, -1e308)])
def test_a_strangers_figures_are_judged_without_an_error(val_bits: float, marks: Marks) -> None:
    judge(replace(GPL, val_bits=val_bits, marks=marks))


def test_the_curve_has_the_training_loss_since_the_evaluation_before() -> None:
    def step(number: int, nats: float) -> StepReport:
        return StepReport(number, nats, 0.01, 1.0, 1e5, 1.0)

    def evaluation(number: int, nats: float, *, carried: bool = False) -> EvalReport:
        return EvalReport(number, nats, 99, carried=carried, best=True, elapsed_s=1.0)

    reports: list[Metric] = [
        *(evaluation(0, 3.0), step(1, 2.0), step(2, 1.0), evaluation(2, 1.6)),
        *(step(3, 1.2), evaluation(3, 1.5), evaluation(3, 1.4, carried=True)),
    ]
    points = curve_of(reports)
    assert [point.step for point in points] == [0, 2, 3]
    assert points[0].train_bits is None
    nats = [point.train_bits * 0.6931472 for point in points[1:] if point.train_bits]
    assert nats == pytest.approx([1.5, 1.2], rel=1e-6)


@pytest.mark.parametrize(
    ("took_s", "budget"), [(5, "1m"), (60, "5m"), (180, "10m"), (3600, "5h"), (1e6, "24h")]
)
def test_a_run_that_is_still_learning_is_given_several_times_what_it_had(
    took_s: float, budget: str, tmp_path: Path
) -> None:
    model = replace(random_checkpoint(ModelConfig(11)), training={"elapsed_s": took_s})
    path = tmp_path / "my notes" / "model.safetensors"
    rows = dict(verdict_rows(Model(path, model), Verdict("still learning", "still learning")))
    assert rows["go on with"] == f"charrnn train --resume 'my notes' --budget {budget}"


def test_too_little_text_is_told_and_not_praised(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text(PROSE, encoding="utf-8")
    stderr = cli("train", "short.txt", "--epochs", "40", "--hidden-size", "32").stderr.decode()
    assert re.search(r"^verdict +too little text", stderr, re.MULTILINE)
    assert ("no better than chance" in stderr) == ("write with" not in stderr)
    assert "too little text" in cli("list").stdout.decode()


def test_end_info_and_list_say_the_same_of_a_run(cli: Run, text_file: Path) -> None:
    small = ["--hidden-size", "16", "--batch-size", "4", "--seq-len", "16"]
    stderr = cli("train", text_file.name, "--steps", "250", *small).stderr.decode()
    told = re.search(
        r"^verdict +((?:still learning, )?\d+ % \w+ than bz2.*)$", stderr, re.MULTILINE
    )
    assert told is not None
    assert f"verdict         {told[1]}" in cli("info").stdout.decode()
    (record,) = [json.loads(line) for line in cli("list", "--json").stdout.splitlines()]
    assert told[1].startswith(record["verdict"]["words"])
    assert record["verdict"]["words"] in cli("list").stdout.decode()
    assert json.loads(cli("info", "--json").stdout)["verdict"] == record["verdict"]
    assert set(record["corpus"]["marks"]) == {"order0_bits", "compressed_bits", "compressor"}


def test_a_model_without_a_run_is_judged_by_what_its_file_says(cli: Run, model_file: Path) -> None:
    model = checkpoint.read(model_file)
    corpus = replace(model.corpus, num_symbols=99_999, marks=Marks(3.0, 2.0))
    for losses, words in (
        (Losses(0.6931472, 99, val_carried=True), "50 % better than bz2"),
        (Losses(0.6931472, 99), "not finished"),
        (Losses(), None),
    ):
        checkpoint.write(model_file, replace(model, corpus=corpus, losses=losses))
        verdict = json.loads(cli("info", "letters", "--json").stdout)["verdict"]
        assert (verdict and verdict["words"]) == words
