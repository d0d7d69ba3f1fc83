"""Fonts of this system, for the letters that a program's own font has not.

fonts.find_font("नमस्ते")                 /usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf; None: no font
fonts.shown_names(classes, can_draw)     {label: its name, or where that cannot be drawn, the label or its number}
"""

import functools
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from signs import command
from signs.clips.dataset import Label

SUFFIXES = (".ttf", ".otf", ".ttc")
# Words of file names: what is rather not taken, and blocks of letters whose fonts have other names.
# fmt: off
LATER = (
    "italic", "oblique", "mono", "serif", "naskh", "kufi", "nastaliq", "bold", "black", "thin", "light", "condensed",
    "ui", "looped", "display",
)
# fmt: on
CJK = ("hiragana", "katakana", "hangul", "cjk", "bopomofo")
USELESS = ("lastresort", "adobeblank", "notdef")  # they have a box for every letter
OUTLINES = ("glyf", "CFF ", "CFF2")
ADVICE = "install one that has them, on Debian and Ubuntu fonts-noto-core, fonts-noto-cjk"


def font_folders() -> list[Path]:
    """Where this system keeps its fonts."""
    home = Path.home()
    if sys.platform == "win32":
        own = os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")
        return [Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts"), Path(own, "Microsoft", "Windows", "Fonts")]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    own = os.environ.get("XDG_DATA_HOME") or home / ".local" / "share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [home / ".fonts", *(Path(folder, "fonts") for folder in (own, *shared.split(":")))]


@functools.cache
def installed_fonts() -> tuple[Path, ...]:
    """The font files of this system, those for plain text first."""
    files = (Path(top, name) for folder in font_folders() for top, _, names in os.walk(folder) for name in names)
    paths = {path for path in files if path.suffix.lower() in SUFFIXES}
    return tuple(sorted(paths, key=lambda path: (_later(path.name.lower()), path.name, str(path))))


def _later(name: str) -> int:
    return 99 if any(word in name for word in USELESS) else sum(word in name.replace("sansserif", "") for word in LATER)


@functools.cache
def letters_of(path: Path) -> frozenset[str]:
    """The characters that a font has outlines for; none where the file is no such font."""
    from fontTools.ttLib import TTFont

    try:
        with TTFont(path, lazy=True, fontNumber=0) as font:
            if not any(table in font for table in OUTLINES):  # pictures of one size, as emoji fonts have them
                return frozenset()
            return frozenset(map(chr, font.getBestCmap() or ()))
    except Exception:  # fontTools raises of every kind where a file is damaged, and then it is no font
        return frozenset()


def visible(text: str) -> frozenset[str]:
    """The characters that a font has to have; joiners and marks of direction show nothing."""
    return frozenset(each for each in text if unicodedata.category(each) != "Cf")


def find_font(letters: Iterable[str]) -> Path | None:
    """A font of this system that has all of these characters; None where there is none."""
    return _find_font(visible("".join(letters)))


@functools.cache
def _find_font(letters: frozenset[str]) -> Path | None:
    words = {unicodedata.name(each, "").split(" ")[0].split("-")[0].lower() for each in letters}
    words = {"cjk" if word in CJK else word for word in words} - {"latin", "digit", ""}
    named = [path for path in installed_fonts() if any(word in path.name.lower() for word in words)]
    return next((path for path in (*named, *installed_fonts()) if letters <= letters_of(path)), None)


def shown_names(classes: Sequence[Label], can_draw: Callable[[str], bool], where: str) -> dict[str, str]:
    """{label: name} as `where` ("the window") shows them: of a name that cannot be drawn the label, else its number in
    the class table. One line on the standard error says so."""
    shown, lost = {}, []
    for number, row in enumerate(classes, 1):
        name = row.name or row.label
        if not can_draw(name):
            lost.append(name)
            name = row.label if can_draw(row.label) else f"sign {number}"
        shown[row.label] = name
    if lost:
        say_missing(tuple(lost), where)
    return shown


@functools.cache
def say_missing(names: tuple[str, ...], where: str) -> None:
    """Say, once of the same names, which of them `where` shows by number."""
    line = f"no font here has all letters of {command.listed(names, 3)}: {where} numbers instead; {ADVICE}"
    print(command.one_line(line), file=sys.stderr)
