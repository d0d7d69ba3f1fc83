"""A store of clip archives, filled: which clips are to be made, what that will take, and the work on all cores.

    filling.add_flags(flags)
    outcome = filling.fill_store(data, stored, extract, args, "frames")

A run that will take long says so as soon as its first clips are done; with `--dry-run` these are made in a temporary
folder, and nothing else is done.
"""

import argparse
import contextlib
import functools
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from signs import cluster, command
from signs.clips import cached_copy, dataset, done_list, shard_writer, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.footage import footage_of, size_of
from signs.clips.spec import LandmarkSpec, StoredSpec
from signs.clips.video import READER
from signs.cluster import Cluster
from signs.command import Outcome, Problem
from signs.estimate import Cost


def add_flags(flags: argparse.ArgumentParser) -> None:
    """`--split`, `--dry-run`, `--shards`, `--workers`, `--cluster` of a script that fills a store."""
    flags.add_argument("--split", nargs="+", choices=dataset.SPLITS, default=[], help="only these splits")
    command.add_dry_run(flags)
    say = "then send the store to a storage, e.g. s3://bucket/data_set/x, in files of some 100 MB each"
    flags.add_argument("--shards", metavar="ADDRESS", default="", help=say)
    command.add_workers(flags)
    cluster.add_flags(flags)


def fill_store(
    data: Dataset, stored: StoredSpec | LandmarkSpec, make_archive: Callable, args: argparse.Namespace, title: str
) -> Outcome:
    """Make every archive of `stored.store` that is not there or not what would be written now.

    Args:
        make_archive: (Clip, folder of the data set, stored, path) -> its number of pictures; writes the archive there.
        args: the values of `add_flags`.
    """
    if args.cluster and isinstance(data.folder, cached_copy.StandIn) and not args.cluster.startswith("local:"):
        how = "run the step on each machine, with its part by --split"
        raise Problem(f"--cluster {args.cluster}: its workers do not share {data.folder}'s copies; {how}")
    if args.shards:
        shard_writer.check(data, stored, args.shards, args.dry_run)
    with cluster.opened(args) as workers:
        work = functools.partial(_make, data, stored, make_archive, workers, title)
        if args.dry_run:
            return _rehearse(data, stored, args, work)
        folder = data.folder / stored.store
        with command.lock(folder):
            command.remove_leftovers(folder)
            jobs, noted = _to_do(data, stored, args.split)
            if jobs and isinstance(folder, cached_copy.StandIn):
                done_list.check_writable(f"{folder}")
            outcome = work(jobs, data.folder)
            outcome.noted, outcome.there = noted, len(data.split(*args.split)) - len(jobs)
            if outcome.died:  # it left what it was writing; listing the folder again takes long
                command.remove_leftovers(folder)
            with contextlib.suppress(Problem):  # without it the next run looks into the clips
                done_list.write(data, stored)
            if args.shards:
                with command.noting(outcome.failed, args.shards):
                    outcome.failed += shard_writer.pack(data, stored, args.shards, args.workers)
            return outcome


def _rehearse(
    data: Dataset, stored: StoredSpec | LandmarkSpec, args: argparse.Namespace, work: Callable[..., Outcome]
) -> Outcome:
    """Make a few clips and throw them away."""
    jobs, _ = _to_do(data, stored, args.split)
    if not jobs:
        print("nothing to do")
    # Other machines of a cluster see the data set, and not this one's temporary folder.
    with tempfile.TemporaryDirectory(prefix=".dry-run-", dir=data.folder if args.cluster else None) as output:
        return work(jobs, Path(output), dry_run=True).rehearsed()


def _to_do(data: Dataset, stored: StoredSpec | LandmarkSpec, splits: list[str]) -> tuple[list, list[tuple[str, str]]]:
    """(name, Clip) of the clips to make, and (note, name) of what is odd about the others; prints their number."""
    clips, jobs, noted, older = data.split(*splits), [], [], 0
    for item, info in zip(clips, done_list.read_infos(data, clips, stored), strict=True):
        expected = storage.expected_info(item, stored)
        if info is None or not storage.is_current(info, expected):
            jobs.append((f"{item.folder}/{item.clip}", item))
            older += info is not None and info | {"reader": READER} == info | expected
        else:
            noted += [(note, f"{item.folder}/{item.clip}") for note in info.get("notes", [])]
    if there := len(clips) - len(jobs):
        count = f"{there} of {command.counted(len(clips), 'clip')}"
        print(f"{count} {'is' if there == 1 else 'are'} there already")
    if older:
        count, version = f"{older} of {command.counted(len(clips), 'clip')}", f"FFmpeg {READER['ffmpeg']}"
        print(f"{count} {'was' if older == 1 else 'were'} read by another version than {version}; made again")
    return jobs, noted


def _make(
    data: Dataset,
    stored: StoredSpec | LandmarkSpec,
    make_archive: Callable,
    workers: int | Cluster,
    title: str,
    jobs: list[tuple[str, Clip]],
    output: Path,
    dry_run: bool = False,
) -> Outcome:
    """Make the archives of these clips below `output`."""
    make = functools.partial(_make_one, make_archive=make_archive, folder=data.folder, stored=stored, output=output)
    cost = Cost(sizes(data, stored), lambda item: item.archive(output, stored.store).stat().st_size)
    return command.parallel(make, jobs, workers, title, cost, dry_run)


def _make_one(item: Clip, make_archive: Callable, folder: Path, stored: StoredSpec | LandmarkSpec, output: Path):
    # Archives of frames are held by whoever reads them.
    of_video = not isinstance(stored, StoredSpec) or not stored.flow or stored.flow.flow_from == "video"
    part = stored.part if isinstance(stored, StoredSpec) else "video"
    with cached_copy.held(item.video(folder, part)) if of_video else contextlib.nullcontext():
        return make_archive(item, folder, stored, item.archive(output, stored.store))


def sizes(data: Dataset, stored: StoredSpec | LandmarkSpec) -> Callable[[Clip], float]:
    """A function: Clip -> the bytes that its archive is made from; of an interval its share of what the clips of that
    video reach over. It raises OSError where there is no file."""
    reach: dict[Path, float] = {}
    for item in data.clips:
        if item.end is not None:
            path = item.video(data.folder)
            reach[path] = max(item.end, reach.get(path, 0.0))
    flow = stored.flow if isinstance(stored, StoredSpec) else None
    part = stored.part if isinstance(stored, StoredSpec) else "video"

    def size(item: Clip) -> float:
        if flow and flow.flow_from == "frames":
            return size_of(item.archive(data.folder, stored.frame_store))
        footage = footage_of(item, data.folder, part)
        if footage.rate:
            return size_of(footage.path)
        share = (item.end - item.start) / reach[item.video(data.folder)] if item.end else 1.0
        return share * size_of(footage.path)

    return size


def print_notes(outcome: Outcome) -> None:
    """What is odd about which clips of the store: of results (number, [(note, clip), ...]) and of what an earlier run
    did one line a note."""
    odd = defaultdict(list)
    for note, name in itertools.chain(outcome.noted, *(notes for _, notes in outcome.done)):
        odd[note].append(name)
    for note, names in odd.items():
        print(command.one_line(f"  {note}: {command.listed(names)}"))
