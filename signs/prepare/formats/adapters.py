"""How the lists of each public data set are read: a function a set, that adds its rows to a Listing.

    def read_set(tree: Tree, listing: Listing) -> None

What each set's files and columns are called is what its own pages say (signs/prepare/formats/table.py names them). None
of it was seen with real data.
"""

import re
from pathlib import PurePosixPath

from signs.clips import tables
from signs.clips.dataset import Label
from signs.command import Problem
from signs.prepare.formats.listing import Listing, has_columns, read_json, read_lines, split_of
from signs.prepare.formats.tree import Tree
from signs.prepare.intervals import Cut, number_of

YOUTUBE = re.compile(r"(?:v=|youtu\.be/|/embed/|/shorts/|/v/)([\w-]{11})")
OTHER_RATE = "frames counted at another rate than the seconds, which were taken"
WLASL_RATE = 25.0  # frames/s at which WLASL counts
JESTER_RATE, IPN_RATE = 12.0, 30.0  # frames/s of their pictures
AUTSL_SAMPLE = re.compile(r"(signer\d+)_sample\d+")
LSA64_NAME = re.compile(r"(?!000)(0[0-5]\d|06[0-4])_(00[1-9]|010)_(00[1-5])")
INCLUDE_NUMBER = re.compile(r"^(?:\d+|Ex)\.\s*")
LSA64_SIGNS = (
    *("Opaque", "Red", "Green", "Yellow", "Bright", "Light-blue", "Colors", "Pink", "Women", "Enemy", "Son", "Man"),
    *("Away", "Drawer", "Born", "Learn", "Call", "Skimmer", "Bitter", "Sweet milk", "Milk", "Water", "Food"),
    *("Argentina", "Uruguay", "Country", "Last name", "Where", "Mock", "Birthday", "Breakfast", "Photo", "Hungry"),
    *("Map", "Coin", "Music", "Ship", "None", "Name", "Patience", "Perfume", "Deaf", "Trap", "Rice", "Barbecue"),
    *("Candy", "Chewing-gum", "Spaghetti", "Yogurt", "Accept", "Thanks", "Shut down", "Appear", "To land", "Catch"),
    *("Help", "Dance", "Bathe", "Buy", "Copy", "Run", "Realize", "Give", "Find"),
)
IPN_GESTURES = {
    "D0X": "Non-gesture",
    "B0A": "Pointing with one finger",
    "B0B": "Pointing with two fingers",
    "G01": "Click with one finger",
    "G02": "Click with two fingers",
    "G03": "Throw up",
    "G04": "Throw down",
    "G05": "Throw left",
    "G06": "Throw right",
    "G07": "Open twice",
    "G08": "Double click with one finger",
    "G09": "Double click with two fingers",
    "G10": "Zoom in",
    "G11": "Zoom out",
}


def youtube(url: str) -> str:
    """The name of a video on YouTube, as which it is downloaded; empty where the address is another."""
    match = YOUTUBE.search(url)
    return match[1] if match else ""


def read_wlasl(tree: Tree, listing: Listing) -> None:
    """A file called by `video_id` is the sign alone, as the set's own preprocessing cuts it; one called as on YouTube
    is whole, and the frames tell where the sign is. Boxes of the signer are not used: frame.py finds her itself."""
    lists = tree.lists(r"WLASL_v[\d.]+\.json")
    newest = max(lists, key=lambda path: [int(each) for each in re.findall(r"\d+", path.stem)])
    for path in lists:
        if path != newest:
            places = [each.relative_to(tree.folder) for each in (newest, path)]
            listing.remarks.append(f"two versions of the list: {places[0]} was read, {places[1]} was not")
    listing.ordered = True
    for entry in read_json(newest, list):
        with listing.row(f"{newest.name} {named(entry, 'gloss')}"):
            gloss, rows = str(entry["gloss"]), list(entry["instances"])
            listing.classes.append(Label(gloss, gloss))
            for row in rows:
                with listing.row(f"{newest.name} {gloss} {named(row, 'video_id')}"):
                    add_wlasl(tree, listing, gloss, row)


def named(row: object, key: str) -> str:
    """What a row of a JSON list calls itself, whatever it is."""
    return str(row.get(key, "?")) if isinstance(row, dict) else repr(row)[:30]


def add_wlasl(tree: Tree, listing: Listing, gloss: str, row: dict) -> None:
    """An instance of a gloss."""
    name, whole = str(row["video_id"]), youtube(str(row.get("url", "")))
    path, film, cut = tree.find(name), whole and tree.find(whole), None
    if not path and film:
        last = int(row["frame_end"])
        path, cut = film, Cut(int(row["frame_start"]), last if last > 0 else None, True, WLASL_RATE)
    elif not path and whole:
        listing.where += f" (on YouTube {whole})"
    listing.add(path, gloss, row["signer_id"], row["split"], cut, name)


def read_ms_asl(tree: Tree, listing: Listing) -> None:
    """Several signs lie in one video of YouTube; seconds tell where. Boxes are not used."""
    names = [str(name) for name in read_json(tree.one(r"MSASL_classes\.json"), list)]
    listing.classes += [Label(name, name) for name in dict.fromkeys(names)]
    listing.ordered = True
    for path in tree.versions(r"MSASL_(train|val|test)\.json"):
        for number, row in enumerate(read_json(path, list)):
            name = youtube(named(row, "url")) or named(row, "url")
            with listing.row(f"{path.name} row {number} ({name})"):
                start, end, rate = float(row["start_time"]), float(row["end_time"]), float(row["fps"])
                if rate <= 0 or abs(row["start"] / rate - start) > 0.5:
                    listing.notes[OTHER_RATE] += 1
                if not 0 <= row["label"] < len(names):
                    raise Problem(f"label {row['label']} is not in MSASL_classes.json, which has {len(names)}")
                split = split_of(path, tree.folder)
                label = names[row["label"]]
                listing.add(tree.find(name), label, row["signer_id"], split, Cut(start, end), name)


def read_autsl(tree: Tree, listing: Listing) -> None:
    """Colour is `_color.mp4`; `_depth.mp4` becomes the clip's depth, and is never taken for it."""
    known = {}
    for path in tree.lists(r"SignList_ClassId_TR_EN\.csv")[:1]:
        for _, row in tables.read_rows(path, ("classid", "tr", "en")):
            known[row["classid"]] = Label(row["classid"], row["en"], extra={"tr": row["tr"]})
    for path in autsl_lists(tree):
        for where, values in read_lines(path, ","):
            sample, label = values[0], values[1] if len(values) > 1 else ""
            with listing.row(f"{where} ({sample[:30]})"):
                match = AUTSL_SAMPLE.fullmatch(sample)
                if not match:
                    raise Problem("expected signer0_sample1,41")
                video, depth = tree.find(f"{sample}_color"), tree.find(f"{sample}_depth")
                split = split_of(path, tree.folder) or (split_of(video, tree.folder) if video else "")
                listing.add(video, label, match[1], split, name=f"{sample}_color", depth=depth)
                if label not in known and label:
                    known[label] = Label(label, label)
    listing.classes += sorted(known.values(), key=lambda row: (len(row.label), row.label))


def autsl_lists(tree: Tree) -> list:
    """The lists of AUTSL, which releases call otherwise: by their first line."""
    lists = []
    for path in tree.lists(r".*\.csv"):
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            if AUTSL_SAMPLE.match(file.readline(200)):
                lists.append(path)
    return lists


def read_lsa64(tree: Tree, listing: Listing) -> None:
    """The names of the files tell sign, signer and repetition; there are no official splits."""
    for stem in tree.stems():
        with listing.row(stem):
            path, match = tree.find(stem), LSA64_NAME.fullmatch(stem)
            if not match:
                raise Problem("expected SIGN_SIGNER_REPETITION, such as 001_001_001")
            listing.add(path, match[1], match[2])
    numbers = sorted({video.label for video in listing.videos})
    listing.classes += [Label(number, LSA64_SIGNS[int(number) - 1]) for number in numbers]


def read_slovo(tree: Tree, listing: Listing) -> None:
    """Shipped cut and whole: a video as long as its interval is the sign alone."""
    labels = set()
    path = tree.one(r"annotations\.csv")
    for number, row in tables.read_rows(path, ("attachment_id", "text", "user_id", "train", "begin", "end")):
        name = row["attachment_id"]
        with listing.row(f"{path.name} line {number} ({name})"):
            begin, end = number_of(row["begin"], "begin"), number_of(row["end"], "end")
            split = "train" if row["train"].strip().lower() in ("true", "1") else "test"
            # Frames count from 0 here, and `end` is not part of the gesture; 0 to 0: all of it.
            cut = Cut(begin + 1, end, True, alone=True) if end else None
            listing.add(tree.find(name), row["text"], row["user_id"], split, cut, name)
            labels.add(row["text"].strip())
    listing.classes += [Label(label, label) for label in sorted(labels)]


def read_asl_citizen(tree: Tree, listing: Listing) -> None:
    """One table a split."""
    for path in tree.versions(r"(train|val|test)\.csv"):
        for number, row in tables.read_rows(path, ("participant id", "video file", "gloss")):
            name, label = row["video file"], row["gloss"]
            with listing.row(f"{path.parent.name}/{path.name} line {number} ({name})"):
                listing.add(tree.find(name), label, row["participant id"], split_of(path, tree.folder), name=name)
    by_name = sorted({video.label for video in (*listing.videos, *listing.missing)})
    listing.classes += [Label(label, label) for label in by_name]


def read_include(tree: Tree, listing: Listing) -> None:
    """`Category/17. flat/MVI_9622.MOV`, some below a folder `Extra`; nobody is named who signs."""
    texts, csvs = tree.versions(r"include_(train|val|test)\.txt"), tree.versions(r"(train|test)_include\.csv")
    if texts and csvs:
        were = f"{texts[0].name} and its like were read, {csvs[0].name} was not"
        listing.remarks.append(f"two versions of the lists: {were}")
    for path in texts or csvs:
        for where, place in include_rows(path):
            with listing.row(f"{where} ({place})"):
                listing.add(tree.find(place), include_word(place), "", split_of(path, tree.folder), name=place)
    subset = tree.lists(r"include50_(train|val|test)\.txt") + tree.lists(r"(train|test)_include50\.csv")
    listing.ordered = bool(subset)
    first = {include_word(place) for path in subset for _, place in include_rows(path)}
    labels = {video.label for video in (*listing.videos, *listing.missing)}
    listing.classes += [Label(label, label) for label in sorted(labels, key=lambda label: (label not in first, label))]


def include_rows(path) -> list[tuple[str, str]]:
    """(where, path of the video) of each row of a list of INCLUDE."""
    if path.suffix.lower() == ".txt":
        return [(where, ",".join(values)) for where, values in read_lines(path, ",")]
    return [(f"{path.name} line {number}", row["filepath"]) for number, row in tables.read_rows(path, ("filepath",))]


def include_word(place: str) -> str:
    """`Animals/4. Bird/Extra/MVI_3045.MOV` -> `Bird`."""
    folders = [part for part in PurePosixPath(place.replace("\\", "/")).parts[:-1] if part.lower() != "extra"]
    if not folders:
        raise Problem(f"{place[:40]!r}; expected Category/1. Word/MVI_0001.MOV")
    return INCLUDE_NUMBER.sub("", folders[-1]).strip()


def read_jester(tree: Tree, listing: Listing) -> None:
    """A folder of pictures a clip; the test rows have no label."""
    for path in tree.versions(r"jester-v1-(train|validation|test)\.csv"):
        for where, values in read_lines(path, ";"):
            with listing.row(f"{where} ({values[0]})"):
                add_jester(tree, listing, values[0], values[1] if len(values) > 1 else "", path)
    for path in tree.versions(r"(Train|Validation|Test)\.csv"):
        column = "video_id" if has_columns(path, "video_id") else "id"
        for number, row in tables.read_rows(path, (column,), ("label",)):
            with listing.row(f"{path.name} line {number} ({row[column]})"):
                add_jester(tree, listing, row[column], row.get("label", ""), path)
    names = [values[0] for path in tree.lists(r"jester-v1-labels\.csv") for _, values in read_lines(path, ";")]
    labels = names or sorted({video.label for video in (*listing.videos, *listing.missing)} - {""})
    listing.classes += [Label(label, label) for label in dict.fromkeys(labels)]


def add_jester(tree: Tree, listing: Listing, name: str, label: str, path) -> None:
    """A row of a list of Jester."""
    split = split_of(path, tree.folder)
    listing.add(tree.find(name, pictures=True), label, "", split, name=name, rate=JESTER_RATE)


def read_ipn_hand(tree: Tree, listing: Listing) -> None:
    """Intervals of long videos, or of folders of their frames; the first two words of a video's name are its person."""
    for path in tree.versions(r"Annot_(Train|Test)List\.txt"):
        for where, values in read_lines(path, ","):
            if values[0].lower() == "video":
                continue
            with listing.row(f"{where} ({values[0]})"):
                name, label, _, first, last = values[:5]
                video, folder = tree.find(name), tree.find(name, pictures=True)
                rate = IPN_RATE if folder and not video else None
                cut = Cut(int(first), int(last), True, None if video else IPN_RATE)
                signer = "_".join(name.split("_")[:2])
                listing.add(video or folder, label, signer, split_of(path, tree.folder), cut, name, rate=rate)
    listing.classes += [Label(label, name) for label, name in IPN_GESTURES.items()]
