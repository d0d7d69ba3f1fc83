"""What the page says of the model: its signs, how the points are joined, where corrected signs would be kept.

card = make_card(recogniser, keeper, own)
"""

from dataclasses import dataclass

from signs.command import Problem
from signs.inference.sign_loops import loops_of
from signs.landmarks import skeleton
from signs.prepare.keepers import RecordedTakes

import numpy as np

MOST_MOMENTS = 45  # of a sign's loop
SIDE = 1000  # units of the square that a loop is drawn in


@dataclass(frozen=True)
class ModelCard:
    """signs: (name, number of its loop or None); loops: JSON of each; folder, signer: of what is kept, or empty;
    records: the folder where visitors record signs of their own, or empty."""

    signs: tuple[tuple[str, int | None], ...]
    loops: tuple[dict, ...]
    folder: str
    signer: str
    records: str

    def about(self) -> dict:
        return {
            "signs": [{"name": name, "loop": loop} for name, loop in self.signs],
            "lines": {"body": skeleton.BODY, "hand": skeleton.HAND},
            "keeps": bool(self.folder),
        }


def make_card(recogniser, keeper=None, own=None) -> ModelCard:
    """Of a loaded recogniser; keeper: of keepers.py; own: of own_folder.py. With a damaged loop none is
    shown."""
    try:
        loops = loops_of(recogniser.bundle) if recogniser.bundle.spec.stored.landmark else {}
    except Problem:
        loops = {}
    signs, drawn = [], []
    for row in recogniser.classes:
        if row.kind == "gesture":
            signs.append((row.name, len(drawn) if row.label in loops else None))
            if row.label in loops:
                drawn.append(loop_of(loops[row.label]))
    folder = keeper.folder.name if keeper else ""
    signer = keeper.signer if isinstance(keeper, RecordedTakes) else ""
    return ModelCard(tuple(signs), tuple(drawn), folder, signer, own.folder.name if own else "")


def loop_of(points) -> dict:
    """Points of a sign -> JSON: moments of whole numbers in a square of SIDE units, [x, y] or None for each point, and
    the seconds of all."""
    chosen = np.unique(np.linspace(0, len(points.times) - 1, min(MOST_MOMENTS, len(points.times))).round().astype(int))
    seen = np.where(points.body[..., 3:] >= skeleton.VISIBLE, points.body[..., :2], np.nan)
    hands = points.hands[..., :2].reshape(len(points.times), -1, 2)
    every = np.concatenate([seen, hands], axis=1)[chosen]
    shown = np.concatenate([seen[:, skeleton.SHOWN], hands], axis=1)
    if np.isnan(shown).all():
        return {"seconds": 1.0, "moments": []}
    low, high = np.nanmin(shown, axis=(0, 1)), np.nanmax(shown, axis=(0, 1))
    size = max(float((high - low).max()), 1.0) * (1 + 2 * skeleton.MARGIN)
    places = (every - (low + high - size) / 2) / size * SIDE
    moments = [[None if np.isnan(place).any() else [round(float(v)) for v in place] for place in one] for one in places]
    return {"seconds": round(float(points.times[-1] - points.times[0]), 2), "moments": moments}
