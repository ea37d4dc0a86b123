"""What a Python caller meets: one line that names a wrong argument; models that can be copied."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import charrnn
from charrnn.errors import UsageError
from charrnn.plan.request import TrainingRequest
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.trained_model import Model


@pytest.fixture
def model(model_file: Path) -> Model:
    return charrnn.load(model_file)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_that_has_written_can_be_copied_and_pickled(
    copied: Callable[[Model], Model], model: Model
) -> None:
    text = list(model.generate(length=20, seed=3))
    assert list(copied(model).generate(length=20, seed=3)) == text


def test_sizes_and_times_are_read_as_on_the_command_line() -> None:
    given = TrainingRequest(budget="1.5m", hidden_size="1k").given
    assert (given["budget"], given["hidden_size"]) == (90, 1000)
    assert TrainingRequest(budget="90").given["budget"] == 90
    assert TrainingRequest(save_every=500).given["save_every"] == "500"  # type: ignore[arg-type]
    assert SamplingConfig(length="10k", seed="7").length == 10_000  # type: ignore[arg-type]


def test_one_text_stands_for_itself_where_there_may_be_several() -> None:
    assert TrainingRequest(include="*.txt").text_config().include == ("*.txt",)
    assert TrainingRequest(exclude=["a", "b"]).text_config().exclude == ("a", "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 20.0}, "`length` must be a whole number, not float"),
        ({"length": True}, "`length` must be a whole number, not bool"),
        ({"seed": torch.tensor(1)}, "`seed` must be a whole number, not Tensor"),
        ({"seed": "x"}, "`seed`: 'x' is not a whole number such as 500, 10k or 5M"),
        ({"prime": None}, "`prime` must be a text, not None"),
        ({"stop": [3]}, "`stop` must be a text or several, not int"),
        (
            {"temprature": 1},
            "no sampling option is called 'temprature'; did you mean 'temperature'?",
        ),
        ({"samples": 2}, "no sampling option is called 'samples'"),
        ({"unknown": "maybe"}, "`unknown` maybe: choose one of error, skip, replace"),
        ({"precision": "fp8"}, "`precision` fp8: choose one of auto, fp32, bf16, int8"),
    ],
)
def test_a_mistake_in_sampling_is_named(
    options: dict[str, Any], message: str, model: Model
) -> None:
    with pytest.raises((UsageError, TypeError)) as refused:
        model.generate(**options)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "soon"}, "`budget`: 'soon' is not a time such as 90s, 5m or 2h"),
        ({"budget": "0s"}, "`budget` 0: must be from 1 to 1000000000 seconds"),
        ({"lr": "0.1"}, "`lr` must be a number, not str"),
        ({"budgt": 5}, "no training option is called 'budgt'; did you mean 'budget'?"),
        ({"include": [3]}, "`include` must be a text or several, not int"),
        ({"name": 3}, "`name` must be a text, not int"),
        ({"replace": True}, "`replace` needs the `name` of the run to write over"),
    ],
)
def test_a_mistake_in_training_is_named(
    options: dict[str, Any], message: str, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(text_file.parent)
    with pytest.raises((UsageError, TypeError)) as refused:
        charrnn.train(text_file, **options)
    assert str(refused.value) == message
    assert not Path("checkpoints").exists()


@pytest.mark.parametrize(
    ("function", "arguments", "options", "message"),
    [
        (charrnn.train, [3], {}, "`corpus` must be a path, a name or several, not int"),
        (charrnn.train, [[3]], {}, "`corpus` must be a path, a name or several, not int"),
        (charrnn.resume, [None], {}, "`name` must be a run's name, not None"),
        (charrnn.load, [3], {}, "`model` must be a run's name or a path, not int"),
        (charrnn.evaluate, ["a"], {}, "`model` must be a Model, such as charrnn.load returns, not"),
        (charrnn.compare, ["a"], {"cells": "elman"}, "`cells`: no cell 'elman'; there are rnn,"),
        (charrnn.compare, ["a"], {"parameters": 2.5}, "`parameters` must be a whole number, not"),
    ],
)
def test_an_argument_of_another_type_is_named(
    function: Callable[..., object], arguments: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises((UsageError, TypeError)) as refused:
        function(*arguments, **options)
    assert str(refused.value).startswith(message)


def test_a_split_that_there_is_not_is_named(model: Model) -> None:
    with pytest.raises(UsageError, match="`split` tset: choose one of train, validation, test"):
        charrnn.evaluate(model, "tset")  # type: ignore[arg-type]


def test_a_scripts_own_error_is_its_last_word(model_file: Path) -> None:
    """A thread that still samples when the interpreter ends never lets go of its network."""
    script = (
        "import threading, charrnn\n"
        "model = charrnn.load('letters')\n"
        "samples = threading.Event()\n"
        "def sample():\n"
        "    for _ in model.generate(length=-1):\n"
        "        samples.set()\n"
        "        threading.Event().wait()\n"
        "threading.Thread(target=sample, daemon=True).start()\n"
        "samples.wait()\n"
        "raise ValueError('mine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=model_file.parents[2], capture_output=True, timeout=60
    )
    assert done.stderr.decode().splitlines()[-1] == "ValueError: mine"
