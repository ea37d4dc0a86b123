"""Options that are declared once: what is made of a declaration, and what is refused."""

import ast
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

import charrnn
from charrnn import api
from charrnn.cli.arguments import parse_size
from charrnn.errors import UsageError
from charrnn.options import Range, check_options, declarations, flag, option
from charrnn.plan.keywords import TrainingKeywords
from charrnn.plan.optimizers import OptimizerConfig
from charrnn.plan.request import TRAINING_CONFIGS, TrainingRequest, training_options
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.keywords import SamplingKeywords
from charrnn.sampling.trained_model import Model
from tests.conftest import Run

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Kettle:
    """A config of its own, with an option of every kind of number."""

    litres: float = option(1.5, "Litres of water.", "Kettle", "L", within=Range(above=0, most=3))
    cups: int = option(4, "Cups to fill.", "Kettle", "N", within=Range(1), only_with=("tea", None))
    tea: str | None = option(None, "Name of the tea.", "Kettle", "NAME")

    def __post_init__(self) -> None:
        check_options(self)


def test_what_is_made_from_the_declarations_is_as_they_say() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_a_stale_file_is_named(tmp_path: Path) -> None:
    for folder in ("docs", "charrnn/plan", "charrnn/sampling"):
        (tmp_path / folder).mkdir(parents=True)
    script = tmp_path / "docs" / "generate.py"
    script.write_text((ROOT / "docs" / "generate.py").read_text(encoding="utf-8"), "utf-8")
    done = subprocess.run(
        [sys.executable, str(script), "--check"], cwd=ROOT, capture_output=True, timeout=60
    )
    assert done.returncode == 1
    assert b"docs/options.md" in done.stderr


@pytest.mark.parametrize(
    ("within", "words", "inside", "outside"),
    [
        (Range(1), "1 or more", 1, 0),
        (Range(0, most=7), "from 0 to 7", 7, 8),
        (Range(0, below=1), "at least 0 and below 1", 0, 1),
        (Range(above=0, most=0.5), "above 0 and at most 0.5", 0.5, 0),
        (Range(0), "0 or more", 3.5, float("nan")),
        (Range(0), "0 or more", 2**70, float("inf")),
    ],
)
def test_a_range_knows_its_numbers_and_says_them(
    within: Range, words: str, inside: float, outside: float
) -> None:
    assert str(within) == words
    assert inside in within
    assert outside not in within


def test_a_value_out_of_range_is_named_with_its_range() -> None:
    with pytest.raises(UsageError, match=r"^`litres` 3\.5: must be above 0 and at most 3$"):
        Kettle(litres=3.5)


@pytest.mark.parametrize("value", [True, ("2",), 2.0, None])
def test_a_value_of_another_type_is_a_type_error_that_names_it(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^`cups` must be a whole number, not "):
        Kettle(cups=value)


def test_a_number_of_another_library_becomes_pythons_own() -> None:
    kettle = Kettle(litres=np.float32(0.5), cups=np.int64(3))  # type: ignore[arg-type]
    assert (kettle.litres, kettle.cups) == (0.5, 3)
    assert (type(kettle.litres), type(kettle.cups)) == (float, int)


def test_help_says_each_default_and_each_spelling() -> None:
    litres, cups, tea = declarations(Kettle)
    assert (litres.flags, litres.default_words) == (("--litres",), "1.5")
    assert (cups.flags, cups.default_words) == (("--cups",), "4")
    assert tea.default_words == ""


@pytest.mark.parametrize("config", [*TRAINING_CONFIGS, SamplingConfig])
def test_every_option_says_in_a_sentence_what_it_does_and_every_number_has_bounds(
    config: type,
) -> None:
    for declared in declarations(config):
        assert declared.option.help.endswith("."), declared.name
        assert not declared.option.help.startswith("Of "), declared.name
        if declared.kind in (int, float):
            assert declared.option.within is not None, declared.name


@pytest.mark.parametrize(
    ("function", "keywords"),
    [
        (api.train, TrainingKeywords),
        (charrnn.train, TrainingKeywords),
        (Model.generate, SamplingKeywords),
    ],
)
def test_help_and_completion_show_every_keyword(function: Any, keywords: type) -> None:
    assert set(get_type_hints(keywords)) <= set(inspect.signature(function).parameters)


def test_an_unknown_keyword_is_a_type_error_with_the_nearest_name() -> None:
    with pytest.raises(TypeError, match="'hiden_size'; did you mean 'hidden_size'"):
        charrnn.train("no text", hiden_size=3)  # type: ignore[call-arg]


def test_train_offers_every_option_that_is_declared(cli: Run) -> None:
    told = cli("train", "--help").stdout.decode()
    for declared in training_options():
        assert all(f"{spelling} " in told for spelling in declared.flags), declared.name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 0.5}, "`momentum` has no meaning without `optimizer` sgd"),
        ({"alpha": 0.5, "optimizer": "sgd"}, "`alpha` has no meaning without `optimizer` rmsprop"),
        ({"lr_decay_after": 3}, "`lr_decay_after` has no meaning without `lr_decay`"),
        ({"engine": "reference", "precision": "bf16"}, "`engine` reference has fp32 only"),
        ({"engine": "native", "device": "cuda"}, "`engine` native: it runs on the cpu"),
        ({"reset_prob": 0.5, "records": "line"}, "`reset_prob` has no meaning with `records`"),
        ({"weight_drop": 0.5, "cell": "bow"}, "`cell` bow has no recurrent weights"),
        ({"encoding": "auto"}, "`encoding` auto"),
        ({"save_every": "auto"}, "`save_every` auto"),
        ({"lr": 100.0}, "`lr` 100: must be above 0 and below 100"),
        ({"init_range": 100.0}, "`init_range` 100: must be at least 0 and below 100"),
    ],
)
def test_an_option_is_honoured_or_refused_by_its_name(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        TrainingRequest(**options)
    assert message in str(refused.value)


def test_options_that_others_need_are_honoured_with_them() -> None:
    assert TrainingRequest(optimizer="sgd", momentum=0.5).optimizer_config().momentum == 0.5
    assert TrainingRequest(lr_decay=0.9, lr_decay_after=3).optimizer_config().lr_decay_after == 3
    preset = TrainingRequest(preset="char-rnn", lr_decay_after=3).with_preset()
    assert preset.optimizer_config().lr_decay_after == 3


def test_a_preset_leaves_out_what_another_optimizer_does_not_know() -> None:
    request = TrainingRequest(preset="char-rnn", optimizer="adamw").with_preset()
    assert "alpha" not in request.given
    assert request.optimizer_config().alpha == OptimizerConfig.alpha


def test_auto_is_left_to_the_plan() -> None:
    assert TrainingRequest(precision="auto") == TrainingRequest()


@pytest.mark.parametrize(
    "arguments", [("--dropout", "0"), ("--seed", "0"), ("--clip-norm", "0"), ("--bytes",)]
)
def test_a_resumed_run_refuses_an_option_whatever_its_value(
    cli: Run, arguments: tuple[str, ...]
) -> None:
    done = cli("train", "--resume", "nobody", *arguments)
    assert done.returncode == 2
    assert f"leave out {arguments[0]}" in done.stderr.decode()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9007199254740993", 2**53 + 1),
        ("18446744073709551615", 2**64 - 1),
        ("1.5k", 1500),
        ("-1", -1),
        ("1e3", 1000),
    ],
)
def test_whole_numbers_are_read_exactly(text: str, number: int) -> None:
    assert parse_size(text) == number


@pytest.mark.parametrize("text", ["", "k", "1.5", "inf", "nan", "1e999999999", "0x10"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not a whole number"):
        parse_size(text)


def test_a_flag_is_the_name_with_dashes() -> None:
    assert flag("seq_len") == "--seq-len"


def test_the_command_line_calls_an_option_by_its_flag_and_python_by_its_name(cli: Run) -> None:
    with pytest.raises(UsageError) as refused:
        TrainingRequest(encoding="latin-1", as_bytes=True)
    assert str(refused.value) == "`as_bytes` and `encoding` contradict each other: give one"
    told = cli("train", "a.txt", "--encoding", "latin-1", "--bytes").stderr.decode()
    assert told == "charrnn: --bytes and --encoding contradict each other: give one\n"


def test_no_message_below_the_command_line_names_a_flag() -> None:
    """Python callers get those messages, too; only what is quoted as a command has flags."""
    package = ROOT / "charrnn"
    flags = re.compile(r"(?<![\w-])--[a-z]")
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] not in ("cli", "training"):
            assert not [text for text in error_texts(path) if flags.search(text)], path


def error_texts(path: Path) -> list[str]:
    """What is constant in the message of every error, without what stands in backticks."""
    return [
        re.sub("`[^`]*`", "", "".join(constant_texts(argument)))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error")
        for argument in node.args
    ]


def constant_texts(argument: ast.expr) -> list[str]:
    """The texts that an expression holds, in their order."""
    parts = [part.value for part in ast.walk(argument) if isinstance(part, ast.Constant)]
    return [part for part in parts if isinstance(part, str)]
