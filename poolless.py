"""A network without 3D pooling layers and without loops, which LiteRT has no operations for; imported by convert.py.

A maximum over a box is the maximum over its pictures of the maximum in each, and so is a mean; the result is the same,
to the bit for the maximum. An LSTM is unrolled: each of its steps is written out, so that the number of steps has to
be known.
"""

import command  # noqa: F401  what it sets has to be set before Keras is imported

import keras
from keras import layers, ops


class Pool3D(layers.Layer):
    """`like`, a MaxPooling3D or AveragePooling3D layer, by 2D pooling and slices over time."""

    def __init__(self, like, **arguments):
        super().__init__(**arguments)
        self.like, self.mode = like, "max" if isinstance(like, layers.MaxPooling3D) else "average"

    def call(self, x):
        frames, height, width, channels = x.shape[1:]
        size, stride, padding = self.like.pool_size, self.like.strides, self.like.padding
        if self.mode == "average" and padding == "same":
            raise ValueError("an average over a padded border counts fewer places; expected padding 'valid'")
        pictures = ops.reshape(x, (-1, height, width, channels))
        pool = ops.max_pool if self.mode == "max" else ops.average_pool
        pictures = pool(pictures, size[1:], stride[1:], padding)
        _, height, width, channels = pictures.shape
        clip = ops.reshape(pictures, (-1, frames, height, width, channels))
        return self._over_time(clip, size[0], stride[0], padding)

    def _over_time(self, x, size: int, stride: int, padding: str):
        if padding == "same":
            count = -(-x.shape[1] // stride)
            lacking = max(0, (count - 1) * stride + size - x.shape[1])
            first, last = x[:, :1], x[:, -1:]  # the maximum of a border that is repeated is that of the border
            x = ops.concatenate([first] * (lacking // 2) + [x] + [last] * (lacking - lacking // 2), axis=1)
        else:
            count = (x.shape[1] - size) // stride + 1
        moments = [x[:, start : start + (count - 1) * stride + 1 : stride] for start in range(size)]
        total = moments[0]
        for moment in moments[1:]:
            total = ops.maximum(total, moment) if self.mode == "max" else total + moment
        return total if self.mode == "max" else total / size


def recurs(model: keras.Model) -> bool:
    """Whether there is an LSTM in it, or in a network within it."""
    return any(isinstance(layer, layers.LSTM) or isinstance(layer, keras.Model) and recurs(layer)
               for layer in model.layers)  # fmt: skip


def for_litert(model: keras.Model) -> keras.Model:
    """The same network, with the same weights, and its LSTMs unrolled."""
    def clone(layer):
        if isinstance(layer, layers.MaxPooling3D | layers.AveragePooling3D):
            return Pool3D(layer, name=layer.name)
        unrolled = {"unroll": True} if isinstance(layer, layers.LSTM) else {}
        return layer.__class__.from_config(layer.get_config() | unrolled)

    copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    copy.set_weights(model.get_weights())
    return copy
