"""TV-L1 flow: this repository's solver against OpenCV contrib's and scikit-image's; time, difference, energy, error.

    python benchmarks/bench_flow.py [--reference env/bin/python] [--videos clip.avi ...] [--data data_set/demo]

The reference is a Python that has both (see reference_flow.py); without the flag it is made, in benchmarks/.venv. All
run on one thread, pair by pair in turn, at 320x240, with equal parameters; figures are medians over the pairs, the
ratio is the median of the pairs' ratios. `difference` is the distance between the two flows in pixels. `energy` is
E(u) of tvl1.py with the true brightness difference, ours relative to OpenCV's. Motion that is known is drawn, with
three textures; its error is the mean distance from it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs.clips.spec import StoredSpec
from signs.clips.video import read_video
from signs.flow import tvl1
from signs.flow.stream import to_grey
from signs.flow.tvl1 import Solver
from signs.prepare import synthetic
from signs.prepare.synthetic_movement import Movement

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 320, 240
PRESETS = {"tvl1-fast": tvl1.FAST, "tvl1-quality": tvl1.QUALITY}
FLOOR = 0.3  # ns per pixel and iteration: the arithmetic alone on one AVX-512 core
CHALEARN = 47_933  # videos
TEXTURES = 3  # on which known motion is drawn
REPEAT = 3  # times each pair, of which the best counts: what else the machine does can only add


class Reference:
    """The other environment's process."""

    def __init__(self, python: Path, folder: Path, threads: int = 1):
        self.folder = folder
        self.process = subprocess.Popen(
            [python, HERE / "reference_flow.py", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.versions = json.loads(self.process.stdout.readline())

    def __call__(self, method: str, pair: np.ndarray, parameters: dict) -> tuple[np.ndarray, float]:
        np.save(self.folder / "pair.npy", pair)
        request = {
            "method": method,
            "parameters": parameters,
            "pair": str(self.folder / "pair.npy"),
            "out": str(self.folder / "flow.npy"),
        }
        print(json.dumps(request), file=self.process.stdin, flush=True)
        seconds = json.loads(self.process.stdout.readline())["seconds"]
        return np.load(self.folder / "flow.npy"), seconds


def make_reference() -> Path:
    python = HERE / ".venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
    needs = ["opencv-contrib-python-headless", "scikit-image"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *needs], check=True)
    return python


def pairs_of(videos: list[Path], count: int) -> list[np.ndarray]:
    """(2, H, W) uint8 neighbouring kept frames, as opticalflow.py sees them, spread over the videos."""
    pairs = []
    for number in range(count):
        if videos:
            images, times = read_video(videos[number * len(videos) // count])
        else:
            signer = synthetic.draw_signer(np.random.default_rng([7, number]))
            movement = Movement((1, 0), "against")
            images = synthetic.draw_clip(signer, movement, np.random.default_rng(number))[0]
            times = np.arange(len(images)) / synthetic.RATE
        kept = np.unique(StoredSpec().keep(np.asarray(times)))
        middle = len(kept) // 3 + number % (len(kept) // 3)
        grey = [to_grey(images[index]) for index in kept[middle : middle + 2]]
        pairs.append(np.stack([cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for image in grey]))
    return pairs


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    image = sum(cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (1.5, 3, 6, 12))
    return cv2.normalize(image, None, 10, 245, cv2.NORM_MINMAX)


def known_motions(seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{name: ((2, H, W) uint8, (H, W, 2) true flow)} of a textured picture; previous(x) = current(x + flow(x))."""
    columns, rows = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    about = np.dstack([columns - (WIDTH - 1) / 2, rows - (HEIGHT - 1) / 2])
    fields = {
        f"shift by {x}, {y} px": np.broadcast_to(np.float32([x, y]), about.shape)
        for x, y in ((0, 0), (0.3, -0.4), (2.5, 1.5), (12, -5), (30, 0))
    }
    for degrees in (1, 4):
        turn = np.deg2rad(degrees)
        matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        fields[f"turn by {degrees} degrees"] = (about @ matrix.T - about).astype(np.float32)
    fields |= {f"zoom by {percent} %": (about * percent / 100).astype(np.float32) for percent in (2, -5)}
    room = 48
    large = texture(seed, HEIGHT + 2 * room, WIDTH + 2 * room)
    found = {}
    for name, flow in fields.items():
        moved = cv2.remap(large, columns + room + flow[..., 0], rows + room + flow[..., 1], cv2.INTER_CUBIC)
        pair = np.stack([moved, large[room:-room, room:-room]])
        found[name] = np.clip(np.rint(pair), 0, 255).astype(np.uint8), np.array(flow)
    pair, flow = np.stack([large[room:-room, room:-room]] * 2), np.zeros_like(about)
    thing = texture(seed + 100, 80, 80)
    pair[0, 80:160, 100:180] = pair[1, 76:156, 107:187] = thing
    flow[80:160, 100:180] = (7, -4)
    found["square that hides a still room"] = np.clip(np.rint(pair), 0, 255).astype(np.uint8), flow
    return found


def sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cubic interpolation in double precision, the border repeated; cv2.remap rounds places to 1/32 px."""
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    total = np.zeros(x.shape)
    for dy in range(-1, 3):
        for dx in range(-1, 3):
            weight = keys(x - column - dx) * keys(y - row - dy)
            inside = np.clip(row + dy, 0, image.shape[0] - 1), np.clip(column + dx, 0, image.shape[1] - 1)
            total += weight * image[inside]
    return total


def keys(distance: np.ndarray, a: float = tvl1.CUBIC) -> np.ndarray:
    """The kernel of cubic convolution."""
    d = np.abs(distance)
    return np.where(d <= 1, ((a + 2) * d - (a + 3)) * d * d + 1, np.where(d < 2, ((d - 5) * d + 8) * d * a - 4 * a, 0))


def energy(pair: np.ndarray, flow: np.ndarray, weight: float) -> float:
    """Total variation of the flow plus lambda times the absolute brightness difference where the motion ends inside."""
    first, second = pair.astype(float)
    rows, columns = np.indices(first.shape)
    x, y = columns + flow[..., 0].astype(float), rows + flow[..., 1].astype(float)
    inside = (x >= 0) & (x <= first.shape[1] - 1) & (y >= 0) & (y <= first.shape[0] - 1)
    data = float(np.abs(sample(second, x, y) - first)[inside].sum())
    smooth = 0.0
    for u in np.moveaxis(flow.astype(float), -1, 0):
        right, down = np.diff(u, axis=1, append=u[:, -1:]), np.diff(u, axis=0, append=u[-1:])
        smooth += float(np.hypot(right, down).sum())
    return smooth + weight * data


def ours(parameters: dict, pair: np.ndarray) -> tuple[np.ndarray, float]:
    """A pair in a stream: the first picture's pyramid is there from the pair before."""
    stream, seconds = Solver(parameters), []
    for _ in range(REPEAT + 1):  # the first time makes room, as the first pair of a clip does
        stream.push(pair[0])
        started = time.perf_counter()
        flow = stream.push(pair[1])
        seconds.append(time.perf_counter() - started)
    return flow, min(seconds)


def compare(name: str, pairs: list[np.ndarray], reference: Reference) -> dict:
    """One preset on real or drawn pairs."""
    parameters = PRESETS[name]
    ours(parameters, pairs[0])
    rows = []
    for pair in pairs:
        flow, seconds = ours(parameters, pair)
        other, other_seconds = reference("opencv", pair, parameters)
        other_seconds = min(other_seconds, *(reference("opencv", pair, parameters)[1] for _ in range(REPEAT - 1)))
        distance = np.linalg.norm(flow - other, axis=-1)
        energies = [energy(pair, field, parameters["lambda_"]) for field in (flow, other)]
        rows.append(
            {
                "ms": 1e3 * seconds,
                "opencv_ms": 1e3 * other_seconds,
                "ratio": other_seconds / seconds,
                "skimage_ms": 1e3 * reference("skimage", pair, parameters)[1],
                "mean_px": distance.mean(),
                "p99_px": np.percentile(distance, 99),
                "energy": energies[0] / energies[1],
                "sums": energies,
            }
        )
    total = np.sum([row.pop("sums") for row in rows], axis=0)
    result = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    return result | {
        "all_energy": float(total[0] / total[1]),
        "worst_mean_px": float(max(row["mean_px"] for row in rows)),
        "worst_p99_px": float(max(row["p99_px"] for row in rows)),
        "worst_energy": float(max(row["energy"] for row in rows)),
    }


def known(name: str, reference: Reference) -> dict[str, tuple[float, float]]:
    """{motion: mean end-point error of ours, of OpenCV's}, pixels."""
    found = {}
    for seed in range(TEXTURES):
        for motion, (pair, truth) in known_motions(seed).items():
            fields = ours(PRESETS[name], pair)[0], reference("opencv", pair, PRESETS[name])[0]
            found.setdefault(motion, []).append([np.linalg.norm(field - truth, axis=-1).mean() for field in fields])
    return {motion: tuple(np.mean(errors, axis=0).tolist()) for motion, errors in found.items()}


def iteration(reference: Reference, pair: np.ndarray) -> dict[str, float]:
    """ns per pixel and inner iteration, early stop off: many iterations less few, so that only they count."""
    base = {**tvl1.FAST, "scales": 1, "warps": 1, "median": 1, "outer": 1, "epsilon": 0.0}
    seconds = {"ours": [], "opencv": []}
    for inner in (30, 150):
        parameters = {**base, "inner": inner}
        seconds["ours"].append(min(ours(parameters, pair)[1] for _ in range(5)))
        seconds["opencv"].append(min(reference("opencv", pair, parameters)[1] for _ in range(3)))
    return {name: 1e9 * (many - few) / (120 * WIDTH * HEIGHT) for name, (few, many) in seconds.items()}


def scaling(data: Path) -> dict[str, float]:
    """clips/s of opticalflow.py itself with one worker and with two, on the frames of a data set."""
    rates = {}
    for workers in (1, 2, 1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for item in data.iterdir():
                if not item.name.startswith("flow-"):
                    (folder / item.name).symlink_to(item.resolve())
            command = [sys.executable, HERE.parent / "opticalflow.py", "--data", folder, "--workers", str(workers)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rate = float(said.split(" clips/s")[0].split()[-1])
            rates[workers] = max(rate, rates.get(workers, 0))
    return {"one": rates[1], "two": rates[2], "ratio": rates[2] / rates[1]}


def show(presets: dict, motions: dict, steps: dict, speed: dict | None, source: str) -> None:
    console = Console(width=120)
    table = Table(title=f"one pair, {WIDTH}x{HEIGHT}, one thread; medians over {source}")
    for head in (
        "preset",
        "ours",
        "OpenCV",
        "ratio",
        "scikit-image",
        "difference: mean, p99",
        "energy: median, all pairs",
    ):
        table.add_column(head, justify="right" if head != "preset" else "left")
    for name, row in presets.items():
        table.add_row(
            name,
            f"{row['ms']:.2f} ms",
            f"{row['opencv_ms']:.0f} ms",
            f"{row['ratio']:.1f}",
            f"{row['skimage_ms']:.0f} ms",
            f"{row['mean_px']:.3f}, {row['p99_px']:.3f} px",
            f"{100 * (row['energy'] - 1):+.2f}, {100 * (row['all_energy'] - 1):+.2f} %",
        )
    console.print(table)
    for name, row in presets.items():
        console.print(
            f"{name}, worst pair: difference {row['worst_mean_px']:.3f}, p99 {row['worst_p99_px']:.3f} px, "
            f"energy {100 * (row['worst_energy'] - 1):+.2f} %"
        )
    table = Table(title="known motion: mean end-point error in px, ours / OpenCV")
    for head in ("motion", *motions):
        table.add_column(head, justify="right" if head != "motion" else "left")
    for motion in next(iter(motions.values())):
        table.add_row(motion, *("{:.4f} / {:.4f}".format(*found[motion]) for found in motions.values()))
    console.print(table)
    console.print(
        f"per pixel and iteration: ours {steps['ours']:.2f} ns, OpenCV {steps['opencv']:.1f} ns, "
        f"arithmetic alone {FLOOR} ns"
    )
    if speed:
        hours = CHALEARN / speed["one"] / 3600
        console.print(
            f"opticalflow.py: {speed['one']:.1f} clips/s on one core, {speed['two']:.1f} on two "
            f"({speed['ratio']:.2f} times); ChaLearn's {CHALEARN} clips: {hours:.1f} core-hours"
        )


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--reference", type=Path, help="a Python with opencv-contrib and scikit-image")
    flags.add_argument("--videos", type=Path, nargs="+", default=[], help="real clips (default: drawn signers)")
    flags.add_argument("--pairs", type=int, default=24, help="how many pairs")
    flags.add_argument("--data", type=Path, help="a data set with frames, to time opticalflow.py itself")
    args = flags.parse_args(argv)
    cv2.setNumThreads(1)
    pairs = pairs_of(args.videos, args.pairs)
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(args.reference or make_reference(), Path(folder))
        presets = {name: compare(name, pairs, reference) for name in PRESETS}
        motions = {name: known(name, reference) for name in PRESETS}
        steps = iteration(reference, pairs[0])
        reference.process.stdin.close()
        reference.process.wait()
    speed = scaling(args.data) if args.data else None
    source = f"{len(pairs)} pairs of {len(args.videos)} videos" if args.videos else f"{len(pairs)} drawn pairs"
    show(presets, motions, steps, speed, source)
    print(
        json.dumps(
            {
                "presets": presets,
                "known": motions,
                "ns_per_pixel_and_iteration": steps,
                "floor_ns": FLOOR,
                "scaling": speed,
                "versions": reference.versions | {"cv2": cv2.__version__},
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
