"""Run stored clips through an image network and keep what it finds: features in HDF5, a row per frame.

    python feature.py --data data_set/chalearn --network inception-v3
    python feature.py --data data_set/chalearn --network model/frames/frame        (fine-tuned by train_frame.py)

in:   data_set/<name>/frame-<store>, or flow-<store> with --stream flow
out:  data_set/<name>/feature-<network>-<store>/train.h5, valid.h5, test.h5   see feature_file.py
      and network.weights.h5, the network that made them

The network is any of keras.applications without its top, with the weights that Keras fetches from its own storage
(ImageNet), or a model of train_frame.py, which names each frame as well. Features are those of the pictures that
prediction sees: the same code cuts and scales them. Stopped at any moment, the same command goes on after the last
clip that was done; clips that came since are added.
"""

import argparse
import sys
from pathlib import Path

import command

import bundle
import clip
import clipspec
import dataset
import modalities
import recipe
import run


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--network", default="inception-v3", metavar="NAME|FOLDER",
                       help="of keras.applications, e.g. inception-v3 (2,048 features), mobilenet (1,024); or a model "
                            "of train_frame.py")  # fmt: skip
    flags.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE",
                       help="of a network of keras.applications; none: a random start")
    flags.add_argument("--stream", choices=("rgb", "flow"), default="rgb", help="frames, or flow as pictures")
    flags.add_argument("--name", help="of the features (default: the network's)")
    flags.add_argument("--store", help="which store, where there are several: 40x240-tvl1-fast")
    group = flags.add_argument_group("what the network sees", "Of a model of train_frame.py: as it was trained.")
    group.add_argument("--crop", type=int, metavar="PX", help="square in the middle (default: the network's own size)")
    group.add_argument("--short-side", type=int, metavar="PX", help="resized to before the crop (default: the crop)")
    recipe.add_region(group)
    flags.add_argument("--batch", type=int, default=40, metavar="N", help="frames at once")
    flags.add_argument("--seed", type=int, default=0, help="of a random start")
    command.add_threads(flags)
    return recipe.complete(flags.parse_args(argv))


def stored_spec(args, data: dataset.Dataset) -> clipspec.StoredSpec:
    if args.stream == "flow":
        return clip.find_stored(data, "flow", args.store)
    return clip.find_stored(data, "frame", args.store).without_flow()


def is_model(network: str) -> bool:
    """Whether that is a model's folder, rather than the name of a network."""
    return len(Path(network).parts) > 1 or bundle.is_one(network)


def extractor_of(args, stored: clipspec.StoredSpec):
    """The image network that the flags name, and what its features are."""
    import extract
    import model_lstm

    if is_model(args.network):
        return extract.from_bundle(bundle.load(Path(args.network)), args.stream, stored)
    crop = args.crop or model_lstm.size_of(args.network)
    pictures = int(stored.frames) if stored.frames.isdigit() else clipspec.InputSpec.frames
    seen = clipspec.InputSpec(pictures, args.short_side or crop, crop, args.still, region=args.region)
    weights = None if args.weights == "none" else args.weights
    run.seed(args.seed)
    network = model_lstm.build_cnn(args.network, (crop, crop, modalities.TABLE[args.stream].channels), weights)
    trained = args.weights if weights in (None, "imagenet") else Path(weights).name
    if weights is None:
        trained = f"none, seed {args.seed}"
    return extract.of_network(network, args.network, clipspec.ClipSpec(stored, seen), args.stream, trained)


def main(argv=None) -> int:
    args = parse(argv)
    data = dataset.load(args.data)
    stored = stored_spec(args, data)
    bundle.load_keras()  # seconds; so after what can be wrong without it
    import extract

    extractor = extractor_of(args, stored)
    outcome = command.Outcome()
    own = Path(args.network).resolve().name if is_model(args.network) else args.network
    folder = extract.extract_splits(extractor, data, args.name or own, args.batch, args.workers, outcome)
    extract.print_single_frames(folder)
    print(f"{len(outcome.done)} clips, {extractor.about.dimension} features a frame -> {folder}")
    return outcome.summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
