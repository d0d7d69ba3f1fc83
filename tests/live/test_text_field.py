"""Keys as OpenCV gives them, on each system, and what they type."""

from signs.live.text_field import TextField, letter_of

import pytest


def typed(codes, platform="linux", text=""):
    field = TextField(text, platform)
    ended = [field.press(code) for code in codes]
    return field.text, ended[-1]


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ([0x61, 0xFFE1, 0x62, 0x63, 0x20, 0x31], "aBc 1"),
        ([0x5E5, 0x5D1, 0x5CD, 0x5C8, 0x5C7], "مرحبا"),
        ([0xFFE1, 0x6D6, 0x6C1], "Жа"),
        ([-0x24, -0x37, 0xFFE1, -0x3C, -0x21], "üéÄß"),
        ([0x7E1, 0xCE0, 0x1005B57, 0xDA1], "αא字ก"),
        ([0xFFE5, 0x61, 0xFFE5, 0x61], "Aa"),
        ([0x61, 0xFF51, 0xFFBF, 0xFF63, -1 + 0x100000000, 9], "a"),
        ([0x61, 0x62, 8, 0xFF08, 8], ""),
    ],
)
def test_a_keyboard_of_linux(codes, text):
    assert typed(codes) == (text, False)


def test_other_systems_give_characters():
    assert typed([ord(each) for each in "Grüße"], "win32") == ("Grüße", False)
    assert letter_of(0x0645, "darwin") == "م"


@pytest.mark.parametrize("code", [13, 10, 0xFF0D, 0xFF8D])
def test_enter_ends_the_line(code):
    assert typed([0x61, code]) == ("a", True)


def test_no_more_than_a_name_may_have():
    assert len(typed([0x61] * 300)[0]) == 200
