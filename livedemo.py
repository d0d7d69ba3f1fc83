"""Name signs live: sign in front of a camera, and read what it was.

    python livedemo.py --model model/chalearn

in:   a model bundle, or what share.py made of one, a zip or hf://owner/name (without --model: signs/live/starter, 30
      signs of German Sign Language), a camera or a video file that plays the camera's part
out:  a window: what the camera sees, the three best names with bars, each stream's answer, the kept frames beside
      their optical flow, the signs so far, and the time it took. With --no-window one sign is printed.

Three ways to sign: after a countdown, hands-free (the rest pose is learnt for 3 s; then movement begins and ends a
sign) and continuously (a window slides over the picture). Keys: space starts a sign, or learns the rest pose anew; h is
hands-free, c continuous, and again the countdown; m mirrors the picture (what the network sees is never mirrored), f is
full screen, i shows streams and timings, ? the signs it knows, r prints the last answer as one line, for screen
readers; q or Esc quits. A video file is shown over and over.

With --keep, keys and clicks say what an answer should have been, and the sign is kept for learn.py: 1, 2, 3 or a click
which of the three it was, n another name, 0 no sign; u takes that back, b means the answer before.
"""

import argparse
import contextlib
import functools
import re
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from signs import command
from signs.clips.footage import read_kept
from signs.command import Problem
from signs.inference import timing
from signs.inference.confidence import unsure
from signs.inference.recogniser import Recogniser, check_camera
from signs.live import screen, window
from signs.live.corrections import AnswerTable, Corrections
from signs.live.demo import MODES, Demo, build_modes
from signs.live.film import Film
from signs.live.hands_free import HandsFree
from signs.live.model_choice import find_model
from signs.prepare.keepers import open_keeper

import cv2
from rich.cells import cell_len, set_cell_size

import videocapture

CLOSE = 1e-3  # logits by which --check lets camera and file differ
LIST = "list"  # of --camera
REMEMBERED = HandsFree.LONGEST + 2  # seconds of pictures that --keep holds


def parse_arguments(argv) -> argparse.Namespace:
    flags = command.parser(__doc__)
    named = "model folder, zip of share.py, or hf://owner/name; without it 30 signs of German Sign Language"
    flags.add_argument("--model", type=Path, help=named)
    source = flags.add_mutually_exclusive_group()
    which = f"number of the camera; `{LIST}` shows the cameras, with a picture of each, and ends"
    source.add_argument("--camera", type=camera, default=0, metavar="N", help=which)
    source.add_argument("--video", type=Path, help="a video file in the camera's place")
    flags.add_argument("--mode", choices=MODES, default=MODES[0], help="how a sign begins and ends")
    length, before = command.number(above=0), command.number(least=0)
    text_size = command.number(least=0.5, most=4)
    recorded = "length of a recording, at most the file's; of the window in continuous mode"
    flags.add_argument("--seconds", type=length, default=5.0, metavar="S", help=recorded)
    flags.add_argument("--countdown", type=before, default=3.0, metavar="S", help="seconds before a recording begins")
    larger = "words that many times as large as usual, as far as they have room; usual grows with window and screen"
    flags.add_argument("--font-size", type=text_size, default=1.0, metavar="TIMES", help=larger)
    flags.add_argument("--full-screen", action="store_true", help="open the window over the whole screen")
    flags.add_argument("--no-window", action="store_true", help="record once and print the answer")
    checked = "push --video through the camera's path, at its own rate, and compare with predict.py"
    flags.add_argument("--check", action="store_true", help=checked)
    flags.add_argument("--record", type=Path, metavar="FILE", help="save what the window shows, .mp4 or .avi")
    keeping = flags.add_argument_group("what becomes of answers; without these nothing is stored")
    kept = "where signs go whose answers you correct: the --videos of learn.py, as recordings/mine"
    keeping.add_argument("--keep", type=Path, metavar="FOLDER", help=kept)
    keeping.add_argument("--signer", metavar="NAME", help="who signs, where several people are recorded there")
    table = "write each answer, and what it was, to this table; an earlier session's goes on"
    keeping.add_argument("--answers", type=Path, metavar="CSV", help=table)
    flags.add_argument("--timings", action="store_true", help="print median and 95th percentile of every step")
    command.add_runtime(flags)
    args = flags.parse_args(argv)
    args.no_window |= args.check
    check_combination(flags, args)
    return args


def check_combination(flags: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.check and not args.video:
        flags.error("--check needs the --video that is to be compared")
    if args.record and args.record.suffix.lower() not in (".mp4", ".avi"):
        flags.error(f"--record {args.record}: expected .mp4 or .avi")
    if args.no_window and (args.record or args.mode != MODES[0] or args.keep or args.answers):
        flags.error("--record, --mode, --keep and --answers want a window")
    if args.signer and not args.keep:
        flags.error("--signer says whose signs --keep keeps, which is missing")


def camera(text: str) -> int | str:
    """The type of --camera."""
    if text != LIST and not re.fullmatch("[0-9]{1,4}", text):  # OpenCV crashes at -1
        raise argparse.ArgumentTypeError(f"{text}: a number from 0 to 9999, or {LIST}")
    return text if text == LIST else int(text)


def main(argv=None) -> int:
    args = parse_arguments(argv)
    try:
        return print_cameras() if args.camera == LIST else demonstrate(args)
    except KeyboardInterrupt:
        print("livedemo.py: stopped", file=sys.stderr)
        return command.STOPPED


def print_cameras() -> int:
    """Each camera with its name, its size and rate, and a test picture in this folder."""
    cameras = videocapture.find_cameras()
    if not cameras:
        raise Problem(videocapture.camera_problem(0))
    for camera in cameras:
        if camera.picture is None:
            print(f"{camera.index}  {camera.name}: {camera.problem}")
            continue
        path = Path(f"camera-{camera.index}.png")
        path.write_bytes(cv2.imencode(".png", camera.picture[..., ::-1])[1])  # imwrite says nothing of a full disc
        height, width = camera.picture.shape[:2]
        print(f"{camera.index}  {camera.name}: {width}x{height}, {camera.rate:.0f} frames/s -> {path}")
    usable = [camera.index for camera in cameras if camera.picture is not None]
    if usable:
        print(f"python livedemo.py --camera {usable[0]}")
    return command.DONE if usable else command.NOTHING


def demonstrate(args) -> int:
    """Open display, source and model, in the order of how soon each can say no; then run."""
    model = find_model(args.model)
    if not args.no_window:
        window.check_display()
    corrections = open_corrections(args)
    with contextlib.ExitStack() as stack:
        # In this order: whoever waits at the end for a translation should not hold the camera meanwhile.
        worker = stack.enter_context(ThreadPoolExecutor(1))
        # Without a window nobody has to get ready, and a file need not take its time.
        paced = not args.no_window or args.check
        source = stack.enter_context(videocapture.open_source(args.camera, args.video, paced))
        # A file is not recorded beyond its end, and compared as a whole.
        seconds = source.span(float("inf") if args.check else args.seconds) or args.seconds
        countdown = 0.0 if args.no_window and args.video else args.countdown
        loading = worker.submit(load_recogniser, model, args.runtime, not args.no_window)
        modes = functools.partial(build_modes, worker=worker, countdown=countdown, seconds=seconds, window=args.seconds)
        film = Film(max(REMEMBERED, seconds + 1)) if args.keep else None
        demo = Demo(source, loading, modes, args.mode, corrections, film)
        stack.callback(demo.close)
        if not args.no_window:
            try:
                code = window.run_window(demo, args.full_screen, args.record, args.font_size)
            finally:
                faults = print_kept(demo.corrections, args)
            code = max(code, command.PARTLY if faults else command.DONE)
        else:
            code = compare_with_file(demo, args.video) if args.check else print_sign(demo, args.video)
        if args.timings and demo.mode:
            demo.timings.update(demo.mode.timings)
            if demo.mode.tracker:
                demo.timings.update(demo.mode.tracker.timings)
            print(demo.timings.table())
    return code


def open_corrections(args) -> Corrections:
    """Where answers and their signs go; raises Problem where they cannot."""
    keeper = open_keeper(args.keep, args.signer) if args.keep else None
    return Corrections(keeper, AnswerTable(args.answers) if args.answers else None)


def print_kept(corrections: Corrections, args) -> list[str]:
    """What was kept, and the command that learns from it; what was not is named and returned."""
    corrections.close()
    for fault in corrections.faults:
        print(command.one_line(f"livedemo.py: {fault}"), file=sys.stderr)
    if corrections.kept:
        print(f"{command.counted(corrections.kept, 'sign')} kept in {args.keep}: python learn.py --videos {args.keep}")
    return corrections.faults


def load_recogniser(folder: Path, runtime: str, in_window: bool) -> Recogniser:
    """In a thread, while the picture is there already."""
    timing.step_back()  # what the networks' libraries start inherits it
    recogniser = Recogniser.load(folder, runtime, live=True)
    check_camera(recogniser.bundle)
    recogniser.warm_up()  # the first answer should not take longer than the others
    if in_window:
        screen.names_of(recogniser)  # nor should the first picture wait for fonts
    return recogniser


def record_once(demo: Demo) -> None:
    """Without a window: one sign, its countdown on the terminal; raises Problem where it cannot be recognised."""
    wait([demo.loading])
    demo.step()
    mode, printed = demo.mode, None
    mode.start()
    while mode.state != "result":
        demo.step(wait=0.02)
        line = f"{mode.left + 0.999:.0f}" if mode.state == "countdown" else mode.state
        if mode.countdown > 0 and line != printed and mode.state != "result":
            print(line, flush=True)
            printed = line
        if mode.state == "translating":
            mode.settle()  # a file that has ended has nothing more to wait for, and turning in circles costs the answer
        if mode.state == "idle":
            raise Problem(mode.message)


def print_sign(demo: Demo, path: Path | None) -> int:
    """Record one sign; print what is odd about its file, if it has one, the three best, each stream's own first answer,
    and the time it took."""
    record_once(demo)
    if path:
        print_notes(path, read_kept(path, demo.recogniser.bundle.spec.stored)[2])
        print_notes(path, demo.mode.tracker.notes if demo.mode.tracker else [])
    recogniser, mode, answer = demo.recogniser, demo.mode, demo.mode.answer
    best = [(recogniser.name(label), probability) for label, probability in answer.ranked[:3]]
    wide = max(cell_len(name) for name, _ in best)
    for place, (name, probability) in enumerate(best, start=1):
        print(f"{place}  {set_cell_size(name, wide)}  {probability:6.1%}")
    if not answer.known:
        print(unsure(answer.confidence, recogniser.calibration.threshold))
    print("   ".join(f"{key}: {recogniser.name(row[0][0])} {row[0][1]:.1%}" for key, row in answer.streams.items()))
    steps = ", ".join(f"{key} {seconds:.2f} s" for key, seconds in answer.seconds.items())
    recorded = f"{command.counted(mode.frames, 'frame')} in {mode.last - mode.first:.1f} s"
    print(f"{recorded}; answer {mode.latency:.2f} s after the last (in all {steps})")
    return command.DONE


def print_notes(path: Path, notes: list[str]) -> None:
    """What is odd about a file, as predict.py says it."""
    for note in notes:
        print(command.one_line(f"{path}: {note}"), file=sys.stderr)


def compare_with_file(demo: Demo, path: Path) -> int:
    """The camera's path against predict.py's on one file; returns the exit code."""
    record_once(demo)
    recogniser, live = demo.recogniser, demo.mode.answer
    expected, notes = recogniser.answer_video(path)
    print_notes(path, notes)
    worst = 0.0
    for name, logits in expected.logits.items():
        off = float(abs(logits - live.logits[name]).max())
        worst = max(worst, off)
        camera, file = (recogniser.name(answer.streams[name][0][0]) for answer in (live, expected))
        print(f"{name}: camera {camera}, file {file}, logits {off:.2g} apart")
    same = worst <= CLOSE
    verdict = f"camera and file {'agree' if same else 'differ'}"
    print(f"{path}: {verdict} ({recogniser.runtime}; {worst:.2g}, at most {CLOSE:g})")
    return command.DONE if same else command.NOTHING


if __name__ == "__main__":
    sys.exit(command.run(main))
