"""Clips of what is no sign, for a network that learns all of itself from a data set that has none.

    clips = draw_clips(takes, loops, share, seed)           takes, loops: points; one of each person's own bodies
    loops = loops_not_taught(takes, labels)                 of 30 signs of German Sign Language, one each

As signs/training/background.py has them for the last layer alone: other people's signs, made with the bodies of the
takes, and what people do between signs (pauses.py). Bodies are those of the takes, for a network would else tell a sign
by the body that makes it.
"""

from pathlib import Path

from signs.clips import posture
from signs.clips.points import Points
from signs.clips.spec import InputSpec
from signs.inference import runtime, sign_loops
from signs.inference.bundle import DGS, load_bundle
from signs.training import pauses
from signs.training.background import MOVING, OTHER_SIGNS, STILL, taught

import numpy as np

STARTER = Path(__file__).resolve().parents[1] / "live" / "starter"
SHARE = OTHER_SIGNS + STILL + MOVING  # clips of no sign for each of a sign
BATCH = 64  # clips that the network sees at once
EACH = 2  # of other signs that one take's body makes, at most


def draw_clips(takes: list[Points], loops: list[Points], share: float = SHARE, seed: int = 0) -> list[Points]:
    """`share` clips for each take, of the kinds as in background.py, one of each at least; fewer where arms are seen in
    few takes, none where in none. Equal input gives equal clips."""
    parts = {"other": OTHER_SIGNS if loops else 0.0, "still": STILL, "moving": MOVING}
    wanted = {kind: max(round(part * share / SHARE * len(takes)), part > 0) for kind, part in parts.items()}
    drawn, rng = {kind: [] for kind in wanted}, np.random.default_rng([2, seed])
    for number in rng.permutation(len(takes)):
        person = pauses.person_of(takes[number])
        if person is None:
            continue
        for kind, clip in pauses.pauses_of(takes[number], rng):
            drawn["still" if kind in pauses.STILL else "moving"].append(clip)
        drawn["other"] += [person.sign(loops[chosen], rng) for chosen in rng.permutation(len(loops))[:EACH]]
        if all(len(drawn[kind]) >= count for kind, count in wanted.items()):
            break
    return [clip for kind, clips in drawn.items() for clip in clips[: wanted[kind]]]


def loops_not_taught(takes: list[Points], labels: list[str]) -> list[Points]:
    """Loops of those signs of German Sign Language that are none of these takes' signs: by which no half of a label's
    takes are called by the network that knows them. labels: (N,) of the takes."""
    bundle = load_bundle(DGS)
    row = bundle.streams[0]
    network = runtime.KerasNetwork.load(row, bundle.weights(row))
    seen = np.stack([posture.seen(take, InputSpec(frames=bundle.spec.input.frames)) for take in takes])
    names = sorted(set(labels))
    targets = np.eye(len(names))[[names.index(label) for label in labels]]
    logits = np.concatenate([network.logits(seen[start : start + BATCH]) for start in range(0, len(seen), BATCH)])
    gone = {bundle.classes[number].label for number in taught(logits, targets)}
    return [points for label, points in sign_loops.read_loops(STARTER).items() if label not in gone]
