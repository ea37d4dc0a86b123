"""A coverage-guided fuzzer on the readers of model, training state, saved state and ids files.

    python -m tests.fuzz_loader -max_total_time=60 [FOLDER OF INPUTS]

Needs atheris, which `make fuzz-loader` installs. The first byte of an input says which reader it is
for. Whatever a reader raises beside a CharRNNError is a finding. Beside raw bytes there are inputs
whose JSON is sealed once more with a checksum that agrees, so that what lies behind it is reached.
"""

import random
import sys
import tempfile
from pathlib import Path
from types import FunctionType

import atheris

from charrnn.corpus import encoded, ids_file, vocabulary
from charrnn.errors import CharRNNError
from charrnn.experts import layout
from charrnn.files import formats, sealed_file, typed_json
from charrnn.model import checkpoint, config
from charrnn.runs import saves
from charrnn.sampling import saved_state
from charrnn.training import trainer
from tests.fuzz_files import Subject, make_subjects, reseal

READERS = [
    sealed_file,
    typed_json,
    formats,
    layout,
    checkpoint,
    vocabulary,
    config,
    saves,
    saved_state,
    ids_file,
    encoded,
    trainer,
]
FOLDER = tempfile.mkdtemp(prefix="charrnn-fuzz-")
SUBJECTS: list[Subject] = make_subjects(Path(FOLDER))


def instrument() -> None:
    """Let atheris see which lines of the readers an input reaches."""
    for module in READERS:
        for thing in list(vars(module).values()):
            if getattr(thing, "__module__", None) == module.__name__:
                members = vars(thing).values() if isinstance(thing, type) else [thing]
                for member in members:
                    if isinstance(member, FunctionType):
                        atheris.instrument_func(member)


def test_one_input(data: bytes) -> None:
    if not data:
        return
    subject = SUBJECTS[data[0] % len(SUBJECTS)]
    content = data[1:]
    if data[0] >= 128:  # the bytes decide how a good file is changed and sealed again
        chance = random.Random()
        chance.seed(content, version=2)
        content = reseal(subject.good, chance)
    path = Path(FOLDER, "input")
    path.write_bytes(content)
    try:
        subject.read(path)
    except CharRNNError as error:
        if "\n" in str(error):
            raise RuntimeError("more than one line") from error


def main() -> None:
    instrument()
    seeds = Path(FOLDER, "seeds")
    seeds.mkdir()
    for number, subject in enumerate(SUBJECTS):
        (seeds / subject.suffix).write_bytes(bytes([number]) + subject.good)
        (seeds / f"{subject.suffix}-sealed").write_bytes(bytes([129 + number, 1]))
    atheris.Setup([*sys.argv, "-rss_limit_mb=2048", "-timeout=2", str(seeds)], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
