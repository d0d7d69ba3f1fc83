"""Name signs live: press space in front of a camera, make one sign, and read what it was.

    python livedemo.py --model model/chalearn

in:   a model bundle, a camera or a video file that plays the camera's part
out:  a window: countdown, recording, then the three best names, what each stream says on its own, the kept frames
      beside their optical flow, and the time it took. With --no-window one sign is recorded and printed.

Keys: space starts a sign, m mirrors the picture (what the network sees is never mirrored), f is full screen, q or Esc
quits. A video file is shown over and over; a recording of it begins at its start and ends with it at the latest.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import command
from command import Problem

IDLE, COUNTDOWN, RECORDING = "idle", "countdown", "recording"
TRANSLATING, RESULT, QUIT = "translating", "result", "quit"


class Machine:
    """The states of the demo and what moves it from one to the next; knows neither window nor network.

    idle -start-> countdown -tick-> recording -frame, ended-> translating -answered-> result -start-> countdown;
    translating -failed-> idle; any state -quit-> quit. An event that means nothing in a state is ignored.
    """

    def __init__(self, countdown: float = 3.0, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic):
        self.countdown, self.seconds, self.clock = countdown, seconds, clock
        self.message, self.answer, self.latency = "", None, 0.0
        self.frames, self.first, self.last = 0, 0.0, 0.0
        self._enter(IDLE)

    def _enter(self, state: str) -> None:
        self.state, self.since = state, self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the state began."""
        return self.clock() - self.since

    @property
    def rate(self) -> float:
        """Frames a second of the last recording, 0 where it had fewer than two frames."""
        return (self.frames - 1) / (self.last - self.first) if self.last > self.first else 0.0

    @property
    def left(self) -> float:
        """Seconds left of the countdown or the recording, else 0."""
        if self.state == COUNTDOWN:
            return max(0.0, self.countdown - self.elapsed)
        return max(0.0, self.seconds - (self.last - self.first)) if self.state == RECORDING else 0.0

    @property
    def progress(self) -> float:
        """How much of the countdown or the recording is over, 0 to 1."""
        whole = {COUNTDOWN: self.countdown, RECORDING: self.seconds}.get(self.state, 0.0)
        return 1 - self.left / whole if whole > 0 else 0.0

    def start(self) -> None:
        if self.state in (IDLE, RESULT):
            self.message = ""
            self._enter(COUNTDOWN)

    def tick(self) -> None:
        """To be called often: time passes."""
        if self.state == COUNTDOWN and self.elapsed >= self.countdown:
            self.frames, self.first, self.last = 0, 0.0, 0.0
            self._enter(RECORDING)

    def frame(self, seconds: float) -> bool:
        """A frame with its time stamp; whether it belongs to the recording, whose length the stamps decide."""
        if self.state != RECORDING:
            return False
        if self.frames and seconds - self.first > self.seconds:
            self._enter(TRANSLATING)
            return False
        self.first = self.first if self.frames else seconds
        self.frames, self.last = self.frames + 1, seconds
        return True

    def ended(self) -> None:
        """The source has no more frames."""
        if self.state == RECORDING:
            self._enter(TRANSLATING)

    def answered(self, answer) -> None:
        if self.state == TRANSLATING:
            self.answer, self.latency = answer, self.elapsed
            self._enter(RESULT)

    def failed(self, message: str) -> None:
        if self.state == TRANSLATING:
            self.message = message
            self._enter(IDLE)

    def quit(self) -> None:
        self._enter(QUIT)


class Demo:
    """Source -> session -> answer, driven by `step`: the one path, with and without a window."""

    def __init__(self, recogniser, source, machine: Machine, worker: ThreadPoolExecutor):
        self.recogniser, self.source, self.machine, self.worker = recogniser, source, machine, worker
        self.session, self.pending, self.picture = None, None, None

    def step(self, wait: float = 0.0) -> None:
        """Take what has arrived, let time pass, and see whether the answer is there; raises the source's Problem."""
        for frame, seconds in self.source.arrived(wait):
            self.picture = frame
            if self.machine.frame(seconds):
                self.session.push(frame, seconds)
        if self.source.ended:
            self.machine.ended()
            if self.source.loops:
                self.source.restart()
        self._change()

    def _change(self) -> None:
        machine, before = self.machine, self.machine.state
        machine.tick()
        if machine.state == RECORDING and before == COUNTDOWN:
            self.session = self.recogniser.session()
            self.source.restart()
        if machine.state == TRANSLATING and self.pending is None:
            # In a thread, so that the picture goes on moving.
            self.pending = self.worker.submit(self.session.result)
        if self.pending and self.pending.done():
            self._finish(self.pending)
            self.pending = self.session = None

    def _finish(self, pending: Future) -> None:
        try:
            self.machine.answered(pending.result())
        except Problem as problem:
            self.machine.failed(str(problem))


def lines(recogniser, machine: Machine) -> list[str]:
    """The machine's answer as text: the three best, each stream's own first answer, and the time it took."""
    answer, name = machine.answer, recogniser.name
    wide = max(len(name(label)) for label, _ in answer.ranked[:3])
    ranked = [
        f"{place}  {name(label):{wide}}  {part:6.1%}" for place, (label, part) in enumerate(answer.ranked[:3], start=1)
    ]
    streams = [f"{key}: {name(each[0][0])} {each[0][1]:.1%}" for key, each in answer.streams.items()]
    steps = ", ".join(f"{key} {seconds:.2f} s" for key, seconds in answer.seconds.items())
    recorded = f"{machine.frames} frames in {machine.last - machine.first:.1f} s"
    return [*ranked, "   ".join(streams), f"{recorded}; answer after {machine.latency:.2f} s ({steps})"]


def record_once(demo: Demo) -> int:
    """Without a window: one sign, its countdown and its answer on the terminal."""
    machine, said = demo.machine, None
    machine.start()
    while machine.state != RESULT:
        if demo.pending:
            wait([demo.pending])
        demo.step(wait=0.02)
        now = f"{machine.left + 0.999:.0f}" if machine.state == COUNTDOWN else machine.state
        if machine.countdown > 0 and now != said and machine.state != RESULT:
            print(now, flush=True)
            said = now
        if machine.state == IDLE:
            raise Problem(machine.message)
    print("\n".join(lines(demo.recogniser, machine)))
    return command.DONE


def arguments(argv) -> "argparse.Namespace":  # noqa: F821
    flags = command.parser(__doc__)
    flags.add_argument("--model", type=Path, required=True, help="model bundle, e.g. model/chalearn")
    source = flags.add_mutually_exclusive_group()
    source.add_argument("--camera", type=int, default=0, metavar="N", help="number of the camera")
    source.add_argument("--video", type=Path, help="a video file in the camera's place")
    flags.add_argument("--seconds", type=float, default=5.0, metavar="S", help="length of a recording")
    flags.add_argument("--countdown", type=float, default=3.0, metavar="S", help="seconds before a recording begins")
    flags.add_argument("--full-screen", action="store_true", help="open the window over the whole screen")
    flags.add_argument("--no-window", action="store_true", help="record once and print the answer")
    args = flags.parse_args(argv)
    if not args.seconds > 0 or not args.countdown >= 0:
        flags.error(f"--seconds {args.seconds:g} --countdown {args.countdown:g}; expected more than 0, and 0 or more")
    return args


def main(argv=None) -> int:
    args = arguments(argv)
    try:
        return demonstrate(args)
    except KeyboardInterrupt:
        print("livedemo.py: stopped", file=sys.stderr)
        return command.STOPPED


def demonstrate(args) -> int:
    """Open display, source and model, in the order of how soon each can say no; then run."""
    if not args.no_window:
        import window

        window.check_display()
    import videocapture

    # Nobody has to get ready for a file that is only read.
    machine = Machine(0.0 if args.no_window and args.video else args.countdown, args.seconds)
    with contextlib.ExitStack() as stack:
        # In this order: whoever waits at the end for a translation should not hold the camera meanwhile.
        worker = stack.enter_context(ThreadPoolExecutor(1))
        source = stack.enter_context(videocapture.open_source(args.camera, args.video, paced=not args.no_window))
        if not args.no_window:
            print(f"loading {args.model}", flush=True)
        import bundle

        bundle.load_keras()
        import recogniser

        model = recogniser.Recogniser.load(args.model)
        model.warm_up()  # the first answer should not take longer than the others
        demo = Demo(model, source, machine, worker)
        if args.no_window:
            return record_once(demo)
        return window.show(demo, args.full_screen)


if __name__ == "__main__":
    sys.exit(command.run(main))
