"""Write a bundle's networks in another form, whole or not at all; imported by export.py, never run."""

import importlib
import logging
import shutil
import tempfile
from pathlib import Path

from command import Problem

import numpy as np

import bundle as bundles
import dataset
import exported
import streaming
from runtime import FORMS, open_form

SAVED_MODEL = "saved-model"  # for other programs: a graph of TensorFlow's, so ours never run it
# Form -> what writes it. An int8 form is made of the float32 one before it.
CONVERTERS = {"openvino": "openvino", "openvino-int8": "nncf", "stream": "openvino", "stream-int8": "nncf",
              "onnx": "tf2onnx", "litert": "ai_edge_litert"}  # fmt: skip
MADE_OF = {"openvino-int8": "openvino", "stream-int8": "stream"}
STAGE_CLIPS = 32  # for int8 by stages: what a stage makes of a clip is larger than the clip
STAGED = {"i3d": "i3d_stages"}  # network -> the module that cuts it into stages
ONLY = {"cnn-lstm": {"onnx"}}  # network -> the forms that have an operation for its loop over time


def convert(model, form: str, folder: Path, stream: bundles.Stream) -> None:
    """Write one stream's network, as Keras has it, as `form` into `folder`."""
    path = folder / f"{stream.name}{FORMS[form].suffix if form in FORMS else ''}"
    if form == "stream":
        cut, tail = importlib.import_module(STAGED[stream.network]).stages(model)
        kernels = [(stage.name, stage.kernel, stage.stride, len(stage.model.inputs) > 1) for stage in cut]
        streaming.write_plans(path, streaming.plans(kernels, stream.arguments["input_shape"][0]))
        parts = {stage.name: stage.model for stage in cut} | {streaming.TAIL: tail}
        for name, part in parts.items():
            part.export(str(folder / f"{stream.name}-{name}.xml"), format="openvino", verbose=False)
    elif form == "litert":
        import poolless

        poolless.without_3d_pools(model).export(str(path), format="litert", verbose=False)
    else:
        model.export(str(path), format="tf_saved_model" if form == SAVED_MODEL else form, verbose=False)


def training_clips(recogniser, data: dataset.Dataset, stream: bundles.Stream, count: int) -> list[np.ndarray]:
    """Some of the training clips, spread over it, as the stream sees them: (1, T, H, W, C) each."""
    import inference

    clips = spread(data.split("train"), count)
    if not clips:
        raise Problem(f"{data.folder}: no training clip to calibrate int8 on; leave it out with --forms")
    found = []
    for item in clips:
        inputs, reason = inference.read_inputs(recogniser, data, item)
        if reason:
            raise Problem(f"{item.clip}: {reason}")
        found.append(inputs[stream.name][:1])
    return found


def quantise(source: Path, clips: list, path: Path, shape: list[int] | None = None) -> None:
    """An OpenVINO network in float32 -> the same in int8, for values such as those of `clips` (NNCF)."""
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    network = openvino.Core().read_model(source)
    if shape:
        network.reshape(shape)
    openvino.save_model(nncf.quantize(network, nncf.Dataset(clips), subset_size=len(clips)), path)


def quantise_stages(source: Path, clips: list[np.ndarray], path: Path) -> None:
    """Stage by stage: each is fitted to what the float32 stages before it make of the clips."""
    shutil.copyfile(source, path)
    network = open_form(FORMS["stream"], source, None)
    for stage in network.stages:
        name, seen, made, run = stage.plan.name, [], [], stage.run
        for clip in clips:
            stage.run = lambda frames, mask, run=run, seen=seen: seen.append((frames, mask)) or run(frames, mask)
            stage.reset()
            made.append(stage.push(clip[0])[None])
        given = [{"frames": frames, "mask": mask} if stage.plan.masked else frames for frames, mask in seen]
        quantise(source.with_name(f"{source.stem}-{name}.xml"), given, path.with_name(f"{path.stem}-{name}.xml"))
        clips = made
    name = f"{source.stem}-{streaming.TAIL}.xml"
    quantise(source.with_name(name), clips, path.with_name(name))


def spread(clips: list, count: int) -> list:
    """At most `count` of the clips, evenly."""
    return [clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, min(count, len(clips))).round().astype(int))]


def write_form(recogniser, data: dataset.Dataset, form: str, calibrate: int) -> None:
    """All streams of a form into the bundle's export/<form>, whole or not at all."""
    target = recogniser.bundle.folder / "export" / form
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as temporary:
        for stream in recogniser.bundle.streams:
            write_stream(recogniser, data, form, calibrate, stream, Path(temporary))
        if target.is_dir():
            shutil.rmtree(target)
        shutil.move(temporary, target)
        Path(temporary).mkdir()  # which its context removes
    target.chmod(0o755)


def write_stream(recogniser, data: dataset.Dataset, form: str, calibrate: int, stream: bundles.Stream, folder) -> None:
    """One stream of a form into `folder`."""
    if form not in MADE_OF:
        with bundles.quiet():
            return convert(recogniser.models[stream.name], form, folder, stream)
    source = exported.path_of(recogniser.bundle, FORMS[MADE_OF[form]], stream)
    if form == "openvino-int8":
        clips = training_clips(recogniser, data, stream, calibrate)
        return quantise(source, clips, folder / source.name, [1, *stream.arguments["input_shape"]])
    return quantise_stages(source, training_clips(recogniser, data, stream, min(calibrate, STAGE_CLIPS)),
                           folder / source.name)  # fmt: skip
