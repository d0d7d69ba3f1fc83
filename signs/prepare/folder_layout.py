"""Whether the folders of a folder of videos are labels, or people, or splits.

    remarks = folder_layout.check_layout(Path("my_videos"), [PurePosixPath("S1/hello/1.mp4"), ...])

What it cannot tell is asked: `--signer-from` says what the folders are.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath

from signs.clips import dataset
from signs.command import Problem, counted, listed
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
SEPARATOR = re.compile(r"[_\- .]")  # behind the first word of a file's name
SHOWN = 3  # names of folders in a line


def check_layout(folder: Path, paths: list[PurePosixPath]) -> list[str]:
    """Remarks on the layout of videos at these paths below a folder; raises Problem where its folders are no labels."""
    inside = [path for path in paths if len(path.parts) > 1]
    below = folders_below(inside)
    tops = sorted({path.parts[0] for path in inside})
    levels = Counter(len(path.parts) for path in paths).most_common(1)[0][0]
    wanted = f"expected a folder per label, {folder.name}/<label>/..."
    if not tops:
        lie = f"{counted(len(paths), 'video')} {'lies' if len(paths) == 1 else 'lie'} in it directly"
        raise Problem(
            f"{folder}: {lie} ({listed([str(each) for each in paths], SHOWN)}); "
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
    if not subs or are_sessions(subs):
        check_names(f"{folder}: {seen}", tops, inside, levels)
    return remarks_on_folders(subs, levels)


def check_names(where: str, tops: list[str], paths: list[PurePosixPath], levels: int) -> None:
    """Raise Problem where what names of files begin with may be the labels, and the folders people."""
    words = recurring_words(paths)
    if not words or are_people(words):
        return
    pairs = (("signer", "label"), ("label", "signer"), ("label", ""))
    people, labels, neither = (stem_pattern(paths, levels, first, then) for first, then in pairs)
    raise Problem(
        f"{where}: which are the labels, {listed(tops, SHOWN)} or {listed(words, SHOWN)}? Say "
        f'--signer-from "{labels}" or "{people}", or "{neither}" where neither are people'
    )


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
    """{folder: the folders in it}; none of a folder most of whose videos lie in it directly."""
    below: dict[str, Counter] = defaultdict(Counter)
    for path in paths:
        below[path.parts[0]][path.parts[1] if len(path.parts) > 2 else ""] += 1
    return {
        top: {sub for sub in inside if sub} if 2 * inside[""] < inside.total() else set()
        for top, inside in below.items()
    }


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
    return stem_pattern(paths, levels, "signer", "label") if recurring_words(paths) else ""


def recurring_words(paths: list[PurePosixPath]) -> list[str]:
    """What names of files begin with in several folders, as they do with labels below people or people below labels;
    empty where it is one word alone, or most are in one folder."""
    words = defaultdict(set)
    for path in paths:
        words[SEPARATOR.split(path.stem)[0]].add(path.parts[0])
    words = {word: tops for word, tops in words.items() if not SESSIONS.fullmatch(word)}
    often = [word for word, tops in words.items() if len(tops) > 1]
    return sorted(often) if len(often) > 1 and 2 * len(often) >= len(words) else []


def stem_pattern(paths: list[PurePosixPath], levels: int, first: str, then: str) -> str:
    """`{first}/{then}_{take}`, with the separator that most names have, and a word for every folder between."""
    between = "".join(f"{{folder{number}}}/" for number in range(levels - 2))
    marks = Counter(match[0] if (match := SEPARATOR.search(path.stem)) else "" for path in paths)
    mark = marks.most_common(1)[0][0]
    last = f"{{{then}}}" + f"{mark}{{take}}" * bool(mark) if then else "{take}"
    return f"{{{first}}}/{between}{last}"


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
