"""The import rule of docs/architecture.md, read from the code, and proved by running commands."""

import ast
import graphlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from charrnn.model import checkpoint
from charrnn.model.config import ModelConfig
from tests.conftest import random_checkpoint

PACKAGE = Path(__file__).parent.parent / "charrnn"

# From the ground up: a file may import from its own room and from those below it.
LIGHT_ROOMS = [
    "errors",
    "words",
    "quantities",
    "options",
    "cpus",
    "extras",
    "files",
    "corpus",
    "native",
    "experts",
    "model",
    "inference",
    "sampling",
    "plan",
    "runs",
    "comparison",
]
TORCH_ROOMS = ["engines", "training"]
ROOMS = [*LIGHT_ROOMS, *TORCH_ROOMS, "api", "cli"]


@cache
def modules() -> dict[str, Path]:
    """Every module of the package but its front doors, by name: `files.lock`, `errors`."""
    paths = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE]
    paths += [path for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


@cache
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


def own_imports(path: Path) -> set[str]:
    """The modules of the package that the file imports."""
    known = modules()
    return {name for name in known if f"charrnn.{name}" in imports(path)}


def room(name: str) -> str:
    return name.split(".")[0]


def test_every_room_is_known() -> None:
    assert {room(name) for name in modules()} == set(ROOMS)


@pytest.mark.parametrize("name", modules())
def test_imports_point_downward_only(name: str) -> None:
    upward = {
        other
        for other in own_imports(modules()[name])
        if ROOMS.index(room(other)) > ROOMS.index(room(name))
    }
    assert not upward


def test_no_two_modules_need_each_other() -> None:
    graph = {
        name: {other for other in own_imports(path) if "." in other} - {name}
        for name, path in modules().items()
        if path.name != "__init__.py"
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", modules())
def test_only_two_rooms_know_torch_and_only_the_command_line_its_libraries(name: str) -> None:
    roots = {imported.split(".")[0] for imported in imports(modules()[name])}
    if room(name) not in TORCH_ROOMS:
        assert "torch" not in roots
    if room(name) != "cli":
        assert not roots & {"typer", "rich", "tqdm"}


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
