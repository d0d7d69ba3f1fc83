"""A trained network in the form that runs it: Keras, or what export.py made of it. One interface for all of them.

    network = open_form(FORMS["openvino"], path, (T, H, W, C))
    logits = network.logits(batch)          (B, T, H, W, C) float32 -> (B, classes) float32

Each form imports its own library and no other, when it is opened: with OpenVINO there is no TensorFlow in memory. None
of these files can hold code: OpenVINO's IR, ONNX and LiteRT are tables of known operations and numbers.
"""

import functools
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signs import errors
from signs.command import Problem
from signs.inference import streaming
from signs.inference.bundle import BUNDLE_FILE, NETWORKS, Stream, load_keras, quiet_stderr
from signs.inference.streaming import Plan, Stage, SteppedNetwork, StreamedNetwork
from signs.models import sparse_weights
from signs.workers import cores

import numpy as np

KERAS = "keras"
STEPPED = {"conv2d-lstm", "conv3d-lstm"}  # networks that go on group by group, by `build_step` of their module


@dataclass(frozen=True)
class Form:
    """A kind of file that holds a network, and what opens it.

    precision: what it computes in; folder: below the bundle; suffix: of a stream's file that is opened; library: that
    opens it; reduced: whether it computes less exactly than Keras; streamed: whether it works while frames still come
    (streaming.py).
    """

    name: str
    precision: str
    folder: str
    suffix: str
    library: str
    reduced: bool = False
    streamed: bool = False


# fmt: off
FORMS = {form.name: form for form in (
    Form("openvino-int8", "int8", "export/openvino-int8", ".xml", "openvino", reduced=True),
    Form("openvino-bf16", "bf16", "export/openvino", ".xml", "openvino", reduced=True),
    Form("openvino", "f32", "export/openvino", ".xml", "openvino"),
    Form("stream-int8", "int8", "export/stream-int8", ".json", "openvino", reduced=True, streamed=True),
    Form("stream-bf16", "bf16", "export/stream", ".json", "openvino", reduced=True, streamed=True),
    Form("stream", "f32", "export/stream", ".json", "openvino", streamed=True),
    Form("onnx", "f32", "export/onnx", ".onnx", "onnxruntime"),
    Form("litert", "f32", "export/litert", ".tflite", "ai_edge_litert"),
)}
# fmt: on


def installed(form: Form) -> bool:
    return importlib.util.find_spec(form.library) is not None


def runs_here(form: Form) -> bool:
    """Whether its library is installed and, of bfloat16, whether the processor has it (else it would be slower)."""
    if not installed(form):
        return False
    if form.precision != "bf16":
        return True
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class KerasNetwork:
    """The network itself; `model` is the keras.Model."""

    def __init__(self, model):
        self.model = model

    @classmethod
    def load(cls, stream: Stream, weights: Path) -> "KerasNetwork":
        """Rebuild from our own table of builders and load its weights; raises Problem where they do not fit."""
        load_keras()
        try:
            model = build_network(stream)
        except (ValueError, TypeError) as error:  # Keras's, where sizes do not go together
            what = f"no {stream.network} can be built of {stream.arguments}"
            raise Problem(f"{weights.parent / BUNDLE_FILE}: {what} ({errors.describe(error)})") from None
        try:
            load_weights(model, weights)
        except (ValueError, TypeError, OSError, LookupError, RuntimeError) as error:  # h5py's and Keras's
            if getattr(error, "errno", None) is not None:
                raise  # the disc's, or of rights
            raise Problem(f"{weights}: not the weights of this network ({errors.describe(error)})") from None
        # After its weights, or Keras warns of a missing optimiser. On a CPU XLA is slower.
        model.compile(jit_compile=False)
        return SteppedKeras(model, network_module(stream)) if stream.network in STEPPED else cls(model)

    def logits(self, batch: np.ndarray) -> np.ndarray:
        return np.asarray(self.model.predict_on_batch(batch))


class SteppedKeras(KerasNetwork, SteppedNetwork):
    """A network for whole clips, and its step, which shares its weights and goes on group by group. The step is built
    at its first group: what predicts whole clips never needs it."""

    def __init__(self, model, module):
        @functools.cache
        def step():
            built = module.build_step(model)
            built.compile(jit_compile=False)
            return built

        def run(frames: np.ndarray, states: list) -> tuple[np.ndarray, list]:
            logits, *after = step().predict_on_batch([frames, *states])
            return np.asarray(logits), after

        KerasNetwork.__init__(self, model)
        SteppedNetwork.__init__(self, run, list(module.state_sizes(model).values()), module.group_of(model))


def network_module(stream: Stream):
    """The module that the network of a stream is from, e.g. signs.models.i3d."""
    return importlib.import_module(NETWORKS[stream.network][0])


def build_network(stream: Stream):
    """The network of a stream, from our own table of builders, not yet with its weights."""
    return getattr(network_module(stream), NETWORKS[stream.network][1])(**stream.arguments)


def load_weights(model, path: Path) -> None:
    """Give a network the weights of a file, Keras's own or one of sparse_weights.py, as its suffix says."""
    if path.name.endswith((sparse_weights.SUFFIX, sparse_weights.OLD_SUFFIX)):
        sparse_weights.load(model, path)
    else:
        model.load_weights(path)


class OneByOne:
    """A network that was opened for a batch of one: what a live demo needs, and the quickest."""

    def __init__(self, run: Callable[[np.ndarray], np.ndarray]):
        self._run = run

    def logits(self, batch: np.ndarray) -> np.ndarray:
        return np.concatenate([self._run(np.ascontiguousarray(clip[None], np.float32)) for clip in batch])


def read_openvino(path: Path):
    """An OpenVINO network for one clip at a time, of any number of frames where it takes that."""
    import openvino

    model, shapes = openvino.Core().read_model(path), {}
    for part in model.inputs:
        sides = [-1 if side.is_dynamic else side.get_length() for side in part.partial_shape]
        shapes[part] = [1, *sides[1:]]
    model.reshape(shapes)
    return model


def _request(path: Path, form: Form, threads: int):
    import openvino

    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    if form.precision != "int8":
        hints["INFERENCE_PRECISION_HINT"] = form.precision
    return openvino.Core().compile_model(read_openvino(path), "CPU", hints).create_infer_request()


def _openvino(path: Path, _shape, form: Form, threads: int):
    if form.streamed:
        group = streaming.read_group(path)
        return _stepped(path, form, threads, group) if group else _streamed(path, form, threads)
    request = _request(path, form, threads)
    return OneByOne(lambda clip: _first_output(request, [clip]))


def _first_output(request, inputs: list[np.ndarray]) -> np.ndarray:
    return next(iter(request.infer(inputs).values())).copy()


def _streamed(path: Path, form: Form, threads: int) -> StreamedNetwork:
    """`path` says how the stages go over time; they lie beside it."""

    def stage(plan: Plan) -> Stage:
        request = _request(streaming.part_path(path, plan.name), form, threads)
        names = ["mask" if "mask" in part.names else "frames" for part in request.model_inputs]

        def run(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
            inputs = {"frames": frames, "mask": mask}
            return _first_output(request, [inputs[name] for name in names])

        return Stage(plan, run)

    tail = _request(streaming.part_path(path, streaming.TAIL), form, threads)
    stages = [stage(plan) for plan in streaming.read_plans(path)]
    return StreamedNetwork(stages, lambda frames: _first_output(tail, [frames]))


def _stepped(path: Path, form: Form, threads: int, group: int) -> SteppedNetwork:
    """`path` says how many frames a group has; the step lies beside it."""
    request = _request(streaming.part_path(path, streaming.STEP), form, threads)

    def run(frames: np.ndarray, states: list) -> tuple[np.ndarray, list]:
        logits, *after = (part.copy() for part in request.infer([frames, *states]).values())
        return logits, after[: len(states)]  # the conversion leaves shapes over as further outputs

    return SteppedNetwork(run, [part.shape[1] for part in request.model_inputs[1:]], group)


def _onnx(path: Path, _shape, _form: Form, threads: int) -> OneByOne:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return OneByOne(lambda clip: session.run(None, {name: clip})[0])


def _litert(path: Path, shape, _form: Form, threads: int) -> OneByOne:
    with quiet_stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(str(path), num_threads=threads)
        place = interpreter.get_input_details()[0]["index"]

        def resize(*size: int) -> None:
            interpreter.resize_tensor_input(place, size)
            interpreter.allocate_tensors()

        resize(1, *(side or 1 for side in shape))

    def run(clip: np.ndarray) -> np.ndarray:
        if tuple(interpreter.get_input_details()[0]["shape"]) != clip.shape:  # clips of any length
            resize(*clip.shape)
        interpreter.set_tensor(place, clip)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return OneByOne(run)


OPENERS = {"openvino": _openvino, "onnxruntime": _onnx, "ai_edge_litert": _litert}


def open_form(form: Form, path: Path, shape, threads: int | None = None):
    """An exported network, ready to run.

    Args:
        path: its first file; shape: (T, H, W, C) of its input, T None for any; threads: all cores without it.
    Raises:
        Problem: the file is not one of this form, or its library is missing.
    """
    if not installed(form):
        raise Problem(f"{form.name} needs {form.library}; pip install {form.library.replace('_', '-')}")
    try:
        return OPENERS[form.library](path, shape, form, threads or cores())
    except Exception as error:  # each library has its own
        reason = " ".join(str(error).split())[:200]
        raise Problem(f"{path}: {form.library} does not take it ({reason}); run export.py again") from None
