"""What the demo's model says to drawn people whom nobody has seen, and to movements that are no sign, kind by kind.

    python benchmarks/bench_demo.py --model model/demo [another ...] [--people 12]

People are drawn of another seed than the demo's. Each makes the eight signs, once as usual and once as somebody who is
hard to recognise; every kind of movement that is no sign, those too that the model learnt nothing of (a salute, claps,
a stretch); and as many signs that are not among the eight (synthetic_signs.py). Each is written as a video and given to
the model as predict.py does. Of the eight signs the share that is named rightly and surely enough is told; of all else
the share that is named, a false answer. Intervals: 95 %, over people. The last line is JSON.
"""

import argparse
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.evaluation import scores
from signs.inference.recogniser import Recogniser
from signs.prepare import synthetic, synthetic_pauses, synthetic_signs, transfer

import prepare_demo

SEED = 24  # of the people; the demo's is 0
RIGHT, NAMED = "right", "named"


@dataclass(frozen=True)
class Asked:
    """One clip to draw and ask about; name: of the sign that is the right answer, "" where there is none."""

    row: str
    person: int
    movement: object
    manner: synthetic.Manner = synthetic.USUAL
    name: str = ""


def asked(people: int) -> Iterator[Asked]:
    """Every clip, row by row of the table."""
    for row, manner in (("the eight signs", synthetic.USUAL), ("by somebody hard to recognise", synthetic.HARD)):
        for person, (name, movement) in itertools.product(range(people), prepare_demo.SIGNS.items()):
            yield Asked(row, person, movement, manner, name)
    unseen = (*synthetic_pauses.UNSEEN_VALID, *synthetic_pauses.UNSEEN_TEST)
    for kind, person in itertools.product((*synthetic_pauses.LEARNT, *unseen), range(people)):
        yield Asked(f"{kind}, never learnt" if kind in unseen else kind, person, synthetic_pauses.Pause(kind))
    for person, sign in itertools.product(range(people), synthetic_signs.draw_signs(8)):
        yield Asked("other signs, never learnt", person, sign)


def answer(recogniser: Recogniser, clip: Asked, number: int, folder: Path) -> str:
    """The name of the sign that the model gives; "" where it is not sure, or says that there is none."""
    signer = synthetic.signer_of(SEED, clip.person, clip.manner)
    colour, _ = synthetic.draw_clip(signer, clip.movement, np.random.default_rng([SEED, clip.person, number]))
    transfer.write_video(folder / "clip.avi", colour, synthetic.RATE, prepare_demo.CODEC)
    given = recogniser.answer_video(folder / "clip.avi")[0]
    best = next(row for row in recogniser.classes if row.label == given.ranked[0][0])
    return best.name if given.known and best.kind == "gesture" else ""


def measure(folders: list[Path], people: int) -> dict[str, dict[str, dict]]:
    """{row: {model: {of, value, low, high}}}: of signs those named rightly, of all else those named."""
    models = {str(folder): Recogniser.load(folder) for folder in folders}
    found: dict[tuple[str, str], list[tuple[bool, str]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, clip in enumerate(asked(people)):
            for model, recogniser in models.items():
                name = answer(recogniser, clip, number, Path(scratch))
                hit = name == clip.name if clip.name else name != ""
                found.setdefault((clip.row, model), []).append((hit, str(clip.person)))
    results = {}
    for (row, model), hits in found.items():
        values, owners = zip(*hits, strict=True)
        share = scores.share(np.array(values), scores.draw_bootstrap(list(owners)))
        signs = row in ("the eight signs", "by somebody hard to recognise")
        shown = {"of": RIGHT if signs else NAMED, "value": share.value, "low": share.low, "high": share.high}
        results.setdefault(row, {})[model] = {**shown, "clips": len(values)}
    return results


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--model", type=Path, nargs="+", required=True, help="models of `make demo`")
    flags.add_argument("--people", type=int, default=12, help="drawn people (12)")
    args = flags.parse_args(argv)
    results = measure(args.model, args.people)
    table = Table("movement", "percent", "clips", *map(str, args.model), title="answers, 95 % over people")
    for row, models in results.items():
        first = next(iter(models.values()))
        cells = [scores.with_interval(share["value"], (share["low"], share["high"])) for share in models.values()]
        table.add_row(row, first["of"], str(first["clips"]), *cells)
    Console(width=130).print(table)
    print(json.dumps(results))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
