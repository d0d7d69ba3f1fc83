"""Name signs live: sign in front of a camera, and read what it was.

    python livedemo.py --model model/chalearn

in:   a model bundle, a camera or a video file that plays the camera's part
out:  a window: what the camera sees, the three best names with bars, what each stream says on its own, the kept frames
      beside their optical flow, the signs so far, and the time it took. With --no-window one sign is printed.

Three ways to sign: after a countdown, hands-free (the rest pose is learnt for 3 s; then movement begins and ends a
sign) and continuously (a window slides over the picture). Keys: space starts a sign, or learns the rest pose anew; h is
hands-free, c continuous, and again the countdown; m mirrors the picture (what the network sees is never mirrored), f is
full screen, q or Esc quits. A video file is shown over and over.
"""

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from signs import command
from signs.command import Problem

HERE = Path(__file__).parent
DEMO = HERE / "model" / "demo"  # what `make demo` trains
MODES = ("countdown", "hands-free", "continuous")
SECONDS = 5.0
CLOSE = 1e-3  # logits by which --check lets camera and file differ


class Demo:
    """Source -> mode -> answer, driven by `step`: the one path, with and without a window.

    load: the recogniser, which may still be on its way; build: recogniser -> {name: mode}.
    """

    def __init__(self, source, load: Future, build: Callable, mode: str = MODES[0]):
        from signs.inference.timing import Timings

        self.source, self.load, self.build, self.wanted = source, load, build, mode
        self.modes, self.mode, self.picture, self.moment = {}, None, None, 0.0  # the last frame, and when it came
        self.timings = Timings()
        self.explained, self._last, self._offset = False, None, 0.0

    @property
    def recogniser(self):
        return self.load.result()

    def choose(self, name: str) -> None:
        """Another way to sign; the same again is the countdown."""
        self.wanted = MODES[0] if name == self.wanted else name
        self.explain()
        if self.modes:
            self.mode.settle()
            self.mode = self.modes[self.wanted]
            if self.wanted != MODES[0]:
                self.mode.restart()

    def step(self, wait: float = 0.0) -> None:
        """Take what has arrived, let time pass, and see whether the answer is there; raises the source's Problem."""
        if self.mode is None and self.load.done():
            self.modes = self.build(self.load.result())
            self.mode = self.modes[self.wanted]
            self.explain()
        for frame, seconds in self.source.arrived(wait):
            self.picture, self.moment = frame, seconds
            if self.mode:
                self.mode.frame(frame, self._rising(seconds))
        if self.source.ended:
            if self.mode:
                self.mode.ended()
            if self.source.loops:
                self.source.restart()
        if self.mode:
            before = self.mode.state
            self.mode.tick()
            if before == "countdown" and self.mode.state == "recording":
                self.source.restart()

    def explain(self) -> None:
        """What a model trained on so many frames, however long a sign is, cannot do ahead of time."""
        if self.wanted == "hands-free" and self.load.done() and not self.explained:
            rule = self.recogniser.bundle.spec.stored.frames
            if rule.isdigit():
                print(
                    f"this model sees {rule} frames of a sign, however long it is; which ones, and their flow, is "
                    "known when it is over.\nOne whose clips are stored at a rate (frame.py --frames 10fps) keeps "
                    "up.",
                    flush=True,
                )
            self.explained = True

    def _rising(self, seconds: float) -> float:
        """A file that begins again goes on in time."""
        if self._last is not None and seconds + self._offset <= self._last:
            self._offset = self._last - seconds + 0.04
        self._last = seconds + self._offset
        return self._last

    def close(self) -> None:
        for mode in self.modes.values():
            mode.close()


def lines(recogniser, mode) -> list[str]:
    """The mode's answer as text: the three best, each stream's own first answer, and the time it took."""
    answer, name = mode.answer, recogniser.name
    wide = max(len(name(label)) for label, _ in answer.ranked[:3])
    ranked = [
        f"{place}  {name(label):{wide}}  {part:6.1%}" for place, (label, part) in enumerate(answer.ranked[:3], start=1)
    ]
    if not answer.known:
        ranked.append(
            f"not sure: calibrated {answer.confidence:.0%}, an answer needs {recogniser.calibration.threshold:.0%}"
        )
    streams = [f"{key}: {name(each[0][0])} {each[0][1]:.1%}" for key, each in answer.streams.items()]
    steps = ", ".join(f"{key} {seconds:.2f} s" for key, seconds in answer.seconds.items())
    machine = mode.machine
    recorded = f"{machine.frames} frames in {machine.last - machine.first:.1f} s"
    return [*ranked, "   ".join(streams), f"{recorded}; answer {mode.latency:.2f} s after the last (in all {steps})"]


def record_once(demo: Demo) -> None:
    """Without a window: one sign, its countdown on the terminal; raises Problem where it cannot be recognised."""
    wait([demo.load])
    demo.step()
    mode, said = demo.mode, None
    mode.start()
    while mode.state != "result":
        demo.step(wait=0.02)
        now = f"{mode.left + 0.999:.0f}" if mode.state == "countdown" else mode.state
        if mode.machine.countdown > 0 and now != said and mode.state != "result":
            print(now, flush=True)
            said = now
        if mode.state == "translating":
            mode.settle()  # a file that has ended has nothing more to wait for, and turning in circles costs the answer
        if mode.state == "idle":
            raise Problem(mode.message)


def check(demo: Demo, path: Path) -> int:
    """The camera's path against predict.py's on one file; returns the exit code."""
    from signs.clips.video import read_video

    record_once(demo)
    recogniser, live = demo.recogniser, demo.mode.answer
    expected = recogniser.answer(*read_video(path, recogniser.bundle.spec.stored.short_side))
    worst = 0.0
    for name, logits in expected.logits.items():
        off = float(abs(logits - live.logits[name]).max())
        worst = max(worst, off)
        print(
            f"{name}: camera {recogniser.name(live.streams[name][0][0])}, file "
            f"{recogniser.name(expected.streams[name][0][0])}, logits {off:.2g} apart"
        )
    same = worst <= CLOSE
    print(
        f"{path}: camera and file {'agree' if same else 'differ'} ({recogniser.runtime}; {worst:.2g}, "
        f"at most {CLOSE:g})"
    )
    return command.DONE if same else command.NOTHING


def arguments(argv) -> "argparse.Namespace":  # noqa: F821
    flags = command.parser(__doc__)
    flags.add_argument("--model", type=Path, help="model bundle, e.g. model/chalearn; without it that of `make demo`")
    source = flags.add_mutually_exclusive_group()
    source.add_argument("--camera", type=int, default=0, metavar="N", help="number of the camera")
    source.add_argument("--video", type=Path, help="a video file in the camera's place")
    source.add_argument("--cameras", action="store_true", help="list the cameras, with a picture of each, and end")
    flags.add_argument("--mode", choices=MODES, default=MODES[0], help="how a sign begins and ends")
    flags.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="S",
        help="length of a recording, at most the file's; of the window in continuous mode",
    )
    flags.add_argument("--countdown", type=float, default=3.0, metavar="S", help="seconds before a recording begins")
    flags.add_argument("--full-screen", action="store_true", help="open the window over the whole screen")
    flags.add_argument("--no-window", action="store_true", help="record once and print the answer")
    flags.add_argument(
        "--check",
        action="store_true",
        help="push --video through the camera's path, at its own rate, and compare with predict.py",
    )
    flags.add_argument("--record", type=Path, metavar="FILE", help="save what the window shows, .mp4 or .avi")
    flags.add_argument("--timings", action="store_true", help="print median and 95th percentile of every step")
    command.add_runtime(flags)
    args = flags.parse_args(argv)
    if not args.seconds > 0 or not args.countdown >= 0:
        flags.error(f"--seconds {args.seconds:g} --countdown {args.countdown:g}; expected more than 0, and 0 or more")
    if args.check and not args.video:
        flags.error("--check needs the --video that is to be compared")
    if args.record and args.record.suffix.lower() not in (".mp4", ".avi"):
        flags.error(f"--record {args.record}: expected .mp4 or .avi")
    args.no_window |= args.check
    if args.no_window and (args.record or args.mode != MODES[0]):
        flags.error("--record and --mode want a window")
    return args


def main(argv=None) -> int:
    args = arguments(argv)
    try:
        return list_cameras() if args.cameras else demonstrate(args)
    except KeyboardInterrupt:
        print("livedemo.py: stopped", file=sys.stderr)
        return command.STOPPED


def list_cameras() -> int:
    """Each camera with its name, its size and rate, and a test picture in this folder."""
    import cv2

    import videocapture

    found = videocapture.cameras()
    if not found:
        raise Problem(videocapture.camera_problem(0))
    for camera in found:
        if camera.picture is None:
            print(f"{camera.index}  {camera.name}: {camera.problem}")
            continue
        path = Path(f"camera-{camera.index}.png")
        cv2.imwrite(str(path), camera.picture[..., ::-1])
        height, width = camera.picture.shape[:2]
        print(f"{camera.index}  {camera.name}: {width}x{height}, {camera.rate:.0f} frames/s -> {path}")
    usable = [camera.index for camera in found if camera.picture is not None]
    if usable:
        print(f"python livedemo.py --camera {usable[0]}")
    return command.DONE if usable else command.NOTHING


def find_model(model: Path | None) -> Path:
    """The bundle that was asked for, or that of `make demo`; raises Problem where there is none."""
    if model is not None or (DEMO / "bundle.json").is_file():
        return model or DEMO
    raise Problem(
        "no model yet; make one with `make demo` (some minutes), or train your own with train_i3d.py and "
        "name it with --model"
    )


def load_recogniser(folder: Path, runtime: str):
    """In a thread, while the picture is there already."""
    from signs.inference import timing
    from signs.inference.recogniser import Recogniser, check_camera

    timing.step_back()  # what the networks' libraries start inherits it
    model = Recogniser.load(folder, runtime, live=True)
    check_camera(model.bundle)
    model.warm_up()  # the first answer should not take longer than the others
    return model


def demonstrate(args) -> int:
    """Open display, source and model, in the order of how soon each can say no; then run."""
    model = find_model(args.model)
    if not args.no_window:
        from signs.live.window import check_display, show

        check_display()
    import videocapture

    with contextlib.ExitStack() as stack:
        # In this order: whoever waits at the end for a translation should not hold the camera meanwhile.
        worker = stack.enter_context(ThreadPoolExecutor(1))
        # Without a window nobody has to get ready, and a file need not take its time.
        source = stack.enter_context(
            videocapture.open_source(args.camera, args.video, paced=not args.no_window or args.check)
        )
        # A file is not recorded beyond its end, and compared as a whole.
        seconds = source.span(float("inf") if args.check else args.seconds) or args.seconds
        countdown = 0.0 if args.no_window and args.video else args.countdown
        demo = Demo(
            source,
            worker.submit(load_recogniser, model, args.runtime),
            lambda recogniser: build_modes(recogniser, worker, countdown, seconds, args.seconds),
            args.mode,
        )
        stack.callback(demo.close)
        if not args.no_window:
            code = show(demo, args.full_screen, args.record)
        elif args.check:
            code = check(demo, args.video)
        else:
            record_once(demo)
            print("\n".join(lines(demo.recogniser, demo.mode)))
            code = command.DONE
        if args.timings and demo.mode:
            demo.timings.update(demo.mode.timings)
            print(demo.timings.table())
    return code


def build_modes(recogniser, worker, countdown: float, seconds: float, window: float) -> dict:
    """{name: mode} of a recogniser that has just been loaded."""
    from signs.live.continuous import Continuous
    from signs.live.countdown import Countdown
    from signs.live.hands_free import HandsFree

    unknown = recogniser if recogniser.endless else recogniser.whole  # for signs whose end is not known beforehand
    return {
        "countdown": Countdown(recogniser, worker, countdown, seconds),
        "hands-free": HandsFree(unknown, worker),
        "continuous": Continuous(unknown, worker, window),
    }


if __name__ == "__main__":
    sys.exit(command.run(main))
