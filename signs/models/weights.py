"""Weights into networks, the published I3D checkpoint or another network's, and into files."""

import io
import re
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.models import hub

import h5py
import keras
import numpy as np


class _Memory(io.BytesIO):
    """Keras writes to it as to a file of this name."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def write_weights(model: keras.Model, path: Path) -> None:
    """Write what `model.load_weights` reads, whole or not at all; equal weights give equal bytes.

    Keras notes each layer's name in the file, which it never reads. Layers without a name are numbered as a process
    makes them, so the names of a resumed training are others. HDF5 gets no file of a disc, which may be full: it
    would crash.
    """
    content, kept = _Memory(), io.BytesIO()
    model.save_weights(content)
    with h5py.File(content) as named, h5py.File(kept, "w") as nameless:
        for group in named:
            named.copy(group, nameless, without_attrs=True)
    with command.atomic(path) as temporary:
        temporary.write_bytes(kept.getbuffer())


def inflate(kernel: np.ndarray, frames: int) -> np.ndarray:
    """A 2D kernel (h, w, in, out) -> a 3D kernel (frames, h, w, in, out): repeated, divided by the number of frames.

    A still video gives what the picture gave (Carreira & Zisserman 2017, section 2.5).
    """
    return np.repeat(kernel[None] / frames, frames, axis=0)


def checkpoint_names(model: keras.Model) -> dict[str, keras.Variable]:
    """{published variable name, without the prefix: the model's variable}, e.g. `Mixed_3b/Branch_0/.../conv_3d/w`."""
    names, short = {}, {"kernel": "w", "bias": "b"}
    for layer in model.layers:
        path = re.sub(r"(Logits|Mixed_..|Branch_.)_", r"\1/", layer.name)
        path = re.sub(r"_(conv_3d|batch_norm)$", r"/\1", path)
        for variable in layer.weights:
            names[f"{path}/{short.get(variable.name, variable.name)}"] = variable
    return names


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a published checkpoint by name, without `RGB/inception_i3d/`; the optimiser's `/Momentum` is left out.

    Args:
        path: as TensorFlow wants it, `.../model.ckpt`; or a file of hub.py.
    """
    if path.name == hub.FILE.name:
        return hub.read(path)
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(path))
        names = [name for name in reader.get_variable_to_shape_map() if not name.endswith("/Momentum")]
        return {name.split("inception_i3d/")[-1]: reader.get_tensor(name) for name in names}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        text = str(error).splitlines()[0]
        wanted = f"{path.name}.index and {path.name}.data-00000-of-00001"
        raise Problem(f"{path}: no readable checkpoint ({text}); expected {wanted} there") from None


def load_kinetics_checkpoint(model: keras.Model, path: Path) -> None:
    """Give a model of `build_i3d` the published weights, each variable by its name.

    The head is taken where it has as many classes and stays new where not.

    Args:
        path: as TensorFlow wants it, `.../rgb_imagenet/model.ckpt`.
    Raises:
        Problem: a variable is missing, left over, or of another shape.
    """
    arrays, wanted = read_checkpoint(path), checkpoint_names(model)
    head = [name for name in wanted if name.startswith("Logits/")]
    if any(name in arrays and arrays[name].shape != tuple(wanted[name].shape) for name in head):
        for name in head:
            arrays.pop(name, None)
            wanted.pop(name)
    missing, extra = sorted(wanted.keys() - arrays.keys()), sorted(arrays.keys() - wanted.keys() - {"global_step"})
    if missing or extra:
        counts = f"{len(missing)} variables missing, {len(extra)} unknown, first {(missing or extra)[0]}"
        raise Problem(f"{path}: not an I3D checkpoint; {counts}")
    for name, variable in wanted.items():
        # Sonnet keeps batch normalisation's averages as (1, 1, 1, 1, C); the values are the same.
        value = arrays[name]
        if value.size != np.prod(variable.shape) or np.squeeze(value).shape != np.squeeze(variable).shape:
            shape = tuple(variable.shape)
            raise Problem(f"{path}: {name} is {value.shape}, expected {shape}; another stream's weights?")
        variable.assign(value.reshape(variable.shape))


def copy_weights(source: keras.Model, model: keras.Model) -> None:
    """Give a model the weights of another one of the same builder and channels; of I3D sizes of the input may differ.

    The head is taken where it has as many classes and stays new where not.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        theirs = source.get_layer(layer.name).get_weights()
        if [value.shape for value in theirs] == [tuple(variable.shape) for variable in layer.weights]:
            layer.set_weights(theirs)
        elif not layer.name.startswith("Logits"):
            raise ValueError(f"{layer.name}: another shape; networks of other channels?")
