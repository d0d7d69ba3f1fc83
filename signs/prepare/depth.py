"""Depth among videos: a part of the colour clip beside it, never a clip of its own.

    videos, depths, alone = without_depth(videos)

`x_depth.mp4` beside `x_color.mp4` (AUTSL), `K_00001.avi` beside `M_00001.avi` (IsoGD), `depth/x.avi` beside
`color/x.avi` of the same label: two signs may be called so.
"""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import PurePath

from signs.prepare.video_table import Video

WORDS = {"color": "color", "colour": "color", "rgb": "color", "depth": "depth"}
ENDING = re.compile(r"(?P<name>.+)_(?P<word>colou?r|rgb|depth)", re.IGNORECASE)
LETTER = {"M": "color", "K": "depth"}
ALONE = "depth without its colour video"


def without_depth(videos: list[Video]) -> tuple[list[Video], int, list[tuple[str, str]]]:
    """The videos without those that are the depth of another one, which gets it; how many these are; (where, reason) of
    depth whose colour is missing, where other videos have both."""
    pairs: dict[tuple, dict[str, list[Video]]] = defaultdict(lambda: {"color": [], "depth": []})
    for video in videos:
        for key, kind in readings(video):
            pairs[key][kind].append(video)
    # One way to tell them apart counts where it makes pairs; else `M_1` and `K_1` may be anything.
    paired = {key[0] for key, found in pairs.items() if found["color"] and found["depth"]}
    depth_of, depths, failed = {}, set(), []
    for key, found in pairs.items():
        if key[0] in paired:
            depths |= {str(video.path) for video in found["depth"]}
            depth_of |= {str(video.path): found["depth"][0].path for video in found["color"] if found["depth"]}
            failed += [(video.where, ALONE) for video in found["depth"] if not found["color"]]
    kept = [
        replace(video, depth=video.depth or depth_of.get(str(video.path)))
        for video in videos
        if str(video.path) not in depths
    ]
    return kept, len(videos) - len(kept) - len(failed), failed


def readings(video: Video) -> list[tuple[tuple, str]]:
    """What its path may say: ((way, all else of the path), `color` or `depth`) each."""
    found, stem, folder = [], PurePath(video.path).stem, video.path.parent
    if match := ENDING.fullmatch(stem):
        found.append((("ending", str(folder), match["name"]), WORDS[match["word"].lower()]))
    if stem[:2] in ("M_", "K_"):
        found.append((("letter", str(folder), stem[2:]), LETTER[stem[0]]))
    parts = folder.parts
    for at in range(len(parts) - 1, max(len(parts) - 4, 0), -1):
        if kind := WORDS.get(parts[at].lower()):
            found.append((("folder", video.label, *parts[:at], None, *parts[at + 1 :], stem), kind))
            break
    return found
