"""Does the live demo say a sign when there is one, and nothing when there is none?

    python benchmarks/bench_spotting.py --data data_set/gestures --model model/gestures --rest static \
        [--table gestures.csv --by distance] [--stored]
    python benchmarks/bench_spotting.py --data data_set/gestures --own --stored

The clips of each person of the test split (of each group, the distance from the camera, say) become one picture without
an end: rest first, then clip after clip in an order that the seed gives, with rest between them. Rest is the clip of
`--rest`, to and fro. Clips of other labels that are no gesture are other movements. The picture goes through hands-free
and continuous mode, frame by frame as from a file, by its own clock: as on a machine that is quick enough.

What is said counts for the clip in which, or within SLACK seconds of whose end, it is said; only answers that are sure
enough are said. Printed for each mode: how many of the answers belong to a sign (a sign said twice is one and a false
one), how many name it rightly; how many signs are spoken of, and rightly; false answers a minute. The last line is
JSON. With --stored a model that sees points gets those that landmark.py stored of each clip by itself; without, they
are found in the joined picture, as live, which takes far longer. Nobody of the split may be in a training of the model.
With --own, models of everybody's own signs: learn.py's of all takes of a person but one, whose clips are joined.
"""

import argparse
import csv
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, load_dataset
from signs.clips.points import read_points
from signs.clips.video import read_video
from signs.command import Problem
from signs.evaluation import own_signs
from signs.inference.recogniser import Recogniser
from signs.inference.recording import point_stream
from signs.live.demo import build_modes
from signs.live.tracking import Tracker

FIRST, REST, SLACK = 4.5, 2.0, 1.75  # seconds of rest before all and between two clips; an answer that comes later
MODES = ("hands-free", "continuous")
COUNTS = ("said", "belong", "right", "signs", "false")
Spans = list[tuple[Clip, float, float]]


class Remembered:
    """Points of a picture that several modes see: found once. Stands in for LandmarkStream."""

    def __init__(self):
        self._known, self._stream = {}, None

    def __call__(self, stored) -> "Remembered":
        self._stream = self._stream or point_stream(stored)
        return self

    def remember(self, seconds: float, body: np.ndarray, hands: np.ndarray) -> None:
        self._known[round(seconds, 6)] = body, hands

    def push(self, frame: np.ndarray, seconds: float):
        key = round(seconds, 6)
        if key not in self._known:
            self._known[key] = self._stream.push(frame, seconds)
        return self._known[key]


class Joined:
    """Clips as one picture: `frames()` yields (frame, seconds); `spans` says then which clip was when."""

    def __init__(self, folder: Path, clips: list[Clip], rest: Clip, store: str = ""):
        self.folder, self.clips, self.rest, self.store = folder, clips, rest, store
        self.spans: Spans = []
        self.points = Remembered()

    def _read(self, item: Clip) -> tuple[np.ndarray, np.ndarray, list]:
        """A clip's frames, their times from 0, and the stored points of each, where they are wanted."""
        images, times = read_video(item.video(self.folder))
        times, found = times - times[0], [None] * len(images)
        if self.store:
            points = read_points(item.archive(self.folder, self.store))
            for row, moment in enumerate(points.times):
                found[int(np.abs(times - moment).argmin())] = points.body[row], points.hands[row]
        return images, times, found

    def _shown(self, frame: np.ndarray, seconds: float, found) -> tuple[np.ndarray, float]:
        if found is not None:
            self.points.remember(seconds, *found)
        return frame, seconds

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        self.spans, now = [], 0.0
        still, times, found = self._read(self.rest)
        step = float(np.median(np.diff(times)))
        turn = [*zip(still, found, strict=True)]
        turn += turn[-2:0:-1]
        for number, item in enumerate([None, *self.clips]):
            if item:
                begin = now
                for image, moment, seen in zip(*self._read(item), strict=True):
                    now = begin + float(moment)
                    yield self._shown(image, now, seen)
                self.spans.append((item, begin, now))
                now += step
            for count in range(round((REST if number else FIRST) / step)):
                image, seen = turn[count % len(turn)]
                yield self._shown(image, now, seen)
                now += step

    @property
    def minutes(self) -> float:
        return (self.spans[-1][2] + REST) / 60


def join(data, split: str, rest: str, groups: dict[str, str], seed: int, store: str = "") -> list[Joined]:
    """A string for each person and group of a split; store: of the points, where those are taken."""
    parts = defaultdict(list)
    for item in data.split(split):
        parts[item.signer, groups.get(item.source, "")].append(item)
    strings, rng = [], np.random.default_rng(seed)
    for (person, group), clips in sorted(parts.items()):
        still = [item for item in clips if item.label == rest]
        if not still:
            print(f"{person} {group}: left out, there is no clip of {rest} to rest with", file=sys.stderr)
            continue
        others = [item for item in clips if item.label != rest]
        strings.append(Joined(data.folder, [others[index] for index in rng.permutation(len(others))], still[0], store))
    if not strings:
        raise Problem(f"{split}: nobody has a clip of {rest} to rest with; name another label with --rest")
    return strings


def play(mode, string: Joined) -> list[tuple[str, float]]:
    """(label, seconds) of all that a mode says."""
    said, gestures = [], {row.label for row in mode.recogniser.classes if row.kind == "gesture"}
    seen = len(mode.history)
    for frame, seconds in string.frames():
        mode.frame(frame, seconds)
        if mode.tracker:
            wait(list(mode.tracker._waiting))
        mode.tick()
        if mode.name == "continuous":
            mode._keeper.submit(int).result()  # the window has the frame
            mode.tick()
        mode.settle()
        said += [(line.label, seconds) for line in mode.history[seen:] if line.known and line.label in gestures]
        seen = len(mode.history)
    return said


def score(said: list[tuple[str, float]], spans: Spans, gestures: set[str]) -> dict:
    """Counts of a string: said, belong, right (answers), signs, spotted, named (signs), false."""
    spoken, counts = set(), dict.fromkeys(COUNTS, 0)
    counts["signs"] = sum(item.label in gestures for item, *_ in spans)
    for label, moment in said:
        item = next((item for item, begin, end in spans if begin <= moment <= end + SLACK), None)
        new = item is not None and item.label in gestures and item.clip not in spoken
        counts["said"] += 1
        counts["belong" if new else "false"] += 1
        counts["right"] += new and item.label == label
        spoken |= {item.clip} if item else set()
    return counts


def rates(counts: dict, minutes: float) -> dict:
    said, signs = max(counts["said"], 1), max(counts["signs"], 1)
    return {
        **counts,
        "minutes": round(minutes, 2),
        "precision": round(counts["belong"] / said, 4),
        "right_precision": round(counts["right"] / said, 4),
        "recall": round(counts["belong"] / signs, 4),
        "right_recall": round(counts["right"] / signs, 4),
        "false_a_minute": round(counts["false"] / minutes, 3),
    }


def measure(recogniser: Recogniser, strings: list[Joined], modes: list[str], seconds: float) -> dict:
    """{mode: rates} over all strings."""
    gestures = {row.label for row in recogniser.classes if row.kind == "gesture"}
    totals, minutes = {name: defaultdict(int) for name in modes}, 0.0
    for string in strings:
        for name in modes:
            with ThreadPoolExecutor(1) as worker:
                built = build_modes(recogniser, worker, 0.0, seconds, seconds)
                mode = built[name]
                if mode.tracker:
                    mode.tracker = Tracker(recogniser.bundle.spec.stored, string.points)
                said = play(mode, string)
                for other in (*built.values(), *([mode.tracker] if mode.tracker else [])):
                    other.close()
            for key, value in score(said, string.spans, gestures).items():
                totals[name][key] += value
        minutes += string.minutes
        print(string.rest.signer, {name: dict(counts) for name, counts in totals.items()}, file=sys.stderr, flush=True)
    return {name: rates(counts, minutes) for name, counts in totals.items()}


def measure_own(data: Dataset, args, store: str) -> dict:
    """{mode: rates} of models that learn.py would make of a person's takes but one, whose clips are joined."""
    totals, minutes, rng = {name: Counter() for name in args.modes}, 0.0, np.random.default_rng(args.seed)
    stored = storage.find_landmarks(data)
    for person in sorted({item.signer for item in data.clips} - {""}):
        hers = [item for item in data.clips if item.label and item.signer == person]
        takes = own_signs.groups_of(hers)["known"]
        for take in sorted(set(takes)):
            asked = [item for item, number in zip(hers, takes, strict=True) if number == take]
            still = [item for item in asked if item.label == args.rest]
            if not still:
                continue
            clips = [item for item in hers if item not in asked]
            others = [item for item in asked if item.label != args.rest]
            string = Joined(data.folder, [others[index] for index in rng.permutation(len(others))], still[0], store)
            with tempfile.TemporaryDirectory() as folder:
                points = [read_points(item.archive(data.folder, stored.store), stored) for item in clips]
                own_signs.learn(replace(data, clips=clips), clips, points, Path(folder))
                rows = measure(Recogniser.load(Path(folder), "keras"), [string], args.modes, args.seconds)
            for name, row in rows.items():
                totals[name].update({key: row[key] for key in COUNTS})
            minutes += string.minutes
    return {name: rates(dict(counts), minutes) for name, counts in totals.items()}


def print_table(rows: dict) -> None:
    heads = ("mode", "said", "of a sign %", "right %", "signs", "spoken of %", "rightly %", "false a minute")
    table = Table(*heads, title="signs in strings of clips; aims: 95 % of a sign, 0.5 false a minute")
    for name, row in rows.items():
        shares = [f"{100 * row[key]:.1f}" for key in ("precision", "right_precision", "recall", "right_recall")]
        false = f"{row['false_a_minute']:.2f}"
        table.add_row(name, str(row["said"]), *shares[:2], str(row["signs"]), *shares[2:], false)
    Console(width=110).print(table)


def groups_of(table: Path | None, by: str) -> dict[str, str]:
    """{a clip's source: its group}."""
    if not table:
        return {}
    with open(table, newline="", encoding="utf-8") as file:
        return {row["video"]: row[by] for row in csv.DictReader(file)}


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, required=True, help="data set folder with its videos")
    model = flags.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", type=Path, help="a bundle that was not trained on the split's people")
    model.add_argument("--own", action="store_true", help="models of each person's own takes")
    flags.add_argument("--split", default="test")
    flags.add_argument("--rest", default="static", help="label of the clips in which somebody stands still")
    flags.add_argument("--table", type=Path, help="CSV with a column video, as in clips.csv's source, and --by's")
    flags.add_argument("--by", default="distance", help="column of --table by which clips are joined")
    flags.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    flags.add_argument("--seconds", type=float, default=5.0, help="of the window of continuous mode")
    flags.add_argument("--seed", type=int, default=0, help="of the order of the clips")
    flags.add_argument("--stored", action="store_true", help="take the points that landmark.py stored")
    args = flags.parse_args(argv)
    data = load_dataset(args.data)
    if args.own:
        rows = measure_own(data, args, storage.find_landmarks(data).store if args.stored else "")
    else:
        recogniser = Recogniser.load(args.model, live=True)
        landmark = recogniser.bundle.spec.stored.landmark
        store = landmark.store if args.stored and landmark else ""
        strings = join(data, args.split, args.rest, groups_of(args.table, args.by), args.seed, store)
        recogniser.warm_up()
        rows = measure(recogniser, strings, args.modes, args.seconds)
    print_table(rows)
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
