"""How the logits of each step of a sequence become those of the clip, and how much each step's loss counts.

    last     the last step alone (Sprint 3's system)
    mean     every step alike
    linear   step t of T counts t: what comes later has seen more of the clip (the UCF-101 course)
"""

import numpy as np

KINDS = ("last", "mean", "linear")


def weights(kind: str, steps: int) -> np.ndarray:
    """(steps,) float32, their sum 1."""
    if kind == "last":
        return np.eye(1, steps, steps - 1, dtype=np.float32)[0]
    counts = np.arange(1, steps + 1) if kind == "linear" else np.ones(steps)
    return np.float32(counts / counts.sum())


def of(steps, kind: str, ops=np):
    """(B, T, classes) -> (B, classes); `ops` is what computes, NumPy or keras.ops, for which T may be unknown."""
    if kind == "last":
        return steps[:, -1]
    if kind == "mean":
        return ops.mean(steps, axis=1)
    counts = ops.cumsum(ops.ones_like(steps[:1, :, :1]), axis=1)
    return ops.sum(steps * counts, axis=1) / ops.sum(counts, axis=1)
