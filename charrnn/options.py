"""What an option is: declared once, beside the config field that holds its value.

    dropout: float = option(0.15, "Probability with which ...", MODEL, within=Range(0, below=1))

From this one declaration come the flag of the command line, its help and its bounds, the keyword of
the Python API, the words of `repeat with`, and the table in docs/options.md. Nothing here knows any
of them.
"""

import inspect
import math
import numbers
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from charrnn.errors import UsageError, did_you_mean
from charrnn.quantities import parse_duration, parse_size

Function = TypeVar("Function", bound=Callable[..., Any])

_KEY = "option"
_KINDS: Mapping[type, tuple[type, str]] = {
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "a text"),
    bool: (bool, "True or False"),
    tuple: (tuple, "a text or several"),
}
"""What a value of each kind must be an instance of, and that in words."""
AUTO = "auto"
"""The word that leaves an option to the plan, where the option takes words."""


@dataclass(frozen=True)
class Range:
    """The numbers from `least`, or above `above`, up to `most`, or below `below`."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """The range in words, such as `at least 0 and below 1`."""
        if self == Range(least=self.least):
            return f"{_shown(self.least or 0)} or more"
        if self.least is not None and self.most is not None:
            return f"from {_shown(self.least)} to {_shown(self.most)}"
        bounds = []
        if self.least is not None:
            bounds.append(f"at least {_shown(self.least)}")
        if self.above is not None:
            bounds.append(f"above {_shown(self.above)}")
        if self.most is not None:
            bounds.append(f"at most {_shown(self.most)}")
        if self.below is not None:
            bounds.append(f"below {_shown(self.below)}")
        return " and ".join(bounds)


COUNT = Range(1, most=10**12)
"""The numbers that count steps, characters and the like, where none would be meaningless."""
BY_PLAN = "by text and time"
"""The default, in words, of an option whose value the plan chooses."""


@dataclass(frozen=True)
class Option:
    """What is said of an option beside its field's name, type and default."""

    help: str
    """What the option does, in a plain sentence."""
    panel: str
    """The heading that the option stands under in help and docs."""
    metavar: str
    """What stands for the value in help, such as N; empty for words to choose from and switches."""
    within: Range | None
    """The numbers that are allowed; None: any."""
    default_words: str
    """What help says of the default where that is no fixed value, such as `by text and time`."""
    flags: tuple[str, ...]
    """The spellings on the command line; empty: `--` and the field's name."""
    is_duration: bool
    """Whether the value is a time in seconds, for which `90s` and `5m` can be written."""
    only_with: tuple[str, Any] | None
    """(another option, its value) without which this option has no meaning; None as the value
    stands for any value that is given."""
    only_with_some: str | None
    """The name of another option without which, where it is given as 0, this one has no meaning."""
    takes_auto: bool
    """Whether the word `auto` may be given, which is as good as leaving the option out."""
    check: Callable[[Any], object] | None
    """What raises UsageError for a value that is not one, where a range and a list of words do not
    tell; None: nothing."""


@dataclass(frozen=True)
class Declaration:
    """An option together with its field."""

    name: str
    """The field's name, which is the keyword of the Python API."""
    kind: type
    """int, float, str, bool, or tuple for texts that may be given several times."""
    choices: tuple[str, ...]
    """The words to choose from; empty: any value of the kind."""
    default: Any
    option: Option

    @property
    def flags(self) -> tuple[str, ...]:
        """The spellings on the command line, the usual one first."""
        return self.option.flags or (flag(self.name),)

    @property
    def default_words(self) -> str:
        """The default in words; empty where there is none."""
        if self.option.default_words:
            return self.option.default_words
        if self.default is None or self.default in ("", ()) or self.kind is bool:
            return ""
        return _shown(self.default) if self.kind in (int, float) else str(self.default)


def option(
    default: Any,
    help: str,  # noqa: A002 (the word of every command-line library)
    panel: str,
    metavar: str = "",
    *,
    within: Range | None = None,
    default_words: str = "",
    flags: tuple[str, ...] = (),
    is_duration: bool = False,
    only_with: tuple[str, Any] | None = None,
    only_with_some: str | None = None,
    takes_auto: bool = False,
    check: Callable[[Any], object] | None = None,
) -> Any:
    """A dataclass field that is an option; the arguments are the fields of Option."""
    declared = Option(
        help,
        panel,
        metavar,
        within,
        default_words,
        flags,
        is_duration,
        only_with,
        only_with_some,
        takes_auto,
        check,
    )
    return field(default=default, metadata={_KEY: declared})


def flag(name: str) -> str:
    """The command line's spelling of an option's name: `seq_len` -> `--seq-len`."""
    return f"--{name.replace('_', '-')}"


@cache
def declarations(config: Any) -> tuple[Declaration, ...]:
    """Every option that the dataclass `config` declares, in the order of its fields."""
    assert is_dataclass(config)
    hints = get_type_hints(config)
    found = []
    for entry in fields(config):
        declared = entry.metadata.get(_KEY)
        if declared is not None:
            kind, choices = _kind_and_choices(hints[entry.name])
            default = None if entry.default is MISSING else entry.default
            found.append(Declaration(entry.name, kind, choices, default, declared))
    return tuple(found)


def with_keywords(*configs: Any, leave_out: Collection[str] = ()) -> Callable[[Function], Function]:
    """Let the signature of a function with `**options` show the options of `configs` by name.

    So help() and the completion of an interactive Python tell them; checkers of types read the
    TypedDict that is made from the same declarations.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(declared.name, inspect.Parameter.KEYWORD_ONLY, default=None)
            for config in configs
            for declared in declarations(config)
            if declared.name not in leave_out
        ]
        function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
        return function

    return decorate


def check_options(config: Any) -> None:
    """Raise UsageError, naming the option, for a value of `config` outside of its declaration.

    Raises TypeError for a value of another type. Called by a config when it is made. A value that
    was written in another way becomes one of its kind: see check_value.
    """
    kind: type = type(config)
    for declared in declarations(kind):
        if declared.default is not None and getattr(config, declared.name) is None:
            raise _type_error(declared.name, None, _KINDS[declared.kind][1])
        value = getattr(config, declared.name)
        if value is not None:
            object.__setattr__(config, declared.name, check_value(declared, value))


def inapplicable(config: type, values: Mapping[str, Any]) -> Iterator[tuple[Declaration, str]]:
    """(option, what it needs) for each given option of `config` that others make meaningless.

    `values` holds what every option is, and lacks those that are left to their defaults.
    """
    defaults = {declared.name: declared.default for declared in declarations(config)}
    for declared in declarations(config):
        needs, some = declared.option.only_with, declared.option.only_with_some
        if values.get(declared.name) is None:
            continue
        if some is not None and values.get(some) == 0:
            yield declared, f"`{some}` above 0"
        if needs is None:
            continue
        other, wanted = needs
        value = values.get(other)
        value = defaults.get(other) if value is None else value
        if value is None or (wanted is not None and value != wanted):
            yield declared, f"`{other}`" if wanted is None else f"`{other}` {wanted}"


def check_value(declared: Declaration, value: Any) -> Any:
    """The value of an option as one of its kind; raises what check_options does.

    A text stands for the size or the time that the command line reads in it, and for itself where
    there may be several; a number of another library becomes Python's own.
    """
    if declared.kind is tuple:
        return _texts(declared.name, value)
    if declared.kind is int:
        value = whole_number(declared.name, value)
    elif declared.kind is str and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # such as a number of steps where a time may stand, too
    elif declared.option.is_duration and isinstance(value, str):
        value = _read(parse_duration, declared.name, value)
    wanted, words = _KINDS[declared.kind]
    check_type(declared.name, value, wanted, words)
    if isinstance(value, bool) and declared.kind is not bool:
        raise _type_error(declared.name, value, words)
    if isinstance(value, numbers.Real) and not isinstance(value, int | float):
        value = float(value)
    within = declared.option.within
    if within is not None and value not in within:
        unit = " seconds" if declared.option.is_duration else ""
        raise UsageError(f"`{declared.name}` {_shown(value)}: must be {within}{unit}")
    if declared.choices:
        check_choice(declared.name, value, declared.choices)
    if declared.option.check is not None:
        declared.option.check(value)
    return value


def whole_number(name: str, value: Any) -> int:
    """The value of the argument `name` as Python's own whole number; `10k` stands for 10000.

    Raises UsageError for a text that is none, TypeError for a value of another type.
    """
    if isinstance(value, str):
        value = _read(parse_size, name, value)
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise _type_error(name, value, _KINDS[int][1])
    return int(value)


def check_type(name: str, value: Any, kinds: type | tuple[type, ...], words: str) -> None:
    """Raise TypeError if the argument `name` is an instance of none of `kinds`, `words` in words.

    For arguments at the border of the package, where Python's own error would name what is inside.
    """
    if not isinstance(value, kinds):
        raise _type_error(name, value, words)


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Raise UsageError if the argument `name` is none of the words `choices`."""
    if value not in choices:
        meant = did_you_mean(str(value), choices)
        raise UsageError(f"`{name}` {value}: choose one of {', '.join(choices)}{meant}")


def check_names(given: Iterable[str], known: Collection[str], kind: str) -> None:
    """Raise TypeError for a name in `given` of no option of that kind, such as `training`."""
    for name in given:
        if name not in known:
            raise TypeError(f"no {kind} option is called {name!r}{did_you_mean(name, known)}")


def _type_error(name: str, value: Any, words: str) -> TypeError:
    kind = "None" if value is None else type(value).__name__
    return TypeError(f"`{name}` must be {words}, not {kind}")


def _read(parse: Callable[[str], float], name: str, text: str) -> float:
    """The size or the time that `text` stands for; raises UsageError if it is none."""
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"`{name}`: {error}") from error


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """The texts of an option that may be given several times."""
    texts = (value,) if isinstance(value, str) else value
    words = _KINDS[tuple][1]
    check_type(name, texts, Sequence, words)
    for text in texts:
        check_type(name, text, str, words)
    return tuple(texts)


def _kind_and_choices(hint: Any) -> tuple[type, tuple[str, ...]]:
    """`int | None` -> (int, ()); `Literal["a", "b"]` -> (str, ("a", "b"))."""
    members = [member for member in get_args(hint) if member is not NoneType]
    if NoneType in get_args(hint):
        (hint,) = members
    if get_origin(hint) is Literal:
        return str, get_args(hint)
    return (get_origin(hint) or hint), ()


def _shown(number: float) -> str:
    """A number as people write it: 0.007, 65,536 without the comma, 1e+09 as 1000000000."""
    return str(number) if isinstance(number, int) else f"{number:g}"
