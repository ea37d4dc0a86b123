"""Comparisons of cells: what is equal, what is shown, and what becomes of a run that fails."""

import io
import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from charrnn.cli.comparison_table import print_result
from charrnn.comparison.curves import CurvePoint, LearningCurve
from charrnn.comparison.request import ComparisonRequest, nearest_hidden_size
from charrnn.comparison.result import CellResult, ComparisonResult
from charrnn.comparison.slowdown import StepTimes
from charrnn.corpus.split_config import SplitConfig
from charrnn.corpus.text_config import TextConfig
from charrnn.errors import UsageError
from charrnn.extras import how_to_install
from charrnn.files.run_folder import RunFolder
from charrnn.model import checkpoint
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.config import RunConfig, StepConfig
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.plan import CorpusPlan, Plan
from charrnn.plan.request import TrainingRequest
from tests.conftest import Run

SMALL = ["--parameters", "3k", "--embedding-size", "6", "--batch-size", "4", "--seq-len", "16"]
COLUMNS = ["cell", "hidden", "params", "ms/step", "chars", "seconds", "nats", "bits", "end"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("parameters", "num_layers"), [(4_000, 1), (200_000, 1), (3_000_000, 3)])
def test_no_other_hidden_size_comes_nearer_to_the_parameters(
    cell: CellName, parameters: int, num_layers: int
) -> None:
    model = replace(ModelConfig(vocab_size=65), cell=cell, num_layers=num_layers)

    def distance(hidden_size: int) -> int:
        return abs(replace(model, hidden_size=hidden_size).num_parameters() - parameters)

    nearest = nearest_hidden_size(model, parameters)
    assert distance(nearest) == min(map(distance, range(max(1, nearest - 5), nearest + 6)))
    if parameters == 200_000:
        assert distance(nearest) < 0.01 * parameters


def test_what_cannot_be_compared_is_refused() -> None:
    shared = TrainingRequest()
    cases: tuple[tuple[tuple[str, ...], dict[str, Any], str], ...] = (
        ((), {}, "`cells`: name some of rnn, gru"),
        (("gru", "gru"), {}, "gru is there twice"),
        (("gru", "elman"), {}, "no cell 'elman'; there are rnn, gru"),
        (("gru",), {"parameters": 0}, "`parameters` 0"),
        (("gru",), {"shared": TrainingRequest(cell="gru")}, "`cell`, `preset` and `init_from`"),
    )
    for cells, options, message in cases:
        with pytest.raises(UsageError, match=message):
            ComparisonRequest(cells, **{"shared": shared, **options})
    with pytest.raises(UsageError, match="`parameters` 100: lstm with 1 unit has 4,558 parameters"):
        ComparisonRequest(("lstm",), shared, 100).cell_request("lstm", 65)


def slowed_result(cell: CellName, nats: float, slowdown: float, plan: Plan) -> CellResult:
    """A run that made its steps in so many times 10 ms, and 20 evaluations until `nats`."""
    count = round(2000 / slowdown)
    points = tuple(
        CurvePoint(count * n // 20, count * n, 1.0 * n, nats + 1 / n) for n in range(1, 21)
    )
    curve = LearningCurve(
        cell, points, nats, step_s=0.01, step_times=StepTimes(0.01 * slowdown, 0.01)
    )
    model = replace(plan.model, cell=cell)
    return CellResult(cell, f"c-{cell}", replace(plan, model=model), curve, "finished", 0.0095)


def test_a_cell_that_was_slowed_is_marked_and_with_a_budget_not_ranked() -> None:
    plan = Plan(
        corpus=CorpusPlan("text", ("text",), ("/text",), TextConfig(), "0", 999, SplitConfig()),
        model=ModelConfig(vocab_size=11),
        optimizer=OptimizerConfig(),
        step=StepConfig(batch_size=4, seq_len=5),
        run=RunConfig(steps=100, eval_every=10, eval_chars=5, report_every=2),
        final_chars=9,
        budget_s=60.0,
        final_s=0.0,
    )

    def compared(plan: Plan) -> tuple[ComparisonResult, list[str]]:
        results = [
            slowed_result("rnn", 2.0, 1.05, plan),
            slowed_result("gru", 1.5, 1.6, plan),
            slowed_result("lstm", 1.8, 1.1, plan),
        ]
        comparison = ComparisonResult.ranked("c", results, ())
        file = io.StringIO()
        print_result(Console(file=file, width=100), comparison)
        return comparison, file.getvalue().splitlines()

    comparison, lines = compared(plan)
    assert [result.cell for result in comparison.results] == ["lstm", "rnn", "gru"]
    assert [line.split()[0] for line in lines[2:5]] == ["lstm", "rnn", "gru*"]
    assert lines[4].split()[-1] == "-"  # at equal seconds
    assert "* slowed by something else on this machine: gru 1.7 times" in lines
    assert "  so they are not ranked; compare again when nothing else runs" in lines
    assert comparison.equal_characters == 20 * round(2000 / 1.1)  # what the slowed cell lacks
    narrow = io.StringIO()
    print_result(Console(file=narrow, width=48, force_terminal=True, color_system=None), comparison)
    rows = narrow.getvalue().splitlines()[2:6]
    assert rows[0].split() == ["cell", "chars", "seconds", "bits", "at", "36k", "at", "20s"]
    assert rows[1].split() == ["lstm", "36k", "20.0", "2.597", "2.669", "2.669"]
    # with a number of steps a slowed cell has learned as much as the others
    comparison, lines = compared(replace(plan, budget_s=None))
    assert [result.cell for result in comparison.results] == ["gru", "lstm", "rnn"]
    assert "* slowed by something else on this machine: gru 1.7 times" in lines
    assert "  they learned as much as the others, and only took longer" in lines


def test_a_comparison_gives_a_table_a_picture_and_ordinary_runs(cli: Run, text_file: Path) -> None:
    done = cli("compare", text_file.name, "--cells", "gru,rnn", "--budget", "1s", *SMALL)
    stderr = done.stderr.decode()
    assert done.returncode == 0, stderr
    heading, columns, *rows = done.stdout.decode().splitlines()
    assert re.match(r"animals: [\d,]+ characters, \d+ distinct; \w+ fp32 on cpu, ", heading)
    assert columns.split()[:9] == COLUMNS
    assert re.search(r"at [\d.]+[kM]? +at [\d.]+s$", columns)
    shown = [row.split() for row in rows[:2]]
    assert {row[0] for row in shown} == {"gru", "rnn"}
    assert all(len(row) == 11 for row in shown)
    assert float(shown[0][7]) <= float(shown[1][7])  # the best first
    assert "\x1b" not in done.stdout.decode()
    assert "●" not in done.stdout.decode()  # the curves are for a terminal

    starts = [line for line in stderr.splitlines() if "parameters" in line]
    assert [line.split()[0] for line in starts] == ["gru", "rnn"]
    ends = [line for line in stderr.splitlines() if re.search(r"steps, validation \d", line)]
    assert len(ends) == 2
    picture = text_file.parent / "checkpoints" / "animals-compare.png"
    assert stderr.splitlines()[-1] == "curves: checkpoints/animals-compare.png"
    assert picture.read_bytes().startswith(b"\x89PNG")

    assert len(cli("sample", "animals-compare-gru", "-q", "-n", "9").stdout) == 9
    for cell, nats in ((row[0], row[6]) for row in shown):
        run = picture.parent / f"animals-compare-{cell}"
        assert f"{checkpoint.read(RunFolder(run).model).losses.val_nats:.4f}" == nats
        assert json.loads(RunFolder(run).plan.read_text())["budget_s"] == 1

    refused = cli("compare", text_file.name, "--cells", "rnn", "--name", "animals-compare")
    assert refused.returncode == 1
    assert b"a run named 'animals-compare-rnn' exists; write over it with" in refused.stderr


def test_everything_is_equal_but_the_cell(cli: Run, text_file: Path) -> None:
    runs = text_file.parent / "checkpoints"
    (runs / "animals-compare-lstm").mkdir(parents=True)
    (runs / "animals-compare-lstm" / "plan.json").touch()
    options = ["--cells", ",".join(CELLS), "--steps", "41", "--seed", "5"]
    done = cli("compare", text_file.name, "--json", "-q", "--plot", "a.svg", *options, *SMALL)
    assert (done.returncode, done.stderr) == (0, b"")
    record = json.loads(done.stdout)
    assert record["name"] == "animals-compare-2"
    cells = record["cells"]
    assert {cell["cell"] for cell in cells} == set(CELLS)
    assert [cell["val_nats"] for cell in cells] == sorted(cell["val_nats"] for cell in cells)
    assert all(2700 < cell["num_parameters"] < 3300 for cell in cells)
    plans = [json.loads((runs / cell["run"] / "plan.json").read_text()) for cell in cells]
    for part, names in (
        ("step", ("engine", "precision", "seed", "batch_size")),
        ("run", ("eval_chars", "patience")),
        ("optimizer", ("lr", "weight_decay")),
        ("model", ("dropout", "weight_drop", "embedding_size", "num_layers")),
    ):
        for name in names:
            assert len({json.dumps(plan[part][name]) for plan in plans}) == 1, name
    assert len({(plan["final_chars"], plan["corpus"]["sha256"]) for plan in plans}) == 1
    assert record["engine"] == plans[0]["step"]["engine"]
    assert (record["precision"], record["seed"], record["budget_s"]) == ("fp32", 5, None)
    assert record["equal_characters"] == 41 * 4 * 16
    assert record["equal_seconds"] == min(cell["seconds"] for cell in cells)
    for cell in cells:
        end = cell["curve"][-1]
        assert end["characters"] == end["step"] * 4 * 16 == cell["characters"]
        assert (end["nats"], end["seconds"]) == (cell["end_nats"], cell["seconds"])
        assert [point["step"] for point in cell["curve"]] == [*range(3, 41, 3), 41]
        assert cell["equal_characters_nats"] == cell["end_nats"]
        if cell["seconds"] == record["equal_seconds"]:
            assert cell["equal_seconds_nats"] == cell["end_nats"]
    assert (text_file.parent / "a.svg").stat().st_size > 1000


def test_an_interrupt_shows_the_cells_that_were_trained(text_file: Path) -> None:
    command = ["compare", text_file.name, "--cells", "rnn,gru,lstm", "--steps", "200", *SMALL]
    run = subprocess.Popen(
        [sys.executable, "-m", "charrnn", *command],
        cwd=text_file.parent,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert run.stderr is not None
    for line in run.stderr:
        if line.startswith(b"gru 1x"):
            break
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    rows = stdout.decode().splitlines()
    assert {row.split()[0] for row in rows[2:4]} == {"rnn", "gru"}
    assert "gru: interrupted" in rows
    assert b"resume with: charrnn train --resume animals-compare-gru\n" in stderr
    assert stderr.endswith(b"not trained: lstm\n")
    assert (text_file.parent / "checkpoints" / "animals-compare.png").exists()


def test_a_cell_that_fails_does_not_lose_the_others(text_file: Path) -> None:
    """The state of an identity that is carried on without end explodes at any learning rate."""
    program = (
        "import sys\n"
        "from charrnn.cli.main import main\n"
        "sys.modules['matplotlib'] = None  # there is nothing to draw with\n"
        "main()\n"
    )
    command = ["compare", text_file.name, "--cells", "irnn,rnn", "--reset-prob", "0", "--json"]
    command += ["--steps", "40", "--eval-every", "40", *SMALL]
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=text_file.parent,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    *_, missing, failure = done.stderr.decode().splitlines()
    assert re.match(
        r"charrnn: irnn failed: training diverged again \(loss [\w.+]+ after step ", failure
    )
    way_out = how_to_install("matplotlib")
    assert missing == f"no picture: drawing needs one more package: {way_out}"
    good, bad = json.loads(done.stdout)["cells"]
    assert (good["cell"], good["ended"], good["error"]) == ("rnn", "finished", None)
    assert good["val_nats"] > 0
    assert (bad["cell"], bad["ended"], bad["curve"]) == ("irnn", "failed", [])
    assert bad["lr_scale"] == 0.125
    assert "diverged again" in bad["error"]
