"""Name the signs in video files.

    python predict.py --model model/chalearn clip.avi another.mp4
    python predict.py --model model/chalearn --json clip.avi          (one line of JSON a clip)

in:   a model bundle, or what share.py made of one, a zip or hf://owner/name; each video holds one sign
out:  on the standard output, ranked labels with their probabilities; an answer that is not sure enough is marked, once
      evaluate.py has calibrated the model on its validation clips
"""

import json
import sys
from pathlib import Path

from signs import command
from signs.clips.footage import Footage
from signs.clips.trim import trimmed
from signs.command import Outcome
from signs.inference.confidence import unsure
from signs.inference.recogniser import Recogniser, check_camera
from signs.inference.session import Answer


def as_json(path: Path, answer: Answer, top: int, notes: list[str]) -> str:
    """{"clip", "label", "probability", "top", "streams", "seconds", "known", "notes"}, as one line."""

    def rounded(ranked):
        return [[label, round(probability, 6)] for label, probability in ranked[:top]]

    label, probability = answer.ranked[0]
    content = {
        "clip": str(path),
        "label": label,
        "probability": round(probability, 6),
        "top": rounded(answer.ranked),
        "streams": {name: rounded(ranked) for name, ranked in answer.streams.items()},
        "seconds": {step: round(seconds, 4) for step, seconds in answer.seconds.items()},
        "known": answer.known,
        "notes": notes,
    }
    return json.dumps(content)


def as_text(path: Path, answer: Answer, recogniser: Recogniser, top: int) -> str:
    """Ranked labels with their names, and each stream's first."""
    lines = [command.one_line(str(path))]
    signs = {row.label for row in recogniser.classes if row.kind != "none"}
    for label, probability in answer.ranked[:top]:
        name = recogniser.name(label)
        shown = name if name == label or label not in signs else f"{label}  {name}"
        lines.append(f"  {probability:6.1%}  {shown}")
    if not answer.known:
        lines.append(f"  {unsure(answer.confidence, recogniser.calibration.threshold)}")
    best = {name: ranked[0] for name, ranked in answer.streams.items()}
    alone = ", ".join(f"{name} {recogniser.name(label)} {share:.0%}" for name, (label, share) in best.items())
    streams = f"each stream alone: {alone}; " if len(best) > 1 else ""
    return "\n".join([*lines, f"  {streams}{sum(answer.seconds.values()):.2f} s"])


def predict(recogniser: Recogniser, paths: list[Path], top: int, json_lines: bool, trims: bool = False) -> Outcome:
    """Print one answer a file; a file that is no video is named and the rest is done.

    trims: without what is idle before and after the sign."""
    outcome = Outcome()
    for path in paths:
        with command.noting(outcome.failed, str(path)):
            answer, notes = recogniser.answer_video(trimmed(Footage(path)) if trims else path)
            for note in notes:
                print(command.one_line(f"{path}: {note}"), file=sys.stderr)
            print(
                as_json(path, answer, top, notes) if json_lines else as_text(path, answer, recogniser, top), flush=True
            )
            outcome.done.append(path)
    return outcome


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="video files, one sign each")
    flags.add_argument("--model", type=Path, required=True, help="model folder, a zip of share.py, or hf://owner/name")
    flags.add_argument("--json", action="store_true", help="one line of JSON a clip")
    command.add_runtime(flags)
    flags.add_argument("--top", type=command.number(int, least=1), default=5, metavar="N", help="labels shown")
    idle = "without what is idle before and after the sign: for models of data made with prepare_videos.py --trim"
    flags.add_argument("--trim", action="store_true", help=idle)
    args = flags.parse_args(argv)
    recogniser = Recogniser.load(args.model, args.runtime)
    check_camera(recogniser.bundle)
    recogniser.warm_up()
    return predict(recogniser, args.clips, args.top, args.json, args.trim).summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
