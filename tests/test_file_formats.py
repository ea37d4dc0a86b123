"""The promise of docs/file-formats.md: what was written is read, and what is newer is said to be.

Each version of each format that is still read has a fixture, a file that a charrnn of that version
wrote; none of them is ever written anew.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import charrnn
from charrnn.corpus import ids_file
from charrnn.corpus.cache import Cache
from charrnn.corpus.progress import silent
from charrnn.errors import CheckpointError, NewerFormatError, RunError
from charrnn.experts import layout
from charrnn.experts.codes import CODES, code_of
from charrnn.experts.layout import from_tensors
from charrnn.experts.rule import BUCKETS
from charrnn.experts.table import Table
from charrnn.files import formats, sealed_file
from charrnn.files.formats import FORMATS, Format
from charrnn.files.run_folder import RunFolder
from charrnn.files.typed_json import canonical_json
from charrnn.inference.make_network import make_network
from charrnn.model import checkpoint
from charrnn.model.checkpoint import Checkpoint
from charrnn.model.config import ModelConfig
from charrnn.plan.plan import Plan
from charrnn.runs import saves
from charrnn.runs.events import EvalReport, StepReport
from charrnn.runs.metrics import Metric, Metrics
from charrnn.sampling import saved_state
from charrnn.sampling.config import SamplingConfig
from charrnn.sampling.writers import make_writer
from tests.conftest import TEXT, Run

FOLDER = Path(__file__).parent / "fixtures"
FIXTURES = {
    ("charrnn-model", 1): "stopped_run/model.safetensors",
    ("charrnn-model", 2): "experts.safetensors",
    ("charrnn-training", 2): "stopped_run/training.safetensors",
    ("charrnn-state", 1): "story.safetensors",
    ("charrnn-state", 2): "story-2.safetensors",
    ("charrnn-ids", 2): "stopped_run/corpus.ids",
    ("charrnn-plan", 1): "stopped_run/plan.json",
    ("charrnn-plan", 2): "plan-2.json",
    ("charrnn-metrics", 1): "stopped_run/metrics.jsonl",
}
"""A file of each format and version, below FOLDER."""
MODEL_OF_ALL = FOLDER / "stopped_run" / "model.safetensors"
STORIES = {1: "r:DD0g;c\nlnTDnbh TcFF?:!X46w: ", 2: "6;FD0f;c\nlnTDnbh TcFF?:!X46w: "}
"""What follows the saved state of each version in fp32 with seed 7."""


def header(path: Path) -> dict[str, Any]:
    """The header of a file of any format."""
    match path.suffix:
        case ".safetensors":
            return sealed_file.SealedFile(path).header
        case ".ids":
            data = path.read_bytes()
            found = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        case ".jsonl":
            found = json.loads(path.read_text().splitlines()[0])
        case _:
            found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def read_model(path: Path) -> None:
    """The models of both versions are of one run; the second has experts beside the net."""
    model = checkpoint.read(path)
    assert replace(model.config, ngram_order=0) == ModelConfig(40, "lstm", 1, 6, 3, dropout=0.05)
    assert model.weights["rnn.weight_hh_l0"].shape == (4 * 6, 6)
    assert (model.step, model.losses.val_characters) == (6, 299)
    assert model.training["loop"]["batch_size"] == 3
    if path == MODEL_OF_ALL:
        assert model.config.ngram_order == 0
        return
    table = from_tensors(model.weights, model.config.vocab_size, 2)
    nodes, _ = table.walk(model.vocabulary.encode("the")[:, None], table.nothing_read(1))
    counts = table.entries(nodes[2, :, 1])  # what followed "he"
    assert model.vocabulary.decode(counts.symbols) == " "
    assert counts.slots % CODES == code_of(np.array([129]))


def read_training_state(path: Path) -> None:
    layout = sealed_file.SealedFile(path).layout
    sha256 = Plan.read(FOLDER / "stopped_run" / "plan.json").corpus.sha256
    state = saves.read(path, layout, sha256).state
    assert (state.trainer["step"], state.evaluated_step, state.finished) == (6, 6, False)
    assert state.best is not None
    assert state.best.step == checkpoint.read(MODEL_OF_ALL).step


def with_experts(model: Checkpoint) -> Checkpoint:
    """`model` with n-gram experts that know what follows a few contexts of up to two symbols."""
    config = replace(model.config, ngram_order=2)
    table = Table(
        vocab_size=40,
        order=2,
        symbols=np.array([0, 3, 5, 5, 3, 7, 3, 5, 9], np.uint16),  # 3, 5; 35, 53, 57; 353, 535, 539
        codes=np.array([0, 9, 8, 1, 4, 4, 3, 1, 9], np.uint8),
        first_child=np.array([1, 3, 4, 6, 7, 9, 9], np.uint32),
    )
    shares = np.zeros((2, BUCKETS, CODES), np.float32) + 2 * np.arange(CODES, dtype=np.float32)
    experts = {
        "experts.weight": np.full((2, BUCKETS), 0.25, np.float32),
        "experts.log_offset": np.full((2, BUCKETS), -4, np.float32),
        "experts.gate": np.full((2, 6), 0.5, np.float32),
        **layout.to_tensors(table, shares),
    }
    return replace(model, config=config, weights=model.weights | experts)


def read_saved_state(path: Path) -> None:
    """That of version 1 is of the model of all, that of version 2 of the model with experts."""
    model, version = checkpoint.read(MODEL_OF_ALL), header(path)["format_version"]
    if version >= 2:
        model = with_experts(model)
    place = saved_state.read(path, model)
    config = SamplingConfig(seed=7, temperature=1.0, length=30)
    writer = make_writer(make_network(model.config, model.weights), place, config)
    assert model.vocabulary.decode(writer.write(30)[:, 0]) == STORIES[version]


def read_ids(path: Path) -> None:
    text = ids_file.open_ids(path)
    decoded = text.vocabulary.decode(np.asarray(text.ids))
    assert (len(text.ids), len(text.vocabulary)) == (3000, 40)
    assert hashlib.sha256(decoded.encode()).hexdigest() == text.sha256


def read_plan(path: Path) -> None:
    """The plans of both versions are of one run."""
    plan = Plan.read(path)
    assert (plan.step.batch_size, plan.step.seq_len, plan.step.engine) == (3, 10, "reference")
    assert (plan.run.steps, plan.run.eval_every, plan.run.eval_chars) == (12, 3, 64)
    assert (plan.model.hidden_size, plan.optimizer.lr, plan.corpus.num_symbols) == (6, 0.009, 3000)
    assert plan == Plan.read(FOLDER / "stopped_run" / "plan.json")


def read_metrics(path: Path) -> None:
    reports = Metrics(path).read()
    assert [report.step for report in reports][:8] == [1, 2, 3, 3, 4, 5, 6, 6]
    assert isinstance(reports[2], StepReport)
    assert isinstance(reports[3], EvalReport)
    assert reports[3].val_characters == 299


READERS: dict[str, Callable[[Path], None]] = {
    "charrnn-model": read_model,
    "charrnn-training": read_training_state,
    "charrnn-state": read_saved_state,
    "charrnn-ids": read_ids,
    "charrnn-plan": read_plan,
    "charrnn-metrics": read_metrics,
}
VERSIONS = [
    (format_, version)
    for format_ in FORMATS
    for version in range(format_.oldest, format_.current + 1)
]


@pytest.mark.parametrize(
    ("format_", "version"), VERSIONS, ids=lambda value: getattr(value, "name", value)
)
def test_every_version_that_is_still_read_has_a_fixture_that_loads(
    format_: Format, version: int
) -> None:
    assert (format_.name, version) in FIXTURES, "add a file of that version to tests/fixtures"
    path = FOLDER / FIXTURES[format_.name, version]
    assert format_.check(path, header(path)) == version
    READERS[format_.name](path)


def test_every_file_that_is_written_says_that_it_is_of_the_current_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options: dict[str, Any] = {"hidden_size": 7, "engine": "reference", "precision": "fp32"}
    text = io.BytesIO(TEXT.encode())
    model = charrnn.train("-", stdin=text, name="new", steps=2, eval_chars=64, **options)
    folder = RunFolder(Path("checkpoints", "new"))
    place = model.place_after("the ", model.network())
    saved_state.write(Path("place.safetensors"), place, model.checkpoint)
    for format_, path in (
        (formats.MODEL, folder.model),
        (formats.TRAINING_STATE, folder.training),
        (formats.SAVED_STATE, Path("place.safetensors")),
        (formats.IDS, folder.corpus),
        (formats.PLAN, folder.plan),
    ):
        found = header(path)
        assert found["format_version"] == format_.current
        assert format_.check(path, found) == format_.current
    assert formats.METRICS.check(folder.metrics, header(folder.metrics)) == formats.METRICS.current


def from_the_future(format_: Format, path: Path) -> None:
    """Make the fixture of a format at `path` one of version 99."""
    newer = {"format": format_.name, "format_version": 99}
    match path.suffix:
        case ".safetensors":
            found, tensors = sealed_file.read(path)
            sealed_file.write(path, {**found, **newer}, tensors)
        case ".ids":
            data = path.read_bytes()
            start = 8 + int.from_bytes(data[:8], "little")
            found = {**header(path), **newer}
            del found["checksum"]
            checksum = hashlib.sha256(canonical_json(found).encode()).hexdigest()
            text = canonical_json({**found, "checksum": checksum}).encode()
            path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])
        case ".jsonl":
            path.write_text(json.dumps(newer) + "\n" + path.read_text())
        case _:
            path.write_text(json.dumps({**header(path), **newer}))


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_a_newer_file_is_one_line_that_says_so(format_: Format, tmp_path: Path) -> None:
    fixture = FOLDER / FIXTURES[format_.name, format_.current]
    path = tmp_path / fixture.name
    shutil.copy(fixture, path)
    from_the_future(format_, path)
    with pytest.raises(NewerFormatError) as caught:
        READERS[format_.name](path)
    assert str(caught.value) == f"{str(path)!r} {told_of_the_future(format_)}"


def told_of_the_future(format_: Format) -> str:
    """What is said of a file of version 99, after its name."""
    reads = f"version {format_.current}"
    if format_.oldest != format_.current:
        reads = f"versions {format_.oldest} to {format_.current}"
    return f"has format {format_.name} version 99; this charrnn reads {reads}: upgrade charrnn"


@pytest.mark.parametrize(
    ("format_", "name"),
    [
        (formats.PLAN, "plan.json"),
        (formats.IDS, "corpus.ids"),
        (formats.TRAINING_STATE, "progress.safetensors"),
        (formats.TRAINING_STATE, "training.safetensors"),
        (formats.MODEL, "model.safetensors"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_run_that_a_later_charrnn_has_gone_on_with_is_left_alone(
    format_: Format, name: str, tmp_path: Path, cli: Run
) -> None:
    run = tmp_path / "checkpoints" / "stopped_run"
    shutil.copytree(FOLDER / "stopped_run", run)
    from_the_future(format_, run / name)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    done = cli("train", "--resume", "stopped_run")
    assert done.returncode == 1
    assert (
        done.stderr.decode()
        .splitlines()[-1]
        .startswith(
            f"charrnn: 'checkpoints/stopped_run/{name}' has format {format_.name} version 99; "
        )
    )
    assert b"Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_newer_models_and_states_are_one_line_of_the_command(tmp_path: Path, cli: Run) -> None:
    for name in ("new", "old"):
        shutil.copytree(FOLDER / "stopped_run", tmp_path / "checkpoints" / name)
    shutil.copy(FOLDER / "story.safetensors", tmp_path / "story")
    shutil.copy(tmp_path / "story", tmp_path / "story.safetensors")
    from_the_future(formats.SAVED_STATE, tmp_path / "story.safetensors")
    from_the_future(formats.MODEL, tmp_path / "checkpoints" / "new" / "model.safetensors")
    for arguments, format_ in (
        (["sample", "old", "--load-state", "story.safetensors"], formats.SAVED_STATE),
        (["sample", "new"], formats.MODEL),
        (["info", "new"], formats.MODEL),
    ):
        done = cli(*arguments)
        assert (done.returncode, done.stdout) == (1, b"")
        (line,) = done.stderr.decode().splitlines()
        assert line.startswith("charrnn: '")
        assert line.endswith(f"' {told_of_the_future(format_)}")
    listed = cli("list", "--json")
    assert listed.returncode == 0
    assert [json.loads(line)["name"] for line in listed.stdout.splitlines()] == ["old"]
    assert b"upgrade charrnn" in listed.stderr


def test_the_cache_of_a_later_charrnn_can_be_listed_and_cleared(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "stopped_run" / "corpus.ids", tmp_path / "0.ids")
    from_the_future(formats.IDS, tmp_path / "0.ids")
    (entry,) = Cache(tmp_path).entries()
    assert (entry.num_ids, entry.size) == (0, (tmp_path / "0.ids").stat().st_size)
    assert Cache(tmp_path).clear(silent) == entry.size


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"format": "charrnn-model"},
            RunError,
            "is not a training state: its format is 'charrnn-m",
        ),
        ({"format": None}, RunError, "is not a training state: it names no format"),
        ({"format": 3}, RunError, "its format is 3 version 2"),
        ({"format_version": True}, RunError, "'charrnn-training' version True"),
        ({"format_version": 0}, RunError, "'charrnn-training' version 0"),
        ({"format_version": "2"}, RunError, "'charrnn-training' version '2'"),
        (
            {"format_version": 1},
            RunError,
            "version 1, which is too old; this charrnn reads version 2",
        ),
        (
            {"format_version": 3},
            NewerFormatError,
            "version 3; this charrnn reads version 2: upgrade",
        ),
        ({"format_version": 10**4000}, NewerFormatError, "version 10+; this charrnn"),
    ],
)
def test_what_is_not_of_a_version_that_is_read_is_refused(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    entries = {"format": "charrnn-training", "format_version": 2, **change}
    with pytest.raises(error, match=message) as caught:
        formats.TRAINING_STATE.check(Path("x"), entries)
    assert len(str(caught.value)) < 200


def test_only_a_format_with_unmarked_files_takes_them() -> None:
    assert formats.PLAN.check(Path("x"), {"corpus": {}}) == 1
    assert formats.METRICS.check(Path("x"), {"event": "step"}) == 1
    with pytest.raises(CheckpointError, match="it names no format"):
        formats.MODEL.check(Path("x"), {"characters": "ab"})


STEP = StepReport(4, 2.5, 0.01, 0.75, 1000.0, 3.5)


def test_metrics_survive_the_round_trip(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    written: list[Metric] = [STEP, EvalReport(4, 2.25, 64, carried=False, best=True, elapsed_s=4)]
    for report in written:
        metrics.append(report)
    assert metrics.read() == written


def test_an_infinite_gradient_of_an_older_charrnn_is_no_damage(tmp_path: Path) -> None:
    line = json.dumps({"event": "step", **asdict(STEP), "grad_norm": float("inf")})
    (tmp_path / "metrics.jsonl").write_text(line + "\n")
    (report,) = Metrics(tmp_path / "metrics.jsonl").read()
    assert isinstance(report, StepReport)
    assert (report.grad_norm, report.train_nats) == (None, 2.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "sneeze"}, "'event' is 'sneeze', not one of step, eval, rollback"),
        ({"train_nats": float("nan")}, "'train_nats' is None, not float"),
        ({"step": "4"}, "'step' is '4', not int"),
        ({"lr": None}, "'lr' is None, not float"),
    ],
)
def test_a_damaged_line_of_metrics_is_named(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    good = {"event": "step", **asdict(STEP)}
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps({**good, **change})}\n")
    with pytest.raises(RunError, match=rf"line 2 of .* is damaged: {message}"):
        Metrics(path).read()
