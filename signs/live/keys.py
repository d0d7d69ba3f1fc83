"""What keys and clicks do in the live demo's window.

press(code, demo, screen, window)           a key as cv2.waitKeyEx gives it; True where it ends the demo
click((x, y), demo, screen)                 on an answer: it was this
"""

from signs import command
from signs.live.spoken import spoken
from signs.live.text_field import BACKSPACES, ENTERS, ESCAPES, TextField

WAYS = {"h": "hands-free", "c": "continuous"}
ESCAPE = 27


def key_of(code: int | None) -> str:
    """A key as cv2.waitKeyEx gives it -> a small letter or another character, `q` for Esc; "" for what has none."""
    code = 0 if code is None else code & 0xFFFF  # above are the bits of Shift and the like; a cursor key is above ASCII
    return "q" if code == ESCAPE else chr(code).lower() if 0 < code < 128 else ""


def press(code: int | None, demo, screen, window) -> bool:
    """A key, or None where none was pressed; whether it ends the demo."""
    if code is None:
        return False
    if screen.typed is not None:
        type_name(code, demo, screen)
        return False
    key = key_of(code)
    if screen.page is not None and key != "?":
        screen.page = None
        return False
    if key == "q":
        return True
    if key == "?":
        screen.turn_page()
    elif key == "m":
        screen.mirror = not screen.mirror
    elif key == "r":
        print(command.one_line(spoken(demo)), flush=True)
    elif key == "i":
        screen.details = not screen.details
    elif key == "f":
        window.toggle_full_screen()
    elif key == " " and demo.mode:
        demo.mode.start()
    elif key in WAYS:
        demo.switch_mode(WAYS[key])
    elif demo.corrections.meant:
        correct(key, demo, screen)
    return False


def correct(key: str, demo, screen) -> None:
    """A key that says what the last answer was."""
    corrections = demo.corrections
    if key in ("1", "2", "3"):
        corrections.choose(int(key) - 1)
    elif key == "0":
        corrections.be_nothing()
    elif key == "n" and corrections.is_kept:
        screen.typed = TextField()
    elif key == "u":
        corrections.take_back()
    elif key == "b":
        corrections.step_back()
    else:
        return
    demo.mode.set_aside()


def type_name(code: int, demo, screen) -> None:
    """A key while a sign's name is typed: Enter takes it, Esc leaves."""
    if code in ESCAPES or (code in BACKSPACES and not screen.typed.text):
        screen.typed = None
    elif screen.typed.press(code):
        name, screen.typed = screen.typed.text, None
        demo.corrections.be(name)
    if code in ENTERS or code in ESCAPES:
        demo.mode.set_aside()


def click(point: tuple[int, int] | None, demo, screen) -> None:
    """A click into the window, in its pixels."""
    number = None if point is None else screen.answer_at(*point)
    if number is not None:
        demo.corrections.choose(number)
        demo.mode.set_aside()
