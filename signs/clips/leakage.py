"""What makes a number worthless before it is computed: people, groups or clips in two splits, classes without training.

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

EXAMPLES = 3  # named in a line


def _examples(names: list[str]) -> str:
    more = len(names) - EXAMPLES
    return ", ".join(names[:EXAMPLES]) + (f" and {more} more" if more > 0 else "")


def shared(data: Dataset, column: str, what: str) -> list[str]:
    """A line for each two splits with the same person, or group of clips, in both."""
    values = {split: [getattr(item, column) for item in data.split(split)] for split in dataset.SPLITS}
    clips, found = {split: Counter(filter(None, names)) for split, names in values.items()}, []
    for position, one in enumerate(dataset.SPLITS):
        for other in dataset.SPLITS[position + 1 :]:
            people = sorted(clips[one].keys() & clips[other].keys())
            if people:
                counts = f"{sum(clips[other][name] for name in people)} of {len(values[other])} clips"
                found.append(
                    f"{len(people)} {what} are in {one} and in {other} ({_examples(people)}): {counts} of {other}"
                )
    return found


def pictures(path: Path) -> tuple | None:
    """What tells a clip archive's pictures from others: (size, CRC-32) of each; None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple((one.file_size, one.CRC) for one in archive.infolist() if one.filename != "clip.json")
    except (OSError, zipfile.BadZipFile):
        return None


def same_clips(data: Dataset, store: str | None) -> list[str]:
    """A line for each two splits (or one) that hold the same clip; `store`: of frames, where there is one."""
    same = defaultdict(set)
    for position, item in enumerate(data.clips):
        if item.sha256:
            same[item.sha256].add(position)
        shown = pictures(item.archive(data.folder, store)) if store else None
        if shown:
            same[shown].add(position)
    pairs = {pair for alike in same.values() for pair in itertools.combinations(sorted(alike), 2)}
    found = defaultdict(list)
    for pair in sorted(pairs):
        one, other = sorted(
            (data.clips[position] for position in pair), key=lambda item: dataset.SPLITS.index(item.split)
        )
        label = "" if one.label == other.label else f", labelled {one.label or 'not'} and {other.label or 'not'}"
        found[one.split, other.split].append(f"{one.clip} = {other.clip}{label}")
    return [
        f"{len(names)} clips are the same in {one} and in {other} ({_examples(names)})"
        if one != other
        else f"{len(names)} clips are twice in {one} ({_examples(names)})"
        for (one, other), names in found.items()
    ]


def untrained_classes(data: Dataset, splits: list[str]) -> list[str]:
    """A line for each of `splits` with classes that no training clip has; none where the data has no training clips."""
    counts = data.count()
    trained = {label for label, clips in counts["train"].items() if label and clips}
    found = []
    for split in splits if trained else []:
        missing = sorted({label for label in counts[split] if label} - trained)
        if missing and split != "train":
            clips = sum(counts[split][label] for label in missing)
            found.append(
                f"{len(missing)} classes of {split} have no training clip ({_examples(missing)}): {clips} clips"
            )
    return found


def find_leaks(data: Dataset, splits: list[str], store: str | None) -> list[str]:
    """All that is wrong with the splits of a data set, a line each; nothing where they can be trusted."""
    both = [*shared(data, "signer", "people"), *shared(data, "group", "groups")]
    return [*both, *same_clips(data, store), *untrained_classes(data, splits)]


def signers_in_two_splits(clips: Iterable[Clip]) -> dict[str, list[str]]:
    """{signer: its splits} of the signers that stand in more than one."""
    return _in_two_splits((clip.signer, clip.split) for clip in clips)


def copies_in_two_splits(clips: list[Clip]) -> list[str]:
    """A line for each content that several splits hold: the clips that are identical."""
    shared = _in_two_splits((clip.sha256, clip.split) for clip in clips)
    by_content: dict[str, list[str]] = {digest: [] for digest in shared}
    for clip in clips:
        if clip.sha256 in by_content:
            by_content[clip.sha256].append(f"{clip.clip} ({clip.split})")
    return [" = ".join(names) for names in by_content.values()]


def _in_two_splits(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for key, split in pairs:
        if key:
            found.setdefault(key, set()).add(split)
    return {
        key: [split for split in dataset.SPLITS if split in splits] for key, splits in found.items() if len(splits) > 1
    }
