"""What was chosen for stored flow, and what the other choices do, on real clips: the numbers of docs/flow.md.

    python benchmarks/bench_flow_choices.py --videos clip.avi ... [--clips 24]

Three tables: JPEG quality of stored flow (kB a clip, error); flow from kept frame to kept frame against flow at the
video's rate; DIS and Farneback against TV-L1 (time, distance from `tvl1-quality`, error where the motion is known). All
at 320x240, one thread.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

import bench_flow

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from signs.clips import preprocess, storage
from signs.clips.spec import FlowSpec, StoredSpec, resize_short_side
from signs.clips.video import read_video
from signs.flow.stream import FLOW_METHODS, FlowStream, clip_flow, tvl1, video_flow

import opticalflow

HERE = Path(__file__).resolve().parent
BOUND = 20.0
QUALITIES = (75, 85, 90, 95, 98, 100)
console = Console(width=120)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All frames of a video at short side 240, and their times."""
    images, times = read_video(path)
    return np.stack([resize_short_side(image, 240) for image in images]), np.asarray(times)


def fields(images: np.ndarray, times: np.ndarray, method: str, flow_from: str) -> np.ndarray:
    stored = StoredSpec(flow=FlowSpec(method, FLOW_METHODS[method], flow_from=flow_from))
    if flow_from == "video":
        return video_flow(images, times, stored)
    kept = stored.keep(times)
    return clip_flow(images[kept], times[kept], stored.flow)


def jpeg(flows: list[np.ndarray]) -> list[dict]:
    """Size and error of flow as it is stored; without JPEG the 8 bits alone leave the first row's error."""
    rows = []
    for quality in (None, *QUALITIES):
        errors, sizes = [], []
        for flow in flows:
            coded = preprocess.quantise_flow(flow, BOUND)
            if quality:
                members = storage.encode(coded, quality)
                sizes.append(sum(map(len, members.values())))
                coded = storage.decode(list(members.values()), 2)
            inside = np.clip(flow, -BOUND, BOUND)
            errors.append(np.abs(preprocess.restore_flow(coded, BOUND) - inside))
        every = np.concatenate([error.ravel()[::31] for error in errors])
        rows.append(
            {
                "quality": quality,
                "kB": np.mean(sizes) / 1e3 if sizes else None,
                "mean_px": float(every.mean()),
                "p99_px": float(np.percentile(every, 99)),
            }
        )
    return rows


def rates(clips: list[tuple[np.ndarray, np.ndarray]]) -> list[dict]:
    """Both ways of taking flow, for clips shorter than 40 frames and for the others."""
    rows = []
    for name, chosen in (
        ("under 40 frames", [c for c in clips if len(c[0]) < 40]),
        ("40 frames and more", [c for c in clips if len(c[0]) >= 40]),
    ):
        for flow_from in ("frames", "video") if chosen else ():
            repeated, figures = [], []
            for images, times in chosen:
                flow = fields(images, times, "tvl1-fast", flow_from)
                repeated.append(np.mean([np.array_equal(a, b) for a, b in zip(flow[1:], flow[:-1], strict=True)]))
                figures.append(opticalflow.statistics(flow, preprocess.quantise_flow(flow, BOUND)))
            rows.append(
                {
                    "clips": f"{len(chosen)} {name}",
                    "flow_from": flow_from,
                    "repeated": float(np.mean(repeated)),
                    **{key: float(np.mean([row[key] for row in figures])) for key in figures[0]},
                }
            )
    return rows


def methods(pairs: list[np.ndarray]) -> list[dict]:
    """Time of a pair, distance from tvl1-quality, and error on drawn motion up to 12 px."""
    best = [tvl1(*pair, "quality") for pair in pairs]
    known = {name: value for name, value in bench_flow.known_motions().items() if " 30," not in name}
    rows = []
    for method in FLOW_METHODS:
        seconds, distances = [], []
        stream = FlowStream(method)
        for pair, wanted in zip(pairs, best, strict=True):
            stream.push(pair[0])
            started = time.perf_counter()
            flow = stream.push(pair[1])
            seconds.append(time.perf_counter() - started)
            distances.append(np.linalg.norm(flow - wanted, axis=-1).mean())
        errors = []
        for pair, truth in known.values():
            stream.push(pair[0])
            errors.append(np.linalg.norm(stream.push(pair[1]) - truth, axis=-1).mean())
        rows.append(
            {
                "method": method,
                "ms": 1e3 * float(np.median(seconds)),
                "known_px": float(np.median(errors)),
                "from_quality_px": float(np.mean(distances)),
            }
        )
    return rows


def show(title: str, rows: list[dict]) -> None:
    table = Table(title=title)
    for head in rows[0]:
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value or "-") for value in row.values()))
    console.print(table)


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--videos", type=Path, nargs="+", required=True, help="real clips")
    flags.add_argument("--clips", type=int, default=24, help="how many of them")
    args = flags.parse_args(argv)
    cv2.setNumThreads(1)
    count = min(args.clips, len(args.videos))
    chosen = [args.videos[number * len(args.videos) // count] for number in range(count)]
    clips = [read(path) for path in chosen]
    result = {
        "jpeg": jpeg([fields(*item, "tvl1-fast", "frames") for item in clips]),
        "flow_from": rates(clips),
        "methods": methods(bench_flow.pairs_of(chosen, len(chosen))),
    }
    for title, rows in result.items():
        show(title, rows)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
