"""What lies in the files that were asked for: each is opened and hashed once, and its intervals are looked for.

looked, failed, notes = sources.look_into(videos, known, workers=-1, pad=0.0, trims=False)   with sha256, start and end
videos, failed = sources.refuse_two_labels(looked)
"""

import functools
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from signs import command
from signs.clips import trim
from signs.clips.footage import Footage, size_of
from signs.clips.pictures import picture_files, read_picture
from signs.cluster import Cluster
from signs.command import Outcome, Problem
from signs.estimate import Cost
from signs.prepare import intervals
from signs.prepare.intervals import Cut
from signs.prepare.known_files import KnownFiles
from signs.prepare.transfer import check_is_video
from signs.prepare.video_table import Video

Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Job:
    """A video file, or a folder of pictures at `rate` frames/s, and the intervals that are asked for in it.

    cuts: None for all of it; trim: without what is idle before and after a sign."""

    path: Path
    rate: float | None
    cuts: tuple[Cut | None, ...]
    pad: float
    trim: bool

    @property
    def asked(self) -> str:
        """All but the path."""
        return repr((self.rate, self.cuts, self.pad, self.trim)) if self.cuts else ""


def look(job: Job) -> tuple[str, str, list[Interval | str]]:
    """A source's path and SHA-256, and of each interval its seconds, None for all of it, or why it is none.

    Raises Problem where the source is no video.
    """
    if job.rate:
        if read_picture(first := picture_files(job.path)[0]) is None:
            raise Problem(f"{first.name} cannot be decoded; get a whole copy")
    else:
        check_is_video(job.path)
    footage, found = Footage(job.path, rate=job.rate), []
    if any(job.cuts):
        with footage.opened(threads=1) as film:
            times = film.packet_times()
    for cut in job.cuts:
        try:
            span = intervals.resolve(cut, times, job.pad) if cut else None
            found.append(without_idle(footage, span) if job.trim else span)
        except Problem as problem:
            found.append(str(problem))
    return str(job.path), footage.sha256(), found


def without_idle(footage: Footage, span: Interval) -> Interval:
    """An interval, None for all of it, without what is idle before and after its sign."""
    start, end = span or (None, None)
    return trim.find_sign(replace(footage, start=start, end=end)) or span


def jobs_of(videos: list[Video], pad: float, trims: bool) -> list[tuple[str, Job]]:
    """(path, what is looked for in it) of each source."""
    of_path = defaultdict(list)
    for video in videos:
        of_path[str(video.path)].append(video)
    return [
        (path, Job(Path(path), rows[0].rate, tuple(row.cut for row in rows if row.cut or trims), pad, trims))
        for path, rows in of_path.items()
    ]


def rehearse(
    videos: list[Video], known: KnownFiles, workers: int | Cluster, pad: float, trims: bool, copies: bool, near: Path
) -> Outcome:
    """Look into a few of the sources that are not known, copy them if all are to be copied, say what all of them will
    take, and keep nothing.

    `near`: an existing folder, in which a temporary one is seen by all machines of a cluster.
    """
    spread = near if isinstance(workers, Cluster) else None
    with tempfile.TemporaryDirectory(prefix=".dry-run-", dir=spread) as folder:
        once = functools.partial(_look_and_copy, folder=Path(folder) if copies else None)
        cost = Cost(lambda job: size_of(job.path), lambda job: size_of(job.path) if copies else 0)
        jobs = [each for each in jobs_of(videos, pad, trims) if not known.read(each[1].path, each[1].asked)]
        if not jobs:
            print("nothing to read: all videos are known from before")
        return command.parallel(once, jobs, workers, "a few videos", cost, dry_run=True).rehearsed()


def _look_and_copy(job: Job, folder: Path | None) -> None:
    look(job)
    if folder is None:
        return
    with tempfile.TemporaryDirectory(dir=folder) as place:
        (shutil.copytree if job.rate else shutil.copyfile)(job.path, copy := Path(place, job.path.name))
        Footage(copy, rate=job.rate).sha256()  # a copy is read again


def look_into(
    videos: list[Video], known: KnownFiles, workers: int | Cluster, pad: float, trims: bool = False
) -> tuple[list[Video], list[tuple[str, str]], list[str]]:
    """The videos with their hashes and intervals; (where, reason) of those that cannot be used; notes."""
    cost = Cost(lambda job: size_of(job.path), lambda job: 0)
    jobs = dict(jobs_of(videos, pad, trims))
    before = {path: found for path, job in jobs.items() if (found := known.read(job.path, job.asked))}
    outcome = command.parallel(look, [job for job in jobs.items() if job[0] not in before], workers, "reading", cost)
    for path, digest, found in outcome.done:
        known.note(jobs[path].path, digest, jobs[path].asked, found)
    hashes = {path: digest for path, (digest, _) in before.items()} | {row[0]: row[1] for row in outcome.done}
    reasons = {path: reason.removeprefix(f"{path}: ") for path, reason in outcome.failed}
    spans = {path: iter(found) for path, (_, found) in before.items()} | {row[0]: iter(row[2]) for row in outcome.done}
    looked, failed, alone = [], [], 0
    for video in videos:
        path = str(video.path)
        span = next(spans[path]) if (video.cut or trims) and path in spans else None
        alone += span is None and video.cut is not None and path in spans
        if path in reasons or isinstance(span, str):
            failed.append((video.where, reasons.get(path, span)))
        else:
            start, end = span or (None, None)
            looked.append(replace(video, sha256=hashes[path], start=start, end=end))
    hold = "holds the sign alone, as it was" if alone == 1 else "hold the sign alone, as they were"
    notes = [f"{command.counted(alone, 'video')} {hold} cut already"] if alone else []
    if trims:
        lengths = [video.end - video.start for video in looked if video.start is not None]
        mean = f", {sum(lengths) / len(lengths):.2f} s each on average" if lengths else ""
        notes.append(f"--trim: {len(lengths):,} of {command.counted(len(looked), 'clip')} are intervals now{mean}")
    return looked, failed, notes


def shown(video: Video) -> tuple:
    """What a video shows: equal for two of the same frames."""
    return video.sha256, video.start, video.end


def refuse_two_labels(videos: list[Video]) -> tuple[list[Video], list[tuple[str, str]]]:
    """The videos, and (where, reason) of those whose frames stand under two labels."""
    labelled: dict[tuple, dict[str, Video]] = defaultdict(dict)
    for video in videos:
        labelled[shown(video)].setdefault(video.label, video)
    kept, failed = [], []
    for video in videos:
        others = [each for label, each in labelled[shown(video)].items() if label not in (video.label, "")]
        if video.label and others:
            labels = f"{video.label!r} here, {others[0].label!r} there"
            same = "the same interval" if video.start is not None else "the same file"
            failed.append((video.where, f"{same} as {others[0].where}, but labelled {labels}; both left out"))
        else:
            kept.append(video)
    return kept, failed
