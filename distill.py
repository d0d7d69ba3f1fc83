"""Train a compact network on what a larger model knows: knowledge distillation from any bundle.

    python distill.py --teacher model/chalearn --data data_set/chalearn --output model/student --stream rgb
    python distill.py ... --alpha 0 --output model/alone        the same student with the labels alone, same budget

in:   a trained model of the same classes, the two streams of I3D too; the data set's archives, for both
out:  model/<run>/, as train_conv3d_lstm.py leaves it; model/<teacher>/logits-<data>.npz, see distillation.py

After Mullick & Namboodiri (ICIP 2017): the loss is alpha times the cross-entropy of the teacher's and the student's
softened answers, plus 1 - alpha times that of the labels. `--squared` puts Hinton's T^2 before the first, so that it
pulls as hard at any temperature. The teacher sees each training clip once, as it is when it predicts; its logits are
stored and serve every later student, temperature and alpha. Labels are smoothed, the teacher's answers are not; mixup
mixes both. `keras.distillation` runs the teacher in each step, on the student's own input, so it fits neither stored
answers nor a teacher that sees other pictures. Flags of the student are train_conv3d_lstm.py's.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset
from signs.command import Problem
from signs.inference.bundle import load_bundle
from signs.inference.confidence import load_calibration
from signs.training import distillation, refit

from train_conv3d_lstm import NETWORKS, add_size_flags, complete_size, train_all

SIZE = "small"


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--teacher", type=Path, required=True, help="model folder, e.g. model/chalearn")
    flags.add_argument(
        "--temperature",
        type=float,
        default=2.0,
        metavar="T",
        help="logits are divided by it: the higher, the more is said of the classes that are not right",
    )
    flags.add_argument("--alpha", type=float, default=0.5, help="weight of the teacher; 0: the labels alone")
    flags.add_argument(
        "--squared",
        action="store_true",
        help="T^2 times the teacher's weight (Hinton et al. 2015): as much pull at any temperature",
    )
    add_size_flags(flags, SIZE)
    args = complete_size(refit.parse(flags, argv, NETWORKS), SIZE)
    if args.temperature <= 0 or not 0 <= args.alpha <= 1:
        raise Problem(f"--temperature {args.temperature:g} --alpha {args.alpha:g}: above 0, and from 0 to 1")
    return args


def main(argv=None) -> int:
    args = parse(argv)
    data, known = load_dataset(args.data), load_bundle(args.teacher)
    distillation.check(known, data)
    # A run goes on with the teacher that it began with: all that makes its answers.
    args.teacher_sha256, args.teacher_fusion = known.hashes, load_calibration(known.folder, known.hashes).weights
    train_all(
        args,
        data,
        partial(
            distillation.lesson,
            known,
            data,
            temperature=args.temperature,
            alpha=args.alpha,
            squared=args.squared,
            workers=args.workers,
        ),
    )
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
