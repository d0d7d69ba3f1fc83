"""Where a network looked: Grad-CAM over space and time, with TensorFlow or JAX.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization, 2017. The feature
maps of one layer are summed with the mean gradients of a class's logit as weights. What is below 0 speaks for other
classes and is cut off.
"""

import cv2
import keras
import numpy as np

FINE = 6  # places across that a map should have; small inputs leave the last layers fewer


def cut(model: keras.Model, layers: tuple[str, ...]) -> tuple[keras.Model, keras.Model]:
    """A network in two parts, (up to a layer, from there on): the last of `layers` (late to early) that is FINE places
    wide, or else the earliest."""
    for name in layers:
        maps = model.get_layer(name).output
        if maps.shape[-2] >= FINE:
            break
    return keras.Model(model.input, maps), keras.Model(maps, model.output)


def gradient(head: keras.Model, maps, classes: np.ndarray) -> np.ndarray:
    """d logit / d maps, of each clip's class: (B, t, h, w, C), (B,) -> (B, t, h, w, C) float32."""
    chosen = np.float32(np.arange(head.output.shape[-1]) == classes[:, None])  # 0 of a class that it does not know

    def logit(values):
        return keras.ops.sum(head(values, training=False) * chosen)

    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(logit)(maps))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(maps)
        value = logit(maps)
    return tape.gradient(value, maps).numpy()


def heat(parts: tuple[keras.Model, keras.Model], batch: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Where `cut`'s network found each clip's class.

    Args:
        batch: (B, T, H, W, C) float32, as the network sees clips; classes: (B,) class index.
    Returns:
        (B, T, H, W) float32 in [0, 1], the largest value of a clip 1; all 0 where nothing speaks for the class.
    """
    trunk, head = parts
    maps = keras.ops.convert_to_tensor(trunk(batch, training=False))
    weights = gradient(head, maps, classes).mean(axis=(1, 2, 3), keepdims=True)
    heats = np.maximum((np.asarray(maps) * weights).sum(axis=-1), 0)
    return np.stack([_enlarge(heat, batch.shape[1:4]) for heat in heats])


def _enlarge(heat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(t, h, w) -> (T, H, W), linear in all three, the largest value 1."""
    frames, height, width = shape
    wide = np.stack([cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in np.float32(heat)])
    longer = cv2.resize(wide.reshape(len(wide), -1), (height * width, frames), interpolation=cv2.INTER_LINEAR)
    return longer.reshape(shape) / max(float(longer.max()), 1e-12)
