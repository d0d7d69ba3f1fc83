"""Names: what a label, a signer and a clip may be called, and the folder or file name that is made of it.

    names.check_text("thank you / thanks", "label")       one line of text in any language, as tables keep it
    names.safe_name("thank you / thanks")                 `thank you _ thanks~e3256b59`
    names.safe_names(["Go", "go"])                        {"Go": "Go", "go": "go~4cd0e21a"}

A safe name is one folder or file name on every system: letters of any language stay, what some system refuses becomes
`_`, and a hash of the true text tells apart what would be alike.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable

from signs.command import Problem
from signs.console import TURNING

LONGEST = 200  # characters of a label, a signer's or a clip's name
# Bytes of a safe name before its hash: with a suffix, and as a temporary file, it stays far below 255 and Windows' 260.
MOST_BYTES = 120
DIGITS = 8  # of the hash, hexadecimal
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.()+-]{0,99}")
# What Windows refuses in a name; `~` begins the hash.
FORBIDDEN = frozenset('<>:"/\\|?*~')
# Control, format, half a character, private, unknown; line and paragraph ends.
UNSAFE_KINDS = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
REFUSED_KINDS = frozenset(("Cc", "Cs", "Zl", "Zp"))
INVISIBLE_KINDS = frozenset(("Cf", "Zs", "Mn", "Me"))
PORTS = "0123456789¹²³"
WINDOWS_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", "conin$", "conout$", *(f"{port}{n}" for port in ("com", "lpt") for n in PORTS))
)


def check_text(text: str, what: str, may_be_empty: bool = False) -> str:
    """`text` without blanks at its ends, its letters composed (NFC); raises Problem where it is not one line of
    visible text, has more than LONGEST characters, or would disturb a screen."""
    if may_be_empty and not text.strip(" "):
        return ""
    if text.isascii() and text.isprintable() and text.strip() == text and 0 < len(text) <= LONGEST:
        return text  # as most names are, of which a data set may have fifty thousand
    shown = f"{what} {text[:60]!r}{'...' * (len(text) > 60)}"
    expected = f"expected one line of text, at most {LONGEST} characters"
    kept = unicodedata.normalize("NFC", text.strip())
    if not kept:
        raise Problem(f"{what} is empty; {expected}")
    if bad := next((each for each in text if unicodedata.category(each) in REFUSED_KINDS or each in TURNING), ""):
        kind = (
            "a byte that is no UTF-8" if unicodedata.category(bad) == "Cs" else "a character that controls the screen"
        )
        raise Problem(f"{shown} holds {kind}, U+{ord(bad):04X}; {expected}")
    if all(unicodedata.category(each) in INVISIBLE_KINDS for each in kept):
        raise Problem(f"{shown} shows nothing; {expected}")
    if len(kept) > LONGEST:
        raise Problem(f"{shown} has {len(kept)} characters; {expected}")
    return kept


def check_name(name: str, what: str) -> str:
    """`name` if it is safe as one folder name on every system; raises Problem otherwise."""
    if name and safe_name(name) == name:
        return name
    usual = "letters, digits, spaces and _.()+- are, not at the edges"
    raise Problem(f"{what} {name[:60]!r} is no plain name; {usual}")


def check_path(path: str, what: str) -> str:
    """`path` if it is relative, its parts joined by `/`, each one line of text and none `.` or `..`; raises Problem
    otherwise."""
    for part in path.split("/"):
        check_text(part, f"{what}: part")
        if part in (".", ".."):
            raise Problem(f"{what}: {path[:60]!r} leads elsewhere; expected a path without . and ..")
    return path


def safe_name(text: str) -> str:
    """The folder or file name of a text: the text itself where every system takes that, else what is left of it and
    `~` with a hash of the whole."""
    if PLAIN_NAME.fullmatch(text) and text.rstrip(" .") == text and not _is_device(text):
        return text
    # No name of a text begins with `_`: it is left to folders of our own, and to what was replaced.
    return text if _kept(text) == text and text[0] != "_" else _marked(text, DIGITS)


def safe_names(texts: Iterable[str], there: Collection[str] = ()) -> dict[str, str]:
    """{text: its safe name}; of texts that a system may take for one (`Go` and `go`) the later get a hash.

    `there`: names on disc. Where a text's name is none of them, but is one with a hash, or without it, that is taken:
    the text had it while other texts stood before it.
    """
    names, taken = {}, set()
    for text in dict.fromkeys(texts):
        name, digits = safe_name(text), DIGITS
        while folded(name) in taken:
            name, digits = _marked(text, digits), 2 * digits
        names[text] = name
        taken.add(folded(name))
    for text, name in names.items() if there else ():
        other = _marked(text, DIGITS) if name == safe_name(text) else safe_name(text)
        if name not in there and other in there:
            names[text] = other
    return names


def folded(name: str) -> str:
    """What a system that tells neither case nor the way of writing accents apart makes of a name."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def one_spelling(texts: Iterable[str]) -> list[str]:
    """The texts, of those that differ in capitals alone the first in the alphabet for all."""
    texts, first = list(texts), {}
    for text in sorted(set(texts)):
        first.setdefault(folded(text), text)
    return [first[folded(text)] for text in texts]


def _marked(text: str, digits: int) -> str:
    """What is left of the text, and `~` with so many digits of its hash."""
    return f"{_kept(text)}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:digits]}"


def _kept(text: str) -> str:
    """The text with `_` for what some system refuses, cut to MOST_BYTES."""
    name = unicodedata.normalize("NFC", text)
    name = "".join("_" if each in FORBIDDEN or unicodedata.category(each) in UNSAFE_KINDS else each for each in name)
    name = name.encode()[:MOST_BYTES].decode(errors="ignore")
    name = re.sub(r"^[\s._-]|[\s.]$", "_", name) or "_"
    return f"_{name}" if _is_device(name) else name


def _is_device(name: str) -> bool:
    """Whether Windows takes the name for a device, `con.txt` too."""
    return name.split(".")[0].rstrip().lower() in WINDOWS_DEVICES
