"""Cut ChaLearn LAP 2014 track 3 (Montalbano: 20 Italian signs, Kinect) into a data set folder (data_set/README.md).

    python prepare_chalearn2014.py --download data_set/chalearn2014/_download --output data_set/chalearn2014 --crops

In: the recordings as ChaLearn ships them: `Sample0001.zip` with colour, depth and user mask as videos, skeleton, data
and labels as CSV; several in `train1.zip`, `valid1.zip`, ..., or unpacked; at any depth. The split is named by the
archive or folder, else by the number. A table `signers.csv` (sample,signer; sample as Sample0001) says who signs.
Out: a clip per labelled interval, `video/<split>/<label>/<clip>.avi` and the same below `depth/`; with --crops below
`upper/` and `hand/` (the signer alone, upper body and higher hand cut out by the skeleton) and `upper_depth/`,
`hand_depth/`, the channels of Mullick & Namboodiri's compact recogniser; clips.csv and class.csv. What is there already
is left alone, so a run that was stopped goes on. `frame.py --part depth` reads on from there.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Clip, Dataset
from signs.command import Outcome, Problem
from signs.estimate import Cost
from signs.prepare import archive, crops, file_list, montalbano, summary, transfer
from signs.prepare.crops import Pictures, Video
from signs.prepare.montalbano import Download, Files, Interval, Recording

import cv2

WORK = ".work"
CLASS_TABLE = Path(__file__).resolve().parent / "data_set" / "chalearn2014" / "class.csv"


@dataclass
class Made:
    """What became of a recording: (clip, whether anything of it was written), and (name, reason) of what failed."""

    recording: Recording
    labelled: bool = True
    rows: int = 0
    clips: list[tuple[Clip, bool]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Cut:
    """Makes the clips of one recording, in a form that joblib can send to another process."""

    output: Path
    parts: tuple[str, ...]
    password: str
    signers: dict[str, str]
    earlier: dict[str, Clip]

    def __call__(self, recording: Recording) -> Made:
        cv2.setNumThreads(1)  # one recording a process is the parallelism
        work = self.output / WORK / recording.name
        try:
            return self.make_clips(recording, Files(recording, work, self.password))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def make_clips(self, recording: Recording, files: Files) -> Made:
        """Write what is missing of a recording's clips; raises Problem where nothing of it can be cut."""
        if "labels" not in files:
            return Made(recording, labelled=False)
        count, rate, farthest = montalbano.read_data(files.text("data"), f"{recording.name}_data.csv")
        name = f"{recording.name}_labels.csv"
        intervals, failed = montalbano.read_labels(files.text("labels"), count, name)
        clips = {interval: self.as_clip(recording, interval) for interval in intervals}
        made = Made(recording, rows=len(intervals) + len(failed), failed=failed)
        lacking = {interval: parts for interval, clip in clips.items() if (parts := self.lacking(clip))}
        fresh, reasons = set(), {}
        for pictures in self.read_pictures(files, lacking, farthest):
            clip = clips[pictures.interval]
            for part in lacking[pictures.interval]:
                try:
                    transfer.write_video(clip.video(self.output, part), pictures.part(part), rate, crops.CODEC)
                    fresh.add(clip)
                except Problem as problem:
                    reasons.setdefault(str(problem), []).append((clip, part))
        made.failed += [(recording.name, without(lost, reason)) for reason, lost in reasons.items()]
        there = [clip for clip in clips.values() if clip.video(self.output).is_file()]
        made.clips = [(self.hashed(clip, clip in fresh), clip in fresh) for clip in there]
        return made

    def hashed(self, clip: Clip, fresh: bool) -> Clip:
        """The clip with the SHA-256 of its colour video, which the last run recorded unless this one wrote it."""
        recorded = None if fresh else self.earlier.get(clip.clip)
        return replace(clip, sha256=recorded.sha256 if recorded else command.sha256(clip.video(self.output)))

    def as_clip(self, recording: Recording, interval: Interval) -> Clip:
        """`Sample0001_00004_00045`: the clip of an interval, named after its recording and frames."""
        name = f"{recording.name}_{interval.first:05d}_{interval.last:05d}"
        source = f"{recording.name}_color.mp4/{interval.first}-{interval.last}"
        signer = self.signers.get(recording.name, "")
        return Clip(name, recording.split, interval.label, signer, recording.name, source)

    def lacking(self, clip: Clip) -> list[str]:
        """The parts of a clip that are not there, or, of the colour video, are not what the last run wrote."""
        video, recorded = clip.video(self.output), self.earlier.get(clip.clip)
        if recorded and recorded.sha256 and video.is_file() and command.sha256(video) != recorded.sha256:
            video.unlink()
        return [part for part in self.parts if not clip.video(self.output, part).is_file()]

    def read_pictures(self, files: Files, lacking: dict[Interval, list[str]], farthest: float) -> Iterator[Pictures]:
        """The pictures of every interval that lacks a part."""
        shown = [crops.SHOWS[part] for parts in lacking.values() for part in parts]
        kinds = sorted({kind for kind, _ in shown} | {"user" for _, square in shown if square})
        videos = [Video(files, kind) for kind in kinds]
        joints = None
        if "user" in kinds:
            try:
                joints = crops.read_skeleton(files.text("skeleton"), f"{files.name}_skeleton.csv")
            except Problem as problem:
                joints = problem
        for interval, rows in crops.in_step(videos, list(lacking)):
            yield Pictures(interval, videos, rows, joints, farthest)


def without(lost: list[tuple[Clip, str]], reason: str) -> str:
    """`3 clips without depth: <reason>`, or the clip's name where it is a single one."""
    parts = ", ".join(dict.fromkeys(part for _, part in lost))
    clips = list(dict.fromkeys(clip.clip for clip, _ in lost))
    return f"{clips[0] if len(clips) == 1 else f'{len(clips)} clips'} without {parts}: {reason}"


def remarks_on(made: list[Made], kept: list[Clip]) -> list[str]:
    """What a reader of the counts should know."""
    bare = Counter(result.recording.split for result in made if not result.labelled)
    left_out = "recordings have no labels file; they cannot be cut and are left out"
    remarks = [f"{split}: {bare[split]} {left_out}" for split in dataset.SPLITS if bare[split]]
    if kept:
        recordings = command.counted(len({clip.group for clip in kept}), "recording")
        count = f"{command.counted(len(kept), 'clip')} of {recordings}"
        remarks.append(f"{count} that could not be read this time are kept as they were")
    return remarks


def prepare(flags: argparse.Namespace) -> int:
    """Do what the flags say; the exit code."""
    made_folders = [flags.output / part for part in (*dataset.PARTS, WORK)]
    download = montalbano.find_recordings(flags.download, made_folders)
    if not download.recordings:
        expected = "expected Sample0001.zip, ... or archives of them, train1.zip, ..."
        download.failed.append((str(flags.download), f"no recording in it; {expected}"))
        return Outcome(failed=download.failed).summary()
    archive.check_password(download.members(), flags.password)
    signers = file_list.read_signers(download.signers, "sample")
    parts = tuple(crops.SHOWS) if flags.crops else ("video", "depth")
    if flags.dry_run:
        return rehearse(flags, download, parts, signers).summary()
    with command.lock(flags.output):
        earlier = transfer.look_back(flags.output, dataset.PARTS)
        job = Cut(flags.output, parts, flags.password, signers, earlier.clips)
        try:
            outcome = command.parallel(job, download.recordings.items(), flags.workers, "recordings")
        finally:  # and what a killed run left there
            shutil.rmtree(flags.output / WORK, ignore_errors=True)
        return collect(flags, download, outcome, earlier)


def rehearse(flags: argparse.Namespace, download: Download, parts: tuple[str, ...], signers: dict[str, str]) -> Outcome:
    """Cut a few recordings into a temporary folder, say what all of them will take, and keep nothing."""
    with tempfile.TemporaryDirectory(prefix=".dry-run-") as folder:
        output = Path(folder)

        def written(recording: Recording) -> int:
            return sum(path.stat().st_size for path in output.glob(f"*/*/*/{recording.name}_*"))

        job, cost = Cut(output, parts, flags.password, signers, {}), Cost(montalbano.size_of, written)
        jobs = download.recordings.items()
        outcome = command.parallel(job, jobs, flags.workers, "a few recordings", cost, dry_run=True)
    return outcome.rehearsed()


def collect(flags: argparse.Namespace, download: Download, outcome: Outcome, earlier: transfer.Earlier) -> int:
    """Write the tables, print the counts; the exit code."""
    made: list[Made] = outcome.done
    read = {result.recording.name for result in made if result.labelled}
    # Archives of many gigabytes are put away once they are cut; their clips stay.
    kept = [clip for clip in earlier.clips.values() if clip.group not in read and clip.video(flags.output).is_file()]
    cut = [clip for result in made for clip, _ in result.clips]
    failed = download.failed + outcome.failed + [each for result in made for each in result.failed]
    expected = Counter(clip.split for clip in kept)
    for result in made:
        expected[result.recording.split] += result.rows
    data = Dataset(flags.output, sorted(cut + kept, key=lambda clip: clip.clip), dataset.read_classes(CLASS_TABLE))
    fresh = sum(written for result in made for _, written in result.clips)
    remarks = remarks_on(made, kept)
    if download.signers and not any(clip.signer for clip in cut):
        remarks.append(f"{download.signers}: names no recording that was cut, so no signer is known")
    if not data.clips and not failed:
        raise Problem(f"{flags.download}: {'; '.join(remarks)}; put the _labels.csv files beside the archives")
    return summary.save_and_report(data, Outcome(failed=failed), expected, fresh, remarks, earlier.below)


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    folder = {"type": Path, "required": True, "metavar": "FOLDER"}
    flags.add_argument("--download", **folder, help="recordings or archives of them, at any depth")
    flags.add_argument("--output", **folder, help="the data set, data_set/<name>")
    cropped = "cut out upper body and higher hand too, in colour and depth"
    flags.add_argument("--crops", action="store_true", help=cropped)
    flags.add_argument("--password", default="", help="of encrypted zip archives")
    command.add_dry_run(flags)
    command.add_workers(flags)
    return prepare(flags.parse_args(argv))


if __name__ == "__main__":
    sys.exit(command.run(main))
