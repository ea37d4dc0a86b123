"""Packages that charrnn can use and does not need: how a user installs one that is missing."""

import shlex
import sys
from pathlib import Path


def how_to_install(package: str) -> str:
    """The command that installs `package` beside charrnn, such as `pip install matplotlib`.

    It names the package alone and not an extra of charrnn: PyPI's `charrnn` is somebody else's.
    What pipx and uv have made is an environment without a pip of its own.
    """
    environment = Path(sys.prefix)
    if (environment / "pipx_metadata.json").is_file():
        return f"pipx inject {shlex.quote(environment.name)} {package}"
    if _is_made_by_uv(environment):
        return f"uv pip install --python {shlex.quote(str(environment))} {package}"
    return f"pip install {package}"


def _is_made_by_uv(environment: Path) -> bool:
    """Whether uv made the environment, for one of its tools or by `uv venv`."""
    try:
        lines = (environment / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # no virtual environment
        return False
    return any(line.split("=")[0].strip() == "uv" for line in lines)
