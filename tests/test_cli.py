"""The command as people run it: subprocesses, real pipes, exit codes, what is on which stream."""

import fcntl
import json
import os
import pickle
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import charrnn
from charrnn.cli.interrupts import Interrupts
from charrnn.model import checkpoint
from charrnn.runs.events import StopRequest
from tests.conftest import TEXT, Run

SMALL = ["--hidden-size", "16", "--batch-size", "4", "--seq-len", "16"]


def last_line(stderr: bytes) -> str:
    return stderr.decode().strip().splitlines()[-1]


def test_a_model_is_trained_sampled_shown_judged_and_listed(cli: Run, text_file: Path) -> None:
    done = cli("train", text_file.name, "--steps", "30", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    stderr = done.stderr.decode()
    assert "\x1b" not in stderr
    labels = [line.split("  ")[0] for line in stderr.splitlines()]
    assert labels[:5] == ["text", "model", "time", "stop", "saved in"]
    assert "repeat with" not in stderr
    assert re.search(r"validation +\d\.\d+ bits/char \(\d\.\d+ nats\)", stderr)
    assert "charrnn sample animals" in stderr
    assert "--temp" not in stderr  # the default is what a first sample wants

    sample = cli("sample", "animals", "-n", "120", "--seed", "4")
    assert sample.returncode == 0
    assert len(sample.stdout) == 120
    assert set(sample.stdout.decode()) <= set(TEXT)
    assert re.fullmatch(rb"model animals, (fp32|bf16|int8), seed 4\n", sample.stderr)
    again = cli("sample", "--temperature", "0.8", "--length", "120", "--seed", "4", "-q")
    assert again.stdout == sample.stdout
    assert again.stderr == b""
    primed = cli("sample", "--prime", "the red ", "-n", "5", "-q")
    assert primed.stdout.startswith(b"the red ")
    assert len(primed.stdout) == len("the red ") + 5

    info = json.loads(cli("info", "--json").stdout)
    assert info["model"]["hidden_size"] == 16
    assert info["corpus"]["num_symbols"] == len(TEXT)
    shown = cli("info").stdout.decode()
    assert "gru 1x16" in shown
    assert "\x1b" not in shown
    assert info["plan"]["run"]["steps"] == 30
    assert re.search(r"^hidden-size +16: as asked$", shown, re.MULTILINE)
    assert shown.splitlines()[-1].startswith("repeat with: charrnn train animals.txt --val-frac")
    assert "\x1b[1m" in cli("info", "--color", "always").stdout.decode()

    score = json.loads(cli("eval", "--json").stdout)
    assert score["nats_per_char"] == pytest.approx(info["losses"]["val_nats"], rel=1e-5)
    assert score["characters"] == info["losses"]["val_characters"]
    assert f"{score['bits_per_char']:.4f} bits/char" in cli("eval").stdout.decode()

    second = cli("train", text_file.name, "--steps", "2", "-q", *SMALL)
    assert (second.returncode, second.stdout, second.stderr) == (0, b"", b"")
    listed = [json.loads(line)["name"] for line in cli("list", "--json").stdout.splitlines()]
    assert listed == ["animals-2", "animals"]
    assert b"animals-2" in cli("list").stdout


def test_a_model_learns_from_a_pipe_and_its_reader_may_leave(cli: Run, tmp_path: Path) -> None:
    done = cli("train", "-", "--name", "piped", "--steps", "5", "-q", *SMALL, stdin=TEXT.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    for count in (0, 1, 300, 5000):
        shell = (
            "set -o pipefail; "
            f"{sys.executable} -m charrnn sample piped -n -1 | head -c {count} | wc -c"
        )
        read = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, timeout=60)
        assert read.returncode == 0
        assert int(read.stdout) == count
        assert read.stderr.decode().count("\n") == 1  # the seed, and no complaint
    assert cli("eval", "piped").returncode == 0  # its text was kept with the run


def test_counts_that_a_file_has_no_room_for_are_left_out_and_said(
    cli: Run, text_file: Path
) -> None:
    letters = np.random.default_rng(0).integers(97, 123, 6000)
    text_file.write_text("".join(map(chr, letters)))
    asked = ["--steps", "2", "--ngram-order", "8", *SMALL]
    assert "left out" not in cli("train", text_file.name, *asked).stderr.decode()
    shown = cli("train", text_file.name, "--ngram-size", "10k", *asked).stderr.decode()
    assert re.search(
        r"^contexts of n-grams that occur less than \d+ times are left out, for the counts to take "
        r"10,000 bytes \(--ngram-size\) at most$",
        shown,
        re.MULTILINE,
    ), shown


def test_verbose_shows_the_plan_the_reasons_every_evaluation_and_samples(
    cli: Run, text_file: Path
) -> None:
    options = ["--steps", "12", "--eval-every", "4", *SMALL]
    stderr = cli("train", text_file.name, "-v", *options).stderr.decode()
    shown = stderr.splitlines()
    assert any(re.match(r"training +12 steps of 4 streams x 16 characters", line) for line in shown)
    assert any(re.match(r"hidden-size +16: as asked$", line) for line in shown)
    assert any(line.startswith("repeat with: charrnn train animals.txt --val") for line in shown)
    places = [at for at, line in enumerate(shown) if "validation about" in line]
    assert len(places) == 3
    assert all(shown[at + 1].startswith("    ") for at in places)  # a sample


def test_a_model_that_has_left_its_run_is_shown_without_a_plan(
    cli: Run, text_file: Path, model_file: Path
) -> None:
    assert b"repeat with" not in cli("info", "letters").stdout
    (model_file.parent / "plan.json").write_text("{}")
    damaged = cli("info", "letters")
    assert damaged.returncode == 0
    assert b"gru 2x13" in damaged.stdout
    assert damaged.stderr.startswith(b"charrnn: 'checkpoints/letters/plan.json' is damaged")


def test_without_the_native_engine_training_says_what_that_costs_and_the_remedy(
    text_file: Path,
) -> None:
    program = (
        "import sys\n"
        "sys.modules['charrnn.native._native'] = None\n"
        "from charrnn.cli.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, "train", text_file.name, "--steps", "2", *SMALL]
    done = subprocess.run(command, cwd=text_file.parent, capture_output=True, timeout=60)
    assert done.returncode == 0
    note = next(line for line in done.stderr.decode().splitlines() if "native engine" in line)
    assert "a gru 2 to 4 times slower" in note
    assert "install a C++ compiler" in note


def test_a_signal_saves_the_run_and_says_how_to_resume_it(cli: Run, text_file: Path) -> None:
    for turn, number in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), start=1):
        run = subprocess.Popen(
            [sys.executable, "-m", "charrnn", "train", text_file.name, "--steps", "100k", *SMALL],
            cwd=text_file.parent,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert run.stderr is not None
        for line in run.stderr:
            if line.startswith(b"saved in"):
                break
        name = "animals" if turn == 1 else f"animals-{turn}"
        if turn == 1:  # while it trains, nobody else may
            second = cli("train", "--resume", name)
            assert second.returncode == 1
            assert second.stderr.decode().splitlines() == [
                "charrnn: run 'animals' is being trained by another process: "
                "stop that one first, or wait for it"
            ]
        run.send_signal(number)
        _, stderr = run.communicate(timeout=60)
        assert run.returncode == 128 + number
        assert last_line(stderr) == f"resume with: charrnn train --resume {name}"
        assert b"Traceback" not in stderr
        assert len(cli("sample", name, "-n", "9").stdout) == 9


def test_the_second_signal_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    stop = StopRequest()
    with Interrupts(stop) as interrupts:
        interrupts.install()
        os.kill(os.getpid(), signal.SIGHUP)
        assert (stop.signal, left) == (signal.SIGHUP, [])
        os.kill(os.getpid(), signal.SIGTERM)
        assert left == [128 + signal.SIGTERM]


def test_a_strangers_model_cannot_steer_the_terminal(cli: Run, model_file: Path) -> None:
    model = checkpoint.read(model_file)
    corpus = replace(model.corpus, name="\x1b]0;x\x07", sha256="[red]\x1b[2J")
    hostile = replace(model, corpus=corpus, versions={"\x1b[31m": "\r"}, training={"loop": 3})
    checkpoint.write(model_file, hostile)
    for arguments in (("info",), ("list",), ("info", "--json")):
        shown = cli(*arguments)
        assert shown.returncode == 0
        assert not {b"\x1b", b"\x07", b"\r"} & {bytes([byte]) for byte in shown.stdout}
    error = cli("info", "\x1b[2J")
    assert error.returncode == 1
    assert b"\x1b" not in error.stderr


def test_a_finished_run_that_is_resumed_says_that_it_is_finished(cli: Run, text_file: Path) -> None:
    cli("train", text_file.name, "--steps", "5", "-q", *SMALL)
    done = cli("train", "--resume", "animals")
    assert done.returncode == 0
    assert last_line(done.stderr) == "animals is finished already, after 5 steps"
    refused = cli("train", "--resume", "animals", "--lr", "0.1")
    assert refused.returncode == 2
    assert last_line(refused.stderr).endswith("own plan: leave out --lr")


def in_terminal(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    columns: int = 90,
) -> tuple[int, str]:
    """Run with stdout and stderr on a pseudo-terminal; return the exit code and what it shows."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.Popen(
        [sys.executable, "-m", "charrnn", *arguments],
        cwd=folder,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", **(environment or {})},
    )
    os.close(follower)
    shown = bytearray()

    def read() -> None:
        try:
            while data := os.read(leader, 4096):
                shown.extend(data)
        except OSError:  # Linux ends a terminal's stream with an error
            pass

    reader = threading.Thread(target=read)
    reader.start()
    code = run.wait(timeout=60)
    reader.join(timeout=60)
    os.close(leader)
    return code, shown.decode()


def test_on_a_terminal_there_is_a_bar_and_the_sample_ends_its_line(text_file: Path) -> None:
    folder = text_file.parent
    code, trained = in_terminal(["train", text_file.name, "--steps", "200", *SMALL], folder)
    assert code == 0
    assert "100% |" in trained
    assert "chars/s" in trained
    narrow = ["train", text_file.name, "--steps", "200", *SMALL]
    _, shown = in_terminal(narrow, folder, columns=50)
    assert re.search(r"< \d\d:\d\d, train \d\.\d{3} bits/char", shown)
    assert "chars/s" not in shown
    code, written = in_terminal(["sample", "-q", "-n", "3", "--prime", "the"], folder)
    assert (code, written[-2:]) == (0, "\r\n")


BAD_COMMANDS = [
    ("train", 2, "no text to learn from: name a file, a folder, - for stdin, or stdlib"),
    ("train absent.txt", 1, "no file or folder 'absent.txt' here or in corpora/"),
    ("train hollow", 1, "no text in the folder 'hollow'"),
    ("train empty.txt", 1, "no text in empty.txt: it is empty"),
    ("train short.txt", 1, "short is too short: of its 6 characters"),
    ("train same.txt", 1, "single distinct character, 'a'"),
    ("train latin.txt", 1, "latin.txt is not UTF-8: byte 0xe9 at offset 9 (line 2); --bytes"),
    ("train animals.txt --name letters", 1, "write over it with --replace"),
    ("train animals.txt --name a/b", 2, "--name 'a/b': use a plain name"),
    ("train animals.txt --replace", 2, "--replace needs the --name"),
    (
        "train animals.txt --epochs 2 --steps 5",
        2,
        "--steps and --epochs both say how much to train",
    ),
    ("train animals.txt --budget soon", 2, "'soon' is not a time such as 90s, 5m or 2h"),
    ("train animals.txt --quiet --verbose", 2, "--quiet and --verbose contradict each other"),
    ("train animals.txt --steps 1.5", 2, "'1.5' is not a whole number such as 500, 10k or 5M"),
    ("train animals.txt --cell elman", 2, "'--cell': 'elman' is not one of rnn, gru, lstm, jordan"),
    ("train animals.txt --cell lstn", 2, "; did you mean 'lstm'?"),
    ("list --color nevr", 2, "'nevr' is not one of auto, always, never; did you mean 'never'?"),
    ("train animals.txt --hidden-size 0", 2, "--hidden-size 0"),
    ("train animals.txt --engine native --cell jordan", 2, "--cell jordan runs on reference only"),
    ("train animals.txt --val-frac 1", 2, "--val-frac 1"),
    ("train symbols.txt --ngram-order 5", 2, "--ngram-order 5: n-grams are counted of 65,535"),
    ("train --resume nobody", 1, "no run named 'nobody'"),
    ("compare animals.txt --cells gru,elman", 2, "--cells: no cell 'elman'; there are rnn, gru"),
    ("compare animals.txt --epochs 9 --steps 5", 2, "--steps and --epochs both say how much"),
    ("compare animals.txt --parameters 9k --hidden-size 8", 2, "both say how large"),
    ("compare animals.txt --plot a.jpg", 2, "'a.jpg': the name must end in .png or .svg"),
    ("compare animals.txt --replace", 2, "--replace needs the --name"),
    ("bench --seconds 0", 2, "--seconds 0: must be above 0"),
    ("sample nobody", 1, "no model 'nobody'"),
    ("sample --samples 2 -n -1", 2, "--samples 2: texts without end need one command each"),
    ("sample --precision fp8", 2, "fp8"),
    ("sample --prime É", 1, "no character 'É' in this model's vocabulary (11 characters)"),
    ("sample truncated", 1, "'truncated' is damaged or not a charrnn file"),
    ("sample flipped", 1, "'flipped' is damaged: its checksum does not agree"),
    ("sample animals.txt", 1, "'animals.txt' is damaged or not a charrnn file"),
    ("sample model.pt", 1, "'model.pt' is a pickle"),
    ("eval letters", 1, "has no plan.json beside it: name the --corpus"),
    ("sing", 2, "sing"),
    ("--loud", 2, "--loud"),
]


@pytest.mark.parametrize(("command", "code", "message"), BAD_COMMANDS, ids=lambda v: str(v)[:40])
def test_a_mistake_is_one_clear_line(
    command: str, code: int, message: str, cli: Run, text_file: Path, model_file: Path
) -> None:
    folder = text_file.parent
    (folder / "hollow").mkdir()
    (folder / "hollow" / "x.bin").write_bytes(b"\0\xff")
    (folder / "empty.txt").touch()
    (folder / "short.txt").write_text("abcdef")
    (folder / "same.txt").write_text("a" * 100)
    (folder / "latin.txt").write_bytes(b"good\nbad \xe9t\n")
    (folder / "symbols.txt").write_text("".join(map(chr, range(0x20000, 0x31170))), "utf-8")
    whole = model_file.read_bytes()
    (folder / "truncated").write_bytes(whole[:-1])
    (folder / "flipped").write_bytes(whole[:-9] + bytes([whole[-9] ^ 4]) + whole[-8:])
    (folder / "model.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    before = sorted(str(path) for path in folder.rglob("*"))

    done = cli(*command.split())
    stderr = done.stderr.decode()
    assert done.returncode == code, stderr
    assert done.stdout == b""
    assert stderr.startswith("charrnn: ")
    assert stderr.count("\n") == 1
    assert message in stderr
    assert sorted(str(path) for path in folder.rglob("*")) == before


def test_unknown_characters_of_a_prime_are_skipped_or_replaced_on_request(
    cli: Run, model_file: Path
) -> None:
    skipped = cli("sample", "-q", "-n", "4", "--prime", "aÉb", "--unknown", "skip", "--seed", "1")
    plain = cli("sample", "-q", "-n", "4", "--prime", "ab", "--seed", "1")
    assert skipped.stdout.decode().removeprefix("aÉb") == plain.stdout.decode().removeprefix("ab")
    replaced = cli("sample", "-q", "-n", "4", "--prime", "aÉb", "--unknown", "replace")
    assert len(replaced.stdout.decode()) == 3 + 4


def test_a_name_that_is_not_utf8_is_a_name_all_the_same(cli: Run, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / name).write_text(TEXT)
    done = cli("train", name, "--steps", "3", *SMALL)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["caf\ufffd"]
    assert cli("eval").returncode == 0


def test_text_is_utf8_whatever_the_locale_says(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "fr.txt").write_text("été à Nîmes, où l'âne brait: «hi-han»\n" * 30, "utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = cli("train", "fr.txt", "--steps", "3", *SMALL, environment=plain)
    assert done.returncode == 0, done.stderr
    primed = cli("sample", "-q", "-n", "50", "--prime", "été", environment=plain)
    assert len(primed.stdout.decode("utf-8")) == 53


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sample letters >&-", b"stdout is closed: there is nowhere to write to"),
        ("sample letters -q > /dev/full", b"cannot write to stdout: No space left on device"),
        ("train - <&-", b"stdin is closed: there is nothing to read"),
    ],
)
def test_a_stream_that_cannot_be_used_is_one_clear_line(
    arguments: str, message: bytes, model_file: Path, tmp_path: Path
) -> None:
    shell = f"{sys.executable} -m charrnn {arguments}"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == b"charrnn: " + message + b"\n"


def test_bench_measures_the_speed_of_every_engine(cli: Run) -> None:
    small = ["--hidden-size", "16", "--batch-size", "4", "--seq-len", "8", "--seconds", "0.2s"]
    speeds = json.loads(cli("bench", "--json", *small).stdout)
    assert {"torch fp32", "native fp32"} <= set(speeds["training"])
    assert all(speed > 0 for speed in speeds["training"].values())
    assert set(speeds["sampling"]) == {"fp32", "bf16", "int8"}
    assert min(speeds["sampling"].values()) > 0
    shown = cli("bench", "--cell", "gru", *small).stdout.decode()
    assert "gru 2x16, 4 streams x 8 characters" in shown
    assert "1.00x" in shown
    alone = cli("bench", "--cell", "bow", *small).stdout.decode()
    assert "relative to reference fp32" in alone


def test_the_version_and_the_help_of_every_command_are_printed(cli: Run) -> None:
    assert cli("--version").stdout.decode() == f"charrnn {charrnn.__version__}\n"
    bare = cli()
    assert b"train" in bare.stdout + bare.stderr
    for command in ("train", "sample", "eval", "info", "list", "bench", "compare"):
        shown = cli(command, "--help")
        assert shown.returncode == 0
        assert b"Usage" in shown.stdout


def test_several_samples_differ_and_begin_with_the_one_that_their_seed_gives(
    cli: Run, model_file: Path
) -> None:
    def texts(*options: str) -> list[bytes]:
        common = ("-q", "-n", "40", "--seed", "4", "--prime", "ab", "--separator", "|")
        done = cli("sample", *common, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.split(b"|")

    three = texts("--samples", "3")
    assert [len(text) for text in three] == [42, 42, 42]
    assert all(text.startswith(b"ab") for text in three)
    assert len(set(three)) == 3
    assert texts("--samples", "1") == three[:1]
    assert texts("--samples", "2", "--threads", "2") == three[:2]
    assert cli("sample", "-q", "-n", "3", "--samples", "2").stdout.count(b"\n\n") >= 1


def test_the_filters_of_the_command_line_reach_the_sampler(cli: Run, model_file: Path) -> None:
    def text(*options: str) -> bytes:
        return cli("sample", "-q", "-n", "60", "--seed", "4", *options).stdout

    greedy = text("--temp", "0")
    assert text("--top-k", "1") == text("--top-p", "0.001") == text("--min-p", "1") == greedy
    assert text() != greedy


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_the_text_is_the_same_on_every_instruction_set_and_without_the_native_library(
    cli: Run, tmp_path: Path, model_file: Path, precision: str
) -> None:
    arguments = ["sample", "-q", "-n", "200", "--seed", "4", "--temp", "0.7"]
    arguments += ["--precision", precision]
    expected = cli(*arguments).stdout
    assert len(expected) == 200
    for isa in ("portable", "avx2"):
        assert cli(*arguments, environment={"CHARRNN_ISA": isa}).stdout == expected
    program = (
        "import sys\n"
        "sys.modules['charrnn.native._native'] = None\n"
        "from charrnn.cli.main import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, expected)


def test_a_printed_command_is_quoted_for_a_shell(cli: Run, text_file: Path) -> None:
    done = cli("train", text_file.name, "--name", "my style", "--steps", "2", *SMALL)
    assert done.returncode == 0
    command = next(line for line in done.stderr.decode().splitlines() if "write with" in line)
    assert "charrnn sample 'my style'" in command


NO_COLOR = {"NO_COLOR": "1"}
DUMB = {"TERM": "dumb"}


@pytest.mark.parametrize(
    ("command", "environment", "code"),
    [
        ("info letters --color never", {}, 0),
        ("info letters", NO_COLOR, 0),
        ("--help", NO_COLOR, 0),
        ("sample --help", {**NO_COLOR, "FORCE_COLOR": "1"}, 0),
        ("sample --help", DUMB, 0),
        ("corpus", NO_COLOR, 2),
        ("sing", NO_COLOR, 2),
        ("list --loud", DUMB, 2),
        ("train animals.txt --steps 200 --hidden-size 16", NO_COLOR, 0),
        ("corpus list", DUMB, 0),
    ],
)
def test_without_colour_a_terminal_gets_no_escape_sequence_at_all(
    command: str, environment: dict[str, str], code: int, model_file: Path, text_file: Path
) -> None:
    ended, shown = in_terminal(command.split(), text_file.parent, environment)
    assert ended == code
    assert shown
    assert "\x1b" not in shown


def test_an_empty_no_color_asks_for_nothing(model_file: Path, tmp_path: Path) -> None:
    for command in (["info", "letters"], ["--help"]):
        assert "\x1b" in in_terminal(command, tmp_path, {"NO_COLOR": ""})[1]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("sample", "leters"), "letters"),
        (("train", "--resume", "letter"), "letters"),
        (("train", "shakespere"), "shakespeare"),
        (("train", "animals.tx"), "animals.txt"),
        (("train", "checkpoints/letter"), "checkpoints/letters"),
        (("train", "animals.txt", "--init-from", "leters"), "letters"),
        (("info", "leters"), "letters"),
        (("eval", "checkpoints/leters"), "checkpoints/letters"),
        (("eval", "letters", "--corpus", "animal.txt"), "animals.txt"),
        (("corpus", "get", "shakespear"), "shakespeare"),
    ],
)
def test_a_mistyped_name_is_met_with_the_one_that_was_meant(
    arguments: tuple[str, ...], meant: str, cli: Run, model_file: Path, text_file: Path
) -> None:
    done = cli(*arguments)
    assert done.returncode == 1
    assert done.stderr.decode().endswith(f"; did you mean '{meant}'?\n")
