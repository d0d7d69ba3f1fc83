"""Signs of longer videos as people annotate them: ELAN (.eaf), WebVTT and SRT; the annotation's text is the label.

    videos, failed, notes = annotations.read_annotations(Path("talk.eaf"), tier="Gloss")

A tier of an ELAN file, or a track of subtitles (`talk.gloss.vtt` is the track `gloss` of talk.mp4), is chosen by its
name where there are several. Of a folder all such files below it are read.
"""

import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from signs import command
from signs.clips import tables
from signs.clips.container import VIDEO_SUFFIXES
from signs.command import Problem, counted, listed
from signs.prepare import intervals
from signs.prepare.intervals import Cut
from signs.prepare.video_table import Video, as_video

SUFFIXES = (".eaf", ".vtt", ".srt")
EXPECTED = "an ELAN file (.eaf), WebVTT (.vtt) or SRT (.srt), or a folder with them"
MOST_BYTES = 200_000_000  # of a file; an hour of ELAN is a few MB
STAMP = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
CUE = re.compile(rf"^\s*({STAMP})\s+-->\s+({STAMP})[^\n]*$")
TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
VOICE = re.compile(r"<v(?:\.\S+)?\s+([^<>]+)>")
SHOWN = 8  # tiers in a line

Rows = list[tuple[str, str, Cut]]  # (label, signer, interval) of each annotation


def read_annotations(path: Path, tier: str | None) -> tuple[list[Video], list[tuple[str, str]], list[str]]:
    """The signs of a file of annotations, or of all below a folder; (where, reason) of what cannot be used; notes.

    Raises Problem where there is none, or it has to be said which tier is meant.
    """
    files, below = [path], [path]
    if path.is_dir():
        below = files_below(path)
        files = [each for each in below if each.suffix.lower() == ".eaf" or track_of(each) == (tier or "")]
        if not files:
            raise Problem(f"{path}: no annotations of {tier}: {counted(len(below), 'file')}; expected {EXPECTED}")
    videos, failed, seen, count = [], [], {}, 0
    for file in files:
        with command.noting(failed, file.name):
            rows, video = read_eaf(file, tier) if file.suffix.lower() == ".eaf" else read_subtitles(file)
            count += len(rows)
            for label, signer, cut in rows:
                where = f"{file.name} {cut}"
                with command.noting(failed, where):
                    if not label:
                        raise Problem("no text in it, so no label; left out")
                    known = {"label": label, "signer": signer}
                    row = replace(as_video(video, where, known, None, ""), cut=intervals.checked(cut))
                    if seen.setdefault((str(video), cut, label), row) is not row:
                        raise Problem("stands there twice; left out")
                    videos.append(row)
    if not videos and failed:
        raise Problem(f"{path}: no annotation can be used; {failed[0][0]}: {failed[0][1]}")
    if not videos:
        raise Problem(f"{path}: no annotation in it; expected signs with their times")
    notes = [f"{counted(count, 'annotation')} of {counted(len(files), 'file')}"]
    if others := [each.name for each in below if each not in files]:
        what = f"{counted(len(others), 'file')} of subtitles of another track, or none, left out"
        notes.append(f"{what}: {listed(others, SHOWN)}; a track's files end in .{tier or 'NAME'}.vtt or .srt")
    return videos, failed, notes


def files_below(folder: Path) -> list[Path]:
    """All files of annotations below a folder."""
    return [each for each in sorted(folder.rglob("[!.]*")) if each.suffix.lower() in SUFFIXES]


def read_eaf(path: Path, tier: str | None) -> tuple[Rows, Path]:
    """The annotations of one tier of an ELAN file, and its video."""
    root = parse(path)
    unit = root.find("HEADER").get("TIME_UNITS", "milliseconds") if root.find("HEADER") is not None else "milliseconds"
    if unit != "milliseconds":
        raise Problem(f"{path}: times in {unit}; expected milliseconds")
    tiers = {each.get("TIER_ID", ""): each for each in root.iter("TIER")}
    chosen = tiers[choose_tier(path, {name: len(each) for name, each in tiers.items()}, tier)]
    video, origin = media_of(path, root)
    times = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    of_name = {each.get("ANNOTATION_ID"): each for each in root.iter() if each.get("ANNOTATION_ID")}
    rows = []
    for annotation in chosen.iter("ANNOTATION"):
        for each in annotation:
            start, end = (bound(each, side, times, of_name) for side in ("TIME_SLOT_REF1", "TIME_SLOT_REF2"))
            cut = Cut((start + origin) / 1000, (end + origin) / 1000)
            rows.append((one_line(each.findtext("ANNOTATION_VALUE") or ""), chosen.get("PARTICIPANT", ""), cut))
    return rows, video


def parse(path: Path) -> ElementTree.Element:
    """An ELAN file's content; raises Problem where it is none, or declares what would make it grow when it is read."""
    if path.stat().st_size > MOST_BYTES:
        raise Problem(f"{path}: {path.stat().st_size:,} bytes; expected an ELAN file of at most {MOST_BYTES:,}")
    content = path.read_bytes()
    # Nothing that expands or fetches is let through to the parser: an ELAN file declares no document type.
    plain = content.replace(b"\0", b"").upper()
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise Problem(f"{path}: declares a document type, as no ELAN file does; not read")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise Problem(f"{path}: no whole XML file ({error}); save it again from ELAN") from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise Problem(f"{path}: XML, but of {root.tag[:40]}; expected ANNOTATION_DOCUMENT, as ELAN writes it")
    return root


def choose_tier(path: Path, tiers: dict[str, int], tier: str | None) -> str:
    """The tier of that name, or the only one with annotations."""
    some = [f"{name} ({count})" for name, count in Counter(tiers).most_common() if count]
    if tier is not None:
        found = [name for name in tiers if name.casefold() == tier.casefold()]
        if not found:
            raise Problem(f"{path}: no tier {tier}; there are {listed(some, SHOWN) or 'none'}")
        return tier if tier in tiers else found[0]
    if len(some) > 1:
        raise Problem(f"{path}: {len(some)} tiers, {listed(some, SHOWN)}; choose the one with the signs: --tier NAME")
    if not some:
        raise Problem(f"{path}: no annotation in any tier")
    return next(name for name, count in tiers.items() if count)


def bound(annotation, side: str, times: dict, of_name: dict) -> float:
    """Milliseconds at which an annotation begins or ends; one that refers to another has that one's."""
    for _ in range(len(of_name) + 1):
        if (slot := annotation.get(side)) is not None:
            if times.get(slot) is None:
                raise Problem(f"{side} {slot} has no time; align the annotation in ELAN")
            return float(times[slot])
        annotation = of_name.get(annotation.get("ANNOTATION_REF"))
        if annotation is None:
            break
    raise Problem("an annotation without times")


def media_of(path: Path, root: ElementTree.Element) -> tuple[Path, float]:
    """The first video that an ELAN file names and that is there, else one of the file's own name; its offset in ms."""
    for media in root.iter("MEDIA_DESCRIPTOR"):
        for address in (media.get("RELATIVE_MEDIA_URL", ""), media.get("MEDIA_URL", "")):
            place = unquote(address.removeprefix("file:").replace("\\", "/"))
            for video in (path.parent / place.lstrip("/"), path.parent / place.rpartition("/")[2]):
                if place and video.suffix.lower() in VIDEO_SUFFIXES and video.is_file():
                    return video, float(media.get("TIME_ORIGIN", "0") or 0)
    return beside(path, path.stem), 0.0


def beside(path: Path, stem: str) -> Path:
    """The video of a name beside a file; raises Problem where there is none."""
    wanted = unicodedata.normalize("NFC", stem).casefold()
    for video in sorted(path.parent.iterdir()):
        same = unicodedata.normalize("NFC", video.stem).casefold() == wanted
        if same and video.suffix.lower() in VIDEO_SUFFIXES:
            return video
    raise Problem(f"{path}: its video is not there; expected {stem}.mp4 or another one of that name beside it")


def track_of(path: Path) -> str:
    """`talk.gloss.vtt` -> `gloss`, empty where the name has none."""
    return Path(path.stem).suffix.removeprefix(".")


def read_subtitles(path: Path) -> tuple[Rows, Path]:
    """The cues of a WebVTT or SRT file, and the video of its name."""
    text = tables.read_text(path).replace("\r\n", "\n").replace("\r", "\n")
    if path.suffix.lower() == ".vtt" and not text.startswith("WEBVTT"):
        raise Problem(f"{path}: does not begin with WEBVTT; is it SRT, or no subtitles?")
    rows = []
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.strip("\n").split("\n")
        at = next((number for number, line in enumerate(lines[:2]) if CUE.match(line)), None)
        if at is None:
            continue  # the head, a note or a style
        start, end = (intervals.seconds_of(stamp) for stamp in CUE.match(lines[at]).groups())
        said = " ".join(lines[at + 1 :])
        voice = VOICE.search(said)
        rows.append((one_line(TAG.sub("", said)), voice[1].strip() if voice else "", Cut(start, end)))
    try:
        return rows, beside(path, path.stem)
    except Problem:
        if not track_of(path):
            raise
        return rows, beside(path, Path(path.stem).stem)


def one_line(text: str) -> str:
    """A text with one blank for each run of blanks and line ends."""
    return " ".join(text.split())
