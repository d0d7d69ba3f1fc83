"""Several devices and several machines: one training, whose weights are those of one device but for rounding.

    python train_i3d.py ... --devices all                                                  TensorFlow or JAX
    KERAS_BACKEND=jax python train_i3d.py ... --coordinator 10.0.0.1:7654 --hosts 2 --host 0    JAX, on each machine

TensorFlow: `tf.distribute.MirroredStrategy`. JAX: `keras.distribution.DataParallel`, the machines joined by JAX's own
coordinator. Only the first host writes; the others work in a temporary copy of the run. docs/training.md says more.
"""

import contextlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.training.hosts import Watch, call_hosts

FLAGS = ("devices", "coordinator", "hosts", "host")
KEPT = ("log.csv", "*.weights.h5", "checkpoint/*")  # what a training goes on from


@dataclass(frozen=True)
class Devices:
    """What a training runs on: `count` devices on `hosts` machines together; this machine is number `host`. A network
    is built and trained within `scope()`. `watch` ends this host with the others."""

    count: int = 1
    hosts: int = 1
    host: int = 0
    scope: Callable[[], AbstractContextManager] = contextlib.nullcontext
    watch: Watch | None = None

    def share(self, size: int) -> slice:
        """What this host sees of a batch of that size, a multiple of `count`."""
        return slice(size * self.host // self.hosts, size * (self.host + 1) // self.hosts)


ONE = Devices()


def add_flags(flags) -> None:
    group = flags.add_argument_group("several GPUs and machines", "See docs/training.md.")
    group.add_argument("--devices", metavar="N|all", help="of this machine, to share each batch (default: its GPUs)")
    where = "of the machine that is host 0, any free port; with KERAS_BACKEND=jax"
    group.add_argument("--coordinator", metavar="HOST:PORT", help=where)
    count, place = command.number(int, least=1), command.number(int, least=0)
    group.add_argument("--hosts", type=count, default=1, metavar="N", help="machines in all, each with its own --host")
    group.add_argument("--host", type=place, default=0, metavar="I", help="number of this one; 0 writes the model")


def check(args) -> None:
    """Raise Problem where the flags make no sense, before anything is read."""
    if args.devices not in (None, "all") and not re.fullmatch("[1-9][0-9]*", args.devices):
        raise Problem(f"--devices {args.devices}: a number from 1 on, or all")
    if args.coordinator and not re.fullmatch(r"[^\s/]+:[0-9]{1,5}", args.coordinator):
        raise Problem(f"--coordinator {args.coordinator}: HOST:PORT, e.g. 10.0.0.1:7654")
    if args.hosts < 1 or (args.hosts > 1) != bool(args.coordinator):
        raise Problem(f"--hosts {args.hosts}: two or more, together with --coordinator HOST:PORT")
    if not 0 <= args.host < args.hosts:
        raise Problem(f"--host {args.host}: from 0 to {args.hosts - 1}, as --hosts is {args.hosts}")


def start(args, stamp: str) -> Devices:
    """Find the devices and, with --coordinator, join the other hosts; before the backend is used for anything.

    Args:
        stamp: equal on all hosts that were started alike.
    """
    import keras

    backend = keras.backend.backend()
    if args.coordinator and backend != "jax":
        raise Problem(f"--coordinator: several machines need KERAS_BACKEND=jax, and this is {backend}")
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_logical_devices("GPU")
        names = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
        number = _number(args, len(names), bool(gpus))
        if number > 1 and args.accumulate > 1:
            why = f"TensorFlow adds no gradients up on {number} devices"
            what = "KERAS_BACKEND=jax does, or take a larger --batch, or --devices 1"
            raise Problem(f"--recipe accumulate={args.accumulate}: {why}; {what}")
        return Devices(number, scope=tf.distribute.MirroredStrategy(names[:number]).scope) if number > 1 else ONE
    import jax

    watch = None
    if args.coordinator:
        watch = call_hosts(args.coordinator, args.hosts, args.host, stamp)
        # JAX would listen on every address of host 0.
        jax.distributed.initialize(
            args.coordinator, args.hosts, args.host, coordinator_bind_address=None if args.host else args.coordinator
        )
    by_host = [[device for device in jax.devices() if device.process_index == host] for host in range(args.hosts)]
    number = _number(args, min(map(len, by_host)), by_host[0][0].platform != "cpu")
    if number * args.hosts == 1:
        return ONE
    devices = [device for of_host in by_host for device in of_host[:number]]
    parallel = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    return Devices(len(devices), args.hosts, args.host, parallel.scope, watch)


def _number(args, present: int, gpus: bool) -> int:
    """How many of each host's `present` devices are used."""
    if args.devices is None:
        number = present if gpus else 1
        while args.batch % (number * args.hosts) and number > 1:
            number -= 1
        if gpus and number < present:
            print(f"{number} of {present} GPUs: --batch {args.batch} can be shared by no more; a multiple is better")
    else:
        number = present if args.devices == "all" else int(args.devices)
    if number > present:
        kind = "GPU" if gpus else "CPU"
        there = f"is 1 {kind}" if present == 1 else f"are {present} {kind}s"
        raise Problem(f"--devices {number}: there {there}; leave it out for what is there")
    if args.batch % (number * args.hosts):
        raise Problem(f"--batch {args.batch}: not a multiple of the {number * args.hosts} devices that share it")
    return number


def replicas() -> int:
    """Copies of a network that TensorFlow trains in this scope; 1 on JAX, where one program spans the devices."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def whole(model):
    """The same network. With JAX on several hosts its logits of a batch are whole on each, not each host's share."""
    import keras

    if keras.backend.backend() != "jax":
        return model
    import jax

    if jax.process_count() == 1:
        return model
    mesh = keras.distribution.distribution().device_mesh.backend_mesh
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    class Whole(keras.layers.Layer):
        def call(self, x):
            return jax.lax.with_sharding_constraint(x, everywhere)

    return keras.Model(model.inputs, Whole()(model.outputs[0]))


@contextlib.contextmanager
def output(devices: Devices, folder: Path) -> Iterator[Path]:
    """Where this host writes: the first into `folder`, the others, silently, into a temporary copy of it. The hosts
    watch each other, and the block ends when it does on all of them."""
    with contextlib.ExitStack() as held:
        if devices.watch:
            held.enter_context(devices.watch)
        if devices.host:
            folder = devices.watch.temporary = Path(held.enter_context(tempfile.TemporaryDirectory()))
            held.enter_context(contextlib.redirect_stdout(held.enter_context(open(os.devnull, "w", encoding="utf-8"))))
        if devices.hosts > 1:
            _hand_out(devices, folder)
        yield folder


def _hand_out(devices: Devices, folder: Path) -> None:
    """Copy what a training goes on from to the other hosts' folders."""
    import numpy as np
    from jax.experimental import multihost_utils

    packed = io.BytesIO()
    if devices.host == 0:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path in sorted(path for pattern in KEPT for path in folder.glob(pattern) if path.name[0] != "."):
                archive.add(path, path.relative_to(folder))
    size = int(multihost_utils.broadcast_one_to_all(np.int32(len(packed.getvalue()))))
    content = np.frombuffer(packed.getvalue().ljust(size, b"\0"), np.uint8)
    content = np.asarray(multihost_utils.broadcast_one_to_all(content))
    if devices.host:
        with tarfile.open(fileobj=io.BytesIO(content.tobytes())) as archive:
            archive.extractall(folder, filter="data")
