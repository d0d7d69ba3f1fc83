"""Write a bundle's networks in another form, whole or not at all; docs/live.md says what becomes of an LSTM.

OpenVINO reads loops from a SavedModel, not from Keras's function. LiteRT has no 3D pooling and no such loops, so
`for_litert` writes out each step of an LSTM, whose number has to be known, and replaces a pool over a box by a pool
over pictures and one over time. The maximum stays the same to the bit.
"""

import importlib
import logging
import shutil
import tempfile
from pathlib import Path

from signs.clips import dataset
from signs.clips.dataset import Dataset
from signs.command import Problem
from signs.inference import exported, runtime, stored_clips, streaming
from signs.inference.bundle import Bundle, Stream, quiet_stderr
from signs.inference.recogniser import Recogniser

import keras
import numpy as np
from keras import layers, ops

FLOAT_IN_INT8 = {"histogram"}  # networks that stay float32 in an int8 form: see `write_int8`
STAGE_CLIPS = 32  # for int8 by stages: what a stage makes of a clip is larger than the clip
STAGED = {"i3d": "signs.models.i3d_stages"}  # network -> the module that cuts it into stages


def reason_against(bundle: Bundle, models: dict, form: str) -> str:
    """Why a bundle's networks, {stream: keras.Model}, cannot have a form; empty where they can."""
    for stream in bundle.streams:
        if form.startswith("stream") and stream.network not in {*STAGED, *runtime.STEPPED}:
            return f"{stream.network} does not work while frames still come"
        if form == "litert" and stream.arguments["input_shape"][0] is None and recurs(models[stream.name]):
            return "an LSTM is unrolled in it, and a clip of any length cannot be"
    if form in exported.MADE_OF and all(stream.network in FLOAT_IN_INT8 for stream in bundle.streams):
        return "histograms are no quicker in int8, and their answers change"
    return ""


def write_form(recogniser: Recogniser, data: Dataset, form: str, calibrate: int) -> Path:
    """All streams of a form into the bundle's export/<form>, whole or not at all.

    Args:
        calibrate: training clips that int8 is fitted to.
    """
    target = recogniser.bundle.folder / runtime.FORMS[form].folder
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".", ignore_cleanup_errors=True) as temporary:
        for stream in recogniser.bundle.streams:
            if form in exported.MADE_OF:
                write_int8(recogniser, data, form, calibrate, stream, Path(temporary))
            else:
                with quiet_stderr():
                    write_network(recogniser.models[stream.name], form, Path(temporary), stream)
        shutil.move(temporary, target)
    target.chmod(0o755)
    return target


def remove_leftovers(bundle: Bundle) -> None:
    """Delete what an export that was killed left half-written; hold the bundle's lock."""
    for folder in bundle.folder.glob("export/.*/"):
        shutil.rmtree(folder)
    for file in bundle.folder.glob(".export.*.part.json"):
        file.unlink()


def write_network(model: keras.Model, form: str, folder: Path, stream: Stream) -> None:
    """Write the network of one stream as `form`, which is not int8, into `folder`."""
    path = folder / f"{stream.name}{runtime.FORMS[form].suffix}"
    if form == "stream" and stream.network in runtime.STEPPED:
        module = runtime.network_module(stream)
        streaming.write_group(path, module.group_of(model))
        write_openvino(module.build_step(model), streaming.part_path(path, streaming.STEP))
    elif form == "stream":
        stages, tail = importlib.import_module(STAGED[stream.network]).stages(model)
        kernels = [(stage.name, stage.kernel, stage.stride, len(stage.model.inputs) > 1) for stage in stages]
        streaming.write_plans(path, streaming.plans(kernels, stream.arguments["input_shape"][0]))
        for name, part in ({stage.name: stage.model for stage in stages} | {streaming.TAIL: tail}).items():
            write_openvino(part, streaming.part_path(path, name))
    elif form == "openvino":
        write_openvino(model, path)
    else:
        written = for_litert(model) if form == "litert" else model
        written.export(str(path), format=form, verbose=False)


def write_openvino(model: keras.Model, path: Path) -> None:
    import openvino

    if not recurs(model):
        model.export(str(path), format="openvino", verbose=False)
        return
    with tempfile.TemporaryDirectory() as saved:
        model.export(saved, format="tf_saved_model", verbose=False)
        openvino.save_model(openvino.convert_model(saved), path, compress_to_fp16=False)


def write_int8(recogniser: Recogniser, data: Dataset, form: str, calibrate: int, stream: Stream, folder: Path) -> None:
    """Write one stream of an int8 form, made of the float32 one that the bundle has, into `folder`.

    Histograms (histogram.py) stay float32. In int8 every sum and root of them is rounded: on two cores with VNNI, with
    20 frames of 48x48, they take as long (2.0 ms of pictures, 3.5 of flow, either way), and by flow 4 of 16 clips keep
    their answer. And OpenVINO has no such product there as `Blocks` makes, a constant times clips in three dimensions:
    it takes the scales of the constant's rows for scales of the product's last side. Where there are not as many of
    both it opens nothing ("any_of(scale.size(), OC, 1U)"), else the products are wrong.
    """
    made_of = exported.MADE_OF[form]
    source = exported.path_of(recogniser.bundle, runtime.FORMS[made_of], stream)
    if not source.is_file():
        raise Problem(f"{made_of}, which it is made of, is missing")
    if stream.network in FLOAT_IN_INT8:
        for path in (source, source.with_suffix(".bin")):
            shutil.copyfile(path, folder / path.name)
        return
    fit = quantise
    if form == "stream-int8":
        fit = quantise_step if stream.network in runtime.STEPPED else quantise_stages
        calibrate = min(calibrate, STAGE_CLIPS)
    fit(source, training_clips(recogniser, data, stream, calibrate), folder / source.name)


def training_clips(recogniser: Recogniser, data: Dataset, stream: Stream, count: int) -> list[np.ndarray]:
    """At most `count` training clips as the stream sees them, those that can be read: (1, T, H, W, C) each; raises
    Problem without any."""
    clips = dataset.spread(data.split("train"), count)
    if not clips:
        raise Problem(f"{data.folder}: no training clip to calibrate int8 on; leave it out with --forms")
    batches = []
    for item in clips:
        inputs, reason = stored_clips.read_inputs(recogniser, data, item)
        if not reason:
            batches.append(inputs[stream.name][:1])
    if not batches:
        raise Problem(f"{clips[-1].clip}: {reason}")
    return batches


def quantise(source: Path, inputs: list, path: Path) -> None:
    """An OpenVINO network in float32 -> the same in int8, for values such as those of `inputs` (NNCF)."""
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    network = nncf.quantize(runtime.read_openvino(source), nncf.Dataset(inputs), subset_size=len(inputs))
    openvino.save_model(network, path)


def quantise_step(source: Path, clips: list[np.ndarray], path: Path) -> None:
    """Fit the step to the groups of the clips, with the states that come before them."""
    shutil.copyfile(source, path)
    network, inputs = runtime.open_form(runtime.FORMS["stream"], source, None), []
    run = network.run
    network.run = lambda frames, states: inputs.append([frames, *states]) or run(frames, states)
    for clip in clips:
        network.logits(clip)
    quantise(streaming.part_path(source, streaming.STEP), inputs, streaming.part_path(path, streaming.STEP))


def quantise_stages(source: Path, clips: list[np.ndarray], path: Path) -> None:
    """Stage by stage: each is fitted to what the float32 stages before it make of the clips."""
    shutil.copyfile(source, path)
    for stage in runtime.open_form(runtime.FORMS["stream"], source, None).stages:
        inputs, outputs, run = [], [], stage.run
        for clip in clips:
            stage.run = lambda frames, mask, run=run, inputs=inputs: inputs.append((frames, mask)) or run(frames, mask)
            stage.reset()
            outputs.append(stage.push(clip[0])[None])
        named = [{"frames": frames, "mask": mask} if stage.plan.masked else frames for frames, mask in inputs]
        quantise(streaming.part_path(source, stage.plan.name), named, streaming.part_path(path, stage.plan.name))
        clips = outputs
    quantise(streaming.part_path(source, streaming.TAIL), clips, streaming.part_path(path, streaming.TAIL))


def recurs(model: keras.Model) -> bool:
    """Whether there is an LSTM in it, or in a network within it."""
    return any(
        isinstance(layer, layers.LSTM) or isinstance(layer, keras.Model) and recurs(layer) for layer in model.layers
    )


def for_litert(model: keras.Model) -> keras.Model:
    """The same network, with the same weights, without 3D pooling layers and with its LSTMs unrolled."""

    def clone(layer):
        if isinstance(layer, layers.MaxPooling3D | layers.AveragePooling3D):
            return Pool3D(layer, name=layer.name)
        unrolled = {"unroll": True} if isinstance(layer, layers.LSTM) else {}
        return layer.__class__.from_config(layer.get_config() | unrolled)

    copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


class Pool3D(layers.Layer):
    """A MaxPooling3D or AveragePooling3D layer, `like`, by 2D pooling: over pictures, then over time."""

    def __init__(self, like, **arguments):
        super().__init__(**arguments)
        self.like, self.pool = like, ops.max_pool if isinstance(like, layers.MaxPooling3D) else ops.average_pool

    def call(self, x):
        frames, height, width, channels = x.shape[1:]
        size, stride, padding = self.like.pool_size, self.like.strides, self.like.padding
        if self.pool is ops.average_pool and padding == "same":
            raise ValueError("an average over a padded border counts fewer places; expected padding 'valid'")
        pictures = self.pool(ops.reshape(x, (-1, height, width, channels)), size[1:], stride[1:], padding)
        _, height, width, _ = pictures.shape
        clip = ops.reshape(pictures, (-1, frames, height * width, channels))  # time is its height
        clip = self.pool(clip, (size[0], 1), (stride[0], 1), padding)
        return ops.reshape(clip, (-1, clip.shape[1], height, width, channels))
