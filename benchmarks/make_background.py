"""What other people's signs are to the network that learn.py builds on: makes signs/models/dgs/background.npz.

    python benchmarks/make_background.py --points dgs30.npz

learn.py learns from it what no sign is that somebody taught (signs/training/background.py). It holds no points but the
outputs of the network below its last layer, of some clips of each of 30 signs (make_start.py says where they come
from), as they are and in a mirror. It belongs to the weights beside it; make it anew when those are.

    there, mirrored (clips, 192) float16; label (clips,) text; weights: SHA-256 of landmark.weights.h5
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import posture
from signs.clips.spec import InputSpec
from signs.evaluation import own_signs
from signs.training import background, last_layer

from make_start import dgs_clips

CLIPS = 10  # of each sign


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--points", type=Path, required=True, help="dgs30.npz, as for make_start.py")
    flags.add_argument("--output", type=Path, default=own_signs.DGS / background.FILE, help="the file")
    args = flags.parse_args(argv)
    rows, clips = dgs_clips(args.points)
    labels, rng = np.array([row.label for row in rows]), np.random.default_rng(0)
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:CLIPS] for label in np.unique(labels)]
    chosen = np.concatenate(chosen)
    network, moments, _ = own_signs.open_start()
    seen = np.stack([posture.seen(clips[number], InputSpec(frames=moments)) for number in chosen])
    there, mirrored = (np.float16(rows) for rows in last_layer.features_of(network, seen))
    weights = command.sha256(own_signs.DGS / "landmark.weights.h5")
    np.savez_compressed(args.output, there=there, mirrored=mirrored, label=labels[chosen], weights=weights)
    print(f"{len(chosen)} clips -> {args.output}, {args.output.stat().st_size / 1000:.0f} kB")
    return command.DONE


if __name__ == "__main__":
    sys.exit(main())
