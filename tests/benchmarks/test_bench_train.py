"""The benchmark of training runs from end to end, and what it compares with is the same network."""

import json

from signs.models import i3d

import keras
import numpy as np
import pytest
from keras import layers

import tiny

BENCHMARKS = tiny.REPOSITORY / "benchmarks"


def test_it_runs_and_its_last_line_is_json():
    few = ["--quick", "--batch", "1", "--clips", "2", "--seconds", "0.05", "--parts", "generator"]
    done = tiny.script("benchmarks/bench_train.py", *few)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["settings"]["crop"] == 32 and "strong, cached" in done.stdout
    for recipe in ("paper", "strong"):
        assert set(found["generator"][recipe]) == {"cold", "cached"}
        for row in found["generator"][recipe].values():
            assert set(row) == {"1", "2"} and min(row.values()) > 0


def test_the_step_and_fit(tmp_path, monkeypatch, capsys):
    """With a network of one layer: I3D's own takes most of a minute to trace."""
    import bench_train
    import measure_train

    def build(size, classes):
        clip = keras.Input(size)
        return keras.Model(clip, layers.GlobalAveragePooling3D()(layers.Conv3D(classes, 3, 4)(clip)))

    monkeypatch.setattr(i3d, "build_i3d", build)
    bench_train.draw(tmp_path, 2)
    request = vars(bench_train.parse(["--quick", "--batch", "1", "--clips", "2", "--seconds", "0"]))
    model = measure_train.compiled(request)
    step = measure_train.steps(request, model)
    fit = measure_train.fits(request | {"data": str(tmp_path)}, model, step)
    names = ("clips_per_s", "step_ms", "first_step_s", "memory_mib", "gmac", "tflops")
    assert all(np.isfinite(step[name]) for name in names) and step["batches"] >= 3
    assert set(fit) == {"paper", "strong", "strong, averaged"}
    assert all(row["clips_per_s"] > 0 and 0 <= row["waiting"] < 1 for row in fit.values())
    rates = {"strong": {"cold": {"1": 1e6, "2": 2e6}, "cached": {}}}
    said = bench_train.limit({"generator": rates, "step": step})
    assert said.startswith("the step limits: 2 workers deliver 2000000.0 clips/s")
    bench_train.show(request, {"step": step, "fit": fit, "backend": "here", "limit": said})
    assert "Keras on here" in capsys.readouterr().out


def test_a_python_without_torch_is_told():
    few = ["--quick", "--clips", "2", "--parts", "torch", "--reference", "/bin/false"]
    done = tiny.script("benchmarks/bench_train.py", *few)
    assert done.returncode == 0 and "no torch in it" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["limit"] is None


def test_the_arithmetic_of_a_clip_and_the_rate_of_batches():
    import measure_train

    model = i3d.build_i3d((40, 224, 224, 3), 400)
    assert round(measure_train.macs(model) / 1e9, 1) == 69.5
    # Ten batches of 4 a second, but for a pause that is no median.
    times = [number / 10 + (number > 4) for number in range(31)]
    assert np.isclose(measure_train.rate(times, 4), 40)


def give(network, model: keras.Model) -> None:
    """Our weights to PyTorch's network."""
    import torch

    layers = {"moving_mean": "batch_norm", "moving_variance": "batch_norm", "beta": "batch_norm", "kernel": "conv_3d"}
    branches = (
        "Branch_0_Conv3d_0a_1x1",
        "Branch_1_Conv3d_0a_1x1",
        "Branch_1_Conv3d_0b_3x3",
        "Branch_2_Conv3d_0a_1x1",
        "Branch_2_Conv3d_0b_3x3",
        "Branch_3_Conv3d_0b_1x1",
    )
    for name, tensor in network.state_dict().items():
        path, kind = name.removeprefix("units.").rsplit(".", 1)
        if path == "head":
            value = getattr(model.get_layer(f"{i3d.HEAD}_conv_3d"), {"weight": "kernel"}.get(kind, kind))
        else:
            block, _, place = path.rpartition("_")
            path = f"{block}_{branches[int(place)]}" if path.startswith("Mixed") else path
            value = getattr(model.get_layer(f"{i3d.ODD_NAMES.get(path, path)}_{layers[kind]}"), kind)
        array = keras.ops.convert_to_numpy(value)
        tensor.copy_(torch.from_numpy(np.moveaxis(array, (-1, -2), (0, 1)) if array.ndim == 5 else array))


@pytest.mark.parametrize("shape", [(16, 64, 64, 3), (11, 45, 50, 2)])
def test_the_reference_is_the_same_network(shape):
    torch = pytest.importorskip("torch")
    import reference_i3d

    model = i3d.build_i3d(shape, 30)
    network = reference_i3d.I3D(shape[-1], 30).eval()
    rng = np.random.default_rng(1)
    for variable in model.weights:
        name, value = variable.name, rng.normal(size=variable.shape) * 0.1
        if name == "kernel":  # values keep their size from layer to layer
            value = rng.normal(size=variable.shape) * (2 / np.prod(variable.shape[:-1])) ** 0.5
        variable.assign(rng.uniform(0.5, 1.5, variable.shape) if name == "moving_variance" else value)
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == model.count_params()
    clips = rng.uniform(-1, 1, (2, *shape)).astype(np.float32)
    with torch.no_grad():
        give(network, model)
        found = network(torch.from_numpy(np.moveaxis(clips, -1, 1))).numpy()
    wanted = keras.ops.convert_to_numpy(model(clips, training=False))
    assert np.std(wanted) > 0.1
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
