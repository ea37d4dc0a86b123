"""Learning curves: read from metrics written by hand, between their points, and drawn."""

import json
import math
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from charrnn.comparison import picture
from charrnn.comparison.curves import CurvePoint, LearningCurve, read_learning_curve
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import CharRNNError, OutputError, RunError, UsageError
from charrnn.extras import how_to_install
from charrnn.files.run_folder import RunFolder
from charrnn.model.config import ModelConfig
from charrnn.plan.config import RunConfig, StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, Plan

BITS = math.log(2)


def run_folder(path: Path, lines: list[dict[str, Any]]) -> RunFolder:
    """The folder of a run of 3 streams and windows of 7 characters, with these metrics."""
    plan = Plan(
        corpus=CorpusPlan("text", ("text",), ("/text",), TextConfig(), "0", 999, SplitConfig()),
        model=ModelConfig(vocab_size=11),
        optimizer=OptimizerConfig(),
        step=StepConfig(batch_size=3, seq_len=7),
        run=RunConfig(steps=100, eval_every=10, eval_chars=5, report_every=2),
        final_chars=9,
        budget_s=None,
        final_s=0.0,
    )
    folder = RunFolder(path)
    plan.write(folder.plan)
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def step(number: int, chars_per_s: float) -> dict[str, Any]:
    others = {"train_nats": 1.0, "lr": 0.1, "grad_norm": math.inf, "elapsed_s": 0.0}
    return {"event": "step", "step": number, "chars_per_s": chars_per_s, **others}


def evaluation(
    number: int, nats: float, seconds: float, *, carried: bool = False
) -> dict[str, Any]:
    others = {"best": True, "windows_nats": None, "val_characters": 5, "elapsed_s": seconds}
    return {"event": "eval", "step": number, "val_nats": nats, "carried": carried, **others}


ROLLBACK = {
    "event": "rollback",
    "step": 10,
    "diverged_step": 12,
    "train_nats": None,
    "lr_scale": 0.5,
    "elapsed_s": 3.0,
}


def test_a_learning_curve_is_what_the_metrics_say(tmp_path: Path) -> None:
    lines = [
        step(2, 2100.0),
        evaluation(10, 2.5, 3.0),
        ROLLBACK,
        step(4, 42.0),
        evaluation(20, 2.0, 7.0),
        step(6, 4200.0),
        evaluation(30, 2.25, 9.5),
        evaluation(20, 1.75, 11.0, carried=True),
    ]
    curve = read_learning_curve(run_folder(tmp_path, lines), "mine")
    assert curve.name == "mine"
    assert curve.points == (
        CurvePoint(10, 210, 3.0, 2.5),
        CurvePoint(20, 420, 7.0, 2.0),
        CurvePoint(30, 630, 9.5, 2.25),
    )
    assert curve.step_s == pytest.approx(0.01)  # 21 characters at the median speed
    assert curve.lr_scale == 0.5
    assert (curve.exact_nats, curve.best_nats) == (1.75, 1.75)


def test_steps_that_took_longer_than_they_can_are_told_from_the_reports(tmp_path: Path) -> None:
    """Reports of 10 steps; another program takes half of the CPU in the second half of the run."""
    quick, slow = 2100.0, 1050.0  # 10 and 20 ms a step of 21 characters

    def times(*speeds: float) -> Any:
        lines = [step(10 * n, speed) for n, speed in enumerate(speeds, start=1)]
        # The time of the report after an evaluation has that in it.
        lines[3:3] = [evaluation(30, 2.5, 3.0)]
        lines[4]["chars_per_s"] = 1.0
        return read_learning_curve(run_folder(tmp_path, lines), "mine").step_times

    found = times(*[quick] * 60, *[slow] * 60)
    assert found.undisturbed_s == pytest.approx(0.01)
    assert found.mean_s == pytest.approx(0.015, rel=0.02)
    even = times(*[slow] * 60)
    assert even.mean_s == pytest.approx(even.undisturbed_s)
    assert times(*[quick] * 20, *[slow] * 5) is None  # too short to tell


def test_a_run_that_has_only_begun_has_a_curve_too(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [evaluation(10, 2.5, 3.0), evaluation(20, 2.75, 4.0)])
    curve = read_learning_curve(folder, "mine")
    assert (curve.exact_nats, curve.best_nats, curve.step_s) == (None, 2.5, None)
    folder.metrics.unlink()
    assert read_learning_curve(folder, "mine") == LearningCurve("mine")


def test_a_damaged_file_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, [evaluation(10, 2.5, 3.0), {"event": "eval", "step": 3}])
    with pytest.raises(RunError, match=r"line 2 of .*metrics\.jsonl.*: 'val_nats' is missing"):
        read_learning_curve(folder, "mine")
    folder.plan.unlink()
    with pytest.raises(RunError, match=r"cannot read .*plan\.json"):
        read_learning_curve(folder, "mine")


CURVES = [
    LearningCurve(
        "first",
        (CurvePoint(1, 100, 2.0, 4.0), CurvePoint(2, 200, 8.0, 3.0), CurvePoint(3, 800, 9.0, 1.0)),
    ),
    LearningCurve("second", (CurvePoint(1, 50, 1.0, 3.5), CurvePoint(2, 300, 30.0, 2.0))),
]


def test_between_evaluations_a_curve_is_straight_over_the_logarithm() -> None:
    curve = CURVES[0]
    assert curve.at_characters(100) == 4.0
    assert curve.at_characters(400) == pytest.approx(2.0)
    assert curve.at_characters(800) == 1.0
    assert curve.at_seconds(4.0) == pytest.approx(3.5)
    for beyond in (99, 801):
        assert curve.at_characters(beyond) is None
    for too_far in (1.9, 9.1):
        assert curve.at_seconds(too_far) is None
    assert LearningCurve("empty").at_seconds(1.0) is None


def test_the_picture_has_every_point_of_every_curve_in_both_panels() -> None:
    by_characters, by_seconds = picture.make_figure(CURVES, "title").axes
    for panel, places in (
        (by_characters, [[100, 200, 800], [50, 300]]),
        (by_seconds, [[2.0, 8.0, 9.0], [1.0, 30.0]]),
    ):
        lines = panel.get_lines()
        assert [np.asarray(line.get_xdata()).tolist() for line in lines] == places
        assert [line.get_label() for line in lines] == ["first", "second"]
        for line, nats in zip(lines, ([4.0, 3.0, 1.0], [3.5, 2.0]), strict=True):
            assert BITS * np.asarray(line.get_ydata()) == pytest.approx(nats)
    assert by_characters.get_xscale() == "log"
    legend = by_seconds.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["first", "second"]
    looks = {(line.get_linestyle(), line.get_marker()) for line in by_seconds.get_lines()}
    assert len(looks) == 2  # they can be told apart without colour


def test_a_picture_begins_where_the_curves_part() -> None:
    def curve(name: str, *all_bits: float) -> LearningCurve:
        points = [
            CurvePoint(n, 10**n, 2.0 * n, value * BITS) for n, value in enumerate(all_bits, start=2)
        ]
        return LearningCurve(name, tuple(points))

    curves = [curve("best", 5, 2.3, 2.0), curve("second", 5, 2.3, 2.1), curve("bag", 5, 4.6, 4.5)]
    by_characters, by_seconds = picture.make_figure(curves, "title").axes
    for panel in (by_characters, by_seconds):
        low, high = panel.get_ylim()
        assert low < 2.0
        assert 2.3 < high < 2.5
    assert 100 < by_characters.get_xlim()[0] < 1000
    assert 4.0 < by_seconds.get_xlim()[0] < 6.0
    legend = by_seconds.get_legend()
    assert legend is not None
    assert legend.get_texts()[2].get_text() == "bag, far above at 4.500"
    # curves that end alike look alike
    alike = [curve("one", 5, 2.0), curve("other", 5, 2.001)]
    low, high = picture.make_figure(alike, "title").axes[0].get_ylim()
    assert high - low > 0.25


def test_a_curve_of_one_evaluation_makes_a_picture() -> None:
    for number in (1, 2):
        curves = [LearningCurve("one", (CurvePoint(1, 100, 2.0, 4.0),))] * number
        assert len(picture.make_figure(curves, "title").axes) == 2


def test_a_picture_is_a_file_of_its_kind(tmp_path: Path) -> None:
    picture.write_picture(CURVES, "<title> & more", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture.write_picture(CURVES, "<title> & more", tmp_path / "a.svg")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]


def test_a_picture_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write '.*a\.svg': No such file or directory"):
        picture.write_picture(CURVES, "title", tmp_path / "gone" / "a.svg")


def test_a_path_that_no_picture_can_be_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture.check_picture_path(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"a\.jpg.* must end in \.png or \.svg"):
        picture.check_picture_path(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="there is no folder"):
        picture.check_picture_path(tmp_path / "none" / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CharRNNError, match=re.escape(how_to_install("matplotlib"))):
        picture.check_picture_path(tmp_path / "a.png")
