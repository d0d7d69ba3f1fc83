"""Flags from the fields of a dataclass, and the dataclass from the flags.

    @dataclass(frozen=True)
    class Augmentation:
        zoom: float = option(0.0, "seen larger by a factor of 1 +- this", least=0, below=1)

    add_settings(flags, "--augment", options(Augmentation), ...)      --augment zoom=0.15
    make(Augmentation, flags.parse_args())

Range, choices and help stand beside the field and nowhere else. In the namespace, and so in a bundle, each value stands
under its field's name, however it was written: `--augment zoom=0.15` is `zoom`, and `--crop 48/54` is `crop` and
`short_side`.
"""

import argparse
import dataclasses
import textwrap
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import Field
from typing import Any

from signs import command
from signs.command import Problem

YES_NO = {"yes": True, "no": False}


def option(default, text: str, choices: tuple[str, ...] = (), **bounds: float) -> Any:
    """A dataclass field that a flag can set.

    Args:
        text: what it is, for --help.
        bounds: as of `command.number`.
    """
    if isinstance(default, bool):
        choices = tuple(YES_NO)
    return dataclasses.field(default=default, metadata={"text": text, "choices": choices, "bounds": bounds})


def options(kind: type) -> list[Field]:
    """The fields of a dataclass that a flag can set."""
    return [field for field in dataclasses.fields(kind) if field.metadata]


def make(kind: type, args: argparse.Namespace, **more):
    """The dataclass, with what the namespace has of its options and with `more`; raises Problem where a bundle gave the
    namespace what no flag gives."""
    values = {field.name: getattr(args, field.name) for field in options(kind) if hasattr(args, field.name)}
    for field in options(kind):
        if field.name in values and not _may_be(field, values[field.name]):
            raise Problem(
                f"{_hyphened(field.name)} {values[field.name]!r} in the flags of a run; no training writes that"
            )
    return kind(**values, **more)


def _may_be(field: Field, value) -> bool:
    """Whether a flag can have given an option this value."""
    if isinstance(field.default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(field.default, bool)
    if not isinstance(value, (str, int, float)):
        return False
    try:
        _read_value("", field, str(value))
    except ArgumentTypeError:
        return False
    return True


def fill(args: argparse.Namespace, fields: list[Field], recipe: dict | None = None) -> None:
    """Give each option that is None in the namespace what the recipe says of it, or its default."""
    for field in fields:
        if getattr(args, field.name, ...) is None:
            setattr(args, field.name, (recipe or {}).get(field.name, field.default))


class _Spread(argparse.Action):
    """A flag that sets several values of the namespace."""

    def __init__(self, *arguments, read: Callable[[Any], dict], written: dict[str, str], **how):
        super().__init__(*arguments, **how)
        self.read, self.written = read, written

    def __call__(self, parser, namespace, values, option_string=None):
        try:
            vars(namespace).update(self.read(values))
        except ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from None


def add_spread(group, flag: str, read: Callable[[Any], dict], usual: Any = None, defaults: dict | None = None, **how):
    """Add a flag that sets several values of the namespace.

    Args:
        read: the flag's text, or with `nargs` its list of texts -> {name: value}; it raises ArgumentTypeError.
        usual: the text, or texts, that it stands for where nobody gives it; or else `defaults`, {name: value}.
        how: as of `add_argument`; and `written`, {name: what a person writes to set it}.
    """
    if usual is not None:
        defaults = {**(defaults or {}), **read(usual)}
        shown = usual if isinstance(usual, str) else " ".join(usual) or "none"
        how["help"] += f" (default: {shown})"
    how = {"dest": argparse.SUPPRESS, "default": argparse.SUPPRESS, "written": dict.fromkeys(defaults, flag), **how}
    group.add_argument(flag, action=_Spread, read=read, **how)
    group.set_defaults(**defaults)


def flag_of(flags: argparse.ArgumentParser, name: str) -> str:
    """What a person writes to set a value of the namespace: `--epochs`, `--augment zoom`."""
    spread = (action.written[name] for action in flags._actions if name in getattr(action, "written", ()))
    return next(spread, f"--{_hyphened(name)}")


def add_settings(
    flags, flag: str, fields: list[Field], recipes: dict[str, dict], text: str, named: bool = False
) -> None:
    """Add `flag NAME=VALUE ...`. In the namespace a value that nobody names is None, until the recipe says what it is.

    Args:
        recipes: {name: {field: value}}, the script's own first, for --help.
        named: a recipe's name may be given too.
    """
    names, presets = {field.name: f"{flag} {_hyphened(field.name)}" for field in fields}, tuple(recipes) * named
    add_spread(
        flags,
        flag,
        lambda words: read_settings(words, fields, presets),
        defaults=dict.fromkeys(names) | {"recipe": next(iter(recipes))},
        written=names | {"recipe": flag},
        nargs="+",
        metavar=("|".join(presets), "NAME=VALUE") if named else "NAME=VALUE",
        help=f"{text}; see below",
    )
    add_names(flags, flag, fields, recipes)


def add_names(flags, flag: str, fields: list[Field], recipes: dict[str, dict]) -> None:
    """A part of --help: the settings of a flag."""
    flags.add_argument_group(f"NAME=VALUE of {flag}", "\n".join(_described(field, recipes) for field in fields))


def _hyphened(name: str) -> str:
    return name.replace("_", "-")


def read_settings(words: list[str], fields: list[Field], presets: tuple[str, ...] = ()) -> dict[str, Any]:
    """`["strong", "ema=0.98"]` -> {"recipe": "strong", "ema": 0.98}."""
    known, values = {_hyphened(field.name): field for field in fields}, {}
    for word in words:
        name, _, text = word.partition("=")
        if word in presets:
            key, value = "recipe", word
        elif name in known and "=" in word:
            key, value = known[name].name, _read_value(word, known[name], text)
        else:
            expected = ", ".join([*presets, *(f"{name}=VALUE" for name in known)])
            raise ArgumentTypeError(f"{word}: expected {expected}")
        if key in values:
            raise ArgumentTypeError(f"{' '.join(words)}: {_hyphened(key)} stands there twice")
        values[key] = value
    return values


def _read_value(word: str, field: Field, text: str) -> Any:
    choices = field.metadata["choices"]
    if choices and text not in choices:
        raise ArgumentTypeError(f"{word}: {' or '.join(choices)}")
    if choices:
        return YES_NO.get(text, text)
    try:
        return command.number(type(field.default), **field.metadata["bounds"])(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{word.removesuffix(text)}{error}") from None
    except ValueError:
        raise ArgumentTypeError(f"{word}: no {type(field.default).__name__}") from None


def _described(field: Field, recipes: dict[str, dict]) -> str:
    """A line for --help: name, the script's own value, meaning, range, what other recipes have."""
    usual, *_ = values = [_shown(recipe.get(field.name, field.default)) for recipe in recipes.values()]
    others = [f"{name}: {value}" for name, value in zip(recipes, values, strict=True) if value != usual]
    limits = " or ".join(field.metadata["choices"]) or command.bounds_of(**field.metadata["bounds"])
    line = f"{f'{_hyphened(field.name)}={usual}':18} {field.metadata['text']}; {limits}"
    line += f" ({', '.join(others)})" if others else ""
    return textwrap.fill(line, 100, subsequent_indent=" " * 19)


def _shown(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
