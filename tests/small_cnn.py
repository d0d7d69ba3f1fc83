"""A script of the repository with an image network more in keras.applications, one that compiles in a second.

    python tests/small_cnn.py feature --data ... --network small ...

KILL_AT is the number of the write to a feature file in which the process is killed, STOP_AT an epoch in which the
machine goes off.
"""

import contextlib
import importlib
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
FLAGS = ["--network", "small", "--weights", "none", "--crop", "32/36"]
DIMENSION = 6


def preprocess_input(x):
    """As "caffe": an order of colours and a mean that are not those of the picture."""
    return (x[..., ::-1] - 100.0) / 50.0


def small(include_top, input_shape, weights):
    """Batch normalisation and dropout inside, as the real ones have."""
    from keras import Input, Model, layers

    picture = Input(input_shape)
    x = layers.Conv2D(DIMENSION, 5, 4, use_bias=False, name="conv")(picture)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dropout(0.2, name="drop")(layers.Activation("tanh")(x))
    model = Model(picture, x, name="small")
    if weights:
        model.load_weights(weights)
    return model


@contextlib.contextmanager
def installed():
    import keras

    keras.applications.small = small
    try:
        yield
    finally:
        del keras.applications.small


def kill_in_write(number: int) -> None:
    """Half of the rows of that write are on disc, and not that they are there."""
    from signs.inference.feature_file import FeatureFile

    write, calls = FeatureFile.write, []

    def fatal(file, position, features, *logits):
        calls.append(position)
        if len(calls) == number:
            first, half = file.first[position], len(features) // 2
            file.file["features"][first : first + half] = features[:half]
            os.kill(os.getpid(), signal.SIGKILL)
        write(file, position, features, *logits)

    FeatureFile.write = fatal


def stop_in_epoch(number: int) -> None:
    from signs.training.batches import Batches

    batch = Batches.__getitem__

    def until_the_machine_goes_off(generator, place):
        if generator.epoch == number and generator.augmentation is not None:
            os._exit(9)
        return batch(generator, place)

    Batches.__getitem__ = until_the_machine_goes_off


def main() -> int:
    from signs.inference.bundle import load_keras

    load_keras()
    import tensorflow as tf

    tf.config.run_functions_eagerly("STOP_AT" in os.environ)  # a few steps are sooner done than traced
    if "KILL_AT" in os.environ:
        kill_in_write(int(os.environ["KILL_AT"]))
    if "STOP_AT" in os.environ:
        stop_in_epoch(int(os.environ["STOP_AT"]))
    with installed():
        return importlib.import_module(sys.argv.pop(1)).main()


if __name__ == "__main__":
    from signs import command

    sys.exit(command.run(main))
