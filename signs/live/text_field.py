"""A line of text that is typed in OpenCV's window, in any script that a keyboard has.

    field = TextField()
    field.press(code)            what cv2.waitKeyEx gave; True where that ended the line
    field.text

Windows and macOS give characters. Qt on Linux gives a key's ASCII in small letters, Latin-1 as a signed byte in
capitals, and of all other keys the number of the X Window System, where letters of many scripts have old numbers of
their own. Capitals come by the shift key that was pressed before. What an input method composes (Chinese, Japanese)
does not reach such a window: flags take it.
"""

import sys

from signs.clips.names import LONGEST

# Keys by what OpenCV calls them: ASCII, else a number of the X Window System or, last, of Windows.
ENTERS, ESCAPES, TABS = (13, 10, 0xFF0D, 0xFF8D), (27, 0xFF1B), (9, 0xFF09)
BACKSPACES, DELETES = (8, 0xFF08), (127, 0xFFFF, 0x2E0000)  # macOS calls its Backspace 127
X_SHIFT, X_CAPS_LOCK = (0xFFE1, 0xFFE2), 0xFFE5
X_UNICODE = 0x01000000  # a letter's number is this and its place in Unicode
# High byte of an old number: the character set whose place is the low byte.
X_SETS = {1: "iso8859-2", 2: "iso8859-3", 3: "iso8859-4", 5: "iso8859-6", 6: "koi8-u", 7: "iso8859-7", 12: "iso8859-8"}
X_SETS |= {13: "tis-620"}


def letter_of(code: int, platform: str = sys.platform) -> str:
    """The character of a key, in small letters on Linux; "" where it has none."""
    if platform == "linux" and -128 <= code < 0:
        return chr(code & 0xFF).lower()
    if platform == "linux" and 0x100 <= code < 0xFF00:
        try:
            return bytes([code & 0xFF]).decode(X_SETS.get(code >> 8, "ascii"))
        except UnicodeDecodeError:
            return ""
    if platform == "linux" and 0xFF00 <= code < X_UNICODE:
        return ""
    code -= X_UNICODE if code > X_UNICODE and platform == "linux" else 0
    letter = chr(code) if 32 <= code < 0x110000 else ""
    return letter if letter.isprintable() else ""


class TextField:
    """text: what was typed so far, at most as long as a name may be."""

    def __init__(self, text: str = "", platform: str = sys.platform):
        self.text, self._platform = text, platform
        self._shift = self._caps = False

    def press(self, code: int) -> bool:
        """A key, as cv2.waitKeyEx gives it; whether it was the one that ends the line."""
        if code in ENTERS:
            return True
        if code in BACKSPACES + DELETES:
            self.text = self.text[:-1]
        elif code in X_SHIFT:
            self._shift = True
        elif code == X_CAPS_LOCK:
            self._caps = not self._caps
        elif (letter := letter_of(code, self._platform)) and len(self.text) < LONGEST:
            self.text += letter.upper() if self._shift != self._caps and len(letter.upper()) == 1 else letter
            self._shift = False
        return False
