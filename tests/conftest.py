"""What several test files share: a very small demo, prepared and trained once by the scripts themselves."""

import contextlib
import functools
import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import signs  # noqa: F401  before any test file imports Keras

import filelock
import hypothesis
import numpy as np
import pytest

import starter

SEES = ["--frames", "8", "--crop", "32/36"]
TRAINING = [*SEES, "--weights", "none", "--epochs", "3", "--batch", "16"]
I3D_TRAINING = [*TRAINING, "--epochs", "1"]

# A machine with other work on it is no failure.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


# `make quick` leaves out files that build, train or export networks, and tests that ask for a network or a screen.
# A new test is part of it unless its file matches here or it uses one of these fixtures.
SLOW = (
    *("models/*", "training/*", "benchmarks/*", "evaluation/test_gradcam.py", "evaluation/test_report_page.py"),
    *("inference/test_convert.py", "inference/test_streaming.py", "scripts/test_compress.py", "scripts/test_train_*"),
    *("scripts/test_datagenerator.py", "scripts/test_ensemble.py", "scripts/test_evaluate.py", "scripts/test_export*"),
    *("scripts/test_feature.py", "scripts/test_paper_report.py", "scripts/test_pipeline.py"),
    "scripts/test_prepare_videos_people.py",
    *("web/test_page.py", "web/test_whole_way.py"),
)
# The longest files begin first, so that two processes end at about the same time. Elsewhere files that hold a single
# long test would be the last ones.
LONG = (
    *("web/test_whole_way.py", "scripts/test_train_frame.py", "scripts/test_record.py", "training/test_distribute.py"),
    *("scripts/test_teach_and_correct.py", "scripts/test_train_linear.py", "scripts/test_compress.py"),
    *("scripts/test_train_landmark.py", "training/test_recurrent.py", "scripts/test_export.py"),
)
SLOW_FIXTURES = {"model", "i3d", "features", "recogniser", "display"}


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="without networks, exports, browser and screen: `make quick`")


def pytest_configure(config):
    """Before the tests' processes start, as many as cores: one thread each. OpenBLAS's others spin while they wait."""
    # Run with `&` a shell has Ctrl-C ignored, and what is started here would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):
        threads = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        os.environ |= {name: os.environ.get(name, "1") for name in threads}


def pytest_ignore_collect(collection_path, config):
    name = collection_path.relative_to(Path(__file__).parent).as_posix()
    return True if config.getoption("quick") and any(fnmatch(name, slow) for slow in SLOW) else None


def pytest_collection_modifyitems(config, items):
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.relative_to(Path(__file__).parent).as_posix(), len(LONG)))
    if config.getoption("quick"):
        items[:] = [item for item in items if not SLOW_FIXTURES & set(getattr(item, "fixturenames", ()))]


def pytest_collection_finish(session):
    """By now TensorFlow is imported; Keras collects at each `clear_session`, 0.3 s a time with all of it to look at."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    if saving := sys.modules.get("keras.src.saving.saving_lib"):
        # Keras 3.15 looks for them under another name than it keeps them, and makes a layer for each that it saves.
        saving.get_attr_skipset = functools.cache(saving.get_attr_skipset)


def pytest_unconfigure(config):
    starter.stop()


def once(tmp_path_factory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` fills, by the first of the processes that tests run in; the others wait and share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / name
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Asked for a file or folder of `../shared`, its path; skips where it is not: those files may not be passed on."""

    def path_of(name: str) -> Path:
        path = Path(__file__).resolve().parents[2] / "shared" / name
        if not path.exists():
            pytest.skip(f"no ../shared/{name} beside the repository; it may not be passed on")
        return path

    return path_of


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    """A data set of 8 signs with its frames and flow, short side 64: two signers in train, one in valid and in test."""
    return once(tmp_path_factory, "data_set", lambda folder: make_demo(folder / "demo")) / "demo"


def make_demo(data: Path) -> None:
    import frame
    import opticalflow
    import prepare_chalearn
    import prepare_demo

    download = str(data / "_download")
    drawn = ["--signers", "2", "--clips", "1", "--pauses", "0", "--workers", "2"]
    assert prepare_demo.main(["--output", download, *drawn]) == 0
    assert prepare_chalearn.main(["--download", download, "--output", str(data)]) == 0
    assert frame.main(["--data", str(data), "--short-side", "64", "--workers", "2"]) == 0
    assert opticalflow.main(["--data", str(data), "--workers", "2"]) == 0


@pytest.fixture(scope="session")
def model(demo, tmp_path_factory) -> Path:
    """A bundle of both streams by a network that is built in a second; only to be read, `copied` may be changed."""
    return once(tmp_path_factory, "model", lambda folder: train_small(demo, folder / "demo")) / "demo"


def train_small(demo: Path, output: Path) -> None:
    from train_conv3d_lstm import main

    flags = ["--data", str(demo), "--output", str(output), "--stream", "both", "--size", "small", *TRAINING]
    with without_graphs():
        assert main(flags) == 0


@pytest.fixture
def i3d(demo, tmp_path_factory, monkeypatch) -> Path:
    """A bundle of train_i3d.py on both streams, each trained by itself, for an epoch; only to be read.

    Meanwhile another network stands in I3D's place: to build, train and write its 12 million weights takes twenty
    seconds a time, and test_pipeline.py trains the real one too.
    """
    import small_network

    monkeypatch.setattr("signs.models.i3d.build_i3d", small_network.build)
    return once(tmp_path_factory, "i3d", lambda folder: train_small_i3d(demo, folder / "demo")) / "demo"


def train_small_i3d(demo: Path, output: Path) -> None:
    import train_i3d

    for stream in ("rgb", "flow"):
        with without_graphs():
            flags = ["--data", str(demo), "--output", str(output), "--stream", stream, *I3D_TRAINING]
            assert train_i3d.main(flags) == 0


@pytest.fixture(scope="module")
def small_network():
    """keras.applications has a network more, `small`."""
    import small_cnn

    with small_cnn.installed():
        yield


@pytest.fixture(scope="session")
def features(demo, tmp_path_factory) -> Path:
    """The demo with features of both streams by a small image network, made by feature.py; only to be read."""
    return once(tmp_path_factory, "feature", lambda folder: make_features(linked(demo, folder / "demo"))) / "demo"


def linked(demo: Path, folder: Path) -> Path:
    """A data set of one's own over the demo's stores and videos, which are not to be written to."""
    folder.mkdir(parents=True)
    for path in demo.iterdir():
        if path.suffix == ".csv":
            shutil.copy(path, folder)
        elif not path.name.startswith(("_", "feature-")):
            (folder / path.name).symlink_to(path)
    return folder


def make_features(data: Path) -> None:
    import feature
    import small_cnn

    with small_cnn.installed():
        for stream in ("rgb", "flow"):
            assert feature.main(["--data", str(data), "--stream", stream, *small_cnn.FLAGS]) == 0


@contextlib.contextmanager
def without_graphs(eager: bool = True):
    """Each operation runs by itself: for two or three steps much sooner done than tracing I3D's training."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(eager)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@pytest.fixture(scope="module")
def narrow():
    """A sixteenth of the weights of the smallest joined network, fewer of the 3D-CNN, for files that start no process
    that reads them."""
    from signs.models import conv3d_lstm

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(conv3d_lstm.SIZES, "small", 16)
        patch.setattr(conv3d_lstm, "CONV3D_WIDTHS", (8, 12, 16, 16))
        patch.setattr(conv3d_lstm, "HIDDEN", 24)
        yield


@pytest.fixture(scope="module")
def eager():
    """Trainings of a file are a few steps each, sooner done than traced; those in processes of their own are traced."""
    with without_graphs():
        yield


@contextlib.contextmanager
def untimed():
    """Exported forms are not timed, for which each is opened once more and run twelve times; test_export.py has the
    times looked at."""
    from signs.inference import quickest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quickest, "seconds_of", lambda *_: 0.001)
        patch.setattr(quickest, "time_form", lambda *_: {"ms": 1.0, "after_ms": 1.0, "together": False})
        yield


@contextlib.contextmanager
def sketches(drawn: bool = False):
    """Pictures that no test looks at are blank, or drawn small and without a layout: to draw them takes most of
    evaluate.py's time. test_evaluate.py, test_plots.py and test_paper_report.py have them drawn."""
    import cv2
    from matplotlib.figure import Figure

    savefig = getattr(Figure.savefig, "drawing", Figure.savefig)  # matplotlib's own, inside another `sketches` too

    def sketch(figure, path, dpi):
        if drawn:
            figure._layout_engine = None  # set_layout_engine("none") would draw once more, for nothing
            savefig(figure, path, dpi=dpi / 5)
        else:
            width, height = (figure.get_size_inches() * dpi / 5).astype(int)
            path.write_bytes(cv2.imencode(".png", np.full((height, width), 255, np.uint8))[1].tobytes())

    sketch.drawing = savefig
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", sketch)
        yield


@pytest.fixture(scope="module")
def sketched():
    with sketches():
        yield


@pytest.fixture
def copied(model, tmp_path) -> Path:
    """A bundle of one's own; its files are to be replaced, not written into (they are hard links)."""
    target, left_out = tmp_path / "model", shutil.ignore_patterns("checkpoint", "events", ".lock*")
    shutil.copytree(model, target, copy_function=os.link, ignore=left_out)
    return target


@pytest.fixture(scope="session")
def recogniser(model):
    from signs.inference.recogniser import Recogniser

    return Recogniser.load(model)


@pytest.fixture
def loaded(recogniser, monkeypatch):
    """Scripts get the shared recogniser instead of building its networks again; its folder is the one they ask for."""
    import dataclasses

    from signs.inference.recogniser import Recogniser

    def load(folder, runtime="auto", live=False):
        return Recogniser(dataclasses.replace(recogniser.bundle, folder=Path(folder)), recogniser.networks)

    monkeypatch.setattr(Recogniser, "load", load)
    return recogniser


@pytest.fixture
def display():
    """A display of its own, under Xvfb."""
    missing = [tool for tool in ("Xvfb", "xdotool") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")
    read, write = os.pipe()
    command_line = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x800x24"]
    with open(read) as number, subprocess.Popen(command_line, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
        os.close(write)
        yield f":{number.readline().strip()}"
        server.terminate()
