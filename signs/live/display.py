"""The screen that a window is opened on: how large it is, and how many times as large as usual it wants words.

screen = find_screen()          Screen(3840, 2160, 2.0), or None where nobody says

highgui does not tell, so the system is asked, by what it has: X11 and its Xft.dpi, Windows, macOS. Only X11 was run.
"""

import ctypes
import ctypes.util
import os
import re
import sys
from typing import NamedTuple

USUAL_DPI = 96.0


class Screen(NamedTuple):
    """width, height: pixels; scale: of words and windows, as the user or the system has set it."""

    width: int
    height: int
    scale: float


def find_screen() -> Screen | None:
    """None where the system does not say, as under Wayland without X11."""
    finder = {"win32": _of_windows, "darwin": _of_macos}.get(sys.platform, _of_x11)
    try:
        screen = finder()
    except (OSError, AttributeError):  # no such library, or an old one
        return None
    return screen if screen and screen.width > 0 and screen.height > 0 else None


def _of_x11() -> Screen | None:
    path = ctypes.util.find_library("X11") if os.environ.get("DISPLAY") else None
    if path is None:
        return None
    x11 = ctypes.CDLL(path)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XResourceManagerString.restype = ctypes.c_char_p
    display = ctypes.c_void_p(x11.XOpenDisplay(None))
    if not display:
        return None
    try:
        number = x11.XDefaultScreen(display)
        size = x11.XDisplayWidth(display, number), x11.XDisplayHeight(display, number)
        return Screen(*size, _scale_of(x11.XResourceManagerString(display) or b""))
    finally:
        x11.XCloseDisplay(display)


def _scale_of(resources: bytes) -> float:
    """Of X11's resources: a desktop writes the density there that its user has chosen."""
    found = re.search(rb"^Xft\.dpi:\s*([0-9.]+)", resources, re.MULTILINE)
    return max(1.0, float(found[1]) / USUAL_DPI) if found else 1.0


def _of_windows() -> Screen:
    user = ctypes.windll.user32
    user.SetProcessDPIAware()  # else all is said as if there were 96 dots an inch, and the window is blurred
    return Screen(user.GetSystemMetrics(0), user.GetSystemMetrics(1), user.GetDpiForSystem() / USUAL_DPI)


def _of_macos() -> Screen:
    """In points: macOS scales windows itself."""
    graphics = ctypes.CDLL(ctypes.util.find_library("CoreGraphics"))
    main = graphics.CGMainDisplayID()
    return Screen(graphics.CGDisplayPixelsWide(main), graphics.CGDisplayPixelsHigh(main), 1.0)
