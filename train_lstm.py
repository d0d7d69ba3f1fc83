"""Train an LSTM on the features of an image network, and write a model bundle: Sprint 3's system, and its transfer.

    python feature.py    --data data_set/chalearn --network inception-v3
    python train_lstm.py --data data_set/chalearn --output model/lstm --features inception-v3

in:   data_set/<name>/feature-<features>-<store>/, which feature.py wrote
out:  model/<run>/: bundle.json, <stream>-network.weights.h5 (image network and LSTM together), log.csv, checkpoint/

Two LSTM layers of 1024 units over 40 frames, half of the input dropped, Adam at 1e-3; the last step names the sign.
For a small set of signs start from a model that knows many: `--weights model/lstm` takes all of it but the last layer,
with its --lstm, --dense, --batch-norm, --read and --normalise, and `--freeze 1|2|both` keeps LSTM layers as they are.
`--sweep` tries every choice, and a random start beside them:

    python train_lstm.py --data data_set/ledasila --output model/transfer --features inception-v3 \\
        --weights model/lstm --sweep

which leaves model/transfer/<choice>/ each, comparison.csv and comparison.png: the curves side by side. The choices of
the UCF-101 course are here too: --frames run:120, --truncate, --batch-norm, --read; see train_frame.py.
"""

import argparse
import copy
import sys
from pathlib import Path

from signs import command
from signs.clips import dataset, modality
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Problem
from signs.inference import feature_file
from signs.training import recurrent
from signs.training.flags import add_augmentation, add_normalise, add_recipe, add_training, begin, complete_recipe

ALONE = "random start"


def parse(argv=None) -> argparse.Namespace:
    flags, more = begin(__doc__, "train_lstm.py", "chalearn", "lstm")
    flags.add_argument("--features", default="inception-v3", metavar="NAME", help="as feature.py named them")
    flags.add_argument("--stream", choices=("both", "rgb", "flow"), default="rgb", help="both: one network each")
    flags.add_argument("--weights", type=Path, dest="start", metavar="MODEL", help="start from its LSTM")
    flags.add_argument("--freeze", choices=recurrent.FREEZE, default="none", help="LSTM layers of it that do not learn")
    flags.add_argument("--sweep", action="store_true", help="every choice of --freeze, and a random start")
    recurrent.add_flags(flags, more, lstm=[1024, 1024], frames="40", read="last")
    add_normalise(more, ("features",))
    add_training(flags, more, (60, 32, 1e-3))
    add_recipe(flags, "paper", named=False, without=("top_epochs",))
    add_augmentation(flags, "paper", named=False, pictures=False)
    args = flags.parse_args(argv)
    if args.start:
        row, _ = recurrent.find_lstm(args.start, modality.expand_streams(args.stream)[0])
        flags.set_defaults(**{name: row.arguments[name] for name in (*recurrent.BUILT, "read")})
        args = flags.parse_args(argv)
    complete_recipe(args)
    if not args.start and (args.sweep or args.freeze != "none"):
        raise Problem("--freeze and --sweep need a model to start from: --weights model/<run>")
    if len(args.lstm) < {"none": 0, "1": 1}.get(args.freeze, 2):
        raise Problem(f"--freeze {args.freeze}: --lstm has {command.counted(len(args.lstm), 'layer')}")
    if args.sampling != "even" and args.part < 1:
        raise Problem(f"--augment part={args.part:g}: of --frames N; with run:N any N in a row are seen")
    return args


def variants(args) -> dict[str, argparse.Namespace]:
    """{name: flags} of a sweep."""
    choices = {ALONE: (None, "none"), "fine-tune all": (args.start, "none")}
    if args.lstm:
        choices |= {"freeze LSTM 1": (args.start, "1")}
    if len(args.lstm) > 1:
        choices |= {"freeze LSTM 2": (args.start, "2"), "freeze both": (args.start, "both")}
    runs = {}
    for name, (start, freeze) in choices.items():
        runs[name] = flags = copy.copy(args)
        flags.start, flags.freeze, flags.sweep = start, freeze, False
        flags.output = args.output / name.lower().replace(" ", "-")
    return runs


def sweep(args, data: Dataset, folders: dict[str, Path]) -> int:
    """Train every variant, then draw them side by side; returns the exit code."""
    runs, code = variants(args), command.DONE
    for folder in folders.values():  # before the random start, which takes its time and needs no model
        recurrent.trained_lstm(args.start, recurrent.about_of(folder), args)
    for name, flags in runs.items():
        print(f"-- {name}")
        code = max(code, recurrent.train(flags, data, folders))
    from signs.evaluation import curves
    from signs.training.log import Log

    for stream in modality.expand_streams(args.stream):
        logs = {name: Log(flags.output / "log.csv").rows_of(stream) for name, flags in runs.items()}
        tail = f"-{stream}" if args.stream == "both" else ""
        rows = extremes(logs)
        dataset.write_table(args.output / f"comparison{tail}.csv", rows, rows[0])
        curves.write_side_by_side(logs, args.output / f"comparison{tail}.png")
        for row in rows:
            best = f"best accuracy {float(row['most_val_accuracy']):6.1%} in epoch {row['epoch_of_most']}"
            lowest = f"lowest loss {row['least_val_loss']} in epoch {row['epoch_of_least']}"
            print(f"{row['start']:14}  {best}, {lowest}")
    print(f"comparison -> {args.output}")
    return code


def extremes(logs: dict[str, list[dict]]) -> list[dict]:
    """A row a run: its highest validation accuracy, its lowest validation loss, and the epochs of both."""
    rows = []
    for name, log in logs.items():
        most = max(log, key=lambda row: float(row["val_accuracy"]))
        least = min(log, key=lambda row: float(row["val_loss"]))
        highest = {"most_val_accuracy": most["val_accuracy"], "epoch_of_most": most["epoch"]}
        lowest = {"least_val_loss": least["val_loss"], "epoch_of_least": least["epoch"]}
        rows.append({"start": name, "epochs": len(log), **highest, **lowest})
    return rows


def main(argv=None) -> int:
    args = parse(argv)
    data, streams = load_dataset(args.data), modality.expand_streams(args.stream)
    folders = {stream: feature_file.find_features(data, args.features, stream) for stream in streams}
    learn = sweep if args.sweep else recurrent.train
    return learn(args, data, folders)


if __name__ == "__main__":
    sys.exit(command.run(main))
