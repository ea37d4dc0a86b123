"""Text, arguments and names of files are UTF-8, whatever the locale says."""

import os
import pty
import select
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from charrnn.corpus.vocabulary import Vocabulary
from charrnn.model import checkpoint
from charrnn.model.config import ModelConfig
from tests.conftest import TEXT, Run, random_checkpoint

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""An environment in which Python takes everything for ASCII."""
SMALL = ["--hidden-size", "8", "--batch-size", "4", "--seq-len", "16", "--steps", "2"]
SYMBOLS = "\n abcé🙂"


def write_model(folder: Path) -> None:
    """A run called `née`, whose model knows letters that are not ASCII."""
    model = random_checkpoint(ModelConfig(vocab_size=len(SYMBOLS), hidden_size=8))
    path = folder / "checkpoints" / "née" / "model.safetensors"
    path.parent.mkdir(parents=True)
    checkpoint.write(path, replace(model, vocabulary=Vocabulary(SYMBOLS)))


def test_a_prompt_and_its_answers_are_utf8(cli: Run, tmp_path: Path) -> None:
    write_model(tmp_path)
    options = ("sample", "née", "-i", "-q", "-n", "9", "--seed", "1")
    typed = "é\n🙂\n☃\n/more\n".encode()
    plain = cli(*options, stdin=typed, environment={})
    done = cli(*options, stdin=typed, environment=ASCII)
    assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, plain.stderr)
    assert done.stderr.decode().startswith("charrnn: no character '☃' in this model's vocabulary")
    assert done.stderr.count(b"\n") == 1


def test_a_script_from_windows_is_the_same_script(cli: Run, tmp_path: Path) -> None:
    write_model(tmp_path)
    options = ("sample", "née", "-i", "-q", "-n", "9", "--seed", "1")
    lines = ["é", "ab", "/temp 0.5", "c"]
    plain = cli(*options, stdin="\n".join(lines).encode())
    done = cli(*options, stdin=("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    assert plain.stderr == b"temperature 0.5\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, plain.stderr)


def test_arguments_files_and_messages_are_utf8(cli: Run, tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "prime é.txt").write_text("é🙂", encoding="utf-8")
    (tmp_path / "fête.txt").write_text(TEXT, encoding="utf-8")
    prime = ("sample", "née", "-n", "0", "-q")
    for source in (("--prime", "é🙂"), ("--prime-file", "prime é.txt"), ("--prime-file", "-")):
        done = cli(*prime, *source, stdin="é🙂".encode(), environment=ASCII)
        assert (done.stdout.decode(), done.stderr) == ("é🙂", b"")
    trained = cli("train", "fête.txt", "-v", *SMALL, environment=ASCII)
    assert trained.returncode == 0, trained.stderr
    assert (tmp_path / "checkpoints" / "fête" / "plan.json").exists()
    assert "repeat with: charrnn train 'fête.txt'" in trained.stderr.decode()
    assert cli("eval", "fête", environment=ASCII).stdout.decode().startswith("fête: validation")
    absent = cli("sample", "fètè", environment=ASCII)
    assert absent.returncode == 1
    assert absent.stderr.decode().startswith("charrnn: no model 'fètè': no run")


def test_a_letter_that_is_typed_at_a_terminal_is_one_letter(tmp_path: Path) -> None:
    """Erasing takes back a whole letter, of several bytes, also where the locale knows only one."""
    write_model(tmp_path)
    command = [sys.executable, "-m", "charrnn", "sample", "née", "-i", "-q", "-n", "0"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execvpe(command[0], command, {**os.environ, **ASCII, "TERM": "dumb"})
    seen = b""

    def read_until(text: str) -> str:
        nonlocal seen
        end = time.monotonic() + 60
        while text.encode() not in seen:
            assert time.monotonic() < end, seen
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 4096)
        shown, seen = seen.decode(), b""
        return shown

    try:
        read_until("> ")
        os.write(terminal, "é🙂☃\x7f\n".encode())
        assert "charrnn:" not in read_until("\r\n> ")
        os.write(terminal, "☃\n".encode())
        assert "charrnn: no character '☃'" in read_until("\r\n> ")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
