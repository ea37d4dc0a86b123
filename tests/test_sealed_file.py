"""A file with a checksum: whatever is changed in it is noticed."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from charrnn.errors import CheckpointError, OutputError
from charrnn.files import sealed_file
from charrnn.files.typed_json import canonical_json

HEADER = {"name": "é", "sizes": [1, 2], "loss": 0.1}
TENSORS: dict[str, NDArray[Any]] = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array([1, 255], np.uint8),
    "scalar": np.array(2.5, np.float32),
}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "x.safetensors"
    sealed_file.write(path, HEADER, TENSORS)
    return path


def test_header_and_tensors_survive_the_round_trip(sealed: Path) -> None:
    header, tensors = sealed_file.read(sealed)
    assert header == HEADER
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == TENSORS[name].dtype
        assert np.array_equal(tensor, TENSORS[name])


def test_the_header_is_canonical_json(sealed: Path) -> None:
    data = sealed.read_bytes()
    metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert list(metadata) == ["charrnn"]
    assert metadata["charrnn"].startswith('{"loss":0.1,"name":"é","sha256":"')


def test_every_changed_bit_is_noticed(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << (bit % 8)
        sealed.write_bytes(changed)
        with pytest.raises(CheckpointError) as caught:
            sealed_file.read(sealed)
        assert "\n" not in str(caught.value)


def test_every_truncation_is_noticed(sealed: Path) -> None:
    whole = sealed.read_bytes()
    for length in range(len(whole)):
        sealed.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            sealed_file.read(sealed)


def test_a_tensor_under_another_name_is_noticed(sealed: Path, tmp_path: Path) -> None:
    header, tensors = sealed_file.read(sealed)
    tensors["c"] = tensors.pop("b")
    digest = sealed_file.seal(HEADER, TENSORS)
    forged = canonical_json({**header, "sha256": digest})
    save_file(tensors, tmp_path / "forged", metadata={"charrnn": forged})
    with pytest.raises(CheckpointError, match="checksum"):
        sealed_file.read(tmp_path / "forged")


def test_a_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "model.pt"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(CheckpointError, match="is a pickle"):
        sealed_file.read(path)
    assert not (tmp_path / "ran").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "foreign", metadata={"format": "pt"})
    (tmp_path / "text").write_text("To be, or not to be")
    (tmp_path / "nothing").touch()
    for name, message in (
        ("foreign", "not one of charrnn's"),
        ("text", "damaged or not a charrnn file"),
        ("nothing", "damaged or not a charrnn file"),
        ("absent", "no file"),
    ):
        with pytest.raises(CheckpointError, match=message):
            sealed_file.read(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1,"a":1,"sha256":""}', "says something twice"),
        ('{"a":NaN,"sha256":""}', "Out of range"),
        ('{"a":1e999,"sha256":""}', "Out of range"),
        ('{"a":"\\ud800","sha256":""}', "surrogates not allowed"),
        ('{"a":' + "9" * 5000 + "}", "limit"),
        ("[" * 100_000, "recursion"),
        ("[]", "not a JSON object"),
        ("{}", "sha256"),
    ],
)
def test_hostile_json_is_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    save_file(dict(TENSORS), tmp_path / "hostile", metadata={"charrnn": text})
    with pytest.raises(CheckpointError, match=message) as caught:
        sealed_file.read(tmp_path / "hostile")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_layout_is_known_before_a_tensor_is_read(sealed: Path) -> None:
    opened = sealed_file.SealedFile(sealed)
    assert opened.layout == {"a": ("|u1", (2,)), "b": ("<f4", (2, 3)), "scalar": ("<f4", ())}


def test_an_endless_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.write((1 << 40).to_bytes(8, "little"))
        file.truncate(1 << 41)  # a sparse file: as long as it says, and no room taken
    with pytest.raises(CheckpointError, match="does not begin as one"):
        sealed_file.read(path)


def test_a_failed_write_leaves_the_old_file_and_no_other(
    sealed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before = sealed.read_bytes()
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OutputError, match=r"cannot write .*: No space left on device"):
        sealed_file.write(sealed, {"other": 1}, TENSORS)
    assert sealed.read_bytes() == before
    assert [path.name for path in sealed.parent.iterdir()] == [sealed.name]
