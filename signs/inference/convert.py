"""Write a bundle's networks in another form, whole or not at all.

An LSTM is a loop. OpenVINO and ONNX have loops, so that a network with one stays as small as it is and takes clips of
any length; OpenVINO reads them from a SavedModel, not from Keras's function. LiteRT's loops want TensorFlow's own
operations, which its interpreter has not, so for LiteRT an LSTM is unrolled.

A network without 3D pooling layers and without loops, which LiteRT has no operations for; imported by convert.py.

A maximum over a box is the maximum over its pictures of the maximum in each, and so is a mean; the result is the same,
to the bit for the maximum. An LSTM is unrolled: each of its steps is written out, so that the number of steps has to
be known.
"""

import importlib
import logging
import shutil
import tempfile
from pathlib import Path

from signs.clips.dataset import Dataset
from signs.command import Problem
from signs.inference import exported, runtime, streaming
from signs.inference.bundle import Bundle, Stream, quiet_stderr

import keras
import numpy as np
from keras import layers, ops

SAVED_MODEL = "saved-model"  # for other programs: a graph of TensorFlow's, so ours never run it
# Form -> what writes it. An int8 form is made of the float32 one before it.
CONVERTERS = {
    "openvino": "openvino",
    "openvino-int8": "nncf",
    "stream": "openvino",
    "stream-int8": "nncf",
    "onnx": "tf2onnx",
    "litert": "ai_edge_litert",
}
MADE_OF = {"openvino-int8": "openvino", "stream-int8": "stream"}
STAGE_CLIPS = 32  # for int8 by stages: what a stage makes of a clip is larger than the clip
STAGED = {"i3d": "signs.models.i3d_stages"}  # network -> the module that cuts it into stages


def convert(model, form: str, folder: Path, stream: Stream) -> None:
    """Write one stream's network, as Keras has it, as `form` into `folder`."""
    path = folder / f"{stream.name}{runtime.FORMS[form].suffix if form in runtime.FORMS else ''}"
    if form == "stream" and stream.network in runtime.STEPPED:
        module = runtime.network_module(stream)
        streaming.write_group(path, module.group_of(model))
        write_openvino(module.build_step(model), path.with_name(f"{stream.name}-{streaming.STEP}.xml"))
    elif form == "stream":
        cut, tail = importlib.import_module(STAGED[stream.network]).stages(model)
        kernels = [(stage.name, stage.kernel, stage.stride, len(stage.model.inputs) > 1) for stage in cut]
        streaming.write_plans(path, streaming.plans(kernels, stream.arguments["input_shape"][0]))
        parts = {stage.name: stage.model for stage in cut} | {streaming.TAIL: tail}
        for name, part in parts.items():
            write_openvino(part, folder / f"{stream.name}-{name}.xml")
    elif form == "openvino":
        write_openvino(model, path)
    elif form == "litert":
        for_litert(model).export(str(path), format="litert", verbose=False)
    else:
        model.export(str(path), format="tf_saved_model" if form == SAVED_MODEL else form, verbose=False)


def write_openvino(model, path: Path) -> None:
    import openvino

    if not recurs(model):
        model.export(str(path), format="openvino", verbose=False)
        return
    with tempfile.TemporaryDirectory() as saved:
        model.export(saved, format="tf_saved_model", verbose=False)
        openvino.save_model(openvino.convert_model(saved), path, compress_to_fp16=False)


def lacking(bundle: Bundle, models: dict, form: str) -> str:
    """Why a bundle's networks, {stream: keras.Model}, cannot have a form; nothing where they can."""

    for stream in bundle.streams:
        if form.startswith("stream") and stream.network not in {*STAGED, *runtime.STEPPED}:
            return f"{stream.network} does not work while frames still come"
        if form == "litert" and stream.arguments["input_shape"][0] is None and recurs(models[stream.name]):
            return "an LSTM is unrolled in it, and a clip of any length cannot be"
    return ""


def training_clips(recogniser, data: Dataset, stream: Stream, count: int) -> list[np.ndarray]:
    """Some of the training clips, spread over it, as the stream sees them: (1, T, H, W, C) each."""
    from signs.inference import stored_clips

    clips = spread(data.split("train"), count)
    if not clips:
        raise Problem(f"{data.folder}: no training clip to calibrate int8 on; leave it out with --forms")
    found = []
    for item in clips:
        inputs, reason = stored_clips.read_inputs(recogniser, data, item)
        if reason:
            raise Problem(f"{item.clip}: {reason}")
        found.append(inputs[stream.name][:1])
    return found


def quantise(source: Path, clips: list, path: Path) -> None:
    """An OpenVINO network in float32 -> the same in int8, for values such as those of `clips` (NNCF)."""
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    network = nncf.quantize(runtime.read_openvino(source), nncf.Dataset(clips), subset_size=len(clips))
    openvino.save_model(network, path)


def quantise_step(source: Path, clips: list[np.ndarray], path: Path) -> None:
    """Fitted to the groups of the clips, with the states that come before them."""
    shutil.copyfile(source, path)
    network, seen = runtime.open_form(runtime.FORMS["stream"], source, None), []
    run = network.run
    network.run = lambda frames, states: seen.append([frames, *states]) or run(frames, states)
    for clip in clips:
        network.logits(clip)
    name = f"{source.stem}-{streaming.STEP}.xml"
    quantise(source.with_name(name), seen, path.with_name(name))


def quantise_stages(source: Path, clips: list[np.ndarray], path: Path) -> None:
    """Stage by stage: each is fitted to what the float32 stages before it make of the clips."""
    shutil.copyfile(source, path)
    network = runtime.open_form(runtime.FORMS["stream"], source, None)
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


def write_form(recogniser, data: Dataset, form: str, calibrate: int) -> None:
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


def write_stream(recogniser, data: Dataset, form: str, calibrate: int, stream: Stream, folder) -> None:
    """One stream of a form into `folder`."""
    if form not in MADE_OF:
        with quiet_stderr():
            return convert(recogniser.models[stream.name], form, folder, stream)
    source = exported.path_of(recogniser.bundle, runtime.FORMS[MADE_OF[form]], stream)
    if form == "openvino-int8":
        clips = training_clips(recogniser, data, stream, calibrate)
        return quantise(source, clips, folder / source.name)
    by_part = quantise_step if stream.network in runtime.STEPPED else quantise_stages
    return by_part(source, training_clips(recogniser, data, stream, min(calibrate, STAGE_CLIPS)), folder / source.name)


class Pool3D(layers.Layer):
    """`like`, a MaxPooling3D or AveragePooling3D layer, by 2D pooling and slices over time."""

    def __init__(self, like, **arguments):
        super().__init__(**arguments)
        self.like, self.mode = like, "max" if isinstance(like, layers.MaxPooling3D) else "average"

    def call(self, x):
        frames, height, width, channels = x.shape[1:]
        size, stride, padding = self.like.pool_size, self.like.strides, self.like.padding
        if self.mode == "average" and padding == "same":
            raise ValueError("an average over a padded border counts fewer places; expected padding 'valid'")
        pictures = ops.reshape(x, (-1, height, width, channels))
        pool = ops.max_pool if self.mode == "max" else ops.average_pool
        pictures = pool(pictures, size[1:], stride[1:], padding)
        _, height, width, channels = pictures.shape
        clip = ops.reshape(pictures, (-1, frames, height, width, channels))
        return self._over_time(clip, size[0], stride[0], padding)

    def _over_time(self, x, size: int, stride: int, padding: str):
        if padding == "same":
            count = -(-x.shape[1] // stride)
            lacking = max(0, (count - 1) * stride + size - x.shape[1])
            first, last = x[:, :1], x[:, -1:]  # the maximum of a border that is repeated is that of the border
            x = ops.concatenate([first] * (lacking // 2) + [x] + [last] * (lacking - lacking // 2), axis=1)
        else:
            count = (x.shape[1] - size) // stride + 1
        moments = [x[:, start : start + (count - 1) * stride + 1 : stride] for start in range(size)]
        total = moments[0]
        for moment in moments[1:]:
            total = ops.maximum(total, moment) if self.mode == "max" else total + moment
        return total if self.mode == "max" else total / size


def recurs(model: keras.Model) -> bool:
    """Whether there is an LSTM in it, or in a network within it."""
    return any(
        isinstance(layer, layers.LSTM) or isinstance(layer, keras.Model) and recurs(layer) for layer in model.layers
    )


def for_litert(model: keras.Model) -> keras.Model:
    """The same network, with the same weights, and its LSTMs unrolled."""

    def clone(layer):
        if isinstance(layer, layers.MaxPooling3D | layers.AveragePooling3D):
            return Pool3D(layer, name=layer.name)
        unrolled = {"unroll": True} if isinstance(layer, layers.LSTM) else {}
        return layer.__class__.from_config(layer.get_config() | unrolled)

    copy = keras.models.clone_model(model, clone_function=clone, recursive=True)
    copy.set_weights(model.get_weights())
    return copy
