"""A script of the repository with a network in I3D's place that compiles in a second, on two CPU devices.

STOP_AT is an epoch in which the machine goes off, STOP_HOST the only one of several that does, READ a file of what each
host reads.

    KERAS_BACKEND=jax python tests/small_network.py train_i3d --data ... --output ... --devices 2 [then evaluate ...]
"""

import importlib
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def build(input_shape, classes, dropout=0.5, momentum=0.99):
    from keras import Input, Model, layers

    clip = Input(input_shape)
    x = layers.Conv3D(6, 3, (2, 4, 4), "same", use_bias=False, name="conv")(clip)
    x = layers.BatchNormalization(scale=False, momentum=momentum, name="norm")(x)
    x = layers.Dropout(dropout, name="drop")(layers.Flatten()(layers.MaxPooling3D(2)(layers.ReLU()(x))))
    return Model(clip, layers.Dense(classes, name="Logits_dense")(x))


def stages(model):
    """As i3d_stages.py cuts I3D: the convolution, which needs no padding in space, and the rest."""
    from signs.models.i3d_stages import Stage

    from keras import Input, Model, layers

    conv, frames = model.get_layer("conv"), Input((None, *model.input.shape[2:]), name="frames")
    alone = Model(frames, layers.Conv3D(6, 3, (2, 4, 4), use_bias=False, name="conv")(frames))
    alone.set_weights(conv.get_weights())
    return [Stage("conv", alone, 3, 2)], Model(conv.output, model.output)


def two_devices() -> None:
    if os.environ.get("KERAS_BACKEND") == "jax":
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={os.environ.get('CPUS', '2')}"
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def note_reading(file: Path) -> None:
    """Add a line to the file for each archive that is decoded: epoch, host, clip. None is kept in memory."""
    import datagenerator

    read, images = datagenerator.read_stored, datagenerator.ClipGenerator._images
    datagenerator.ClipGenerator.__init__.__kwdefaults__["memory"] = 0
    reader = threading.local()

    def read_and_note(modality, data, item, *rest):
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(f"{reader.generator.epoch} {reader.generator.devices.host} {item.clip}\n")
        return read(modality, data, item, *rest)

    def remember(generator, position):
        reader.generator = generator
        return images(generator, position)

    datagenerator.read_stored, datagenerator.ClipGenerator._images = read_and_note, remember


def main() -> int:
    two_devices()
    from signs.models import i3d

    from datagenerator import ClipGenerator

    i3d.build_i3d = build
    batch, stop_at = ClipGenerator.__getitem__, int(os.environ.get("STOP_AT", -1))
    stop_host = os.environ.get("STOP_HOST")

    def until_the_machine_goes_off(generator, number):
        if generator.epoch == stop_at and number == 2 and stop_host in (None, str(generator.devices.host)):
            os._exit(9)
        return batch(generator, number)

    ClipGenerator.__getitem__ = until_the_machine_goes_off
    if "READ" in os.environ:
        note_reading(Path(os.environ["READ"]))
    code, words = 0, sys.argv[1:]
    while words and code == 0:
        end = words.index("then") if "then" in words else len(words)
        code = importlib.import_module(words[0]).main(words[1:end])
        words = words[end + 1 :]
    return 100 if os.environ.get("KERAS_BACKEND") == "jax" and "tensorflow" in sys.modules else code


if __name__ == "__main__":
    from signs import command

    sys.exit(command.run(main))
