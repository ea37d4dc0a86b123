"""Every option of `charrnn sample` as people use it: subprocesses, real pipes, what comes out."""

import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Run

PROSE = Path(__file__).parent / "fixtures" / "prose.safetensors"
SEEDED = ["--seed", "4", "-q"]


@pytest.fixture
def prose(tmp_path: Path) -> str:
    """A copy of the small model that has learned something, as a run in tmp_path."""
    folder = tmp_path / "checkpoints" / "prose"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(PROSE.read_bytes())
    return "prose"


def text_of(cli: Run, *options: str, stdin: bytes = b"") -> str:
    done = cli("sample", *SEEDED, *options, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def test_forbidden_characters_never_come(cli: Run, prose: str) -> None:
    assert set(text_of(cli, "-n", "500")) & set("eE")
    lipogram = text_of(cli, "-n", "500", "--forbid", "eE☃")
    assert len(lipogram) == 500
    assert not set(lipogram) & set("eE")


def test_a_text_ends_before_a_stop_string(cli: Run, prose: str) -> None:
    whole = text_of(cli, "-n", "400")
    ends = {stop: whole.index(stop) for stop in (" is", "\n  ")}
    for stop, end in ends.items():
        written = stop.replace("\n", r"\n")
        assert text_of(cli, "-n", "400", "--stop", written, "--escape") == whole[:end]
        kept = text_of(cli, "-n", "400", "--stop", stop, "--keep-stop")
        assert kept == whole[: end + len(stop)]
    both = text_of(cli, "-n", "400", "--stop", " is", "--stop", "\n  ")
    assert both == whole[: min(ends.values())]


def test_a_text_of_many_lines_may_be_longer_than_a_thousand_characters(
    cli: Run, prose: str
) -> None:
    text = text_of(cli, "--lines", "60")
    assert text.count("\n") == 60
    assert text.endswith("\n")
    assert len(text) > 1000
    assert text_of(cli, "--lines", "60", "-n", "20") == text[:20]


def test_every_text_matches_the_whole_expression(cli: Run, prose: str) -> None:
    pattern = r"[A-Z]{4,10}:\n([A-Z][a-z ,]{10,40}[.!?]\n){2}"
    done = cli("sample", *SEEDED, "--match", pattern, "--samples", "20", "--json")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({entry["text"] for entry in entries}) == 20
    for entry in entries:
        assert re.fullmatch(pattern, entry["text"])
        assert entry["ended"] == "match"
        assert entry["seed"] == 4
        assert entry["bits_per_char"] > 0


def test_a_prime_from_an_argument_a_file_or_stdin_gives_the_same_text(
    cli: Run, prose: str, tmp_path: Path
) -> None:
    (tmp_path / "prime.txt").write_bytes(b"\xef\xbb\xbfthe model\n")
    expected = text_of(cli, "-n", "30", "--prime", "the model\n")
    assert expected.startswith("the model\n")
    assert len(expected) == 10 + 30
    assert text_of(cli, "-n", "30", "--prime-file", "prime.txt") == expected
    assert text_of(cli, "-n", "30", "--prime-file", "-", stdin=b"the model\n") == expected
    for spelled in (r"the model\n", r"\x74he\u0020model\n"):
        assert text_of(cli, "-n", "30", "--escape", "--prime", spelled) == expected
    assert text_of(cli, "-n", "30", "--prime", "the model\n", "--no-prime") == expected[10:]
    assert text_of(cli, "-n", "0", "--escape", "--prime", r"a\\n") == "a\\n"
    tab = text_of(cli, "-n", "0", "--escape", "--prime", r"a\tb", "--unknown", "skip")
    assert tab == "a\tb"
    assert text_of(cli, "-n", "0", "--prime", r"a\\n") == r"a\\n"


def test_the_temperature_is_what_everyone_types(cli: Run, prose: str) -> None:
    plain = text_of(cli, "-n", "200")
    assert plain == text_of(cli, "-n", "200", "--temp", "0.8")
    warmer = text_of(cli, "-n", "200", "--temp", "1")
    assert plain != warmer
    assert warmer == text_of(cli, "-n", "200", "-t", "1")
    assert warmer == text_of(cli, "-n", "200", "--temperature", "1")
    typed = cli("sample", "-i", *SEEDED, stdin=b"/temp\n")
    assert typed.stderr == b"temperature 0.8\n"


def test_what_a_text_costs_does_not_depend_on_the_temperature(cli: Run, prose: str) -> None:
    costs = set()
    for temperature in ("0", "0.8", "1", "2"):
        options = ("--temp", temperature, "--match", "The model reads", "--json")
        costs.add(json.loads(cli("sample", *SEEDED, *options).stdout)["bits_per_char"])
    assert len(costs) == 1


def test_a_very_long_prime_is_read(cli: Run, prose: str) -> None:
    long = b"the model reads " * 100_000
    assert len(text_of(cli, "-n", "5", "--prime-file", "-", "--no-prime", stdin=long)) == 5


def test_json_has_each_text_and_why_it_ended(cli: Run, prose: str) -> None:
    plain = text_of(cli, "-n", "40", "--samples", "3", "--separator", "|", "--prime", "a").split(
        "|"
    )
    done = cli("sample", *SEEDED, "-n", "40", "--samples", "3", "--json", "--prime", "a")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["text"] for entry in entries] == plain
    assert all(entry["ended"] == "length" for entry in entries)
    for options, reason in ((["--stop", "e"], "stop"), (["--lines", "1"], "lines")):
        (line,) = cli("sample", *SEEDED, "--json", *options).stdout.splitlines()
        assert json.loads(line)["ended"] == reason
    (empty,) = cli("sample", *SEEDED, "--json", "-n", "0").stdout.splitlines()
    assert json.loads(empty) == {"text": "", "seed": 4, "bits_per_char": None, "ended": "length"}


def test_a_text_goes_to_a_file_whole_or_not_at_all(cli: Run, prose: str, tmp_path: Path) -> None:
    target = tmp_path / "out.txt"
    assert text_of(cli, "-n", "50", "-o", "out.txt") == ""
    text = target.read_text()
    assert text == text_of(cli, "-n", "50") == text_of(cli, "-n", "50", "-o", "-")
    done = cli("sample", "-o", "out.txt", "--prime", "☃")
    assert done.returncode == 1
    assert target.read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "out.txt"]


def test_a_story_goes_on_from_a_saved_state(cli: Run, prose: str, tmp_path: Path) -> None:
    def greedy(*options: str) -> str:
        return text_of(cli, "--temp", "0", *options)

    whole = greedy("-n", "60", "--prime", "The state ")
    first = greedy("-n", "25", "--prime", "The state ", "--save-state", "story")
    assert (tmp_path / "story").stat().st_size < 4096
    second = greedy("-n", "20", "--load-state", "story", "--save-state", "story")
    third = greedy("-n", "15", "--load-state", "story")
    assert first + second + third == whole
    primed = greedy("-n", "9", "--load-state", "story", "--prime", "ABC")
    assert primed == greedy("-n", "9", "--prime", first + second + "ABC")[10 + 25 + 20 :]
    # what a stop string takes back is not part of the state
    stop = whole[30:33]
    end = whole.index(stop, 10)
    before = greedy("-n", "60", "--prime", "The state ", "--stop", stop, "--save-state", "story")
    assert before == whole[:end]
    assert greedy("-n", "9", "--load-state", "story") == whole[end : end + 9]


def test_the_state_of_another_model_is_refused(cli: Run, prose: str, model_file: Path) -> None:
    text_of(cli, "prose", "-n", "5", "--save-state", "story")
    done = cli("sample", "letters", "--load-state", "story")
    assert done.returncode == 1
    assert done.stderr.startswith(b"charrnn: 'story' is the state of another model: name")
    assert done.stderr.count(b"\n") == 1
    model = "checkpoints/letters/model.safetensors"
    done = cli("sample", "letters", "--load-state", model)
    assert b"is not a saved state, which `charrnn sample --save-state` writes" in done.stderr


def test_a_prompt_goes_on_with_what_is_typed(cli: Run, prose: str) -> None:
    def answers(*lines: str) -> list[str]:
        typed = "".join(f"{line}\n" for line in lines).encode()
        done = cli("sample", "-i", *SEEDED, "-n", "30", "--forbid", "\n", stdin=typed)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout.decode().splitlines()

    def written(prime: str, seed: int) -> str:
        plain = ("--prime", prime, "--no-prime", "-n", "30", "--forbid", "\n")
        return text_of(cli, *plain, "--seed", str(seed))

    first, second, third = answers("The model", "/more", " reads ")
    assert first == written("\nThe model", 4)
    assert second == written("\nThe model" + first, 5)
    assert third == written("\nThe model" + first + second + " reads ", 6)
    assert answers("The model", "/reset", "The model")[1] == written("\nThe model", 5)


def test_an_answer_at_the_prompt_is_a_paragraph_unless_told_otherwise(cli: Run, prose: str) -> None:
    def answers(*lines: str, options: tuple[str, ...] = ()) -> str:
        typed = "".join(f"{line}\n" for line in lines).encode()
        done = cli("sample", "-i", *SEEDED, *options, stdin=typed)
        assert done.returncode == 0
        return done.stdout.decode()

    def written(length: int, *options: str) -> str:
        return text_of(cli, "--prime", "\nThe model", "--no-prime", "-n", str(length), *options)

    whole = written(400)
    paragraph = whole[: re.search(r"\s", whole[300:]).end() + 300]  # type: ignore[union-attr]
    assert "\n\n" not in paragraph
    assert answers("The model").rstrip("\n") == paragraph.rstrip("\n")
    assert answers("/length 70", "The model") == whole[:70] + "\n"
    assert answers("/length 70", "/length paragraph", "The model") == answers("The model")
    assert answers("The model", options=("-n", "70")) == whole[:70] + "\n"
    lines = written(20_000, "--lines", "20")
    assert answers("The model", options=("--lines", "20")) == lines
    more = answers("/length 10", "The model", "/more 25")
    assert more.startswith(whole[:10] + "\n")
    assert len(more) in (10 + 1 + 25, 10 + 1 + 25 + 1)  # a newline unless the text has it


def test_the_prompt_obeys_commands_and_survives_mistakes(cli: Run, prose: str) -> None:
    lines = [
        "/temp 0",
        "/seed 12",
        "/temp warm",
        "/temp -1",
        "/sing",
        "☃",
        "/help",
        "a",
        "/quit",
        "b",
    ]
    typed = b"a\xff\n" + "\n".join(lines).encode()
    done = cli("sample", "-i", *SEEDED, "-n", "20", "--forbid", "\n", stdin=typed)
    assert done.returncode == 0
    greedy = text_of(
        cli, "--prime", "\na", "--temp", "0", "-n", "20", "--no-prime", "--forbid", "\n"
    )
    assert done.stdout.decode() == greedy + "\n"
    not_utf8, *messages = done.stderr.decode().splitlines()
    assert "is not UTF-8" in not_utf8
    assert messages[:2] == ["temperature 0", "seed 12"]
    assert messages[2] == "charrnn: Invalid value: 'warm' is not a number"
    assert messages[3].startswith("charrnn: /temp -1: must be 0 or more")
    assert messages[4] == "no command '/sing'; /help lists them"
    assert messages[5].startswith("charrnn: no character '☃'")
    assert "/reset" in done.stderr.decode()


def test_an_interrupt_stops_the_text_and_not_the_prompt(prose: str, tmp_path: Path) -> None:
    """On a terminal of its own: endless text, Ctrl-C, then the prompt again."""
    command = [sys.executable, "-m", "charrnn", "sample", "-i", "-n", "-1"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        # elsewhere readline writes codes for the terminal around its prompt
        os.execvpe(command[0], command, {**os.environ, "TERM": "dumb"})
    seen = b""

    def read_until(pattern: bytes, press: bytes = b"") -> None:
        """Press the keys, and again if nothing happens for a while, until `pattern` is seen."""
        nonlocal seen
        os.write(terminal, press)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if not select.select([terminal], [], [], 2)[0]:
                os.write(terminal, press)
                continue
            seen += os.read(terminal, 4096)
            if re.search(pattern, seen):
                seen = b""
                return
        raise AssertionError(f"nothing came after {seen[-200:]!r}")

    read_until(rb"^model prose, \w+, seed \d+; type a text, or /help\r\n> $")
    os.write(terminal, b"/help\n")
    read_until(rb"(?s)/more N .*/length N .*/temp T .*\n> $")
    os.write(terminal, b"the model\n")
    read_until(rb"(?s)the model.{2000}")
    read_until(rb"\n> $", press=b"\x03")
    # Python does not see a Ctrl-C between showing the prompt and waiting for the first key.
    read_until(rb"\n> $", press=b"half a line\x03")
    os.write(terminal, b"/seed\n")
    read_until(rb"seed \d+\r\n> $")
    os.write(terminal, b"/length 12\n")
    read_until(rb"\nlength 12\r\n> $")
    os.write(terminal, b"\x04")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


BAD_OPTIONS = [
    ("--temp -1", 2, "--temp -1: must be 0 or more"),
    ("--temp warm", 2, "warm"),
    ("--temp nan", 2, "--temp nan"),
    ("--top-k -1", 2, "--top-k -1"),
    ("--top-k 2.5", 2, "'2.5' is not a whole number"),
    ("--top-p 0", 2, "--top-p 0"),
    ("--top-p 1.01", 2, "--top-p 1.01"),
    ("--min-p -0.1", 2, "--min-p -0.1"),
    ("--min-p 1.1", 2, "--min-p 1.1"),
    ("-n -2", 2, "--length -2"),
    ("--lines 0", 2, "--lines 0: must be from 1 to 2147483647"),
    ("--lines many", 2, "'many' is not a whole number"),
    ("--samples 0", 2, "--samples 0"),
    ("--samples 4097", 2, "--samples 4097"),
    ("--seed -1", 2, "--seed -1"),
    ("--seed 18446744073709551616", 2, "must be from 0 to 18446744073709551615"),
    ("--threads 0", 2, "--threads 0"),
    ("--unknown maybe", 2, "maybe"),
    ("--stop ''", 2, "--stop '': an empty string is everywhere"),
    ("--stop ☃", 2, "--stop '☃': the model does not know '☃'"),
    ("--stop ab --forbid b", 2, "--stop 'ab': --forbid rules it out"),
    ("--keep-stop", 2, "--keep-stop: there is no --stop to keep"),
    ("--prime a --prime-file x", 2, "--prime and --prime-file both say what comes first"),
    ("--prime-file absent", 1, "cannot read 'absent': No such file or directory"),
    ("--prime-file .", 1, "cannot read '.': Is a directory"),
    ("--prime-file - < /dev/null", 1, "no text in stdin: it is empty"),
    ("--prime-file - <&-", 1, "stdin is closed: there is nothing to read"),
    ("--prime-file - < binary", 1, "stdin is not UTF-8: byte 0xff at offset 2"),
    (r"--prime 'a\q' --escape", 2, r"--prime 'a\\q': \q is no escape"),
    (r"--prime 'a\' --escape", 2, r"--prime 'a\\': \ is no escape"),
    (r"--stop '\ud800' --escape", 2, r"\ud800 is no escape"),
    ("--separator x", 2, "--separator stands between two texts: ask for several by --samples"),
    ("--json --separator x", 2, "--separator: --json puts every text on a line of its own"),
    ("--json -n -1", 2, "--json: a text without end never gets there"),
    ("-o x -n -1", 2, "--output: a text without end never gets there"),
    ("--save-state x -n -1", 2, "--save-state: a text without end never gets there"),
    (
        "--save-state x --samples 2",
        2,
        "--save-state: keeps the end of a single text, not of --samples 2",
    ),
    ("--save-state no/x -n 0", 1, "cannot write 'no/x': No such file or directory"),
    ("--load-state absent", 1, "no file 'absent'"),
    ("--load-state binary", 1, "'binary' is damaged or not a charrnn file"),
    ("-o no/such/folder", 1, "cannot write 'no/such/folder': No such file or directory"),
    ("-o .", 1, "cannot write '.': Is a directory"),
    ("-o /dev/full", 1, "cannot write '/dev/full': No space left on device"),
    ("> /dev/full", 1, "No space left on device"),
    (">&-", 1, "stdout is closed"),
    ("--match '(a'", 2, "missing )"),
    (r"--match '(a)\1'", 2, "a back-reference cannot be followed"),
    ("--match 'a(?=b)'", 2, "lookaround cannot be followed"),
    ("--match '[[:alpha:]]+'", 2, r"no [:alpha:]; for [[:alpha:]] write [^\W\d_]"),
    ("--unknown skp", 2, "'skp' is not one of error, skip, replace; did you mean 'skip'?"),
    ("--match é", 2, "this model's characters cannot spell it"),
    ("--match 'a{9}' -n 8", 2, "--length 8: --match needs at least 9 characters"),
    ("-i --json", 2, "--json: has no meaning at the prompt of -i"),
    ("-i --samples 3", 2, "--samples: has no meaning at the prompt of -i"),
    ("-i <&-", 1, "stdin is closed: there is nothing to read"),
    ("--forbid 'abcdefghij\n'", 2, "--forbid: that is every character that the model knows"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD_OPTIONS, ids=lambda v: str(v)[:40])
def test_a_mistake_is_one_clear_line(
    arguments: str, code: int, message: str, cli: Run, model_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"ab\xff\x00\x01")
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    if set("<>") & set(arguments):
        shell = f"{sys.executable} -m charrnn sample -q {arguments}"
        done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, timeout=60)
    else:
        done = cli("sample", "-q", *shlex.split(arguments))
    stderr = done.stderr.decode()
    assert done.returncode == code, stderr
    assert done.stdout == b""
    assert stderr.startswith("charrnn: ")
    assert stderr.count("\n") == 1
    assert message in stderr
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def check_reader_may_leave(tmp_path: Path, characters: int, options: str) -> None:
    """A reader that leaves after so many characters is no failure of the command."""
    shell = (
        "set -o pipefail\n"
        f"{sys.executable} -m charrnn sample -q {options} | head -c {characters} | wc -c"
    )
    environment = {**os.environ, "GOMP_SPINCOUNT": "1000"}
    done = subprocess.run(
        ["bash", "-c", shell], cwd=tmp_path, env=environment, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert int(done.stdout) == characters


READ_CHARACTERS = [0, 1, 10, 4096, 65537]


@pytest.mark.parametrize("characters", READ_CHARACTERS)
def test_a_reader_may_leave_at_any_moment(characters: int, prose: str, tmp_path: Path) -> None:
    for options in ("-n -1", "-n -1 --match '(.|\\n)*'"):
        check_reader_may_leave(tmp_path, characters, options)


@pytest.mark.slow
def test_readers_leave_two_hundred_times(prose: str, tmp_path: Path) -> None:
    for turn in range(200):
        check_reader_may_leave(tmp_path, READ_CHARACTERS[turn % len(READ_CHARACTERS)], "-n -1")


@pytest.mark.parametrize("place", ["none/state", "."])
def test_a_state_that_cannot_be_kept_is_said_before_any_text(
    place: str, model_file: Path, cli: Run
) -> None:
    done = cli("sample", "letters", "-n", "7", "--save-state", place)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().startswith(f"charrnn: cannot write '{place}': ")
