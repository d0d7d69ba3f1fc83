"""The I3D network (Carreira & Zisserman 2017): print its layers, and check a published checkpoint against it.

    python model_i3d.py --classes 249
    python model_i3d.py --stream flow --checkpoint model/kinetics/flow_imagenet/model.ckpt

The network is `signs/models/i3d.py`; `signs/models/weights.py` reads its published weights.
"""

import sys
from pathlib import Path

from signs import command
from signs.clips import modality
from signs.command import Problem
from signs.inference.bundle import load_keras

KINETICS_CLASSES = 400


def build_i3d(input_shape: tuple[int, int, int, int], classes: int, **arguments):
    """I3D, (B, T, H, W, 3 or 2) -> (B, classes) logits, a keras.Model: `signs.models.i3d.build_i3d`."""
    from signs.models import i3d

    return i3d.build_i3d(input_shape, classes, **arguments)


def load_kinetics_checkpoint(model, path: Path) -> None:
    """Give it published weights, `.../model.ckpt`, all but the top: `signs.models.weights.load_kinetics_checkpoint`."""
    from signs.models import weights

    weights.load_kinetics_checkpoint(model, path)


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--stream", choices=("rgb", "flow"), default="rgb", help="what the network sees")
    count = command.number(int, least=1)
    flags.add_argument("--frames", type=count, default=40, metavar="N", help="frames of a clip")
    flags.add_argument("--crop", type=count, default=224, metavar="PX", help="pixels of each side")
    flags.add_argument("--classes", type=count, default=KINETICS_CLASSES, metavar="N", help="size of the top")
    flags.add_argument("--checkpoint", type=Path, metavar="CKPT", help="published weights to check: .../model.ckpt")
    args = flags.parse_args(argv)
    channels = modality.TABLE[args.stream].channels
    load_keras()
    try:
        model = build_i3d((args.frames, args.crop, args.crop, channels), args.classes)
    except ValueError as error:
        raise Problem(f"--frames {args.frames} --crop {args.crop}: {error}") from None
    model.summary(line_length=110)
    if args.checkpoint:
        load_kinetics_checkpoint(model, args.checkpoint)
        print(f"{args.checkpoint}: every weight of the network below its top is there, in its shape")
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
