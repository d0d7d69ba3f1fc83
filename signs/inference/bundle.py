"""The model bundle: the folder that a training leaves and that everything which predicts takes.

    model/<run>/bundle.json         format, ClipSpec, class table, streams, fusion, flags, counts, metrics, versions
    model/<run>/rgb.weights.h5 ...  one file a stream, whose SHA-256 bundle.json holds

Nothing in a bundle is ever run: a network is rebuilt from its name in our own table and then given its weights.
"""

import contextlib
import functools
import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from signs import command
from signs.clips.dataset import KINDS, Label
from signs.clips.modality import PICTURES, TABLE
from signs.clips.names import check_name, check_text
from signs.clips.spec import HANDS, ClipSpec, InputSpec
from signs.clips.typed import check_types
from signs.command import Problem
from signs.inference.address import address_of, is_address
from signs.inference.confidence import CALIBRATION_FILE

FORMAT = 1
BUNDLE_FILE = "bundle.json"
DGS = Path(__file__).resolve().parents[1] / "models" / "dgs"  # what 30 signs taught: benchmarks/make_start.py
SHARED = "shared"  # in bundle.json of a model that share.py wrote: it has exported forms alone
# Where a bundle names the models that it was made of, below its flags and beside them.
PARENTS = ("model", "weights", "start", "teacher", "refit")
WITHDRAWN_FILE = "WITHDRAWN.txt"  # in a model that learnt from somebody who withdrew: record.py --delete-signer
NETWORKS = {  # name in a bundle -> (module, builder)
    "i3d": ("signs.models.i3d", "build_i3d"),
    "frames": ("signs.models.cnn_lstm", "build_frames"),
    "cnn-lstm": ("signs.models.cnn_lstm", "build_cnn_lstm"),
    "conv3d": ("signs.models.conv3d_lstm", "build_conv3d"),
    "conv2d-lstm": ("signs.models.conv3d_lstm", "build_conv2d_lstm"),
    "conv3d-lstm": ("signs.models.conv3d_lstm", "build_conv3d_lstm"),
    "histogram": ("signs.models.histogram", "build_histogram"),
    "landmark": ("signs.models.landmark", "build_landmark"),
}
WITHOUT_WEIGHTS = "without Keras's weights: livedemo.py and predict.py run it, without --runtime keras"
BACKENDS = ("tensorflow", "jax")
LIBRARIES = ("tensorflow", "tensorflow-cpu", "keras", "jax", "numpy", "opencv-python", "numba")


@dataclass(frozen=True)
class Stream:
    """One network of a bundle.

    network: a name of NETWORKS; arguments: its builder's; files: {"weights": file name}; input: what it sees of a clip,
    where that is not what the bundle's spec says.
    """

    name: str
    modality: str
    network: str
    arguments: dict
    files: dict[str, str]
    input: InputSpec | None = None


@dataclass(frozen=True)
class Bundle:
    """What bundle.json says.

    about: what only people read: flags, counts, metrics, commit, versions; hashes: {file name: SHA-256} of the weight
    files, empty unless the bundle was loaded; place: the zip or address that it was opened from, empty of a folder's.
    """

    folder: Path
    spec: ClipSpec
    classes: list[Label]
    streams: list[Stream]
    fusion: str
    about: dict
    hashes: dict[str, str] = field(default_factory=dict)
    place: str = ""

    @property
    def shared(self) -> bool:
        """Whether it came from share.py, without weights: what predicts runs its exported forms."""
        return SHARED in self.about

    def weights(self, stream: Stream) -> Path:
        """The weight file of a stream; raises Problem where the bundle is shared, and has none."""
        path = self.folder / stream.files["weights"]
        if self.shared and not path.is_file():
            raise Problem(f"{self.folder}: a shared model, {WITHOUT_WEIGHTS}")
        return path

    def spec_of(self, stream: Stream) -> ClipSpec:
        """What is stored of a clip, and what this stream sees of it."""
        return replace(self.spec, input=stream.input or self.spec.input)

    def input_shape(self, stream: Stream) -> tuple[int, ...]:
        """(views, T, *picture, C) of a clip as this stream sees it; T as it was trained where any length will do."""
        frames, *picture = stream.arguments["input_shape"]
        seen = self.spec_of(stream).input
        return (seen.views, frames or seen.frames, *picture)

    def covers(self, classes: list[Label]) -> bool:
        """Whether these are the classes that the streams tell apart, but for some at the end that are no gesture."""
        labels = [row.label for row in self.classes]
        more = self.classes[len(classes) :]
        return labels[: len(classes)] == [row.label for row in classes] and all(row.kind == "none" for row in more)

    @property
    def regions(self) -> set[str]:
        """Regions of a picture that the streams see."""
        return {self.spec_of(stream).input.region for stream in self.streams}


def save_bundle(bundle: Bundle, indent: int | None = 1) -> None:
    """Write bundle.json, last of all: a folder with it is a whole bundle. Without `indent` it is shorter."""
    names = [name for stream in bundle.streams for name in stream.files.values()]
    hashes = {name: command.sha256(bundle.folder / name) for name in names}
    write_bundle_file(replace(bundle, hashes=hashes, about={**bundle.about, **_provenance()}), indent)


def write_bundle_file(bundle: Bundle, indent: int | None = 1) -> None:
    """Write bundle.json with the hashes that the bundle has."""
    streams = [asdict(stream) for stream in bundle.streams]
    content = {
        "format": FORMAT,
        "spec": bundle.spec.to_json(),
        "classes": [asdict(row) for row in bundle.classes],
        "streams": [{key: value for key, value in stream.items() if value is not None} for stream in streams],
        "fusion": bundle.fusion,
        "sha256": bundle.hashes,
        **bundle.about,
    }
    command.write_text(bundle.folder / BUNDLE_FILE, json.dumps(content, indent=indent) + "\n")


def bundle_size(bundle: Bundle) -> int:
    """Bytes of every file that prediction needs: bundle.json, the weights, and the calibration where there is one."""
    names = {BUNDLE_FILE, CALIBRATION_FILE, *(stream.files["weights"] for stream in bundle.streams)}
    return sum(path.stat().st_size for path in map(bundle.folder.joinpath, sorted(names)) if path.exists())


def is_bundle(folder: str | Path) -> bool:
    """Whether a folder holds a bundle, rather than being the name of something else."""
    return (Path(folder) / BUNDLE_FILE).exists()


def is_whole(folder: Path) -> bool:
    """Whether a bundle is there with all its files as they were written."""
    try:
        load_bundle(folder)
    except Problem:
        return False
    return True


def load_bundle(folder: Path) -> Bundle:
    """Read and check a bundle; raises Problem where it is missing, of another format, or its files were changed."""
    folder = Path(folder)
    if is_address(folder):
        raise Problem(f"{address_of(folder)}: a shared model, {WITHOUT_WEIGHTS}")
    if address := command.storage_address(folder):
        raise Problem(f"{address}: has to be on a disc here; only what predicts, such as predict.py, opens it there")
    if folder.is_file():
        kind = f"a shared model, {WITHOUT_WEIGHTS}" if folder.suffix == ".zip" else "a file; expected a model's folder"
        raise Problem(f"{folder}: {kind}")
    if not folder.is_dir():
        raise Problem(f"{folder}: no such folder; train a model with one of the train_*.py")
    try:
        content = json.loads((folder / BUNDLE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Problem(
            f"{folder}: no {BUNDLE_FILE} in it; finish its training with the train_*.py that began it"
        ) from None
    except (ValueError, RecursionError):
        raise Problem(f"{folder / BUNDLE_FILE}: not JSON; it was damaged, train again or get a whole copy") from None
    version = content.get("format") if isinstance(content, dict) else None
    if version != FORMAT:
        raise Problem(f"{folder / BUNDLE_FILE}: bundle format {version!r}; this version reads format {FORMAT}")
    try:
        bundle = _parse(folder, content)
        _check_parts(bundle)
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(f"{folder / BUNDLE_FILE}: incomplete or of another version ({error!r})") from None
    except Problem as problem:
        raise Problem(f"{folder / BUNDLE_FILE}: {problem}") from None
    _check_files(bundle)
    if (folder / WITHDRAWN_FILE).exists():
        say_withdrawn(folder.resolve())
    return bundle


@functools.cache
def say_withdrawn(folder: Path) -> None:
    """Print, once a process, why a model should not be used any more."""
    why = (folder / WITHDRAWN_FILE).read_text(encoding="utf-8", errors="replace")
    print(command.one_line(f"{folder.name} is withdrawn: {why.strip()}"), file=sys.stderr)


def _parse(folder: Path, content: dict) -> Bundle:
    streams = [Stream(**stream) for stream in content["streams"]]
    streams = [replace(row, input=InputSpec(**row.input)) if row.input else row for row in streams]
    known = {"format", "spec", "classes", "streams", "fusion", "sha256"}
    return Bundle(
        folder,
        ClipSpec.from_json(content["spec"]),
        [Label(**row) for row in content["classes"]],
        streams,
        content["fusion"],
        {key: value for key, value in content.items() if key not in known},
        content["sha256"],
    )


def _check_parts(bundle: Bundle) -> None:
    """Raise Problem or TypeError where a part is not what a training writes. Files get the names of streams."""
    check_types(bundle)
    for part in ("flags", "data", "training"):
        if not isinstance(bundle.about.get(part, {}), dict):
            raise TypeError(f"{part} is no table")
    for stream in bundle.streams:
        check_name(stream.name, "stream")
        for name in {stream.files["weights"], *stream.files.values()}:
            check_name(name, "file")
        if stream.network not in NETWORKS:
            raise Problem(f"network {stream.network!r}; known are {', '.join(NETWORKS)}")
        if stream.modality not in TABLE:
            raise Problem(f"modality {stream.modality!r}; known are {', '.join(TABLE)}")
        if TABLE[stream.modality].kind == "flow" and not bundle.spec.stored.flow:
            raise Problem(f"stream {stream.name} sees flow, and the spec has none")
        seen, shape = bundle.spec_of(stream).input, stream.arguments["input_shape"]
        of_points = TABLE[stream.modality].kind == "landmark" or seen.region == HANDS
        if of_points and not bundle.spec.stored.landmark:
            raise Problem(f"stream {stream.name} sees landmarks, and the spec has none")
        picture = seen.picture * (stream.modality in PICTURES) + [TABLE[stream.modality].channels]
        if shape[1:] != picture or shape[0] not in (None, seen.frames):
            again = "" if stream.modality in PICTURES else "; points are given otherwise now: train it again"
            raise Problem(f"stream {stream.name} takes {shape}, and a clip is seen as {[seen.frames, *picture]}{again}")
        classes = stream.arguments["classes"]
        if classes > len(bundle.classes) or not bundle.covers(bundle.classes[:classes]):
            raise Problem(
                f"stream {stream.name} tells {classes} classes apart, and the table has {len(bundle.classes)}"
            )
    if len(bundle.classes) not in (stream.arguments["classes"] for stream in bundle.streams):
        raise Problem(f"no stream tells the {len(bundle.classes)} classes of the table apart")
    for row in bundle.classes:
        check_text(row.label, "label")
        check_text(row.name or row.label, f"name of {row.label}")
        if row.kind not in KINDS:
            raise Problem(f"class {row.label} of kind {row.kind!r}; expected {' or '.join(KINDS)}")
    for what, names in (
        ("class", [row.label for row in bundle.classes]),
        ("stream", [row.name for row in bundle.streams]),
    ):
        if not names or len(set(names)) < len(names):
            raise Problem(f"no {what} in it, or one twice")


def _check_files(bundle: Bundle) -> None:
    """Raise Problem where a weight file is missing or was changed."""
    for stream in bundle.streams:
        for name in stream.files.values():
            path = bundle.folder / name
            if bundle.shared and not path.exists():
                continue
            what = f"not the file that {BUNDLE_FILE} was written with"
            if not path.is_file():
                what = f"missing, though {BUNDLE_FILE} names it"
            elif command.sha256(path) == bundle.hashes.get(name):
                continue
            raise Problem(f"{path}: {what}; train again or get a whole copy")


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep back what a library writes to the standard error about the machine, unless it fails."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, Problem):
                messages.seek(0)
                os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def load_keras() -> None:
    """Import Keras and its backend, without TensorFlow's messages about the machine."""
    backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if backend not in BACKENDS:
        raise Problem(f"KERAS_BACKEND={backend}; expected {' or '.join(BACKENDS)}")
    try:
        with quiet_stderr():
            # Both import these where they are there, for what nothing here asks of them: half of the start.
            hidden = {"matplotlib", "pandas", "sklearn"} - sys.modules.keys()
            sys.modules.update(dict.fromkeys(hidden))
            try:
                import keras
            finally:
                for name in hidden:
                    del sys.modules[name]
            # TensorFlow warns that a smaller last batch makes a second graph.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
            if keras.backend.backend() == "tensorflow":
                keras.ops.zeros(1)  # more messages come with the first operation
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "jax":
            raise Problem('KERAS_BACKEND=jax, and no JAX is installed; pip install ".[jax]"') from None
        if missing == "tensorflow":
            raise Problem('no TensorFlow is installed to run this with; pip install ".[cpu]"') from None
        raise


def _provenance() -> dict:
    """Library versions and, in a git checkout, its commit."""
    versions = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    commit, here = None, Path(__file__).parents[2]
    with contextlib.suppress(OSError):  # no git here
        done = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        commit = done.stdout.strip() or None
    return {"commit": commit, "versions": versions}
