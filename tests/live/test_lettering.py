"""Text in any language: each script in a font that has it, Arabic from right to left, Devanagari with its marks."""

from signs.clips.dataset import Label
from signs.live import drawing, fonts, lettering, overlay
from signs.live.overlay import Result, View

import numpy as np
import pytest

ARABIC, DEVANAGARI, JAPANESE = "مرحبا بك", "नमस्ते", "ありがとう"


def wanted(text: str) -> str:
    """Skips where no font of this system has the letters."""
    if not lettering.can_draw(text):
        pytest.skip(f"no font here has {text!r}: fonts-noto-core has it")
    return text


@pytest.fixture
def no_fonts(monkeypatch):
    """A system without a font."""
    monkeypatch.setattr(fonts, "installed_fonts", tuple)
    for cached in (fonts._find_font, fonts.say_missing, lettering.lay_out, drawing.text_width):
        cached.cache_clear()
    yield
    for cached in (fonts._find_font, lettering.lay_out, drawing.text_width):
        cached.cache_clear()


def drawn(text: str, size: float = 24, **more) -> np.ndarray:
    """(80, 400) uint8: the ink of a text that begins at the left, base line 50."""
    canvas = np.zeros((80, 400, 3), np.uint8)
    drawing.text(canvas, text, 20, 50, size, (255, 255, 255), **more)
    return canvas[..., 0]


def columns(picture: np.ndarray) -> np.ndarray:
    return np.flatnonzero(picture.any(axis=0))


@pytest.mark.parametrize("text", ["wave", "Tschüß, ağabey", "Ελλάδα", "Привет", JAPANESE, "한국어", "Việt", "e\u0301"])
def test_what_opencv_has_is_left_to_it(text):
    ((font, _),) = lettering.lay_out(text)
    assert font is None and columns(drawn(text))[0] == pytest.approx(20, abs=4)


@pytest.mark.parametrize("text", [ARABIC, DEVANAGARI, "שלום", f"hello {DEVANAGARI} 2", f"{ARABIC} (2)", "สวัสดี"])
@pytest.mark.parametrize("weight", [drawing.REGULAR, drawing.BOLD])
def test_other_scripts_are_set_where_they_should_be(text, weight):
    inked = columns(drawn(wanted(text), weight=weight))
    assert inked[0] == pytest.approx(20, abs=4)
    assert inked[-1] == pytest.approx(20 + drawing.text_width(text, 24, weight), abs=6)
    assert not np.array_equal(drawn(text), drawn("?" * len(text)))


def test_arabic_letters_are_joined_and_run_to_the_left():
    whole = columns(drawn(wanted("بب")))
    assert whole[-1] - whole[0] < 1.7 * np.ptp(columns(drawn("ب"))), "the first of two joined ones is short"
    first, last = drawn("ا ..."), drawn("... ا")
    tall = [np.flatnonzero(picture[30:38].any(axis=0)).mean() for picture in (first, last)]
    assert tall[0] > tall[1] + 10, "the first letter of a line stands on its right"


def test_devanagari_marks_are_no_letters_of_their_own():
    consonant, syllable = (np.ptp(columns(drawn(text))) for text in (wanted("न"), "नि"))
    assert syllable < 2 * consonant
    assert not np.array_equal(drawn("नि")[:, :26], drawn("न")[:, :26]), "this vowel stands before its consonant"


def test_a_name_leaves_the_line_around_it_alone():
    name = wanted(ARABIC)
    lines = [f"{each} |||" for each in (name, lettering.isolated(name))]
    plain, isolated = (np.flatnonzero(drawn(line)[36:50].all(axis=0)) for line in lines)  # bars, and tall letters
    assert plain.min() < 30, "a line that begins with it begins on the right, and bars at its end stand on the left"
    assert isolated.max() > plain.max() + 10, "as a name in a line it leaves them on the right"
    assert lettering.isolated("wave") == "wave"


def test_a_line_of_several_scripts_has_a_font_for_each():
    name, other = wanted(ARABIC), wanted(DEVANAGARI)
    parts = lettering.lay_out(f"colour: {lettering.isolated(name)} 70 %   movement: {other}, {other} 50 %")
    assert [part for _, part in parts] == ["colour: ", name, " 70 %   movement: ", f"{other}, {other}", " 50 %"]
    assert [font is None for font, _ in parts] == [True, False, True, False, True]
    assert lettering.lay_out(f"{name} {other} x"), "and where the line runs to the left"


def test_what_is_too_long_is_cut_and_what_is_outside_is_left_out():
    text = wanted(DEVANAGARI * 30)
    cut = drawing.fitted(text, 24, drawing.REGULAR, 200)
    assert cut.endswith("…") and drawing.text_width(cut, 24) <= 200
    canvas = np.zeros((40, 60, 3), np.uint8)
    for x, y in ((-30, 10), (50, 60), (-900, 20), (20, -50), (20, 200)):
        drawing.text(canvas, text, x, y, 24)
    assert canvas.any()


@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_the_window_shows_such_names(size):
    names = [wanted(ARABIC), wanted(DEVANAGARI), JAPANESE]
    picture, views = np.zeros((48, 64, 3), np.uint8), []
    for known in (True, False):
        for one in (names, ["?" * len(name) for name in names]):
            ranked = [(name, 0.3) for name in one]
            result = Result(ranked, {"rgb": ranked[0], "flow": ranked[1]}, 0.1, {}, 20.0, known=known)
            history = [(name, known) for name in one]
            views += [View("result", result=result), View("ready", mode="continuous", result=result, history=history)]
    canvases = [overlay.draw_window(picture, view, size) for view in views]
    for number in (0, 1, 4, 5):
        differs = np.abs(canvases[number].astype(int) - canvases[number + 2]).max(axis=-1) > 60
        assert differs.sum() > 60, "the names, not question marks"


def test_without_a_font_the_number_stands_there_and_one_line_says_why(no_fonts, capsys):
    classes = [Label("001", DEVANAGARI), Label("wave", "wave"), Label(ARABIC, ARABIC), Label("x", "")]
    for _ in range(2):
        shown = fonts.shown_names(classes, lettering.can_draw, "the window shows")
    assert shown == {"001": "001", "wave": "wave", ARABIC: "sign 3", "x": "x"}
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and len(said) < 300
    assert f"{DEVANAGARI}, {ARABIC}: the window shows numbers instead" in said and "fonts-noto-core" in said
    assert drawn(ARABIC).any(), "and nothing fails"


def test_a_damaged_font_is_none(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"\0\1\0\0" + bytes(range(200)))
    assert fonts.letters_of(tmp_path / "broken.ttf") == frozenset()


def test_fonts_are_looked_for_where_each_system_has_them(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.setattr(fonts.sys, "platform", "linux")
    assert tmp_path / "own" / "fonts" in fonts.font_folders()
    monkeypatch.setattr(fonts.sys, "platform", "darwin")
    assert fonts.Path("/System/Library/Fonts") in fonts.font_folders()
    monkeypatch.setenv("WINDIR", str(tmp_path))
    monkeypatch.setattr(fonts.sys, "platform", "win32")
    assert tmp_path / "Fonts" in fonts.font_folders()
