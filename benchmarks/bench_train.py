"""Training speed: the generator, I3D's training step, both together, and the same step in PyTorch; memory of each.

    python benchmarks/bench_train.py [--data data_set/chalearn] [--reference env/bin/python] [--quick]
    KERAS_BACKEND=jax python benchmarks/bench_train.py --precision mixed_bfloat16 --parts all

Runs on whatever Keras computes with here; TensorFlow is not needed where KERAS_BACKEND is jax. Each part is a process
of its own, one after the other (measure_train.py, reference_i3d.py); rates are medians over three stretches.

`generator` is what Keras's workers deliver from clip archives when nobody waits for anything else: cold, where every
picture is decoded every time (the archives themselves stay in the system's file cache), and cached, where the decoded
pictures are in memory. `step` is forward, backward and Adam as loop.py compiles them, on a batch that lies on the
device; `from host` the same where the batch has to come to it first. `fit` is Keras's `fit` with the cold generator and
the most workers; waiting is the share of its time that the step alone would not have taken. `averaged` adds the
running mean of the weights that the strong recipe keeps. Memory is the most in use on a GPU (weights, optimiser and
batches included; in Keras's case what compiling tried out, too), on a CPU by how much the process grew.
FLOP/s count the convolutions alone, two for a multiplication with its addition, three forward passes for a step.
In float32 both sides may use a GPU's TF32.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, save_dataset
from signs.clips.spec import StoredSpec
from signs.prepare import synthetic
from signs.prepare.synthetic_movement import Movement

HERE = Path(__file__).resolve().parent
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
PARTS = ("generator", "step", "fit", "torch", "torch-compile")
FULL = {
    "batch": 4,
    "frames": 40,
    "crop": 224,
    "seconds": 2.0,
    "clips": 16,
    "workers": sorted({1, -(-CORES // 2), CORES}),
}
QUICK = {"batch": 2, "frames": 8, "crop": 32, "seconds": 0.2, "clips": 4, "workers": [1, 2]}


def parse(argv=None):
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, help="a data set with frames (default: drawn signers)")
    flags.add_argument("--store", help="which frames, where there are several stores: 40x240")
    flags.add_argument("--parts", nargs="+", choices=(*PARTS, "all"), default=list(PARTS[:4]), help="what to measure")
    flags.add_argument("--reference", type=Path, default=Path(sys.executable), help="a Python with torch")
    flags.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    flags.add_argument("--quick", action="store_true", help=f"sizes that only show that it runs: {QUICK}")
    flags.add_argument("--batch", type=int, help="clips (4)")
    flags.add_argument("--frames", type=int, help="of a clip (40)")
    flags.add_argument("--crop", type=int, help="pixels (224)")
    flags.add_argument("--clips", type=int, help="how many different clips the generator reads (16)")
    flags.add_argument("--workers", type=int, nargs="+", help=f"of the generator, in turn {FULL['workers']}")
    flags.add_argument("--seconds", type=float, help="of each measurement, at least; at least 3 steps (2)")
    args = flags.parse_args(argv)
    for name, value in (QUICK if args.quick else FULL).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    args.parts = list(PARTS) if "all" in args.parts else args.parts
    return args


def draw(folder: Path, count: int) -> None:
    """A data set of that many archives of synthetic signers, as frame.py leaves them."""
    stored = StoredSpec()
    clips = [Clip(f"clip_{number:03d}", "train", "001", "drawn") for number in range(count)]
    for number, item in enumerate(clips):
        rng = np.random.default_rng([7, number])
        images = synthetic.draw_clip(synthetic.draw_signer(rng), Movement((1, 0), "against"), rng)[0]
        images = images[stored.keep(np.arange(len(images)) / synthetic.RATE)]
        images = np.stack([stored.resize(image) for image in images])
        path = item.archive(folder, stored.frame_store)
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.write_archive(path, images, {"stored": asdict(stored)})
    save_dataset(Dataset(folder, clips, [Label("001", "drawn")]))


def child(python: Path, script: str, request: dict) -> dict | None:
    """The answer of a part, or None where it failed; it says why itself."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    done = subprocess.run(
        [python, HERE / script], input=json.dumps(request) + "\n", stdout=subprocess.PIPE, text=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def has_torch(python: Path) -> bool:
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def measure(request: dict, reference: Path) -> dict:
    """All parts asked for, one after the other."""
    parts, found = request["parts"], {}
    if "generator" in parts:
        found["generator"] = child(sys.executable, "measure_train.py", request | {"part": "generator"})
    if "step" in parts or "fit" in parts:
        found |= child(sys.executable, "measure_train.py", request | {"part": "network"}) or {"step": None}
    wanted = {"torch": False, "torch-compile": True}
    if any(part in parts for part in wanted) and not has_torch(reference):
        print(f"{reference}: no torch in it, so there is no comparison; see --reference", file=sys.stderr)
        return found
    for part, compile_ in wanted.items():
        if part in parts:
            found[part] = child(reference, "reference_i3d.py", request | {"compile": compile_})
    return found


def limit(found: dict) -> str | None:
    """One line: which of the two is the slower."""
    if not (found.get("generator") and found.get("step")):
        return None
    rates = found["generator"]["strong"]["cold"]
    workers, delivered = max(rates.items(), key=lambda row: row[1])
    taken = found["step"]["clips_per_s"]
    slower = "the generator" if delivered < taken else "the step"
    return (
        f"{slower} limits: {workers} workers deliver {delivered:.1f} clips/s (strong recipe, cold), the step takes "
        f"{taken:.1f}; {delivered / taken:.1f} times as many"
    )


def show_generator(console: Console, rates: dict) -> None:
    table = Table(title="generator, clips/s by number of workers")
    counts = list(rates["paper"]["cold"])
    for head in ("augmentation", *map(str, counts)):
        table.add_column(head, justify="right" if head != "augmentation" else "left")
    for recipe, kinds in rates.items():
        for kind, row in kinds.items():
            table.add_row(f"{recipe}, {kind}", *(f"{row[count]:.1f}" for count in counts))
    console.print(table)


def show_steps(console: Console, found: dict) -> None:
    table = Table(title="training step and fit")
    for head in ("what", "clips/s", "ms a step", "first step", "memory", "TFLOP/s", "waiting"):
        table.add_column(head, justify="right" if head != "what" else "left")
    ours = found.get("step")
    gmac = ours["gmac"] if ours else 0
    rows = {f"step, Keras on {found.get('backend')}": ours} | {
        f"step, PyTorch{', compiled' * (part == 'torch-compile')}": found.get(part) for part in PARTS[3:]
    }
    for name, row in rows.items():
        if row:
            table.add_row(
                name,
                f"{row['clips_per_s']:.2f}",
                f"{row['step_ms']:.1f}",
                f"{row['first_step_s']:.1f} s",
                f"{row['memory_mib']:,.0f} MiB",
                f"{6e-3 * gmac * row['clips_per_s']:.2f}" if gmac else "",
            )
    if ours and "from_host" in ours:
        table.add_row("step, batch from host", f"{ours['from_host']:.2f}")
    for name, row in found.get("fit", {}).items():
        table.add_row(f"fit, {name}", f"{row['clips_per_s']:.2f}", "", "", "", "", f"{100 * row['waiting']:.0f} %")
    console.print(table)


def show(request: dict, found: dict) -> None:
    console = Console(width=120)
    step = found.get("step")
    machine = f"{step['device']}, {step['gmac']:.1f} GMAC a clip; " if step else ""
    console.print(
        f"batches of {request['batch']} clips, {request['frames']}x{request['crop']}x{request['crop']} RGB, "
        f"{request['precision']}; {machine}{CORES} cores"
    )
    if found.get("generator"):
        show_generator(console, found["generator"])
    if any(found.get(part) for part in PARTS[1:]):
        show_steps(console, found)
    if found["limit"]:
        console.print(found["limit"], highlight=False)


def main(argv=None) -> int:
    args = parse(argv)
    request = {**vars(args), "threads": CORES}
    reference = request.pop("reference")
    with tempfile.TemporaryDirectory() as folder:
        if args.data is None:
            draw(Path(folder), args.clips)
        found = measure(request | {"data": str(args.data or folder)}, reference)
    found["limit"] = limit(found)
    show(request, found)
    settings = {name: request[name] for name in ("batch", "frames", "crop", "precision", "seconds", "clips")}
    source = args.data.name if args.data else "drawn"
    print(json.dumps({"settings": settings | {"cores": CORES, "data": source}, **found}))
    return 1 if None in [found[part] for part in PARTS if part in found] else 0


if __name__ == "__main__":
    sys.exit(main())
