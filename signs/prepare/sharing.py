"""Who goes to which split: the table's own splits and the flags that name signers first, the rest is drawn.

videos, remarks = sharing.share_out(videos, flags)        flags of prepare_videos.py
"""

import argparse
from collections import Counter, defaultdict
from dataclasses import replace

from signs import command
from signs.clips import dataset
from signs.clips.names import folded, one_spelling
from signs.command import Problem
from signs.prepare.splits import by_label, by_signer, split_shares
from signs.prepare.video_table import Video


def share_out(videos: list[Video], flags: argparse.Namespace, official: bool = False) -> tuple[list[Video], list[str]]:
    """The videos, each with a split, and notes on how that was chosen.

    The table's split column and the flags that name signers come first: all videos of a signer go where one is put.
    The rest is shared out by signer; where no signer is known, or one may be in two splits, within each label.
    """
    named, person = signers_of_flags(flags, videos), people_of(videos)
    of_signer = named or {person[video.signer]: video.split for video in videos if video.signer and video.split}
    videos = [replace(video, split=video.split or of_signer.get(person[video.signer], "")) for video in videos]
    free = [video for video in videos if not video.split]
    if not free:
        return draw_valid(videos, flags) if official else (videos, [])
    known = [video for video in free if video.signer]
    people = sorted({*person.values()} - {""})
    if named or (known and len(people) > 1 and not flags.allow_shared_signers):
        counts = defaultdict(Counter)
        for video in known:
            counts[person[video.signer]][video.label] += 1
        drawn = {} if named else by_signer(counts, split_shares(*flags.shares), flags.seed)
        unknown = len(free) - len(known)
        remarks = [f"{command.counted(unknown, 'video')} of unknown signers went to train"] if unknown else []
        return [
            replace(video, split=video.split or drawn.get(person[video.signer], "train")) for video in videos
        ], remarks
    of_file = by_label([(unit_of(video), video.label) for video in free], split_shares(*flags.shares), flags.seed)
    remark = "clips were shared out within each label"
    if not people:
        remark += ", as no signer is known"
    elif known:
        few = f", as {people[0]} alone signs" if len(people) == 1 else ""
        remark += f"{few}: measures will say nothing about new people, and evaluate.py asks for --ignore-checks"
    wanted = [part for part, share in zip(("valid", "test"), flags.shares, strict=True) if share]
    if empty := [part for part in wanted if part not in of_file.values()]:
        remark += f"; too few for {' and '.join(empty)}: of one label {len(wanted) + 1} clips are needed at least"
    return [replace(video, split=video.split or of_file[unit_of(video)]) for video in videos], [remark]


def unit_of(video: Video) -> str:
    """What is shared out as one: all that shows the same."""
    return video.sha256 if video.start is None else f"{video.sha256} {video.start:.6f}-{video.end:.6f}"


def draw_valid(videos: list[Video], flags: argparse.Namespace) -> tuple[list[Video], list[str]]:
    """A validation split out of a public set's training videos, where its lists have none; the test stays as it is."""
    train = [video for video in videos if video.split == "train"]
    if not train or any(video.split == "valid" for video in videos) or not flags.shares[0]:
        return videos, []
    person, shares = people_of(train), split_shares(flags.shares[0], 0)
    if len(set(person.values()) - {""}) > 1:
        counts = defaultdict(Counter)
        for video in train:
            counts[person[video.signer]][video.label] += 1
        drawn, what = by_signer(counts, shares, flags.seed), "person"
        splits = [drawn[person[video.signer]] for video in train]
    else:
        drawn, what = by_label([(unit_of(video), video.label) for video in train], shares, flags.seed), "label"
        splits = [drawn[unit_of(video)] for video in train]
    chosen = dict(zip(map(id, train), splits, strict=True))
    share = f"{splits.count('valid'):,} of {command.counted(len(train), 'clip')} of train went to valid, by {what}"
    remark = f"the set's own lists have no validation split: {share}; --shares 0 0 leaves them in train"
    return [replace(video, split=chosen.get(id(video), video.split)) for video in videos], [remark]


def signers_of_flags(flags: argparse.Namespace, videos: list[Video]) -> dict[str, str]:
    """{person: split} as `--train-signers` and the others name them.

    Raises Problem where a signer is named twice or is unknown, or the table has its own splits.
    """
    named: dict[str, str] = {}
    known = people_of(videos)
    person = {folded(signer): one for signer, one in known.items()}
    for part in dataset.SPLITS:
        for text in sorted(getattr(flags, f"{part}_signers")):
            signer = person.get(folded(text), text)
            if named.setdefault(signer, part) != part:
                raise Problem(f"signer {signer} is named for {named[signer]} and {part}; a signer has one split")
    if named and any(video.split for video in videos):
        raise Problem("the table has a split column, which wins; leave it out or leave out the --*-signers flags")
    if unknown := sorted(named.keys() - known):
        there = command.listed(sorted({*known} - {""})) or "none, for there is no signer column"
        raise Problem(f"signer {unknown[0]} is not in the table; signers there: {there}")
    return named


def people_of(videos: list[Video]) -> dict[str, str]:
    """{signer: person}, one for signers who differ in capitals alone."""
    signers = [video.signer for video in videos]
    return dict(zip(signers, one_spelling(signers), strict=True))
