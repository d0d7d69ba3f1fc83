"""The networks that find a body's and a hand's points: Google's MediaPipe, fetched once, checked, run by OpenVINO.

    networks = open_networks()                 Problem where the files are not there: landmark.py fetches them
    fetch(), fetch(copy)                       from the Python package registry, or from a wheel or folder

The wheel of mediapipe 0.10.21 still carries the files (Apache 2.0); signs/wheel.py takes four of them out of it.
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signs import wheel
from signs.command import Problem
from signs.wheel import Wheel
from signs.workers import cores

import numpy as np

VERSION = "0.10.21"
FOLDER = Path(__file__).resolve().parents[2] / "model" / "mediapipe"
MODULES = "mediapipe/modules"
WHEEL = Wheel(
    package="mediapipe",
    version=VERSION,
    file=f"mediapipe-{VERSION}-cp312-cp312-manylinux_2_28_x86_64.whl",
    sha256="956eb1ebc275c629e61b085b2cab89c3a5b9e93bad1bb107348d98dafb5a4bb5",
    licence=f"mediapipe-{VERSION}.dist-info/LICENSE",
    notice=f"""These networks are part of MediaPipe {VERSION}, Copyright The MediaPipe Authors, https://github.com/google-ai-edge/mediapipe
They are unchanged, and licensed under the Apache License, Version 2.0, which lies beside them.
""",
    what="the networks that find hands",
    kind="network",
    megabytes=36,
    again="landmark.py",
    flag="landmark.py --networks FILE",
    pip=("--platform", "manylinux_2_28_x86_64"),
    uv=("--python-platform", "x86_64-manylinux_2_28"),
)


@dataclass(frozen=True)
class Source:
    """A file of the wheel below MODULES, its SHA-256, and which of the network's outputs are asked for."""

    path: str
    sha256: str
    outputs: tuple[int, ...]

    @property
    def name(self) -> str:
        return Path(self.path).name


SOURCES = {
    "detector": Source(
        "pose_detection/pose_detection.tflite",
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
        (0, 1),
    ),
    "body": Source(
        "pose_landmark/pose_landmark_full.tflite",
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
        (0, 1, 3),
    ),
    "recrop": Source(
        "holistic_landmark/hand_recrop.tflite", "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d", (0,)
    ),
    "hand": Source(
        "hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        (0, 1),
    ),
}
_OFFERED: list[Path] = []  # folders of `offer`


def files() -> dict[str, str]:
    """{path in the wheel: SHA-256} of the networks."""
    return {f"{MODULES}/{source.path}": source.sha256 for source in SOURCES.values()}


def missing(folder: Path = FOLDER) -> list[Path]:
    """The files of the networks that are not there."""
    return wheel.missing(files(), folder)


def check_there(folder: Path = FOLDER) -> None:
    """Raise Problem where a network's file is missing, or is not the known one."""
    if absent := missing(folder):
        raise Problem(f"{absent[0]}: no such file; landmark.py fetches the networks that find hands, once")
    for source in SOURCES.values():
        path = folder / source.name
        WHEEL.check(path.read_bytes(), source.sha256, path)


def fetch(copy: Path | None = None, folder: Path = FOLDER) -> None:
    """Bring the networks' files to `folder`, once; raises Problem where they cannot be had, or are others.

    copy: the wheel, or a folder that has the four files anywhere below it.
    """
    WHEEL.fetch(files(), folder, copy)


@dataclass(frozen=True)
class Networks:
    """Each: float32 arrays in -> a list of float32 arrays out."""

    detector: Callable
    body: Callable
    recrop: Callable
    hand: Callable


def import_openvino():
    """OpenVINO; raises Problem where it is not installed, or broken."""
    try:
        import openvino
    except ModuleNotFoundError:
        raise Problem('no OpenVINO is installed, which finds hands; pip install ".[live]"') from None
    except (ImportError, OSError) as error:
        again = 'pip install --force-reinstall ".[live]"'
        raise Problem(f"OpenVINO, which finds hands, cannot be loaded ({error}); {again}") from None
    return openvino


def open_networks(folder: Path = FOLDER) -> Networks:
    """The networks, each on one thread in float32, so that equal pictures give equal points in files and live."""
    check_there(folder)
    openvino = import_openvino()
    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    hints["ENABLE_CPU_PINNING"] = False  # else the callers of all processes are held to the first core

    def opened(source: Source) -> Callable:
        model = core.read_model(folder / source.name)
        model = openvino.Model([model.output(index) for index in source.outputs], model.get_parameters())

        def compiled():
            return core.compile_model(model, "CPU", hints).create_infer_request()

        free, turns = [compiled()], threading.Semaphore(cores())

        def run(inputs: np.ndarray) -> list[np.ndarray]:
            """In as many threads as there are cores; who finds none free compiles another: one lets in one at a time.
            More would be no quicker, and each holds the weights once more."""
            with turns:
                try:
                    request = free.pop()
                except IndexError:
                    request = compiled()
                request.infer([inputs])
                found = [np.array(request.get_output_tensor(index).data) for index in range(len(source.outputs))]
                free.append(request)
            return found

        return run

    return Networks(**{name: opened(source) for name, source in SOURCES.items()})


def offer(folder: Path) -> None:
    """Let `networks_here` open the networks of this folder, a shared model's, where this machine has none."""
    _OFFERED.append(folder)


@functools.lru_cache(1)
def networks_here() -> Networks:
    """`open_networks`, once a process: this machine's, else those that came with a model."""
    return open_networks(*(_OFFERED[-1:] if missing() else ()))
