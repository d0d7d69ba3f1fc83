"""What makes a number worthless before it is computed: people, groups or clips in two splits, classes without training.

    leakage.find_leaks(data, ["valid", "test"], "frame-40x240")     a line each; none where the splits can be trusted
    leakage.in_two_splits((clip.signer, clip.split) for ...)        what every check of a prepare step asks

Two clips are the same by what they show, not by name: the videos have the same SHA-256 (clips.csv), or all the stored
frames are the same pictures, as after a change of container. A copy that was compressed again is not found.
"""

import itertools
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from signs.clips import dataset
from signs.clips.dataset import Clip, Dataset
from signs.command import listed

EXAMPLES = 3  # named in a line


def in_two_splits(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """{value: {split: how often}} of the values that stand in more than one split, for (value, split) pairs.

    An empty value is none; splits are in their own order.
    """
    counts: dict[str, Counter] = defaultdict(Counter)
    for value, split in pairs:
        counts[value][split] += 1
    return {
        value: {split: splits[split] for split in dataset.SPLITS if split in splits}
        for value, splits in counts.items()
        if value and len(splits) > 1
    }


def find_leaks(data: Dataset, splits: list[str], store: str | None) -> list[str]:
    """All that is wrong with the splits of a data set, a line each; `store`: of frames, where there is one."""
    both = [*shared_values(data, "signer", "people"), *shared_values(data, "group", "groups")]
    return [*both, *same_clips(data, store), *untrained_classes(data, splits)]


def shared_values(data: Dataset, column: str, what: str) -> list[str]:
    """A line for each two splits with the same person, or group of clips, in both."""
    counts, lines = in_two_splits((getattr(item, column), item.split) for item in data.clips), []
    for first, later in itertools.combinations(dataset.SPLITS, 2):
        values = sorted(value for value, splits in counts.items() if first in splits and later in splits)
        if values:
            where = f"{len(values)} {what} are in {first} and in {later} ({listed(values, EXAMPLES)})"
            clips = sum(counts[value][later] for value in values)
            lines.append(f"{where}: {clips} of {len(data.split(later))} clips of {later}")
    return lines


def same_clips(data: Dataset, store: str | None) -> list[str]:
    """A line for each two splits (or one) that hold the same clip; `store`: of frames, where there is one."""
    same = defaultdict(set)
    for position, item in enumerate(data.clips):
        if item.sha256:
            same[item.sha256].add(position)
        shown = pictures_of(item.archive(data.folder, store)) if store else None
        if shown:
            same[shown].add(position)
    pairs = {pair for alike in same.values() for pair in itertools.combinations(sorted(alike), 2)}
    names = defaultdict(list)
    for pair in sorted(pairs):
        clips = (data.clips[position] for position in pair)
        first, later = sorted(clips, key=lambda item: dataset.SPLITS.index(item.split))
        label = f", labelled {first.label or 'not'} and {later.label or 'not'}" * (first.label != later.label)
        names[first.split, later.split].append(f"{first.clip} = {later.clip}{label}")
    lines = []
    for (first, later), alike in names.items():
        where = f"twice in {first}" if first == later else f"the same in {first} and in {later}"
        lines.append(f"{len(alike)} clips are {where} ({listed(alike, EXAMPLES)})")
    return lines


def pictures_of(path: Path) -> tuple | None:
    """What tells a clip archive's pictures from others: (size, CRC-32) of each; None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple((info.file_size, info.CRC) for info in archive.infolist() if info.filename != "clip.json")
    except (OSError, zipfile.BadZipFile):
        return None


def untrained_classes(data: Dataset, splits: list[str]) -> list[str]:
    """A line for each of `splits` with classes that no training clip has; none where the data has no training clips."""
    counts, lines = data.count(), []
    trained = {label for label, clips in counts["train"].items() if label and clips}
    for split in splits if trained else []:
        if missing := sorted(counts[split].keys() - trained - {""}):
            clips = sum(counts[split][label] for label in missing)
            lines.append(
                f"{len(missing)} classes of {split} have no training clip ({listed(missing, EXAMPLES)}): {clips} clips"
            )
    return lines


def copies_in_two_splits(clips: list[Clip]) -> list[str]:
    """A line for each content that several splits hold: the clips that are identical."""
    copies: dict[str, list[str]] = {digest: [] for digest in in_two_splits((clip.sha256, clip.split) for clip in clips)}
    for clip in clips:
        if clip.sha256 in copies:
            copies[clip.sha256].append(f"{clip.clip} ({clip.split})")
    return [" = ".join(names) for names in copies.values()]
