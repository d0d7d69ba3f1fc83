"""Text in any language: which font draws which part of a line, and what it looks like.

    parts = lettering.lay_out("नमस्ते 2")        [(font, part), ...] from left to right; None: no font has it
    picture, left, top = lettering.picture_of(font, part, 24, bold=False)

What needs no more than letters one after the other is left to OpenCV's own fonts, font None. The rest is set by Pillow
with raqm in a font of this system: Arabic joins its letters and runs from right to left, Devanagari reorders them.
"""

import functools
import itertools
import re
import unicodedata
from pathlib import Path

from signs.live import fonts

import cv2
import numpy as np

ISOLATE, END = "\u2068", "\u2069"  # what stands between them does not turn the text around it
Parts = list[tuple[Path | None, str]]


@functools.cache
def own_face() -> "cv2.FontFace":
    """OpenCV's font."""
    return cv2.FontFace("sans")


def isolated(name: str) -> str:
    """A name as part of a line: from right to left or not, the rest of the line stays where it is."""
    return f"{ISOLATE}{name}{END}" if is_rightward(name) else name


def can_draw(text: str) -> bool:
    """Whether OpenCV's fonts and those of this system have all of the text's letters."""
    return lay_out(text) is not None


@functools.lru_cache(maxsize=1024)
def lay_out(text: str) -> Parts | None:
    """The parts of a line from left to right, each with the font that draws it; None where there is no such font."""
    text = unicodedata.normalize("NFC", text)
    special = "".join(each for each in text if not _is_simple(each))
    if not fonts.visible(special):
        return [(None, _for_opencv(text))]
    if not _has_raqm():
        return None
    if whole := fonts.find_font(text):
        return [(whole, text)]
    owners = _owners(text)
    if owners is None:
        return None
    shown = [pair for pair in zip(owners, text, strict=True) if pair[1] not in (ISOLATE, END)]
    groups = itertools.groupby(shown, key=lambda pair: pair[0])
    parts = [(owner, "".join(each for _, each in group)) for owner, group in groups]
    parts = [(owner, part if owner else _for_opencv(part)) for owner, part in parts]
    return parts[::-1] if _begins_rightward(text) else parts


def _for_opencv(text: str) -> str:
    """What of a text OpenCV is to draw: no marks of direction."""
    return "".join(each for each in text if unicodedata.category(each) != "Cf")


def _owners(text: str) -> list[Path | None] | None:
    """The font of each character, None for OpenCV's; None in all where a word has letters that no font has together.

    Signs and blanks between letters of a font are of that font, where it has them: they may be part of a phrase.
    """
    owners: list[Path | None] = []
    for word in re.split(r"(\s+)", text):
        special = fonts.visible("".join(each for each in word if not _is_simple(each)))
        font = fonts.find_font(special) if special else None
        if special and font is None:
            return None
        owners += [font if not _is_simple(each) else None for each in word]
    letters = [place for place, owner in enumerate(owners) if owner]
    for before, after in itertools.pairwise(letters):
        between, font = text[before + 1 : after], owners[before]
        signs = all(unicodedata.category(each)[0] in "CPZ" for each in between)
        if font == owners[after] and signs and fonts.visible(between) <= fonts.letters_of(font):
            owners[before + 1 : after] = [font] * len(between)
    return owners


@functools.cache
def _has_raqm() -> bool:
    """Whether Pillow can set more than letters one after the other: it wants libfribidi."""
    from PIL import features

    return features.check("raqm")


def is_rightward(text: str) -> bool:
    """Whether a letter of the text belongs to a script that runs from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(each) in ("R", "AL") for each in text)


def _begins_rightward(text: str) -> bool:
    """Whether the first letter of the line outside an isolated name is one of a right-to-left script."""
    depth = 0
    for each in text:
        depth += (each == ISOLATE) - (each == END)
        if not depth and (is_rightward(each) or unicodedata.bidirectional(each) == "L"):
            return is_rightward(each)
    return False


@functools.cache
def _is_simple(each: str) -> bool:
    """Whether OpenCV draws a character as it should be: it has a picture of it, and it needs no neighbour's."""
    if each.isascii():
        return True
    if is_rightward(each) or unicodedata.category(each) in ("Mn", "Mc", "Me", "Cf"):
        return False
    return not np.array_equal(_own_picture(each), _own_picture("?"))


@functools.cache
def _own_picture(each: str) -> np.ndarray:
    canvas = np.zeros((40, 60), np.uint8)
    cv2.putText(canvas, each, (10, 30), 255, own_face(), 20, 400)
    return canvas


@functools.cache
def _pillow_font(path: Path, size: int, bold: bool):
    from PIL import ImageFont

    if bold:
        heavy = path.with_name(path.name.replace("Regular", "Bold"))
        if heavy == path:
            heavy = path.with_name(f"{path.stem}-Bold{path.suffix}")
        path = heavy if heavy.is_file() else path
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.RAQM)


@functools.lru_cache(maxsize=512)
def width_of(path: Path, part: str, size: int, bold: bool) -> int:
    """Pixels from the start of a part to its end."""
    return round(_pillow_font(path, size, bold).getlength(part))


@functools.lru_cache(maxsize=256)
def picture_of(path: Path, part: str, size: int, bold: bool) -> tuple[np.ndarray, int, int]:
    """(H, W) uint8, how much of each pixel is ink, and where it lies from the start of the base line: left, top."""
    from PIL import Image, ImageDraw

    font = _pillow_font(path, size, bold)
    left, top, right, bottom = font.getbbox(part, anchor="ls")
    picture = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(picture).text((-left, -top), part, 255, font, "ls")
    return np.asarray(picture), left, top
