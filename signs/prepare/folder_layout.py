"""Whether the folders of a folder of videos are labels, or people, or splits.

    remarks = folder_layout.check_layout(Path("my_videos"), [PurePosixPath("S1/hello/1.mp4"), ...])

What it cannot tell is asked: `--signer-from` says what the folders are.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from signs.clips import dataset
from signs.command import Problem, listed
from signs.prepare.video_table import SPLIT_WORDS

SPLITS = {*dataset.SPLITS, *SPLIT_WORDS}
PERSON = "signer|person|people|subject|subj|user|speaker|performer|participant|proband|student|actor|volunteer"
PEOPLE = re.compile(rf"(?:s|p|id)[ _-]?\d{{1,4}}|(?:{PERSON})[ _-]?(?:\d{{1,4}}|[a-z])", re.IGNORECASE)
# Folders below a label that are neither people nor labels: sessions, views, numbers.
SESSIONS = re.compile(
    r"(?:session|take|day|week|part|set|batch|round|trial|rec|recordings?|cam|camera|view|front|side|left|right|rgb|"
    r"colou?r|depth|videos?|clips?|raw|data|v)?[ _-]*\d*|\w+[ _-](?:videos?|clips?|recordings?|sessions?)",
    re.IGNORECASE,
)
SHOWN = 3  # names of folders in a line


def check_layout(folder: Path, paths: list[PurePosixPath]) -> list[str]:
    """Remarks on the layout of videos at these paths below a folder; raises Problem where its folders are no labels."""
    inside = [path for path in paths if len(path.parts) > 1]
    below = folders_below(inside)
    tops = sorted({path.parts[0] for path in inside})
    levels = Counter(len(path.parts) for path in paths).most_common(1)[0][0]
    wanted = f"expected a folder per label, {folder.name}/<label>/..."
    if not tops:
        raise Problem(
            f"{folder}: {len(paths):,} videos lie in it directly ({listed([str(each) for each in paths], SHOWN)}); "
            f"{wanted}; where their names begin with it: {reading('{label}_{take}')}"
        )
    subs = sorted(set().union(*below.values()))
    seen = f"{folder.name}/<{tops[0]}>/{f'<{subs[0]}>/' if subs else ''}..."
    if {top.lower() for top in tops} <= SPLITS:
        how = reading(split_pattern(levels, inside))
        raise Problem(f"{folder}: its folders are splits ({listed(tops, SHOWN)}), {seen}; {wanted}; {how}")
    if len(tops) == 1:
        if len(subs) > 1 and not are_people(subs):
            within = f"in it {listed(subs, SHOWN)}: {seen}; {wanted}"
            raise Problem(f"{folder}: one folder, {tops[0]}, and {within}; --videos {folder / tops[0]} reads those")
        raise Problem(f"{folder}: one label only, {tops[0]}; a classifier needs two or more; {wanted}")
    if are_people(tops) and (how := labels_below(inside, subs, levels)):
        raise Problem(f"{folder}: its folders are people ({listed(tops, SHOWN)}), {seen}; {wanted}; {reading(how)}")
    if repeated(below) and not (are_people(subs) or are_sessions(subs) or {sub.lower() for sub in subs} <= SPLITS):
        labels, people = (folders(first, then, levels) for first, then in (("label", "signer"), ("signer", "label")))
        raise Problem(
            f"{folder}: {seen}: which are the labels, {listed(tops, SHOWN)} or {listed(subs, SHOWN)}? Say "
            f'--signer-from "{labels}" or --signer-from "{people}"'
        )
    return remarks_on_folders(subs, levels)


def remarks_on_folders(subs: list[str], levels: int) -> list[str]:
    """What folders below the labels tell, and how to have it read."""
    if subs and are_people(subs):
        how = f'--signer-from "{folders("label", "signer", levels)}" keeps each of them in one split'
        return [f"folders below the labels look like people ({listed(subs, SHOWN)}): {how}"]
    if subs and {sub.lower() for sub in subs} <= SPLITS:
        how = f'--signer-from "{folders("label", "split", levels)}" keeps them'
        return [f"folders below the labels look like splits ({listed(subs, SHOWN)}), which were not read: {how}"]
    return []


def reading(pattern: str) -> str:
    """What to do about another layout."""
    return f'the same command with --signer-from "{pattern}" reads this one'


def folders(first: str, then: str, levels: int) -> str:
    """`{first}/{then}/{take}`, with a word for every folder between."""
    between = [f"{{folder{number}}}" for number in range(levels - 3)]
    return "/".join([f"{{{first}}}", f"{{{then}}}", *between, "{take}"])


def folders_below(paths: list[PurePosixPath]) -> dict[str, set[str]]:
    """{folder: the folders in it}; of a folder with videos of its own none."""
    below: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        below[path.parts[0]] |= set(path.parts[1:-1][:1])
    for path in paths:
        if len(path.parts) == 2:
            below[path.parts[0]] = set()
    return below


def are_people(names: list[str]) -> bool:
    return bool(names) and all(PEOPLE.fullmatch(name) for name in names)


def are_sessions(names: list[str]) -> bool:
    return all(SESSIONS.fullmatch(name) for name in names)


def repeated(below: dict[str, set[str]]) -> bool:
    """Whether most folders below the first level stand in several of its folders, as labels below people do."""
    counts = Counter(sub for subs in below.values() for sub in subs)
    often = sum(count > 1 for count in counts.values())
    return all(below.values()) and often > 1 and 2 * often >= len(counts)


def labels_below(paths: list[PurePosixPath], subs: list[str], levels: int) -> str:
    """The pattern that reads labels below people: from folders, or from what file names begin with; empty where there
    is none of it."""
    if subs and not are_sessions(subs):
        return "" if are_people(subs) else folders("signer", "label", levels)
    words = defaultdict(set)
    for path in paths:
        words[re.split(r"[_\- .]", path.stem)[0]].add(path.parts[0])
    often = [word for word, tops in words.items() if len(tops) > 1 and not word.isdigit()]
    between = "".join(f"{{folder{number}}}/" for number in range(levels - 2))
    return f"{{signer}}/{between}{{label}}_{{take}}" if len(often) > 1 else ""


def split_pattern(levels: int, paths: list[PurePosixPath]) -> str:
    """The pattern that reads labels below splits."""
    if levels < 3:
        return "{split}/{label}_{take}"
    thirds = sorted({path.parts[2] for path in paths if len(path.parts) > 3})
    if not thirds:
        return "{split}/{label}/{take}"
    word = "signer" if are_people(thirds) else "folder"
    return "/".join(
        ["{split}/{label}", f"{{{word}}}", *(f"{{folder{number}}}" for number in range(levels - 4)), "{take}"]
    )
