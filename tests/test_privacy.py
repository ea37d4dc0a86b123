"""What a model file gives away of its text: as `charrnn info` and the end of training tell it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from charrnn.cli.progress import TrainingDisplay
from charrnn.cli.terminal import Color
from charrnn.experts.layout import COUNTS, SYMBOLS
from charrnn.experts.privacy import what_is_given_away
from charrnn.experts.rule import Rule
from charrnn.model import checkpoint
from charrnn.model.config import ModelConfig
from charrnn.runs.events import RunFinished
from tests.conftest import Run, random_checkpoint

CONFIG = ModelConfig(vocab_size=11, hidden_size=13, ngram_order=3)
SENTENCE = (
    "this file holds pieces, up to 4 characters long, of the text that it learned from; train with "
    "--private to keep only what stands there twice or more, with --ngram-order 0 to keep none"
)


def row(shown: bytes, label: str) -> str | None:
    """What stands behind a label; None if it is not there."""
    rows = dict(line.split("  ", 1) for line in shown.decode().splitlines() if "  " in line)
    return rows[label].strip() if label in rows else None


def test_info_tells_what_is_kept_of_the_text_and_what_to_do_about_it(
    cli: Run, model_file: Path
) -> None:
    model = random_checkpoint(CONFIG)
    checkpoint.write(model_file, model)
    kept = len(model.weights[SYMBOLS]) - 1
    size = sum(model.weights[name].nbytes for name in COUNTS)
    shown = cli("info", "letters").stdout
    assert row(shown, "privacy") == SENTENCE
    assert row(shown, "experts") == (
        f"contexts of up to 3 characters, {kept:,} n-grams in {size / 1e6:.2f} MB "
        "(--ngram-min-count 1)"
    )
    record = json.loads(cli("info", "letters", "--json").stdout)
    assert record["ngrams"] == {"kept": kept, "bytes": size}
    assert record["model"]["ngram_order"] == 3


def test_info_tells_the_rule_that_kept_less(cli: Run, model_file: Path) -> None:
    config = replace(CONFIG, ngram_order=1, private=True, ngram_min_count=3)
    checkpoint.write(model_file, random_checkpoint(config))
    shown = cli("info", "letters").stdout
    experts = row(shown, "experts")
    assert experts is not None
    assert experts.startswith("contexts of up to 1 character, ")
    assert experts.endswith(" (--ngram-min-count 3, --private)")
    assert row(shown, "privacy") == (
        "this file holds pieces, up to 2 characters long, of what stands 3 times or more in the "
        "text that it learned from; train with --ngram-order 0 to keep none"
    )


def test_a_model_without_experts_has_nothing_to_tell(cli: Run, model_file: Path) -> None:
    shown = cli("info", "letters").stdout
    assert (row(shown, "experts"), row(shown, "privacy")) == (None, None)
    assert json.loads(cli("info", "letters", "--json").stdout)["ngrams"] is None


def test_the_sentence_names_options_as_python_does() -> None:
    sentence = what_is_given_away(Rule(6, private=True), "byte")
    assert "up to 7 bytes long, of what stands twice or more" in sentence
    assert "`ngram_order` 0" in sentence
    assert "`private`" in what_is_given_away(Rule(6, min_count=5), "byte")


@pytest.mark.parametrize("ngram_order", [0, 3])
def test_the_end_of_training_says_so(
    ngram_order: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run" / "model.safetensors"
    path.parent.mkdir()
    checkpoint.write(path, random_checkpoint(replace(CONFIG, ngram_order=ngram_order)))
    display = TrainingDisplay(Color.NEVER)
    display.show(RunFinished("finished", 9, path, val_nats=1.5, elapsed_s=3))
    shown = capsys.readouterr().err.encode()
    assert row(shown, "privacy") == (SENTENCE if ngram_order else None)
    assert row(shown, "write with") == "charrnn sample run"
