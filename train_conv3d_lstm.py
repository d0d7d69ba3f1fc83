"""Train the 3D-CNN, the CNN + LSTM or both joined, on grey, colour, depth, flow or crops, and write a model bundle.

    python train_conv3d_lstm.py --data data_set/chalearn2014 --output model/joined --stream upper hand

in:   data_set/<name>/frame-<store>; with depth or crops frame-<store>-<part>, with flow flow-<store>
out:  model/<run>/: bundle.json, <stream>.weights.h5 (best epoch), log.csv, events/, checkpoint/

After Mullick & Namboodiri, Learning deep and compact models for gesture recognition, ICIP 2017: a 3D-CNN codes groups
of four frames, an LSTM reads the codes; `--size medium` and `small` have a fourth and a sixteenth of the weights. Clips
are augmented by rotation, shift and zoom. Their input, grey and depth of the upper body and of the higher hand, is
`--stream upper hand` for data that has it (prepare_chalearn2014.py --crops, then frame.py --part upper and the other
three); the streams' answers are averaged. `--stream grey-depth` is both of the whole picture; what needs no more than
colour (grey, rgb, flow) runs in predict.py and livedemo.py too. With `--length any` every stored frame is seen, of
clips as long as they are: batches are padded, and what they are padded with counts for nothing. The start is random
unless `--weights model/<run>` names another such model. Stopped at any moment, the same command goes on after the last
whole epoch. `--refit model/<run>` trains once more as a finished run did, with the validation clips too.
"""

import argparse
import sys

import command

import compact
import dataset
import refit

SIZE = "joined"


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    compact.add_flags(flags, SIZE)
    return compact.complete(refit.parse(flags, argv, compact.NETWORKS), SIZE)


def main(argv=None) -> int:
    args = parse(argv)
    compact.train(args, dataset.load(args.data))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
