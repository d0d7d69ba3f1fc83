"""What makes a number worthless before it is computed: people, groups or clips in two splits, classes without training.

    leaks, notes = leakage.find_leaks(data, ["valid", "test"], "frame-40x240")   lines; without leaks splits are sound
    leakage.in_two_splits((clip.signer, clip.split) for ...)        what every check of a prepare step asks

Two clips are the same by what they show, not by name: the videos have the same SHA-256 (clips.csv), or all the stored
frames are the same pictures, as after a change of container. A copy that was compressed again is not found.
"""

import hashlib
import itertools
import zipfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from signs.clips import dataset
from signs.clips.cached_copy import StandIn
from signs.clips.dataset import Clip, Dataset
from signs.clips.names import folded
from signs.command import counted, listed

EXAMPLES = 3  # named in a line


def in_two_splits(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """{value: {split: how often}} of the values that stand in more than one split, for (value, split) pairs.

    An empty value is none; splits are in their own order. Values that differ in capitals alone are one, `Anna = anna`.
    """
    counts: dict[str, Counter] = defaultdict(Counter)
    spellings: dict[str, dict[str, None]] = defaultdict(dict)
    for value, split in pairs:
        counts[folded(value)][split] += 1
        spellings[folded(value)][value] = None
    return {
        " = ".join(sorted(spellings[value])): {split: splits[split] for split in dataset.SPLITS if split in splits}
        for value, splits in counts.items()
        if value and len(splits) > 1
    }


def find_leaks(data: Dataset, splits: list[str], store: str | None) -> tuple[list[str], list[str]]:
    """All that is wrong with the splits of a data set, and what is odd but harms no number, a line each.

    `store`: of frames, where there is one.
    """
    both = [*shared_values(data, "signer", ("person", "people")), *shared_values(data, "group", ("group", "groups"))]
    same, notes = same_clips(data, store)
    return [*both, *same, *untrained_classes(data, splits)], notes


def shared_values(data: Dataset, column: str, what: tuple[str, str]) -> list[str]:
    """A line for each two splits with the same person, or group of clips, in both."""
    counts, lines = in_two_splits((getattr(item, column), item.split) for item in data.clips), []
    for first, later in itertools.combinations(dataset.SPLITS, 2):
        values = sorted(value for value, splits in counts.items() if first in splits and later in splits)
        if values:
            are = f"{counted(len(values), *what)} {'is' if len(values) == 1 else 'are'}"
            where = f"{are} in {first} and in {later} ({listed(values, EXAMPLES)})"
            clips = sum(counts[value][later] for value in values)
            lines.append(f"{where}: {clips} of {counted(len(data.split(later)), 'clip')} of {later}")
    return lines


def same_clips(data: Dataset, store: str | None) -> tuple[list[str], list[str]]:
    """A line for each two splits that hold the same clip, and for each split that holds it twice; `store`: of frames,
    where there is one."""
    same = defaultdict(set)
    for position, item in enumerate(data.clips):
        if item.sha256:
            same[item.content].add(position)
        shown = pictures_of(item.archive(data.folder, store)) if store else None
        if shown:
            same[shown].add(position)
    pairs = {pair for alike in same.values() for pair in pairs_of(alike, data.clips)}
    names = defaultdict(list)
    for pair in sorted(pairs):
        clips = (data.clips[position] for position in pair)
        first, later = sorted(clips, key=lambda item: dataset.SPLITS.index(item.split))
        label = f", labelled {first.label or 'not'} and {later.label or 'not'}" * (first.label != later.label)
        names[first.split, later.split].append(f"{first.clip} = {later.clip}{label}")
    leaks, notes = [], []
    for (first, later), alike in names.items():
        are = f"{counted(len(alike), 'clip')} {'is' if len(alike) == 1 else 'are'}"
        if first == later:
            notes.append(f"{are} twice in {first} ({listed(alike, EXAMPLES)}); delete one row of each from clips.csv")
        else:
            leaks.append(f"{are} the same in {first} and in {later} ({listed(alike, EXAMPLES)})")
    return leaks, notes


def pairs_of(alike: Collection[int], clips: list[Clip]) -> Iterator[tuple[int, int]]:
    """Positions of clips that are alike, in pairs: the first of each split with every other one in it and in the splits
    behind it. So a thousand black clips are some thousand pairs, and not half a million."""
    of_split = defaultdict(list)
    for position in sorted(alike) if len(alike) > 1 else ():
        of_split[clips[position].split].append(position)
    for first, later in itertools.combinations_with_replacement(of_split, 2):
        one = of_split[first][0]
        yield from ((min(one, other), max(one, other)) for other in of_split[later] if other != one)


def pictures_of(path: Path) -> bytes | None:
    """What tells a clip archive's pictures from others, a hash of size and CRC-32 of each; None where it cannot be
    read, or lies on an object storage: to look into each clip there would take hours."""
    if isinstance(path, StandIn):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            known = [(info.file_size, info.CRC) for info in archive.infolist() if info.filename != "clip.json"]
    except (OSError, zipfile.BadZipFile):
        return None
    return hashlib.sha256(repr(known).encode()).digest()  # the numbers themselves would be kilobytes a clip


def untrained_classes(data: Dataset, splits: list[str]) -> list[str]:
    """A line for each of `splits` with classes that no training clip has; none where the data has no training clips."""
    counts, lines = data.count(), []
    trained = {label for label, clips in counts["train"].items() if label and clips}
    for split in splits if trained else []:
        if missing := sorted(counts[split].keys() - trained - {""}):
            clips = sum(counts[split][label] for label in missing)
            have = f"{counted(len(missing), 'class', 'classes')} of {split} {'has' if len(missing) == 1 else 'have'}"
            clips = counted(clips, "clip")
            lines.append(f"{have} no training clip ({listed(missing, EXAMPLES)}): {clips}")
    return lines


def copies_in_two_splits(clips: list[Clip]) -> list[str]:
    """A line for each content that several splits hold: the clips that are identical."""
    shared = in_two_splits((clip.content, clip.split) for clip in clips)
    copies: dict[str, list[str]] = {content: [] for content in shared}
    for clip in clips:
        if clip.content in copies:
            copies[clip.content].append(f"{clip.clip} ({clip.split})")
    return [" = ".join(names) for names in copies.values()]
