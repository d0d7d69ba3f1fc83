"""Names of any language on pictures: fonts that have them, or the number; text is never taken for a formula."""

import warnings

from signs.evaluation import plots
from signs.live import fonts

import numpy as np
import pytest

NAMES = ["über", "नमस्ते", "مرحبا", "5 $ or $ 10", "x" * 200]


@pytest.fixture(autouse=True)
def forgetful():
    """Fonts are looked for anew, before and after."""
    plots._has_fonts.cache_clear()
    yield
    plots._has_fonts.cache_clear()
    fonts._find_font.cache_clear()


def test_a_confusion_matrix_has_no_empty_boxes(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of letters that no font has
        plots.write_confusion(np.eye(len(NAMES), dtype=int), NAMES, "valid", tmp_path / "confusion.png")
    shown = plots.legible(NAMES)
    assert shown[0] == "über" and shown[2:4] == NAMES[2:4] and len(shown[4]) == plots.LONGEST_NAME
    said = capsys.readouterr().err
    assert (shown[1] == NAMES[1]) == (not said), "either a font has it, or the number stands there and a line says so"


@pytest.mark.parametrize("classes", [3, 9, 45])
def test_a_title_is_not_cut_off(tmp_path, monkeypatch, classes):
    cut = []

    def measure(figure, path):
        figure.canvas.draw()
        box = figure._suptitle.get_window_extent()
        cut.append(box.x0 < 0 or box.x1 > figure.bbox.width or box.y1 > figure.bbox.height)

    monkeypatch.setattr(plots, "save", measure)
    names = [f"s{number}" for number in range(classes)]
    title = "colour pictures + movement + points of body and hands, 50 test clips WWWWWWWW WWWWWWW"
    plots.write_confusion(np.eye(classes, dtype=int), names, title, tmp_path / "c.png")
    assert cut == [False]


def test_without_fonts_there_are_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fonts, "installed_fonts", tuple)
    fonts._find_font.cache_clear()
    fonts.say_missing.cache_clear()
    assert plots.legible(NAMES)[:4] == ["über", "sign 2", "مرحبا", "5 $ or $ 10"], "matplotlib's own font has Arabic"
    bars = [(NAMES[1], 0.5, "1 to 2 of 2"), (NAMES[0], -0.5, "2 to 1 of 2")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.write_gains(
            bars, [("a", np.eye(5, dtype=int)), ("b", np.eye(5, dtype=int))], NAMES, tmp_path / "gain.png"
        )
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "नमस्ते: pictures show numbers instead" in said
