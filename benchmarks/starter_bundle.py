"""Put the starter's parts into one folder, as share.py writes them: for make_starter.py."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from signs.clips import posture
from signs.clips.dataset import load_dataset
from signs.clips.points import Points, read_points
from signs.clips.spec import HANDS, InputSpec
from signs.evaluation import own_signs
from signs.inference import runtime, sign_loops
from signs.inference.bundle import Bundle, Stream, load_bundle, save_bundle, write_bundle_file
from signs.inference.confidence import CALIBRATION_FILE, Calibration
from signs.inference.exported import EXPORT_FILE
from signs.models import landmark as network
from signs.models.weights import copy_weights
from signs.training import averaging

import numpy as np

import share

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 20  # of a loop
SMALL = 0.4  # of how far a hand's points are apart in the median
PARTS = (EXPORT_FILE, CALIBRATION_FILE, "bundle.json", "export", sign_loops.FOLDER)


def write_starter(output: Path, work: Path, layer, temperature: float, threshold: float) -> None:
    """The bundle with Keras's weights and its form of OpenVINO into work/model, and what others need of both into
    `output`, whose README.md stays."""
    data, folder = load_dataset(work / "data"), work / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start, count = load_bundle(own_signs.DGS), len(data.classes)
    arguments = {**start.streams[0].arguments, "classes": count}
    arguments["mirror"] = {"classes": list(range(count)), "values": posture.in_mirror()}
    row = Stream(own_signs.STREAM, own_signs.STREAM, own_signs.STREAM, arguments, start.streams[0].files)
    model = runtime.build_network(row)
    copy_weights(own_signs.open_start()[2], model)
    network.set_top(model, *layer)
    averaging.save_weights(model, folder / row.files["weights"])
    spec = replace(start.spec, input=InputSpec(frames=start.spec.input.frames, region=HANDS))
    about = {"flags": {"script": "make_starter.py", "weights": "dgs"}, "data": {"clips": start.about["data"]["clips"]}}
    save_bundle(Bundle(folder, spec, data.classes, [row], "mean", about))
    hashes = load_bundle(folder).hashes
    Calibration(temperature, {}, threshold, {}, hashes).write(folder)
    flags = ["--data", work / "data", "--model", folder, "--forms", "openvino"]
    subprocess.run([sys.executable, str(ROOT / "export.py"), *map(str, flags)], check=True)
    passed_on(load_bundle(folder), output, loops_of(work, data))


def loops_of(work: Path, data) -> dict[str, sign_loops.Loop]:
    """{sign: the most usual take}, of few frames."""
    points = [read_points(path) for path in (item.archive(data.folder, "landmark-30fps") for item in data.clips)]
    return {
        label: sign_loops.Loop(shortened(loop.points))
        for label, loop in sign_loops.choose_loops(data, data.clips, points).items()
    }


def shortened(points: Points) -> Points:
    """Few frames, without hands that were found much too small."""
    kept = np.unique(np.linspace(0, len(points.times) - 1, FRAMES).round().astype(int))
    hands = points.hands[kept].copy()
    span = np.ptp(hands[..., :2], axis=2).max(axis=-1)
    hands[span < np.nanmedian(span) * SMALL] = np.nan
    return Points(points.body[kept], hands, points.times[kept], points.size)


def passed_on(bundle: Bundle, output: Path, loops: dict[str, sign_loops.Loop]) -> None:
    """What share.py would pass on, but for the networks that find hands."""
    output.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        old = output / name
        shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
    rows = share.forms_to_share(bundle)
    write_bundle_file(replace(share.stripped(bundle), folder=output), indent=None)
    shutil.copyfile(bundle.folder / CALIBRATION_FILE, output / CALIBRATION_FILE)
    share.add_forms(bundle, rows, output)
    sign_loops.write_loops(output, loops)
