"""A model of somebody's own signs beside the one before it, on the same takes, in plain words.

    for line in compare(Path("model/mine"), Path("model/mine.new"), corrected): print(line)

Both were asked for takes that were left out while the rest was learnt (own_signs.py), and only those takes count that
both knew: so what is new in the second one makes the set neither harder nor easier.
"""

from pathlib import Path

from signs import command
from signs.command import Problem
from signs.inference.predictions import Predictions

LEFT_OUT = "left-out"  # predictions-left-out.csv of a model: a stream a way of leaving out


def read_right(model: Path) -> dict[str, dict[tuple[str, str], bool]]:
    """{"known" or "new": {(clip, label): whether it is right when it is left out}}; empty where nothing was asked."""
    try:
        table = Predictions.read(Predictions.path(model, LEFT_OUT), LEFT_OUT)
    except Problem:  # a model of an earlier version, or of one take a sign
        return {}
    takes = [(item.clip, item.label) for item in table.clips]
    return {name: dict(zip(takes, table.hits(name).tolist(), strict=True)) for name in table.streams}


def compare(before: Path, after: Path, corrected: set[str]) -> list[str]:
    """What there is to say of two models; corrected: names of clips that were kept after a wrong answer."""
    old, new = read_right(before), read_right(after)
    way = next((name for name in ("known", "new") if name in old and name in new), None)
    lines = []
    if way and (both := [take for take in new[way] if take in old[way]]):
        was, now = (sum(right[way][take] for take in both) for right in (old, new))
        takes = command.counted(len(both), "take")
        lines.append(f"{takes} that the model before had too: {was} right then, {now} now, each left out of learning")
        if now < was:
            lines.append(f"fewer are right; `python learn.py --model {before} --back` brings the one before back")
    asked = {clip: right for (clip, _), right in next(iter(new.values()), {}).items() if clip in corrected}
    if asked:
        right = sum(asked.values())
        lines.append(f"{command.counted(len(asked), 'answer')} that you corrected: {right} right now, when left out")
    return lines
