"""What a recording session is to have: the flags of record.py, and what pauses ask for."""

from dataclasses import dataclass, field

# What people do between signs; a model that never saw it takes each of them for a sign.
PAUSES = (
    "rest your hands as you do between signs",
    "scratch your head, or touch your face",
    "walk out of the picture, and come back in",
    "straighten your hair or your clothes",
    "look around, and lean to one side",
    "reach for something, and put it back",
)


@dataclass
class Plan:
    """What is known before the window opens.

    takes: of each sign; seconds: the length of a take at most; countdown: seconds before it; scope: of a consent that
    was given by a flag, None where the window asks; given_by: empty where the person herself does.
    """

    signer: str = ""
    signs: list[str] = field(default_factory=list)
    takes: int = 5
    seconds: float = 3.0
    countdown: float = 3.0
    scope: tuple[str, ...] | None = None
    given_by: str = ""
