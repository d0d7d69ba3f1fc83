"""What the page says of the model: its signs, how the points are joined, where corrected signs would be kept.

card = make_card(recogniser, keeper, own)
"""

from dataclasses import dataclass

from signs.command import Problem
from signs.inference.sign_loops import loops_of
from signs.landmarks import skeleton
from signs.landmarks.figure import figure_of

import numpy as np

MOST_MOMENTS = 45  # of a sign's loop
SIDE = 1000  # units of the square that a loop is drawn in


@dataclass(frozen=True)
class ModelCard:
    """signs: (name, number of its loop or None); loops: JSON of each; folder: where corrected signs may be kept, or
    empty; records: where visitors record signs of their own, or empty."""

    signs: tuple[tuple[str, int | None], ...]
    loops: tuple[dict, ...]
    folder: str
    records: str

    def about(self) -> dict:
        return {
            "signs": [{"name": name, "loop": loop} for name, loop in self.signs],
            "lines": {"body": skeleton.BODY, "alone": skeleton.ALONE, "hand": skeleton.HAND},
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
    records = own.folder.name if own else ""
    return ModelCard(tuple(signs), tuple(drawn), keeper.folder.name if keeper else records, records)


def loop_of(points) -> dict:
    """Points of a sign -> JSON: moments of whole numbers in a square of SIDE units, [x, y] or None for each point, the
    seconds of all, and the radii of the head."""
    figure = figure_of(points)
    if figure is None:
        return {"seconds": 1.0, "moments": [], "head": [0, 0]}
    chosen = np.unique(np.linspace(0, len(points.times) - 1, min(MOST_MOMENTS, len(points.times))).round().astype(int))
    hands = points.hands[..., :2].reshape(len(points.times), -1, 2)
    places = (np.concatenate([figure.body[..., :2], hands], axis=1)[chosen] - figure.corner) / figure.size * SIDE
    moments = [[None if np.isnan(place).any() else [round(float(v)) for v in place] for place in one] for one in places]
    head = (figure.radii / figure.size * SIDE).round().astype(int).tolist()
    return {"seconds": round(float(points.times[-1] - points.times[0]), 2), "moments": moments, "head": head}
