"""Bring any videos of signs into a data set folder (data_set/README.md): a table of them, or a folder per label.

    python prepare_videos.py --videos my_videos.csv --output data_set/mine --valid-signers S5 --test-signers S6

In: a CSV with columns video and label (signer and split if known, start and end of a sign in a longer video; others are
ignored; paths are relative to the CSV); a folder with one folder of videos per label; a public data set as it is
shipped (docs/datasets.md); ELAN or subtitle files beside their videos.
Out: `video/<split>/<label>/<clip>.<suffix>`, clips.csv and class.csv.
A split column wins. Otherwise people are shared out, never one person to two splits.
"""

import argparse
import functools
import os
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path, PurePath

from signs import cluster, command
from signs.clips import dataset, leakage
from signs.clips.dataset import Clip, Dataset
from signs.clips.footage import size_of
from signs.clips.names import check_text
from signs.cluster import Cluster
from signs.command import Outcome, Problem
from signs.estimate import Cost
from signs.prepare import reading, sharing, sources, summary
from signs.prepare.chosen_classes import choose_classes, known_classes, number_and_table
from signs.prepare.formats.table import FORMATS
from signs.prepare.known_files import KnownFiles
from signs.prepare.origin import write_origin
from signs.prepare.path_pattern import PathPattern
from signs.prepare.point_archives import bring_points
from signs.prepare.recordings import with_consent
from signs.prepare.transfer import (
    TRANSFERS,
    bring_pictures,
    bring_video,
    check_room,
    existing_parent,
    look_back,
    move_changed,
    pictures_are_there,
    video_is_there,
)
from signs.prepare.video_table import Video


def without_empty(data: Dataset) -> tuple[Dataset, list[str]]:
    """The data set without the classes none of whose videos could be brought, and a note that names them."""
    there = {clip.label for clip in data.clips}
    empty = [row.label for row in data.classes if row.label not in there]
    note = f"left out, as none of their videos can be read: {command.listed(empty)}"
    return replace(data, classes=[row for row in data.classes if row.label in there]), [note] * bool(empty)


def bring(job: tuple[str, Path, Path, str], transfer: str) -> tuple[str, bool]:
    """Put a video or a folder of pictures in its place; (its place, whether anything had to be done)."""
    name, source, target, digest = job
    if source.is_dir():
        return name, bring_pictures(source, target, transfer, digest)
    return name, bring_video(source, target, transfer, digest)[1]


def is_known_there(job: tuple[str, Path, Path, str], transfer: str, known: KnownFiles) -> bool:
    """Whether the video of a job is in its place, as an earlier run left it and nobody has written to it."""
    _, source, target, digest = job

    def hash_of(path: Path) -> str:
        return (known.read(path) or ("",))[0]

    is_there = pictures_are_there if source.is_dir() else video_is_there
    return bool(digest) and is_there(source, target, transfer, digest, hash_of)


def prepare(flags: argparse.Namespace, workers: int | Cluster) -> int:
    """Do what the flags say; the exit code."""
    if not flags.videos.exists():
        raise Problem(f"{flags.videos}: no such file or folder; give a table video,label or a folder per label")
    found = reading.read_videos(flags)
    try:
        return bring_all(flags, workers, found)
    except Problem:
        print_left_out(found)
        raise


def bring_all(flags: argparse.Namespace, workers: int | Cluster, found: reading.Found) -> int:
    """Make the data set of what was found; the exit code."""
    most, table = number_and_table(flags.classes)
    classes, outside = known_classes(table, flags.none_labels, found.videos, found.listing.classes)
    classes, remarks = choose_classes(flags, most, classes, found.videos, found.subset(most))
    kept = {row.label for row in classes} | {""}
    told = found.report(kept, most)
    asked = [video for video in found.videos if video.label in kept]
    known = KnownFiles(flags.output)
    if flags.dry_run:
        near = existing_parent(flags.output)
        outcome = sources.rehearse(asked, known, workers, flags.pad, flags.trim, flags.transfer == "copy", near)
        return outcome.summary()
    looked, unread, alone = sources.look_into(asked, known, workers, flags.pad, flags.trim)
    if flags.pad and not any(video.cut for video in asked):
        remarks.append("--pad: no video has an interval, so nothing was widened")
    if flags.rate and not any(video.rate for video in asked):
        remarks.append("--rate: there are no folders of pictures")
    videos, twice = sources.refuse_two_labels(looked)
    found.failed += unread + twice
    videos, how = sharing.share_out(videos, flags, found.official is not None)
    top = flags.videos if flags.videos.is_dir() else flags.videos.parent
    clips = dataset.placed(with_consent((as_clip(video, top) for video in videos), top))
    if not found.official:  # what is published of a public set was measured on its own splits; a note names them
        check_signers(clips, flags.allow_shared_signers)
    with command.lock(flags.output):
        earlier = look_back(flags.output)
        check_same(flags.output, earlier.clips, clips, found.videos, top)
        move_changed(flags.output, earlier.clips, clips)
        known.write()  # who stops the copying has not to wait for the reading again
        outcome, fresh = transfer_all(flags, workers, clips, videos, known)
        known.write()
        failed = found.failed + found.missing_of(told) + outside + outcome.failed
        whole = Outcome(outcome.done, failed, found.others)
        data = Dataset(flags.output, outcome.done, classes)
        if not table:
            data, empty = without_empty(data)
            remarks += empty
        if brought := bring_points(top, flags.output, [clip for clip in data.clips if clip.start is None]):
            remarks.append(f"points of {command.counted(brought, 'clip')} were found already, and came along")
        expected = Counter(clip.split for clip in clips)
        write_origin(flags.output, found.origin(flags, most, table, told))
        said = found.notes + remarks + alone + how
        return summary.save_and_report(data, whole, expected, fresh, said, earlier.below)


def print_left_out(found: reading.Found) -> None:
    """What was read in which way, and what cannot be used, before a refusal that may come of it."""
    for note in found.notes:
        print(command.one_line(f"note: {note}"), file=sys.stderr)
    if failed := found.failed:
        what = command.counted(len(failed), "row or file", "rows or files")
        print(command.one_line(f"left out: {what}; {failed[0][0]}: {failed[0][1]}"), file=sys.stderr)


def check_same(output: Path, earlier: dict[str, Clip], clips: list[Clip], videos: list[Video], top: Path) -> None:
    """Raise Problem where a data set of other videos lies in the output: none of its clips shows what one of these
    does, or came of one, among the classes that are kept now or not."""
    before = {clip.source for clip in earlier.values()}
    same = not {clip.sha256 for clip in earlier.values()}.isdisjoint(clip.sha256 for clip in clips)
    if before and not same and before.isdisjoint(as_clip(video, top).source for video in videos):
        what = f"holds {command.counted(len(earlier), 'clip')} of other videos, such as {min(earlier)}"
        raise Problem(f"--output {output}: {what}; choose another folder, or delete it")


def check_signers(clips: list[Clip], allowed: bool) -> None:
    """Raise Problem where a signer is in two splits and that was not allowed."""
    if len({clip.signer for clip in clips} - {""}) > 1 and not allowed:
        for signer, splits in leakage.in_two_splits((clip.signer, clip.split) for clip in clips).items():
            both = " and ".join(splits)
            raise Problem(f"signer {signer} is in {both}; mend the split column or --allow-shared-signers")


def as_clip(video: Video, top: Path) -> Clip:
    """The clip of a video; its source is written as the table has it, relative to `top`."""
    source = PurePath(os.path.relpath(video.path, top)).as_posix()
    interval = {"start": video.start, "end": video.end, "rate": video.rate}
    return Clip(video.clip, video.split, video.label, video.signer, "", source, video.sha256, **interval)


def transfer_all(
    flags: argparse.Namespace, workers: int | Cluster, clips: list[Clip], videos: list[Video], known: KnownFiles
) -> tuple[Outcome, int]:
    """Put all videos in their places, one of which clips are intervals once, and depth beside them; hold the lock.

    Returns: an Outcome whose `done` are the clips whose video is there, and how many of them this run brought.
    """
    jobs, of_target = {}, defaultdict(list)
    for clip, video in zip(clips, videos, strict=True):
        target = str(clip.video(flags.output))
        of_target[target].append(clip)
        jobs.setdefault(target, (target, video.path, Path(target), video.sha256))
        if video.depth:
            target = str(clip.video(flags.output, "depth"))
            jobs.setdefault(target, (target, video.depth, Path(target), ""))
    if flags.transfer == "copy":
        check_room(flags.output, sum(size_of(job[1]) for job in jobs.values() if not job[2].exists()))
    there = {target for target, job in jobs.items() if is_known_there(job, flags.transfer, known)}
    named = [(str(job[1]), job) for target, job in jobs.items() if target not in there]
    moves = functools.partial(bring, transfer=flags.transfer)
    # What is linked takes no room.
    cost = Cost(lambda job: size_of(job[1]), lambda job: size_of(job[2]) if flags.transfer == "copy" else 0)
    outcome = command.parallel(moves, named, workers, flags.transfer, cost)
    for target, _ in outcome.done:
        if flags.transfer == "copy":
            known.note_written(Path(target), jobs[target][3])
        elif flags.transfer == "hardlink":
            known.note_linked(jobs[target][1])
    fresh = dict.fromkeys(there, False) | dict(outcome.done)
    outcome.done = [clip for clip in clips if str(clip.video(flags.output)) in fresh]
    return outcome, sum(len(of_target[target]) for target, new in fresh.items() if new)


def names(text: str) -> set[str]:
    """`a,b` -> {"a", "b"}"""
    return {check_text(name, "name") for name in text.split(",") if name.strip()}


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    given = "a CSV, a folder per label, of a public data set, or of annotations"
    pattern = "who signs, from the path below --videos or in the table, such as {label}/{signer}_{take}"
    flags.add_argument("--videos", type=Path, required=True, metavar="TABLE|FOLDER", help=given)
    flags.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the data set, data_set/<name>")
    flags.add_argument("--signer-from", type=PathPattern, metavar="PATTERN", help=pattern)
    transfer = "copy the videos, or hard-link or link them: no room taken, but they change when the sources do"
    flags.add_argument("--transfer", choices=TRANSFERS, default="copy", help=transfer)
    group = flags.add_argument_group("public data sets, and signs in longer videos")
    sets = "a public data set as it is shipped; most are recognised without"
    group.add_argument("--format", choices=FORMATS, help=sets)
    tier = "the tier of ELAN files (.eaf), or the track of WebVTT and SRT files (talk.NAME.vtt), whose texts are labels"
    group.add_argument("--tier", metavar="NAME", help=tier)
    wider = command.number(float, least=0, most=60)
    pad = "seconds that are kept before and after each interval too"
    group.add_argument("--pad", type=wider, default=0.0, metavar="SECONDS", help=pad)
    idle = "leave out what is idle before and after each sign, as the live demo finds it; clips.csv has what is left"
    group.add_argument("--trim", action="store_true", help=idle)
    rate = "frames/s of folders of JPEG or PNG pictures, which are clips then"
    group.add_argument("--rate", type=command.number(float, above=0, most=1000), metavar="N", help=rate)
    group = flags.add_argument_group("classes")
    kept = "keep the N gestures with most videos (ties by name; of a public set that has such a subset, that one), the "
    kept += "classes of a table label,name,kind, or both"
    group.add_argument("--classes", nargs="+", default=[], metavar="N|TABLE", help=kept)
    group.add_argument("--none-labels", type=names, default="", metavar="A,B", help="labels that are no gesture")
    fewest = "only gestures with so many videos; 0 keeps those of the class table without any"
    group.add_argument("--min-clips", type=command.number(int, least=0), default=1, metavar="N", help=fewest)
    group = flags.add_argument_group("splits, where the table has no split column")
    for part in dataset.SPLITS:
        group.add_argument(f"--{part}-signers", type=names, default="", metavar="S1,S2", help="people of that split")
    share, drawn = command.number(float, least=0, below=1), "of the videos, for validation and for testing"
    group.add_argument("--shares", type=share, nargs=2, default=(0.15, 0.15), metavar=("VALID", "TEST"), help=drawn)
    command.add_seed(group, "of the draw")
    group.add_argument("--allow-shared-signers", action="store_true", help="one person may be in two splits")
    command.add_dry_run(flags)
    command.add_workers(flags)
    cluster.add_flags(flags)
    args = flags.parse_args(argv)
    with cluster.opened(args) as workers:
        return prepare(args, workers)


if __name__ == "__main__":
    sys.exit(command.run(main))
