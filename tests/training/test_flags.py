"""flags.py, options.py: flags made of dataclasses, words that set several values, what --help shows first."""

import argparse
from dataclasses import dataclass

from signs import command
from signs.command import Problem
from signs.training import flags, options
from signs.training.augmentation import Augmentation
from signs.training.options import option
from signs.training.recipe import RECIPES, Recipe

import pytest

import feature
import train_conv3d_lstm
import train_frame
import train_i3d
import train_linear
import train_lstm

TRAININGS = (train_i3d, train_linear, train_conv3d_lstm, train_lstm, train_frame)


def parse(script, *words):
    return script.parse(["--data", "data", "--output", "model", *words])


@pytest.mark.parametrize(
    ("script", "text", "seen"),
    [
        (train_i3d, "12", (12, 1, "even")),
        (train_i3d, "12x3", (12, 3, "even")),
        (train_conv3d_lstm, "whole", (None, 1, "whole")),
        (train_lstm, "20", (20, 1, "even")),
        (train_lstm, "run:120", (120, 1, "run")),
        (train_lstm, "run:120x3", (120, 3, "run")),
        (train_frame, "run:120/whole", (120, 1, "run/whole")),
    ],
)
def test_ways_to_say_length(script, text, seen):
    args = parse(script, "--frames", text)
    assert (args.frames, args.views, args.sampling) == seen


def test_what_each_training_sees_by_itself():
    seen = {
        script.__name__: (args.frames, args.sampling, getattr(args, "still", None), getattr(args, "scale", None))
        for script in TRAININGS
        for args in [parse(script)]
    }
    assert seen == {
        "train_i3d": (40, "even", "keep", "fixed"),
        "train_linear": (20, "even", "subtract", "own"),
        "train_conv3d_lstm": (None, "even", "subtract", "fixed"),
        "train_lstm": (40, "even", None, None),
        "train_frame": (120, "run", "keep", None),
    }


def test_a_crop_of_a_short_side():
    args = parse(train_linear, "--crop", "32/36")
    assert (args.crop, args.short_side) == (32, 36)
    args = parse(train_linear, "--crop", "32")
    assert (args.crop, args.short_side) == (32, 54), "the script's own"
    args = feature.parse(["--data", "data"])
    assert (args.crop, args.short_side) == (None, None)


def test_a_word_that_is_not_named_is_off():
    args = parse(train_linear, "--normalise", "scale")
    assert (args.still, args.scale) == ("keep", "own")
    args = parse(train_linear, "--normalise")
    assert (args.still, args.scale) == ("keep", "fixed")
    args = parse(train_frame, "--normalise", "mean", "features")
    assert (args.still, args.centre) == ("subtract", True)


def test_a_recipe_and_parts_of_it():
    args = parse(train_i3d, "--recipe", "strong", "ema=0.5", "balance=no", "--augment", "zoom=0", "--frames", "8")
    assert (args.ema, args.balance, args.zoom, args.frames) == (0.5, False, 0, 8)
    assert (args.schedule, args.warm_up, args.part, args.views) == ("cosine", 1, 0.7, 2), "the rest as it is there"
    assert options.make(Recipe, args) == Recipe(
        **{name: getattr(args, name) for name in ("patience", "schedule", "warm_up", "ema")}
    )
    args = parse(train_conv3d_lstm, "--recipe", "ema=0.5")
    assert (args.recipe, args.ema, args.patience, args.rotation) == ("compact", 0.5, 15, 10), "the script's own recipe"
    args = parse(train_i3d, "--recipe", "ema=0.5", "--recipe", "l2=1e-3")
    assert (args.ema, args.l2) == (0.5, 1e-3)
    known = {row.name for kind in (Recipe, Augmentation) for row in options.options(kind)} | {"views"}
    assert {name for recipe in RECIPES.values() for name in recipe} <= known


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--zoom", "0.1"], "--augment zoom sets that"),
        (["--weight-decay=0.1"], "--recipe weight-decay sets that"),
        (["--short-side", "54"], "--crop sets that"),
        (["--views", "2"], "--frames sets that"),
        (["--still", "keep"], "--normalise sets that"),
        (["--learning_rate", "1"], "--learning-rate is spelt alike"),
        (["--at-test", "part"], "flags of earlier versions: CHANGELOG.md"),
        (["--recipe", "strong", "paper"], "recipe stands there twice"),
        (["--recipe", "warm-up=1", "warm-up=2"], "warm-up stands there twice"),
        (["--augment", "rotation=inf"], "rotation=inf: no finite number"),
        (["--frames", "99999999999999999999"], "N and V at least 1, at most 9999"),
        (["--frames", "8x99999"], "N and V at least 1, at most 9999"),
        (["--crop", "48/99999999"], "expected pixels"),
    ],
)
def test_what_a_wrong_word_is_answered_with(words, said):
    with pytest.raises(Problem) as caught:
        parse(train_i3d, *words)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_two_trainings_of_one_script():
    args = parse(train_frame, "--epochs", "5", "7", "--batch", "3", "--learning-rate", "1e-2")
    assert (args.epochs, args.recurrent_epochs) == (5, 7)
    assert (args.batch, args.recurrent_batch) == (3, 32), "the second stays"
    assert (args.learning_rate, args.recurrent_learning_rate) == (1e-2, 1e-3)


@pytest.mark.parametrize(
    ("name", "value"), [("zoom", "x"), ("zoom", 1), ("zoom", True), ("shift", float("inf")), ("part", None)]
)
def test_what_no_flag_gives_is_no_augmentation(name, value):
    """A bundle's flags go the same way as a person's, and a bundle may be damaged."""
    args = parse(train_i3d)
    setattr(args, name, value)
    with pytest.raises(Problem, match=f"{name} .* no training writes that"):
        flags.augmentation_of(args)


@dataclass(frozen=True)
class Made:
    size: int = option(3, "how large", least=1, most=9)
    kind: str = option("round", "of what kind", choices=("round", "square"))
    is_old: bool = option(False, "whether it is old")
    hidden: int = 0


def made(*words) -> argparse.Namespace:
    parser = command.parser("What it does.")
    options.add_settings(
        parser, "--made", options.options(Made), {"own": {"size": 4}, "other": {"size": 5}}, "made", True
    )
    args = parser.parse_args(words)
    options.fill(args, options.options(Made), {"own": {"size": 4}, "other": {"size": 5}}[args.recipe])
    return args


def test_a_dataclass_becomes_flags_and_flags_a_dataclass():
    assert options.make(Made, made()) == Made(size=4)
    assert options.make(Made, made("--made", "other"), hidden=2) == Made(size=5, hidden=2)
    assert options.make(Made, made("--made", "size=7", "kind=square", "is-old=yes")) == Made(7, "square", True)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("size=0", "--made size=0: at least 1, at most 9"),
        ("size=1.5", "--made size=1.5: no int"),
        ("size", "--made size: expected own, other, size=VALUE"),
        ("kind=flat", "--made kind=flat: round or square"),
        ("is-old=1", "--made is-old=1: yes or no"),
        ("hidden=1", "--made hidden=1: expected"),
    ],
)
def test_a_setting_that_makes_no_sense(word, said):
    with pytest.raises(Problem, match=said):
        made("--made", word)


def test_what_a_person_writes():
    parser, _ = flags.begin("", "train_i3d.py", "chalearn", "chalearn")
    flags.add_crop(parser, "224")
    flags.add_augmentation(parser, "paper")
    names = ("short_side", "zoom", "seed", "learning_rate")
    assert [options.flag_of(parser, name) for name in names] == [
        "--crop",
        "--augment zoom",
        "--seed",
        "--learning-rate",
    ]


@pytest.mark.parametrize("script", TRAININGS, ids=lambda script: script.__name__)
def test_help_shows_first_what_most_people_need(script, capsys):
    with pytest.raises(SystemExit):
        parse(script, "--help")
    shown = capsys.readouterr().out
    first, rest = shown.split("\noptions:\n")[1].split("\nmore:\n")
    names = [line.split()[0] for line in first.splitlines() if line.startswith("  --")]
    assert {"--data", "--output", "--stream", "--frames", "--augment"} <= set(names) and 12 <= len(names) <= 15
    assert "--seed" in rest and "NAME=VALUE of --augment:" in rest and "  part=" in rest
