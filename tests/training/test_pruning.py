"""Pruning: which weights go, and that they stay away while the rest learns."""

from signs.training import pruning

import keras
import numpy as np
import pytest

from small_dense import small_dense, values


@pytest.mark.parametrize("share", [0, 0.25, 0.78, 1])
def test_the_smallest_of_all_kernels_go(share):
    model = small_dense()
    before = values(model)
    masks = pruning.prune(model, sparsity=share)
    after = values(model)
    assert masks.keys() == {"LSTM/lstm_cell/kernel", "LSTM/lstm_cell/recurrent_kernel", "Logits/kernel"}
    gone = np.concatenate([np.abs(before[name][~mask]) for name, mask in masks.items()])
    kept = np.concatenate([np.abs(before[name][mask]) for name, mask in masks.items()])
    assert len(gone) == round(share * (len(gone) + len(kept)))
    assert gone.max(initial=0) <= kept.min(initial=np.inf)
    for name, value in before.items():
        assert np.array_equal(after[name], np.where(masks[name], value, 0) if name in masks else value)


def test_as_many_as_asked_for_where_all_are_equal():
    model = small_dense()
    for kernel in pruning.kernels(model).values():
        kernel.assign(np.ones(kernel.shape))
    assert sum(np.sum(~mask) for mask in pruning.prune(model, sparsity=0.5).values()) == 118  # of 235, to the even one


def test_what_lies_below_a_threshold_goes():
    model = small_dense()
    kernel = np.asarray(model.get_layer("Logits").kernel).copy()
    kernel[0] = [2.0**-101, -(2.0**-101), 2.0**-100]
    model.get_layer("Logits").kernel.assign(kernel)
    masks = pruning.prune(model, threshold=pruning.TINY)
    assert list(masks["Logits/kernel"][0]) == [False, False, True]
    assert sum(np.sum(~mask) for mask in masks.values()) == 2
    assert np.asarray(model.get_layer("Logits").kernel)[0].tolist() == [0, 0, 2.0**-100]


def test_a_threshold_or_a_share_but_not_both():
    for arguments in ({}, {"threshold": 1.0, "sparsity": 0.5}):
        with pytest.raises(ValueError, match="one of them"):
            pruning.prune(small_dense(), **arguments)


@pytest.mark.parametrize("accumulate", [None, 2])
def test_what_is_pruned_stays_so_while_the_rest_learns(accumulate):
    rng, model = np.random.default_rng(0), small_dense()
    masks = pruning.prune(model, sparsity=0.6)
    pruning.hold(model, masks)
    before = values(model)
    model.compile(keras.optimizers.Adam(0.01, gradient_accumulation_steps=accumulate), "mse", jit_compile=False)
    model.fit(rng.normal(0, 1, (32, 4, 6)), rng.normal(0, 1, (32, 3)), batch_size=8, epochs=2, verbose=0)
    after = values(model)
    for name, mask in masks.items():
        assert np.all(after[name][~mask] == 0) and np.all(after[name][mask] != before[name][mask]), name
    assert np.any(after["Logits/bias"] != before["Logits/bias"])
