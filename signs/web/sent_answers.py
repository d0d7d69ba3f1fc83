"""A visitor's answers to videos that he sent: what each was, and the video kept for whoever allows that.

    sent = SentAnswers()
    sent.said(answer, recogniser, content, keeper)  what uploads.py answered; content: an MP4 to keep, or None
    sent.obey({"do": "choose", "value": 1}); sent.view()

The last one is meant, as in a live session; a correction waits until it is written, so it runs in a thread.
"""

from dataclasses import dataclass

from signs.live.corrections import Corrections
from signs.web.snapshot import answer_words, faults_of

MODE = "file"  # in the table of answers
NAME = 500  # characters of a typed name that are looked at


@dataclass(frozen=True)
class Sent:
    """In the place of a film's strip: the bytes of an MP4."""

    content: bytes

    def video(self) -> bytes:
        return self.content


class SentAnswers:
    """names: {label: name} of the model that answered last."""

    def __init__(self):
        self.corrections, self.names = Corrections(listed=True), {}

    def said(self, answer, recogniser, content: bytes | None, keeper=None) -> dict:
        """A video was answered: JSON for the page; keeper: of keeping.py, for the content."""
        self.corrections.drop_pictures()  # of earlier videos, which cannot be corrected any more
        self.corrections.keeper = keeper
        self.names = {row.label: row.name for row in recogniser.classes}
        self.corrections.classes = recogniser.classes
        self.corrections.said(answer.ranked, answer.known, MODE, 0.0, Sent(content) if content else None)
        return self.view()

    def obey(self, order: dict) -> dict:
        """What somebody says that the last one was, carried out; JSON for the page."""
        correct(self.corrections, order.get("do"), order.get("value"))
        self.corrections.settle()
        return self.view()

    def view(self) -> dict:
        """The last answer, and what it was. Names are text."""
        if (meant := self.corrections.meant) is None:
            return {}
        return answer_words(meant, self.corrections.classes, self.names) | faults_of(self.corrections)


def correct(corrections: Corrections, what, value) -> bool:
    """What somebody says the meant answer was, as keys.py has it for the window; whether it was such an order."""
    match what:
        case "choose" if type(value) is int and value in (0, 1, 2):  # 1.0 is in it too
            corrections.choose(value)
        case "nothing":
            corrections.be_nothing()
        case "name" if isinstance(value, str):
            corrections.be(value[:NAME])
        case "take back":
            corrections.take_back()
        case "before":
            corrections.step_back()
        case _:
            return False
    return True
