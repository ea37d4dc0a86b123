"""JSON as charrnn's files hold it: in one spelling, and read back into typed records."""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")

LARGEST_NUMBER = 1 << 63
LONGEST_HEADER = 1 << 23
"""Bytes of a file's header; the whole of Unicode as a vocabulary takes about half of it."""
LONGEST_REASON = 200
"""Characters of what a library says of a bad file; some repeat the file."""


def canonical_json(header: Mapping[str, Any]) -> str:
    """The one spelling of `header`: sorted keys, no spaces, no escapes but JSON's own, no NaN."""
    return json.dumps(
        header, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def make_record(kind: type[Record], values: object) -> Record:
    """Make a dataclass from a JSON object; entries that it has no field for are passed over.

    Raises ValueError, naming the field, for one that is missing or of another type.
    """
    if type(values) is not dict:
        raise ValueError(f"{kind.__name__} is not an object")
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for entry in fields(kind):  # type: ignore[arg-type]
        if entry.name in values:
            given[entry.name] = typed(entry.name, values[entry.name], hints[entry.name])
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise ValueError(f"{entry.name!r} is missing")
    return kind(**given)


def typed(name: str, value: Any, hint: Any) -> Any:
    """Return `value` if it is a `hint`; else ValueError.

    A list becomes the tuple, an object the record that it stands for.
    """
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and is_dataclass(kind) and (type(value) is dict or kind is hint):
            return make_record(kind, value)
    if not _fits(value, hint):
        shown = hint.__name__ if isinstance(hint, type) else str(hint)
        raise ValueError(f"{name!r} is {_shortened(value)}, not {shown}")
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
        return type(value) in (list, tuple) and all(_fits(one, arguments[0]) for one in value)
    if origin is dict:
        return type(value) is dict and all(_fits(one, arguments[1]) for one in value.values())
    if hint is float and type(value) is float:
        return math.isfinite(value)
    if hint in (int, float):
        return type(value) is int and -LARGEST_NUMBER <= value < LARGEST_NUMBER
    return hint in (str, bool, dict, NoneType) and type(value) is hint


def _shortened(value: Any) -> str:
    return (
        f"{value!r:.40}"
        if isinstance(value, str | float | bool | int | None)
        else type(value).__name__
    )
