"""Whether what was read from JSON is of the kinds that its dataclass names."""

import math
import types
import typing
from dataclasses import fields, is_dataclass


def check_types(value, what: str = "") -> None:
    """Raise TypeError, with the field's name, where a field of a dataclass holds another kind of value.

    Dataclasses, lists and dictionaries are looked into; a float may be written as an int, and is finite.
    """
    for name, kind in typing.get_type_hints(type(value)).items():
        if name in {field.name for field in fields(value)}:
            _check(getattr(value, name), kind, f"{what}.{name}".lstrip("."))


def _check(value, kind, what: str) -> None:
    if not _is(value, kind):
        expected = kind.__name__ if isinstance(kind, type) else kind
        raise TypeError(f"{what} is {str(value)[:40]!r}, expected {expected}")
    if is_dataclass(value):
        check_types(value, what)
    elif isinstance(value, list) and typing.get_args(kind):
        for number, part in enumerate(value):
            _check(part, *typing.get_args(kind), f"{what}[{number}]")
    elif isinstance(value, dict) and typing.get_args(kind):
        for name, part in value.items():
            _check(part, typing.get_args(kind)[1], f"{what}[{name!r}]")


def _is(value, kind) -> bool:
    if isinstance(kind, types.UnionType):
        return any(_is(value, one) for one in typing.get_args(kind))
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, (int, float)) and abs(value) < math.inf
    return isinstance(value, typing.get_origin(kind) or kind)
