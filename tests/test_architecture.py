"""The import rule of docs/architecture.md, read from the code, and proved by running commands."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from charrnn import checkpoint
from charrnn.model.config import ModelConfig
from tests.conftest import random_checkpoint

PACKAGE = Path(__file__).parent.parent / "charrnn"

# A module may import those listed before it, and its own group.
STAIRCASE = [
    ["errors"],
    ["model.cells"],
    ["vocabulary", "model.config", "engines.config", "typed_json"],
    [
        "quantization",
        "corpus.progress",
        "corpus.source",
        "corpus.compression",
        "corpus.lock",
    ],
    ["corpus.text", "corpus.symbols", "corpus.ids_file", "corpus.catalogue"],
    ["corpus.cache", "corpus.records", "corpus.streams", "corpus.statistics"],
    ["corpus.reading", "corpus.download"],
    ["corpus.encoded", "corpus.windows"],
    ["sealed_file", "run_folder"],
    ["checkpoint"],
    ["inference"],
    ["native_inference", "scoring"],
    ["sampling.config", "sampling.automaton", "sampling.choice", "sampling.generator"],
    ["sampling.expression", "sampling.limits", "sampling.texts", "sampling.saved_state"],
    ["trained"],
    ["training.config", "training.presets", "training.terms"],
    ["training.plan", "training.recipe"],
    ["training.events"],
    ["training.saves", "training.metrics", "training.fine_tuning"],
    ["training.curves"],
    ["training.comparison", "plotting"],
    ["engines.interface", "engines.reference", "engines.torch_kernels"],
    ["engines.native_kernels", "engines.choice"],
    ["model.char_rnn"],
    ["training.dropout", "training.optimizer", "training.evaluation", "training.timing"],
    ["training.trainer", "training.snapshot"],
    ["training.keeper"],
    ["training.planning", "training.run", "training.benchmark"],
    ["training.comparing"],
    ["api"],
    [
        "cli.arguments",
        "cli.escapes",
        "cli.prime_file",
        "cli.printing",
        "cli.terminal",
        "cli.interrupts",
        "cli.process",
        "cli.reading",
        "cli.quick_options",
    ],
    ["cli.text_options", "cli.optimizer_options", "cli.training_options"],
    ["cli.progress", "cli.prompt", "cli.terminal_plot"],
    ["cli.comparison_table"],
    [
        "cli.bench",
        "cli.compare",
        "cli.evaluate",
        "cli.corpus",
        "cli.info",
        "cli.sample",
        "cli.train",
    ],
    ["cli.main"],
]
LIGHT = STAIRCASE[:21]
PACKAGES = {"", "cli", "corpus", "engines", "model", "sampling", "training"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    """Every module that the file names in an import, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_every_module_has_its_step() -> None:
    modules = {module_name(path) for path in PACKAGE.rglob("*.py")}
    listed = {name for step in STAIRCASE for name in step}
    assert modules - PACKAGES - {"__main__"} == listed


def test_imports_point_downward_only() -> None:
    allowed: set[str] = set()
    for step in STAIRCASE:
        allowed |= {f"charrnn.{name}" for name in step}
        for name in step:
            path = PACKAGE / f"{name.replace('.', '/')}.py"
            modules = {f"charrnn.{n}" for s in STAIRCASE for n in s}
            assert imports(path) & modules <= allowed, name


def test_the_light_side_never_names_torch_and_only_the_cli_names_its_libraries() -> None:
    for step in STAIRCASE:
        for name in step:
            roots = {n.split(".")[0] for n in imports(PACKAGE / f"{name.replace('.', '/')}.py")}
            if step in LIGHT:
                assert "torch" not in roots, name
            if not name.startswith("cli."):
                assert not roots & {"typer", "rich", "tqdm"}, name


def imported_by(arguments: list[str], folder: Path) -> tuple[set[str], int]:
    """Run the command line in its own process; return what it had imported, and its exit code."""
    program = (
        "import json, os, sys\n"
        "from charrnn.cli.main import main\n"
        "sys.argv[0] = 'charrnn'\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    code = ended.code\n"
        "with open('imported.json', 'w') as file:\n"
        "    json.dump([sorted(sys.modules), code], file)\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
    modules, code = json.loads((folder / "imported.json").read_text())
    return set(modules), code


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["train", "--help"], ["compare", "--help"], ["-h"]]
)
def test_help_and_version_import_neither_torch_nor_numpy(
    arguments: list[str], tmp_path: Path
) -> None:
    modules, code = imported_by(arguments, tmp_path)
    assert code == 0
    assert not modules & {"torch", "numpy", "tqdm", "matplotlib"}


def test_completion_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "_CHARRNN_COMPLETE": "complete_bash",
        "COMP_WORDS": "charrnn tra",
        "COMP_CWORD": "1",
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    program = "import sys; sys.argv[0] = 'charrnn'; from charrnn.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=60
    )
    assert done.stdout.split() == [b"train"]
    imported = {line.rsplit(b"|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert b"charrnn.cli.main" in imported
    assert not imported & {b"torch", b"numpy"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sample", "-n", "5"], 0),
        (["info"], 0),
        (["list"], 0),
        (["eval"], 1),
        (["train"], 2),
        (["train", "x", "--cell", "elman"], 2),
        (["train", "x", "--dropout", "1"], 2),
        (["train", "no such file"], 1),
        (["compare", "x", "--cells", "gru,elman"], 2),
        (["train", "--resume", "nobody"], 1),
    ],
)
def test_what_needs_no_training_imports_no_torch(
    arguments: list[str], code: int, model_file: Path, tmp_path: Path
) -> None:
    modules, found = imported_by(arguments, tmp_path)
    assert found == code
    assert "torch" not in modules
    if arguments[0] in ("sample", "info", "list") and code == 0:
        assert "pydantic" not in modules


@pytest.mark.parametrize("arguments", [["sample", "-n", "5"], ["info"], ["list"]])
def test_a_cell_without_kernels_needs_no_torch_either(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "letters" / "model.safetensors"
    path.parent.mkdir(parents=True)
    checkpoint.write(path, random_checkpoint(ModelConfig(11, "jordan", 2, 13, 5)))
    modules, code = imported_by(arguments, tmp_path)
    assert code == 0
    assert "torch" not in modules


def test_importing_the_package_imports_neither_torch_nor_numpy() -> None:
    program = (
        "import sys, charrnn\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "assert charrnn.Vocabulary('ab').one_hot(1).tolist() == [0, 1]\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
