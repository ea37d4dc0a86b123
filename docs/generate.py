"""Write what is made from the option declarations: the keywords of the Python API, docs/options.md.

python docs/generate.py            write the files
python docs/generate.py --check    write nothing; exit with 1 if a file is not as it would be
"""

import sys
import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path

from charrnn.options import Declaration, declarations
from charrnn.plan.request import TRAINING_CONFIGS
from charrnn.sampling.config import SamplingConfig

ROOT = Path(__file__).parent.parent
WIDTH = 96
"""Columns of a docstring's text inside a class."""
BY = "Made from the option declarations by `make generate`; not edited by hand."
NOT_OF_GENERATE = ("samples",)
"""Options of `charrnn sample` that Model.generate, which writes one text, does not take."""


def keywords(name: str, doc: str, declared: Collection[Declaration]) -> str:
    """A Python module with a TypedDict that has a key for every option in `declared`."""
    lines = [f'"""{doc}', "", BY, '"""', ""]
    if any(each.kind is tuple for each in declared):
        lines.append("from collections.abc import Sequence")
    words = "Literal, TypedDict" if any(each.choices for each in declared) else "TypedDict"
    lines += [f"from typing import {words}", "", ""]
    lines += [f"class {name}(TypedDict, total=False):", f'    """{doc}"""', ""]
    for each in declared:
        lines.append(f"    {each.name}: {_annotation(each)}")
        lines += _docstring(each)
    return "\n".join(lines) + "\n"


def _annotation(declared: Declaration) -> str:
    if declared.choices:
        words = (*declared.choices, "auto") if declared.option.takes_auto else declared.choices
        return "Literal[" + ", ".join(f'"{word}"' for word in words) + "] | None"
    if declared.kind is tuple:
        return "str | Sequence[str] | None"
    if declared.kind is int or declared.option.is_duration:
        return f"{declared.kind.__name__} | str | None"
    return f"{declared.kind.__name__} | None"


def _docstring(declared: Declaration) -> list[str]:
    wrapped = textwrap.wrap(_sentence(declared), WIDTH - 6) or [""]
    wrapped[0] = f'"""{wrapped[0]}'
    wrapped[-1] += '"""'
    return [f"    {line}" for line in wrapped]


def _sentence(declared: Declaration) -> str:
    """The help, and for Python's users the default."""
    unit = " A number is in seconds." if declared.option.is_duration else ""
    default = f" Default: {declared.default_words}." if declared.default_words else ""
    return f"{declared.option.help}{unit}{default}"


def tables(declared: Collection[Declaration]) -> Iterator[str]:
    """A Markdown table for every panel, in the order in which help shows them."""
    for panel in dict.fromkeys(each.option.panel for each in declared):
        yield f"\n### {panel}\n"
        yield "| option | default | what it does |"
        yield "| --- | --- | --- |"
        for each in declared:
            if each.option.panel == panel:
                value = (each.option.metavar or "|".join(each.choices)).replace("|", "\\|")
                flags = ", ".join(f"`{flag}`" for flag in each.flags) + (
                    f" {value}" if value else ""
                )
                yield f"| {flags} | {each.default_words} | {each.option.help} |"


def page(training: Collection[Declaration], sampling: Collection[Declaration]) -> str:
    """docs/options.md."""
    lines = [
        "# Options",
        "",
        "Every option that changes a model or a text. A number may be written 10k or 5M, a time",
        "90s, 5m or 2h. The Python API takes the same options as keywords: `--seq-len 64` is",
        '`seq_len=64`, `--budget 5m` is `budget="5m"` or, in seconds, `budget=300`; `--bytes` is',
        "`as_bytes`. `charrnn compare` takes those of `charrnn train` but --cell, --preset and",
        "--init-from.",
        "",
        f"{BY}",
        "",
        "## charrnn train, charrnn compare",
        *tables(training),
        "",
        "## charrnn sample",
        *tables(sampling),
    ]
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """What every generated file should hold."""
    training = [each for config in TRAINING_CONFIGS for each in declarations(config)]
    sampling = list(declarations(SamplingConfig))
    generate = [each for each in sampling if each.name not in NOT_OF_GENERATE]
    return {
        ROOT / "charrnn/plan/keywords.py": keywords(
            "TrainingKeywords", "The keywords of charrnn.train and charrnn.compare.", training
        ),
        ROOT / "charrnn/sampling/keywords.py": keywords(
            "SamplingKeywords", "The keywords of Model.generate.", generate
        ),
        ROOT / "docs/options.md": page(training, sampling),
    }


def main() -> None:
    """Write the files, or with --check name those that are not as they would be written."""
    stale = []
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        raise SystemExit(f"not as the options are declared: {', '.join(stale)}; run make generate")


if __name__ == "__main__":
    main()
