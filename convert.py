"""Write a bundle's networks in another form, whole or not at all; imported by export.py, never run."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from command import Problem

import numpy as np

import bundle as bundles
import dataset
import exported
from runtime import FORMS

SAVED_MODEL = "saved-model"  # for other programs: a graph of TensorFlow's, so ours never run it
CONVERTERS = {"openvino": "openvino", "openvino-int8": "nncf", "onnx": "tf2onnx", "litert": "ai_edge_litert"}


def convert(model, form: str, folder: Path, stream: bundles.Stream, calibration) -> None:
    """Write one stream's network as `form` into `folder`.

    Args:
        calibration: for int8, an nncf.Dataset of clips as the network sees them.
    """
    path = str(folder / f"{stream.name}{FORMS[form].suffixes[0] if form in FORMS else ''}")  # as Keras wants it
    with bundles.quiet():
        if form == "litert":
            import poolless

            poolless.without_3d_pools(model).export(path, format="litert", verbose=False)
        elif form == "openvino-int8":
            import nncf
            import openvino

            network = openvino.Core().read_model(calibration.network)
            network.reshape([1, *stream.arguments["input_shape"]])
            openvino.save_model(nncf.quantize(network, calibration.clips, subset_size=calibration.count), path)
        else:
            model.export(path, format="tf_saved_model" if form == SAVED_MODEL else form, verbose=False)


@dataclass(frozen=True)
class Calibration:
    """What int8 needs: the float32 network's file, training clips as it sees them, and their number."""

    network: Path
    clips: object
    count: int


def training_clips(recogniser, data: dataset.Dataset, stream: bundles.Stream, count: int) -> Calibration:
    """Some of the training clips, spread over it, read when NNCF asks for them."""
    import nncf

    import inference

    clips = spread(data.split("train"), count)
    if not clips:
        raise Problem(f"{data.folder}: no training clip to calibrate int8 on; leave it out with --forms")

    def read(item):
        inputs, reason = inference.read_inputs(recogniser, data, item)
        if reason:
            raise Problem(f"{item.clip}: {reason}")
        return inputs[stream.name][:1]

    network = exported.files(recogniser.bundle, FORMS["openvino"], stream)[0]
    return Calibration(network, nncf.Dataset(clips, read), len(clips))


def spread(clips: list, count: int) -> list:
    """At most `count` of the clips, evenly."""
    return [clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int))]


def write_form(recogniser, data: dataset.Dataset, form: str, calibrate: int) -> None:
    """All streams of a form into the bundle's export/<form>, whole or not at all."""
    target = recogniser.bundle.folder / "export" / form
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        for stream in recogniser.bundle.streams:
            clips = training_clips(recogniser, data, stream, calibrate) if form == "openvino-int8" else None
            convert(recogniser.models[stream.name], form, Path(temporary), stream, clips)
        if target.is_dir():
            shutil.rmtree(target)
        shutil.move(temporary, target)
        Path(temporary).mkdir()  # which its context removes
    target.chmod(0o755)
