"""Cells side by side: what is equal, what is shown, and what becomes of a run that goes wrong."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from charrnn.comparison.request import ComparisonRequest, nearest_width
from charrnn.errors import UsageError
from charrnn.files.run_folder import RunFolder
from charrnn.model import checkpoint
from charrnn.model.cells import CELLS, CellName
from charrnn.model.config import ModelConfig
from charrnn.plan.request import TrainingRequest
from tests.conftest import Run

SMALL = ["--parameters", "3k", "--embedding-size", "6", "--batch-size", "4", "--seq-len", "16"]
COLUMNS = ["cell", "hidden", "params", "ms/step", "chars", "seconds", "nats", "bits", "end"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("parameters", "num_layers"), [(4_000, 1), (200_000, 1), (3_000_000, 3)])
def test_no_other_width_comes_nearer(cell: CellName, parameters: int, num_layers: int) -> None:
    model = replace(ModelConfig(vocab_size=65), cell=cell, num_layers=num_layers)

    def distance(width: int) -> int:
        return abs(replace(model, hidden_size=width).num_parameters() - parameters)

    width = nearest_width(model, parameters)
    assert distance(width) == min(map(distance, range(max(1, width - 5), width + 6)))
    if parameters == 200_000:
        assert distance(width) < 0.01 * parameters


def test_what_cannot_be_compared_is_refused() -> None:
    shared = TrainingRequest()
    for cells, options, message in (
        ((), {}, "--cells: name some of rnn, gru"),
        (("gru", "gru"), {}, "gru is there twice"),
        (("gru", "elman"), {}, "no cell 'elman'; there are rnn, gru"),
        (("gru",), {"parameters": 0}, "--parameters 0"),
    ):
        with pytest.raises(UsageError, match=message):
            ComparisonRequest(cells, shared, **options)
    with pytest.raises(UsageError, match="--parameters 100: lstm with 1 units has"):
        ComparisonRequest(("lstm",), shared, 100).training("lstm", 65)


def test_a_comparison_makes_a_table_a_picture_and_runs_like_any_other(
    cli: Run, text_file: Path
) -> None:
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
    assert stderr.count("validation ~") >= 2
    picture = text_file.parent / "checkpoints" / "animals-compare.png"
    assert stderr.splitlines()[-1] == "curves: checkpoints/animals-compare.png"
    assert picture.read_bytes().startswith(b"\x89PNG")

    assert len(cli("sample", "animals-compare-gru", "-q", "-n", "9").stdout) == 9
    for cell, nats in ((row[0], row[6]) for row in shown):
        run = picture.parent / f"animals-compare-{cell}"
        assert f"{checkpoint.read(RunFolder(run).model).losses.val_nats:.4f}" == nats
        assert json.loads(RunFolder(run).plan.read_text())["budget_s"] == 1

    taken = cli("compare", text_file.name, "--cells", "rnn", "--name", "animals-compare")
    assert taken.returncode == 1
    assert b"a run named 'animals-compare-rnn' exists; write over it with" in taken.stderr


def test_all_is_equal_but_the_cell(cli: Run, text_file: Path) -> None:
    runs = text_file.parent / "checkpoints"
    (runs / "animals-compare-lstm").mkdir(parents=True)
    options = ["--cells", ",".join(CELLS), "--steps", "41", "--seed", "5"]
    done = cli("compare", text_file.name, "--json", "-q", "--plot", "a.svg", *options, *SMALL)
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert found["name"] == "animals-compare-2"
    cells = found["cells"]
    assert {cell["cell"] for cell in cells} == set(CELLS)
    assert [cell["val_nats"] for cell in cells] == sorted(cell["val_nats"] for cell in cells)
    assert all(2700 < cell["num_parameters"] < 3300 for cell in cells)
    plans = [json.loads((runs / cell["run"] / "plan.json").read_text()) for cell in cells]
    for part, names in (
        ("training", ("engine", "precision", "seed", "eval_chars", "batch_size", "patience")),
        ("optimizer", ("lr", "weight_decay")),
        ("model", ("dropout", "weight_drop", "embedding_size", "num_layers")),
    ):
        for name in names:
            assert len({json.dumps(plan[part][name]) for plan in plans}) == 1, name
    assert len({(plan["final_chars"], plan["corpus"]["sha256"]) for plan in plans}) == 1
    assert found["engine"] == plans[0]["training"]["engine"]
    assert (found["precision"], found["seed"], found["budget_s"]) == ("fp32", 5, None)
    assert found["equal_characters"] == 41 * 4 * 16
    assert found["equal_seconds"] == min(cell["seconds"] for cell in cells)
    for cell in cells:
        end = cell["curve"][-1]
        assert end["characters"] == end["step"] * 4 * 16 == cell["characters"]
        assert (end["nats"], end["seconds"]) == (cell["end_nats"], cell["seconds"])
        assert [point["step"] for point in cell["curve"]] == [*range(3, 41, 3), 41]
        assert cell["equal_characters_nats"] == cell["end_nats"]
        if cell["seconds"] == found["equal_seconds"]:
            assert cell["equal_seconds_nats"] == cell["end_nats"]
    assert (text_file.parent / "a.svg").stat().st_size > 1000


def test_an_interrupt_shows_what_there_is(text_file: Path) -> None:
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
    """Every loss of the gru is made infinite; and there is nothing to draw with."""
    program = (
        "import math, sys\n"
        "from dataclasses import replace\n"
        "from charrnn.cli.main import main\n"
        "from charrnn.training.trainer import Trainer\n"
        "sys.modules['matplotlib'] = None\n"
        "report = Trainer.report\n"
        "def diverging(self):\n"
        "    told = report(self)\n"
        "    is_gru = self.model.config.cell == 'gru'\n"
        "    return replace(told, train_nats=math.inf) if is_gru else told\n"
        "Trainer.report = diverging\n"
        "main()\n"
    )
    command = ["compare", text_file.name, "--cells", "gru,rnn", "--steps", "20", "--json", *SMALL]
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        cwd=text_file.parent,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 1
    *_, missing, failure = done.stderr.decode().splitlines()
    assert failure.startswith("charrnn: gru failed: training diverged again (loss inf after step ")
    assert missing == ("no picture: drawing needs one more package: pip install 'charrnn[plot]'")
    good, bad = json.loads(done.stdout)["cells"]
    assert (good["cell"], good["ended"], good["error"]) == ("rnn", "finished", None)
    assert good["val_nats"] > 0
    assert (bad["cell"], bad["ended"], bad["curve"]) == ("gru", "failed", [])
    assert bad["lr_scale"] == 0.125
    assert "diverged again" in bad["error"]
