"""JSON as charrnn's files hold it: in one spelling, and read back in one way, into typed records.

An entry that a record has no field for is passed over, so that a later charrnn may add entries
which an older one can do without; what it cannot do without is a new version of the format
(formats.py).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from charrnn.errors import CharRNNError

Record = TypeVar("Record")

LARGEST_NUMBER = 1 << 63
"""Whole numbers are below this, and not below minus this."""
LONGEST_HEADER = 1 << 23
"""Bytes of a file's header; the whole of Unicode as a vocabulary takes about half of it."""
LONGEST_REASON = 200
"""Characters of what a library says of a bad file; some libraries repeat the file."""


def canonical_json(header: Mapping[str, Any]) -> str:
    """The one spelling of `header`: sorted keys, no spaces, no escapes but JSON's own, no NaN."""
    return json.dumps(
        header, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def parse_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object that `text` is, each of whose keys stands there once; raises ValueError."""
    try:
        values = json.loads(text, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if type(values) is not dict:
        raise ValueError("it is not a JSON object")
    return values


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("it says something twice")
    return values


def make_record(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """Make a dataclass from a JSON object; entries that it has no field for are passed over.

    Raises ValueError, naming the field, for one that is missing, of another type or out of range.
    """
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for entry in fields(kind):  # type: ignore[arg-type]
        if entry.name in values:
            given[entry.name] = typed(entry.name, values[entry.name], hints[entry.name])
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise ValueError(f"{entry.name!r} is missing")
    try:
        return kind(**given)
    except CharRNNError as error:
        raise ValueError(str(error)) from error


def typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value` if it is a `hint`; else raise ValueError, naming it `name`.

    A list becomes the tuple, an object the record that it stands for.
    """
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and is_dataclass(kind) and type(value) is dict:
            return make_record(kind, value)
    if not _fits(value, hint):
        raise ValueError(f"{name!r} is {_shortened(value)}, not {_described(hint)}")
    return tuple(value) if get_origin(hint) is tuple else value


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is Literal:
        return type(value) is str and value in arguments
    if origin is tuple:
        return type(value) in (list, tuple) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(_fits(item, arguments[1]) for item in value.values())
    if hint is float and type(value) is float:
        return math.isfinite(value)
    if hint in (int, float):
        return type(value) is int and -LARGEST_NUMBER <= value < LARGEST_NUMBER
    return hint in (str, bool, dict, NoneType) and type(value) is hint


def _shortened(value: Any) -> str:
    """A value in few characters: a number or a string itself, anything else by its type."""
    if isinstance(value, str | float | bool | int | None):
        return f"{value!r:.40}"
    return type(value).__name__


def _described(hint: Any) -> str:
    """A type in words: `int`, `one of cpu, cuda`, `float or null`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(map(_described, arguments))
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if hint is NoneType:
        return "null"
    if is_dataclass(hint):
        return "an object"
    return hint.__name__ if isinstance(hint, type) else str(hint)
